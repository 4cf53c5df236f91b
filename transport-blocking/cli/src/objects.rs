//! The objects of a backend, in either protocol.

use apus_core::contract::{Operation, Paged, Pages};
use apus_core::http::ETag;
use apus_core::now::Timestamp;
use apus_core::s3;
use apus_core::store::{S3Store, StoreBackend, SwiftStore};
use apus_core::swift;

use crate::exit::Failure;
use crate::open::{Account, Bucket, Open};

/// The objects of a backend: those of a bucket, or of the containers of an account.
pub(crate) enum Objects<'a> {
    S3(Bucket, &'a S3Store),
    Swift(Account, &'a SwiftStore),
}

/// What a listing shows of an object.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) container: String,
    pub(crate) name: String,
    pub(crate) size: Option<u64>,
    pub(crate) modified: Option<Timestamp>,
    pub(crate) etag: Option<ETag>,
    /// Whether the ETag is that of a static large object in Swift.
    pub(crate) segmented: bool,
}

/// An object, or with a delimiter the common prefix of several.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Object(Found),
    Prefix(String),
}

/// Which objects are listed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Which<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// Whether the segments of large objects are listed too, that are beside their objects.
    pub(crate) segments: bool,
}

impl Open {
    /// Returns the objects of a backend.
    pub(crate) fn objects<'a>(&self, backend: &'a StoreBackend) -> Result<Objects<'a>, Failure> {
        match backend {
            StoreBackend::S3(store) => Ok(Objects::S3(self.bucket(store)?, store)),
            StoreBackend::Swift(store) => Ok(Objects::Swift(self.account(store)?, store)),
            _ => Err(Failure::usage("this kind of backend is not supported")),
        }
    }

    /// Returns the bucket or container of the object of this name in a backend.
    pub(crate) fn container(&self, backend: &StoreBackend, name: &str) -> String {
        match backend {
            StoreBackend::S3(store) => store.bucket().to_owned(),
            StoreBackend::Swift(store) if store.options().swift_store_multi_tenant => {
                store.options().tenant_container(name)
            }
            StoreBackend::Swift(store) => store.options().container(name),
            _ => String::new(),
        }
    }
}

impl Objects<'_> {
    /// Returns the bucket or container of the configuration.
    pub(crate) fn own(&self) -> Result<String, Failure> {
        match self {
            Self::S3(bucket, _) => Ok(bucket.name.clone()),
            Self::Swift(_, store) => match store.options().swift_store_multiple_containers_seed {
                0 => Ok(store.options().swift_store_container.clone()),
                _ => Err(Failure::usage("the backend has several containers: name one of them")),
            },
        }
    }

    /// Returns the containers that can hold objects whose names begin with `prefix`.
    pub(crate) fn containers(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let (account, options) = match self {
            Self::S3(bucket, _) => return Ok(vec![bucket.name.clone()]),
            Self::Swift(account, store) => (account, store.options()),
        };
        let each = options.swift_store_multi_tenant;
        if options.swift_store_multiple_containers_seed == 0 && !each {
            return Ok(vec![options.swift_store_container.clone()]);
        }
        // The first digits of an id are in the name of its container, or the whole id is.
        let mut list = swift::GetAccount::new();
        list.prefix = Some(match each {
            true => options.tenant_container(prefix),
            false => options.container(prefix),
        });
        let mut seeded = Vec::new();
        pages(
            list,
            |page| Ok(account.call(page)?),
            |page| {
                let names = page.containers.into_iter().map(|one| one.name);
                seeded.extend(names.filter(|name| each || options.is_of_seed(name)));
                Ok(())
            },
        )?;
        Ok(seeded)
    }

    /// Calls `take` for each object, in the order of the containers and names.
    pub(crate) fn list(
        &self,
        which: Which<'_>,
        take: &mut dyn FnMut(Entry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::S3(bucket, store) => {
                if store.service().config().quirks.list_objects_v2 {
                    let mut list = s3::ListObjectsV2::new(&bucket.name);
                    (list.prefix, list.delimiter) = which.parts();
                    pages(
                        list,
                        |page| Ok(bucket.call(page)?),
                        |page| tell(&bucket.name, page.contents, page.common_prefixes, take),
                    )
                } else {
                    let mut list = s3::ListObjects::new(&bucket.name);
                    (list.prefix, list.delimiter) = which.parts();
                    pages(
                        list,
                        |page| Ok(bucket.call(page)?),
                        |page| tell(&bucket.name, page.contents, page.common_prefixes, take),
                    )
                }
            }
            Self::Swift(account, _) => self
                .containers(which.prefix)?
                .iter()
                .try_for_each(|container| list_container(account, container, which, take)),
        }
    }
}

impl Which<'_> {
    fn parts(self) -> (Option<String>, Option<String>) {
        let prefix = Some(self.prefix.to_owned()).filter(|prefix| !prefix.is_empty());
        (prefix, self.delimiter.map(str::to_owned))
    }
}

/// Calls `take` for each page of a list.
pub(crate) fn pages<O: Paged + Operation>(
    first: O,
    call: impl Fn(O) -> Result<<O as Operation>::Output, Failure>,
    mut take: impl FnMut(<O as Operation>::Output) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut pages = Pages::new(first);
    while let Some(request) = pages.request() {
        let page = call(request.clone())?;
        pages.advance(&page)?;
        take(page)?;
    }
    Ok(())
}

fn tell(
    bucket: &str,
    objects: Vec<s3::Object>,
    prefixes: Vec<String>,
    take: &mut dyn FnMut(Entry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for prefix in prefixes {
        take(Entry::Prefix(prefix))?;
    }
    for object in objects {
        take(Entry::Object(Found {
            container: bucket.to_owned(),
            name: object.key,
            size: object.size,
            modified: object.last_modified,
            etag: object.etag,
            segmented: false,
        }))?;
    }
    Ok(())
}

fn list_container(
    account: &Account,
    container: &str,
    which: Which<'_>,
    take: &mut dyn FnMut(Entry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut list = swift::GetContainer::new(container);
    (list.prefix, list.delimiter) = which.parts();
    let mut whole = Vec::new();
    pages(
        list,
        |page| Ok(account.call(page)?),
        |page| {
            for entry in page.entries {
                take(match entry {
                    swift::Entry::Subdir(name) => Entry::Prefix(name),
                    swift::Entry::Object(object) => {
                        if !which.segments && is_segment(&mut whole, &object.name) {
                            continue;
                        }
                        Entry::Object(Found {
                            container: container.to_owned(),
                            name: object.name,
                            size: object.bytes,
                            modified: object.last_modified,
                            segmented: object.slo_etag.is_some(),
                            etag: object.slo_etag.or(object.hash),
                        })
                    }
                })?;
            }
            Ok(())
        },
    )
}

/// Returns whether a name is that of a segment of an object that was listed before it, as apus or
/// glance_store names segments in the container of their object. `whole` has the listed names that
/// begin the present one.
fn is_segment(whole: &mut Vec<String>, name: &str) -> bool {
    while whole.last().is_some_and(|before| !name.starts_with(before.as_str())) {
        whole.pop();
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_of = |object: &String| {
        let rest = name.strip_prefix(object.as_str()).unwrap_or_default();
        let theirs = rest.strip_prefix('-').is_some_and(|rest| rest.len() == 5 && digits(rest));
        let ours = rest.strip_prefix('/').map(|rest| rest.split('/').collect::<Vec<_>>());
        theirs
            || ours.is_some_and(|parts| match parts[..] {
                [_, size, segment, number] => {
                    (digits(size) || size == "stream") && digits(segment) && digits(number)
                }
                _ => false,
            })
    };
    if whole.iter().any(is_of) {
        return true;
    }
    whole.push(name.to_owned());
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_listed_objects_are_known_by_their_names() {
        let mut whole = Vec::new();
        let shown: Vec<&str> = [
            "a",
            "a-00001",
            "a-00002",
            "a-1",
            "a/x/20/5/00000001",
            "a/x/20/5/y",
            "a/x/stream/5/00000001",
            "ab",
            "ab-00001",
            "b-00001",
            "b-00001-00001",
        ]
        .into_iter()
        .filter(|name| !is_segment(&mut whole, name))
        .collect();
        assert_eq!(shown, ["a", "a-1", "a/x/20/5/y", "ab", "b-00001"]);
    }
}

//! `apus ls` and `apus stat`: list objects, and show the metadata of one.

use apus_core::location::{S3Location, SwiftLocation};
use apus_core::s3;
use apus_core::store::StoreBackend;
use apus_core::store::config::SwiftOptions;
use apus_core::swift;
use serde_json::json;

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::open::{Account, Bucket};
use crate::output::{Output, Printable};

/// Lists the objects of the backend whose names begin with `prefix`.
pub(crate) fn ls(stage: &Stage, prefix: Option<&str>) -> Result<Exit, Failure> {
    let open = stage.open()?;
    match open.backend()? {
        StoreBackend::S3(store) => {
            let bucket = open.bucket(store)?;
            if store.service().config().quirks.list_objects_v2 {
                list_v2(stage.output, &bucket, prefix)?;
            } else {
                list_v1(stage.output, &bucket, prefix)?;
            }
        }
        StoreBackend::Swift(store) => {
            let account = open.account(store)?;
            list_containers(stage.output, &account, store.options(), prefix)?;
        }
        _ => return Err(Failure::usage("listing is not supported for this kind of backend")),
    }
    Ok(Exit::Done)
}

fn list_v2(output: Output, bucket: &Bucket, prefix: Option<&str>) -> Result<(), Failure> {
    let mut list = s3::ListObjectsV2::new(&bucket.name);
    list.prefix = prefix.map(str::to_owned);
    loop {
        let page = bucket.call(list.clone())?;
        page.contents.iter().try_for_each(|object| tell_s3(output, object))?;
        match list.next(&page)? {
            Some(next) => list = next,
            None => return Ok(()),
        }
    }
}

fn list_v1(output: Output, bucket: &Bucket, prefix: Option<&str>) -> Result<(), Failure> {
    let mut list = s3::ListObjects::new(&bucket.name);
    list.prefix = prefix.map(str::to_owned);
    loop {
        let page = bucket.call(list.clone())?;
        page.contents.iter().try_for_each(|object| tell_s3(output, object))?;
        match list.next(&page)? {
            Some(next) => list = next,
            None => return Ok(()),
        }
    }
}

/// Lists the container of the backend, or those of its seed.
fn list_containers(
    output: Output,
    account: &Account,
    options: &SwiftOptions,
    prefix: Option<&str>,
) -> Result<(), Failure> {
    if options.swift_store_multiple_containers_seed == 0 {
        return list_container(output, account, &options.swift_store_container, prefix);
    }
    // The first digits of an id are in the name of its container.
    let common = options.container(prefix.unwrap_or_default());
    let mut list = swift::GetAccount::new();
    list.prefix = Some(common);
    loop {
        let page = account.call(list.clone())?;
        let seeded = page.containers.iter().filter(|one| options.is_of_seed(&one.name));
        for container in seeded {
            list_container(output, account, &container.name, prefix)?;
        }
        match list.next(&page)? {
            Some(next) => list = next,
            None => return Ok(()),
        }
    }
}

fn list_container(
    output: Output,
    account: &Account,
    container: &str,
    prefix: Option<&str>,
) -> Result<(), Failure> {
    let mut list = swift::GetContainer::new(container);
    list.prefix = prefix.map(str::to_owned);
    let mut whole = Vec::new();
    loop {
        let page = account.call(list.clone())?;
        for object in page.objects() {
            if is_segment(&mut whole, &object.name) {
                continue;
            }
            tell(output, &object.name, object.bytes, object.last_modified.map(|at| at.iso8601()))?;
        }
        match list.next(&page)? {
            Some(next) => list = next,
            None => return Ok(()),
        }
    }
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
            || ours
                .is_some_and(|parts| parts.len() == 4 && parts.iter().skip(1).all(|it| digits(it)))
    };
    if whole.iter().any(is_of) {
        return true;
    }
    whole.push(name.to_owned());
    false
}

fn tell_s3(output: Output, object: &s3::Object) -> Result<(), Failure> {
    tell(output, &object.key, object.size, object.last_modified.map(|at| at.iso8601()))
}

fn tell(
    output: Output,
    name: &str,
    size: Option<u64>,
    modified: Option<String>,
) -> Result<(), Failure> {
    let value = json!({ "name": name, "size": size, "modified": modified });
    let size = size.map_or("?".to_owned(), |size| size.to_string());
    let modified = modified.unwrap_or_else(|| "-".to_owned());
    output.listed(&value, format_args!("{size:>14}  {modified:<20}  {}", Printable(name)))
}

/// Shows the metadata of one object.
pub(crate) fn stat(stage: &Stage, location: &str) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let stored = open.stored(location)?;
    let access = open.stores.core().access(&stored)?;
    let address = access.outcome;
    let mut told = json!({
        "url": address.url,
        "backend": address.backend,
        "migrates": access.migration.is_some(),
    });
    let backend = match address.backend.as_deref().filter(|_| !address.own_credentials) {
        Some(id) => Some(open.named(id)?),
        None => None,
    };
    match backend {
        Some(StoreBackend::S3(store)) => {
            let (location, _) = S3Location::parse(&address.url, &[store.options().place()?])?;
            let head = s3::HeadObject::new(location.bucket(), location.key());
            let head = open.bucket(store)?.call(head)?;
            told["size"] = json!(head.size);
            told["etag"] = json!(head.etag.map(|etag| etag.to_string()));
            told["modified"] = json!(head.last_modified.map(|at| at.iso8601()));
            told["content_type"] = json!(head.content_type);
            told["metadata"] = json!(head.metadata);
        }
        Some(StoreBackend::Swift(store)) => {
            let (location, _) = SwiftLocation::parse(&address.url, &[])?;
            let head = swift::HeadObject::new(location.container(), location.object());
            let head = open.account(store)?.call(head)?;
            told["size"] = json!(head.size);
            told["etag"] = json!(head.etag.as_ref().map(|etag| etag.to_string()));
            told["modified"] = json!(head.last_modified.map(|at| at.iso8601()));
            told["content_type"] = json!(head.content_type);
            told["metadata"] = json!(head.metadata);
            told["large_object"] = json!(head.is_large());
        }
        _ => told["size"] = json!(open.stores.size(&stored)?.outcome),
    }
    let mut text = Vec::new();
    for (name, value) in told.as_object().into_iter().flatten() {
        let shown = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.push(format!("{:<13} {}", format!("{name}:"), Printable(&shown)));
    }
    stage.output.result(&told, text.join("\n"))?;
    Ok(Exit::Done)
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

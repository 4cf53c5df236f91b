//! Copies that the server makes.

use apus_blocking::s3;
use apus_core::checksum::{Declared, Value};
use apus_core::store::{S3Store, StoreBackend};
use serde_json::json;

use super::How;
use super::moved::Copied;
use crate::Stage;
use crate::address::shown;
use crate::exit::{Exit, Failure};
use crate::objects::Objects;
use crate::open::{Bucket, Open, Target};
use crate::output::Printable;
use crate::place::Place;

/// An object, and the bucket that it is copied into by the server.
pub(super) struct Between<'a> {
    bucket: Bucket,
    here: &'a StoreBackend,
    there: &'a StoreBackend,
    from: (&'a str, &'a str),
    store: &'a S3Store,
    how: How,
}

/// Returns the copy if the server can make it: both buckets are at one server, with the same keys.
pub(super) fn between<'a>(
    open: &Open,
    target: &'a Target<'a>,
    there: &'a StoreBackend,
    how: How,
) -> Result<Option<Between<'a>>, Failure> {
    let (StoreBackend::S3(here), StoreBackend::S3(store)) = (target.backend, there) else {
        return Ok(None);
    };
    let (one, other) = (here.options(), store.options());
    let is_same = one.s3_store_host == other.s3_store_host
        && one.s3_store_access_key.as_ref().map(|key| key.expose())
            == other.s3_store_access_key.as_ref().map(|key| key.expose())
        && one.s3_store_credential_source == other.s3_store_credential_source
        && one.s3_store_profile == other.s3_store_profile;
    if how.again || !is_same {
        return Ok(None);
    }
    let Objects::S3(bucket, _) = open.objects(there)? else { return Ok(None) };
    let from = (target.container.as_deref().unwrap_or(here.bucket()), &*target.name);
    Ok(Some(Between { bucket, here: target.backend, there, from, store, how }))
}

impl Between<'_> {
    /// Copies the object to this name, replaces nothing, and compares both sides.
    pub(super) fn run(&self, stage: &Stage, id: &str) -> Result<Copied, Failure> {
        let bucket = &self.bucket;
        let source = Place::of_new(self.here, self.from.1).in_container(self.from.0);
        let copy = Place::of_new(self.there, id);
        let task = s3::ServerCopy::new(self.from, (&*bucket.name, id)).if_absent();
        let copied = bucket.client.run(task).cancel_on(bucket.token.clone()).send();
        let copied = copied.map_err(|error| {
            // The source is looked at first; that there is no copy yet is no error.
            let is_of_source = error.operation() == Some("HeadObject") && error.is_not_found();
            Failure::from(error).at(if is_of_source { &source } else { &copy })
        })?;
        let head = |name: &str, key: &str, place: &Place| {
            let head = s3::HeadObject::new(name, key);
            let head = bucket.call(s3::HeadObject { checksum_mode: true, ..head });
            head.map_err(|error| Failure::from(error).at(place))
        };
        let from = head(self.from.0, self.from.1, &source)?;
        let to = head(&bucket.name, id, &copy)?;
        let Some(compared) = compared(&from, &to) else {
            let what = format!(
                "the copy {}/{id} differs from {}/{}: compare them, and remove it",
                bucket.name, self.from.0, self.from.1
            );
            return Err(Failure::new(Exit::Integrity, what).at(&copy));
        };
        let url = self.store.options().place()?.location(id).to_string();
        let value = json!({ "url": url, "size": copied.size, "copy_checked": compared });
        stage.output.result(&value, Printable(&url))?;
        let by_size_alone = compared == SIZE_ALONE;
        if by_size_alone && !self.how.is_moved {
            let what = "compared by size alone, for the server states no MD5 and no checksum of the \
                        whole object that both have: --read-again copies and compares the bytes";
            stage.output.warn(format_args!("{}: {what}", shown(&format!("{}/{id}", bucket.name))));
        }
        let lacks = copied.not_copied.iter().map(|what| what.name()).collect();
        Ok(Copied { url, by_size_alone, lacks })
    }
}

/// Returns what is the same of an object and its copy; `None` if anything differs.
fn compared(from: &s3::ObjectHead, to: &s3::ObjectHead) -> Option<String> {
    if from.size != to.size {
        return None;
    }
    let is_md5 = |head: &s3::ObjectHead| head.etag.as_ref().is_some_and(s3::ETag::is_md5);
    let mut same = Vec::new();
    if is_md5(from) && is_md5(to) {
        if from.etag != to.etag {
            return None;
        }
        same.push("ETag".to_owned());
    }
    for value in from.checksums.iter().filter_map(whole) {
        let mut others = to.checksums.iter().filter_map(whole);
        if let Some(other) = others.find(|other| other.algorithm() == value.algorithm()) {
            if other != value {
                return None;
            }
            same.push(value.algorithm().to_string());
        }
    }
    Some(match same.is_empty() {
        true => SIZE_ALONE.to_owned(),
        false => format!("size and {}", same.join(" and ")),
    })
}

/// Returns a checksum of the object's bytes. That of its parts depends on their sizes, which a copy
/// has others of.
fn whole(declared: &Declared) -> Option<Value> {
    match declared {
        Declared::FullObject(value) => Some(*value),
        Declared::Composite(_) => None,
    }
}

const SIZE_ALONE: &str = "size alone";

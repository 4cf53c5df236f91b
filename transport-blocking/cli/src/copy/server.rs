//! Copies that the server makes.

use apus_blocking::s3;
use apus_core::store::{S3Store, StoreBackend};
use serde_json::json;

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::objects::Objects;
use crate::open::{Bucket, Open, Target};
use crate::output::Printable;

/// An object, and the bucket that it is copied into by the server.
pub(super) struct Between<'a> {
    bucket: Bucket,
    from: (&'a str, &'a str),
    store: &'a S3Store,
}

/// Returns the copy if the server can make it: both buckets are at one server, with the same keys.
/// `again`: the copy is to be read by the client.
pub(super) fn between<'a>(
    open: &Open,
    target: &'a Target<'_>,
    there: &'a StoreBackend,
    again: bool,
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
    if again || !is_same {
        return Ok(None);
    }
    let Objects::S3(bucket, _) = open.objects(there)? else { return Ok(None) };
    let from = (target.container.as_deref().unwrap_or(here.bucket()), &*target.name);
    Ok(Some(Between { bucket, from, store }))
}

impl Between<'_> {
    /// Copies the object to this name, replaces nothing, and compares both sides.
    pub(super) fn run(&self, stage: &Stage, id: &str) -> Result<(), Failure> {
        let bucket = &self.bucket;
        let task = s3::ServerCopy::new(self.from, (&*bucket.name, id)).if_absent();
        let copied = bucket.client.run(task).cancel_on(bucket.token.clone()).send()?;
        let from = bucket.call(s3::HeadObject::new(self.from.0, self.from.1))?;
        let to = bucket.call(s3::HeadObject::new(&*bucket.name, id))?;
        let is_md5 = |head: &s3::ObjectHead| head.etag.as_ref().is_some_and(s3::ETag::is_md5);
        let other_etag = is_md5(&from) && is_md5(&to) && from.etag != to.etag;
        if from.size != to.size || other_etag {
            let what = format!(
                "the copy {}/{id} differs from {}/{}: compare them, and remove it",
                bucket.name, self.from.0, self.from.1
            );
            return Err(Failure::new(Exit::Integrity, what));
        }
        let url = self.store.options().place()?.location(id).to_string();
        let checked = if is_md5(&from) && is_md5(&to) { "size and ETag" } else { "size" };
        let value = json!({ "url": url, "size": copied.size, "copy_checked": checked });
        stage.output.result(&value, Printable(&url))
    }
}

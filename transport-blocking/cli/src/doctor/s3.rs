//! Checks a bucket in S3.

mod advice;
mod checksums;
mod objects;
mod signing;

use std::sync::Arc;

use apus_blocking::Client;
use apus_core::Error;
use apus_core::contract::Operation;
use apus_core::machine::{Call, Observer};
use apus_core::s3::{
    AbortMultipartUpload, Addressing, Config, CreateBucket, DeleteBucket, DeleteObject, HeadBucket,
    ListMultipartUploads, ListObjects, ListObjectsV2, Raw, Service,
};
use apus_core::store::S3Store;

use self::advice::Found;
use super::reach::{short, try_server};
use super::trial::Trial;
use super::{Answer, Report};
use crate::exit::Failure;
use crate::open::{Bucket, Open};
use crate::uploads::{Rule, rule};

pub(super) fn examine(open: &Open, store: &S3Store, report: &mut Report) -> Result<(), Failure> {
    let check =
        BucketCheck { open, store, bucket: open.bucket(store)?, trial: Trial::new(apus_seed()) };
    let mut made = false;
    check.examine(report, &mut made)?;
    check.clean(report, made);
    Ok(())
}

/// A bucket that is being checked.
struct BucketCheck<'a> {
    open: &'a Open,
    store: &'a S3Store,
    bucket: Bucket,
    trial: Trial,
}

impl BucketCheck<'_> {
    fn examine(&self, report: &mut Report, made: &mut bool) -> Result<(), Failure> {
        let draft = Raw::new(http::Method::GET).draft(self.store.service())?;
        let transport = self.open.transport(self.store.id())?;
        if try_server(report, &transport, self.store.connection(), draft).is_none() {
            return Ok(());
        }
        let Some(addressing) = self.authenticate(report, made) else { return Ok(()) };
        let mut found = Found { addressing, ..Found::default() };
        if !self.open.interrupt.came() {
            objects::examine(self, report, &mut found);
        }
        if !self.open.interrupt.came() {
            checksums::examine(self, report, &mut found);
        }
        if !self.open.interrupt.came() {
            self.lifecycle(report);
        }
        if !self.open.interrupt.came() {
            signing::examine(self, report);
        }
        if !self.open.interrupt.came() {
            found.advise(self.store.options(), report);
        }
        Ok(())
    }

    /// Checks whether the server aborts incomplete uploads by itself. Changes nothing.
    fn lifecycle(&self, report: &mut Report) {
        const WHAT: &str = "incomplete uploads expire";
        let name = &self.bucket.name;
        let backend = self.store.id();
        let advice = format!("set it with `apus -b {backend} uploads expire --days 7`");
        match rule(|get| self.bucket.call(get), name) {
            Ok(Rule::Days(days)) => {
                report.tell("lifecycle", WHAT, Answer::Yes, format!("after {days} days"));
            }
            Ok(Rule::Some(days)) => {
                let detail = format!("after {days} days, but not those of every key: {advice}");
                report.tell("lifecycle", WHAT, Answer::No, detail);
            }
            Ok(Rule::None) => {
                report.tell("lifecycle", WHAT, Answer::No, format!("no rule: {advice}"));
            }
            Err(error) => report.tell("lifecycle", WHAT, Answer::No, short(&error)),
        }
    }

    /// Checks whether the credentials are accepted, and with which addressing. `None` if they are
    /// not.
    fn authenticate(&self, report: &mut Report, made: &mut bool) -> Option<Vec<Addressing>> {
        let name = &self.bucket.name;
        let mut addressings = Vec::new();
        let mut first = None;
        let both = [(Addressing::Path, "by path"), (Addressing::Virtual, "by host")];
        for (addressing, what) in both {
            let result = self.variant(|config| config.endpoint.addressing = addressing);
            let result = result.and_then(|client| {
                let endpoint = client.service().endpoint(Some(name))?;
                let in_host = endpoint.authority.as_str().starts_with(&format!("{name}."));
                if addressing == Addressing::Virtual && !in_host {
                    return Err(Error::invalid_input(
                        "the bucket is not a valid label of this host name",
                    ));
                }
                self.enter(&client, made)
            });
            match &result {
                Ok(region) => {
                    if addressings.is_empty() {
                        report.tell("authentication", name, Answer::Yes, "");
                    }
                    let region = region.as_deref().map(|region| format!("region {region}"));
                    report.tell("addressing", what, Answer::Yes, region.unwrap_or_default());
                    addressings.push(addressing);
                }
                Err(error) => {
                    report.tell("addressing", what, Answer::No, short(error));
                    first.get_or_insert_with(|| error.clone());
                }
            }
        }
        match first {
            Some(error) if addressings.is_empty() => {
                let what = if error.is_not_found() { "bucket" } else { "authentication" };
                report.broken(what, name, &error);
                None
            }
            _ => Some(addressings),
        }
    }

    /// Returns the region that the bucket reports. Creates the bucket if it is absent and the
    /// options allow that.
    fn enter(&self, client: &Client<Service>, made: &mut bool) -> Result<Option<String>, Error> {
        let name = &self.bucket.name;
        match self.call(client, HeadBucket::new(name)) {
            Ok(head) => Ok(head.region),
            Err(error)
                if error.is_not_found()
                    && self.store.options().s3_store_create_bucket_on_put
                    && !*made =>
            {
                self.call(client, CreateBucket::new(name))?;
                *made = true;
                Ok(None)
            }
            // A response to HEAD has no body that says why.
            Err(error) if error.is_denied() => {
                let list = ListObjectsV2 { max_keys: Some(1), ..ListObjectsV2::new(name) };
                self.call(client, list).map(|_| None)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns a client whose configuration differs from the backend's.
    fn variant(&self, change: impl FnOnce(&mut Config)) -> Result<Client<Service>, Error> {
        let mut config = self.store.service().config().clone();
        config.retry_policy.attempts = config.retry_policy.attempts.min(2);
        change(&mut config);
        let auth = self.store.auth().map_err(Error::from)?;
        let transport = self.bucket.client.transport().clone();
        let watch = Arc::clone(&self.open.watch) as Arc<dyn Observer>;
        Ok(Client::with_transport(transport, Service::new(config)?, auth).with_observer(watch))
    }

    fn call<O>(&self, client: &Client<Service>, operation: O) -> Result<O::Output, Error>
    where
        O: Operation<Service = Service>,
    {
        let call = Call::new(operation, Arc::clone(client.service()), client.seed());
        client.run(call).cancel_on(self.open.interrupt.token()).send()
    }

    /// Removes everything that was stored, and reports the leftovers.
    fn clean(&self, report: &mut Report, made: bool) {
        let client = &self.bucket.client;
        let name = &self.bucket.name;
        let mut names = self.trial.names();
        if names.is_empty() && !made {
            return;
        }
        names.extend(self.listed());
        names.sort();
        names.dedup();
        for key in names {
            match client.call(DeleteObject::new(name, &*key)) {
                Err(error) if !error.is_not_found() => {
                    report.left(format!("object {name}/{key}: {}", short(&error)));
                }
                _ => {}
            }
        }
        self.clean_uploads(report);
        if made && let Err(error) = client.call(DeleteBucket::new(name)) {
            report.left(format!("bucket {name}: {}", short(&error)));
        }
    }

    /// Returns the listed objects, for a server that stored some under other names than requested.
    fn listed(&self) -> Vec<String> {
        let client = &self.bucket.client;
        let prefix = Some(self.trial.prefix().to_owned());
        let name = &self.bucket.name;
        if client.service().config().quirks.list_objects_v2 {
            let list = ListObjectsV2 { prefix, ..ListObjectsV2::new(name) };
            let page = client.call(list).map(|page| page.contents);
            page.unwrap_or_default().into_iter().map(|object| object.key).collect()
        } else {
            let list = ListObjects { prefix, ..ListObjects::new(name) };
            let page = client.call(list).map(|page| page.contents);
            page.unwrap_or_default().into_iter().map(|object| object.key).collect()
        }
    }

    fn clean_uploads(&self, report: &mut Report) {
        let (client, name) = (&self.bucket.client, &self.bucket.name);
        let prefix = Some(self.trial.prefix().to_owned());
        let list = ListMultipartUploads { prefix, ..ListMultipartUploads::new(name) };
        let Ok(page) = client.call(list) else { return };
        for upload in page.uploads {
            let abort = AbortMultipartUpload::new(name, &*upload.key, &*upload.upload_id);
            if upload.key.starts_with(self.trial.prefix())
                && let Err(error) = client.call(abort)
            {
                report.left(format!(
                    "upload {} of {}: {}",
                    upload.upload_id,
                    upload.key,
                    short(&error)
                ));
            }
        }
    }
}

/// Returns a number that is random enough to distinguish concurrent trials.
fn apus_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

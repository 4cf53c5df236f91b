//! The actions on the object of a location.

use std::sync::Arc;

use super::S3Store;
use super::add::Target;
use super::remove::Removing;
use crate::contract::Operation as _;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::machine::{Auth, Call, DownloadOptions, S3Download};
use crate::s3::{BaseUrl, Config, EndpointConfig, GetObject, HeadObject, ObjectHead, Service};
use crate::store::{
    error::StoreError,
    image::{Address, Get, GetResult},
    job::Job,
    migration::S3Access,
    verb::Verb,
};

/// An S3 object, the backend whose connection reaches it, and the credentials.
pub(in crate::store) struct S3Route<'a> {
    store: &'a S3Store,
    access: S3Access,
    /// Whether the object is at another server than the backend's.
    foreign: bool,
}

impl<'a> S3Route<'a> {
    pub(in crate::store) fn new(store: &'a S3Store, access: S3Access) -> Self {
        let foreign = !store.place.is_at(&access.location);
        Self { store, access, foreign }
    }

    pub(in crate::store) fn address(&self) -> Address {
        Address {
            url: self.access.location.to_string(),
            backend: self.access.backend.clone(),
            own_credentials: self.access.credentials.is_some(),
        }
    }

    pub(in crate::store) fn get(&self, get: &Get, seed: u64) -> Result<Job<GetResult>, StoreError> {
        let Target { bucket, key } = self.target();
        let mut object = GetObject::new(bucket, key);
        object.range.clone_from(&get.range);
        let options = DownloadOptions {
            concurrency: get.concurrency.max(1),
            digests: get.digests.clone(),
            size: get.size,
            expected: get.expected.clone(),
            verify_etag: true,
            ..DownloadOptions::default()
        };
        let machine = S3Download::new(object, self.service()?, options, seed);
        let job = Job::new(Verb::Get, &self.store.id, machine, vec![self.auth()?]);
        Ok(job.map(|read| {
            let read = read?;
            if !read.end_is_certain {
                let what = "can't determine whether the image is complete: neither the server nor \
                            the caller stated its size";
                return Err(Error::invalid_response(what).in_operation(GetObject::NAME));
            }
            let (size, verdict) = (read.head.size, read.validation);
            Ok(GetResult { size, bytes: read.bytes, digests: read.digests, validation: verdict })
        }))
    }

    pub(in crate::store) fn size(&self, seed: u64) -> Result<Job<u64>, StoreError> {
        Ok(self.head(Verb::Size, seed)?.map(|head| {
            head?.size.ok_or_else(|| {
                Error::invalid_response("the response to HEAD has no Content-Length")
                    .in_operation(HeadObject::NAME)
            })
        }))
    }

    pub(in crate::store) fn exists(&self, seed: u64) -> Result<Job<bool>, StoreError> {
        Ok(self.head(Verb::Exists, seed)?.map(|head| match head {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }))
    }

    pub(in crate::store) fn delete(&self, seed: u64) -> Result<Job<()>, StoreError> {
        let machine = Removing::new(self.target(), self.service()?, seed);
        Ok(Job::new(Verb::Delete, &self.store.id, machine, vec![self.auth()?]))
    }

    fn head(&self, verb: Verb, seed: u64) -> Result<Job<ObjectHead>, StoreError> {
        let Target { bucket, key } = self.target();
        let machine = Call::new(HeadObject::new(bucket, key), self.service()?, seed);
        Ok(Job::new(verb, &self.store.id, machine, vec![self.auth()?]))
    }

    fn target(&self) -> Target {
        let location = &self.access.location;
        Target { bucket: location.bucket().to_owned(), key: location.key().to_owned() }
    }

    /// Returns the authenticator: the credentials in the location, or else the backend's, which are
    /// sent to its own server only.
    fn auth(&self) -> Result<Auth, StoreError> {
        match &self.access.credentials {
            Some(keys) => Ok(Auth::new(Credentials::new(keys.clone()))),
            None if self.foreign => Ok(Auth::new(Credentials::anonymous())),
            None => self.store.auth(),
        }
    }

    /// Returns the backend's service, or one for the location's server with the backend's retry
    /// policy, limits and checksum policy.
    fn service(&self) -> Result<Arc<Service>, StoreError> {
        if !self.foreign {
            return Ok(Arc::clone(&self.store.service));
        }
        let location = &self.access.location;
        let scheme = if location.scheme().is_tls() { "https" } else { "http" };
        let invalid = |error: Error| StoreError::new(Verb::Get, error);
        let url = format!("{scheme}://{}", location.place());
        let url = BaseUrl::parse(&url).map_err(invalid)?;
        let region = url.aws_region().unwrap_or_else(|| self.store.options.region());
        let ours = self.store.service.config();
        let config = Config {
            checksum: ours.checksum,
            retry_policy: ours.retry_policy.clone(),
            timeouts: ours.timeouts,
            ..Config::new(EndpointConfig::custom(url, region.as_str()))
        };
        Service::new(config).map(Arc::new).map_err(invalid)
    }
}

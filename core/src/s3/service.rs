//! One S3 endpoint, and what was learnt of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::contract;
use crate::error::Error;
use crate::retry::{Idempotency, RetryDecision, RetryPolicy};
use crate::s3::{
    config::Config,
    endpoint::{Addressing, Endpoint, Resolver},
    error,
};

/// Where S3 requests go and how they are made. Cheap to clone; clones share what is learnt: in
/// which region a bucket is.
#[derive(Clone, Debug)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    resolver: Resolver,
    regions: Mutex<BTreeMap<String, Arc<Resolver>>>,
}

impl Service {
    /// Checks the configuration.
    ///
    /// # Errors
    ///
    /// What of it can't be: an endpoint and FIPS, a chunk size below 8 KiB, no region.
    pub fn new(config: Config) -> Result<Self, Error> {
        if config.chunk_size < SMALLEST_CHUNK {
            return Err(Error::caller(format!(
                "chunk_size is {} bytes, and servers refuse frames below {SMALLEST_CHUNK}",
                config.chunk_size
            )));
        }
        let mut endpoint = config.endpoint.clone();
        if endpoint.endpoint.is_some() && endpoint.addressing == Addressing::Auto {
            endpoint.addressing = config.quirks.addressing;
        }
        let resolver = Resolver::new(endpoint)?;
        Ok(Self(Arc::new(Inner { config, resolver, regions: Mutex::default() })))
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Where a request on `bucket` goes, by what is known of its region.
    ///
    /// # Errors
    ///
    /// As [`Resolver::resolve`].
    pub fn endpoint(&self, bucket: Option<&str>) -> Result<Endpoint, Error> {
        if let Some(bucket) = bucket {
            let regions = self.0.regions.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(resolver) = regions.get(bucket) {
                return resolver.resolve(Some(bucket));
            }
        }
        self.0.resolver.resolve(bucket)
    }

    /// As [`endpoint`](Self::endpoint), with the bucket in the path: GetBucketLocation.
    pub(super) fn endpoint_by_path(&self, bucket: &str) -> Result<Endpoint, Error> {
        self.0.resolver.resolve_as(Addressing::Path, Some(bucket))
    }

    /// The region a bucket was last seen in, or the configured one.
    pub fn region(&self, bucket: &str) -> Arc<str> {
        let regions = self.0.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let resolver = regions.get(bucket).map_or(&self.0.resolver, |resolver| resolver);
        Arc::clone(resolver.signing_region())
    }
}

impl contract::Service for Service {
    fn judge(&self, error: &Error, idempotency: Idempotency) -> RetryDecision {
        error::judge(error, idempotency)
    }

    fn learn(&self, resource: &str, error: &Error) -> bool {
        let Some(region) = error.region() else { return false };
        let mut regions = self.0.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = regions.get(resource).map_or(&self.0.resolver, |resolver| resolver);
        if known.signing_region().as_ref() == region {
            return false;
        }
        let Ok(moved) = known.with_region(region) else { return false };
        if regions.len() >= MOST_REGIONS {
            regions.clear();
        }
        regions.insert(resource.to_owned(), Arc::new(moved));
        true
    }

    fn retry_policy(&self) -> &RetryPolicy {
        &self.0.config.retry_policy
    }
}

/// The least that servers take as a frame that is not the last.
const SMALLEST_CHUNK: usize = 8 << 10;
/// Buckets whose region is remembered at once.
const MOST_REGIONS: usize = 10_000;

//! One S3 endpoint, and what was learnt about it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base_url::BaseUrl;
use crate::checksum::{
    Algorithm, Decision, Need, Overrides, Placement, RequestChecksumCalculation,
    ResponseChecksumValidation,
};
use crate::contract;
use crate::error::Error;
use crate::http::{Expectation, Timeouts};
use crate::retry::{Idempotency, RetryDecision, RetryPolicy};
use crate::s3::{
    config::Config,
    endpoint::{Addressing, Endpoint, EndpointConfig, Resolver},
    error,
    hints::{self, Way},
    negotiation::{Negotiated, Refused},
};

/// An S3 endpoint and the configuration of its requests. Cheap to clone; clones share the learnt
/// regions of buckets.
#[derive(Clone, Debug)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    resolver: Resolver,
    regions: Mutex<BTreeMap<String, Arc<Resolver>>>,
    negotiated: Negotiated,
    expectation: Expectation,
}

impl Service {
    /// Creates a service after checking its configuration.
    ///
    /// # Errors
    ///
    /// The configuration is invalid: a custom endpoint with FIPS, a chunk size below 8 KiB, no
    /// region without an endpoint, and the other errors of [`Resolver::new`].
    pub fn new(config: Config) -> Result<Self, Error> {
        if config.chunk_size < SMALLEST_CHUNK {
            return Err(Error::invalid_input(format!(
                "chunk_size is {} bytes, but the minimum is {SMALLEST_CHUNK}",
                config.chunk_size
            )));
        }
        let mut endpoint = config.endpoint.clone();
        if endpoint.endpoint.is_some() && endpoint.addressing == Addressing::Auto {
            endpoint.addressing = config.quirks.addressing;
        }
        let resolver = Resolver::new(endpoint)?;
        Ok(Self(Arc::new(Inner {
            config,
            resolver,
            regions: Mutex::default(),
            negotiated: Negotiated::default(),
            expectation: Expectation::default(),
        })))
    }

    /// Creates a service for AWS in this region.
    ///
    /// # Errors
    ///
    /// The region is empty or can't be part of a host name.
    pub fn aws(region: impl Into<Arc<str>>) -> Result<Self, Error> {
        Self::new(Config::new(EndpointConfig::aws(region)))
    }

    /// Creates a service for the server at this URL: `https://s3.example.com`. An empty region
    /// means `us-east-1`, which most servers expect.
    ///
    /// # Errors
    ///
    /// The URL is not a valid http or https URL.
    pub fn custom(url: &str, region: impl Into<Arc<str>>) -> Result<Self, Error> {
        Self::new(Config::new(EndpointConfig::custom(BaseUrl::parse(url)?, region)))
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Returns the endpoint of a request on `bucket`, in the region that was learnt for it.
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

    /// As [`endpoint`](Self::endpoint), in the configured region and with the bucket in the path:
    /// for GetBucketLocation.
    pub(super) fn endpoint_by_path(&self, bucket: &str) -> Result<Endpoint, Error> {
        self.0.resolver.resolve_as(Addressing::Path, Some(bucket))
    }

    /// Returns what the server refused so far.
    pub(super) fn negotiated(&self) -> &Negotiated {
        &self.0.negotiated
    }

    /// Returns what is known of the server's `100 Continue`.
    pub(super) fn expectation(&self) -> &Expectation {
        &self.0.expectation
    }

    /// Whether the server does not support DeleteObjects, as an earlier refusal showed.
    pub(crate) fn forgoes_delete_objects(&self) -> bool {
        self.0.negotiated.forgoes_delete_objects()
    }

    /// Remembers that the server does not support DeleteObjects.
    pub(crate) fn forgo_delete_objects(&self) {
        self.0.negotiated.forgo_delete_objects();
    }

    /// Whether the server does not support `If-None-Match` with this operation, as an earlier refusal
    /// showed.
    pub(crate) fn forgoes_create_only(&self, operation: &'static str) -> bool {
        self.0.negotiated.forgoes_create_only(operation)
    }

    /// Remembers that the server does not support `If-None-Match` with this operation.
    pub(crate) fn forgo_create_only(&self, operation: &'static str) {
        self.0.negotiated.forgo_create_only(operation);
    }

    /// Returns the algorithm of the checksums of an upload's parts, where the caller names none.
    /// `None`: they have none, or `Content-MD5` instead.
    pub(crate) fn algorithm_of_parts(&self, overrides: &Overrides) -> Option<Algorithm> {
        let config = &self.0.config;
        let takes = config.quirks.part_checksums;
        let mut policy = config.checksum.with(overrides);
        let replaced = takes.is_empty() || self.0.negotiated.replaces_checksum(false);
        if replaced && policy.placement == Placement::Auto {
            return None;
        }
        policy.algorithm = policy.algorithm_among(takes);
        match policy.decide(Need::Supported, None, false) {
            Decision::Flexible(algorithm) => Some(algorithm),
            Decision::None | Decision::ContentMd5 => None,
        }
    }

    /// Returns whether a read requests the object's checksum: if the call asks for it (`asked`), or
    /// if the policy does and the server has not refused it.
    pub(crate) fn asks_for_checksum(&self, overrides: &Overrides, asked: bool) -> bool {
        let is_refused = !asked && self.0.negotiated.refuses_checksum_mode();
        self.0.config.checksum.with(overrides).validates(asked) && !is_refused
    }

    /// Returns the region that was learnt for the bucket, or the configured one.
    pub fn region(&self, bucket: &str) -> Arc<str> {
        let regions = self.0.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let resolver = regions.get(bucket).map_or(&self.0.resolver, |resolver| resolver);
        Arc::clone(resolver.signing_region())
    }
}

impl Service {
    /// Returns what the server refused, if requests can be drafted without it.
    fn negotiable(&self, error: &Error) -> Option<Refused> {
        let checksum = &self.0.config.checksum;
        let is_free = checksum.placement == Placement::Auto
            && checksum.request_mode() != RequestChecksumCalculation::Never;
        Refused::of(error).filter(|refused| match refused {
            Refused::ChecksumMode => {
                checksum.response_mode() == ResponseChecksumValidation::WhenSupported
            }
            _ => is_free,
        })
    }
}

impl contract::Service for Service {
    fn with_timeouts(self, timeouts: Timeouts) -> Result<Self, Error> {
        Self::new(Config { timeouts, ..self.config().clone() })
    }

    fn with_retry_policy(self, retry_policy: RetryPolicy) -> Result<Self, Error> {
        Self::new(Config { retry_policy, ..self.config().clone() })
    }

    fn advise(&self, error: Error) -> Error {
        if error.hint().is_some() {
            return error;
        }
        let endpoint = &self.0.config.endpoint;
        let way = Way {
            tls: endpoint.endpoint.as_ref().is_none_or(BaseUrl::is_tls),
            addressing: endpoint.endpoint.as_ref().map(|_| self.0.resolver.config().addressing),
        };
        match hints::of_error(&error, way) {
            Some(advice) => error.with_hint(advice),
            None => error,
        }
    }

    fn judge(&self, error: &Error, idempotency: Idempotency) -> RetryDecision {
        match error::judge(error, idempotency) {
            RetryDecision::Final if self.negotiable(error).is_some() => RetryDecision::Otherwise,
            decision => decision,
        }
    }

    fn learn(&self, resource: &str, error: &Error) -> bool {
        if let Some(refused) = self.negotiable(error) {
            self.0.negotiated.remember(refused, resource);
            return true;
        }
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

/// The minimum size in bytes that servers accept for a frame other than the last.
const SMALLEST_CHUNK: usize = 8 << 10;
/// The maximum number of learnt regions; beyond it all are forgotten.
const MOST_REGIONS: usize = 10_000;

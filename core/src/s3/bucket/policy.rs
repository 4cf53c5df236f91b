//! Who may do what in a bucket, as a document of IAM's policy language.

use bytes::Bytes;
use http::Method;

use crate::checksum::Need;
use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::s3::{
    error,
    request::{ChecksumOptions, Request},
    service::Service,
};

/// The policy of a bucket, as JSON. "GetBucketPolicy", S3 API reference.
///
/// A bucket without one is a 404, `NoSuchBucketPolicy`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetBucketPolicy {
    /// The bucket.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl GetBucketPolicy {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

impl Operation for GetBucketPolicy {
    type Service = Service;
    type Output = String;

    const NAME: &'static str = "GetBucketPolicy";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::GET, &self.bucket)?
            .flag("policy")
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<String, Error> {
        error::accepted(reply)?;
        reply.proven().map_err(|error| error::named(error, reply))?;
        let policy = std::str::from_utf8(&reply.body)
            .map_err(|_| Error::broken("the policy is not UTF-8").with_status(reply.status()))?;
        Ok(policy.to_owned())
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Gives a bucket this policy, in place of the one it had. "PutBucketPolicy", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBucketPolicy {
    /// The bucket.
    pub bucket: String,
    /// The policy: JSON of 20 KiB at most, sent as it is.
    pub policy: String,
    /// Whether a policy may keep the caller from changing it again.
    pub confirm_remove_self_bucket_access: Option<bool>,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl PutBucketPolicy {
    /// This policy for this bucket.
    pub fn new(bucket: impl Into<String>, policy: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), policy: policy.into(), ..Self::default() }
    }
}

impl Operation for PutBucketPolicy {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "PutBucketPolicy";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::PUT, &self.bucket)?
            .flag("policy")
            .expected_owner(&self.expected_bucket_owner)
            .header_flag(
                "x-amz-confirm-remove-self-bucket-access",
                self.confirm_remove_self_bucket_access,
            )
            .document(Bytes::from(self.policy.clone()))
            .checksum(Need::Required, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<(), Error> {
        error::accepted(reply)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Takes the policy off a bucket. "DeleteBucketPolicy", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteBucketPolicy {
    /// The bucket.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl DeleteBucketPolicy {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

impl Operation for DeleteBucketPolicy {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "DeleteBucketPolicy";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::DELETE, &self.bucket)?
            .flag("policy")
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<(), Error> {
        error::accepted(reply)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

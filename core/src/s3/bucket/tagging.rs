//! The tags of a bucket.

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
    types::Tags,
};

/// The tags of a bucket. "GetBucketTagging", S3 API reference.
///
/// A bucket without tags is a 404, `NoSuchTagSet`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetBucketTagging {
    /// The bucket.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl GetBucketTagging {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

impl Operation for GetBucketTagging {
    type Service = Service;
    type Output = Tags;

    const NAME: &'static str = "GetBucketTagging";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::GET, &self.bucket)?
            .flag("tagging")
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Tags, Error> {
        Tags::of_document(&error::document(reply, "Tagging", &["TagSet"])?)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Gives a bucket these tags, in place of those it had. "PutBucketTagging", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBucketTagging {
    /// The bucket.
    pub bucket: String,
    /// The tags: 50 at most.
    pub tags: Tags,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl PutBucketTagging {
    /// These tags for this bucket.
    pub fn new(bucket: impl Into<String>, tags: Tags) -> Self {
        Self { bucket: bucket.into(), tags, ..Self::default() }
    }
}

impl Operation for PutBucketTagging {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "PutBucketTagging";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::PUT, &self.bucket)?
            .flag("tagging")
            .expected_owner(&self.expected_bucket_owner)
            .xml(self.tags.document())
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

/// Takes all tags off a bucket. "DeleteBucketTagging", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteBucketTagging {
    /// The bucket.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl DeleteBucketTagging {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

impl Operation for DeleteBucketTagging {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "DeleteBucketTagging";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::DELETE, &self.bucket)?
            .flag("tagging")
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

//! The tags of an object.

use http::Method;

use crate::checksum::Need;
use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Headers, Reply};
use crate::retry::Idempotency;
use crate::s3::{
    error,
    request::{ChecksumOptions, Request},
    service::Service,
    types::{Common, Tags},
};

/// The tags of an object. "GetObjectTagging", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetObjectTagging {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// A version other than the newest.
    pub version_id: Option<String>,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl GetObjectTagging {
    /// Of this object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into(), ..Self::default() }
    }
}

/// What GetObjectTagging answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetObjectTaggingOutput {
    /// The tags.
    pub tags: Tags,
    /// Which version has them.
    pub version_id: Option<String>,
}

impl Operation for GetObjectTagging {
    type Service = Service;
    type Output = GetObjectTaggingOutput;

    const NAME: &'static str = "GetObjectTagging";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::GET, &self.bucket, &self.key)?
            .flag("tagging")
            .version(&self.version_id)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<GetObjectTaggingOutput, Error> {
        let tags = Tags::of_document(&error::document(reply, "Tagging", &["TagSet"])?)?;
        Ok(GetObjectTaggingOutput { tags, version_id: version_id(reply) })
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Gives an object these tags, in place of those it had. "PutObjectTagging", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutObjectTagging {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The tags: 10 at most.
    pub tags: Tags,
    /// A version other than the newest.
    pub version_id: Option<String>,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl PutObjectTagging {
    /// These tags for this object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, tags: Tags) -> Self {
        Self { bucket: bucket.into(), key: key.into(), tags, ..Self::default() }
    }
}

impl Operation for PutObjectTagging {
    type Service = Service;
    /// Which version has them, where the server tells.
    type Output = Option<String>;

    const NAME: &'static str = "PutObjectTagging";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .flag("tagging")
            .version(&self.version_id)
            .with(&self.common)
            .xml(self.tags.document())
            .checksum(Need::Required, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Option<String>, Error> {
        error::accepted(reply)?;
        Ok(version_id(reply))
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Takes all tags off an object. "DeleteObjectTagging", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteObjectTagging {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// A version other than the newest.
    pub version_id: Option<String>,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl DeleteObjectTagging {
    /// Of this object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into(), ..Self::default() }
    }
}

impl Operation for DeleteObjectTagging {
    type Service = Service;
    /// Which version had them, where the server tells.
    type Output = Option<String>;

    const NAME: &'static str = "DeleteObjectTagging";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::DELETE, &self.bucket, &self.key)?
            .flag("tagging")
            .version(&self.version_id)
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Option<String>, Error> {
        error::accepted(reply)?;
        Ok(version_id(reply))
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

fn version_id(reply: &Reply) -> Option<String> {
    Headers(&reply.head.headers).text("x-amz-version-id")
}

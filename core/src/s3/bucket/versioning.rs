//! Whether a bucket keeps former versions of its objects.

use http::Method;

use crate::checksum::Need;
use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::s3::{
    error,
    read::text,
    request::{ChecksumOptions, Request},
    service::Service,
};
use crate::secret::Secret;
use crate::xml::{S3_NAMESPACE, Writer};

/// The state of versioning of a bucket. "GetBucketVersioning", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetBucketVersioning {
    /// The bucket.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl GetBucketVersioning {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

/// The state of versioning. Both are `None` on a bucket that never had it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketVersioning {
    /// `Enabled` or `Suspended`.
    pub status: Option<String>,
    /// Whether a change, and the removal of a version, need a second factor: `Enabled` or
    /// `Disabled`.
    pub mfa_delete: Option<String>,
}

impl BucketVersioning {
    /// New versions leave the old ones.
    pub fn enabled() -> Self {
        Self { status: Some("Enabled".to_owned()), mfa_delete: None }
    }

    /// The versions there are stay, and new ones are not made.
    pub fn suspended() -> Self {
        Self { status: Some("Suspended".to_owned()), mfa_delete: None }
    }

    /// Whether new versions leave the old ones.
    pub fn is_enabled(&self) -> bool {
        self.status.as_deref() == Some("Enabled")
    }
}

impl Operation for GetBucketVersioning {
    type Service = Service;
    type Output = BucketVersioning;

    const NAME: &'static str = "GetBucketVersioning";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::GET, &self.bucket)?
            .flag("versioning")
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<BucketVersioning, Error> {
        let document = error::document(reply, "VersioningConfiguration", &["Status"])?;
        let root = document.root();
        Ok(BucketVersioning { status: text(root, "Status"), mfa_delete: text(root, "MfaDelete") })
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Turns versioning of a bucket on or off. "PutBucketVersioning", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBucketVersioning {
    /// The bucket.
    pub bucket: String,
    /// The state that it is to have.
    pub versioning: BucketVersioning,
    /// The serial number of an authentication device, a space, and what it shows.
    pub mfa: Option<Secret>,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl PutBucketVersioning {
    /// This state of this bucket.
    pub fn new(bucket: impl Into<String>, versioning: BucketVersioning) -> Self {
        Self { bucket: bucket.into(), versioning, ..Self::default() }
    }
}

impl Operation for PutBucketVersioning {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "PutBucketVersioning";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut xml = Writer::new("VersioningConfiguration", Some(S3_NAMESPACE));
        xml.text_if("Status", self.versioning.status.as_ref())
            .text_if("MfaDelete", self.versioning.mfa_delete.as_ref());
        Request::bucket(service, Self::NAME, Method::PUT, &self.bucket)?
            .flag("versioning")
            .header_secret("x-amz-mfa", self.mfa.as_ref().map(Secret::expose))
            .expected_owner(&self.expected_bucket_owner)
            .xml(xml)
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

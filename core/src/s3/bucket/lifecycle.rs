//! What becomes of objects with time.

use http::Method;

use crate::checksum::Need;
use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Headers, Reply};
use crate::retry::Idempotency;
use crate::s3::{
    bucket::lifecycle_rule::LifecycleRule,
    error,
    request::{ChecksumOptions, Request},
    service::Service,
};
use crate::xml::{S3_NAMESPACE, Writer};

/// The lifecycle rules of a bucket. "GetBucketLifecycleConfiguration", S3 API reference.
///
/// A bucket without rules is a 404, `NoSuchLifecycleConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetBucketLifecycleConfiguration {
    /// The bucket.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl GetBucketLifecycleConfiguration {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

/// What GetBucketLifecycleConfiguration answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetBucketLifecycleConfigurationOutput {
    /// The rules.
    pub rules: Vec<LifecycleRule>,
    /// Which objects are too small for a transition: `varies_by_storage_class` or
    /// `all_storage_classes_128K`.
    pub transition_default_minimum_object_size: Option<String>,
}

impl Operation for GetBucketLifecycleConfiguration {
    type Service = Service;
    type Output = GetBucketLifecycleConfigurationOutput;

    const NAME: &'static str = "GetBucketLifecycleConfiguration";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::GET, &self.bucket)?
            .flag("lifecycle")
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Self::Output, Error> {
        let document = error::document(reply, "LifecycleConfiguration", &["Rule"])?;
        let root = document.root();
        let rules = root.children("Rule").map(LifecycleRule::read);
        Ok(GetBucketLifecycleConfigurationOutput {
            rules: rules.collect::<Result<_, _>>()?,
            transition_default_minimum_object_size: Headers(&reply.head.headers).text(MINIMUM_SIZE),
        })
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Gives a bucket these lifecycle rules, in place of those it had.
/// "PutBucketLifecycleConfiguration", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBucketLifecycleConfiguration {
    /// The bucket.
    pub bucket: String,
    /// The rules: 1 to 1,000.
    pub rules: Vec<LifecycleRule>,
    /// Which objects are too small for a transition: `varies_by_storage_class` or
    /// `all_storage_classes_128K`.
    pub transition_default_minimum_object_size: Option<String>,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl PutBucketLifecycleConfiguration {
    /// These rules for this bucket.
    pub fn new(bucket: impl Into<String>, rules: Vec<LifecycleRule>) -> Self {
        Self { bucket: bucket.into(), rules, ..Self::default() }
    }
}

impl Operation for PutBucketLifecycleConfiguration {
    type Service = Service;
    /// [`transition_default_minimum_object_size`](Self::transition_default_minimum_object_size), as
    /// the server took it.
    type Output = Option<String>;

    const NAME: &'static str = "PutBucketLifecycleConfiguration";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut xml = Writer::new("LifecycleConfiguration", Some(S3_NAMESPACE));
        for rule in &self.rules {
            xml.element("Rule", |xml| rule.write(xml));
        }
        Request::bucket(service, Self::NAME, Method::PUT, &self.bucket)?
            .flag("lifecycle")
            .header(MINIMUM_SIZE, self.transition_default_minimum_object_size.as_ref())
            .expected_owner(&self.expected_bucket_owner)
            .xml(xml)
            .checksum(Need::Required, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Option<String>, Error> {
        error::accepted(reply)?;
        Ok(Headers(&reply.head.headers).text(MINIMUM_SIZE))
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Takes all lifecycle rules off a bucket. "DeleteBucketLifecycle", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteBucketLifecycle {
    /// The bucket.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl DeleteBucketLifecycle {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

impl Operation for DeleteBucketLifecycle {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "DeleteBucketLifecycle";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::DELETE, &self.bucket)?
            .flag("lifecycle")
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

const MINIMUM_SIZE: &str = "x-amz-transition-default-minimum-object-size";

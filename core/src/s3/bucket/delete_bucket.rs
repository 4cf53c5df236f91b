//! DeleteBucket.

use http::Method;

use crate::contract::{Doubt, Operation, Recovery};
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::s3::{error, request::Request, service::Service};

/// Removes a bucket that is empty. "DeleteBucket", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteBucket {
    /// The bucket.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl DeleteBucket {
    /// This bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

impl Operation for DeleteBucket {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "DeleteBucket";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::DELETE, &self.bucket)?
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<(), Error> {
        error::accepted(reply)
    }

    fn recover(&self, _: &Service, doubt: &Doubt<'_>) -> Recovery<()> {
        let gone = doubt.error.code() == Some("NoSuchBucket") || doubt.error.is_bare_not_found();
        if gone { Recovery::Done(()) } else { Recovery::Unknown }
    }

    fn look_at(&self) -> String {
        format!("whether the bucket {} is there", self.bucket)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

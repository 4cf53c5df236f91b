//! HeadBucket.

use http::Method;

use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Headers, Reply};
use crate::retry::Idempotency;
use crate::s3::{error, request::Request, service::Service};

/// Whether a bucket is there and may be used, and where it is. "HeadBucket", S3 API reference.
///
/// The answer to a HEAD has no error document: a bucket that is not there is a bare 404, one that
/// may not be used a bare 403.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadBucket {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl HeadBucket {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

/// What HeadBucket answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadBucketOutput {
    /// Where the bucket is; few servers beside AWS tell.
    pub region: Option<String>,
    /// Whether the name is an alias of an access point, where the server tells.
    pub access_point_alias: Option<bool>,
    /// The ARN.
    pub arn: Option<String>,
    /// The kind of place that a directory bucket is in: `AvailabilityZone` or `LocalZone`.
    pub location_type: Option<String>,
    /// The place that a directory bucket is in.
    pub location_name: Option<String>,
}

impl Operation for HeadBucket {
    type Service = Service;
    type Output = HeadBucketOutput;

    const NAME: &'static str = "HeadBucket";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::HEAD, &self.bucket)?
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<HeadBucketOutput, Error> {
        error::success(reply)?;
        let head = Headers(&reply.head.headers);
        Ok(HeadBucketOutput {
            region: head.text("x-amz-bucket-region"),
            access_point_alias: head.flag("x-amz-access-point-alias"),
            arn: head.text("x-amz-bucket-arn"),
            location_type: head.text("x-amz-bucket-location-type"),
            location_name: head.text("x-amz-bucket-location-name"),
        })
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

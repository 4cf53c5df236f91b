//! HeadBucket.

use crate::s3::operation::*;

operation! {
    /// Whether a bucket is there and may be used, and where it is. "HeadBucket", S3 API reference.
    ///
    /// The answer to a HEAD has no error document: a bucket that is not there is a bare 404, one that
    /// may not be used a bare 403.
    pub struct HeadBucket {
        /// The bucket: its name, or the ARN or alias of an access point.
        pub bucket: String,
        /// The account ID that must own the bucket; otherwise the server responds with 403.
        pub expected_bucket_owner: Option<String>,
    }
    new(bucket: impl Into<String>)
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
    facts!(HeadBucket in bucket: Read -> HeadBucketOutput);

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
}

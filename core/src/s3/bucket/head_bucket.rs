//! HeadBucket.

use crate::s3::operation::*;

operation! {
    /// Determines whether a bucket exists and the caller may access it, and its region.
    /// "HeadBucket", S3 API reference.
    ///
    /// The response to a HEAD request has no error document: for a bucket that does not exist it is
    /// a 404 without a code, for one that the caller may not access a 403 without a code.
    ///
    /// ```
    /// use apus_core::s3::HeadBucket;
    ///
    /// let mut head = HeadBucket::new("bucket");
    /// // A bucket of this name in another account is refused with 403.
    /// head.expected_bucket_owner = Some("111122223333".into());
    /// ```
    pub struct HeadBucket {
        /// The bucket name, or the ARN or alias of an access point.
        pub bucket: String,
        /// The account ID that must own the bucket; otherwise the server responds with 403.
        pub expected_bucket_owner: Option<String>,
    }
    new(bucket: impl Into<String>)
}

/// The response to [`HeadBucket`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadBucketOutput {
    /// The bucket's region; few servers other than AWS send it.
    pub region: Option<String>,
    /// Whether the name is an access point alias, where the server says.
    pub access_point_alias: Option<bool>,
    /// The bucket's ARN.
    pub arn: Option<String>,
    /// The location type of a directory bucket: `AvailabilityZone` or `LocalZone`.
    pub location_type: Option<String>,
    /// The location name of a directory bucket: the ID of its zone.
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
        error::carried_out(reply)?;
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

//! CreateBucket.

use crate::s3::operation::*;
use crate::s3::types::{Access, Tags};
use crate::xml::{S3_NAMESPACE, Writer};

operation! {
    /// Creates a bucket. "CreateBucket", S3 API reference.
    ///
    /// If the caller already owns the bucket, us-east-1 and Ceph respond with success, other
    /// regions with 409 `BucketAlreadyOwnedByYou`; MinIO and similar servers respond with
    /// `BucketAlreadyExists`.
    ///
    /// ```
    /// use apus_core::s3::CreateBucket;
    ///
    /// // Without a `location_constraint` it is that of the service's region.
    /// let mut create = CreateBucket::new("bucket");
    /// create.object_lock_enabled = Some(true);
    /// ```
    pub struct CreateBucket {
        /// The bucket name.
        pub bucket: String,
        /// The region to create the bucket in; by default the client's. For us-east-1 nothing is
        /// sent by default, because servers refuse that name here. An empty string sends nothing in
        /// any region.
        pub location_constraint: Option<String>,
        /// Permissions: a canned ACL or grants.
        pub access: Access,
        /// The object ownership: `BucketOwnerEnforced` (AWS's default), `BucketOwnerPreferred` or
        /// `ObjectWriter`.
        pub object_ownership: Option<String>,
        /// Whether to enable Object Lock, which also enables versioning.
        pub object_lock_enabled: Option<bool>,
        /// The bucket's tags.
        pub tags: Tags,
    }
    new(bucket: impl Into<String>)
}

impl CreateBucket {
    fn location<'a>(&'a self, service: &'a Service) -> Option<&'a str> {
        let location = match &self.location_constraint {
            Some(location) => location.as_str(),
            None => match service.config().endpoint.region.as_ref() {
                "us-east-1" | "aws-global" => "",
                region => region,
            },
        };
        (!location.is_empty()).then_some(location)
    }
}

/// The response to [`CreateBucket`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateBucketOutput {
    /// The bucket's path or URL.
    pub location: Option<String>,
    /// The bucket's ARN.
    pub arn: Option<String>,
}

impl Operation for CreateBucket {
    facts!(CreateBucket in bucket: Idempotent -> CreateBucketOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut request = Request::bucket(service, Self::NAME, Method::PUT, &self.bucket)?;
        request
            .with(&self.access)
            .header("x-amz-object-ownership", self.object_ownership.as_ref())
            .header_flag("x-amz-bucket-object-lock-enabled", self.object_lock_enabled);
        let location = self.location(service);
        if location.is_none() && self.tags.0.is_empty() {
            return request.finish();
        }
        let mut xml = Writer::new("CreateBucketConfiguration", Some(S3_NAMESPACE));
        xml.text_if("LocationConstraint", location);
        if !self.tags.0.is_empty() {
            xml.element("Tags", |xml| self.tags.write(xml));
        }
        request.xml(xml).finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<CreateBucketOutput, Error> {
        error::accepted(reply)?;
        let head = Headers(&reply.head.headers);
        Ok(CreateBucketOutput {
            location: head.text("location"),
            arn: head.text("x-amz-bucket-arn"),
        })
    }

    fn recover(&self, service: &Service, doubt: &Doubt<'_>) -> Recovery<CreateBucketOutput> {
        // A bucket that existed before may have other settings than the requested ones.
        let plain = Self { bucket: String::new(), location_constraint: None, ..self.clone() }
            == Self::default();
        match doubt.error.code() {
            Some("BucketAlreadyOwnedByYou") if plain => {
                Recovery::Done(CreateBucketOutput::default())
            }
            Some("BucketAlreadyExists") if service.config().quirks.already_exists_is_foreign => {
                Recovery::Never
            }
            _ => Recovery::Unknown,
        }
    }

    fn look_at(&self) -> String {
        format!("whether bucket {} exists, and its settings", self.bucket)
    }
}

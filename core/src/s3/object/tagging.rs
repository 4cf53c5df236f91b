//! The tags of an object.

use crate::s3::operation::*;
use crate::s3::types::Tags;

operation! {
    /// Retrieves an object's tags. "GetObjectTagging", S3 API reference.
    pub struct GetObjectTagging on object {
        /// The version ID; `None` selects the current version.
        pub version_id: Option<String>,
    }
}

/// The response to [`GetObjectTagging`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetObjectTaggingOutput {
    /// The tags.
    pub tags: Tags,
    /// The version ID of the object.
    pub version_id: Option<String>,
}

impl Operation for GetObjectTagging {
    facts!(GetObjectTagging in bucket: Read -> GetObjectTaggingOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::GET, &self.bucket, &self.key)?
            .flag("tagging")
            .version(&self.version_id)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<GetObjectTaggingOutput, Error> {
        let tags = Tags::of_document(&error::subresource(reply, "Tagging", &["TagSet"])?)?;
        Ok(GetObjectTaggingOutput { tags, version_id: version_id(reply) })
    }
}

operation! {
    /// Sets an object's tags and replaces its existing ones. "PutObjectTagging", S3 API reference.
    ///
    /// ```
    /// use apus_core::s3::{PutObjectTagging, Tags};
    ///
    /// // Replaces all tags of the object.
    /// let tags = Tags(vec![("state".into(), "scanned".into())]);
    /// let put = PutObjectTagging::new("bucket", "key", tags);
    /// ```
    pub struct PutObjectTagging on object {
        /// The tags: at most 10.
        pub tags: Tags,
        /// The version ID; `None` selects the current version.
        pub version_id: Option<String>,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
    }
    new(tags: Tags)
}

impl Operation for PutObjectTagging {
    facts! {
        /// The version ID of the object, where the server says.
        PutObjectTagging in bucket: Idempotent -> Option<String>
    }

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
}

operation! {
    /// Deletes all tags of an object. "DeleteObjectTagging", S3 API reference.
    pub struct DeleteObjectTagging {
        /// The bucket name, or the ARN or alias of an access point.
        pub bucket: String,
        /// The object key.
        pub key: String,
        /// The version ID; `None` selects the current version.
        pub version_id: Option<String>,
        /// The account ID that must own the bucket; otherwise the server responds with 403.
        pub expected_bucket_owner: Option<String>,
    }
    new(bucket: impl Into<String>, key: impl Into<String>)
}

impl Operation for DeleteObjectTagging {
    facts! {
        /// The version ID of the object, where the server says.
        DeleteObjectTagging in bucket: Idempotent -> Option<String>
    }

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
}

fn version_id(reply: &Reply) -> Option<String> {
    Headers(&reply.head.headers).text("x-amz-version-id")
}

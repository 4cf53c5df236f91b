//! The tags of an object.

use crate::s3::operation::*;
use crate::s3::types::Tags;

operation! {
    /// The tags of an object. "GetObjectTagging", S3 API reference.
    pub struct GetObjectTagging on object {
        /// A version other than the newest.
        pub version_id: Option<String>,
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
    facts!(GetObjectTagging in bucket: Read -> GetObjectTaggingOutput);

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
}

operation! {
    /// Gives an object these tags, in place of those it had. "PutObjectTagging", S3 API reference.
    pub struct PutObjectTagging on object {
        /// The tags: 10 at most.
        pub tags: Tags,
        /// A version other than the newest.
        pub version_id: Option<String>,
        /// What this call wants otherwise about the checksum of its request.
        pub checksum: ChecksumOptions,
    }
    new(tags: Tags)
}

impl Operation for PutObjectTagging {
    facts! {
        /// Which version has them, where the server tells.
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
    /// Takes all tags off an object. "DeleteObjectTagging", S3 API reference.
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
    new(bucket: impl Into<String>, key: impl Into<String>)
}

impl Operation for DeleteObjectTagging {
    facts! {
        /// Which version had them, where the server tells.
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

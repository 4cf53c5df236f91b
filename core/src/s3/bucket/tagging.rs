//! The tags of a bucket.

use crate::s3::operation::*;
use crate::s3::types::Tags;

operation! {
    /// Retrieves a bucket's tags. "GetBucketTagging", S3 API reference.
    ///
    /// For a bucket without tags the server responds with 404, `NoSuchTagSet`.
    pub struct GetBucketTagging on bucket;
    GET "tagging": Read -> Tags = read
}

fn read(reply: &Reply) -> Result<Tags, Error> {
    Tags::of_document(&error::document(reply, "Tagging", &["TagSet"])?)
}

operation! {
    /// Sets a bucket's tags and replaces its existing ones. "PutBucketTagging", S3 API reference.
    ///
    /// ```
    /// use apus_core::s3::{PutBucketTagging, Tags};
    ///
    /// // Replaces all tags of the bucket.
    /// let tags = Tags(vec![("team".into(), "images".into())]);
    /// let put = PutBucketTagging::new("bucket", tags);
    /// ```
    pub struct PutBucketTagging on bucket {
        /// The tags: at most 50.
        pub tags: Tags,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
    }
    new(tags: Tags)
}

impl Operation for PutBucketTagging {
    facts!(PutBucketTagging in bucket: Idempotent -> () = error::accepted);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::PUT, &self.bucket)?
            .flag("tagging")
            .expected_owner(&self.expected_bucket_owner)
            .xml(self.tags.document())
            .checksum(Need::Required, &self.checksum)
            .finish()
    }
}

operation! {
    /// Deletes all tags of a bucket. "DeleteBucketTagging", S3 API reference.
    pub struct DeleteBucketTagging on bucket;
    DELETE "tagging": Idempotent -> () = error::accepted
}

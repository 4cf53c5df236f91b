//! UploadPartCopy.

use std::ops::Range;

use crate::s3::object::{CopySource, Stored};
use crate::s3::operation::*;
use crate::s3::types::{ByteRange, CustomerKey};

operation! {
    /// Uploads a part by copying bytes of an existing object. "UploadPartCopy", S3 API reference.
    ///
    /// ```
    /// use apus_core::s3::{CopySource, UploadPartCopy};
    ///
    /// let source = CopySource::new("bucket", "disk.img");
    /// let mut copy = UploadPartCopy::new("backup", "disk.img", "upload-id", 1, source);
    /// // The end is exclusive.
    /// copy.source_range = Some(0..5 << 30);
    /// ```
    pub struct UploadPartCopy on upload {
        /// The part number: 1 to 10,000.
        pub part_number: u32,
        /// The object to copy.
        pub source: CopySource,
        /// The bytes of the source to copy, end exclusive; at most 5 GiB. `None` copies all.
        pub source_range: Option<Range<u64>>,
        /// The key that the upload was created with (SSE-C).
        pub customer_key: Option<CustomerKey>,
    }
    new(part_number: u32, source: CopySource)
}

/// The response to [`UploadPartCopy`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadPartCopyOutput {
    /// The part.
    pub stored: Stored,
    /// When the part was last modified.
    pub last_modified: Option<Timestamp>,
    /// The version ID of the source that was copied.
    pub source_version_id: Option<String>,
}

impl Operation for UploadPartCopy {
    facts!(UploadPartCopy in bucket: Idempotent -> UploadPartCopyOutput);

    const REPLACES_UNSEEN: bool = true;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let range = match &self.source_range {
            Some(range) if range.is_empty() => {
                return Err(Error::invalid_input("the range of the source to copy is empty"));
            }
            Some(range) => Some(ByteRange::Span(range.clone()).to_string()),
            None => None,
        };
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .part(self.part_number, &self.upload_id)
            .header("x-amz-copy-source-range", range)
            .with(&self.source)
            .with(&self.customer_key)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<UploadPartCopyOutput, Error> {
        let document = error::document(reply, "CopyPartResult", &["ETag", "LastModified"])?;
        let root = document.root();
        Ok(UploadPartCopyOutput {
            stored: Stored::read_with(reply, root),
            last_modified: root.optional_timestamp("LastModified"),
            source_version_id: Headers(&reply.head.headers).text("x-amz-copy-source-version-id"),
        })
    }

    fn look_at(&self) -> String {
        let Self { bucket, key, upload_id, part_number, .. } = self;
        format!("part {part_number} of the multipart upload {upload_id} of {bucket}/{key}")
    }
}

//! UploadPart.

use bytes::Bytes;

use crate::checksum::Value;
use crate::http::Body;
use crate::s3::object::Stored;
use crate::s3::operation::*;
use crate::s3::types::CustomerKey;

operation! {
    /// Uploads a part of 5 MiB to 5 GiB; the last part may be smaller. "UploadPart", S3 API
    /// reference.
    ///
    /// ```
    /// use apus_core::http::Body;
    /// use apus_core::s3::UploadPart;
    ///
    /// // Bytes 5 MiB to 10 MiB of the source that the call is given.
    /// let body = Body::Source { range: 5 << 20..10 << 20, rewindable: true };
    /// let part = UploadPart::from_body("bucket", "key", "upload-id", 2, body);
    /// ```
    pub struct UploadPart on upload {
        /// The part number: 1 to 10,000. A second part of the same number replaces the first.
        pub part_number: u32,
        /// The bytes of the part.
        pub body: Body,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
        /// The key that the upload was created with (SSE-C).
        pub customer_key: Option<CustomerKey>,
    }
    from_body(part_number: u32, body: Body)
}

impl UploadPart {
    /// Uploads these bytes as a part of this upload.
    pub fn new(
        bucket: impl Into<String>,
        key: impl Into<String>,
        upload_id: impl Into<String>,
        part_number: u32,
        body: impl Into<Bytes>,
    ) -> Self {
        Self::from_body(bucket, key, upload_id, part_number, Body::Bytes(body.into()))
    }
}

impl Operation for UploadPart {
    facts!(UploadPart in bucket: Idempotent -> Stored);

    const REPLACES_UNSEEN: bool = true;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .part(self.part_number, &self.upload_id)
            .with(&self.customer_key)
            .with(&self.common)
            .object_body(&self.body)
            .checksum(Need::Supported, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Stored, Error> {
        error::accepted(reply)?;
        Ok(Stored::read(reply))
    }

    fn parse_head(&self, reply: &Reply) -> Option<Stored> {
        Stored::read_head(reply)
    }

    fn look_at(&self) -> String {
        let Self { bucket, key, upload_id, part_number, .. } = self;
        format!("part {part_number} of the multipart upload {upload_id} of {bucket}/{key}")
    }

    fn confirm(&self, output: &Stored, computed: &[Value]) -> Result<(), Error> {
        output.confirm(computed)
    }
}

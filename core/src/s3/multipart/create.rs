//! CreateMultipartUpload.

use crate::checksum::{Algorithm, Overrides, Type};
use crate::s3::object::Stored;
use crate::s3::operation::*;
use crate::s3::types::Properties;

operation! {
    /// Initiates a multipart upload. "CreateMultipartUpload", S3 API reference.
    ///
    /// Where the response is lost, the server may have created an upload whose ID is unknown. The
    /// request is nevertheless sent again, as in every SDK. The leftover upload has no parts, and
    /// [`ListMultipartUploads`](crate::s3::ListMultipartUploads) can't identify it: another process
    /// may have created an upload of the same key. To remove it, use a lifecycle rule that aborts
    /// incomplete uploads, or [`AbortMultipartUpload`](crate::s3::AbortMultipartUpload) for every
    /// upload of this key that no process uses. Where all attempts fail, the error's
    /// [outcome is unknown](Error::outcome_unknown).
    ///
    /// ```
    /// use apus_core::checksum::{Algorithm, Type};
    /// use apus_core::s3::CreateMultipartUpload;
    ///
    /// let mut create = CreateMultipartUpload::new("bucket", "key");
    /// // The checksum of the whole object, instead of one of the parts' checksums. The parts have to be
    /// // sent with the same algorithm.
    /// create.checksum_algorithm = Some(Algorithm::Crc64Nvme);
    /// create.checksum_type = Some(Type::FullObject);
    /// ```
    pub struct CreateMultipartUpload on object {
        /// Metadata, storage class, encryption and other properties of the object.
        pub properties: Properties,
        /// The algorithm of the parts' checksums. Not sent where `request_checksum_calculation` is
        /// `never`.
        pub checksum_algorithm: Option<Algorithm>,
        /// Whether the object's checksum is full-object or composite. Not sent where
        /// `request_checksum_calculation` is `never`.
        pub checksum_type: Option<Type>,
        /// Per-call checksum overrides; use the same for all parts.
        pub overrides: Overrides,
    }
}

/// The response to [`CreateMultipartUpload`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateMultipartUploadOutput {
    /// The upload ID.
    pub upload_id: String,
    /// The bucket name.
    pub bucket: Option<String>,
    /// The object key.
    pub key: Option<String>,
    /// The algorithm of the parts' checksums that the server applies.
    pub checksum_algorithm: Option<Algorithm>,
    /// The date from which a lifecycle rule aborts the upload.
    pub abort_date: Option<Timestamp>,
    /// The ID of this lifecycle rule.
    pub abort_rule_id: Option<String>,
    /// The encryption and the checksum type of the future object; its ETag is empty.
    pub stored: Stored,
}

impl Operation for CreateMultipartUpload {
    // A repetition creates another upload. It is nevertheless repeated, as in the SDKs: the first
    // upload, if there is one, has no parts and costs nothing until it is aborted.
    facts!(CreateMultipartUpload in bucket: Idempotent -> CreateMultipartUploadOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::POST, &self.bucket, &self.key)?
            .flag("uploads")
            .announce(&self.overrides, self.checksum_algorithm, self.checksum_type)
            .with(&self.properties)
            .parts_of_locked()
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<CreateMultipartUploadOutput, Error> {
        let document = error::document(reply, "InitiateMultipartUploadResult", &["UploadId"])?;
        let root = document.root();
        let head = Headers(&reply.head.headers);
        Ok(CreateMultipartUploadOutput {
            upload_id: root.required("UploadId")?.to_owned(),
            bucket: text(root, "Bucket"),
            key: text(root, "Key"),
            checksum_algorithm: head.parsed("x-amz-checksum-algorithm"),
            abort_date: head.plain("x-amz-abort-date").and_then(Timestamp::parse_http),
            abort_rule_id: head.text("x-amz-abort-rule-id"),
            stored: Stored::read(reply),
        })
    }

    fn look_at(&self) -> String {
        format!(
            "the multipart uploads of {}/{}: one without parts may be ours",
            self.bucket, self.key
        )
    }
}

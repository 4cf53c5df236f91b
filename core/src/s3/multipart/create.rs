//! CreateMultipartUpload.

use crate::checksum::{Algorithm, Overrides, Type};
use crate::s3::object::Stored;
use crate::s3::operation::*;
use crate::s3::types::Properties;

operation! {
    /// Begins an upload in parts. "CreateMultipartUpload", S3 API reference.
    ///
    /// Where the answer is lost the server may have begun an upload whose id nobody knows, and it is sent
    /// again all the same, as every SDK does. Nothing can prove which of the uploads that
    /// [`ListMultipartUploads`](crate::s3::ListMultipartUploads) shows with this key as prefix is that one, for
    /// another process may be about its own; it has no parts. A lifecycle rule that aborts incomplete uploads
    /// removes it, and so does [`AbortMultipartUpload`](crate::s3::AbortMultipartUpload) of each upload of
    /// this key that nobody is about. Where all attempts fail the error's
    /// [outcome is unknown](Error::outcome_unknown).
    pub struct CreateMultipartUpload on object {
        /// What is stored with the object.
        pub properties: Properties,
        /// The algorithm of the checksums that the parts will come with: said in every mode but `never`.
        pub checksum_algorithm: Option<Algorithm>,
        /// What the object's checksum is to be made over: said in every mode but `never`.
        pub checksum_type: Option<Type>,
        /// What this call sets otherwise than the client; the same for all parts.
        pub overrides: Overrides,
    }
}

/// What CreateMultipartUpload answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateMultipartUploadOutput {
    /// The upload ID.
    pub upload_id: String,
    /// The bucket.
    pub bucket: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// The algorithm of the checksums, as the server took it.
    pub checksum_algorithm: Option<Algorithm>,
    /// The date from which a lifecycle rule aborts the upload.
    pub abort_date: Option<Timestamp>,
    /// The ID of this lifecycle rule.
    pub abort_rule_id: Option<String>,
    /// How the object will be encrypted, and what its checksum will be made over; it has no tag
    /// yet.
    pub stored: Stored,
}

impl Operation for CreateMultipartUpload {
    // A second one begins another upload. As in the SDKs it is repeated all the same: the first, if
    // there is one, has no parts and costs nothing until it is aborted or a lifecycle rule does so.
    facts!(CreateMultipartUpload in bucket: Idempotent -> CreateMultipartUploadOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::POST, &self.bucket, &self.key)?
            .flag("uploads")
            .announce(&self.overrides, self.checksum_algorithm, self.checksum_type)
            .with(&self.properties)
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

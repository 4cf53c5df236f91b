//! AbortMultipartUpload.

use crate::s3::operation::*;

operation! {
    /// Aborts a multipart upload and deletes its parts. "AbortMultipartUpload", S3 API reference.
    ///
    /// Parts that are being uploaded during the abort may remain: [`ListParts`] lists them, and
    /// another abort deletes them.
    ///
    /// [`ListParts`]: crate::s3::ListParts
    ///
    /// ```
    /// use apus_core::s3::AbortMultipartUpload;
    ///
    /// // Parts that are still being sent may be stored after it: list the parts, and abort again.
    /// let abort = AbortMultipartUpload::new("bucket", "key", "upload-id");
    /// ```
    pub struct AbortMultipartUpload on upload {
        /// Only if the upload was initiated at this time (directory buckets).
        pub if_match_initiated_time: Option<Timestamp>,
    }
}

impl Operation for AbortMultipartUpload {
    facts! {
        /// `requester` where the requester was charged for the request.
        AbortMultipartUpload in bucket: Idempotent -> Option<String>
    }

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let initiated = self.if_match_initiated_time.map(Timestamp::http_date);
        Request::object(service, Self::NAME, Method::DELETE, &self.bucket, &self.key)?
            .upload_id(&self.upload_id)
            .header("x-amz-if-match-initiated-time", initiated)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Option<String>, Error> {
        error::accepted(reply)?;
        Ok(Headers(&reply.head.headers).text("x-amz-request-charged"))
    }

    fn recover(&self, _: &Service, doubt: &Doubt<'_>) -> Recovery<Option<String>> {
        match doubt.error.code() == Some("NoSuchUpload") || doubt.error.is_bare_not_found() {
            true => Recovery::Done(None),
            false => Recovery::Unknown,
        }
    }

    fn look_at(&self) -> String {
        format!("the multipart upload {} of {}/{}", self.upload_id, self.bucket, self.key)
    }
}

//! AbortMultipartUpload.

use http::Method;

use crate::contract::{Doubt, Operation, Recovery};
use crate::error::Error;
use crate::http::{Draft, Headers, Reply};
use crate::now::Timestamp;
use crate::retry::Idempotency;
use crate::s3::{error, request::Request, service::Service, types::Common};

/// Removes an upload and its parts. "AbortMultipartUpload", S3 API reference.
///
/// Parts that are on their way while it is aborted may stay: [`ListParts`] tells, and another abort
/// removes them.
///
/// [`ListParts`]: crate::s3::ListParts
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AbortMultipartUpload {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The upload.
    pub upload_id: String,
    /// Only if it was begun then (directory buckets).
    pub if_match_initiated_time: Option<Timestamp>,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl AbortMultipartUpload {
    /// This upload.
    pub fn new(
        bucket: impl Into<String>,
        key: impl Into<String>,
        upload_id: impl Into<String>,
    ) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            upload_id: upload_id.into(),
            ..Self::default()
        }
    }
}

impl Operation for AbortMultipartUpload {
    type Service = Service;
    /// Whether the requester was charged.
    type Output = Option<String>;

    const NAME: &'static str = "AbortMultipartUpload";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

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

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

//! DeleteObject.

use http::StatusCode;

use crate::http::ETag;
use crate::s3::object::{HeadObject, ObjectHead};
use crate::s3::operation::*;
use crate::secret::Secret;

operation! {
    /// Deletes an object, or one version of it. "DeleteObject", S3 API reference.
    ///
    /// Without a version ID, a bucket with versioning keeps all versions and adds a delete marker
    /// as the current version. Most servers respond with success if the object does not exist.
    ///
    /// Where the response is lost and the next attempt fails, the object counts as deleted if it
    /// does not exist. A deletion with a condition is repeated only after a HEAD request has shown
    /// that the object is the one named, unless the server is known to respect the condition.
    ///
    /// ```
    /// use apus_core::s3::DeleteObject;
    ///
    /// let mut delete = DeleteObject::new("bucket", "key");
    /// // Without it a versioned bucket keeps the bytes, and gains a delete marker.
    /// delete.version_id = Some("3HL4kqtJvjVBH40Nrjfkd".into());
    /// ```
    pub struct DeleteObject on object {
        /// The version to delete permanently.
        pub version_id: Option<String>,
        /// The MFA device's serial number, a space, and the code that the device displays.
        pub mfa: Option<Secret>,
        /// Whether to bypass Object Lock retention of mode `GOVERNANCE`.
        pub bypass_governance_retention: Option<bool>,
        /// Only if the object has this ETag; `*`: only if the object exists.
        pub if_match: Option<ETag>,
        /// Only if the object was last modified at this time (directory buckets).
        pub if_match_last_modified_time: Option<Timestamp>,
        /// Only if the object has this size in bytes (directory buckets).
        pub if_match_size: Option<u64>,
    }
}

/// The response to [`DeleteObject`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteObjectOutput {
    /// Whether the request created or deleted a delete marker; `None` where the server does not
    /// say.
    pub delete_marker: Option<bool>,
    /// The version ID of the delete marker, or of the deleted version.
    pub version_id: Option<String>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

impl Operation for DeleteObject {
    // Repeating it is safe: a second attempt at most adds another delete marker.
    facts!(DeleteObject in bucket: Idempotent -> DeleteObjectOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let modified = self.if_match_last_modified_time.map(Timestamp::http_date);
        Request::object(service, Self::NAME, Method::DELETE, &self.bucket, &self.key)?
            .version(&self.version_id)
            .header_secret("x-amz-mfa", self.mfa.as_ref().map(Secret::expose))
            .header_flag("x-amz-bypass-governance-retention", self.bypass_governance_retention)
            .header("if-match", self.if_match.as_ref().map(ETag::as_str))
            .header("x-amz-if-match-last-modified-time", modified)
            .header_number("x-amz-if-match-size", self.if_match_size)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<DeleteObjectOutput, Error> {
        error::accepted(reply)?;
        let head = Headers(&reply.head.headers);
        Ok(DeleteObjectOutput {
            delete_marker: head.flag("x-amz-delete-marker"),
            version_id: head.text("x-amz-version-id"),
            request_charged: head.text("x-amz-request-charged"),
        })
    }

    fn recover(&self, service: &Service, doubt: &Doubt<'_>) -> Recovery<DeleteObjectOutput> {
        let any = self.if_match.as_ref().is_some_and(|tag| tag.opaque() == "*");
        let error = doubt.error;
        let absent = matches!(error.code(), Some("NoSuchKey" | "NoSuchVersion"))
            || error.is_bare_not_found()
            || any && error.is_precondition_failed();
        if absent {
            return Recovery::Done(DeleteObjectOutput::default());
        }
        let Some(look) = doubt.looks.last() else {
            let mut head = HeadObject::new(&self.bucket, &self.key);
            head.version_id.clone_from(&self.version_id);
            head.common.clone_from(&self.common);
            return head.look(service);
        };
        match look.status() {
            StatusCode::NOT_FOUND => Recovery::Done(DeleteObjectOutput::default()),
            status if status != StatusCode::OK => Recovery::Unknown,
            _ => {
                // The object is another than the one named, which was deleted or replaced.
                let there = ObjectHead::read(look);
                let named = self.if_match.as_ref().filter(|_| !any);
                let modified = self.if_match_last_modified_time;
                let is_named = named.is_none_or(|tag| there.etag.as_ref() == Some(tag))
                    && self.if_match_size.is_none_or(|size| there.size == Some(size))
                    && modified.is_none_or(|time| there.last_modified == Some(time));
                match is_named {
                    true => Recovery::NotDone,
                    false => Recovery::Unknown,
                }
            }
        }
    }

    fn looks_before_repeating(&self, service: &Service) -> bool {
        let conditional = self.if_match.is_some()
            || self.if_match_last_modified_time.is_some()
            || self.if_match_size.is_some();
        conditional && !service.config().quirks.conditional_delete
    }

    fn look_at(&self) -> String {
        format!("whether {}/{} exists", self.bucket, self.key)
    }
}

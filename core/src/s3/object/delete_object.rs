//! DeleteObject.

use http::StatusCode;

use crate::http::ETag;
use crate::s3::object::{HeadObject, ObjectHead};
use crate::s3::operation::*;
use crate::secret::Secret;

operation! {
    /// Removes an object, or one version of it. "DeleteObject", S3 API reference.
    ///
    /// Without a version id, a bucket with versioning keeps all versions and puts the mark of a deletion
    /// before them. An object that is not there is a success all the same, but on a few servers.
    ///
    /// Where the answer is lost and the repetition fails, an object that is not there any more counts as
    /// removed.
    pub struct DeleteObject on object {
        /// The version that is removed for good.
        pub version_id: Option<String>,
        /// The serial number of an authentication device, a space, and what it shows.
        pub mfa: Option<Secret>,
        /// Whether a lock of mode `GOVERNANCE` does not count.
        pub bypass_governance_retention: Option<bool>,
        /// Only if the object has this tag; `*`: only if it is there.
        pub if_match: Option<ETag>,
        /// Only if it was written then (directory buckets).
        pub if_match_last_modified_time: Option<Timestamp>,
        /// Only if it has so many bytes (directory buckets).
        pub if_match_size: Option<u64>,
    }
}

/// What DeleteObject answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteObjectOutput {
    /// Whether it was the mark of a deletion that was made, or removed; `None` where the server does
    /// not say.
    pub delete_marker: Option<bool>,
    /// The version of that mark, or the one that was removed.
    pub version_id: Option<String>,
    /// Whether the requester was charged.
    pub request_charged: Option<String>,
}

impl Operation for DeleteObject {
    // The object is gone after one as after two, of which the second may leave another mark.
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
            status if !status.is_success() => Recovery::Unknown,
            _ => {
                // Another object than the condition names: it was removed, or replaced, before.
                let there = ObjectHead::read(look).etag;
                let named = self.if_match.as_ref().filter(|_| !any);
                match named.is_none_or(|tag| there.as_ref() == Some(tag)) {
                    true => Recovery::NotDone,
                    false => Recovery::Unknown,
                }
            }
        }
    }

    fn look_at(&self) -> String {
        format!("whether {}/{} is there", self.bucket, self.key)
    }
}

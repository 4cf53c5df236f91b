//! The object that is read.

use http::header::HeaderValue;

use crate::s3::{ETag, GetObjectAttributesOutput, ObjectHead};

/// What is known of the object since the first head, and may not change any more.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) head: ObjectHead,
    pub(super) etag: Option<HeaderValue>,
    pub(super) size: Option<u64>,
}

impl Object {
    pub(super) fn new(head: ObjectHead) -> Self {
        let tag = head.etag.as_ref().filter(|tag| !tag.is_empty());
        let etag = tag.and_then(|tag| HeaderValue::from_str(tag.as_str()).ok());
        Self { etag, size: head.size, head }
    }

    /// The tag that `If-Match` is given. A weak one matches nothing there (RFC 9110, section
    /// 13.1.1).
    pub(super) fn if_match(&self) -> Option<ETag> {
        let etag = self.etag.as_ref()?.to_str().ok()?;
        (!etag.starts_with("W/")).then(|| ETag::from(etag))
    }

    /// Whether these are attributes of this object and not of one that was written since.
    pub(super) fn is_tagged(&self, attributes: &GetObjectAttributesOutput) -> bool {
        match (&self.head.etag, &attributes.etag) {
            (Some(had), Some(has)) => had == has,
            _ => true,
        }
    }
}

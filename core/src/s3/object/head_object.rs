//! HeadObject.

use http::StatusCode;

use crate::contract::Proof;
use crate::http::is_object;
use crate::s3::commit_check::Evidence;
use crate::s3::object::{ObjectHead, ResponseOverrides, Stored};
use crate::s3::operation::*;
use crate::s3::types::{ByteRange, Conditions, CustomerKey};

operation! {
    /// Retrieves an object's metadata without its body. "HeadObject", S3 API reference.
    ///
    /// The response to a HEAD request has no error document: for an object that does not exist it
    /// is a 404 without a code, or a 403 without a code if the caller may not list the bucket.
    ///
    /// ```
    /// use apus_core::s3::HeadObject;
    ///
    /// let mut head = HeadObject::new("bucket", "key");
    /// // The response has the object's checksum, where the server stored one.
    /// head.checksum_mode = true;
    /// ```
    pub struct HeadObject on object {
        /// The version ID; `None` selects the current version.
        pub version_id: Option<String>,
        /// Selects one part of a multipart object by its number, from 1.
        pub part_number: Option<u32>,
        /// The `Range` header of the request.
        pub range: Option<ByteRange>,
        /// Preconditions of the request.
        pub conditions: Conditions,
        /// Response headers that override the stored ones.
        pub response: ResponseOverrides,
        /// The key that the object is encrypted with (SSE-C).
        pub customer_key: Option<CustomerKey>,
        /// Whether to request the object's checksum. Ignored where `response_checksum_validation`
        /// is `never`.
        pub checksum_mode: bool,
    }
}

impl HeadObject {
    /// Returns a HEAD request, with checksums, that finds out whether a write was applied.
    pub(in crate::s3) fn look<T>(mut self, service: &Service) -> Recovery<T> {
        self.checksum_mode = true;
        self.draft(service).map_or(Recovery::Unknown, Recovery::Look)
    }
}

/// Returns what this response to [`HeadObject::look`] proves about a write described by `evidence`.
pub(in crate::s3) fn proven(
    service: &Service,
    look: &Reply,
    evidence: &Evidence<'_>,
) -> Recovery<Stored> {
    if look.status() == StatusCode::NOT_FOUND {
        return Recovery::NotDone;
    }
    if look.status() != StatusCode::OK {
        return Recovery::Unknown;
    }
    let head = ObjectHead::read(look);
    match evidence.weigh(&head, &service.config().quirks) {
        Proof::Ours => Recovery::Done(head.into()),
        Proof::Another => Recovery::NotDone,
        Proof::Unknown => Recovery::Unknown,
    }
}

impl Operation for HeadObject {
    facts!(HeadObject in bucket: Read -> ObjectHead);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let asks = self.checksum_mode && service.config().checksum.validates(true);
        Request::object(service, Self::NAME, Method::HEAD, &self.bucket, &self.key)?
            .version(&self.version_id)
            .one_part(self.part_number)
            .as_stored()
            .header("range", self.range.as_ref().map(ByteRange::to_string))
            // A HEAD response has no body to validate, so the client's policy alone requests no
            // checksum.
            .header("x-amz-checksum-mode", asks.then_some("ENABLED"))
            .with(&self.response)
            .with(&self.conditions)
            .with(&self.customer_key)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ObjectHead, Error> {
        error::success(reply)?;
        is_object(&reply.head, None).map_err(|error| error::named(error, reply))?;
        Ok(ObjectHead::read(reply))
    }
}

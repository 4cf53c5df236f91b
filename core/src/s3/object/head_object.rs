//! HeadObject.

use http::StatusCode;

use crate::contract::Proof;
use crate::s3::evidence::Evidence;
use crate::s3::object::{ObjectHead, ResponseOverrides, Stored};
use crate::s3::operation::*;
use crate::s3::types::{ByteRange, Conditions, CustomerKey};

operation! {
    /// What the server knows of an object. "HeadObject", S3 API reference.
    ///
    /// The answer to a HEAD has no error document: an absent object is a bare 404, or a bare 403 where
    /// the caller may not list the bucket.
    pub struct HeadObject on object {
        /// A version other than the newest.
        pub version_id: Option<String>,
        /// Only this part of a multipart object, counted from 1.
        pub part_number: Option<u32>,
        /// Only these bytes.
        pub range: Option<ByteRange>,
        /// On what condition.
        pub conditions: Conditions,
        /// Headers that the answer is to have instead of the stored ones.
        pub response: ResponseOverrides,
        /// The key the object was encrypted with (SSE-C).
        pub customer_key: Option<CustomerKey>,
        /// Whether the object's checksum is asked for, in every mode but `never`.
        pub checksum_mode: bool,
    }
}

impl HeadObject {
    /// A look at the object, and at its checksum, that is to find out what came of a write.
    pub(in crate::s3) fn look<T>(mut self, service: &Service) -> Recovery<T> {
        self.checksum_mode = true;
        self.draft(service).map_or(Recovery::Unknown, Recovery::Look)
    }
}

/// What this answer to [`HeadObject::look`] proves of an object that was to be like `evidence`.
pub(in crate::s3) fn proven(
    service: &Service,
    look: &Reply,
    evidence: &Evidence<'_>,
) -> Recovery<Stored> {
    if look.status() == StatusCode::NOT_FOUND {
        return Recovery::NotDone;
    }
    if !look.status().is_success() {
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
            // A HEAD has no body to check, so the client's policy does not ask by itself.
            .header("x-amz-checksum-mode", asks.then_some("ENABLED"))
            .with(&self.response)
            .with(&self.conditions)
            .with(&self.customer_key)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ObjectHead, Error> {
        error::success(reply)?;
        Ok(ObjectHead::read(reply))
    }
}

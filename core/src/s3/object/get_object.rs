//! GetObject.

use bytes::Bytes;
use http::StatusCode;

use crate::checksum::{Declared, NotValidatedReason, Type, Validation};
use crate::http::{Coding, is_object, settle};
use crate::s3::object::{HeadObject, ObjectHead, ResponseOverrides};
use crate::s3::operation::*;
use crate::s3::types::{ByteRange, Conditions, CustomerKey};

operation! {
    /// Retrieves an object. "GetObject", S3 API reference.
    ///
    /// The body is collected in memory, up to a [limit](Self::collect_limit), and validated there.
    /// [`Download`](crate::task::s3::Download) streams objects of any size, and resumes after a lost
    /// connection.
    ///
    /// ```
    /// use apus_core::http::ByteRange;
    /// use apus_core::s3::GetObject;
    ///
    /// let mut get = GetObject::new("bucket", "key");
    /// // The end is exclusive: `Range: bytes=0-1023`.
    /// get.range = Some(ByteRange::Span(0..1024));
    /// ```
    pub struct GetObject on object {
        /// The version ID; `None` selects the current version.
        pub version_id: Option<String>,
        /// Selects one part of a multipart object by its number, from 1.
        pub part_number: Option<u32>,
        /// The range of bytes to return.
        pub range: Option<ByteRange>,
        /// Preconditions of the request.
        pub conditions: Conditions,
        /// Response headers that override the stored ones.
        pub response: ResponseOverrides,
        /// The key that the object is encrypted with (SSE-C).
        pub customer_key: Option<CustomerKey>,
        /// Whether to request the object's checksum and validate the body by it, where
        /// `response_checksum_validation` is `when_required`.
        pub checksum_mode: bool,
        /// Per-call checksum overrides; only [`ChecksumOptions::overrides`] applies.
        pub checksum: ChecksumOptions,
        /// The maximum size in bytes of the collected body; by default
        /// [`Config::collect_limit`](crate::s3::Config::collect_limit).
        pub collect_limit: Option<usize>,
    }
}

/// The response to [`GetObject`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GetObjectOutput {
    /// The object's metadata, from the response headers.
    pub head: ObjectHead,
    /// The body, where it was collected in memory.
    pub body: Bytes,
    /// Whether the body was validated by a checksum.
    pub validation: Validation,
}

impl Operation for GetObject {
    facts!(GetObject in bucket: Read -> GetObjectOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::GET, &self.bucket, &self.key)?
            .version(&self.version_id)
            .one_part(self.part_number)
            .as_stored()
            .header("range", self.range.as_ref().map(ByteRange::to_string))
            .with(&self.response)
            .with(&self.conditions)
            .with(&self.customer_key)
            .with(&self.common)
            .checksum_mode(&self.checksum, self.checksum_mode)
            .collect(self.collect_limit)
            .finish()
    }

    fn parse(&self, service: &Service, reply: &Reply) -> Result<GetObjectOutput, Error> {
        self.parse_boxed(service, reply).map(|output| *output)
    }

    fn parse_boxed(&self, service: &Service, reply: &Reply) -> Result<Box<GetObjectOutput>, Error> {
        error::success(reply)?;
        is_object(&reply.head, self.part_number).map_err(|error| error::named(error, reply))?;
        if self.response.content_encoding.is_none() {
            let touched = Coding::untouched(&reply.head.headers);
            touched.map_err(|error| error::named(error.with_status(reply.status()), reply))?;
        }
        let policy = service.config().checksum.with(&self.checksum.overrides);
        let mut output = Box::write(
            Box::new_uninit(),
            GetObjectOutput {
                head: ObjectHead::default(),
                body: reply.body.clone(),
                validation: Validation::NotValidated(NotValidatedReason::NotAsked),
            },
        );
        output.head.fill(reply);
        output.validation = validation(&output.head, reply, policy.validates(self.checksum_mode))?;
        Ok(output)
    }

    /// Returns a HEAD request where nothing else proves that the body is complete and as stored:
    /// the body has no length and ended when the connection was closed, or it has a content coding
    /// that a gateway may have added.
    fn question(
        &self,
        service: &Service,
        reply: &Reply,
        output: &GetObjectOutput,
    ) -> Result<Option<Box<Draft>>, Error> {
        let coded = self.response.content_encoding.is_none();
        let coded = coded && Coding::of(&reply.head.headers).is_some();
        if !(reply.until_close || coded) || output.validation.is_validated() {
            return Ok(None);
        }
        let head = HeadObject {
            version_id: self.version_id.clone(),
            part_number: self.part_number,
            customer_key: self.customer_key.clone(),
            common: self.common.clone(),
            ..HeadObject::new(&self.bucket, &self.key)
        };
        head.draft(service).map(Some)
    }

    fn settle(&self, first: &Reply, told: &Reply) -> Result<(), Error> {
        error::success(told).or_else(error::passing)?;
        let coded = self.response.content_encoding.is_none();
        settle(first, told, self.range.is_none(), coded).map_err(|error| error::named(error, first))
    }
}

/// Validates a collected body by the checksum in the response headers.
pub(super) fn validation(
    head: &ObjectHead,
    reply: &Reply,
    wanted: bool,
) -> Result<Validation, Error> {
    if !wanted {
        let asked = if head.checksums.is_empty() {
            NotValidatedReason::NotAsked
        } else {
            NotValidatedReason::Unasked
        };
        return Ok(Validation::NotValidated(asked));
    }
    let Some(declared) = Declared::in_headers(&reply.head.headers)? else {
        return Ok(Validation::NotValidated(NotValidatedReason::Absent));
    };
    let value = match declared {
        // Some servers leave out the number of parts.
        Declared::FullObject(value) if !head.is_composite() => value,
        _ => return Ok(Validation::NotValidated(NotValidatedReason::Composite)),
    };
    // A range may be one part, with the checksum of the part or of all parts.
    let is_full = head.checksum_type == Some(Type::FullObject) && head.content_length == head.size;
    if (head.content_range.is_some() || reply.status() == StatusCode::PARTIAL_CONTENT) && !is_full {
        return Ok(Validation::NotValidated(NotValidatedReason::Partial));
    }
    let computed = value.algorithm().digest(&reply.body)?;
    if computed == value {
        return Ok(Validation::Validated(value.algorithm()));
    }
    Err(Error::integrity(format!(
        "the {} of the body is {}, but the server declares {}",
        value.algorithm(),
        computed.base64(),
        value.base64()
    ))
    .with_status(reply.status()))
}

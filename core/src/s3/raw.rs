//! The way out for what is not modelled here.

use std::fmt;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode};

use crate::checksum::Need;
use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Body, Draft, Reply};
use crate::retry::Idempotency;
use crate::s3::{
    error,
    request::{ChecksumOptions, Request},
    service::Service,
};

/// Any operation: built, signed, sent and repeated as the others are, and read by the caller.
///
/// ```
/// use apus_core::s3::Raw;
/// use http::Method;
///
/// let mut acl = Raw::new(Method::GET).bucket("photos").key("2026/cat.jpg");
/// acl.query.push(("acl".to_owned(), None));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Raw {
    /// The method.
    pub method: Method,
    /// The bucket: its name, or the ARN or alias of an access point; none for requests on the
    /// service.
    pub bucket: Option<String>,
    /// The key; none for requests on the bucket.
    pub key: Option<String>,
    /// Names and values of the query, not encoded; a name without a value is the mark of a
    /// sub-resource.
    pub query: Vec<(String, Option<String>)>,
    /// Headers. Those of signature, host and length are made when the request is sealed, and refused
    /// here.
    pub headers: HeaderMap,
    /// What is sent.
    pub body: Body,
    /// Whether the operation insists on a checksum of its body, takes one, or knows none.
    pub need: Need,
    /// What this call wants otherwise about that checksum.
    pub checksum: ChecksumOptions,
    /// How it may be repeated.
    pub idempotency: Idempotency,
}

impl Raw {
    /// A request on the service, without a body. It may be repeated as its method says: GET and
    /// HEAD always, PUT and DELETE as idempotent, others only where the first surely did nothing.
    pub fn new(method: Method) -> Self {
        let idempotency = if method.is_safe() {
            Idempotency::Read
        } else if method.is_idempotent() {
            Idempotency::Idempotent
        } else {
            Idempotency::Once
        };
        Self {
            method,
            bucket: None,
            key: None,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Body::Empty,
            need: Need::None,
            checksum: ChecksumOptions::default(),
            idempotency,
        }
    }

    /// On this bucket.
    #[must_use]
    pub fn bucket(self, bucket: impl Into<String>) -> Self {
        Self { bucket: Some(bucket.into()), ..self }
    }

    /// On the object with this key.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }
}

impl fmt::Debug for Raw {
    /// Without the values of headers and query, of which any may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query: Vec<_> = self.query.iter().map(|(name, _)| name).collect();
        f.debug_struct("Raw")
            .field("method", &self.method)
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("query", &query)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("idempotency", &self.idempotency)
            .finish_non_exhaustive()
    }
}

/// An answer as it came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RawOutput {
    /// The status: a success.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Operation for Raw {
    type Service = Service;
    type Output = RawOutput;

    const NAME: &'static str = "Raw";
    const IDEMPOTENCY: Idempotency = Idempotency::Once;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let method = self.method.clone();
        let mut request = match (&self.bucket, &self.key) {
            (None, None) => Request::service(service, Self::NAME, method)?,
            (Some(bucket), None) => Request::bucket(service, Self::NAME, method, bucket)?,
            (Some(bucket), Some(key)) => Request::object(service, Self::NAME, method, bucket, key)?,
            (None, Some(_)) => return Err(Error::caller("there is a key and no bucket")),
        };
        for (name, value) in &self.query {
            match value {
                Some(value) => request.query(name, Some(value)),
                None => request.flag(name),
            };
        }
        for (name, value) in &self.headers {
            if SEALED.contains(name) {
                return Err(Error::caller(format!("the header {name} is not the caller's to set")));
            }
            request.plain_header(name, value);
        }
        match &self.body {
            Body::Empty => &mut request,
            Body::Bytes(bytes) => request.document(bytes.clone()),
            source @ Body::Source { .. } => request.object_body(source),
        }
        .checksum(self.need, &self.checksum)
        .finish()
        .map(|mut draft| {
            // Whether an answer of 206 is right depends on what was asked, which the caller knows.
            draft.takes_part = true;
            draft
        })
    }

    /// A status that is no success is an error, with the code and message of its document. A success
    /// is given as it came: some operations say 200 with an `Error` in the body, which is for the
    /// caller to look for. What was read and may be only a beginning is an error.
    fn parse(&self, _: &Service, reply: &Reply) -> Result<RawOutput, Error> {
        error::success(reply)?;
        if self.idempotency == Idempotency::Read {
            reply.proven().map_err(|error| error::named(error, reply))?;
        }
        Ok(RawOutput {
            status: reply.status(),
            headers: reply.head.headers.clone(),
            body: reply.body.clone(),
        })
    }

    fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    fn resource(&self) -> Option<&str> {
        self.bucket.as_deref()
    }
}

/// Headers that are made when the request is sealed.
const SEALED: [HeaderName; 7] = [
    AUTHORIZATION,
    CONTENT_LENGTH,
    HOST,
    TRANSFER_ENCODING,
    HeaderName::from_static("x-amz-content-sha256"),
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-security-token"),
];

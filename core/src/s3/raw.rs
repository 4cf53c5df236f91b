//! Operations without a type here.

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

/// Any operation. The request is built, signed, sent and repeated as for other operations; the
/// caller parses the response.
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
    /// The bucket name, or the ARN or alias of an access point; `None` for requests on the service.
    pub bucket: Option<String>,
    /// The object key; `None` for requests on the bucket.
    pub key: Option<String>,
    /// The query parameters, not percent-encoded; a name without a value selects a sub-resource.
    pub query: Vec<(String, Option<String>)>,
    /// The request headers. Those of the signature, the host and the length are set when the
    /// request is signed, and are an error here.
    pub headers: HeaderMap,
    /// The request body.
    pub body: Body,
    /// Whether the operation requires a checksum of its body, supports one, or has none.
    pub need: Need,
    /// Per-call checksum overrides.
    pub checksum: ChecksumOptions,
    /// How the request may be repeated.
    pub idempotency: Idempotency,
}

impl Raw {
    /// Creates a request on the service, without a body. The method determines how it may be
    /// repeated: GET and HEAD always, PUT and DELETE as idempotent, others only where the first
    /// attempt certainly had no effect.
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

    /// Sets the bucket.
    #[must_use]
    pub fn bucket(self, bucket: impl Into<String>) -> Self {
        Self { bucket: Some(bucket.into()), ..self }
    }

    /// Sets the object key.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }
}

impl fmt::Debug for Raw {
    /// Leaves out the values of headers and query parameters, because any may be secret.
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

/// The unparsed response to [`Raw`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RawOutput {
    /// The status, always 2xx.
    pub status: StatusCode,
    /// The response headers.
    pub headers: HeaderMap,
    /// The response body.
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
            (None, Some(_)) => {
                return Err(Error::invalid_input("a request with a key requires a bucket"));
            }
        };
        for (name, value) in &self.query {
            match value {
                Some(value) => request.query(name, Some(value)),
                None => request.flag(name),
            };
        }
        for (name, value) in &self.headers {
            if SEALED.contains(name) {
                return Err(Error::invalid_input(format!(
                    "header {name} is set by the client and can't be overridden"
                )));
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
            // Only the caller knows whether the request may have a response with the status 206.
            draft.takes_part = true;
            draft
        })
    }

    /// Returns a 2xx response unparsed; another status is an error with the code and message of the
    /// error document. Some operations respond with 200 and an `Error` in the body, which the
    /// caller must check. A response to a read whose body may be incomplete is an error.
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

/// Headers that are set when the request is signed.
const SEALED: [HeaderName; 7] = [
    AUTHORIZATION,
    CONTENT_LENGTH,
    HOST,
    TRANSFER_ENCODING,
    HeaderName::from_static("x-amz-content-sha256"),
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-security-token"),
];

//! What all operations share: path, query, headers, body, checksums, signature plan.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HOST, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Uri};

use crate::checksum::{
    Algorithm, Decision, Declared, Need, Overrides, Placement, Policy, RequestChecksumCalculation,
    Value,
};
use crate::error::Error;
use crate::escape;
use crate::http::{
    Body, Draft, Encoding, Framing, Incoming, Payload, Sealing, Stamp, header_value,
};
use crate::s3::config::PayloadSigning;
use crate::s3::endpoint::Endpoint;
use crate::s3::service::Service;
use crate::s3::types::Metadata;
use crate::xml::Writer;

/// What one call wants otherwise than its client about the checksum of its request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChecksumOptions {
    /// A checksum of this algorithm is sent in every mode but `never`.
    pub algorithm: Option<Algorithm>,
    /// Checksums that the caller has already: sent as they are in every mode but `never`, and nothing
    /// is computed.
    pub values: Vec<Value>,
    /// The MD5 of the body in base64, for `Content-MD5`.
    pub content_md5: Option<String>,
    /// Digests that are computed over the body and not sent: the completion tells them.
    pub digests: Vec<Algorithm>,
    /// Settings of the client's policy that this call has its own of.
    pub overrides: Overrides,
}

impl ChecksumOptions {
    /// Asks for a checksum of this algorithm.
    pub fn algorithm(algorithm: Algorithm) -> Self {
        Self { algorithm: Some(algorithm), ..Self::default() }
    }
}

/// Members that several operations share, and that add to a request together.
pub(super) trait Members {
    /// The request with these members.
    fn apply<'a>(&self, request: Request<'a>) -> Request<'a>;
}

impl<T: Members> Members for Option<T> {
    fn apply<'a>(&self, request: Request<'a>) -> Request<'a> {
        match self {
            Some(members) => members.apply(request),
            None => request,
        }
    }
}

/// Builds the draft of one operation. The first thing that is wrong is the error of
/// [`finish`](Self::finish).
#[derive(Debug)]
pub(super) struct Request<'a> {
    service: &'a Service,
    draft: Draft,
    endpoint: Endpoint,
    target: String,
    has_query: bool,
    policy: Policy,
    streaming: bool,
    error: Option<Error>,
}

impl<'a> Request<'a> {
    /// A request on the service itself: ListBuckets.
    pub(super) fn service(
        service: &'a Service,
        operation: &'static str,
        method: Method,
    ) -> Result<Self, Error> {
        let endpoint = service.endpoint(None)?;
        Ok(Self::at(service, operation, method, endpoint, ""))
    }

    /// A request on a bucket.
    pub(super) fn bucket(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        bucket: &str,
    ) -> Result<Self, Error> {
        let endpoint = service.endpoint(Some(bucket))?;
        Ok(Self::at(service, operation, method, endpoint, ""))
    }

    /// A request on a bucket whose region may not be known: with its name in the path.
    pub(super) fn bucket_by_path(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        bucket: &str,
    ) -> Result<Self, Error> {
        let endpoint = service.endpoint_by_path(bucket)?;
        Ok(Self::at(service, operation, method, endpoint, ""))
    }

    /// A request on an object.
    pub(super) fn object(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        bucket: &str,
        key: &str,
    ) -> Result<Self, Error> {
        if key.is_empty() {
            return Err(Error::caller("the key is empty"));
        }
        if key.len() > LONGEST_KEY {
            return Err(Error::caller(format!(
                "the key has {} bytes, and S3 takes {LONGEST_KEY}",
                key.len()
            )));
        }
        let endpoint = service.endpoint(Some(bucket))?;
        Ok(Self::at(service, operation, method, endpoint, key))
    }

    fn at(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        mut endpoint: Endpoint,
        key: &str,
    ) -> Self {
        let mut target = std::mem::take(&mut endpoint.base_path);
        target.reserve(key.len() + key.len() / 4 + 64);
        if !key.is_empty() || target.is_empty() {
            target.push('/');
        }
        escape::path_into(&mut target, key);
        let mut draft = Draft::new(operation, method, Uri::default());
        draft.limits = service.config().limits;
        draft.head.headers.reserve(10);
        draft.head.headers.insert(HOST, endpoint.host.clone());
        draft.sealing = Sealing::SigV4 {
            region: std::sync::Arc::clone(&endpoint.signing_region),
            service: endpoint.signing_name,
        };
        let policy = service.config().checksum;
        Self {
            service,
            draft,
            endpoint,
            target,
            has_query: false,
            policy,
            streaming: false,
            error: None,
        }
    }

    /// Members that are shared with other operations.
    pub(super) fn with(self, members: &impl Members) -> Self {
        members.apply(self)
    }

    /// `?name`, the mark of a sub-resource.
    pub(super) fn flag(mut self, name: &str) -> Self {
        self.separator();
        escape::query_into(&mut self.target, name);
        self
    }

    /// `name=value`, if there is a value.
    pub(super) fn query(mut self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        if let Some(value) = value {
            self.separator();
            escape::query_into(&mut self.target, name);
            self.target.push('=');
            escape::query_into(&mut self.target, value.as_ref());
        }
        self
    }

    /// `name=number`, if there is one.
    pub(super) fn query_number(mut self, name: &str, number: Option<impl Into<u64>>) -> Self {
        if let Some(number) = number {
            self.separator();
            // Writing to a string does not fail.
            let _ = write!(self.target, "{name}={}", number.into());
        }
        self
    }

    /// A header, if it has a value.
    pub(super) fn header(mut self, name: &'static str, value: Option<impl AsRef<str>>) -> Self {
        if let Some(value) = value {
            self.set(HeaderName::from_static(name), value.as_ref());
        }
        self
    }

    /// A header that is a number, if there is one.
    pub(super) fn header_number(self, name: &'static str, number: Option<u64>) -> Self {
        self.header(name, number.map(|number| number.to_string()))
    }

    /// A header that is `true` or `false`, if it is either.
    pub(super) fn header_flag(self, name: &'static str, value: Option<bool>) -> Self {
        self.header(name, value.map(|value| if value { "true" } else { "false" }))
    }

    /// A header with several values, or one of unknown name.
    pub(super) fn plain_header(mut self, name: &HeaderName, value: &HeaderValue) -> Self {
        self.draft.head.headers.append(name.clone(), value.clone());
        self
    }

    /// A part of a multipart upload: S3 numbers them from 1 to 10,000.
    pub(super) fn part(mut self, number: u32, upload_id: &str) -> Self {
        if !(1..=LAST_PART).contains(&number) {
            self.fail(Error::caller(format!("{number} is no part number: 1 to {LAST_PART} are")));
        }
        self.query_number("partNumber", Some(number)).query("uploadId", Some(upload_id))
    }

    /// The checksum that the object is to have, whole or composite.
    pub(super) fn declared(mut self, checksum: Option<&Declared>) -> Self {
        if let Some(checksum) = checksum {
            self.set(checksum.algorithm().header().clone(), &checksum.to_string());
        }
        self
    }

    /// The account id that must own the bucket.
    pub(super) fn expected_owner(self, owner: &Option<String>) -> Self {
        self.header("x-amz-expected-bucket-owner", owner.as_ref())
    }

    /// Asks for keys percent-encoded, unless the caller wants them `raw`: XML has no way to hold
    /// every character that a key may have.
    pub(super) fn encoding(self, raw: bool) -> Self {
        self.query("encoding-type", (!raw).then_some("url"))
    }

    /// A header with a secret value, marked so that no `Debug` shows it.
    pub(super) fn header_secret(mut self, name: &'static str, value: Option<&str>) -> Self {
        let Some(value) = value else { return self };
        let name = HeaderName::from_static(name);
        match header_value(&name, value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.draft.head.headers.insert(name, value);
            }
            Err(error) => self.fail(error),
        }
        self
    }

    /// `x-amz-meta-*`.
    pub(super) fn metadata(mut self, metadata: &Metadata) -> Self {
        for (name, value) in metadata {
            match HeaderName::try_from(format!("x-amz-meta-{name}")) {
                Ok(header) if value.is_ascii() => self.set(header, value),
                Ok(_) => self.fail(Error::caller(format!(
                    "the value of metadata `{name}` is not ASCII, which S3 does not keep"
                ))),
                Err(_) => self.fail(Error::caller(format!(
                    "`{}` can't be the name of metadata",
                    name.escape_debug()
                ))),
            }
        }
        self
    }

    /// The bytes of an object: what PutObject and UploadPart send.
    pub(super) fn object_body(mut self, body: &Body) -> Self {
        self.draft.body = body.clone();
        self.streaming = true;
        self
    }

    /// An XML document. It has no Content-Type: the SDKs send none, and one more header to sign is
    /// one more that a proxy can change.
    pub(super) fn xml(mut self, document: Writer) -> Self {
        match document.finish() {
            Ok(bytes) => self.draft.body = Body::Bytes(bytes),
            Err(error) => self.fail(error),
        }
        self
    }

    /// A document of another kind, such as a bucket's policy.
    pub(super) fn document(mut self, bytes: Bytes) -> Self {
        self.draft.body = Body::Bytes(bytes);
        self
    }

    /// Adds what the policy and the call want of checksums; the body must be set before.
    pub(super) fn checksum(mut self, need: Need, options: &ChecksumOptions) -> Self {
        self.policy = self.policy.with(&options.overrides);
        self.draft.digests.clone_from(&options.digests);
        // `never` also means those that the caller has: it is said of servers that refuse them.
        let never = self.policy.request_mode() == RequestChecksumCalculation::Never;
        let values = if never { &[] } else { options.values.as_slice() };
        for value in values {
            self.set(value.algorithm().header().clone(), &value.base64());
            if self.policy.sdk_algorithm_header {
                self.set(SDK_ALGORITHM, value.algorithm().name());
            }
        }
        // Content-MD5 stands for a checksum only where it is what the policy asks for.
        let by_md5 = options.content_md5.is_some()
            && self.policy.decide(need, options.algorithm, false) == Decision::ContentMd5;
        let supplied = !values.is_empty() || by_md5;
        if let Some(md5) = &options.content_md5 {
            self.set(CONTENT_MD5, md5);
        }
        match self.policy.decide(need, options.algorithm, supplied) {
            Decision::None => {}
            Decision::ContentMd5 => self.stamp(Algorithm::Md5, CONTENT_MD5),
            Decision::Flexible(algorithm) => {
                if self.policy.sdk_algorithm_header {
                    self.set(SDK_ALGORITHM, algorithm.name());
                }
                if self.in_trailer() {
                    self.trailer(algorithm);
                } else {
                    self.stamp(algorithm, algorithm.header().clone());
                }
            }
        }
        self
    }

    /// Asks for the object's checksum where the policy or the call wants it checked.
    pub(super) fn checksum_mode(mut self, options: &ChecksumOptions, asked: bool) -> Self {
        if self.policy.with(&options.overrides).validates(asked) {
            self.set(HeaderName::from_static("x-amz-checksum-mode"), "ENABLED");
        }
        self
    }

    /// What to do with the answer's body.
    pub(super) fn incoming(mut self, incoming: Incoming) -> Self {
        self.draft.incoming = incoming;
        self
    }

    /// The draft.
    ///
    /// # Errors
    ///
    /// The first member that was wrong.
    pub(super) fn finish(mut self) -> Result<Draft, Error> {
        self.plan_payload();
        if let Some(error) = self.error {
            return Err(error);
        }
        let target = PathAndQuery::from_maybe_shared(Bytes::from(self.target))
            .map_err(|error| Error::caller(format!("the request's path and query: {error}")))?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.endpoint.scheme);
        parts.authority = Some(self.endpoint.authority);
        parts.path_and_query = Some(target);
        self.draft.head.uri = Uri::from_parts(parts)
            .map_err(|error| Error::caller(format!("the request's URI: {error}")))?;
        Ok(self.draft)
    }

    fn in_trailer(&self) -> bool {
        if !self.streaming {
            return false;
        }
        match self.policy.placement {
            Placement::Trailer => true,
            Placement::Header | Placement::ContentMd5 => false,
            Placement::Auto => self.reads_once() && !self.spools() && self.trusts_trailers(),
        }
    }

    fn trailer(&mut self, algorithm: Algorithm) {
        let name = algorithm.header().clone();
        self.draft.head.headers.insert(
            HeaderName::from_static("x-amz-trailer"),
            HeaderValue::from_static(name_of(algorithm)),
        );
        let trailer = Stamp { algorithm, name, encoding: Encoding::Base64 };
        self.frame(Some(trailer));
    }

    fn frame(&mut self, trailer: Option<Stamp>) {
        let chunk_size = self.service.config().chunk_size;
        self.draft.framing = Some(Framing { chunk_size, trailer });
        let length = self.draft.body.len();
        self.draft
            .head
            .headers
            .insert(HeaderName::from_static("x-amz-decoded-content-length"), length.into());
        let config = self.service.config();
        if config.aws_chunked_content_encoding.unwrap_or(self.service.is_aws()) {
            let given = self.draft.head.headers.get(CONTENT_ENCODING);
            let coding = match given.and_then(|value| value.to_str().ok()) {
                Some(given) => format!("{given},aws-chunked"),
                None => "aws-chunked".to_owned(),
            };
            self.set(CONTENT_ENCODING, &coding);
        }
    }

    fn stamp(&mut self, algorithm: Algorithm, name: HeaderName) {
        self.draft.stamps.push(Stamp { algorithm, name, encoding: Encoding::Base64 });
    }

    /// Decides how the signature covers the body.
    fn plan_payload(&mut self) {
        if !self.streaming {
            return;
        }
        let covered = !self.draft.stamps.is_empty()
            || self.draft.framing.is_some()
            || self.draft.head.headers.contains_key(CONTENT_MD5)
            || self.has_checksum_header();
        let https = self.endpoint.scheme == http::uri::Scheme::HTTPS;
        let framed = self.draft.framing.is_some();
        self.draft.payload = match self.service.config().payload {
            PayloadSigning::Unsigned => Payload::Unsigned,
            PayloadSigning::Auto if https && covered && (framed || !self.draft.body.is_empty()) => {
                Payload::Unsigned
            }
            PayloadSigning::Auto | PayloadSigning::Signed => Payload::Hashed,
            PayloadSigning::Chunked => {
                if !framed {
                    self.frame(None);
                }
                Payload::Hashed
            }
        };
        let before = !self.draft.stamps.is_empty()
            || self.draft.payload == Payload::Hashed && self.draft.framing.is_none();
        if before && self.reads_once() && !self.spools() {
            self.fail(
                Error::caller(format!(
                    "a source of {} bytes that can be read only once has a checksum or digest that \
                     must be sent before it",
                    self.draft.body.len()
                ))
                .with_hint("use `Upload`, or checksum placement `trailer`, or payload `unsigned`"),
            );
        }
    }

    fn has_checksum_header(&self) -> bool {
        let headers = &self.draft.head.headers;
        Algorithm::ALL.iter().any(|algorithm| headers.contains_key(algorithm.header()))
    }

    fn reads_once(&self) -> bool {
        matches!(self.draft.body, Body::Source { rewindable: false, .. })
    }

    /// Whether a body that can be read only once is short enough to be held in memory.
    fn spools(&self) -> bool {
        self.draft.body.len() <= self.service.config().spool
    }

    fn trusts_trailers(&self) -> bool {
        self.service.config().verifies_trailers.unwrap_or(self.service.is_aws())
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        if let Err(error) = self.draft.header(name, value) {
            self.fail(error);
        }
    }

    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    fn separator(&mut self) {
        self.target.push(if std::mem::replace(&mut self.has_query, true) { '&' } else { '?' });
    }
}

fn name_of(algorithm: Algorithm) -> &'static str {
    algorithm.header().as_str()
}

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const SDK_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-sdk-checksum-algorithm");

const LAST_PART: u32 = 10_000;

/// Bytes of UTF-8.
const LONGEST_KEY: usize = 1024;

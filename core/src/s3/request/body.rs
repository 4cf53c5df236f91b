//! Request bodies: their checksums, their frames, and how the signature covers them.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderName, HeaderValue};
use http::uri::Scheme;

use crate::checksum::{
    Algorithm, Decision, Need, Overrides, Placement, RequestChecksumCalculation, Type, Value,
};
use crate::error::Error;
use crate::http::{Body, BodyChecksum, Encoding, Framing, Payload};
use crate::s3::config::PayloadSigning;
use crate::s3::negotiation::Refused;
use crate::s3::request::Request;
use crate::xml::Writer;

/// Per-call overrides of the request checksum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChecksumOptions {
    /// The algorithm of the checksum to send. Ignored where `request_checksum_calculation` is
    /// `never`.
    pub algorithm: Option<Algorithm>,
    /// Precomputed checksums to send instead of computing one. Ignored where
    /// `request_checksum_calculation` is `never`.
    pub values: Vec<Value>,
    /// The MD5 of the body in base64, for `Content-MD5`.
    pub content_md5: Option<String>,
    /// The digests to compute over the body without sending them; the completion has them.
    pub digests: Vec<Algorithm>,
    /// Whether to compute the MD5 of the body, to compare it with the object's ETag, if neither the
    /// signature covers the body nor a checksum that the server is known to compare. If the
    /// signature does, its SHA-256 is among the computed values.
    pub md5_if_uncovered: bool,
    /// Overrides of the client's checksum policy.
    pub overrides: Overrides,
}

impl ChecksumOptions {
    /// Creates options that send a checksum of this algorithm.
    pub fn algorithm(algorithm: Algorithm) -> Self {
        Self { algorithm: Some(algorithm), ..Self::default() }
    }
}

impl Request<'_> {
    /// Sets the bytes of an object as the body: for PutObject and UploadPart.
    pub(in crate::s3) fn object_body(&mut self, body: &Body) -> &mut Self {
        self.draft().body = body.clone();
        self.plan.streaming = true;
        self
    }

    /// Sets an XML document as the body. It has no Content-Type: the SDKs send none, and a proxy
    /// could change the header and break the signature.
    pub(in crate::s3) fn xml(&mut self, document: Writer) -> &mut Self {
        match document.finish() {
            Ok(bytes) => self.draft().body = Body::Bytes(bytes),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Sets another document as the body, such as a bucket's policy.
    pub(in crate::s3) fn document(&mut self, bytes: Bytes) -> &mut Self {
        self.draft().body = Body::Bytes(bytes);
        self
    }

    /// Adds the checksums by the policy and the call's options; the body must be set before.
    pub(in crate::s3) fn checksum(&mut self, need: Need, options: &ChecksumOptions) -> &mut Self {
        self.plan.policy = self.plan.policy.with(&options.overrides);
        self.take_supported();
        self.draft().digests.clone_from(&options.digests);
        self.plan.md5_if_uncovered = options.md5_if_uncovered;
        // `never` also applies to precomputed checksums: it is for servers that reject checksums.
        let never = self.plan.policy.request_mode() == RequestChecksumCalculation::Never;
        let values = if never { &[] } else { options.values.as_slice() };
        for value in values {
            self.set(value.algorithm().header().clone(), &value.base64());
            self.name_algorithm(value.algorithm());
        }
        // Content-MD5 replaces a checksum only where the policy asks for it.
        let by_md5 = options.content_md5.is_some()
            && self.plan.policy.decide(need, options.algorithm, false) == Decision::ContentMd5;
        let supplied = !values.is_empty() || by_md5;
        if let Some(md5) = &options.content_md5 {
            self.set(CONTENT_MD5, md5);
        }
        let md5 = self.plan.policy.placement == Placement::Auto
            && options.algorithm.is_none()
            && self.takes_md5(need);
        match self.plan.policy.decide(need, options.algorithm, supplied) {
            Decision::None if !supplied && !never && self.needs_digest() => {
                // Every server takes it, for a part too, whatever its upload announced.
                match Algorithm::Md5.is_available() {
                    true => self.stamp(Algorithm::Md5, CONTENT_MD5),
                    false => self.flexible(self.plan.policy.algorithm),
                }
            }
            Decision::None => {}
            Decision::Flexible(_) if md5 => self.stamp(Algorithm::Md5, CONTENT_MD5),
            Decision::ContentMd5 => self.stamp(Algorithm::Md5, CONTENT_MD5),
            Decision::Flexible(algorithm) => self.flexible(algorithm),
        }
        self
    }

    /// Replaces the default algorithm by one that the provider is known to take.
    fn take_supported(&mut self) {
        let quirks = &self.service.config().quirks;
        let taken = match self.draft().operation {
            "UploadPart" => quirks.part_checksums,
            _ => quirks.checksums,
        };
        self.plan.policy.algorithm = self.plan.policy.algorithm_among(taken);
    }

    /// Adds the checksum of this algorithm, in a header or a trailer.
    fn flexible(&mut self, algorithm: Algorithm) {
        self.name_algorithm(algorithm);
        if self.in_trailer() {
            self.trailer(algorithm);
        } else {
            self.stamp(algorithm, algorithm.header().clone());
        }
    }

    /// Whether `Content-MD5` is sent where the policy leaves the choice.
    fn takes_md5(&mut self, need: Need) -> bool {
        let quirks = &self.service.config().quirks;
        let required = need == Need::Required;
        // Every server takes it; whether an unknown one takes another digest is not known.
        let preferred = required
            && quirks.content_md5_preferred
            && self.plan.policy.request_mode() == RequestChecksumCalculation::WhenRequired
            && self.plan.policy.algorithm == Algorithm::default()
            && Algorithm::Md5.is_available();
        quirks.checksums.is_empty()
            || quirks.part_checksums.is_empty() && self.draft().operation == "UploadPart"
            || required && quirks.content_md5_required
            || preferred
            || self.service.negotiated().replaces_checksum(required)
    }

    /// Whether the bytes of an object need a digest whatever the policy says: the object gets a lock
    /// ("Uploading objects to an Object Lock enabled bucket", Amazon S3 User Guide), or the server
    /// refused others in this bucket without one.
    fn needs_digest(&mut self) -> bool {
        self.plan.streaming
            && (self.is_locked() || self.service.negotiated().needs_digest(&self.plan.bucket))
    }

    /// Remembers that the parts of an upload with a lock need a digest.
    pub(in crate::s3) fn parts_of_locked(&mut self) -> &mut Self {
        if self.is_locked() {
            self.service.negotiated().remember(Refused::MissingDigest, &self.plan.bucket);
        }
        self
    }

    fn is_locked(&mut self) -> bool {
        let needs = self.service.config().quirks.locks_need_digest;
        let headers = &self.draft().head.headers;
        needs && headers.keys().any(|name| name.as_str().starts_with("x-amz-object-lock-"))
    }

    /// Sets the algorithm and type of the object's checksum; nothing where
    /// `request_checksum_calculation` is `never`.
    pub(in crate::s3) fn announce(
        &mut self,
        overrides: &Overrides,
        algorithm: Option<Algorithm>,
        over: Option<Type>,
    ) -> &mut Self {
        self.plan.policy = self.plan.policy.with(overrides);
        if self.plan.policy.request_mode() == RequestChecksumCalculation::Never {
            return self;
        }
        self.header("x-amz-checksum-algorithm", algorithm.map(Algorithm::name))
            .header("x-amz-checksum-type", over.map(Type::name))
    }

    /// Requests the object's checksum where the policy or the call validates it.
    pub(in crate::s3) fn checksum_mode(
        &mut self,
        options: &ChecksumOptions,
        asked: bool,
    ) -> &mut Self {
        if self.service.asks_for_checksum(&options.overrides, asked) {
            self.set(HeaderName::from_static("x-amz-checksum-mode"), "ENABLED");
        }
        self
    }

    /// Sets `x-amz-sdk-checksum-algorithm`: some servers require it with a checksum, some reject
    /// it.
    fn name_algorithm(&mut self, algorithm: Algorithm) {
        if self.plan.policy.sdk_algorithm_header
            && self.service.config().quirks.sdk_algorithm_header
            && !self.service.negotiated().refuses_algorithm_name()
        {
            let name = HeaderValue::from_static(algorithm.name());
            self.draft().head.headers.insert(SDK_ALGORITHM, name);
        }
    }

    fn in_trailer(&mut self) -> bool {
        if !self.plan.streaming {
            return false;
        }
        match self.plan.policy.placement {
            Placement::Trailer => true,
            Placement::Header | Placement::ContentMd5 => false,
            Placement::Auto => self.reads_once() && !self.spools() && self.trusts_trailers(),
        }
    }

    fn trailer(&mut self, algorithm: Algorithm) {
        let name = algorithm.header().clone();
        self.draft().head.headers.insert(
            HeaderName::from_static("x-amz-trailer"),
            HeaderValue::from_static(name_of(algorithm)),
        );
        let trailer = BodyChecksum { algorithm, name, encoding: Encoding::Base64 };
        self.frame(Some(trailer));
    }

    fn frame(&mut self, trailer: Option<BodyChecksum>) {
        let chunk_size = self.service.config().chunk_size;
        self.draft().framing = Some(Framing { chunk_size, trailer });
        let length = self.draft().body.len();
        let headers = &mut self.draft().head.headers;
        headers.insert(HeaderName::from_static("x-amz-decoded-content-length"), length.into());
        let config = self.service.config();
        let says_so = config.quirks.aws_chunked_content_encoding;
        if config.aws_chunked_content_encoding.unwrap_or(says_so) {
            let given = self.draft().head.headers.get(CONTENT_ENCODING);
            let coding = match given.and_then(|value| value.to_str().ok()) {
                Some(given) => format!("{given},aws-chunked"),
                None => "aws-chunked".to_owned(),
            };
            self.set(CONTENT_ENCODING, &coding);
        }
    }

    fn stamp(&mut self, algorithm: Algorithm, name: HeaderName) {
        let encoding = Encoding::Base64;
        self.draft().add_checksum(BodyChecksum { algorithm, name, encoding });
    }

    /// Decides how the signature covers the body.
    pub(super) fn plan_payload(&mut self) {
        if !self.plan.streaming {
            return;
        }
        let https = self.scheme() == Some(&Scheme::HTTPS);
        let length = self.draft().body.len();
        let framed = self.draft().framing.is_some();
        self.draft().payload = match self.service.config().payload {
            PayloadSigning::Unsigned => Payload::Unsigned,
            PayloadSigning::Auto if https && (framed || length > 0) && self.is_covered() => {
                Payload::Unsigned
            }
            PayloadSigning::Auto | PayloadSigning::Signed => Payload::Hashed,
            PayloadSigning::Chunked => {
                // Ceph rejects an aws-chunked body without payload.
                if !framed && length > 0 {
                    self.frame(None);
                }
                Payload::Hashed
            }
        };
        let compared = self.trusts_trailers();
        let asked = self.plan.md5_if_uncovered;
        let draft = self.draft();
        let in_trailer = draft.framing.as_ref().is_some_and(|framing| framing.trailer.is_some());
        // A server that compares checksums in trailers compares those in headers too.
        let covered = compared && (in_trailer || !draft.checksums.is_empty());
        draft.md5_if_unsigned = asked && !covered;
        let before = !draft.checksums.is_empty()
            || draft.payload == Payload::Hashed && draft.framing.is_none();
        if before && self.reads_once() && !self.spools() {
            self.fail(
                Error::invalid_input(format!(
                    "a source of {length} bytes can be read only once, but its checksum or digest \
                     must be sent before it"
                ))
                .with_hint("use `S3Upload`, checksum placement `trailer` or payload `unsigned`"),
            );
        }
    }

    /// Returns whether the request has a checksum or Content-MD5.
    fn is_covered(&mut self) -> bool {
        let is_checksum =
            |name: &HeaderName| *name == CONTENT_MD5 || Algorithm::of_header(name).is_some();
        let draft = self.draft();
        !draft.checksums.is_empty()
            || draft.framing.is_some()
            || draft.head.headers.keys().any(is_checksum)
    }

    fn reads_once(&mut self) -> bool {
        matches!(self.draft().body, Body::Source { rewindable: false, .. })
    }

    /// Returns whether the body is small enough to be buffered in memory.
    fn spools(&mut self) -> bool {
        self.draft().body.len() <= self.service.config().max_buffered_body
    }

    fn trusts_trailers(&self) -> bool {
        let config = self.service.config();
        config.verifies_trailers.unwrap_or(config.quirks.verifies_trailers)
    }
}

fn name_of(algorithm: Algorithm) -> &'static str {
    algorithm.header().as_str()
}

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const SDK_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-sdk-checksum-algorithm");

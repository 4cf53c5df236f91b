//! A sealed request, from sealing until the head of its response has arrived.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{Method, StatusCode, request, response};

use super::body_checksum::BodyChecksum;
use super::completion::Completion;
use super::draft::{Body, Draft, Framing, Payload};
use super::encoder::Encoder;
use super::frame;
use super::hedged::Hedged;
use super::receiving::Receiving;
use super::reply::Reply;
use super::sent::{Origin, Sent};
use super::timeouts::Timeouts;
use crate::checksum::{Algorithm, Digests, Hasher, Hashers, Value};
use crate::error::{Error, ExchangeError};
use crate::few::Few;
use crate::now::Now;
use crate::sign::{self, ChunkSigner, Signing};

/// A request sealed by an authenticator. A transport calls, in this order:
///
/// 1. if [`measures`](Self::measures) returns true, either [`load`](Self::load) with all bytes of
///    the range, or [`measure`](Self::measure) with each piece of it;
/// 2. [`request`](Self::request) for the head, which is signed now;
/// 3. [`encoder`](Self::encoder) for the frames around the pieces of the body;
/// 4. [`respond`](Self::respond) when a head has arrived, or [`fail`](Self::fail).
///
/// In a [`Box`], as its draft, since it is passed on by the pump and the transport.
#[derive(Debug)]
pub struct Exchange(Box<Sealed>);

#[derive(Debug)]
struct Sealed {
    draft: Box<Draft>,
    outgoing: Outgoing,
    signing: Option<Signing>,
    measuring: Option<Measuring>,
    chunks: Option<Box<ChunkSigner>>,
    sealed: bool,
    /// Created on first use: an exchange that is only signed needs none.
    sent: Option<Arc<Sent>>,
    computed: Few<Value>,
    origin: Origin,
}

/// The body to send.
#[derive(Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(Bytes),
    /// These bytes of the caller's source.
    Source {
        /// Positions in the source.
        range: Range<u64>,
    },
}

impl fmt::Debug for Outgoing {
    /// Shows only the number of the bytes in memory, as in [`Body`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Source { range } => write!(f, "Source({range:?})"),
        }
    }
}

impl Exchange {
    /// Seals without a signature: the draft is sent as it is.
    pub fn open(draft: Box<Draft>, now: Now, generation: u64) -> Self {
        Self::new(draft, now, generation, None)
    }

    /// Seals with a signature, which is computed on the first call of [`request`](Self::request).
    pub fn signed(draft: Box<Draft>, now: Now, generation: u64, signing: Signing) -> Self {
        Self::new(draft, now, generation, Some(signing))
    }

    fn new(mut draft: Box<Draft>, now: Now, generation: u64, signing: Option<Signing>) -> Self {
        let room = Box::new_uninit();
        let signed =
            signing.is_some() && draft.payload == Payload::Hashed && draft.framing.is_none();
        if draft.md5_if_unsigned && !signed && !draft.digests.contains(&Algorithm::Md5) {
            draft.digests.push(Algorithm::Md5);
        }
        let outgoing = match &draft.body {
            Body::Empty => Outgoing::Empty,
            Body::Bytes(bytes) => Outgoing::Bytes(bytes.clone()),
            Body::Source { range, .. } => Outgoing::Source { range: range.clone() },
        };
        let origin = Origin { at: now, generation, renewal: false, expecting: false };
        let sealed = Sealed {
            draft,
            outgoing,
            signing,
            measuring: None,
            chunks: None,
            sealed: false,
            sent: None,
            computed: Few::new(),
            origin,
        };
        Self(Box::write(room, sealed))
    }

    /// Whether the bytes of a source must be read once before the head can be signed, because the
    /// head contains a checksum or digest of them.
    pub fn measures(&self) -> bool {
        matches!(self.0.outgoing, Outgoing::Source { .. }) && !self.0.sealed && self.computes()
    }

    /// Returns the algorithms that are computed over the body before it is sent, each once.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let payload = self.hashes_payload() && !self.0.draft.body.is_empty();
        let mut algorithms: Vec<Algorithm> = Vec::new();
        for algorithm in self.0.draft.measured(payload) {
            if !algorithms.contains(&algorithm) {
                algorithms.push(algorithm);
            }
        }
        algorithms
    }

    /// Takes the next piece of the first pass over the source.
    ///
    /// # Errors
    ///
    /// An algorithm that is not compiled in, or more bytes than the range has.
    pub fn measure(&mut self, piece: &[u8]) -> Result<(), Error> {
        if self.0.measuring.is_none() {
            self.0.measuring = Some(Measuring::new(&self.0.draft, self.hashes_payload())?);
        }
        let measuring = self.0.measuring.get_or_insert_default();
        measuring.update(piece);
        if measuring.length > self.0.draft.body.len() {
            return Err(Error::invalid_input(
                "the source gave more bytes than the requested range",
            ));
        }
        Ok(())
    }

    /// Takes all bytes of the source's range, so that the source is read only once.
    ///
    /// # Errors
    ///
    /// The number of bytes differs from the length of the range.
    pub fn load(&mut self, bytes: Bytes) -> Result<(), Error> {
        let (have, want) = (bytes.len() as u64, self.0.draft.body.len());
        if have != want {
            return Err(Error::invalid_input(format!(
                "the source gave {have} bytes, but the requested range has {want}"
            )));
        }
        self.0.outgoing = Outgoing::Bytes(bytes);
        Ok(())
    }

    /// Adds a header that the transport sends with each request, unless the draft has one of this
    /// name. Call it before [`request`](Self::request).
    pub fn add_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.draft.head.headers.entry(name).or_insert(value);
    }

    /// Returns the complete head to send. It contains `content-length` for every method but GET and
    /// HEAD, even if it is zero. The first call computes the checksums and signs.
    ///
    /// # Errors
    ///
    /// A source that had to be measured was not, or not to its end; a header can't be signed. A
    /// draft that is not sent, but only hashed: [`reject`](Self::reject) then completes it.
    pub fn request(&mut self) -> Result<&request::Parts, Error> {
        if !self.0.sealed {
            self.seal().map_err(|error| error.in_operation(self.0.draft.operation))?;
            self.0.sealed = true;
        }
        if self.0.draft.only_hashes {
            return Err(Error::invalid_input("the body was to be hashed, and not sent"));
        }
        Ok(&self.0.draft.head)
    }

    /// Returns the body to send.
    pub fn outgoing(&self) -> &Outgoing {
        &self.0.outgoing
    }

    /// Returns the bytes of the body on the wire, including frames.
    pub fn content_length(&self) -> u64 {
        let length = self.0.draft.body.len();
        match &self.0.draft.framing {
            None => length,
            Some(framing) => {
                let trailer = framing.trailer.as_ref().map(BodyChecksum::line_length);
                let signed = self.signs_chunks();
                frame::framed_length(length, framing.chunk_size as u64, trailer, signed)
            }
        }
    }

    /// Returns the encoder of the body's frames. Call it after [`request`](Self::request).
    ///
    /// # Errors
    ///
    /// An algorithm that is not compiled in.
    pub fn encoder(&mut self) -> Result<Encoder, Error> {
        let trailer = self.0.draft.framing.as_ref().and_then(|framing| framing.trailer.clone());
        let trailer = trailer
            .map(|stamp| Hasher::new(stamp.algorithm).map(|hasher| Box::new((stamp, hasher))))
            .transpose()?;
        self.identity().counted.store(true, Ordering::Relaxed);
        Ok(Encoder {
            remaining: self.0.draft.body.len(),
            frame_size: self.0.draft.framing.as_ref().map(|framing| framing.chunk_size),
            trailer,
            chunks: self.0.chunks.take(),
            ended: false,
            sent: self.identity(),
        })
    }

    /// Records that the transport can't tell how much of the body was sent before a response
    /// arrived, because its HTTP client takes the body as a whole. A success is then accepted
    /// without proof that the whole body was sent; the HTTP client must guarantee it. Otherwise a
    /// success is accepted only if the [`encoder`](Self::encoder) was given the whole body; bytes
    /// in memory that need no frames may be sent without an encoder.
    pub fn sends_unseen(&mut self) {
        self.identity().unknown.store(true, Ordering::Relaxed);
    }

    /// Returns whether the head needs `Expect: 100-continue`: where the body is longer than `above`
    /// bytes, and the server is not known to ignore or refuse it. The transport then sends the body
    /// after `100 Continue`, or after a wait of about a second.
    pub fn expects(&mut self, above: Option<u64>) -> bool {
        self.0.origin.expecting = above.is_some_and(|above| self.content_length() > above)
            && self.0.draft.expectation.is_open();
        self.0.origin.expecting
    }

    /// Records that the server sent `100 Continue`.
    pub fn continued(&mut self) {
        self.0.origin.expecting = false;
        self.0.draft.expectation.keep();
    }

    /// Returns the timeouts of this exchange.
    pub fn timeouts(&self) -> &Timeouts {
        &self.0.draft.timeouts
    }

    /// Returns the service's own name of the operation.
    pub fn operation(&self) -> &'static str {
        self.0.draft.operation
    }

    /// Returns which of two requests for the same bytes this is. A transport cancels the exchange when
    /// it [is overtaken](Hedged::is_overtaken), and reports the head of its response to
    /// [`Machine::opened`](crate::contract::Machine::opened).
    pub fn hedged(&self) -> Option<&Hedged> {
        self.0.draft.hedged.as_ref()
    }

    /// Returns the draft of this exchange.
    pub fn draft(&self) -> &Draft {
        &self.0.draft
    }

    /// Continues with the head of the response, which has arrived.
    pub fn respond(self, head: response::Parts) -> Receiving {
        if self.0.origin.expecting {
            let sent = self.0.sent.as_ref().map_or(0, |sent| sent.bytes.load(Ordering::Relaxed));
            match head.status {
                StatusCode::EXPECTATION_FAILED => self.0.draft.expectation.refuse(),
                _ if sent > 0 => self.0.draft.expectation.miss(),
                _ => {}
            }
        }
        let Sealed { draft, sent, computed, origin, .. } = *self.0;
        Receiving::new(draft, head, sent, computed, origin)
    }

    /// Ends the exchange without a response.
    pub fn fail(self, why: ExchangeError) -> Completion {
        let uri = &self.0.draft.head.uri;
        let why = Error::from(why).at_host(uri.host(), uri.port_u16());
        self.end(Err(why))
    }

    /// Ends the exchange before anything was sent: the head or the body could not be created, or
    /// nothing was to be sent.
    pub fn reject(self, why: Error) -> Completion {
        let outcome = match self.0.draft.only_hashes && self.0.sealed {
            true => Ok(Reply::of_none()),
            false => Err(why),
        };
        self.end(outcome)
    }

    fn end(self, outcome: Result<Reply, Error>) -> Completion {
        let Sealed { draft, sent, computed, origin, .. } = *self.0;
        Completion::new(draft, outcome, sent, computed, origin)
    }

    pub(crate) fn into_renewal(mut self) -> Self {
        self.0.origin.renewal = true;
        self
    }

    pub(crate) fn is_renewal(&self) -> bool {
        self.0.origin.renewal
    }

    /// Returns the identity that this exchange shares with its completion and no other.
    pub(crate) fn identity(&mut self) -> Arc<Sent> {
        Arc::clone(self.0.sent.get_or_insert_default())
    }

    fn hashes_payload(&self) -> bool {
        self.0.signing.is_some()
            && self.0.draft.payload == Payload::Hashed
            && self.0.draft.framing.is_none()
    }

    /// Whether anything must be computed over the body before it is sent.
    fn computes(&self) -> bool {
        let draft = &self.0.draft;
        !draft.checksums.is_empty() || !draft.digests.is_empty() || self.hashes_payload()
    }

    fn signs_chunks(&self) -> bool {
        self.0.signing.is_some() && self.0.draft.payload == Payload::Hashed
    }

    fn seal(&mut self) -> Result<(), Error> {
        let measured = self.measured()?;
        for stamp in &self.0.draft.checksums {
            if let Some(value) = measured.value(stamp.algorithm) {
                self.0.draft.head.headers.insert(stamp.name.clone(), stamp.value(value));
            }
        }
        let signed = self.0.draft.md5_if_unsigned && self.hashes_payload();
        let computed = measured.iter().filter(|value| {
            let algorithm = value.algorithm();
            self.0.draft.tells(algorithm) || signed && algorithm == Algorithm::Sha256
        });
        self.0.computed.extend(computed.copied());
        // Not signed: a proxy may replace the length by chunks, or chunks by a length.
        let headers = &mut self.0.draft.head.headers;
        // Absent as a rule: to compare the names is faster than to hash this one.
        if headers.keys().any(|name| *name == CONTENT_LENGTH) {
            headers.remove(CONTENT_LENGTH);
        }
        self.sign(&measured)?;
        // Not signed: gateways change it. `identity`, since objects are read as they are stored.
        let headers = &mut self.0.draft.head.headers;
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        if may_have_body(&self.0.draft.head.method) || !self.0.draft.body.is_empty() {
            self.0.draft.head.headers.insert(CONTENT_LENGTH, decimal(self.content_length()));
        }
        Ok(())
    }

    fn sign(&mut self, measured: &Digests) -> Result<(), Error> {
        let Some(signing) = &self.0.signing else {
            if self.0.draft.framing.is_some() {
                // Nothing is signed, but the server must know that the body is framed.
                let framed = HeaderValue::from_static("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
                self.0.draft.head.headers.insert("x-amz-content-sha256", framed);
            }
            return Ok(());
        };
        let payload = match (&self.0.draft.framing, self.0.draft.payload) {
            (None, Payload::Unsigned) => sign::Payload::Unsigned,
            (None, Payload::Hashed) if self.0.draft.body.is_empty() => sign::Payload::Empty,
            (None, Payload::Hashed) => {
                let value = measured.value(Algorithm::Sha256).map(Value::bytes);
                match value.and_then(|bytes| bytes.try_into().ok()) {
                    Some(hash) => sign::Payload::Hash(hash),
                    None => {
                        return Err(Error::invalid_input(
                            "the checksum of the request body was not computed before the request \
                             was signed",
                        ));
                    }
                }
            }
            (Some(_), Payload::Unsigned) => sign::Payload::StreamingUnsignedTrailer,
            (Some(Framing { trailer: None, .. }), Payload::Hashed) => {
                sign::Payload::StreamingSigned
            }
            (Some(_), Payload::Hashed) => sign::Payload::StreamingSignedTrailer,
        };
        let head = &mut self.0.draft.head;
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let signature = signing.sign(&head.method, target, &mut head.headers, &payload)?;
        if self.0.draft.framing.is_some() && self.0.draft.payload == Payload::Hashed {
            self.0.chunks = Some(Box::new(signing.chunks(signature)));
        }
        Ok(())
    }

    /// Returns the values of the first pass over the body; those of bytes in memory are computed
    /// here.
    fn measured(&mut self) -> Result<Digests, Error> {
        if !self.computes() || self.0.draft.body.is_empty() && self.0.draft.checksums.is_empty() {
            return Ok(Digests::default());
        }
        let payload = self.hashes_payload() && !self.0.draft.body.is_empty();
        let (digests, have) = match (self.0.measuring.take(), &self.0.outgoing) {
            (None | Some(Measuring { length: 0, .. }), Outgoing::Bytes(bytes)) => {
                (Hashers::digest(self.0.draft.measured(payload), bytes)?, bytes.len() as u64)
            }
            (None, _) => (Hashers::digest(self.0.draft.measured(payload), &[])?, 0),
            (Some(measuring), _) => (measuring.hashers.finish(), measuring.length),
        };
        let want = self.0.draft.body.len();
        if have != want {
            return Err(Error::invalid_input(format!(
                "{have} bytes of the source were hashed, but the range has {want}"
            )));
        }
        Ok(digests)
    }
}

/// The first pass over a body.
#[derive(Debug, Default)]
struct Measuring {
    hashers: Hashers,
    length: u64,
}

impl Measuring {
    fn new(draft: &Draft, payload: bool) -> Result<Self, Error> {
        Ok(Self { hashers: Hashers::new(draft.measured(payload))?, length: 0 })
    }

    fn update(&mut self, piece: &[u8]) {
        self.hashers.update(piece);
        self.length += piece.len() as u64;
    }
}

impl Draft {
    /// Returns what is computed over the body before it is sent. Includes the SHA-256 of the
    /// `payload` if it is signed.
    fn measured(&self, payload: bool) -> impl Iterator<Item = Algorithm> + Clone {
        let checksums = self.checksums.iter().map(|stamp| stamp.algorithm);
        checksums.chain(self.digests.iter().copied()).chain(payload.then_some(Algorithm::Sha256))
    }

    /// Whether the completion returns the value of this algorithm.
    fn tells(&self, algorithm: Algorithm) -> bool {
        self.checksums.iter().any(|stamp| stamp.algorithm == algorithm)
            || self.digests.contains(&algorithm)
    }
}

/// Formats a number as a header value, without spare capacity.
fn decimal(mut number: u64) -> HeaderValue {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    HeaderValue::from_bytes(&digits[at..]).expect("digits are allowed in a header")
}

fn may_have_body(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

//! A sealed request, from the moment an authority let it go until its head has arrived.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderValue};
use http::{Method, request, response};
use sha2::{Digest, Sha256};

use super::completion::Completion;
use super::draft::{Body, Draft, Encoding, Framing, Limits, Payload, Sealing, Stamp};
use super::frame;
use super::receiving::Receiving;
use crate::checksum::{Algorithm, Digests, Hasher, Hashers, LONGEST_BASE64, Value};
use crate::error::{Error, Failure};
use crate::few::Few;
use crate::now::Now;
use crate::sign::{self, ChunkSigner, Signature, Signing};

/// A request that an authority has let go. Whoever sends it calls, in this order:
///
/// 1. where [`measures`](Self::measures) says so, either [`load`](Self::load) with all bytes of the
///    range, or [`measure`](Self::measure) with each piece of it;
/// 2. [`request`](Self::request) for the head, which is signed now;
/// 3. [`encoder`](Self::encoder) for what goes around the pieces of the body;
/// 4. [`respond`](Self::respond) when a head has arrived, or [`fail`](Self::fail).
#[derive(Debug)]
pub struct Exchange {
    draft: Box<Draft>,
    outgoing: Outgoing,
    signing: Option<Signing>,
    measuring: Option<Measuring>,
    chunks: Option<ChunkSigner>,
    sealed: bool,
    /// Made for the first who asks: who only signs needs none.
    sent: Option<Arc<Sent>>,
    stamped: Few<Value>,
    origin: Origin,
}

/// What a completion has to tell of how the exchange was sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// When it was sealed.
    pub(crate) at: Now,
    /// Under which grant of its authority.
    pub(crate) generation: u64,
    /// It renews the grant instead of using it.
    pub(crate) renewal: bool,
}

/// What is to be sent as the body.
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
    /// Of bytes in memory only their number, as in [`Body`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Source { range } => write!(f, "Source({range:?})"),
        }
    }
}

impl Exchange {
    /// Seals without a signature: what the draft holds is what is sent.
    pub fn open(draft: Box<Draft>, now: Now, generation: u64) -> Self {
        Self::new(draft, now, generation, None)
    }

    /// Seals with a signature, which is made when the head is asked for.
    pub fn signed(draft: Box<Draft>, now: Now, generation: u64, signing: Signing) -> Self {
        Self::new(draft, now, generation, Some(signing))
    }

    fn new(draft: Box<Draft>, now: Now, generation: u64, signing: Option<Signing>) -> Self {
        let outgoing = match &draft.body {
            Body::Empty => Outgoing::Empty,
            Body::Bytes(bytes) => Outgoing::Bytes(bytes.clone()),
            Body::Source { range, .. } => Outgoing::Source { range: range.clone() },
        };
        let origin = Origin { at: now, generation, renewal: false };
        Self {
            draft,
            outgoing,
            signing,
            measuring: None,
            chunks: None,
            sealed: false,
            sent: None,
            stamped: Few::new(),
            origin,
        }
    }

    /// Whether the bytes of a source must be read once before the head can be signed: a checksum
    /// or digest of them stands in it.
    pub fn measures(&self) -> bool {
        matches!(self.outgoing, Outgoing::Source { .. }) && !self.sealed && self.computes()
    }

    /// Takes the next piece of the first pass over the source.
    ///
    /// # Errors
    ///
    /// An algorithm that this build was made without, or more bytes than the range has.
    pub fn measure(&mut self, piece: &[u8]) -> Result<(), Error> {
        if self.measuring.is_none() {
            self.measuring = Some(Measuring::new(&self.draft, self.hashes_payload())?);
        }
        let measuring = self.measuring.get_or_insert_default();
        measuring.update(piece);
        if measuring.length > self.draft.body.len() {
            return Err(Error::caller("the source has more bytes than its range"));
        }
        Ok(())
    }

    /// Takes all bytes of the source's range, so that it is read only once.
    ///
    /// # Errors
    ///
    /// These are not as many bytes as the range has.
    pub fn load(&mut self, bytes: Bytes) -> Result<(), Error> {
        let (have, want) = (bytes.len() as u64, self.draft.body.len());
        if have != want {
            return Err(Error::caller(format!(
                "the source gave {have} bytes where its range has {want}"
            )));
        }
        self.outgoing = Outgoing::Bytes(bytes);
        Ok(())
    }

    /// The head to send, complete: `content-length` is there for every method but GET and HEAD,
    /// zero included. The first call computes what stands in it and signs.
    ///
    /// # Errors
    ///
    /// A source that had to be measured was not, or not to its end; a header can't be signed.
    pub fn request(&mut self) -> Result<&request::Parts, Error> {
        if !self.sealed {
            self.seal().map_err(|error| error.in_operation(self.draft.operation))?;
            self.sealed = true;
        }
        Ok(&self.draft.head)
    }

    /// What to send as the body.
    pub fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// Bytes of the body on the wire, framing included.
    pub fn content_length(&self) -> u64 {
        let length = self.draft.body.len();
        match &self.draft.framing {
            None => length,
            Some(framing) => {
                let trailer = framing.trailer.as_ref().map(trailer_length);
                let signed = self.signs_chunks();
                frame::framed_length(length, framing.chunk_size as u64, trailer, signed)
            }
        }
    }

    /// What goes around the pieces of the body. Ask for it after [`request`](Self::request).
    ///
    /// # Errors
    ///
    /// An algorithm that this build was made without.
    pub fn encoder(&mut self) -> Result<Encoder, Error> {
        let trailer = self.draft.framing.as_ref().and_then(|framing| framing.trailer.clone());
        let trailer = trailer
            .map(|stamp| Hasher::new(stamp.algorithm).map(|hasher| (stamp, hasher)))
            .transpose()?;
        self.identity().counted.store(true, Ordering::Relaxed);
        Ok(Encoder {
            remaining: self.draft.body.len(),
            frame_size: self.draft.framing.as_ref().map(|framing| framing.chunk_size),
            trailer,
            chunks: self.chunks.take(),
            ended: false,
            sent: self.identity(),
        })
    }

    /// Says that the transport can't tell how much of the body is sent before an answer comes: its HTTP
    /// client takes the body as a whole. A success then counts although nothing shows that all of the
    /// body left, and that it did is that client's promise. Without this, a success counts only when the
    /// [`encoder`](Self::encoder) was given all of the body; bytes in memory that need no frames may be
    /// handed over without one.
    pub fn sends_unseen(&mut self) {
        self.identity().unknown.store(true, Ordering::Relaxed);
    }

    /// Timeouts of this exchange.
    pub fn limits(&self) -> &Limits {
        &self.draft.limits
    }

    /// The operation's name, in the service's own words.
    pub fn operation(&self) -> &'static str {
        self.draft.operation
    }

    /// The draft that this was made of.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The head of the answer has arrived.
    pub fn respond(self, head: response::Parts) -> Receiving {
        Receiving::new(self.draft, head, self.sent, self.stamped, self.origin)
    }

    /// No head will arrive.
    pub fn fail(self, why: Failure) -> Completion {
        Completion::new(self.draft, Err(why.into()), self.sent, self.stamped, self.origin)
    }

    /// The head or the body could not be made: the exchange ends without having been sent.
    pub fn reject(self, why: Error) -> Completion {
        Completion::new(self.draft, Err(why), self.sent, self.stamped, self.origin)
    }

    pub(crate) fn into_renewal(mut self) -> Self {
        self.origin.renewal = true;
        self
    }

    pub(crate) fn is_renewal(&self) -> bool {
        self.origin.renewal
    }

    /// What its completion is known by, and that of no other exchange.
    pub(crate) fn identity(&mut self) -> Arc<Sent> {
        Arc::clone(self.sent.get_or_insert_default())
    }

    fn hashes_payload(&self) -> bool {
        self.signing.is_some()
            && self.draft.payload == Payload::Hashed
            && self.draft.framing.is_none()
    }

    /// Whether anything is computed over the body before it is sent.
    fn computes(&self) -> bool {
        let draft = &self.draft;
        !draft.stamps.is_empty() || !draft.digests.is_empty() || self.hashes_payload()
    }

    fn signs_chunks(&self) -> bool {
        self.signing.is_some() && self.draft.payload == Payload::Hashed
    }

    fn seal(&mut self) -> Result<(), Error> {
        let measured = self.measured()?;
        for stamp in &self.draft.stamps {
            if let Some(value) = measured.value(stamp.algorithm) {
                self.draft.head.headers.insert(stamp.name.clone(), stamp.value(value));
            }
        }
        let computed = measured.iter().filter(|value| self.draft.tells(value.algorithm()));
        self.stamped.extend(computed.copied());
        // Not signed: a proxy may turn a length into chunks, or the other way round.
        self.draft.head.headers.remove(CONTENT_LENGTH);
        self.sign(&measured)?;
        // Not signed: gateways change it. Objects are wanted as they are stored.
        let headers = &mut self.draft.head.headers;
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        if may_have_body(&self.draft.head.method) || !self.draft.body.is_empty() {
            self.draft.head.headers.insert(CONTENT_LENGTH, decimal(self.content_length()));
        }
        Ok(())
    }

    fn sign(&mut self, measured: &Digests) -> Result<(), Error> {
        let Some(signing) = &self.signing else {
            if self.draft.framing.is_some() {
                // Nothing is signed, but the server must know that the body is framed.
                let framed = HeaderValue::from_static("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
                self.draft.head.headers.insert("x-amz-content-sha256", framed);
            }
            return Ok(());
        };
        let payload = match (&self.draft.framing, self.draft.payload) {
            (None, Payload::Unsigned) => sign::Payload::Unsigned,
            (None, Payload::Hashed) if self.draft.body.is_empty() => sign::Payload::Empty,
            (None, Payload::Hashed) => {
                let value = measured.value(Algorithm::Sha256).map(Value::bytes);
                match value.and_then(|bytes| bytes.try_into().ok()) {
                    Some(hash) => sign::Payload::Hash(hash),
                    None => return Err(Error::caller("the source was not measured")),
                }
            }
            (Some(_), Payload::Unsigned) => sign::Payload::StreamingUnsignedTrailer,
            (Some(Framing { trailer: None, .. }), Payload::Hashed) => {
                sign::Payload::StreamingSigned
            }
            (Some(_), Payload::Hashed) => sign::Payload::StreamingSignedTrailer,
        };
        let head = &mut self.draft.head;
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let signature = signing.sign(&head.method, target, &mut head.headers, &payload)?;
        if self.draft.framing.is_some() && self.draft.payload == Payload::Hashed {
            self.chunks = Some(signing.chunks(signature));
        }
        Ok(())
    }

    /// The values of the first pass: made now for bytes in memory.
    fn measured(&mut self) -> Result<Digests, Error> {
        if !self.computes() || self.draft.body.is_empty() && self.draft.stamps.is_empty() {
            return Ok(Digests::default());
        }
        let payload = self.hashes_payload() && !self.draft.body.is_empty();
        let (digests, have) = match (self.measuring.take(), &self.outgoing) {
            (None | Some(Measuring { length: 0, .. }), Outgoing::Bytes(bytes)) => {
                (Hashers::digest(self.draft.measured(payload), bytes)?, bytes.len() as u64)
            }
            (None, _) => (Hashers::digest(self.draft.measured(payload), &[])?, 0),
            (Some(measuring), _) => (measuring.hashers.finish(), measuring.length),
        };
        let want = self.draft.body.len();
        if have != want {
            return Err(Error::caller(format!(
                "{have} bytes of the source were measured where its range has {want}"
            )));
        }
        Ok(digests)
    }
}

/// Frames the pieces of a body, and keeps count of what left.
#[derive(Debug)]
pub struct Encoder {
    remaining: u64,
    frame_size: Option<usize>,
    trailer: Option<(Stamp, Hasher)>,
    chunks: Option<ChunkSigner>,
    ended: bool,
    sent: Arc<Sent>,
}

/// What goes around one piece of the body on the wire. The piece itself is not copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Goes before the piece.
    pub before: Bytes,
    /// Goes after the piece.
    pub after: Bytes,
}

impl Encoder {
    /// How many bytes each piece must have, the last one excepted; `None` where any will do.
    pub fn frame_size(&self) -> Option<usize> {
        self.frame_size
    }

    /// Payload bytes that are still to come.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// What goes around this piece, which is sent next.
    ///
    /// # Errors
    ///
    /// More bytes than were announced, or a piece that is no whole frame.
    pub fn frame(&mut self, piece: &[u8]) -> Result<Frame, Error> {
        let length = piece.len() as u64;
        let Some(remaining) = self.remaining.checked_sub(length) else {
            return Err(Error::caller(format!(
                "the source has more than the {} bytes that were announced",
                self.sent.bytes.load(Ordering::Relaxed) + self.remaining
            )));
        };
        if let Some(size) = self.frame_size
            && piece.len() != size
            && remaining > 0
        {
            return Err(Error::caller(format!("a piece of {length} bytes is no frame of {size}")));
        }
        self.remaining = remaining;
        self.sent.bytes.fetch_add(length, Ordering::Relaxed);
        if self.frame_size.is_none() || piece.is_empty() {
            return Ok(Frame::default());
        }
        if let Some((_, hasher)) = &mut self.trailer {
            hasher.update(piece);
        }
        let signature =
            self.chunks.as_mut().map(|chunks| chunks.chunk(&Sha256::digest(piece).into()));
        let signature = signature.as_ref().map(Signature::as_str);
        let before = frame::chunk_line(piece.len(), signature);
        Ok(Frame { before: before.into(), after: Bytes::from_static(b"\r\n") })
    }

    /// What goes after the last piece: the final chunk and the trailers. Empty where nothing is
    /// framed.
    ///
    /// # Errors
    ///
    /// Fewer bytes came than were announced.
    pub fn end(&mut self) -> Result<Bytes, Error> {
        if self.remaining > 0 {
            return Err(Error::caller(format!(
                "the source ended {} bytes before its announced length",
                self.remaining
            )));
        }
        if self.frame_size.is_none() || std::mem::replace(&mut self.ended, true) {
            return Ok(Bytes::new());
        }
        let signature =
            self.chunks.as_mut().map(|chunks| chunks.chunk(&Sha256::digest(b"").into()));
        let mut out = frame::chunk_line(0, signature.as_ref().map(Signature::as_str));
        if let Some((stamp, hasher)) = self.trailer.take() {
            let value = hasher.finish();
            let text = stamp.encoding.write(&value);
            out.push_str(&format!("{}:{text}\r\n", stamp.name));
            if let Some(chunks) = &mut self.chunks {
                let signature = chunks.trailer(&[(stamp.name.as_str(), &text)]);
                out.push_str(&format!("x-amz-trailer-signature:{}\r\n", signature.as_str()));
            }
            // Said once: `take` above leaves no second hasher to finish.
            let _ = self.sent.trailer.set(value);
        }
        out.push_str("\r\n");
        self.sent.closed.store(true, Ordering::Relaxed);
        Ok(out.into())
    }
}

/// What an encoder, which a transport may drop at any time, tells the exchange.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Payload bytes that left.
    pub(crate) bytes: AtomicU64,
    /// The frame after the last of them left too, where there are frames.
    closed: AtomicBool,
    /// What leaves is counted here, for the transport took the encoder.
    counted: AtomicBool,
    /// The transport can't tell what left.
    unknown: AtomicBool,
    /// The value that went out in the trailer.
    pub(crate) trailer: OnceLock<Value>,
}

impl Sent {
    /// Whether anything is counted.
    pub(crate) fn is_counted(&self) -> bool {
        self.counted.load(Ordering::Relaxed)
    }

    /// Whether all of a body of this length left, as far as can be told.
    pub(crate) fn is_whole(&self, length: u64, framed: bool) -> bool {
        let all = self.bytes.load(Ordering::Relaxed) >= length;
        self.unknown.load(Ordering::Relaxed)
            || all && (!framed || self.closed.load(Ordering::Relaxed))
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
    /// What is computed over the body before it is sent; the SHA-256 of the `payload` too, where it
    /// is signed.
    fn measured(&self, payload: bool) -> impl Iterator<Item = Algorithm> + Clone {
        let stamps = self.stamps.iter().map(|stamp| stamp.algorithm);
        stamps.chain(self.digests.iter().copied()).chain(payload.then_some(Algorithm::Sha256))
    }

    /// Whether a completion tells the value of this algorithm.
    fn tells(&self, algorithm: Algorithm) -> bool {
        self.stamps.iter().any(|stamp| stamp.algorithm == algorithm)
            || self.digests.contains(&algorithm)
    }
}

impl Stamp {
    fn value(&self, value: &Value) -> HeaderValue {
        let header = match self.encoding {
            Encoding::Base64 => {
                HeaderValue::from_bytes(value.base64_into(&mut [0; LONGEST_BASE64]))
            }
            Encoding::Hex => HeaderValue::try_from(value.hex()),
        };
        header.expect("base64 and hex are made of visible characters")
    }
}

impl Encoding {
    fn write(self, value: &Value) -> String {
        match self {
            Self::Base64 => value.base64(),
            Self::Hex => value.hex(),
        }
    }
}

/// Length in bytes of a trailer's line without its end.
fn trailer_length(stamp: &Stamp) -> u64 {
    let size = stamp.algorithm.size();
    let value = match stamp.encoding {
        Encoding::Base64 => size.div_ceil(3) * 4,
        Encoding::Hex => size * 2,
    };
    (stamp.name.as_str().len() + 1 + value) as u64
}

/// A number as the value of a header, in no more memory than it takes.
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

/// Sealing is decided by the authority; this one asks for nothing.
impl Sealing {
    /// Whether the request goes out without proof of an identity.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

//! An unsigned request as plain data.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Uri, request};

use super::body_checksum::BodyChecksum;
use super::coding::Coding;
use super::expectation::Expectation;
use super::hedged::Hedged;
use super::reply::Reply;
use super::timeouts::Timeouts;
use crate::checksum::{Algorithm, Hashers};
use crate::error::Error;
use crate::few::Few;
use crate::retry::RetryPolicy;
use crate::waiters::Positions;

/// An unsigned request: what to send, what to compute over its body first, how to sign it, and what
/// to do with the response.
///
/// A draft contains no bytes of a large body, only a range of the caller's source, so that it is
/// cheap to keep and to send again. It is in a [`Box`] from the start, since it is moved through
/// machines, the pump and an authenticator, and returned with the completion.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The service's own name of the operation.
    pub operation: &'static str,
    /// Method, URI and headers. The URI is absolute and escaped. Sealing adds the headers of a
    /// signature, of the body's length and of its checksums.
    pub head: request::Parts,
    /// The body.
    pub body: Body,
    pub(crate) checksums: Few<BodyChecksum>,
    /// Digests of the body that are not sent, but returned by the completion.
    pub digests: Vec<Algorithm>,
    /// Whether MD5 is one of these digests if the signature does not cover the body. If it does,
    /// the completion has the SHA-256 of the signature.
    pub(crate) md5_if_unsigned: bool,
    /// Whether nothing is sent: the body is only hashed, see [`Draft::only_hashing`].
    pub(crate) only_hashes: bool,
    /// How the body is covered by the signature.
    pub payload: Payload,
    /// The frames of a body that is sent aws-chunked.
    pub framing: Option<Framing>,
    /// What an authenticator has to add.
    pub sealing: Sealing,
    /// Returns whether a response with another status than 401 also refuses the credentials. Called
    /// by the authenticator, set by the operation, which knows its responses.
    pub tells_refusal: Option<fn(&Reply) -> bool>,
    /// What to do with the body of a successful response.
    pub incoming: Incoming,
    /// Whether the request reads a part of the object by its part number, so that a response of 206
    /// is valid without a `Range`.
    pub takes_part: bool,
    /// The hint for a response that is longer than the limit: another method that can read it. The
    /// error is then of kind `Caller`. `None`: the response is broken.
    pub larger: Option<&'static str>,
    /// Timeouts of this request.
    pub timeouts: Timeouts,
    /// Whether the server is asked for `100 Continue`; shared by the requests to this server.
    pub expectation: Expectation,
    /// The index of the authenticator, among those of the pump.
    pub auth: usize,
    /// The machine that gets the completion. Set by machines; a transport must not change it.
    pub ticket: Ticket,
    /// Which of two requests for the same bytes this is.
    pub(crate) hedged: Option<Hedged>,
    /// The retry policy of a renewal for this draft.
    pub(crate) retry_policy: Option<RetryPolicy>,
    /// Whether it was already sealed a second time, after its first credentials were refused.
    pub(crate) replayed: bool,
    /// Whether it is sent because of what a look has just shown: its machine looks again before it
    /// is sent with other credentials, or after a wait for them.
    pub(crate) after_look: bool,
    /// Whether it has waited for credentials, or for a place of the client's limits.
    pub(crate) waited: bool,
    /// Whether it is a look, whose place the next request of its pump gets.
    pub(crate) keeps_place: bool,
    /// [`LeaseRequest::stale`](crate::contract::LeaseRequest::stale) of this draft.
    pub(crate) stale: Option<u64>,
    /// [`LeaseRequest::places`](crate::contract::LeaseRequest::places) of this draft.
    pub(crate) places: Positions,
}

impl Draft {
    /// Creates a request without a body, not signed, whose response is collected.
    pub fn new(operation: &'static str, method: Method, uri: Uri) -> Box<Self> {
        let draft = Box::new_uninit();
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.method = method;
        head.uri = uri;
        // Into the box, without a copy on the stack.
        Box::write(
            draft,
            Self {
                operation,
                head,
                body: Body::Empty,
                checksums: Few::new(),
                digests: Vec::new(),
                md5_if_unsigned: false,
                only_hashes: false,
                payload: Payload::Hashed,
                framing: None,
                sealing: Sealing::Open,
                tells_refusal: None,
                incoming: Incoming::Collect { limit: COLLECT },
                takes_part: false,
                larger: None,
                timeouts: Timeouts::default(),
                expectation: Expectation::NONE,
                auth: 0,
                ticket: Ticket::default(),
                hedged: None,
                replayed: false,
                after_look: false,
                waited: false,
                keeps_place: false,
                stale: None,
                places: Positions::default(),
                retry_policy: None,
            },
        )
    }

    /// Returns a draft that is not sent: a transport reads its body and computes these digests.
    /// [`Exchange::request`](super::Exchange::request) then fails, and the completion of the
    /// rejected exchange is a success that has them.
    pub(crate) fn only_hashing(body: Body, digests: Vec<Algorithm>) -> Box<Self> {
        let mut draft = Self::new(HASH_BODY, Method::PUT, Uri::default());
        draft.only_hashes = true;
        draft.body = body;
        draft.digests = digests;
        draft
    }

    /// Returns the checksums that are computed over the body and sent in headers, before the head
    /// is signed.
    pub fn checksums(&self) -> &[BodyChecksum] {
        &self.checksums
    }

    /// Adds a checksum that is computed over the body and sent in a header.
    pub fn add_checksum(&mut self, checksum: BodyChecksum) {
        self.checksums.push(checksum);
    }

    /// Sets a header, and replaces one of the same name.
    ///
    /// # Errors
    ///
    /// The value contains bytes that a header can't hold (CR, LF, NUL and other control
    /// characters). The error names the header, but not the value.
    pub fn header(&mut self, name: HeaderName, value: &str) -> Result<(), Error> {
        let value = header_value(&name, value)?;
        self.head.headers.insert(name, value);
        Ok(())
    }

    /// Returns the path and query as they are sent.
    pub fn target(&self) -> &str {
        self.head.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.head.uri.scheme() == Some(&http::uri::Scheme::HTTPS)
    }
}

/// Converts `value` to a value of the header `name`, or returns an error that names the header.
pub(crate) fn header_value(name: &HeaderName, value: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(value).map_err(|_| {
        let at = value.bytes().position(|byte| byte < 32 && byte != b'\t' || byte == 127);
        let at = at.map_or(String::new(), |at| format!(" at byte {at}"));
        Error::invalid_input(format!("the value of header {name} contains a control character{at}"))
    })
}

/// The body of a request.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Body {
    /// No body; `Content-Length: 0` is sent nevertheless, except for GET and HEAD.
    #[default]
    Empty,
    /// Bytes in memory.
    Bytes(Bytes),
    /// These bytes of the caller's source.
    Source {
        /// Positions in the source.
        range: Range<u64>,
        /// Whether the source can be read again from there. If not, a request can't be repeated
        /// once some of its body was sent.
        rewindable: bool,
    },
}

impl Body {
    /// Returns the length in bytes, without frames.
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Source { range, .. } => range.end.saturating_sub(range.start),
        }
    }

    /// Whether the body has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Body {
    /// Shows only the number of the bytes in memory: those of a login contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Source { range, rewindable } => {
                let mut out = f.debug_struct("Source");
                out.field("range", range).field("rewindable", rewindable).finish()
            }
        }
    }
}

/// How a signature covers the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// By the body's SHA-256 or, with [`Framing`], by a signature of each chunk.
    Hashed,
    /// Not at all (`UNSIGNED-PAYLOAD`, `STREAMING-UNSIGNED-PAYLOAD-TRAILER`).
    Unsigned,
}

/// The aws-chunked content coding of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Payload bytes of each chunk except the last: at least 8 KiB.
    pub chunk_size: usize,
    /// The checksum after the last chunk.
    pub trailer: Option<BodyChecksum>,
}

/// What an authenticator adds to a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Nothing: the request is sent without credentials.
    Open,
    /// Nothing, and nothing is sent: only a lease is requested, and the credentials are renewed if
    /// they expire soon.
    GrantOnly,
    /// AWS Signature Version 4 for this region and service.
    SigV4 {
        /// The region of the credential scope.
        region: Arc<str>,
        /// The service of the credential scope.
        service: &'static str,
    },
    /// A token in `X-Auth-Token`. A URI of only a path and a query is appended to this URL; an
    /// absolute URI is not changed.
    Token(UrlRoot),
    /// As [`Token`](Self::Token) at [`UrlRoot::Identity`], and the same token in `X-Subject-Token`:
    /// for Keystone's operations on the token itself.
    TokenAsSubject,
}

impl Sealing {
    /// Whether the request is sent without credentials.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// The URL that a path is relative to, for an authenticator that knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UrlRoot {
    /// The storage URL of the account (`https://host/v1/AUTH_project`).
    Storage,
    /// The storage URL up to its version (`https://host`, and `https://host/swift` for Ceph's
    /// gateway with the storage URL `https://host/swift/v1`). `/info` is below it.
    StorageHost,
    /// Keystone's API, with its version (`https://host/identity/v3`).
    Identity,
}

/// What to do with the body of a successful response. The body of any other response is collected,
/// up to 64 KiB.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Keep it in memory; more than `limit` bytes are an error.
    Collect {
        /// The maximum in bytes.
        limit: usize,
    },
    /// Pass it to the caller's sink as it arrives.
    Stream {
        /// Where in the sink its first byte goes.
        at: u64,
        /// Updated with every byte that is passed on; returned in the [`Reply`](super::Reply), even
        /// if the body was cut.
        hashers: Hashers,
        /// Whether to compute the algorithm of the checksum that the head declares, too.
        declared: bool,
        /// Whether to compute MD5 too, if the head's ETag may be an MD5 and the head declares no
        /// checksum that is computed.
        tag: bool,
        /// What the head must contain before a byte is passed on.
        expect: Expect,
    },
}

/// What the head of a streamed response must contain before the sink gets a byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The requested range, end exclusive. A response of 206 must contain exactly these bytes
    /// (fewer if the object ends first). A response of 200 is the whole object, and is accepted
    /// only if the range starts at 0 and the object's length is known and not beyond the range.
    pub range: Option<Range<u64>>,
    /// The ETag that earlier responses had, as the server wrote it.
    pub etag: Option<HeaderValue>,
    /// The `Last-Modified` of earlier responses that had no ETag.
    pub modified: Option<HeaderValue>,
    /// The length of the whole object in earlier responses, in bytes.
    pub total: Option<u64>,
    /// The content coding that the object is stored with.
    pub coding: Coding,
}

/// The address of the machine that gets a completion.
///
/// A machine that runs other machines adds the number of the machine that created the draft, and
/// removes it when the completion returns. There are at most eight levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ticket {
    path: [u32; 8],
    depth: u8,
}

impl Ticket {
    /// Creates a ticket of one level.
    pub fn new(number: u32) -> Self {
        Self::default().nested(number)
    }

    /// Adds machine `number` of a larger one as the outermost level.
    #[must_use]
    pub fn nested(mut self, number: u32) -> Self {
        let depth = usize::from(self.depth);
        debug_assert!(depth < self.path.len(), "machines nest eight levels deep");
        if let Some(level) = self.path.get_mut(depth) {
            *level = number;
            self.depth += 1;
        }
        self
    }

    /// Removes the outermost number, and returns it with the rest.
    pub fn split(mut self) -> Option<(u32, Self)> {
        self.depth = self.depth.checked_sub(1)?;
        let number = std::mem::take(&mut self.path[usize::from(self.depth)]);
        Some((number, self))
    }
}

/// The operation of a draft that is not sent.
const HASH_BODY: &str = "HashBody";

/// The most bytes of a collected response: ten times a full listing of 1,000 keys of maximum
/// length.
pub(crate) const COLLECT: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_finds_its_way_back() {
        let inner = Ticket::new(7);
        let outer = inner.nested(3);
        assert_eq!(outer.split(), Some((3, inner)));
        assert_eq!(inner.split(), Some((7, Ticket::default())));
        assert_eq!(Ticket::default().split(), None);
    }

    #[test]
    fn a_control_character_is_refused_by_the_headers_name() {
        let mut draft = Draft::new("Test", Method::GET, Uri::from_static("http://localhost/"));
        let name = HeaderName::from_static("x-amz-meta-a");
        let error = draft.header(name, "a\r\nhost: evil").unwrap_err().to_string();
        assert_eq!(
            error,
            "the value of header x-amz-meta-a contains a control character at byte 1"
        );
    }
}

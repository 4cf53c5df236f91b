//! An unsigned request as plain data.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Uri, request};

use super::coding::Coding;
use super::limits::Limits;
use super::reply::Reply;
use super::stamp::Stamp;
use crate::checksum::{Algorithm, Hashers};
use crate::error::Error;
use crate::few::Few;
use crate::retry::RetryPolicy;
use crate::waiters::Positions;

/// An unsigned request: what to send, what must be computed over its body first, how it is to be
/// signed, and what to do with the answer.
///
/// A draft holds no bytes of a large body, only the range of the caller's source that is meant, so
/// it is cheap to keep and to send again. It lives in a [`Box`] from the start: it goes from hand to
/// hand, through machines, the pump and an authority, and comes back with the completion.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The operation's name, in the service's own words.
    pub operation: &'static str,
    /// Method, URI and headers. The URI is absolute and escaped; headers of a signature, of a body's
    /// length and of its checksums are added when the draft is sealed.
    pub head: request::Parts,
    /// What is sent.
    pub body: Body,
    /// Values to be computed over the body and sent in headers, before the head is signed.
    pub stamps: Few<Stamp>,
    /// Digests of the body that are not sent, only told by the completion.
    pub digests: Vec<Algorithm>,
    /// How the body is covered by the signature.
    pub payload: Payload,
    /// The body goes out as aws-chunked frames.
    pub framing: Option<Framing>,
    /// What an authority has to add.
    pub sealing: Sealing,
    /// Whether an answer that is no 401 says all the same that the proof was refused: asked by the
    /// authority, told by the operation, which knows its answers.
    pub tells_refusal: Option<fn(&Reply) -> bool>,
    /// What to do with the body of a successful answer.
    pub incoming: Incoming,
    /// Whether a part of the object is asked for by its number, so that an answer of 206 is right
    /// without a `Range`.
    pub takes_part: bool,
    /// What reads an answer that is longer than what is collected: it is advised, and the length is the
    /// caller's matter. `None`: such an answer makes no sense.
    pub larger: Option<&'static str>,
    /// Timeouts of this one request.
    pub limits: Limits,
    /// Which of a pump's authorities it goes under.
    pub party: usize,
    /// Where its completion belongs. Set by machines; a driver only carries it.
    pub ticket: Ticket,
    /// How often and how soon a renewal that it asks for is tried again.
    pub(crate) retry_policy: Option<RetryPolicy>,
    /// It was sealed anew once, after its first proof was refused.
    pub(crate) replayed: bool,
    /// The generation of the grant that it waits to be renewed.
    pub(crate) stale: Option<u64>,
    /// Its places among those who wait for that.
    pub(crate) places: Positions,
}

impl Draft {
    /// A request without body, not signed, whose answer is collected.
    pub fn new(operation: &'static str, method: Method, uri: Uri) -> Box<Self> {
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.method = method;
        head.uri = uri;
        Box::new(Self {
            operation,
            head,
            body: Body::Empty,
            stamps: Few::new(),
            digests: Vec::new(),
            payload: Payload::Hashed,
            framing: None,
            sealing: Sealing::Open,
            tells_refusal: None,
            incoming: Incoming::Collect { limit: COLLECT },
            takes_part: false,
            larger: None,
            limits: Limits::default(),
            party: 0,
            ticket: Ticket::default(),
            replayed: false,
            stale: None,
            places: Positions::default(),
            retry_policy: None,
        })
    }

    /// Adds a header, in place of one of the same name.
    ///
    /// # Errors
    ///
    /// The value has bytes that a header can't hold (CR, LF, NUL and other control characters). The
    /// error names the header and not the value.
    pub fn header(&mut self, name: HeaderName, value: &str) -> Result<(), Error> {
        let value = header_value(&name, value)?;
        self.head.headers.insert(name, value);
        Ok(())
    }

    /// The path and query as they go on the wire.
    pub fn target(&self) -> &str {
        self.head.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.head.uri.scheme() == Some(&http::uri::Scheme::HTTPS)
    }
}

/// `value` as the value of `name`, or an error that names the header.
pub(crate) fn header_value(name: &HeaderName, value: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(value).map_err(|_| {
        let at = value.bytes().position(|byte| byte < 32 && byte != b'\t' || byte == 127);
        let at = at.map_or(String::new(), |at| format!(" at byte {at}"));
        Error::caller(format!("the value of header {name} has a control character{at}"))
    })
}

/// What a request carries.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Body {
    /// Nothing; `Content-Length: 0` is sent all the same.
    #[default]
    Empty,
    /// Bytes in memory.
    Bytes(Bytes),
    /// These bytes of the caller's source.
    Source {
        /// Positions in the source.
        range: Range<u64>,
        /// Whether the source can be read again from there. Where it can't, a request whose body
        /// was sent in part can't be repeated.
        rewindable: bool,
    },
}

impl Body {
    /// Length in bytes, before any framing.
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Source { range, .. } => range.end.saturating_sub(range.start),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Body {
    /// Of bytes in memory only their number: a login's are a password.
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
    /// By the body's SHA-256, or, with [`Framing`], by a signature of each chunk.
    Hashed,
    /// Not at all (`UNSIGNED-PAYLOAD`, `STREAMING-UNSIGNED-PAYLOAD-TRAILER`).
    Unsigned,
}

/// The aws-chunked content coding of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Payload bytes of each chunk but the last: 8 KiB at least.
    pub chunk_size: usize,
    /// The value that follows the last chunk.
    pub trailer: Option<Stamp>,
}

/// What an authority adds to a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Nothing: the request proves no identity.
    Open,
    /// Nothing, and nothing is sent: the grant alone is wanted, renewed where it is time to.
    GrantOnly,
    /// AWS Signature Version 4 for this region and service.
    SigV4 {
        /// The region of the credential scope.
        region: Arc<str>,
        /// The service of the credential scope.
        service: &'static str,
    },
    /// A token in `X-Auth-Token`. A URI that is only a path and a query is put after the URL of
    /// this place; an absolute one is left as it is.
    Token(UrlRoot),
    /// As [`Token`](Self::Token) at [`UrlRoot::Identity`], and the same token in `X-Subject-Token`:
    /// what Keystone is asked of the token itself.
    TokenAsSubject,
}

impl Sealing {
    /// Whether the request goes out without proof of an identity.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// What a path is relative to, for an authority that knows the URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UrlRoot {
    /// The storage URL of the account (`https://host/v1/AUTH_project`).
    Storage,
    /// The storage URL up to its version (`https://host`, and `https://host/swift` of Ceph's gateway
    /// whose storage URL is `https://host/swift/v1`): `/info` is there.
    StorageHost,
    /// Keystone's API, with its version (`https://host/identity/v3`).
    Identity,
}

/// What to do with the body of a successful answer. The body of any other answer is collected, up to
/// 64 KiB.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Keep it in memory; more than `limit` bytes are an error.
    Collect {
        /// The most bytes that are kept.
        limit: usize,
    },
    /// Pass it on to the caller's sink as it comes.
    Stream {
        /// Where in the sink its first byte goes.
        at: u64,
        /// Fed with every byte that is passed on; comes home in the [`Reply`](super::Reply), also
        /// when the body was cut.
        hashers: Hashers,
        /// Whether the algorithm of the checksum that the head declares is computed too.
        declared: bool,
        /// Whether MD5 is computed too where the head's ETag can be one and nothing else is declared that
        /// would be computed.
        tag: bool,
        /// What the head must say before a byte is passed on.
        expect: Expect,
    },
}

/// What the head of a streamed answer must say before the sink gets a byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The range that was asked for, end exclusive. An answer of 206 must be of exactly these bytes
    /// (less, where the object ends first); an answer of 200 is the whole object, and taken only
    /// when the range starts at 0.
    pub range: Option<Range<u64>>,
    /// The ETag that the object had before, as the server wrote it.
    pub etag: Option<HeaderValue>,
    /// The length that the whole object had before, in bytes.
    pub total: Option<u64>,
    /// The content coding that the object is stored with.
    pub coding: Coding,
}

/// The way of a completion to the machine that asked for it.
///
/// A machine that runs others adds the number of the one that a draft came from, and takes it off
/// again when the completion comes back: four levels at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ticket {
    path: [u32; 4],
    depth: u8,
}

impl Ticket {
    /// A ticket of one level.
    pub fn new(number: u32) -> Self {
        Self::default().under(number)
    }

    /// This ticket, inside machine `number` of a larger one.
    #[must_use]
    pub fn under(mut self, number: u32) -> Self {
        let depth = usize::from(self.depth);
        debug_assert!(depth < self.path.len(), "machines nest four levels deep");
        if let Some(level) = self.path.get_mut(depth) {
            *level = number;
            self.depth += 1;
        }
        self
    }

    /// The outermost number, and the ticket inside it.
    pub fn split(mut self) -> Option<(u32, Self)> {
        self.depth = self.depth.checked_sub(1)?;
        let number = std::mem::take(&mut self.path[usize::from(self.depth)]);
        Some((number, self))
    }
}

/// The most bytes of a collected answer: ten times a full listing of 1,000 longest keys.
pub(crate) const COLLECT: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_finds_its_way_back() {
        let inner = Ticket::new(7);
        let outer = inner.under(3);
        assert_eq!(outer.split(), Some((3, inner)));
        assert_eq!(inner.split(), Some((7, Ticket::default())));
        assert_eq!(Ticket::default().split(), None);
    }

    #[test]
    fn a_control_character_is_refused_by_the_headers_name() {
        let mut draft = Draft::new("Test", Method::GET, Uri::from_static("http://localhost/"));
        let name = HeaderName::from_static("x-amz-meta-a");
        let error = draft.header(name, "a\r\nhost: evil").unwrap_err().to_string();
        assert_eq!(error, "the value of header x-amz-meta-a has a control character at byte 1");
    }
}

//! The answer as it comes, and how an exchange ended.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, HeaderName, RETRY_AFTER};
use http::{Method, StatusCode, response};

use super::content_range::ContentRange;
use super::draft::{Draft, Expect, Incoming};
use super::exchange::{Origin, Sent};
use crate::checksum::{Declared, Hashers, Value};
use crate::error::{Cause, Error, Failure};
use crate::few::Few;
use crate::now::{Now, Timestamp};

/// An exchange whose head has arrived: takes the body piece by piece.
#[derive(Debug)]
pub struct Receiving {
    draft: Box<Draft>,
    head: response::Parts,
    taking: Taking,
    /// Bytes that the head announces.
    announced: Option<u64>,
    received: u64,
    sent: Option<Arc<Sent>>,
    stamped: Few<Value>,
    origin: Origin,
}

#[derive(Debug)]
enum Taking {
    /// Kept in memory, `limit` bytes at most.
    Collecting { body: BytesMut, limit: usize, lenient: bool },
    /// Passed on to the sink.
    Streaming { at: u64, hashers: Hashers },
    /// Dropped: the head is not what was expected, and the sink must not see the body.
    Rejecting(Error),
}

impl Receiving {
    pub(super) fn new(
        draft: Box<Draft>,
        head: response::Parts,
        sent: Option<Arc<Sent>>,
        stamped: Few<Value>,
        origin: Origin,
    ) -> Self {
        let collect = |limit, lenient| Taking::Collecting { body: BytesMut::new(), limit, lenient };
        let taking = match &draft.incoming {
            _ if !head.status.is_success() => collect(ERROR_BODY, true),
            Incoming::Collect { limit } => collect(*limit, false),
            Incoming::Stream { at, hashers, declared, expect } => {
                match expect.check(&head).and_then(|()| hashing(hashers, *declared, &head)) {
                    Ok(hashers) => Taking::Streaming { at: *at, hashers },
                    Err(error) => Taking::Rejecting(error),
                }
            }
        };
        let announced = announced(&head);
        let head = hidden(head);
        Self { draft, head, taking, announced, received: 0, sent, stamped, origin }
    }

    /// The head that arrived.
    pub fn head(&self) -> &response::Parts {
        &self.head
    }

    /// Where in the caller's sink the next bytes go; `None` where nothing is passed on.
    pub fn position(&self) -> Option<u64> {
        match &self.taking {
            Taking::Streaming { at, .. } => Some(at + self.received),
            Taking::Collecting { .. } | Taking::Rejecting(_) => None,
        }
    }

    /// Whether the answer to this request has a body at all: HEAD, 204 and 304 have none, whatever
    /// their `Content-Length` says.
    pub fn has_body(&self) -> bool {
        self.draft.head.method != Method::HEAD
            && !matches!(self.head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            && !self.head.status.is_informational()
    }

    /// Whether reading on is pointless: the body will be dropped.
    pub fn is_rejected(&self) -> bool {
        matches!(self.taking, Taking::Rejecting(_))
    }

    /// Takes the next piece; what comes back goes to the caller's sink.
    ///
    /// # Errors
    ///
    /// A collected body is longer than its limit, or a streamed one longer than announced: finish
    /// with this failure.
    pub fn push<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], Failure> {
        let length = piece.len() as u64;
        match &mut self.taking {
            Taking::Collecting { body, limit, lenient } => {
                let room = limit.saturating_sub(body.len());
                if piece.len() > room && !*lenient {
                    let detail = format!("the body is longer than {limit} bytes");
                    return Err(Failure::new(Cause::Protocol, detail));
                }
                body.extend_from_slice(piece.get(..room).unwrap_or(piece));
                self.received += length;
                Ok(&[])
            }
            Taking::Streaming { hashers, .. } => {
                if self.announced.is_some_and(|announced| self.received + length > announced) {
                    let detail = "the body is longer than its head announced";
                    return Err(Failure::new(Cause::Protocol, detail));
                }
                hashers.update(piece);
                self.received += length;
                Ok(piece)
            }
            Taking::Rejecting(_) => Ok(&[]),
        }
    }

    /// The body ended, or was cut. A cut one still tells its head, its bytes and their hashes.
    pub fn finish(self, cut: Option<Failure>) -> Completion {
        let cut = cut.or_else(|| self.short());
        let mut reply = Reply {
            head: self.head,
            body: Bytes::new(),
            streamed: 0,
            hashers: Hashers::default(),
            cut,
            rejected: None,
        };
        match self.taking {
            Taking::Collecting { body, .. } => reply.body = body.freeze(),
            Taking::Streaming { hashers, .. } => {
                reply.streamed = self.received;
                reply.hashers = hashers;
            }
            Taking::Rejecting(error) => {
                reply.rejected = Some(error);
                reply.cut = None;
            }
        }
        Completion::new(self.draft, Ok(reply), self.sent, self.stamped, self.origin)
    }

    /// A body that ended before its announced length, which not every HTTP client notices.
    fn short(&self) -> Option<Failure> {
        let announced = self.announced.filter(|_| self.has_body())?;
        (self.received < announced).then(|| {
            let detail = format!("{} of {announced} bytes arrived", self.received);
            Failure::new(Cause::Cut, detail)
        })
    }
}

impl Expect {
    fn check(&self, head: &response::Parts) -> Result<(), Error> {
        let broken = |what: String| Err(Error::broken(what).with_status(head.status));
        if let (Some(had), Some(has)) = (&self.etag, head.headers.get(ETAG))
            && opaque_tag(had.as_bytes()) != opaque_tag(has.as_bytes())
        {
            return Err(
                Error::integrity("the object changed while it was read").with_status(head.status)
            );
        }
        let whole = content_length(head).filter(|_| head.status != StatusCode::PARTIAL_CONTENT);
        self.same_length(whole, head.status)?;
        let Some(asked) = &self.range else {
            return if head.status == StatusCode::PARTIAL_CONTENT {
                broken("a part of the object came where all of it was asked for".into())
            } else {
                Ok(())
            };
        };
        if head.status != StatusCode::PARTIAL_CONTENT {
            // A length that is not told may be more than was asked for.
            let all = asked.start == 0 && whole.is_some_and(|length| length <= asked.end);
            return if all {
                Ok(())
            } else {
                broken("the whole object came where a range was asked for".into())
            };
        }
        let text = head.headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
        let Some(text) = text else {
            return broken("a part came without Content-Range".into());
        };
        let Some(ContentRange { range: Some(range), total }) = ContentRange::parse(text) else {
            return broken(format!("Content-Range {text:?} makes no sense"));
        };
        let complete = range.end == asked.end
            || (range.end < asked.end && total.is_some_and(|total| range.end == total));
        if range.start != asked.start || !complete {
            let (start, last) = (asked.start, asked.end.saturating_sub(1));
            return broken(format!(
                "Content-Range {text:?} came where {start}-{last} was asked for"
            ));
        }
        self.same_length(total, head.status)?;
        let announced = content_length(head);
        if announced.is_some_and(|length| length != range.end - range.start) {
            return broken(format!("Content-Range {text:?} disagrees with Content-Length"));
        }
        Ok(())
    }

    fn same_length(&self, total: Option<u64>, status: StatusCode) -> Result<(), Error> {
        if self.total.is_some() && total.is_some() && self.total != total {
            let what = "the object changed its length while it was read";
            return Err(Error::integrity(what).with_status(status));
        }
        Ok(())
    }
}

/// How an exchange ended.
#[derive(Debug)]
pub struct Completion {
    draft: Box<Draft>,
    outcome: Result<Reply, Error>,
    sent: u64,
    stamped: Few<Value>,
    origin: Origin,
    identity: Option<Arc<Sent>>,
}

impl Completion {
    /// The exchange never came about: no grant could be had for it, or it could not be sealed.
    pub fn denied(draft: Box<Draft>, now: Now, why: Error) -> Self {
        let origin = Origin { at: now, generation: 0, renewal: false };
        Self::new(draft, Err(why), None, Few::new(), origin)
    }

    /// Nothing was to be sent, and there is a grant.
    pub(crate) fn granted(draft: Box<Draft>, now: Now, generation: u64) -> Self {
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.status = StatusCode::NO_CONTENT;
        let origin = Origin { at: now, generation, renewal: false };
        Self::new(draft, Ok(Reply::new(head, Bytes::new())), None, Few::new(), origin)
    }

    pub(super) fn new(
        draft: Box<Draft>,
        outcome: Result<Reply, Error>,
        identity: Option<Arc<Sent>>,
        mut stamped: Few<Value>,
        origin: Origin,
    ) -> Self {
        let told = identity.as_deref();
        stamped.extend(told.and_then(|told| told.trailer.get().copied()));
        let sent = told.map_or(0, |told| told.bytes.load(Ordering::Relaxed));
        Self { draft, outcome, sent, stamped, origin, identity }
    }

    /// The draft that the exchange was made of.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The answer, which may have been cut, or why there is none.
    pub fn outcome(&self) -> Result<&Reply, &Error> {
        self.outcome.as_ref()
    }

    /// Gives the draft back, to be sealed and sent again, and how this attempt ended.
    pub fn into_parts(self) -> (Box<Draft>, Result<Reply, Error>) {
        (self.draft, self.outcome)
    }

    /// Payload bytes that left the process.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The checksums that were computed over the body and sent with it.
    pub fn stamped(&self) -> &[Value] {
        &self.stamped
    }

    /// When the exchange was sealed.
    pub fn sealed_at(&self) -> Now {
        self.origin.at
    }

    /// The grant it was sealed with.
    pub fn generation(&self) -> u64 {
        self.origin.generation
    }

    /// Whether the same draft can be sent once more: nothing of its body left, or it can be read
    /// again.
    pub fn can_resend(&self) -> bool {
        let rewindable = match &self.draft.body {
            super::Body::Empty | super::Body::Bytes(_) => true,
            super::Body::Source { rewindable, .. } => *rewindable,
        };
        rewindable || self.sent == 0
    }

    pub(crate) fn is_renewal(&self) -> bool {
        self.origin.renewal
    }

    /// Whether it is the completion of this exchange.
    pub(crate) fn is_of(&self, identity: &Arc<Sent>) -> bool {
        self.identity.as_ref().is_some_and(|own| Arc::ptr_eq(own, identity))
    }

    /// Takes a level off the ticket: the number of the machine that the completion is for.
    pub(crate) fn route(&mut self) -> Option<u32> {
        let (number, inner) = self.draft.ticket.split()?;
        self.draft.ticket = inner;
        Some(number)
    }
}

/// An answer.
#[derive(Clone)]
pub struct Reply {
    /// Status and headers.
    pub head: response::Parts,
    /// The body, where it was collected.
    pub body: Bytes,
    /// Bytes that were passed on to the sink.
    pub streamed: u64,
    /// Hashes over what was passed on, ready to go on with the next piece.
    pub hashers: Hashers,
    /// The body ended too early, for this reason.
    pub cut: Option<Failure>,
    /// The head was not what was expected, so the sink got nothing.
    pub rejected: Option<Error>,
}

impl Reply {
    /// An answer whose body is in memory, as another HTTP client gave it.
    pub fn new(head: response::Parts, body: Bytes) -> Self {
        let hashers = Hashers::default();
        Self { head, body, streamed: 0, hashers, cut: None, rejected: None }
    }

    /// The value of a header, if it is there and made of visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// `Content-Length`, in bytes.
    pub fn content_length(&self) -> Option<u64> {
        content_length(&self.head)
    }

    /// How long the server asks to be left alone: `Retry-After` in seconds or as a date, which is
    /// measured by the answer's own `Date`.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header(&RETRY_AFTER)?;
        if let Ok(seconds) = text.trim().parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = Timestamp::parse_http(text)?;
        let from = Timestamp::parse_http(self.header(&DATE)?)?;
        u64::try_from(until.unix() - from.unix()).ok().map(Duration::from_secs)
    }

    /// `Content-Range`, where it can be read.
    pub fn content_range(&self) -> Option<ContentRange> {
        self.header(&CONTENT_RANGE).and_then(ContentRange::parse)
    }
}

impl fmt::Debug for Reply {
    /// Of the body only its length: it may be a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("head", &self.head)
            .field("body", &self.body.len())
            .field("streamed", &self.streamed)
            .field("cut", &self.cut)
            .field("rejected", &self.rejected)
            .finish_non_exhaustive()
    }
}

/// The head, with its tokens marked so that no `Debug` shows them.
fn hidden(mut head: response::Parts) -> response::Parts {
    for name in &TOKENS {
        if let Some(value) = head.headers.get_mut(name) {
            value.set_sensitive(true);
        }
    }
    head
}

/// `hashers`, and the one that it takes to check what the head declares of the full object.
fn hashing(hashers: &Hashers, declared: bool, head: &response::Parts) -> Result<Hashers, Error> {
    match Declared::in_headers(&head.headers) {
        Ok(Some(Declared::FullObject(value))) if declared => hashers.with(value.algorithm()),
        Err(error) if declared => Err(error.with_status(head.status)),
        _ => Ok(hashers.clone()),
    }
}

fn content_length(head: &response::Parts) -> Option<u64> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// How many bytes of body the head announces: a range in chunks tells it by `Content-Range` alone.
fn announced(head: &response::Parts) -> Option<u64> {
    content_length(head).or_else(|| {
        let text = head.headers.get(CONTENT_RANGE)?.to_str().ok()?;
        let range = ContentRange::parse(text)?.range?;
        (head.status == StatusCode::PARTIAL_CONTENT).then(|| range.end - range.start)
    })
}

/// An ETag without its quotes and weakness, which some servers change between answers.
fn opaque_tag(tag: &[u8]) -> &[u8] {
    let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
    let tag = tag.strip_prefix(b"\"").unwrap_or(tag);
    tag.strip_suffix(b"\"").unwrap_or(tag)
}

/// Headers of an answer that hold a token.
static TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-subject-token"),
    HeaderName::from_static("x-auth-token"),
    HeaderName::from_static("x-storage-token"),
];
/// Bytes of an error document that are kept; the rest is read and dropped.
const ERROR_BODY: usize = 64 << 10;

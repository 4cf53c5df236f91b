//! How an exchange ended: its answer, or why there is none.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, DATE, HeaderName, RETRY_AFTER};
use http::{StatusCode, response};

use super::content_range::ContentRange;
use super::draft::Draft;
use super::exchange::{Origin, Sent};
use super::receiving::content_length;
use crate::checksum::{Hashers, Value};
use crate::error::{Cause, Error, Failure};
use crate::few::Few;
use crate::now::{Now, Timestamp};

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
    /// Nothing says that the body is whole: the answer has neither a length nor chunks, and ended with
    /// a connection whose end proves nothing, as FIN over plain TCP does.
    pub unproven: bool,
    /// The body ended with its connection, however that ended: of a server that is itself given its
    /// bytes by another, even an end in good order may be that of a failure.
    pub until_close: bool,
    /// The head was not what was expected, so the sink got nothing.
    pub rejected: Option<Error>,
}

impl Reply {
    /// An answer whose body is in memory, as another HTTP client gave it.
    pub fn new(head: response::Parts, body: Bytes) -> Self {
        let hashers = Hashers::default();
        Self {
            head,
            body,
            streamed: 0,
            hashers,
            cut: None,
            unproven: false,
            until_close: false,
            rejected: None,
        }
    }

    /// The value of a header, if it is there and made of visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Refuses a body of which nothing says that it is whole, where its own form does not say so either.
    ///
    /// # Errors
    ///
    /// It is [`unproven`](Self::unproven).
    pub(crate) fn proven(&self) -> Result<(), Error> {
        if !self.unproven {
            return Ok(());
        }
        let detail = "it has neither a length nor chunks, and the end of a connection without TLS \
                      does not prove that it is whole";
        Err(Error::from(Failure::new(Cause::Cut, detail)).with_status(self.status()))
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
            .field("unproven", &self.unproven)
            .field("rejected", &self.rejected)
            .finish_non_exhaustive()
    }
}

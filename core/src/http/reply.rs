//! The answer to a request.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, DATE, HeaderName, RETRY_AFTER};
use http::{StatusCode, response};

use super::content_range::ContentRange;
use crate::checksum::Hashers;
use crate::error::{Cause, Error, Failure};
use crate::now::Timestamp;

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

/// `Content-Length`, in bytes.
pub(super) fn content_length(head: &response::Parts) -> Option<u64> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

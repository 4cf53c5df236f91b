//! The response to a request.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, DATE, HeaderName, RETRY_AFTER};
use http::{StatusCode, response};

use super::content_range::ContentRange;
use super::delimiter;
use crate::checksum::Hashers;
use crate::error::{Error, ExchangeError, ExchangeErrorKind};
use crate::now::Timestamp;

/// A response.
#[derive(Clone)]
pub struct Reply {
    /// Status and headers.
    pub head: response::Parts,
    /// The body, if it was collected.
    pub body: Bytes,
    /// How many bytes were passed to the sink.
    pub streamed: u64,
    /// Hashes of what was passed to the sink, ready to continue with the next piece.
    pub hashers: Hashers,
    /// Why the body ended too early, if it did.
    pub cut: Option<ExchangeError>,
    /// Whether nothing proves that the body is complete: the response has neither a length nor
    /// chunks, and its connection ended in a way that proves nothing, such as a FIN over plain TCP.
    pub unproven: bool,
    /// Whether the body ended with its connection, in whatever way. Even an end in good order may
    /// be caused by a failure, if the server gets the bytes from another server.
    pub until_close: bool,
    /// Why the head was not the expected one, if so; the sink got nothing.
    pub rejected: Option<Error>,
}

impl Reply {
    /// Creates the reply to a draft that is not sent: 204 without a field.
    pub(super) fn of_none() -> Self {
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.status = StatusCode::NO_CONTENT;
        Self::new(head, Bytes::new())
    }

    /// Creates a response whose body is in memory, as another HTTP client returned it.
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

    /// Returns the value of a header, if it is present and consists of visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Refuses a body that nothing proves to be complete, for a body whose own format does not
    /// prove it either.
    ///
    /// # Errors
    ///
    /// The body is [`unproven`](Self::unproven).
    pub(crate) fn proven(&self) -> Result<(), Error> {
        if !self.unproven {
            return Ok(());
        }
        let detail = "the body has neither a length nor chunks, and the end of a connection \
                      without TLS does not prove that it is complete";
        Err(Error::from(ExchangeError::new(ExchangeErrorKind::Cut, detail))
            .with_status(self.status()))
    }

    /// Checks that the status of a success says that the request was carried out: 200, 201 and 204
    /// do, and the others that the operation `also` has. 202 says that a request was accepted, and
    /// may be carried out later or not at all; the other statuses of 2xx are about something else
    /// (RFC 9110, section 15.3).
    pub(crate) fn carried_out(&self, also: &[StatusCode]) -> Result<(), Error> {
        let (status, done) = (self.status(), [200, 201, 204]);
        if done.contains(&status.as_u16()) || also.contains(&status) {
            return Ok(());
        }
        let what = format!("a response of {} does not say that it was done", status.as_u16());
        Err(Error::invalid_response(what).with_status(status))
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Returns `Content-Length`, in bytes.
    pub fn content_length(&self) -> Option<u64> {
        content_length(&self.head)
    }

    /// Returns how long the server asks to wait before the next request: `Retry-After` in seconds,
    /// or as a date, which is compared with the response's own `Date`.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header(&RETRY_AFTER)?;
        let digits = text.trim();
        if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) {
            // More seconds than fit are more than anybody waits.
            return Some(Duration::from_secs(digits.parse().unwrap_or(u64::MAX)));
        }
        let until = Timestamp::parse_http(text)?;
        let from = Timestamp::parse_http(self.header(&DATE)?)?;
        u64::try_from(until.unix() - from.unix()).ok().map(Duration::from_secs)
    }

    /// Returns `Content-Range`, if it can be parsed.
    pub fn content_range(&self) -> Option<ContentRange> {
        self.header(&CONTENT_RANGE).and_then(ContentRange::parse)
    }
}

impl fmt::Debug for Reply {
    /// Shows only the length of the body, which may contain a token.
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

/// Returns `Content-Length`, in bytes; `None` if it is no number, or has two different values.
pub(super) fn content_length(head: &response::Parts) -> Option<u64> {
    delimiter::length(head).ok().flatten()
}

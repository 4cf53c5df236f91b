//! The responses of a server: a correct one for the request, a correct one with one change, an error,
//! or nonsense. `server.rs` has the correct responses and the errors.

use std::ops::Range;

use apus_core::error::ExchangeErrorKind;
use apus_core::http::Draft;
use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, response};

use crate::Setup;
use crate::server::{HEADERS, REFUSALS, WORDS, good, refusal};

/// How an exchange ends.
#[derive(Arbitrary, Debug)]
pub(crate) enum Answer {
    /// Well, in a way that the bits choose.
    Good(u8),
    /// Well, but the connection breaks after so many bytes of the body.
    Cut(u8, u8),
    /// By a refusal of these, with a `Retry-After` or a date.
    Refused { which: u8, after: Option<u8>, dated: Option<i16>, document: bool },
    /// By nonsense.
    Odd { status: u16, headers: Vec<(u8, Word)>, body: Vec<u8> },
    /// Without an answer.
    Lost(u8),
}

/// The value of a header.
#[derive(Arbitrary, Debug)]
pub(crate) enum Word {
    Known(u8),
    Number(u64),
    Any(Vec<u8>),
}

/// What comes of an answer.
pub(crate) enum Outcome {
    Lost(ExchangeErrorKind),
    Head { head: response::Parts, body: Bytes, cut: bool },
}

impl Answer {
    /// What `draft` is answered at this time.
    pub(crate) fn to(&self, draft: &Draft, setup: &Setup, unix: u64) -> Outcome {
        match self {
            Self::Good(twist) => good(draft, setup, *twist, unix).end(None),
            Self::Cut(twist, after) => good(draft, setup, *twist, unix).end(Some((*after).into())),
            Self::Refused { which, after, dated, document } => {
                let (status, code) = REFUSALS[usize::from(*which) % REFUSALS.len()];
                let mut reply = Reply::new(status);
                if let Some(after) = after {
                    reply.header("retry-after", after);
                }
                if let Some(dated) = dated {
                    let at = unix.saturating_add_signed(i64::from(*dated) * 60);
                    let at = i64::try_from(at).unwrap_or(0);
                    let date = apus_core::now::Timestamp::from_unix(at).http_date();
                    reply.header("date", date);
                }
                if *document {
                    reply.body(refusal(status, code));
                }
                reply.end(None)
            }
            Self::Odd { status, headers, body } => {
                let status = 100 + status % 500;
                let mut reply = Reply::new(status);
                for (name, value) in headers {
                    let name = HEADERS[usize::from(*name) % HEADERS.len()];
                    match value {
                        Word::Known(n) => reply.header(name, WORDS[usize::from(*n) % WORDS.len()]),
                        Word::Number(n) => reply.header(name, n),
                        Word::Any(bytes) => {
                            if let Ok(value) = HeaderValue::from_bytes(bytes) {
                                reply.head.headers.append(name, value);
                            }
                        }
                    }
                }
                reply.body = Bytes::copy_from_slice(body);
                reply.end(None)
            }
            Self::Lost(cause) => Outcome::Lost(CAUSES[usize::from(*cause) % CAUSES.len()]),
        }
    }
}

/// An answer in the making.
pub(crate) struct Reply {
    pub(crate) head: response::Parts,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.status = StatusCode::from_u16(status).expect("a status");
        Self { head, body: Bytes::new() }
    }

    pub(crate) fn header(&mut self, name: &'static str, value: impl ToString) {
        if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
            self.head.headers.insert(HeaderName::from_static(name), value);
        }
    }

    pub(crate) fn body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
        self.header("content-length", self.body.len());
    }

    fn end(self, cut: Option<usize>) -> Outcome {
        let body = self.body.slice(..cut.unwrap_or(usize::MAX).min(self.body.len()));
        Outcome::Head { head: self.head, body, cut: cut.is_some() }
    }
}

/// What a `Range` asks of so many bytes.
pub(crate) fn asked(range: &HeaderValue, size: u64) -> Option<Range<u64>> {
    let (start, last) = range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    if start.is_empty() {
        return Some(size.saturating_sub(last.parse().ok()?)..size);
    }
    let end = last.parse().map_or(size, |last: u64| last.saturating_add(1).min(size));
    let start: u64 = start.parse().ok()?;
    Some(start.min(end)..end)
}

const CAUSES: [ExchangeErrorKind; 11] = [
    ExchangeErrorKind::Resolve,
    ExchangeErrorKind::Connect,
    ExchangeErrorKind::Tls,
    ExchangeErrorKind::Proxy,
    ExchangeErrorKind::Timeout,
    ExchangeErrorKind::Closed,
    ExchangeErrorKind::Cut,
    ExchangeErrorKind::Cancelled,
    ExchangeErrorKind::Source,
    ExchangeErrorKind::Sink,
    ExchangeErrorKind::Protocol,
];

/// No object that is really sent is longer.
pub(crate) const LONGEST: u64 = 4096;
pub(crate) static ZEROS: [u8; LONGEST as usize] = [0; LONGEST as usize];

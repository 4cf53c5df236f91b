//! A response while it arrives.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, response};

use super::completion::Completion;
use super::delimiter::{self, Delimiter, End};
use super::draft::{Body, Draft, Incoming};
use super::echoed::without_secrets;
use super::etag::ETag;
use super::expect;
use super::opened::Opened;
use super::pace::Pace;
use super::reply::Reply;
use super::sent::{Origin, Sent};
use crate::checksum::{Algorithm, Declared, Hashers, Value};
use crate::error::{Error, ExchangeError, ExchangeErrorKind};
use crate::few::Few;

/// An exchange whose response head has arrived. Takes the body piece by piece. In a [`Box`], as
/// [`Exchange`](super::Exchange).
#[derive(Debug)]
pub struct Receiving(Box<Arriving>);

#[derive(Debug)]
struct Arriving {
    draft: Box<Draft>,
    head: response::Parts,
    taking: Taking,
    /// What marks the end of the body; `None` if the head contradicts itself.
    delimiter: Option<Delimiter>,
    /// The length in bytes that the head announces.
    announced: Option<u64>,
    received: u64,
    sent: Option<Arc<Sent>>,
    computed: Few<Value>,
    origin: Origin,
}

#[derive(Debug)]
enum Taking {
    /// Kept in memory, at most `limit` bytes.
    Collecting { body: BytesMut, limit: usize },
    /// A refusal: its beginning is kept.
    Refusing { body: BytesMut },
    /// Passed to the sink.
    Streaming { at: u64, hashers: Hashers },
    /// Dropped: the response is not the expected one, and the sink must not get its body.
    Rejecting(Error),
}

impl Receiving {
    pub(super) fn new(
        draft: Box<Draft>,
        head: response::Parts,
        sent: Option<Arc<Sent>>,
        computed: Few<Value>,
        origin: Origin,
    ) -> Self {
        let room = Box::new_uninit();
        let delimiter = Delimiter::of(&draft.head.method, &head);
        let announced = match &delimiter {
            Ok(Delimiter::NoBody) => Some(0),
            Ok(Delimiter::Length(length)) => Some(*length),
            Ok(_) => delimiter::announced(&head),
            Err(_) => None,
        };
        let (delimiter, unclear) = match delimiter {
            Ok(delimiter) => (Some(delimiter), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let taking = if head.status.is_success() {
            let taking = unclear.and_then(|()| take(&draft, &head, announced));
            first_of_two(&draft, taking.unwrap_or_else(Taking::Rejecting))
        } else {
            Taking::Refusing { body: BytesMut::new() }
        };
        let arriving = Arriving {
            draft,
            head,
            taking,
            delimiter,
            announced,
            received: 0,
            sent,
            computed,
            origin,
        };
        let mut this = Self(Box::write(room, arriving));
        hide(&mut this.0.head.headers);
        this
    }

    /// Returns the head of the response.
    pub fn head(&self) -> &response::Parts {
        &self.0.head
    }

    /// Returns the head, for [`Machine::opened`](crate::contract::Machine::opened), if the body is
    /// passed to the sink.
    pub fn opened(&self) -> Option<Opened> {
        matches!(self.0.taking, Taking::Streaming { .. }).then(|| Opened {
            ticket: self.0.draft.ticket,
            head: self.0.head.clone(),
            identity: self.0.sent.clone(),
        })
    }

    /// Returns the position in the caller's sink of the next bytes; `None` if nothing is passed on.
    pub fn position(&self) -> Option<u64> {
        match &self.0.taking {
            Taking::Streaming { at, .. } => Some(at + self.0.received),
            _ => None,
        }
    }

    /// Whether the response to this request has a body. HEAD, 204 and 304 have none, whatever their
    /// `Content-Length` says.
    pub fn has_body(&self) -> bool {
        self.0.delimiter != Some(Delimiter::NoBody)
    }

    /// Whether the body is dropped.
    pub fn is_rejected(&self) -> bool {
        matches!(self.0.taking, Taking::Rejecting(_))
    }

    /// Whether more of the body should be read. If not, stop reading and finish the response as if
    /// the body had ended. Close the connection, unless the body has just ended.
    ///
    /// False for a body whose end is unknown, after the first MiB of a refusal, and for a rejected
    /// response that is too long to be read only to keep its connection.
    pub fn wants_more(&self) -> bool {
        if !self.has_body() || self.0.delimiter.is_none() {
            return false;
        }
        match &self.0.taking {
            Taking::Collecting { .. } | Taking::Streaming { .. } => true,
            Taking::Refusing { .. } => self.0.received < LONGEST_REFUSAL,
            Taking::Rejecting(_) => self.0.announced.is_some_and(|length| length <= DRAINED),
        }
    }

    /// Returns the least rate that the body must keep.
    pub fn pace(&self) -> Pace {
        let streams = matches!(self.0.taking, Taking::Streaming { .. });
        Pace::new(self.0.draft.timeouts.rate.filter(|_| streams))
    }

    /// Returns how long the whole body may take.
    pub fn time(&self) -> Option<Duration> {
        match &self.0.taking {
            Taking::Collecting { .. } => self.0.draft.timeouts.document,
            Taking::Streaming { .. } => None,
            Taking::Refusing { .. } | Taking::Rejecting(_) => self.0.draft.timeouts.refusal,
        }
    }

    /// Takes the next piece of the body. Returns the bytes for the caller's sink.
    ///
    /// # Errors
    ///
    /// A collected body is longer than its limit, or a streamed one longer than announced: finish
    /// with this failure.
    pub fn push<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], ExchangeError> {
        let length = piece.len() as u64;
        match &mut self.0.taking {
            Taking::Collecting { body, limit } => {
                if piece.len() > limit.saturating_sub(body.len()) {
                    let error = too_long(&self.0.draft, &self.0.head, *limit, None);
                    let detail = error.message().to_owned();
                    self.0.taking = Taking::Rejecting(error);
                    return Err(ExchangeError::new(ExchangeErrorKind::Protocol, detail));
                }
                body.extend_from_slice(piece);
                self.0.received += length;
                Ok(&[])
            }
            Taking::Refusing { body } => {
                let room = ERROR_BODY.saturating_sub(body.len());
                body.extend_from_slice(piece.get(..room).unwrap_or(piece));
                self.0.received += length;
                Ok(&[])
            }
            Taking::Streaming { hashers, .. } => {
                if self.0.announced.is_some_and(|announced| self.0.received + length > announced) {
                    let detail = "the body is longer than the announced length";
                    return Err(ExchangeError::new(ExchangeErrorKind::Protocol, detail));
                }
                hashers.update(piece);
                self.0.received += length;
                Ok(piece)
            }
            Taking::Rejecting(_) => {
                self.0.received += length;
                Ok(&[])
            }
        }
    }

    /// Ends the exchange: the body ended or was cut, as the transport reports it in `end`.
    ///
    /// A refusal is reported by its status, however its body ended. A success to a request whose
    /// body was not sent to its end is an error ([`ExchangeErrorKind::Unsent`]): the server may have stored a
    /// part of it. A cut response still has its head, its bytes and their hashes.
    pub fn finish(self, end: impl Into<End>) -> Completion {
        let end = end.into();
        let unproven = self.is_unproven(&end);
        let until_close = unproven || self.ends_by_close(&end);
        let cut = match end {
            End::Cut(cut) => Some(cut),
            End::Whole | End::Regular | End::Unclear => self.short(),
        };
        let unsent = self.unsent();
        let Arriving { draft, head, taking, received, sent, computed, origin, .. } = *self.0;
        let mut reply = Reply {
            head,
            body: Bytes::new(),
            streamed: 0,
            hashers: Hashers::default(),
            unproven: unproven && cut.is_none(),
            until_close: until_close && cut.is_none(),
            cut,
            rejected: None,
        };
        match taking {
            // A success of a write may report an error in its body, and no such body is an object.
            Taking::Collecting { body, .. } if draft.head.method != Method::GET => {
                reply.body = without_secrets(body, &draft.head.headers);
            }
            Taking::Collecting { body, .. } => reply.body = body.freeze(),
            Taking::Refusing { body } => {
                reply.body = without_secrets(body, &draft.head.headers);
                reply.cut.take_if(|cut| cut.kind() != ExchangeErrorKind::Cancelled);
                (reply.unproven, reply.until_close) = (false, false);
            }
            Taking::Streaming { hashers, .. } => {
                reply.streamed = received;
                reply.hashers = hashers;
            }
            Taking::Rejecting(error) => {
                reply.rejected = Some(error);
                reply.cut = None;
                (reply.unproven, reply.until_close) = (false, false);
            }
        }
        // A cut body does not make a success of a head that arrived too early.
        let own = |cut: &ExchangeError| {
            matches!(cut.kind(), ExchangeErrorKind::Cancelled | ExchangeErrorKind::Sink)
        };
        let outcome = match (unsent, reply.cut.take_if(|cut| own(cut))) {
            (None, cut) => Ok(Reply { cut: cut.or(reply.cut), ..reply }),
            (Some(failure), cut) => {
                Err(Error::from(cut.unwrap_or(failure)).with_status(reply.head.status))
            }
        };
        Completion::new(draft, outcome, sent, computed, origin)
    }

    /// Returns the failure for a body that ended before its announced length, which some HTTP
    /// clients do not detect.
    fn short(&self) -> Option<ExchangeError> {
        let announced = self.0.announced.filter(|_| self.has_body())?;
        (self.0.received < announced).then(|| {
            let detail = format!("{} of {announced} bytes arrived", self.0.received);
            ExchangeError::new(ExchangeErrorKind::Cut, detail)
        })
    }

    /// Whether nothing proves that the body is complete: no length was reached, and the end may
    /// have another cause than the server's intent. A FIN over plain TCP may be sent for a server
    /// that failed; with TLS, an end in good order comes from the server itself.
    fn is_unproven(&self, end: &End) -> bool {
        match (self.0.delimiter, end) {
            (Some(Delimiter::NoBody), _) | (_, End::Whole) => false,
            _ if self.0.announced.is_some_and(|announced| self.0.received >= announced) => false,
            (Some(Delimiter::Framing), End::Regular) => false,
            (Some(Delimiter::Close), End::Regular) => !self.0.draft.is_https(),
            _ => true,
        }
    }

    /// Whether the body ended with its connection, and nothing else announces its length.
    fn ends_by_close(&self, end: &End) -> bool {
        let closed = self.0.delimiter == Some(Delimiter::Close) && !matches!(end, End::Whole);
        closed && self.0.announced.is_none()
    }

    /// Returns why a success is not accepted: it arrived before the whole request was sent.
    fn unsent(&self) -> Option<ExchangeError> {
        let length = self.0.draft.body.len();
        if !self.0.head.status.is_success() || length == 0 {
            return None;
        }
        let framed = self.0.draft.framing.is_some();
        let at_once = !framed && matches!(self.0.draft.body, Body::Bytes(_));
        let sent = match self.0.sent.as_deref() {
            Some(sent) if sent.is_whole(length, framed) => return None,
            Some(sent) if sent.is_counted() => sent.bytes.load(Ordering::Relaxed),
            _ if at_once => return None,
            _ => 0,
        };
        let detail =
            format!("{sent} of {length} bytes were sent, and the status is {}", self.0.head.status);
        Some(ExchangeError::new(ExchangeErrorKind::Unsent, detail))
    }
}

/// Decides from the head how to take the body of a success.
fn take(draft: &Draft, head: &response::Parts, announced: Option<u64>) -> Result<Taking, Error> {
    match &draft.incoming {
        Incoming::Collect { limit } => {
            expect::answers(draft, head)?;
            match announced {
                Some(length) if length > *limit as u64 => {
                    Err(too_long(draft, head, *limit, Some(length)))
                }
                _ => Ok(Taking::Collecting { body: BytesMut::new(), limit: *limit }),
            }
        }
        Incoming::Stream { at, hashers, declared, tag, expect } => {
            expect::is_object(head, None)?;
            expect.check(head)?;
            Ok(Taking::Streaming { at: *at, hashers: hashing(hashers, *declared, *tag, head)? })
        }
    }
}

/// Drops the body where the success to another request for the same bytes came first.
fn first_of_two(draft: &Draft, taking: Taking) -> Taking {
    match (&taking, &draft.hedged) {
        (Taking::Streaming { .. }, Some(hedged)) if !hedged.answer() => {
            Taking::Rejecting(ExchangeError::cancelled().into())
        }
        _ => taking,
    }
}

/// Returns the error for a response longer than the limit of what is collected.
fn too_long(draft: &Draft, head: &response::Parts, limit: usize, length: Option<u64>) -> Error {
    let length =
        length.map_or("more".to_owned(), |length| format!("{length} bytes, which is more"));
    let what = format!("the response body has {length} than the limit of {limit} bytes");
    match draft.larger {
        Some(advice) => Error::invalid_input(what).with_hint(advice),
        None => Error::invalid_response(what),
    }
    .with_status(head.status)
}

/// Marks tokens in the head as sensitive, so that no `Debug` shows them: `X-Subject-Token`,
/// `X-Auth-Token`, `X-Storage-Token`.
fn hide(headers: &mut HeaderMap) {
    for (name, value) in headers {
        if name.as_str().ends_with("-token") {
            value.set_sensitive(true);
        }
    }
}

/// Returns `hashers`, with the one that checks what the head declares about the full object, or its
/// ETag.
fn hashing(
    hashers: &Hashers,
    declared: bool,
    tag: bool,
    head: &response::Parts,
) -> Result<Hashers, Error> {
    match Declared::in_headers(&head.headers) {
        Ok(Some(Declared::FullObject(value))) if declared => hashers.with(value.algorithm()),
        Err(error) if declared => Err(error.with_status(head.status)),
        _ if tag && etag(head).is_some_and(|tag| tag.is_md5()) => hashers.with(Algorithm::Md5),
        _ => Ok(hashers.clone()),
    }
}

fn etag(head: &response::Parts) -> Option<ETag> {
    head.headers.get(http::header::ETAG)?.to_str().ok().map(ETag::from)
}

/// The most bytes of an error document that are kept.
const ERROR_BODY: usize = 64 << 10;
/// The most bytes of a refusal that are read to keep its connection.
const LONGEST_REFUSAL: u64 = 1 << 20;
/// A rejected response of up to this many bytes is read to its end, which is cheaper than another
/// connection.
const DRAINED: u64 = 64 << 10;

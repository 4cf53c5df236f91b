//! The ranges of one object, in any protocol.

use std::collections::VecDeque;
use std::fmt;

use http::header::{HeaderValue, IF_MATCH};

use super::DownloadOptions;
use super::hedging::Hedging;
use super::piece::{Piece, Remaining, State};
use super::plan::Plan;
use super::tally::Tally;
use crate::checksum::{Algorithm, Hashers, Validation, Value};
use crate::contract::{self, Step};
use crate::error::{Error, ExchangeError};
use crate::http::{
    ByteRange, Coding, Completion, Draft, ETag, Expect, Hedged, Incoming, Opened, Reply, Ticket,
};
use crate::now::{Now, Wait, WaitReason};

/// The requests and responses of a protocol for the bytes of an object.
pub(super) trait Dialect: fmt::Debug {
    /// The service that the requests are sent to.
    type Service: contract::Service;
    /// The metadata of an object in a head.
    type Head: Clone + fmt::Debug;

    /// The name of the operation.
    const NAME: &'static str;

    fn service(&self) -> &Self::Service;

    /// Makes a request for this range of the object or segment that contains the byte `at`, or for
    /// all of it. It is conditional on `tag`.
    fn draft(
        &self,
        at: u64,
        range: Option<ByteRange>,
        tag: Option<&str>,
    ) -> Result<Box<Draft>, Error>;

    /// Returns the error of an error response.
    fn success(&self, reply: &Reply) -> Result<(), Error>;

    /// Reads the metadata of the object in a successful response.
    fn object(&self, reply: &Reply) -> Result<Object<Self::Head>, Error>;

    /// Whether a HEAD may be sent for what a response does not state.
    fn can_ask(&self) -> bool {
        false
    }

    /// Whether the checksum of the whole object that a head declares is computed too.
    fn hashes_declared(&self) -> bool;

    /// Whether the tag of an object that was stored in one request is the MD5 of its bytes.
    fn tags_are_md5(&self) -> bool {
        false
    }

    /// The key of the service's memory of redirects.
    fn resource(&self) -> Option<&str> {
        None
    }

    /// The segment that contains the byte `at`, if segments are read as objects of their own.
    fn segment(&self, at: u64) -> Option<Held<'_>> {
        let _ = at;
        None
    }

    /// Handles a condition that failed although its tag came from a response. Returns whether the
    /// server may compare conditions with another tag: then further requests have no condition, and
    /// only the tags of responses are compared.
    fn relax(&mut self) -> bool {
        false
    }

    /// Returns a more specific error for an error response to the rest of a range.
    fn explain(&self, piece: &Piece, reply: &Reply, error: Error) -> Error {
        let _ = (piece, reply);
        error
    }
}

/// A segment that is read as an object of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held<'a> {
    /// The offset of its first byte in the large object.
    pub(super) start: u64,
    /// Its length in bytes.
    pub(super) length: u64,
    /// Its tag.
    pub(super) tag: Option<&'a str>,
}

/// The metadata of the object in the first head. It may not change any more.
#[derive(Debug)]
pub(super) struct Object<H> {
    pub(super) head: H,
    pub(super) etag: Option<HeaderValue>,
    /// The `Last-Modified` of the first response, where there is no ETag.
    pub(super) modified: Option<HeaderValue>,
    pub(super) size: Option<u64>,
    pub(super) coding: Option<String>,
}

impl<H> Object<H> {
    /// Makes the metadata of a tag, a size in bytes and a `Content-Encoding`.
    pub(super) fn new(
        head: H,
        etag: Option<&str>,
        size: Option<u64>,
        coding: Option<&str>,
    ) -> Self {
        let tag = etag.filter(|tag| !tag.is_empty());
        let etag = tag.and_then(|tag| HeaderValue::from_str(tag).ok());
        Self { head, etag, modified: None, size, coding: coding.and_then(Coding::read) }
    }

    pub(super) fn tag(&self) -> Option<ETag> {
        Some(ETag::from(self.etag.as_ref()?.to_str().ok()?))
    }

    /// Returns the tag for `If-Match`. A weak tag never matches there (RFC 9110, section 13.1.1).
    fn if_match(&self) -> Option<&str> {
        self.etag.as_ref()?.to_str().ok().filter(|tag| !tag.starts_with("W/"))
    }
}

/// The state of the ranges of an object.
#[derive(Debug)]
pub(super) struct Ranges<D: Dialect> {
    pub(super) dialect: D,
    pub(super) options: DownloadOptions,
    pub(super) auth: usize,
    pub(super) seed: u64,
    /// The requested bytes; `None` for the whole object.
    pub(super) wanted: Option<ByteRange>,
    /// The concurrency.
    pub(super) concurrency: usize,
    /// The offset in the object of the sink's first byte.
    pub(super) start: u64,
    pub(super) object: Option<Object<D::Head>>,
    /// The object in the head of a first response whose body has not ended yet.
    pub(super) early: Option<Object<D::Head>>,
    /// The initial hash state of a range.
    pub(super) hashers: Hashers,
    pub(super) plan: Plan,
    /// The started ranges in their order. The front one is unfinished.
    pub(super) pieces: VecDeque<Piece>,
    /// The checksums of the ranges before `pieces`.
    pub(super) tally: Tally,
    /// Whether the coding of responses is checked: not if the caller requests another one.
    pub(super) coded: bool,
    /// Whether the first response has a coding that the object may not have: a HEAD decides, once.
    pub(super) in_doubt: bool,
    /// Whether the last body ended without a length that proves that the object is complete.
    pub(super) unsettled: bool,
    /// Whether the end of the object is known, and not only the end of a connection.
    pub(super) certain: bool,
    sequence: u32,
    hedging: Option<Hedging>,
    /// Requests in flight whose bytes came by another request.
    overtaken: Vec<Ticket>,
    pub(super) redirected: bool,
    /// Whether requests were once drafted without what the server had refused in one.
    pub(super) redrafted: bool,
    /// The first error. After it, no request is sent.
    pub(super) error: Option<Error>,
}

/// The next step.
enum Next {
    Send(Box<Draft>),
    Wait(Option<Wait>),
    /// All ranges are complete.
    Finish,
}

impl<D: Dialect> Ranges<D> {
    pub(super) fn new(
        dialect: D,
        wanted: Option<ByteRange>,
        options: DownloadOptions,
        seed: u64,
    ) -> Self {
        let combine = computed(&options).all(Algorithm::combines);
        let start = match &wanted {
            Some(ByteRange::From(start)) => *start,
            Some(ByteRange::Span(span)) => span.start,
            Some(ByteRange::Last(_)) | None => 0,
        };
        // Not a range: a range request for an empty object would be refused.
        let wanted = wanted.filter(|range| *range != ByteRange::From(0));
        Self {
            dialect,
            concurrency: if combine { options.concurrency.max(1) } else { 1 },
            hedging: options.hedged.then(Hedging::default),
            overtaken: Vec::new(),
            options,
            auth: 0,
            seed,
            wanted,
            start,
            object: None,
            early: None,
            hashers: Hashers::default(),
            plan: Plan::default(),
            pieces: VecDeque::new(),
            tally: Tally::default(),
            coded: true,
            in_doubt: false,
            unsettled: false,
            certain: true,
            sequence: 0,
            redirected: false,
            redrafted: false,
            error: None,
        }
    }

    /// Checks the arguments before the first request.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        if self.wanted.as_ref().is_some_and(is_empty) {
            return Err(Error::invalid_input("the range is empty").in_operation(D::NAME));
        }
        self.hashers = Hashers::new(computed(&self.options))?;
        Ok(())
    }

    /// Returns whether the whole object is requested.
    pub(super) fn is_whole(&self) -> bool {
        self.wanted.is_none()
    }

    /// Returns whether the MD5 of the bytes is compared with the tag of the object.
    pub(super) fn compares_tag(&self) -> bool {
        self.is_whole()
            && self.options.verify_etag
            && self.options.expected.is_empty()
            && self.dialect.tags_are_md5()
    }

    /// Returns an error if the size differs from the one that the caller expects.
    fn expects(&self, size: Option<u64>) -> Result<(), Error> {
        match (size, self.options.size) {
            (Some(size), Some(expected)) if size != expected => Err(Error::integrity(format!(
                "the object has {size} bytes, but {expected} are expected"
            ))),
            _ => Ok(()),
        }
    }

    /// Compares the bytes with the caller's size and digests. Returns a verdict if a digest was
    /// compared.
    pub(super) fn compare_expected(&self) -> Result<Option<Validation>, Error> {
        let size = self.object.as_ref().and_then(|object| object.size);
        self.expects(size.or(self.is_whole().then(|| self.tally.length())))?;
        if !self.is_whole() {
            return Ok(None);
        }
        let digests = self.tally.digests();
        for expected in &self.options.expected {
            let algorithm = expected.algorithm();
            match digests.value(algorithm) {
                Some(computed) if computed == expected => {}
                Some(computed) => {
                    return Err(Error::integrity(format!(
                        "the {algorithm} of the object is {}, but {} is expected",
                        computed.hex(),
                        expected.hex()
                    )));
                }
                // An empty object may have been read without a request for its bytes.
                None if self.tally.length() == 0 && algorithm.digest(b"")? == *expected => {}
                None => {
                    let what = format!("the {algorithm} of the object was not computed");
                    return Err(Error::integrity(what));
                }
            }
        }
        let first = self.options.expected.first();
        Ok(first.map(|value| Validation::Validated(value.algorithm())))
    }

    /// Returns how many bytes the sink has without a gap, from the first requested byte.
    pub(super) fn delivered(&self) -> u64 {
        let mut delivered = self.tally.length();
        for piece in &self.pieces {
            delivered += piece.delivered();
            if !piece.is_done() {
                break;
            }
        }
        delivered
    }

    /// Starts to read an object without metadata: the first response states where it ends.
    pub(super) fn begin(&mut self) {
        let until = self.until();
        if self.concurrency > 1 {
            let first = self.start.saturating_add(self.options.range_size.max(1));
            self.read(self.start, Some(until.map_or(first, |until| until.min(first))));
        } else {
            self.read(self.start, until);
        }
    }

    /// Pins the object to the metadata in the response to a HEAD.
    pub(super) fn pin(&mut self, object: Object<D::Head>) -> Result<(), Error> {
        self.expects(object.size)?;
        if let Some(ByteRange::Last(length)) = self.wanted {
            let size = object.size.ok_or_else(|| {
                Error::invalid_response("the response to HEAD has no Content-Length")
            })?;
            self.start = size.saturating_sub(length);
        }
        self.object = Some(object);
        Ok(())
    }

    /// Discards the first response: after a HEAD the download starts again.
    pub(super) fn start_over(&mut self) {
        self.in_doubt = false;
        self.early = None;
        self.pieces.clear();
    }

    /// Starts to read a pinned object in ranges of at most `step` bytes that cross no end of these
    /// parts.
    pub(super) fn begin_along(&mut self, step: u64, parts: &[u64]) {
        let until = self.until();
        let size = self.object.as_ref().and_then(|object| object.size);
        match size.map(|size| until.map_or(size, |until| until.min(size))) {
            // An empty object has no valid range.
            Some(end) if end > self.start && (self.concurrency > 1 || !parts.is_empty()) => {
                self.plan = Plan::new(self.start..end, step).along(parts);
            }
            _ => self.read(self.start, until),
        }
    }

    /// Returns the next step. Ends when all ranges are complete, or with the first error once
    /// nothing is in flight.
    pub(super) fn poll(&mut self, now: Now) -> Step<()> {
        if self.error.is_none() {
            match self.next(now) {
                Ok(Next::Send(draft)) => return Step::Send(draft),
                Ok(Next::Wait(wait)) => return Step::Wait(wait),
                Ok(Next::Finish) => return Step::Done(Ok(())),
                Err(error) => self.error = Some(error),
            }
        }
        if self.pieces.iter().any(Piece::is_in_flight) || !self.overtaken.is_empty() {
            return Step::Wait(None);
        }
        self.error.take().map_or(Step::Wait(None), |error| Step::Done(Err(error)))
    }

    /// Handles the end of an attempt at a range.
    pub(super) fn complete(&mut self, now: Now, done: Completion) {
        let ticket = done.draft().ticket;
        if let Some(at) = self.overtaken.iter().position(|overtaken| *overtaken == ticket) {
            self.overtaken.swap_remove(at);
            return;
        }
        let sent = |piece: &Piece| piece.is_sent_as(ticket);
        let Some(at) = self.pieces.iter().position(sent) else { return };
        match self.pieces.get_mut(at).map(|piece| piece.ended(ticket)) {
            // The bytes come by the other request, which goes on.
            Some(Remaining::Other) => return,
            Some(Remaining::Overtaken(other)) => self.overtaken.extend(other),
            None => {}
        }
        let limits = done.draft().timeouts;
        let outcome = done.into_parts().1.and_then(|reply| self.answered(at, &reply, &limits));
        if let Err(error) = outcome {
            // Only after the first response, before the sink has a byte: a HEAD decides.
            if self.in_doubt {
                return;
            }
            self.failed(now, at, error);
        }
    }

    /// Handles the head of the response to a range, before its body. The first one states which
    /// object is read: the requests after it ask for the same one.
    pub(super) fn opened(&mut self, now: Now, opened: &Opened) {
        let ticket = opened.ticket();
        let sent = |piece: &Piece| piece.is_sent_as(ticket);
        if let Some(hedging) = &mut self.hedging
            && let Some(piece) = self.pieces.iter_mut().find(|piece| sent(piece))
            && let Some(after) = piece.opened(now)
        {
            hedging.answered(after);
        }
        if self.object.is_none() && self.early.is_none() && self.pieces.iter().any(sent) {
            self.early = self.dialect.object(&opened.reply()).ok();
        }
    }

    /// Returns the metadata of the object, as soon as a response has stated it.
    pub(super) fn head(&self) -> Option<&D::Head> {
        self.object.as_ref().or(self.early.as_ref()).map(|object| &object.head)
    }

    /// Returns how many requests are in flight at most.
    pub(super) fn most_in_flight(&self) -> usize {
        let hedged = usize::from(self.hedging.is_some());
        self.concurrency.saturating_mul(1 + hedged)
    }

    /// Sends no more requests, and waits for what is in flight.
    pub(super) fn cancel(&mut self) {
        self.error.get_or_insert_with(|| ExchangeError::cancelled().into());
    }

    /// Returns the end of the requested bytes; `None` for the end of the object.
    fn until(&self) -> Option<u64> {
        match &self.wanted {
            Some(ByteRange::Span(span)) => Some(span.end),
            _ => None,
        }
    }

    /// Starts a range.
    fn read(&mut self, start: u64, until: Option<u64>) {
        self.pieces.push_back(Piece::new(start, until, self.hashers.clone(), self.seed));
    }

    fn next(&mut self, now: Now) -> Result<Next, Error> {
        let mut wait = None;
        let mut unfinished = 0;
        let seconds = self.pieces.iter().filter(|piece| piece.second().is_some()).count();
        let has_room = seconds + self.overtaken.len() < self.concurrency;
        let after = self.hedging.as_ref().filter(|_| has_room).and_then(Hedging::after);
        for at in 0..self.pieces.len() {
            let Some(piece) = self.pieces.get_mut(at) else { break };
            unfinished += usize::from(!piece.is_done());
            match piece.state {
                State::Backoff(until) if now.tick < until.until => {
                    wait = Wait::earlier(wait, Some(until));
                }
                State::Backoff(_) | State::Ready => return self.send(now, at),
                State::Sent(_) => match after.and_then(|after| piece.second_due(after)) {
                    Some(until) if now.tick < until => {
                        let reason = WaitReason::Hedging;
                        wait = Wait::earlier(wait, Some(Wait { until, reason }));
                    }
                    Some(_) => return self.send_second(at),
                    None => {}
                },
                State::Done(_) => {}
            }
        }
        if unfinished < self.concurrency
            && self.pieces.len() < self.concurrency.saturating_mul(AHEAD)
            && let Some(range) = self.plan.next()
        {
            self.read(range.start, Some(range.end));
            return self.send(now, self.pieces.len().saturating_sub(1));
        }
        if self.pieces.is_empty() && self.overtaken.is_empty() {
            Ok(Next::Finish)
        } else {
            Ok(Next::Wait(wait))
        }
    }

    fn send(&mut self, now: Now, at: usize) -> Result<Next, Error> {
        let Some(mut draft) = self.draft(at)? else { return Ok(Next::Wait(None)) };
        let Some(piece) = self.pieces.get_mut(at) else { return Ok(Next::Wait(None)) };
        piece.sent(draft.ticket, draft.head.headers.contains_key(IF_MATCH));
        // Not the first request, whose response decides which object is read.
        if let Some(hedging) = self.hedging.as_mut().filter(|_| self.object.is_some()) {
            let first = Hedged::new();
            draft.hedged = Some(first.clone());
            piece.hedge(first, now);
            hedging.sent();
        }
        Ok(Next::Send(draft))
    }

    /// Sends a second request for a range of which no byte has come.
    fn send_second(&mut self, at: usize) -> Result<Next, Error> {
        let Some(mut draft) = self.draft(at)? else { return Ok(Next::Wait(None)) };
        if let Some(piece) = self.pieces.get_mut(at) {
            draft.hedged = piece.sent_second(draft.ticket);
        }
        if let Some(hedging) = &mut self.hedging {
            hedging.sent_second();
        }
        Ok(Next::Send(draft))
    }

    /// Makes the request for what was not delivered of a range.
    fn draft(&mut self, at: usize) -> Result<Option<Box<Draft>>, Error> {
        let compares_tag = self.compares_tag();
        let Some(piece) = self.pieces.get(at) else { return Ok(None) };
        let at = piece.next();
        let pinned = self.object.as_ref().or(self.early.as_ref());
        let tag = pinned.and_then(Object::if_match);
        let size = pinned.and_then(|object| object.size).or(self.options.size);
        let etag = pinned.and_then(|object| object.etag.clone());
        let coding = match pinned {
            _ if !self.coded => Coding::Any,
            None => Coding::Untold,
            Some(object) => Coding::Stored(object.coding.clone()),
        };
        let modified = pinned.and_then(|object| object.modified.clone());
        let (base, tag, etag, modified, total, coding) = match self.dialect.segment(at) {
            Some(held) => {
                let etag = held.tag.and_then(|tag| HeaderValue::from_str(tag).ok());
                (held.start, held.tag, etag, None, Some(held.length), Coding::Any)
            }
            None => (0, tag, etag, modified, size, coding),
        };
        let range = piece.range(base);
        let mut draft = self.dialect.draft(at, range.clone(), tag)?;
        let first = self.object.is_none() && range.is_none();
        let declared = self.dialect.hashes_declared() && first;
        let until = piece.until().map_or(u64::MAX, |until| until.saturating_sub(base));
        draft.incoming = Incoming::Stream {
            at: at.saturating_sub(self.start),
            hashers: piece.hashers().clone(),
            declared,
            tag: compares_tag && first,
            expect: Expect {
                range: range.map(|_| at.saturating_sub(base)..until),
                etag,
                modified,
                total,
                coding,
            },
        };
        self.sequence = self.sequence.wrapping_add(1);
        draft.auth = self.auth;
        draft.ticket = Ticket::new(self.sequence);
        Ok(Some(draft))
    }
}

/// Returns the digests that are computed independently of the head.
fn computed(options: &DownloadOptions) -> impl Iterator<Item = Algorithm> {
    let expected = options.expected.iter().map(Value::algorithm);
    options.digests.iter().copied().chain(expected)
}

fn is_empty(range: &ByteRange) -> bool {
    match range {
        ByteRange::Span(span) => span.is_empty(),
        ByteRange::Last(length) => *length == 0,
        ByteRange::From(_) => false,
    }
}

/// How many ranges are kept while the first of them is unfinished, as a multiple of the concurrency.
const AHEAD: usize = 64;

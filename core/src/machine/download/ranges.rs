//! The ranges of one object, in whatever protocol they are asked for.

use std::collections::VecDeque;
use std::fmt;

use http::header::{HeaderValue, IF_MATCH};

use super::DownloadOptions;
use super::piece::{Piece, State};
use super::plan::Plan;
use super::tally::Tally;
use crate::checksum::{Algorithm, Hashers, Value, Verdict};
use crate::contract::{self, Step};
use crate::error::{Error, Failure};
use crate::http::{ByteRange, Coding, Completion, Draft, ETag, Expect, Incoming, Reply, Ticket};
use crate::now::{Now, Wait};

/// How a protocol asks for bytes of an object, and what its answers say.
pub(super) trait Dialect: fmt::Debug {
    /// Where the object is.
    type Service: contract::Service;
    /// What a head tells of the object.
    type Head: Clone + fmt::Debug;

    /// The name of the operation.
    const NAME: &'static str;

    fn service(&self) -> &Self::Service;

    /// A request for this range of what holds the byte `at`, or all of it, if its tag is still this
    /// one.
    fn draft(
        &self,
        at: u64,
        range: Option<ByteRange>,
        tag: Option<&str>,
    ) -> Result<Box<Draft>, Error>;

    /// The refusal that an answer is.
    fn success(&self, reply: &Reply) -> Result<(), Error>;

    /// What an answer that is none tells of the object.
    fn object(&self, reply: &Reply) -> Result<Object<Self::Head>, Error>;

    /// Whether a HEAD can still be asked for what an answer leaves open.
    fn can_ask(&self) -> bool {
        false
    }

    /// Whether the checksum that a head declares of all of the object is computed too.
    fn hashes_declared(&self) -> bool;

    /// Whether the tag of an object that was stored in one request is the MD5 of its bytes.
    fn tags_are_md5(&self) -> bool {
        false
    }

    /// What the service remembers redirects by.
    fn resource(&self) -> Option<&str> {
        None
    }

    /// The object of its own which the byte `at` is read from, where that is not the object that is
    /// meant.
    fn segment(&self, at: u64) -> Option<Held<'_>> {
        let _ = at;
        None
    }

    /// A tag that an answer gave was refused as a condition. Whether the server may compare conditions
    /// with another one, so that from now on only the tags of answers are compared.
    fn relax(&mut self) -> bool {
        false
    }

    /// The refusal of what is left of a range, in the words that it deserves.
    fn explain(&self, piece: &Piece, reply: &Reply, error: Error) -> Error {
        let _ = (piece, reply);
        error
    }
}

/// Where some of the bytes are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held<'a> {
    /// The first of them, in the object that is meant.
    pub(super) start: u64,
    /// How many.
    pub(super) length: u64,
    /// The tag of what holds them.
    pub(super) tag: Option<&'a str>,
}

/// What is known of the object since the first head, and may not change any more.
#[derive(Debug)]
pub(super) struct Object<H> {
    pub(super) head: H,
    pub(super) etag: Option<HeaderValue>,
    pub(super) size: Option<u64>,
    pub(super) coding: Option<String>,
}

impl<H> Object<H> {
    /// An object of this tag, size in bytes and `Content-Encoding`.
    pub(super) fn new(
        head: H,
        etag: Option<&str>,
        size: Option<u64>,
        coding: Option<&str>,
    ) -> Self {
        let tag = etag.filter(|tag| !tag.is_empty());
        let etag = tag.and_then(|tag| HeaderValue::from_str(tag).ok());
        Self { head, etag, size, coding: coding.and_then(Coding::read) }
    }

    pub(super) fn tag(&self) -> Option<ETag> {
        Some(ETag::from(self.etag.as_ref()?.to_str().ok()?))
    }

    /// The tag that `If-Match` is given. A weak one matches nothing there (RFC 9110, section
    /// 13.1.1).
    fn if_match(&self) -> Option<&str> {
        self.etag.as_ref()?.to_str().ok().filter(|tag| !tag.starts_with("W/"))
    }
}

/// The object's bytes on their way to the sink.
#[derive(Debug)]
pub(super) struct Ranges<D: Dialect> {
    pub(super) dialect: D,
    pub(super) options: DownloadOptions,
    pub(super) party: usize,
    pub(super) seed: u64,
    /// What is wanted of the object; `None` is all of it.
    pub(super) wanted: Option<ByteRange>,
    /// Ranges at once.
    pub(super) width: usize,
    /// Where in the object the sink starts.
    pub(super) start: u64,
    pub(super) object: Option<Object<D::Head>>,
    /// Hashes of no bytes, which every range starts with.
    pub(super) hashers: Hashers,
    pub(super) plan: Plan,
    /// Those that were started, in their order, the front one unfinished.
    pub(super) pieces: VecDeque<Piece>,
    /// Of those before them.
    pub(super) tally: Tally,
    /// Whether the coding of answers matters: not where the caller asks for another.
    pub(super) coded: bool,
    /// The first answer is coded as the object may not be: a HEAD has to tell, once.
    pub(super) in_doubt: bool,
    /// All came that will come by itself, and no length shows that it is all of the object.
    pub(super) unsettled: bool,
    /// Whether the end of the object is known, and not only the end of a connection.
    pub(super) certain: bool,
    sequence: u32,
    pub(super) redirected: bool,
    /// The first; nothing more is asked for.
    pub(super) error: Option<Error>,
}

/// What is next.
enum Next {
    Send(Box<Draft>),
    Wait(Option<Wait>),
    /// All of it is there.
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
        // All of it: asked for as a range, an empty object would be refused.
        let wanted = wanted.filter(|range| *range != ByteRange::From(0));
        Self {
            dialect,
            width: if combine { options.width.max(1) } else { 1 },
            options,
            party: 0,
            seed,
            wanted,
            start,
            object: None,
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
            error: None,
        }
    }

    /// Looks at what is wanted, before anything is asked for.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        if self.wanted.as_ref().is_some_and(is_empty) {
            return Err(Error::caller("the range is empty").in_operation(D::NAME));
        }
        self.hashers = Hashers::new(computed(&self.options))?;
        Ok(())
    }

    /// Whether all of the object is wanted.
    pub(super) fn is_whole(&self) -> bool {
        self.wanted.is_none()
    }

    /// Whether the MD5 of the bytes is to be compared with the tag of the object.
    pub(super) fn compares_tag(&self) -> bool {
        self.is_whole()
            && self.options.verify_etag
            && self.options.expected.is_empty()
            && self.dialect.tags_are_md5()
    }

    /// An object of another size than the caller knows is another one.
    fn expects(&self, size: Option<u64>) -> Result<(), Error> {
        match (size, self.options.size) {
            (Some(size), Some(expected)) if size != expected => Err(Error::integrity(format!(
                "the object has {size} bytes, and {expected} are expected"
            ))),
            _ => Ok(()),
        }
    }

    /// Compares what was read with what the caller knows of the object. The verdict is one where a
    /// digest was compared.
    pub(super) fn compare_expected(&self) -> Result<Option<Verdict>, Error> {
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
                        "the {algorithm} of the bytes is {}, and {} is expected",
                        computed.hex(),
                        expected.hex()
                    )));
                }
                // An empty object may have been read without a request for its bytes.
                None if self.tally.length() == 0 && algorithm.digest(b"")? == *expected => {}
                None => {
                    let what = format!("the {algorithm} of the bytes was not computed");
                    return Err(Error::integrity(what));
                }
            }
        }
        let first = self.options.expected.first();
        Ok(first.map(|value| Verdict::Validated(value.algorithm())))
    }

    /// Bytes from the first one that was asked for which the sink has without a gap.
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

    /// Reads an object of which nothing is known yet: its first answer tells where it ends.
    pub(super) fn begin(&mut self) {
        let until = self.until();
        if self.width > 1 {
            let first = self.start.saturating_add(self.options.range_size.max(1));
            self.read(self.start, Some(until.map_or(first, |until| until.min(first))));
        } else {
            self.read(self.start, until);
        }
    }

    /// The object is this one, as an answer to a HEAD says.
    pub(super) fn pin(&mut self, object: Object<D::Head>) -> Result<(), Error> {
        self.expects(object.size)?;
        if let Some(ByteRange::Last(length)) = self.wanted {
            let size = object.size.ok_or_else(|| {
                Error::broken("the answer to a HEAD does not tell the length of the object")
            })?;
            self.start = size.saturating_sub(length);
        }
        self.object = Some(object);
        Ok(())
    }

    /// The first answer was of no use: what an answer to a HEAD tells is asked for, and then all anew.
    pub(super) fn start_over(&mut self) {
        self.in_doubt = false;
        self.pieces.clear();
    }

    /// Reads ranges of at most `step` bytes which cross no end of these parts, of a pinned object.
    pub(super) fn begin_along(&mut self, step: u64, parts: &[u64]) {
        let until = self.until();
        let size = self.object.as_ref().and_then(|object| object.size);
        match size.map(|size| until.map_or(size, |until| until.min(size))) {
            // An empty object has no range that could be asked for.
            Some(end) if end > self.start && (self.width > 1 || !parts.is_empty()) => {
                self.plan = Plan::new(self.start..end, step).along(parts);
            }
            _ => self.read(self.start, until),
        }
    }

    /// What to do next about the ranges. It is over when all of them are there, or when the first
    /// error is told and nothing is in flight any more.
    pub(super) fn poll(&mut self, now: Now) -> Step<()> {
        if self.error.is_none() {
            match self.next(now) {
                Ok(Next::Send(draft)) => return Step::Send(draft),
                Ok(Next::Wait(wait)) => return Step::Wait(wait),
                Ok(Next::Finish) => return Step::Done(Ok(())),
                Err(error) => self.error = Some(error),
            }
        }
        if self.pieces.iter().any(Piece::is_in_flight) {
            return Step::Wait(None);
        }
        self.error.take().map_or(Step::Wait(None), |error| Step::Done(Err(error)))
    }

    /// An attempt at a range has ended.
    pub(super) fn complete(&mut self, now: Now, done: Completion) {
        let ticket = done.draft().ticket;
        let sent = |piece: &Piece| matches!(piece.state, State::Sent(sent) if sent == ticket);
        let Some(at) = self.pieces.iter().position(sent) else { return };
        if let Some(piece) = self.pieces.get_mut(at) {
            piece.state = State::Ready;
        }
        let limits = done.draft().limits;
        let outcome = done.into_parts().1.and_then(|reply| self.answered(at, &reply, &limits));
        if let Err(error) = outcome {
            // Said of the first answer, before the sink has a byte: how the object is stored decides.
            if self.in_doubt {
                return;
            }
            self.failed(now, at, error);
        }
    }

    /// What is in flight is waited for, and nothing more is asked for.
    pub(super) fn cancel(&mut self) {
        self.error.get_or_insert_with(|| Failure::cancelled().into());
    }

    /// Where the bytes end that are wanted, if not with the object.
    fn until(&self) -> Option<u64> {
        match &self.wanted {
            Some(ByteRange::Span(span)) => Some(span.end),
            _ => None,
        }
    }

    /// Starts a range of the object.
    fn read(&mut self, start: u64, until: Option<u64>) {
        self.pieces.push_back(Piece::new(start, until, self.hashers.clone(), self.seed));
    }

    fn next(&mut self, now: Now) -> Result<Next, Error> {
        let mut wait = None;
        let mut unfinished = 0;
        for at in 0..self.pieces.len() {
            let Some(piece) = self.pieces.get_mut(at) else { break };
            unfinished += usize::from(!piece.is_done());
            match piece.state {
                State::Backoff(until) if now.tick < until.until => {
                    wait = Wait::earlier(wait, Some(until));
                }
                State::Backoff(_) | State::Ready => return self.send(at),
                State::Sent(_) | State::Done(_) => {}
            }
        }
        if unfinished < self.width
            && self.pieces.len() < self.width.saturating_mul(AHEAD)
            && let Some(range) = self.plan.next()
        {
            self.read(range.start, Some(range.end));
            return self.send(self.pieces.len().saturating_sub(1));
        }
        if self.pieces.is_empty() { Ok(Next::Finish) } else { Ok(Next::Wait(wait)) }
    }

    fn send(&mut self, at: usize) -> Result<Next, Error> {
        let compares_tag = self.compares_tag();
        let Some(piece) = self.pieces.get_mut(at) else { return Ok(Next::Wait(None)) };
        let at = piece.next();
        let tag = self.object.as_ref().and_then(Object::if_match);
        let size = self.object.as_ref().and_then(|object| object.size).or(self.options.size);
        let etag = self.object.as_ref().and_then(|object| object.etag.clone());
        let coding = match &self.object {
            _ if !self.coded => Coding::Any,
            None => Coding::Untold,
            Some(object) => Coding::Stored(object.coding.clone()),
        };
        let (base, tag, etag, total, coding) = match self.dialect.segment(at) {
            Some(held) => {
                let etag = held.tag.and_then(|tag| HeaderValue::from_str(tag).ok());
                (held.start, held.tag, etag, Some(held.length), Coding::Any)
            }
            None => (0, tag, etag, size, coding),
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
                total,
                coding,
            },
        };
        self.sequence = self.sequence.wrapping_add(1);
        let ticket = Ticket::new(self.sequence);
        piece.sent(ticket, draft.head.headers.contains_key(IF_MATCH));
        draft.party = self.party;
        draft.ticket = ticket;
        Ok(Next::Send(draft))
    }
}

/// The digests that are computed whatever the head says.
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

/// Times the width: how many ranges are remembered while the first of them is not finished.
const AHEAD: usize = 64;

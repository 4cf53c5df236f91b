//! An object, read from its first byte to its last.
//!
//! ```text
//!            checksum of ranges, or the last bytes wanted
//!         ┌────────────────────▶ Asking ─────────────────┐
//!  start ─┤                                              ▼
//!         └────────────────────▶ Reading ◀───────────────┘
//!                                   │ ▲
//!               one range, whose head tells size and ETag,
//!               then up to `width` at once:
//!                                   │ │
//!                       ┌───────────┘ └── back-off over ──┐
//!                       ▼                                 │
//!                     Ready ──▶ Sent ──cut, refused──▶ Backoff
//!                                │
//!                                └──all of it there──▶ Done ──in order──▶ checked, Over
//! ```
//!
//! The bytes go to the caller's sink at their distance from the first byte that was asked for, each
//! once. After the first of them the object is pinned: every further request says `If-Match`, and
//! another ETag, another length or a 412 is an error, for the sink can't be taken back. A range that
//! was cut goes on after its last byte, and so does its hash, which travels with the draft.
//!
//! At most `width` ranges are unfinished at a time, those in back-off included: whoever writes
//! them in order never has to wait for one that is not allowed to start.

mod check;
mod piece;
mod plan;

use std::collections::VecDeque;
use std::sync::Arc;

use http::StatusCode;
use http::header::HeaderValue;

use crate::checksum::{Algorithm, Declared, Digests, Hashers, Verdict, Why};
use crate::contract::{self, Class, Leave, Machine, Operation as _, Service as _, Step, Wait};
use crate::error::{Cause, Error, Failure, Kind};
use crate::http::{Completion, Draft, Expect, Incoming, Reply, Ticket};
use crate::machine::Call;
use crate::machine::call::verdict;
use crate::now::Now;
use crate::s3::{self, ByteRange, Conditions, GetObject, HeadObject, ObjectHead, Service};

use self::check::Tally;
use self::piece::{Piece, State};
use self::plan::Plan;

/// Reads an object, or a range of it: resumes what was cut, checks what can be checked, and is
/// never silently short. "GetObject" and "HeadObject", S3 API reference.
///
/// With a width of 1 it is one GET, streamed, and another one after each cut. With more, ranges are
/// read in parallel. It falls back to one GET where the server ignores `Range`, and where a checksum
/// is to be computed that can't be combined from those of ranges.
#[derive(Debug)]
pub struct Download {
    get: GetObject,
    service: Arc<Service>,
    options: DownloadOptions,
    party: usize,
    seed: u64,
    /// Whether a checksum of the server's is asked for and compared.
    validates: bool,
    phase: Phase,
    /// Ranges at once.
    width: usize,
    /// Where in the object the sink starts.
    start: u64,
    object: Option<Object>,
    /// Hashes of no bytes, which every range starts with.
    hashers: Hashers,
    plan: Plan,
    /// Those that were started, in their order, the front one unfinished.
    pieces: VecDeque<Piece>,
    /// Of those before them.
    tally: Tally,
    sequence: u32,
    redirected: bool,
    error: Option<Error>,
}

/// How an object is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadOptions {
    /// Bytes of one range where there are several. A driver whose sink wants its bytes in order may
    /// hold `width` of them in memory.
    pub range_size: u64,
    /// How many ranges are read at once.
    pub width: usize,
    /// Digests of what is read, beside the one that the server's checksum needs. Those that don't
    /// [combine](Algorithm::combines) make it read one range, whatever the width.
    pub digests: Vec<Algorithm>,
    /// How many times a range is asked for at most. `None`: as often as there is progress, and
    /// [`Patience::attempts`](crate::machine::Patience::attempts) times without.
    pub total_attempts: Option<u32>,
}

impl Default for DownloadOptions {
    /// One range at a time, or several of 8 MiB; no digests; attempts as long as there is progress.
    fn default() -> Self {
        Self { range_size: 8 << 20, width: 1, digests: Vec::new(), total_attempts: None }
    }
}

/// What a [`Download`] comes to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Downloaded {
    /// What the first answer said of the object.
    pub head: ObjectHead,
    /// Bytes that the sink got.
    pub bytes: u64,
    /// Checksums of these bytes: those that were asked for, and the one that was compared.
    pub digests: Digests,
    /// Whether the bytes were checked against a checksum of the server's.
    pub verdict: Verdict,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Asking(Box<Call<HeadObject>>),
    Reading,
    Over,
}

/// What is known of the object since the first head, and may not change any more.
#[derive(Debug)]
struct Object {
    head: ObjectHead,
    etag: Option<HeaderValue>,
    size: Option<u64>,
}

impl Download {
    /// Reads what `get` names from `service`; `seed` decides the jitter of the delays. Whether the
    /// bytes are checked is decided by the client's policy and `get`'s own
    /// [`checksum_mode`](GetObject::checksum_mode).
    pub fn new(get: GetObject, service: Arc<Service>, options: DownloadOptions, seed: u64) -> Self {
        let policy = service.config().checksum.with(&get.checksum.overrides);
        let combine = options.digests.iter().all(|algorithm| algorithm.combines());
        let start = match &get.range {
            Some(ByteRange::From(start)) => *start,
            Some(ByteRange::Span(span)) => span.start,
            Some(ByteRange::Last(_)) | None => 0,
        };
        Self {
            validates: policy.validates(get.checksum_mode),
            width: if combine { options.width.max(1) } else { 1 },
            get,
            service,
            options,
            party: 0,
            seed,
            phase: Phase::Begin,
            start,
            object: None,
            hashers: Hashers::default(),
            plan: Plan::default(),
            pieces: VecDeque::new(),
            tally: Tally::default(),
            sequence: 0,
            redirected: false,
            error: None,
        }
    }

    /// Goes under this one of the pump's authorities.
    #[must_use]
    pub fn under(mut self, party: usize) -> Self {
        self.party = party;
        self
    }

    /// Bytes from the first one that was asked for which the sink has without a gap.
    pub fn delivered(&self) -> u64 {
        let mut delivered = self.tally.length();
        for piece in &self.pieces {
            delivered += piece.delivered();
            if !piece.is_done() {
                break;
            }
        }
        delivered
    }

    fn begin(&mut self) -> Result<(), Error> {
        let wrong = |what: &'static str| Err(Error::caller(what).in_operation(GetObject::NAME));
        match &self.get.range {
            _ if self.get.part_number.is_some() => {
                return wrong(
                    "a download reads ranges, which can't be asked for with a part number",
                );
            }
            Some(ByteRange::Span(span)) if span.is_empty() => return wrong("the range is empty"),
            Some(ByteRange::Last(0)) => return wrong("the range is empty"),
            // All of it: asked for so, an empty object would be refused.
            Some(ByteRange::From(0)) => self.get.range = None,
            _ => {}
        }
        self.hashers = Hashers::new(self.options.digests.iter().copied())?;
        let until = match &self.get.range {
            Some(ByteRange::Span(span)) => Some(span.end),
            Some(ByteRange::Last(_)) => {
                self.ask();
                return Ok(());
            }
            None if self.width > 1 && self.validates => {
                self.ask();
                return Ok(());
            }
            Some(ByteRange::From(_)) | None => None,
        };
        self.phase = Phase::Reading;
        if self.width > 1 {
            let first = self.start.saturating_add(self.options.range_size.max(1));
            self.read(self.start, Some(until.map_or(first, |until| until.min(first))));
        } else {
            self.read(self.start, until);
        }
        Ok(())
    }

    /// Asks for size, ETag and checksum before the first byte.
    fn ask(&mut self) {
        let get = self.get.clone();
        let head = HeadObject {
            version_id: get.version_id,
            conditions: get.conditions,
            customer_key: get.customer_key,
            checksum_mode: self.validates,
            common: get.common,
            ..HeadObject::new(get.bucket, get.key)
        };
        let call = Call::new(head, Arc::clone(&self.service), self.seed).under(self.party);
        self.phase = Phase::Asking(Box::new(call));
    }

    /// What was asked for has been answered.
    fn asked(&mut self, head: ObjectHead) -> Result<(), Error> {
        let object = Object::new(head);
        let size = object.size;
        if let Some(ByteRange::Last(length)) = self.get.range {
            let size = size.ok_or_else(|| {
                Error::broken("the answer to a HEAD does not tell the length of the object")
            })?;
            self.start = size.saturating_sub(length);
        }
        let declared = check::declared(&object.head).filter(|_| self.validates && self.is_whole());
        if let Some(Declared::FullObject(value)) = &declared {
            self.hashers = self.hashers.with(value.algorithm())?;
            if !value.algorithm().combines() {
                self.width = 1;
            }
        }
        self.object = Some(object);
        self.phase = Phase::Reading;
        match size {
            // An empty object has no range that could be asked for.
            Some(size) if self.width > 1 && size > self.start => {
                self.plan = Plan::new(self.start..size, self.options.range_size);
            }
            _ => self.read(self.start, None),
        }
        Ok(())
    }

    /// Starts a range of the object.
    fn read(&mut self, start: u64, until: Option<u64>) {
        self.pieces.push_back(Piece::new(start, until, self.hashers.clone(), self.seed));
    }

    /// Whether all of the object is wanted.
    fn is_whole(&self) -> bool {
        self.get.range.is_none()
    }

    fn send(&mut self, at: usize) -> Result<Option<Draft>, Error> {
        let Some(piece) = self.pieces.get_mut(at) else { return Ok(None) };
        let mut get = self.get.clone();
        get.range = piece.range();
        if let Some(etag) = self.object.as_ref().and_then(Object::if_match) {
            get.conditions = Conditions::matches(etag);
        }
        let mut draft = get.draft(&self.service)?;
        draft.incoming = Incoming::Stream {
            at: piece.next().saturating_sub(self.start),
            hashers: piece.hashers().clone(),
            declared: self.validates && self.object.is_none() && get.range.is_none(),
            expect: Expect {
                range: get.range.map(|_| piece.next()..piece.until().unwrap_or(u64::MAX)),
                etag: self.object.as_ref().and_then(|object| object.etag.clone()),
                total: self.object.as_ref().and_then(|object| object.size),
            },
        };
        self.sequence = self.sequence.wrapping_add(1);
        let ticket = Ticket::new(self.sequence);
        piece.sent(ticket);
        draft.party = self.party;
        draft.ticket = ticket.under(RANGE);
        Ok(Some(draft))
    }

    /// What to do next about the ranges.
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
                State::Backoff(_) | State::Ready => {
                    return Ok(self.send(at)?.map_or(Next::Wait(wait), Next::Send));
                }
                State::Sent(_) | State::Done(_) => {}
            }
        }
        if unfinished < self.width && self.pieces.len() < self.width.saturating_mul(AHEAD) {
            if let Some(range) = self.plan.next() {
                self.read(range.start, Some(range.end));
                let draft = self.send(self.pieces.len().saturating_sub(1))?;
                return Ok(draft.map_or(Next::Wait(wait), Next::Send));
            }
        }
        if self.pieces.is_empty() { Ok(Next::Finish) } else { Ok(Next::Wait(wait)) }
    }

    fn finish(&mut self) -> Result<Downloaded, Error> {
        let bytes = self.tally.length();
        let head = match &self.object {
            Some(object) => object.head.clone(),
            None => return Err(Error::broken("there was no answer")),
        };
        let verdict = if !self.validates {
            let asked = if head.checksums.is_empty() { Why::NotAsked } else { Why::Unasked };
            Verdict::NotValidated(asked)
        } else if !self.is_whole() {
            Verdict::NotValidated(Why::Partial)
        } else {
            self.tally.verdict(&head)?
        };
        Ok(Downloaded { head, bytes, digests: self.tally.digests(), verdict })
    }

    /// An answer to the range number `at`. The error is one of this attempt.
    fn answered(&mut self, at: usize, reply: &Reply) -> Result<(), Error> {
        if let Err(error) = s3::success(reply) {
            return self.refused(at, reply, error);
        }
        match self.take(at, reply) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let short = || Failure::new(Cause::Cut, "the body ended early");
                let cut = reply.cut.clone().unwrap_or_else(short);
                Err(Error::from(cut).with_status(reply.status()))
            }
            // The sink has bytes that can't be accounted for, so that nothing can be repeated.
            Err(error) => {
                self.error.get_or_insert(error.with_status(reply.status()));
                Ok(())
            }
        }
    }

    /// Takes what the sink got of an answer with a good head. True when the range is complete.
    fn take(&mut self, at: usize, reply: &Reply) -> Result<bool, Error> {
        let Some(piece) = self.pieces.get_mut(at) else { return Ok(true) };
        // Before the first byte the object may still change.
        if self.object.is_none() && (reply.streamed > 0 || reply.cut.is_none()) {
            let object = Object::new(ObjectHead::read(reply)?);
            if let Some(until) = piece.until() {
                let end = match (&self.get.range, object.size) {
                    (Some(ByteRange::Span(span)), size) => size.unwrap_or(u64::MAX).min(span.end),
                    (_, Some(size)) => size,
                    (_, None) => {
                        let what = "Content-Range does not tell the length of the object";
                        return Err(Error::broken(what));
                    }
                };
                self.plan = Plan::new(until..end, self.options.range_size);
            }
            self.object = Some(object);
        }
        if let Some(object) = &mut self.object {
            // Not every first answer tells it.
            object.size = object.size.or(reply.content_range().and_then(|range| range.total));
        }
        let size = self.object.as_ref().and_then(|object| object.size);
        let patience = self.service.patience();
        piece.take(reply, size, patience);
        match piece.is_complete(reply.cut.is_none()) {
            Some(true) => {
                piece.finish(patience);
                self.collect()?;
                Ok(true)
            }
            Some(false) => Ok(false),
            None => Err(Error::integrity("more bytes came than the object has")),
        }
    }

    /// Adds up the finished ranges at the front.
    fn collect(&mut self) -> Result<(), Error> {
        while let Some(piece) = self.pieces.front() {
            let State::Done(digests) = &piece.state else { break };
            self.tally.add(digests, piece.delivered())?;
            self.pieces.pop_front();
        }
        Ok(())
    }

    /// A refusal that means something else than it says, or the error that it is.
    fn refused(&mut self, at: usize, reply: &Reply, error: Error) -> Result<(), Error> {
        let Some(piece) = self.pieces.get_mut(at) else { return Err(error) };
        let status = reply.status();
        let unsatisfiable = status == StatusCode::RANGE_NOT_SATISFIABLE;
        let ignores_range = reply.rejected.is_some() && status == StatusCode::OK;
        if self.object.is_some() {
            // The connection went away with the end of a body of untold length.
            let total = reply.content_range().and_then(|range| range.total);
            if unsatisfiable && piece.until().is_none() && total == Some(piece.next()) {
                piece.finish(self.service.patience());
                return self.collect();
            }
            if unsatisfiable || error.is_precondition_failed() {
                let ids = (error.request_id(), error.host_id());
                return Err(Error::integrity("the object changed while it was read")
                    .with_status(status)
                    .with_request_id(ids.0.map(str::to_owned), ids.1.map(str::to_owned)));
            }
        } else if self.get.range.is_none() && piece.until().is_some() {
            // An empty object has no ranges; some servers have none of any object.
            if unsatisfiable || ignores_range {
                *piece = Piece::new(0, None, self.hashers.clone(), self.seed);
                return Ok(());
            }
        }
        if ignores_range && error.kind() == Kind::Broken {
            return Err(error.with_hint("the server ignores `Range`"));
        }
        Err(error)
    }

    /// An attempt at a range failed.
    fn failed(&mut self, now: Now, at: usize, error: Error) {
        let asked = self.pieces.get(at).map_or(0, Piece::asked);
        let error = error.in_operation(GetObject::NAME).with_attempts(asked);
        let wait = if self.error.is_none() { self.again(now, at, &error) } else { None };
        match (wait, self.pieces.get_mut(at)) {
            (Some(wait), Some(piece)) => piece.state = State::Backoff(wait),
            (None, Some(piece)) => {
                piece.state = State::Ready;
                self.error.get_or_insert(error);
            }
            (_, None) => {}
        }
    }

    fn again(&mut self, now: Now, at: usize, error: &Error) -> Option<Wait> {
        let piece = self.pieces.get_mut(at)?;
        // All of the object where a part was asked for: this server will do it again.
        let ignores_range = error.kind() == Kind::Broken && error.status() == Some(StatusCode::OK);
        let enough = self.options.total_attempts.is_some_and(|total| piece.asked() >= total);
        if error.kind() == Kind::Integrity || ignores_range || enough {
            return None;
        }
        let verdict =
            verdict(error, Class::Read).unwrap_or_else(|| self.service.judge(error, Class::Read));
        if verdict == contract::Verdict::Elsewhere {
            let twice = std::mem::replace(&mut self.redirected, true);
            if twice || !self.service.learn(&self.get.bucket, error) {
                return None;
            }
        }
        piece.attempts().next(now, self.service.patience(), verdict, error)
    }

    fn over(&mut self, result: Result<Downloaded, Error>) -> Step<Downloaded> {
        self.phase = Phase::Over;
        Step::Done(result.map_err(|error| error.in_operation(GetObject::NAME)))
    }
}

impl Machine for Download {
    type Output = Downloaded;

    fn poll(&mut self, now: Now) -> Step<Downloaded> {
        loop {
            if let Phase::Asking(call) = &mut self.phase {
                match call.poll(now) {
                    Step::Send(mut draft) => {
                        draft.ticket = draft.ticket.under(HEAD);
                        return Step::Send(draft);
                    }
                    Step::Wait(wait) => return Step::Wait(wait),
                    Step::Done(head) => {
                        self.phase = Phase::Reading;
                        if let Err(error) = head.and_then(|head| self.asked(head)) {
                            self.error.get_or_insert(error);
                        }
                    }
                }
            }
            match self.phase {
                Phase::Over => return Step::Wait(None),
                _ if self.error.is_some() => {
                    if self.pieces.iter().any(Piece::is_in_flight) {
                        return Step::Wait(None);
                    }
                    if let Some(error) = self.error.take() {
                        return self.over(Err(error));
                    }
                }
                Phase::Begin => {
                    if let Err(error) = self.begin() {
                        self.error = Some(error);
                    }
                }
                Phase::Asking(_) => {}
                Phase::Reading => match self.next(now) {
                    Ok(Next::Send(draft)) => return Step::Send(draft),
                    Ok(Next::Wait(wait)) => return Step::Wait(wait),
                    Ok(Next::Finish) => {
                        let result = self.finish();
                        return self.over(result);
                    }
                    Err(error) => self.error = Some(error),
                },
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(HEAD), Phase::Asking(call)) => return call.complete(now, done),
            (Some(RANGE), Phase::Reading) => {}
            _ => return,
        }
        let ticket = done.draft().ticket;
        let sent = |piece: &Piece| matches!(piece.state, State::Sent(sent) if sent == ticket);
        let Some(at) = self.pieces.iter().position(sent) else { return };
        if let Some(piece) = self.pieces.get_mut(at) {
            piece.state = State::Ready;
        }
        let outcome = done.into_parts().1.and_then(|reply| self.answered(at, &reply));
        if let Err(error) = outcome {
            self.failed(now, at, error);
        }
    }

    /// What is in flight is waited for, and nothing more is asked for.
    fn cancel(&mut self, now: Now, leave: Leave) {
        if let Phase::Asking(call) = &mut self.phase {
            call.cancel(now, leave);
        }
        if !matches!(self.phase, Phase::Over) {
            self.error.get_or_insert_with(|| Failure::cancelled().into());
        }
    }

    fn width(&self) -> usize {
        self.width
    }
}

impl Object {
    fn new(head: ObjectHead) -> Self {
        let tag = head.etag.as_ref().filter(|tag| !tag.is_empty());
        let etag = tag.and_then(|tag| HeaderValue::from_str(tag.as_str()).ok());
        Self { etag, size: head.size, head }
    }

    /// The tag that `If-Match` is given. A weak one matches nothing there (RFC 9110, section
    /// 13.1.1).
    fn if_match(&self) -> Option<s3::ETag> {
        let etag = self.etag.as_ref()?.to_str().ok()?;
        (!etag.starts_with("W/")).then(|| s3::ETag::from(etag))
    }
}

#[expect(clippy::large_enum_variant, reason = "lives for one match")]
enum Next {
    Send(Draft),
    Wait(Option<Wait>),
    Finish,
}

/// The outermost numbers of tickets.
const HEAD: u32 = 0;
const RANGE: u32 = 1;
/// Times the width: how many ranges are remembered while the first of them is not finished.
const AHEAD: usize = 64;

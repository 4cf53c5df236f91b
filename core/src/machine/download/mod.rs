//! An object, read from its first byte to its last.
//!
//! ```text
//!          a checksum is combined from those of ranges, or the last bytes are wanted
//!         ┌──▶ Asking (HEAD) ──▶ Measuring (sizes of parts) ──┐
//!  Begin ─┤                                                   │
//!         └───────────────────────────────────────────────────┴──▶ Reading ──▶ Over
//!
//!  Reading: one range, whose head tells size and ETag, then up to `width` at once, each so:
//!
//!              ┌────────── back-off over ──────────┐
//!              ▼                                   │
//!            Ready ──────▶ Sent ──cut, refused──▶ Backoff
//!                           │
//!                           └──all of it there──▶ Done ──in order──▶ added up
//! ```
//!
//! The bytes go to the caller's sink at their distance from the first byte that was asked for, each
//! once. After the first of them the object is pinned: every further request says `If-Match`, and
//! another ETag, another length or a 412 is an error, for the sink can't be taken back. A range that
//! was cut goes on after its last byte, and so does its hash, which travels with the draft.
//!
//! At most `width` ranges are unfinished at a time, those in back-off included: whoever writes
//! them in order never has to wait for one that is not allowed to start.

mod answer;
mod begin;
mod check;
mod object;
mod piece;
mod plan;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use self::begin::Measuring;
use self::check::Tally;
use self::object::Object;
use self::piece::{Piece, State};
use self::plan::Plan;
use crate::checksum::{Algorithm, Digests, Hashers, Verdict, Why};
use crate::contract::{Leave, Machine, Operation as _, Step, Wait};
use crate::error::{Error, Failure};
use crate::http::{Completion, Draft, Expect, Incoming, Ticket};
use crate::machine::Call;
use crate::machine::nest::nest;
use crate::now::Now;
use crate::s3::{ByteRange, Conditions, GetObject, HeadObject, ObjectHead, Service};

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
    /// What the first answer said of the object. Its length and range are those of that answer.
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
    Measuring(Box<Measuring>),
    Reading,
    Over,
}

impl Download {
    /// Reads what `get` names from `service`; `seed` decides the jitter of the delays. Whether the
    /// bytes are checked is decided by the client's policy and `get`'s own
    /// [`checksum_mode`](GetObject::checksum_mode). A range is kept; a part number is refused, for
    /// several servers ignore it.
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

    /// Starts a range of the object.
    fn read(&mut self, start: u64, until: Option<u64>) {
        self.pieces.push_back(Piece::new(start, until, self.hashers.clone(), self.seed));
    }

    /// Whether all of the object is wanted.
    fn is_whole(&self) -> bool {
        self.get.range.is_none()
    }

    fn send(&mut self, at: usize) -> Result<Next, Error> {
        let Some(piece) = self.pieces.get_mut(at) else { return Ok(Next::Wait(None)) };
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
        Ok(Next::Send(draft))
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

    fn over(&mut self, result: Result<Downloaded, Error>) -> Step<Downloaded> {
        self.phase = Phase::Over;
        Step::Done(result.map_err(|error| error.in_operation(GetObject::NAME)))
    }
}

impl Machine for Download {
    type Output = Downloaded;

    fn poll(&mut self, now: Now) -> Step<Downloaded> {
        loop {
            let begun = match &mut self.phase {
                Phase::Asking(call) => match nest(call.poll(now), HEAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        self.phase = Phase::Reading;
                        head.and_then(|head| self.asked(head))
                    }
                },
                Phase::Measuring(measuring) => match nest(measuring.call.poll(now), PARTS) {
                    ControlFlow::Break(Step::Send(mut draft)) => {
                        draft.incoming = Incoming::Collect { limit: SIZES };
                        return Step::Send(draft);
                    }
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(answer) => self.measured(answer),
                },
                Phase::Begin if self.error.is_none() => self.begin(),
                Phase::Begin | Phase::Reading | Phase::Over => Ok(()),
            };
            if let Err(error) = begun {
                self.error.get_or_insert(error);
            }
            if matches!(self.phase, Phase::Over) {
                return Step::Wait(None);
            }
            if self.error.is_some() && self.pieces.iter().any(Piece::is_in_flight) {
                return Step::Wait(None);
            }
            if let Some(error) = self.error.take() {
                return self.over(Err(error));
            }
            if matches!(self.phase, Phase::Reading) {
                match self.next(now) {
                    Ok(Next::Send(draft)) => return Step::Send(draft),
                    Ok(Next::Wait(wait)) => return Step::Wait(wait),
                    Ok(Next::Finish) => {
                        let result = self.finish();
                        return self.over(result);
                    }
                    Err(error) => self.error = Some(error),
                }
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(HEAD), Phase::Asking(call)) => return call.complete(now, done),
            (Some(PARTS), Phase::Measuring(measuring)) => {
                return measuring.call.complete(now, done);
            }
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
        match &mut self.phase {
            Phase::Asking(call) => call.cancel(now, leave),
            Phase::Measuring(measuring) => measuring.call.cancel(now, leave),
            Phase::Begin | Phase::Reading | Phase::Over => {}
        }
        if !matches!(self.phase, Phase::Over) {
            self.error.get_or_insert_with(|| Failure::cancelled().into());
        }
    }

    fn width(&self) -> usize {
        self.width
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
const PARTS: u32 = 1;
const RANGE: u32 = 2;
/// Bytes of an answer with 1,000 parts and all their checksums, and more. A server that does not
/// know the question may answer with the object.
const SIZES: usize = 2 << 20;
/// Times the width: how many ranges are remembered while the first of them is not finished.
const AHEAD: usize = 64;

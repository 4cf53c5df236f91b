//! One range of an object, and its progress.

use std::time::Duration;

use crate::checksum::{Digests, Hashers};
use crate::http::{ByteRange, Hedged, Reply, Ticket};
use crate::now::{Now, Wait};
use crate::retry::{Attempts, RetryPolicy};

/// A range, how much of it was delivered, and the state of the rest.
///
/// ```text
///  start ........ next ........ end
///    delivered      still to be requested
/// ```
#[derive(Debug)]
pub(super) struct Piece {
    start: u64,
    /// The end of the requested range; `None` for the rest of the object.
    until: Option<u64>,
    /// The actual end, once a head has stated it.
    end: Option<u64>,
    delivered: u64,
    hashers: Hashers,
    attempts: Attempts,
    asked: u32,
    /// Whether the last attempt had `If-Match`.
    conditional: bool,
    pub(super) state: State,
    hedge: Option<Hedge>,
}

/// A request that may get a second one beside it.
#[derive(Debug)]
struct Hedge {
    first: Hedged,
    sent_at: Duration,
    /// Whether the head of a response has come.
    opened: bool,
    /// The second request while both are in flight.
    second: Option<Ticket>,
    /// Whether a second request was sent.
    used: bool,
}

/// What remains after the end of a request for a range.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remaining {
    /// Nothing, or a request that is overtaken.
    Overtaken(Option<Ticket>),
    /// The other request for the same bytes.
    Other,
}

#[derive(Debug)]
pub(super) enum State {
    Ready,
    Sent(Ticket),
    Backoff(Wait),
    Done(Digests),
}

impl Piece {
    /// Makes a range from `start` to `until`, or to the end of the object, hashed by `hashers`.
    pub(super) fn new(start: u64, until: Option<u64>, hashers: Hashers, seed: u64) -> Self {
        Self {
            start,
            until,
            end: None,
            delivered: 0,
            hashers,
            attempts: Attempts::new(seed.wrapping_add(start)),
            asked: 0,
            conditional: false,
            state: State::Ready,
            hedge: None,
        }
    }

    /// Returns the offset of the next byte in the object.
    pub(super) fn next(&self) -> u64 {
        self.start.saturating_add(self.delivered)
    }

    /// Returns how many bytes the sink has.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Returns how many bytes of the range the sink does not have yet, if its end is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.end.map(|end| end.saturating_sub(self.next()))
    }

    /// Returns the end of the requested range.
    pub(super) fn until(&self) -> Option<u64> {
        self.until
    }

    /// Returns the hash state of the delivered bytes.
    pub(super) fn hashers(&self) -> &Hashers {
        &self.hashers
    }

    /// Returns how many requests were sent for the range.
    pub(super) fn asked(&self) -> u32 {
        self.asked
    }

    pub(super) fn attempts(&mut self) -> &mut Attempts {
        &mut self.attempts
    }

    /// Returns the range to request next, relative to `base`: the offset at which the requested
    /// object or segment starts. `None` requests all of it, as is needed for an empty object.
    pub(super) fn range(&self, base: u64) -> Option<ByteRange> {
        let next = self.next().saturating_sub(base);
        match self.until {
            None if next == 0 => None,
            None => Some(ByteRange::From(next)),
            Some(until) => Some(ByteRange::Span(next..until.saturating_sub(base))),
        }
    }

    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self.state, State::Sent(_))
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    /// Returns whether the last attempt had `If-Match`.
    pub(super) fn is_conditional(&self) -> bool {
        self.conditional
    }

    pub(super) fn sent(&mut self, ticket: Ticket, conditional: bool) {
        self.hedge = None;
        self.conditional = conditional;
        self.asked += 1;
        self.attempts.sent();
        self.state = State::Sent(ticket);
    }

    /// Makes the request that was just sent one that may get a second one beside it.
    pub(super) fn hedge(&mut self, first: Hedged, now: Now) {
        let sent_at = now.tick;
        self.hedge = Some(Hedge { first, sent_at, opened: false, second: None, used: false });
    }

    /// Returns when a second request is due: after more than this time without a first byte.
    pub(super) fn second_due(&self, after: Duration) -> Option<Duration> {
        let is_late = |hedge: &&Hedge| !hedge.used && !hedge.opened && !hedge.first.is_answered();
        let hedge = self.hedge.as_ref().filter(|_| self.is_in_flight()).filter(is_late)?;
        Some(hedge.sent_at.saturating_add(after + Duration::from_nanos(1)))
    }

    /// Records the second request. Returns what its draft needs.
    pub(super) fn sent_second(&mut self, ticket: Ticket) -> Option<Hedged> {
        let hedge = self.hedge.as_mut()?;
        (hedge.second, hedge.used) = (Some(ticket), true);
        Some(hedge.first.second())
    }

    /// Returns the second request, if both are in flight.
    pub(super) fn second(&self) -> Option<Ticket> {
        self.hedge.as_ref()?.second
    }

    /// Records that the head of a response has come. Returns the time since the first request, the
    /// first time.
    pub(super) fn opened(&mut self, now: Now) -> Option<Duration> {
        let hedge = self.hedge.as_mut()?;
        let is_first = !std::mem::replace(&mut hedge.opened, true);
        is_first.then(|| now.tick.saturating_sub(hedge.sent_at))
    }

    /// Whether this request is in flight for the range.
    pub(super) fn is_sent_as(&self, ticket: Ticket) -> bool {
        match self.state {
            State::Sent(sent) => sent == ticket || self.second() == Some(ticket),
            _ => false,
        }
    }

    /// Handles the end of one of its requests.
    pub(super) fn ended(&mut self, ticket: Ticket) -> Remaining {
        let State::Sent(sent) = self.state else { return Remaining::Overtaken(None) };
        self.state = State::Ready;
        let Some(hedge) = &mut self.hedge else { return Remaining::Overtaken(None) };
        let Some(second) = hedge.second.take() else { return Remaining::Overtaken(None) };
        let (hedged, other) = if ticket == second {
            (hedge.first.second(), sent)
        } else {
            (hedge.first.clone(), second)
        };
        if hedged.is_first() {
            return Remaining::Overtaken(Some(other));
        }
        self.state = State::Sent(other);
        Remaining::Other
    }

    /// Counts progress as a success: resets the attempts.
    pub(super) fn progressed(&mut self, retry_policy: &RetryPolicy) {
        self.attempts.succeeded(retry_policy);
        self.attempts.reset();
    }

    /// Records what a successful response delivered, of an object of `size` bytes.
    pub(super) fn take(&mut self, reply: &Reply, size: Option<u64>) {
        self.delivered = self.delivered.saturating_add(reply.streamed);
        self.hashers = reply.hashers.clone();
        self.end = self.until;
        if let Some(size) = size {
            self.ends_at(size);
        }
    }

    /// Sets the end by the size of the object.
    pub(super) fn ends_at(&mut self, size: u64) {
        self.end = Some(self.until.map_or(size, |until| until.min(size)));
    }

    /// Returns whether the end is unknown.
    pub(super) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Returns whether the range is complete; `None` if more bytes came than the range has.
    /// `ended`: the body of the response was not cut.
    pub(super) fn is_complete(&self, ended: bool) -> Option<bool> {
        match self.end {
            Some(end) if self.next() > end => None,
            Some(end) => Some(self.next() == end),
            None => Some(ended),
        }
    }

    /// Completes the range.
    pub(super) fn finish(&mut self, retry_policy: &RetryPolicy) {
        self.attempts.succeeded(retry_policy);
        self.state = State::Done(std::mem::take(&mut self.hashers).finish());
    }
}

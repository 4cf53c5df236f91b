//! One range of an object on its way.

use crate::checksum::{Digests, Hashers};
use crate::http::{ByteRange, Reply, Ticket};
use crate::now::Wait;
use crate::retry::{Attempts, RetryPolicy};

/// A range, how much of it was delivered, and what is done about the rest.
///
/// ```text
///  start ........ next ........ end
///    delivered      still to be asked for
/// ```
#[derive(Debug)]
pub(super) struct Piece {
    start: u64,
    /// Where the range that is asked for ends; `None` asks for the rest of the object.
    until: Option<u64>,
    /// Where it really ends, once a head has told.
    end: Option<u64>,
    delivered: u64,
    hashers: Hashers,
    attempts: Attempts,
    asked: u32,
    /// The last attempt said `If-Match`.
    conditional: bool,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Ready,
    Sent(Ticket),
    Backoff(Wait),
    Done(Digests),
}

impl Piece {
    /// The bytes from `start` to `until`, or to the end of the object, hashed by `hashers`.
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
        }
    }

    /// Where in the object the next byte is.
    pub(super) fn next(&self) -> u64 {
        self.start.saturating_add(self.delivered)
    }

    /// Bytes that the sink has.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Where the range that is asked for ends.
    pub(super) fn until(&self) -> Option<u64> {
        self.until
    }

    /// The hashes of what was delivered.
    pub(super) fn hashers(&self) -> &Hashers {
        &self.hashers
    }

    /// How many times it was asked for.
    pub(super) fn asked(&self) -> u32 {
        self.asked
    }

    pub(super) fn attempts(&mut self) -> &mut Attempts {
        &mut self.attempts
    }

    /// What is asked for next, of what begins with the byte `base`; `None` is all of it, which an
    /// empty object needs.
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

    /// Whether the last attempt said `If-Match`.
    pub(super) fn is_conditional(&self) -> bool {
        self.conditional
    }

    pub(super) fn sent(&mut self, ticket: Ticket, conditional: bool) {
        self.conditional = conditional;
        self.asked += 1;
        self.attempts.sent();
        self.state = State::Sent(ticket);
    }

    /// Progress counts as a success.
    pub(super) fn progressed(&mut self, retry_policy: &RetryPolicy) {
        self.attempts.succeeded(retry_policy);
        self.attempts.reset();
    }

    /// Takes note of what an answer with a good head delivered, of an object of `size` bytes.
    pub(super) fn take(&mut self, reply: &Reply, size: Option<u64>) {
        self.delivered = self.delivered.saturating_add(reply.streamed);
        self.hashers = reply.hashers.clone();
        self.end = self.until;
        if let Some(size) = size {
            self.ends_at(size);
        }
    }

    /// The object has this many bytes.
    pub(super) fn ends_at(&mut self, size: u64) {
        self.end = Some(self.until.map_or(size, |until| until.min(size)));
    }

    /// Whether nothing has told where it ends.
    pub(super) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Whether all of it was delivered, where the answer's body ended by itself or not. `None`:
    /// more came than there is.
    pub(super) fn is_complete(&self, ended: bool) -> Option<bool> {
        match self.end {
            Some(end) if self.next() > end => None,
            Some(end) => Some(self.next() == end),
            None => Some(ended),
        }
    }

    /// It is all there.
    pub(super) fn finish(&mut self, retry_policy: &RetryPolicy) {
        self.attempts.succeeded(retry_policy);
        self.state = State::Done(std::mem::take(&mut self.hashers).finish());
    }
}

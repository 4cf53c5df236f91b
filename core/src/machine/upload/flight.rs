//! The parts in flight: the next one, how many at once, how far a stream may be read.
//!
//! ```text
//!            ┌─▶ Room ── the owner makes the call ─▶ launch ───┐
//!   poll ────┼─▶ Stored, Failed ── it records, or gives up ────┤
//!    ▲       ├─▶ Complete ── it makes the object of the parts  │
//!    │       └─▶ Drained ── after `stop`: it cleans up         │
//!    └─────────────────────────────────────────────────────────┘
//! ```
//!
//! The owner is the upload of one service. It also defines `P`, which sends a part: a machine of
//! one call.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::time::Duration;

use super::plan::Plan;
use crate::checksum::Value;
use crate::contract::{Machine, OnFailure, Step, StreamWindow};
use crate::error::Error;
use crate::http::{Completion, ETag};
use crate::machine::call::UnderWay;
use crate::machine::compose::nest;
use crate::now::{Now, Wait};

/// The parts of one source.
#[derive(Debug)]
pub(super) struct PartsInFlight<P> {
    pub(super) plan: Plan,
    /// The parts that the server has.
    pub(super) stored: BTreeMap<u32, StoredPart>,
    pub(super) window: StreamWindow,
    bounds: Bounds,
    next: u32,
    slots: Vec<Slot<P>>,
    stopped: bool,
    /// The number of attempts per part whose response was lost: the server may still store the
    /// part.
    late: BTreeMap<u32, UnderWay>,
}

/// The concurrency of parts, and the kind of their source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The maximum number of parts in flight.
    pub(super) concurrency: usize,
    /// The maximum number of bytes of parts in flight. It may reduce the concurrency below `concurrency`.
    pub(super) memory: u64,
    /// Whether the source is a stream, of which the stream window says how far it has been read.
    pub(super) stream: bool,
}

/// A part that the server has.
#[derive(Clone, Debug)]
pub(super) struct StoredPart {
    pub(super) etag: ETag,
    pub(super) size: u64,
    pub(super) checksum: Option<Value>,
}

/// A machine that sends one part.
pub(super) trait SendsPart: Machine<Output = StoredPart> {
    /// Returns its attempts that the server may still apply.
    fn under_way(&self) -> UnderWay;
}

/// What the owner does next.
#[derive(Debug)]
pub(super) enum Event {
    /// This part may be sent, and its bytes are available: launch it.
    Room(u32, Range<u64>),
    /// This part is stored.
    Stored(u32),
    /// A part could not be stored, or the source is longer than the plan permits.
    Failed(Error),
    /// All parts are stored.
    Complete,
    /// The flight was stopped, and nothing is in flight any more.
    Drained,
}

#[derive(Debug)]
struct Slot<P> {
    number: u32,
    call: P,
}

impl<P: SendsPart> PartsInFlight<P> {
    pub(super) fn new(plan: Plan, bounds: Bounds, window: StreamWindow) -> Self {
        Self {
            plan,
            stored: BTreeMap::new(),
            window,
            bounds,
            next: 1,
            slots: Vec::new(),
            stopped: false,
            late: BTreeMap::new(),
        }
    }

    /// Returns how many bytes of parts the server has.
    pub(super) fn size(&self) -> u64 {
        self.stored.values().map(|part| part.size).sum()
    }

    /// Returns the number of the next part: those before it were sent, or were on the server.
    #[cfg(feature = "swift")]
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// Stops: no other part is sent, and none is retried.
    pub(super) fn stop(&mut self, now: Now) {
        self.stopped = true;
        self.slots.iter_mut().for_each(|slot| slot.call.cancel(now, OnFailure::Abort));
    }

    /// Returns how many parts the server may still store: their bytes were sent, but their
    /// responses were lost.
    pub(super) fn late(&self) -> usize {
        self.late.len()
    }

    /// Returns the numbers of those parts.
    #[cfg(feature = "swift")]
    pub(super) fn late_numbers(&self) -> impl Iterator<Item = u32> {
        self.late.keys().copied()
    }

    /// Returns how many of those parts have an attempt that failed without a response, rather than
    /// by a cancellation.
    pub(super) fn lost(&self) -> usize {
        self.late.values().filter(|late| late.attempts > late.cancelled).count()
    }

    /// Records that the server shows this part after an abort: one of its late attempts was stored.
    pub(super) fn came(&mut self, number: u32) {
        if let Some(late) = self.late.get_mut(&number) {
            late.attempts -= 1;
            late.cancelled = late.cancelled.saturating_sub(1);
            if late.attempts == 0 {
                self.late.remove(&number);
            }
        }
    }

    /// Starts again, with nothing stored.
    pub(super) fn restart(&mut self) {
        self.stored.clear();
        self.late.clear();
        self.next = 1;
    }

    /// Sends part `number` by `call`.
    pub(super) fn launch(&mut self, number: u32, call: P) {
        self.slots.push(Slot { number, call });
        self.next = number + 1;
    }

    /// Handles the end of an exchange of slot `slot`.
    pub(super) fn complete(&mut self, now: Now, slot: u32, done: Completion) {
        if let Some(slot) = self.slots.iter_mut().find(|one| FIRST + one.number == slot) {
            slot.call.complete(now, done);
        }
    }

    pub(super) fn poll<T>(&mut self, now: Now) -> ControlFlow<Step<T>, Event> {
        let mut wait = None;
        for at in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(at) else { break };
            let number = slot.number;
            match nest(slot.call.poll(now), FIRST + number) {
                ControlFlow::Break(Step::Wait(until)) => wait = Wait::earlier(wait, until),
                ControlFlow::Break(step) => return ControlFlow::Break(step),
                ControlFlow::Continue(result) => {
                    let late = slot.call.under_way();
                    if late.attempts > 0 {
                        self.late.insert(number, late);
                    }
                    self.slots.swap_remove(at);
                    return ControlFlow::Continue(match result {
                        Ok(part) => {
                            self.stored.insert(number, part);
                            Event::Stored(number)
                        }
                        Err(error) => {
                            // Whether a part is stored is irrelevant once there is no upload.
                            Event::Failed(error.with_outcome_known())
                        }
                    });
                }
            }
        }
        if self.stopped {
            return match self.slots.is_empty() {
                true => ControlFlow::Continue(Event::Drained),
                false => ControlFlow::Break(Step::Wait(wait)),
            };
        }
        match self.next_range() {
            Err(error) => return ControlFlow::Continue(Event::Failed(error)),
            Ok(Some((number, range))) => {
                if self.slots.len() < self.width_at(range.end - range.start) {
                    return ControlFlow::Continue(Event::Room(number, range));
                }
            }
            Ok(None) if self.slots.is_empty() && self.is_all_there() => {
                return ControlFlow::Continue(self.ended());
            }
            Ok(None) => {}
        }
        if self.bounds.stream {
            self.allow();
        }
        ControlFlow::Break(Step::Wait(wait))
    }

    fn ended(&mut self) -> Event {
        if self.bounds.stream {
            self.plan.end_at(self.window.supplied());
        }
        match self.plan.length() {
            // The upload was resumed with another source than it was started with.
            Some(length) if length != self.size() => Event::Failed(Error::invalid_input(format!(
                "the source has {length} bytes, but the parts on the server have {}",
                self.size()
            ))),
            _ => Event::Complete,
        }
    }

    fn is_all_there(&self) -> bool {
        !self.bounds.stream || self.window.has_ended()
    }

    /// Returns the positions of the next part to be sent, if its bytes are available.
    fn next_range(&mut self) -> Result<Option<(u32, Range<u64>)>, Error> {
        while self.stored.contains_key(&self.next) {
            self.next += 1;
        }
        let number = self.next;
        let known = match self.bounds.stream {
            true => self.window.has_ended().then(|| self.window.supplied()),
            false => self.plan.length(),
        };
        let whole = self.plan.range(number);
        let range = match known {
            Some(end) => self.plan.range_until(number, end),
            None if self.window.supplied() >= whole.end => Some(whole),
            None => None,
        };
        let parts_end = number > self.plan.parts() && (range.is_some() || known.is_none());
        if parts_end || self.window.supplied() > self.plan.max_object_size() {
            return Err(Error::invalid_input(format!(
                "the source is longer than {} bytes, the maximum for this part size and memory",
                self.plan.max_object_size()
            ))
            .with_hint(match self.plan.grows() {
                true => "raise the memory limit or the part size",
                false => "raise the part size",
            }));
        }
        Ok(range.map(|range| (number, range)))
    }

    /// Returns how many parts of this size may be in flight. For a stream, the stream window sets the
    /// bound.
    fn width_at(&self, size: u64) -> usize {
        let Bounds { concurrency, memory, stream } = self.bounds;
        if stream {
            return concurrency;
        }
        let room = usize::try_from(memory / size.max(1)).unwrap_or(usize::MAX);
        concurrency.min(room).max(1)
    }

    /// Permits a stream to be read up to one part more than may be in flight, within the limit of
    /// memory.
    fn allow(&mut self) {
        let in_flight = self.slots.iter().map(|slot| slot.number).min();
        let first = in_flight.unwrap_or(self.next).min(self.next);
        let low = self.plan.range(first).start;
        let concurrency = u32::try_from(self.bounds.concurrency).unwrap_or(u32::MAX);
        let fits = |last: &u32| self.plan.range(*last).end - low <= self.bounds.memory;
        let last = (first..=first.saturating_add(concurrency)).take_while(fits).last();
        let high = self.plan.range(last.unwrap_or(first)).end;
        // One byte more than the parts hold shows that the source is too long.
        self.window.allow(low, high.min(self.plan.max_object_size().saturating_add(1)));
    }
}

/// The slot of part n is this plus n; the slots below are for other calls of the owner.
const FIRST: u32 = 16;

/// How long after their removal parts without a response are looked for again: they may be stored late.
pub(super) const WATCHES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

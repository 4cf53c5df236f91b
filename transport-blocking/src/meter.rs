//! Counts, reports and paces the payload bytes of exchanges.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use apus_core::machine::{Event, Observer, RateLimits};
use apus_host::clock::now;

use crate::cancel::Stop;

/// What all exchanges of a run have in common.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) rate_limits: Option<Arc<RateLimits>>,
    pub(crate) stop: Stop,
}

/// The direction in which bytes move.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Sent,
    Received,
}

impl Watch {
    pub(crate) fn meter(&self, direction: Direction) -> Meter<'_> {
        Meter { watch: self, direction, untold: 0 }
    }

    /// Returns how many bytes to move at a time: `most`, or fewer if the bandwidth is limited.
    pub(crate) fn piece(&self, most: usize) -> usize {
        if self.pace().is_some() { most.min(PACED) } else { most }
    }

    fn pace(&self) -> Option<&RateLimits> {
        self.rate_limits.as_deref().filter(|rate_limits| rate_limits.paces())
    }
}

/// The payload of one exchange in one direction.
pub(crate) struct Meter<'r> {
    watch: &'r Watch,
    direction: Direction,
    untold: u64,
}

impl Meter<'_> {
    /// Waits until `bytes` may move, or the run is stopped.
    pub(crate) fn before(&self, bytes: usize) {
        let Some(rate_limits) = self.watch.pace() else { return };
        let mut delay = rate_limits.pace(now(), bytes as u64);
        while !delay.is_zero() && !self.watch.stop.is_raised() {
            let nap = delay.min(NAP);
            thread::sleep(nap);
            delay -= nap;
        }
    }

    /// Counts `bytes` that have moved.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.untold += bytes as u64;
        if self.untold >= OFTEN {
            self.flush();
        }
    }

    /// Reports the bytes that were not reported yet.
    pub(crate) fn flush(&mut self) {
        let bytes = std::mem::take(&mut self.untold);
        let Some(observer) = self.watch.observer.as_ref().filter(|_| bytes > 0) else { return };
        let event = match self.direction {
            Direction::Sent => Event::Sent { bytes },
            Direction::Received => Event::Received { bytes },
        };
        observer.event(now(), &event);
    }
}

/// Bytes between two events.
const OFTEN: u64 = 64 << 10;
/// Bytes that move at a time if the bandwidth is limited.
const PACED: usize = 16 << 10;
/// How long a stop may go unnoticed.
const NAP: Duration = Duration::from_millis(50);

//! What all exchanges of a run have in common: source, sink, observer, and bandwidth.

use std::sync::Arc;
use std::time::Duration;

use apus_core::machine::{Event, Observer, RateLimits};
use apus_host::clock;

use crate::passes::OnePass;
use crate::sink::Sink;
use crate::source::{PIECE, Source};

/// The source and the sink of a run.
#[derive(Clone, Default)]
pub(crate) struct Ends {
    pub(crate) source: Source,
    /// The pass that readings of the source belong to.
    pub(crate) pass: Option<Arc<OnePass>>,
    pub(crate) sink: Sink,
    pub(crate) rate_limits: Option<Arc<RateLimits>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    /// Whether the run is given the head of each response whose body is passed to the sink.
    pub(crate) heads: bool,
}

impl Ends {
    /// Returns a meter for the bytes of one exchange.
    pub(crate) fn meter(&self) -> Meter {
        Meter {
            rate_limits: self.rate_limits.clone().filter(|rate_limits| rate_limits.paces()),
            observer: self.observer.clone(),
            sent: 0,
            received: 0,
        }
    }
}

/// Reports bytes to the observer, not too often, and limits their rate.
pub(crate) struct Meter {
    rate_limits: Option<Arc<RateLimits>>,
    observer: Option<Arc<dyn Observer>>,
    sent: u64,
    received: u64,
}

impl Meter {
    /// Returns the longest piece to send at once: a long one if no observer counts bytes and no
    /// limit paces them, because long pieces take fewer system calls.
    pub(crate) fn stride(&self) -> usize {
        let alone = self.rate_limits.is_none() && self.observer.is_none();
        if alone { 4 * PIECE } else { PIECE }
    }

    /// Counts `bytes` that are about to be sent. Returns how long to wait first.
    pub(crate) fn sent(&mut self, bytes: u64) -> Duration {
        self.sent += bytes;
        if self.sent >= OFTEN {
            self.flush_sent();
        }
        self.pace(bytes)
    }

    /// Counts `bytes` that were received. Returns how long to wait before going on.
    pub(crate) fn received(&mut self, bytes: u64) -> Duration {
        self.received += bytes;
        if self.received >= OFTEN {
            self.flush_received();
        }
        self.pace(bytes)
    }

    /// Reports the sent bytes that were not reported yet.
    pub(crate) fn flush_sent(&mut self) {
        let bytes = std::mem::take(&mut self.sent);
        self.tell(bytes, &Event::Sent { bytes });
    }

    fn flush_received(&mut self) {
        let bytes = std::mem::take(&mut self.received);
        self.tell(bytes, &Event::Received { bytes });
    }

    fn tell(&self, bytes: u64, event: &Event<'_>) {
        if let Some(observer) = self.observer.as_ref().filter(|_| bytes > 0) {
            observer.event(clock::now(), event);
        }
    }

    fn pace(&self, bytes: u64) -> Duration {
        let wait = |rate_limits: &Arc<RateLimits>| rate_limits.pace(clock::now(), bytes);
        self.rate_limits.as_ref().map_or(Duration::ZERO, wait)
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.flush_sent();
        self.flush_received();
    }
}

/// Bytes between two events.
const OFTEN: u64 = 64 << 10;

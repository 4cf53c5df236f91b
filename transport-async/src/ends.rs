//! What the exchanges of a run have in common: where bytes come from and go, who watches them, and
//! how fast they may move.

use std::sync::Arc;
use std::time::Duration;

use apus_core::machine::{Event, Observer, Traffic};
use apus_host::clock;

use crate::passes::OnePass;
use crate::sink::Sink;
use crate::source::{PIECE, Source};

/// Both ends of a run's bytes.
#[derive(Clone, Default)]
pub(crate) struct Ends {
    pub(crate) source: Source,
    /// What readings of the source go by.
    pub(crate) pass: Option<Arc<OnePass>>,
    pub(crate) sink: Sink,
    pub(crate) traffic: Option<Arc<Traffic>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Ends {
    /// Counts the bytes of one exchange.
    pub(crate) fn meter(&self) -> Meter {
        Meter {
            traffic: self.traffic.clone().filter(|traffic| traffic.paces()),
            observer: self.observer.clone(),
            sent: 0,
            received: 0,
        }
    }
}

/// Tells the observer of bytes, not too often, and asks the traffic how fast they may move.
pub(crate) struct Meter {
    traffic: Option<Arc<Traffic>>,
    observer: Option<Arc<dyn Observer>>,
    sent: u64,
    received: u64,
}

impl Meter {
    /// The longest piece to send in one go: where nobody counts them or holds them back, long ones,
    /// which the system takes with fewer calls.
    pub(crate) fn stride(&self) -> usize {
        let alone = self.traffic.is_none() && self.observer.is_none();
        if alone { 4 * PIECE } else { PIECE }
    }

    /// `bytes` are about to be sent: how long to wait first.
    pub(crate) fn sent(&mut self, bytes: u64) -> Duration {
        self.sent += bytes;
        if self.sent >= OFTEN {
            self.flush_sent();
        }
        self.pace(bytes)
    }

    /// `bytes` were received: how long to wait before going on.
    pub(crate) fn received(&mut self, bytes: u64) -> Duration {
        self.received += bytes;
        if self.received >= OFTEN {
            self.flush_received();
        }
        self.pace(bytes)
    }

    /// Tells what was sent and not yet told.
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
        let wait = |traffic: &Arc<Traffic>| traffic.pace(clock::now(), bytes);
        self.traffic.as_ref().map_or(Duration::ZERO, wait)
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

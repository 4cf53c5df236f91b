//! The caller's ends: the source of its bytes, and the sink for those it receives.

use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::Opened;
use bytes::Bytes;

/// The bytes of a caller.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) bytes: Bytes,
    /// The bytes can be read once and in order.
    pub(crate) once: bool,
    /// Reading beyond this position fails.
    pub(crate) breaks_at: Option<u64>,
    /// How much was read of a source that can be read once.
    taken: u64,
}

/// What was delivered to a caller.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) bytes: Vec<u8>,
    /// Whether a byte was delivered twice.
    pub(crate) twice: bool,
    /// Heads that no pump was given yet.
    pub(crate) heads: Vec<Opened>,
    seen: Vec<bool>,
}

impl Source {
    /// Creates a source that can be read anywhere and repeatedly.
    pub(crate) fn seekable(bytes: Bytes) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// Reads these bytes, or, of a source that can be read once, as many at its position. Fails beyond
    /// `breaks_at`.
    pub(crate) fn read(&mut self, from: u64, to: u64) -> Result<Bytes, ExchangeError> {
        let start = if self.once { self.taken } else { from };
        let end = start + (to - from);
        let length = self.bytes.len() as u64;
        if self.breaks_at.is_some_and(|at| at < end) {
            let what = "the simulated source broke";
            return Err(ExchangeError::new(ExchangeErrorKind::Source, what));
        }
        Ok(self.bytes.slice(start.min(length) as usize..end.min(length) as usize))
    }

    /// Counts bytes of a source that can be read once as read.
    pub(crate) fn take(&mut self, bytes: u64) {
        self.taken += bytes;
    }
}

impl Sink {
    /// Stores bytes at this position. Returns false if any of them was stored before.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) -> bool {
        let at = at as usize;
        let end = at + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
            self.seen.resize(end, false);
        }
        self.bytes[at..end].copy_from_slice(bytes);
        self.seen[at..end].iter_mut().all(|seen| !std::mem::replace(seen, true))
    }

    /// Whether the bytes have no gap.
    pub(crate) fn is_whole(&self) -> bool {
        self.seen.iter().all(|seen| *seen)
    }
}

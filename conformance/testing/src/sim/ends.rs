//! The ends of a caller: what its bytes are read from, and where those for it go.

use apus_core::error::{Cause, Failure};
use bytes::Bytes;

/// The bytes of a caller.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) bytes: Bytes,
    /// They come once and in order; what was read of them is gone.
    pub(crate) once: bool,
    /// Reading beyond this position fails.
    pub(crate) breaks_at: Option<u64>,
    /// How much of a source that comes once was read.
    taken: u64,
}

/// What was delivered to a caller.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) bytes: Vec<u8>,
    /// A byte came twice.
    pub(crate) twice: bool,
    seen: Vec<bool>,
}

impl Source {
    /// As often and wherever one likes.
    pub(crate) fn seekable(bytes: Bytes) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// These bytes of it, if it has them still, and what was read instead where it has not.
    pub(crate) fn read(&mut self, from: u64, to: u64) -> Result<Bytes, Failure> {
        let start = if self.once { self.taken } else { from };
        let end = start + (to - from);
        let length = self.bytes.len() as u64;
        if self.breaks_at.is_some_and(|at| at < end) {
            let what = "the simulated source broke";
            return Err(Failure::new(Cause::Source, what));
        }
        Ok(self.bytes.slice(start.min(length) as usize..end.min(length) as usize))
    }

    /// So much of it has left.
    pub(crate) fn take(&mut self, bytes: u64) {
        self.taken += bytes;
    }
}

impl Sink {
    /// Takes bytes at this position, each once.
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

    /// Whether there is no gap.
    pub(crate) fn is_whole(&self) -> bool {
        self.seen.iter().all(|seen| *seen)
    }
}

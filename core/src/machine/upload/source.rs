//! The source of an upload, and when it is known whether it is sent in parts.

use crate::contract::{SourceNeeds, StreamWindow};
use crate::error::{Error, ExchangeError, ExchangeErrorKind};

/// The source of an upload's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadSource {
    /// This many bytes that can be read at any position, more than once: memory, a file. A reader
    /// of known length is a stream; as `Seekable` it is refused where the object is sent in parts.
    Seekable(u64),
    /// Bytes that are read once and in order: a pipe. Their number in bytes may be known.
    Stream(Option<u64>),
}

impl UploadSource {
    /// Returns the size in bytes, if it is known.
    pub(super) fn length(self) -> Option<u64> {
        match self {
            Self::Seekable(length) => Some(length),
            Self::Stream(length) => length,
        }
    }

    /// Returns whether the source is read once and in order.
    pub(super) fn is_stream(self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Checks that a stream has exactly the announced length.
    pub(super) fn check(self, window: &StreamWindow) -> Result<(), Error> {
        let Self::Stream(Some(promised)) = self else { return Ok(()) };
        let supplied = window.supplied();
        let what = if supplied > promised {
            format!("more than the {promised} announced bytes")
        } else if window.has_ended() && supplied < promised {
            format!("the source ended after {supplied} of {promised} announced bytes")
        } else {
            return Ok(());
        };
        Err(ExchangeError::new(ExchangeErrorKind::Length, what).into())
    }
}

/// Reads a source until it is known how the object is sent: a stream shows its size only at its
/// end, or by exceeding the threshold.
#[derive(Debug)]
pub(super) struct Gather {
    pub(super) source: UploadSource,
    pub(super) window: StreamWindow,
    threshold: u64,
}

/// How an object is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// In one request of this many bytes.
    Whole(u64),
    /// In parts.
    Parts,
}

impl Gather {
    /// Creates the state; objects of up to `threshold` bytes are sent in one request.
    pub(super) fn new(source: UploadSource, threshold: u64) -> Self {
        let mut window = StreamWindow::default();
        // One byte more than the threshold shows whether the source exceeds it.
        window.allow(0, threshold.saturating_add(1));
        Self { source, window, threshold }
    }

    /// Returns what a machine that holds at most `memory` bytes requires of the caller's source.
    pub(super) fn needs(&self, memory: u64) -> SourceNeeds {
        let ranges = !self.source.is_stream();
        let again = ranges && self.way() == Some(Way::Parts);
        SourceNeeds { length: self.source.length(), ranges, again, memory }
    }

    /// Returns how the object is sent, as soon as that is known.
    pub(super) fn way(&self) -> Option<Way> {
        let supplied = self.window.supplied();
        let length = match self.source {
            UploadSource::Seekable(length) => Some(length),
            UploadSource::Stream(_) => self.window.has_ended().then_some(supplied),
        };
        match length {
            Some(length) if length <= self.threshold => Some(Way::Whole(length)),
            None if supplied <= self.threshold => None,
            _ => Some(Way::Parts),
        }
    }
}

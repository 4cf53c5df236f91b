//! Where an upload's bytes come from, and when it is known how they go.

use crate::contract::{Intake, SourceNeeds};
use crate::error::{Cause, Error, Failure};

/// Where an upload's bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadSource {
    /// This many bytes that can be read anywhere and again: memory, a file. A reader of known length is
    /// a stream, and refused where the object goes in parts.
    Seekable(u64),
    /// Bytes that come once and in order: a pipe. Their number may be known.
    Stream(Option<u64>),
}

impl UploadSource {
    /// Bytes of it, where they are known.
    pub(super) fn length(self) -> Option<u64> {
        match self {
            Self::Seekable(length) => Some(length),
            Self::Stream(length) => length,
        }
    }

    /// Whether it comes once and in order.
    pub(super) fn is_stream(self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// A stream whose length was announced must keep to it.
    pub(super) fn check(self, intake: &Intake) -> Result<(), Error> {
        let Self::Stream(Some(promised)) = self else { return Ok(()) };
        let supplied = intake.supplied();
        let what = if supplied > promised {
            format!("it has more than the {promised} bytes that were announced")
        } else if intake.has_ended() && supplied < promised {
            format!("it ended after {supplied} of the {promised} bytes that were announced")
        } else {
            return Ok(());
        };
        Err(Failure::new(Cause::Length, what).into())
    }
}

/// Waits until it is known how an object goes: a stream tells only by its end, or by going on.
#[derive(Debug)]
pub(super) struct Gather {
    pub(super) source: UploadSource,
    pub(super) intake: Intake,
    threshold: u64,
}

/// How an object goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// In one request of this many bytes.
    Whole(u64),
    /// In parts.
    Parts,
}

impl Gather {
    /// Objects of up to `threshold` bytes go in one request.
    pub(super) fn new(source: UploadSource, threshold: u64) -> Self {
        let mut intake = Intake::default();
        // One byte more than the threshold tells whether the source goes on.
        intake.allow(0, threshold.saturating_add(1));
        Self { source, intake, threshold }
    }

    /// What a machine needs of the caller's source that holds so much of it in memory at most.
    pub(super) fn needs(&self, memory: u64) -> SourceNeeds {
        let ranges = !self.source.is_stream();
        let again = ranges && self.way() == Some(Way::Parts);
        SourceNeeds { length: self.source.length(), ranges, again, memory }
    }

    /// How the object goes, as soon as that is known.
    pub(super) fn way(&self) -> Option<Way> {
        let supplied = self.intake.supplied();
        let length = match self.source {
            UploadSource::Seekable(length) => Some(length),
            UploadSource::Stream(_) => self.intake.has_ended().then_some(supplied),
        };
        match length {
            Some(length) if length <= self.threshold => Some(Way::Whole(length)),
            None if supplied <= self.threshold => None,
            _ => Some(Way::Parts),
        }
    }
}

//! What a machine or a request needs from the caller.

use super::draft::{Body, Draft, Incoming};
use crate::error::{ExchangeError, ExchangeErrorKind};

/// What a machine or a request needs of the caller's source and sink. A transport compares it with
/// what the caller provided before anything is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Needs {
    /// The source whose bytes are sent.
    pub source: Option<SourceNeeds>,
    /// Whether bytes are passed to a sink.
    pub sink: bool,
}

/// The requirements on a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceNeeds {
    /// The announced length in bytes. A source of another length is refused.
    pub length: Option<u64>,
    /// Whether ranges of the source are read, in addition to what its
    /// [`StreamWindow`](crate::contract::StreamWindow) permits. The length must be known.
    pub ranges: bool,
    /// Whether ranges are read concurrently, in any order, and again after a failed request. A
    /// source that can be read only once is refused.
    pub again: bool,
    /// The most bytes of the source that may be held in memory. It also limits a transport that
    /// hashes in order what concurrent parts read.
    pub memory: u64,
}

/// The source that the caller provided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenSource {
    /// No source.
    Missing,
    /// This many bytes, readable from any position and repeatedly.
    Known(u64),
    /// This many bytes, readable once and in order.
    Once(u64),
    /// Bytes of unknown number, readable once and in order.
    Unknown,
}

impl Needs {
    /// Returns the needs of a machine or request that passes bytes to a sink.
    pub fn sink() -> Self {
        Self { sink: true, ..Self::default() }
    }

    /// Returns the needs of a machine or request that sends the bytes of a source.
    pub fn source(source: SourceNeeds) -> Self {
        Self { source: Some(source), ..Self::default() }
    }

    /// Returns the most bytes of the source that may be held in memory; 64 MiB without a source.
    pub fn memory(&self) -> u64 {
        self.source.map_or(MEMORY, |source| source.memory)
    }

    /// Checks that what the caller provided meets the needs.
    ///
    /// # Errors
    ///
    /// A required source or sink is missing; the source has another length than announced, or can't
    /// be read as required.
    pub fn check(&self, source: GivenSource, sink: bool) -> Result<(), ExchangeError> {
        if self.sink && !sink {
            return Err(ExchangeError::new(
                ExchangeErrorKind::Sink,
                "the call requires a sink, but none was given",
            ));
        }
        let Some(needs) = self.source else { return Ok(()) };
        match (source, needs.length) {
            (GivenSource::Missing, _) => Err(ExchangeError::new(
                ExchangeErrorKind::Source,
                "the call requires a source, but none was given",
            )),
            (GivenSource::Known(has) | GivenSource::Once(has), Some(told)) if has != told => {
                let detail = format!("{has} bytes, but {told} were announced");
                Err(ExchangeError::new(ExchangeErrorKind::Length, detail))
            }
            (GivenSource::Once(has), _) if needs.again => {
                let detail = format!(
                    "it can be read only once, but ranges of it are required: announce it as \
                     `UploadSource::Stream(Some({has}))`"
                );
                Err(ExchangeError::new(ExchangeErrorKind::Source, detail))
            }
            (GivenSource::Unknown, _) if needs.ranges => Err(ExchangeError::new(
                ExchangeErrorKind::Length,
                "it is unknown, but ranges of the source are required",
            )),
            _ => Ok(()),
        }
    }
}

impl Draft {
    /// Returns what this request needs from the caller.
    pub fn needs(&self) -> Needs {
        let source = match &self.body {
            Body::Source { range, .. } if !range.is_empty() => Some(SourceNeeds::default()),
            Body::Source { .. } | Body::Empty | Body::Bytes(_) => None,
        };
        Needs { source, sink: matches!(self.incoming, Incoming::Stream { .. }) }
    }
}

/// The default memory limit: 64 MiB.
const MEMORY: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(needs: Needs, source: GivenSource, sink: bool) -> Option<ExchangeErrorKind> {
        needs.check(source, sink).err().map(|failure| failure.kind())
    }

    #[test]
    fn what_is_needed_has_to_be_given() {
        use GivenSource::{Known, Missing, Once, Unknown};

        let none = Needs::default();
        assert_eq!(cause(none, Missing, false), None);
        assert_eq!(cause(Needs::sink(), Known(5), false), Some(ExchangeErrorKind::Sink));
        assert_eq!(cause(Needs::sink(), Missing, true), None);
        let told = |length, ranges| {
            Needs::source(SourceNeeds { length, ranges, ..SourceNeeds::default() })
        };
        for (needs, given, expected) in [
            (told(Some(5), true), Missing, Some(ExchangeErrorKind::Source)),
            (told(None, false), Missing, Some(ExchangeErrorKind::Source)),
            (told(Some(0), true), Missing, Some(ExchangeErrorKind::Source)),
            (told(Some(5), true), Known(5), None),
            (told(Some(5), true), Known(10), Some(ExchangeErrorKind::Length)),
            (told(Some(5), false), Known(4), Some(ExchangeErrorKind::Length)),
            (told(Some(5), true), Unknown, Some(ExchangeErrorKind::Length)),
            (told(Some(5), true), Once(4), Some(ExchangeErrorKind::Length)),
            // All of it in one go.
            (told(Some(5), true), Once(5), None),
            (told(Some(5), false), Once(5), None),
            // The machine counts what it is announced.
            (told(Some(5), false), Unknown, None),
            (told(None, false), Known(7), None),
        ] {
            assert_eq!(cause(needs, given, false), expected, "{needs:?} {given:?}");
        }
        let again = SourceNeeds { length: Some(5), ranges: true, again: true, memory: 0 };
        for (given, expected) in [
            (Known(5), None),
            (Once(5), Some(ExchangeErrorKind::Source)),
            (Once(4), Some(ExchangeErrorKind::Length)),
            (Unknown, Some(ExchangeErrorKind::Length)),
        ] {
            assert_eq!(cause(Needs::source(again), given, false), expected, "{given:?}");
        }
    }
}

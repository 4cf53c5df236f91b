//! Conditions and ranges of RFC 9110, sections 13 and 14, as both protocols take them.

use std::fmt;
use std::ops::Range;

use super::etag::ETag;
use crate::now::Timestamp;

/// On what condition an object is read or written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Only if the object has this tag.
    pub if_match: Option<ETag>,
    /// Only if it does not have this tag; `*` on a write: only if there is none yet.
    pub if_none_match: Option<ETag>,
    /// Only if it changed since.
    pub if_modified_since: Option<Timestamp>,
    /// Only if it did not change since.
    pub if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Only if there is no such object yet.
    pub fn absent() -> Self {
        Self { if_none_match: Some(ETag::from("*")), ..Self::default() }
    }

    /// Only if the object has this tag.
    pub fn matches(etag: ETag) -> Self {
        Self { if_match: Some(etag), ..Self::default() }
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which bytes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From this position to the end.
    From(u64),
    /// These positions, end exclusive and not empty.
    Span(Range<u64>),
    /// This many at the end.
    Last(u64),
}

impl fmt::Display for ByteRange {
    /// As the header `Range` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(start) => write!(f, "bytes={start}-"),
            Self::Span(span) => write!(f, "bytes={}-{}", span.start, span.end.saturating_sub(1)),
            Self::Last(length) => write!(f, "bytes=-{length}"),
        }
    }
}

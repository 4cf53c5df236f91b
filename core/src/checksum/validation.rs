//! Whether the bytes of a response were validated.

use std::fmt;

use super::algorithm::Algorithm;

/// Whether the bytes of a response were compared with a checksum of the server. Bytes that differ
/// are an error of [`Kind::Integrity`](crate::Kind::Integrity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Validation {
    /// The bytes match the server's checksum of this algorithm.
    Validated(Algorithm),
    /// The bytes were not compared.
    NotValidated(NotValidatedReason),
}

/// Why the bytes of a response were not compared with a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotValidatedReason {
    /// Neither the policy nor the call requested it, and the server sent no checksum.
    NotAsked,
    /// Neither the policy nor the call requested it, but the server sent a checksum.
    Unasked,
    /// It was requested, and the server sent no checksum.
    Absent,
    /// The checksum covers the digests of parts whose sizes are unknown.
    Composite,
    /// The object is a large object. Its manifest or listing could not be read, or does not match
    /// the object's ETag.
    Manifest,
    /// The object is a large object with segments that have no checksum of their own: ranges, or
    /// large objects themselves. The other segments were validated.
    Segments,
    /// The object is a dynamic large object, whose listing may lack segments.
    Listing,
    /// The checksum covers the whole object, and the bytes are a range of it.
    Partial,
    /// The transport or the caller decoded the bytes, so that they are not those that are stored.
    Decoded,
    /// This build cannot compute the algorithm of the checksum.
    Unsupported(Algorithm),
}

impl Validation {
    /// Returns whether the bytes were validated.
    pub fn is_validated(self) -> bool {
        matches!(self, Self::Validated(_))
    }
}

impl fmt::Display for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validated(algorithm) => write!(f, "validated by {algorithm}"),
            Self::NotValidated(why) => write!(f, "not validated: {why}"),
        }
    }
}

impl fmt::Display for NotValidatedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("no checksum was requested"),
            Self::Unasked => f.write_str("the server sent a checksum that was not requested"),
            Self::Absent => f.write_str("the server sent no checksum"),
            Self::Composite => {
                f.write_str("the checksum was computed from the digests of parts of unknown sizes")
            }
            Self::Manifest => f.write_str("the segments of the large object are unknown"),
            Self::Segments => f.write_str("not every segment has a checksum"),
            Self::Listing => {
                f.write_str("the listing of the dynamic large object may be incomplete")
            }
            Self::Partial => {
                f.write_str("the checksum is of the whole object, but only a range was read")
            }
            Self::Decoded => f.write_str("a content coding was removed in transit"),
            Self::Unsupported(algorithm) => write!(f, "this build can't compute {algorithm}"),
        }
    }
}

//! What became of the checksum of an answer: always said, never nothing.

use std::fmt;

use super::algorithm::Algorithm;

/// Whether the bytes of an answer were checked against a checksum the server gave. Bytes that were
/// checked and differ are no verdict but an error of [`Kind::Integrity`](crate::Kind::Integrity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The bytes are those that the server has a checksum of this algorithm for.
    Validated(Algorithm),
    /// The bytes were not checked.
    NotValidated(Why),
}

/// Why the bytes of an answer were not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// Neither the policy nor the call wanted it, and the server gave no checksum.
    NotAsked,
    /// Neither the policy nor the call wanted it, and the server gave a checksum all the same.
    Unasked,
    /// It was wanted, and the server gave no checksum.
    Absent,
    /// The checksum is one over the digests of parts whose sizes are not known.
    Composite,
    /// The object is a large one, and its manifest or listing could not be read, or is not that of
    /// the object's tag.
    Manifest,
    /// The object is a large one, and not every segment has a checksum of its own: it is a range, or
    /// a large object itself. Those that have one were checked.
    Segments,
    /// The object is a dynamic large one, and nothing tells whether all of its segments are listed.
    Listing,
    /// The checksum is one of the whole object, and the bytes are a range of it.
    Partial,
    /// The bytes are not those that were stored: the transport or the caller decoded them.
    Decoded,
    /// The checksum is of an algorithm that this build can't compute.
    Unsupported(Algorithm),
}

impl Verdict {
    /// Whether the bytes were checked.
    pub fn is_validated(self) -> bool {
        matches!(self, Self::Validated(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validated(algorithm) => write!(f, "validated by {algorithm}"),
            Self::NotValidated(why) => write!(f, "not validated: {why}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("no checksum was asked for"),
            Self::Unasked => f.write_str("the server gave a checksum that was not asked for"),
            Self::Absent => f.write_str("the server gave no checksum"),
            Self::Composite => {
                f.write_str("the checksum is over the digests of parts of unknown sizes")
            }
            Self::Manifest => f.write_str("the segments of the large object are not known"),
            Self::Segments => f.write_str("not every segment has a checksum of its own"),
            Self::Listing => f.write_str(
                "nothing tells whether all segments of the dynamic large object are listed",
            ),
            Self::Partial => {
                f.write_str("the checksum is of the whole object, of which this is a range")
            }
            Self::Decoded => f.write_str("the bytes were decoded on the way"),
            Self::Unsupported(algorithm) => write!(f, "this build can't compute {algorithm}"),
        }
    }
}

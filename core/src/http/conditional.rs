//! Conditions and ranges of RFC 9110, sections 13 and 14, as S3 and Swift support them.

use std::fmt;
use std::ops::{Range, RangeFrom, RangeInclusive, RangeTo};

use super::etag::ETag;
use crate::now::Timestamp;

/// The conditions on which an object is read or written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Only if the object has this ETag.
    pub if_match: Option<ETag>,
    /// Only if the object does not have this ETag; `*` on a write: only if the object does not
    /// exist.
    pub if_none_match: Option<ETag>,
    /// Only if the object changed since this time.
    pub if_modified_since: Option<Timestamp>,
    /// Only if the object did not change since this time.
    pub if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Returns the condition that the object does not exist.
    pub fn absent() -> Self {
        Self { if_none_match: Some(ETag::from("*")), ..Self::default() }
    }

    /// Returns the condition that the object has this ETag.
    pub fn matches(etag: ETag) -> Self {
        Self { if_match: Some(etag), ..Self::default() }
    }

    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A range of bytes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From this position to the end.
    From(u64),
    /// These positions; the end is exclusive, the range not empty.
    Span(Range<u64>),
    /// This many bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// Parses the value of a `Range` header with one range of bytes, as in RFC 9110, section 14.2.
    ///
    /// Returns `None` for a value that a server ignores, so that it responds with the whole object:
    /// another unit than `bytes`, several ranges, a range that ends before it begins, anything
    /// else.
    ///
    /// ```
    /// use apus_core::http::ByteRange;
    ///
    /// assert_eq!(ByteRange::parse("bytes=0-499"), Some(ByteRange::Span(0..500)));
    /// assert_eq!(ByteRange::parse("bytes=500-"), Some(ByteRange::From(500)));
    /// assert_eq!(ByteRange::parse("bytes=-500"), Some(ByteRange::Last(500)));
    /// assert_eq!(ByteRange::parse("bytes=0-1,4-5"), None);
    /// ```
    pub fn parse(header: &str) -> Option<Self> {
        let (unit, range) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim_matches([' ', '\t']).split_once('-')?;
        match (first, last) {
            ("", last) => Some(Self::Last(position(last)?)),
            (first, "") => Some(Self::From(position(first)?)),
            (first, last) => {
                let (first, last) = (position(first)?, position(last)?);
                (first <= last).then(|| Self::Span(first..last.saturating_add(1)))
            }
        }
    }

    /// Returns the positions of this range in an object of `size` bytes, end exclusive. Returns
    /// `None` if the range contains no byte of the object; a server then responds with 416 Range
    /// Not Satisfiable.
    ///
    /// A range of the last bytes of an object of 0 bytes is `0..0`: RFC 9110, section 14.1.2,
    /// declares it satisfiable, but no `Content-Range` can express it, so that the response is the
    /// whole object with 200.
    ///
    /// ```
    /// use apus_core::http::ByteRange;
    ///
    /// assert_eq!(ByteRange::Span(90..200).resolve(100), Some(90..100));
    /// assert_eq!(ByteRange::Last(10).resolve(100), Some(90..100));
    /// assert_eq!(ByteRange::From(100).resolve(100), None);
    /// ```
    pub fn resolve(&self, size: u64) -> Option<Range<u64>> {
        match self {
            Self::From(start) => (*start < size).then_some(*start..size),
            Self::Span(span) => {
                let end = span.end.min(size);
                (span.start < end).then_some(span.start..end)
            }
            Self::Last(0) => None,
            Self::Last(length) => Some(size.saturating_sub(*length)..size),
        }
    }
}

/// Parses a position in a range. A number too large for 64 bits is beyond the end of every object.
fn position(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

impl From<Range<u64>> for ByteRange {
    fn from(range: Range<u64>) -> Self {
        Self::Span(range)
    }
}

impl From<RangeInclusive<u64>> for ByteRange {
    /// An inclusive end of `u64::MAX` means the end of the object.
    fn from(range: RangeInclusive<u64>) -> Self {
        match range.end().checked_add(1) {
            Some(end) => Self::Span(*range.start()..end),
            None => Self::From(*range.start()),
        }
    }
}

impl From<RangeFrom<u64>> for ByteRange {
    fn from(range: RangeFrom<u64>) -> Self {
        Self::From(range.start)
    }
}

impl From<RangeTo<u64>> for ByteRange {
    fn from(range: RangeTo<u64>) -> Self {
        Self::Span(0..range.end)
    }
}

impl fmt::Display for ByteRange {
    /// Writes the value of the `Range` header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(start) => write!(f, "bytes={start}-"),
            Self::Span(span) => write!(f, "bytes={}-{}", span.start, span.end.saturating_sub(1)),
            Self::Last(length) => write!(f, "bytes=-{length}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The examples of RFC 9110, section 14.1.2, of a representation of 10,000 bytes.
    #[test]
    fn the_examples_of_rfc_9110_are_read_and_resolved() {
        for (header, positions) in [
            ("bytes=0-499", 0..500),
            ("bytes=500-999", 500..1000),
            ("bytes=-500", 9_500..10_000),
            ("bytes=9500-", 9_500..10_000),
            ("bytes=0-0", 0..1),
            ("bytes=-1", 9_999..10_000),
            ("bytes=0-99999", 0..10_000),
            ("bytes=-99999", 0..10_000),
            ("Bytes = 0-0", 0..1),
        ] {
            let range = ByteRange::parse(header).unwrap();
            assert_eq!(range.resolve(10_000), Some(positions), "{header}");
        }
    }

    #[test]
    fn a_header_that_a_server_ignores_is_no_range() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=0-1,4-5",
            "bytes=+1-2",
            "bytes=1 - 2",
            "items=0-1",
            "0-1",
            "bytes=--1",
            "bytes=1-2-3",
        ] {
            assert_eq!(ByteRange::parse(header), None, "{header}");
        }
    }

    #[test]
    fn positions_beyond_64_bits_are_beyond_the_object() {
        let huge = "99999999999999999999999999";
        let range = ByteRange::parse(&format!("bytes=3-{huge}")).unwrap();
        assert_eq!(range.resolve(10), Some(3..10));
        assert_eq!(ByteRange::parse(&format!("bytes={huge}-")).unwrap().resolve(u64::MAX), None);
        assert_eq!(ByteRange::parse(&format!("bytes=-{huge}")).unwrap().resolve(10), Some(0..10));
    }

    #[test]
    fn what_is_not_in_the_object_can_not_be_satisfied() {
        for (range, size) in [
            (ByteRange::From(0), 0),
            (ByteRange::From(10), 10),
            (ByteRange::Span(10..11), 10),
            (ByteRange::Span(0..1), 0),
            (ByteRange::Last(0), 10),
        ] {
            assert_eq!(range.resolve(size), None, "{range} of {size}");
        }
        assert_eq!(ByteRange::Last(5).resolve(0), Some(0..0));
    }
}

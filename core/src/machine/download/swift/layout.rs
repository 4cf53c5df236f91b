//! The segments of a large object.

use std::fmt;

use crate::checksum::{Algorithm, NotValidatedReason, Validation, Value};
use crate::error::Error;
use crate::machine::numbered::Naming;
use crate::swift::{ListedObject, ObjectHead, ObjectSegment, Prefix, Segment, slo_etag};

/// The non-empty segments of a large object, in their order.
#[derive(Debug)]
pub(super) struct Layout {
    parts: Vec<Part>,
    /// The tag of a large object of these segments.
    etag: Option<String>,
    /// Whether these are known to be all segments.
    whole: bool,
}

/// A segment.
#[derive(Debug)]
pub(super) struct Part {
    /// The number among all segments, counted from 1.
    pub(super) number: usize,
    /// The offset of its first byte in the large object.
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) container: String,
    pub(super) object: String,
    pub(super) tag: Option<String>,
    /// The MD5 of its bytes, if the tag is one.
    md5: Option<Value>,
}

impl Layout {
    /// Makes a layout of the segments in a manifest, if it is that of the object with this head.
    ///
    /// # Errors
    ///
    /// It is, but the size of the segments differs from that of the object.
    pub(super) fn of_manifest(
        segments: &[Segment],
        head: Option<&ObjectHead>,
    ) -> Result<Option<Self>, Error> {
        let layout = match Self::new(segments, true) {
            Some(layout) if head.is_some_and(|head| layout.is_of(head)) => layout,
            _ => return Ok(None),
        };
        let nested = |segment: &Segment| matches!(segment, Segment::Object(one) if one.is_slo);
        match head.and_then(|head| head.size) {
            Some(size) if size == layout.size() => Ok(Some(layout)),
            // The stated length of a nested large object may be that of its manifest.
            _ if segments.iter().any(nested) => Ok(None),
            Some(size) => Err(Error::invalid_response(format!(
                "the segments of the manifest have {} bytes, but the object has {size}",
                layout.size()
            ))),
            None => Ok(None),
        }
    }

    /// Makes a layout of the segments in a listing of this container.
    ///
    /// # Errors
    ///
    /// The listing does not state the sizes.
    pub(super) fn of_listing(container: &str, entries: &[ListedObject]) -> Result<Self, Error> {
        let segment = |entry: &ListedObject| {
            Segment::Object(ObjectSegment {
                etag: entry.hash.clone().filter(|_| entry.slo_etag.is_none()),
                size: entry.bytes,
                is_slo: entry.slo_etag.is_some(),
                ..ObjectSegment::new(container, &entry.name)
            })
        };
        let segments: Vec<Segment> = entries.iter().map(segment).collect();
        Self::new(&segments, false)
            .ok_or_else(|| Error::invalid_response("the listing has segments without a size"))
    }

    /// Checks, as far as the names show, that a listing omits no segment of the dynamic large
    /// object with this name and prefix.
    ///
    /// # Errors
    ///
    /// A segment is missing.
    pub(super) fn check(
        &mut self,
        object: &str,
        prefix: &Prefix,
        entries: &[ListedObject],
    ) -> Result<(), Error> {
        let naming = Naming::of(object, prefix);
        naming.check_numbers(prefix, entries.iter().map(|entry| entry.name.as_str()))?;
        naming.check_size(prefix, self.size())?;
        self.whole = naming.is_whole(self.size()) == Some(true);
        Ok(())
    }

    /// Returns `None` if a length is not stated.
    fn new(segments: &[Segment], whole: bool) -> Option<Self> {
        let mut parts = Vec::with_capacity(segments.len());
        let mut start = 0u64;
        for (at, segment) in segments.iter().enumerate() {
            let length = segment.length()?;
            let number = at + 1;
            let part = match segment {
                Segment::Data(data) => Part {
                    number,
                    start,
                    length,
                    container: String::new(),
                    object: String::new(),
                    tag: None,
                    md5: Algorithm::Md5.digest(data).ok(),
                },
                Segment::Object(one) => {
                    let tag = one.etag.as_ref().map(|tag| tag.opaque().to_owned());
                    let whole = one.size == Some(length) && !one.is_slo;
                    let md5 = tag.as_deref().filter(|_| whole).and_then(md5);
                    let (container, object) = (one.container.clone(), one.object.clone());
                    Part { number, start, length, container, object, tag, md5 }
                }
            };
            start = start.checked_add(length)?;
            if length > 0 {
                parts.push(part);
            }
        }
        Some(Self { parts, etag: slo_etag(segments), whole })
    }

    /// Returns whether these are the segments of the object with this head, by its tag.
    pub(super) fn is_of(&self, head: &ObjectHead) -> bool {
        match (&self.etag, &head.etag) {
            (Some(computed), Some(etag)) => computed.eq_ignore_ascii_case(etag.opaque()),
            _ => false,
        }
    }

    /// Returns the size of all segments in bytes.
    pub(super) fn size(&self) -> u64 {
        self.parts.last().map_or(0, |last| last.start.saturating_add(last.length))
    }

    pub(super) fn lengths(&self) -> Vec<u64> {
        self.parts.iter().map(|part| part.length).collect()
    }

    /// Returns the segment that contains the byte `at`.
    pub(super) fn at(&self, at: u64) -> Option<&Part> {
        let after = self.parts.partition_point(|part| part.start <= at);
        let part = self.parts.get(after.checked_sub(1)?)?;
        (at - part.start < part.length).then_some(part)
    }

    /// Compares with the computed MD5s of the segments, all of which were read.
    pub(super) fn verdict(&self, computed: &[Value]) -> Result<Validation, Error> {
        if computed.len() != self.parts.len() {
            return Ok(Validation::NotValidated(NotValidatedReason::Composite));
        }
        let mut all = true;
        for (part, computed) in self.parts.iter().zip(computed) {
            match &part.md5 {
                Some(md5) if md5 == computed => {}
                Some(md5) => {
                    return Err(Error::integrity(format!(
                        "the MD5 of segment {} ({part}) is {}, but the server declares {}",
                        part.number,
                        computed.hex(),
                        md5.hex()
                    )));
                }
                None => all = false,
            }
        }
        Ok(match (all, self.whole) {
            (true, true) => Validation::Validated(Algorithm::Md5),
            (true, false) => Validation::NotValidated(NotValidatedReason::Listing),
            (false, _) => Validation::NotValidated(NotValidatedReason::Segments),
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.object.is_empty() {
            return f.write_str("inline data of the manifest");
        }
        write!(f, "{}/{}", self.container.escape_debug(), self.object.escape_debug())
    }
}

/// Parses an MD5 of 32 hexadecimal digits.
fn md5(digits: &str) -> Option<Value> {
    let digit = |at: usize| digits.get(at..=at).and_then(|one| u8::from_str_radix(one, 16).ok());
    if digits.len() != 32 {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        (0..16).map(|at| Some(digit(2 * at)? << 4 | digit(2 * at + 1)?)).collect();
    Value::new(Algorithm::Md5, &bytes?).ok()
}

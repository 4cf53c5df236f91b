//! A segment in a manifest, as it is sent and as it is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::checksum::{Algorithm, Hasher};
use crate::error::Error;
use crate::now::Timestamp;
use crate::swift::object::is_md5;
use crate::swift::request::{check_container, check_object};
use crate::swift::types::{ByteRange, ETag};

/// A segment of a static large object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// An object, or a range of it.
    Object(ObjectSegment),
    /// Bytes in the manifest itself, at least one.
    Data(Bytes),
}

/// A segment that is an object, or a range of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectSegment {
    /// The container.
    pub container: String,
    /// The object's name.
    pub object: String,
    /// Its ETag; the server refuses the manifest if the object has another.
    pub etag: Option<ETag>,
    /// The bytes of the whole object, also if the segment is a range; the server refuses the
    /// manifest if the object has another length.
    pub size: Option<u64>,
    /// The range of the object that makes the segment.
    pub range: Option<ByteRange>,
    /// Whether it is a static large object itself. Set by servers, not sent.
    pub is_slo: bool,
    /// Its content type. Set by servers, not sent.
    pub content_type: Option<String>,
    /// When it was last modified. Set by servers, not sent.
    pub last_modified: Option<Timestamp>,
}

impl ObjectSegment {
    /// Returns a segment of a whole object with any ETag and length.
    pub fn new(container: impl Into<String>, object: impl Into<String>) -> Self {
        Self { container: container.into(), object: object.into(), ..Self::default() }
    }

    /// Returns a segment of a whole object that must have this ETag and length.
    pub fn stored(
        container: impl Into<String>,
        object: impl Into<String>,
        etag: ETag,
        size: u64,
    ) -> Self {
        Self { etag: Some(etag), size: Some(size), ..Self::new(container, object) }
    }

    /// Limits the segment to these bytes of the object.
    #[must_use]
    pub fn with_range(self, range: ByteRange) -> Self {
        Self { range: Some(range), ..self }
    }

    /// Returns how many bytes it adds to the large object, if that is known.
    pub fn length(&self) -> Option<u64> {
        match self.span() {
            Ok(Some((first, last))) => Some(last - first + 1),
            Ok(None) => self.size,
            Err(Unknown) => None,
        }
    }

    /// Returns the range as the server computes it, both ends inclusive; `None` for the whole
    /// object.
    fn span(&self) -> Result<Option<(u64, u64)>, Unknown> {
        let Some(range) = &self.range else { return Ok(None) };
        let size = self.size.ok_or(Unknown)?;
        let last = size.checked_sub(1).ok_or(Unknown)?;
        let (first, last) = match range {
            ByteRange::From(first) => (*first, last),
            ByteRange::Span(span) => (span.start, last.min(span.end.saturating_sub(1))),
            ByteRange::Last(length) => (size.saturating_sub(*length), last),
        };
        if first > last {
            return Err(Unknown);
        }
        Ok((last - first + 1 != size).then_some((first, last)))
    }

    fn write(&self) -> Result<Value, Error> {
        check_container(&self.container)?;
        check_object(&self.object)?;
        let mut entry = Map::new();
        entry.insert("path".into(), format!("/{}/{}", self.container, self.object).into());
        if let Some(etag) = &self.etag {
            entry.insert("etag".into(), etag.opaque().into());
        }
        if let Some(size) = self.size {
            entry.insert("size_bytes".into(), size.into());
        }
        if let Some(range) = &self.range {
            let text = range.to_string();
            let text = text.strip_prefix("bytes=").unwrap_or(&text);
            entry.insert("range".into(), text.into());
        }
        Ok(Value::Object(entry))
    }
}

/// The length of the object is not known, and the range depends on it; or the range is empty.
struct Unknown;

impl Segment {
    /// Returns how many bytes it adds to the large object, if that is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Object(object) => object.length(),
            Self::Data(data) => Some(data.len() as u64),
        }
    }

    /// Returns the entry of the manifest to send.
    pub(super) fn write(&self) -> Result<Value, Error> {
        match self {
            Self::Object(object) => object.write(),
            Self::Data(data) if data.is_empty() => {
                Err(Error::invalid_input("inline data of a segment is empty"))
            }
            Self::Data(data) => {
                let mut entry = Map::new();
                entry.insert("data".into(), STANDARD.encode(data).into());
                Ok(Value::Object(entry))
            }
        }
    }

    /// Reads an entry of either form: with `name`, `hash` and `bytes` as the server writes it, or
    /// with `path`, `etag` and `size_bytes` as it was sent.
    pub(super) fn read(entry: &Value) -> Result<Self, String> {
        let entry = entry.as_object().ok_or("is not an object")?;
        if let Some(data) = entry.get("data") {
            let data = data.as_str().and_then(|text| STANDARD.decode(text).ok());
            return Ok(Self::Data(data.ok_or("has data that is not base64")?.into()));
        }
        let either = |new: &str, old: &str| {
            entry.get(new).or_else(|| entry.get(old)).filter(|value| !value.is_null())
        };
        let path = either("name", "path").and_then(Value::as_str).ok_or("has no name")?;
        let (container, object) = path
            .trim_start_matches('/')
            .split_once('/')
            .filter(|(container, object)| !container.is_empty() && !object.is_empty())
            .ok_or("has a name that is not CONTAINER/OBJECT")?;
        let size = match either("bytes", "size_bytes") {
            None => None,
            Some(size) => {
                let text = || size.as_str().and_then(|text| text.parse().ok());
                size.as_u64().or_else(text)
            }
        };
        // With a range that can't be read, the length of the segment is not known.
        let (range, size) = match either("range", "range") {
            None => (None, size),
            Some(Value::String(text)) if text.is_empty() => (None, size),
            Some(text) => match text.as_str().and_then(range) {
                Some(range) => (Some(range), size),
                None => (None, None),
            },
        };
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let modified = entry.get("last_modified").and_then(Value::as_str);
        Ok(Self::Object(ObjectSegment {
            container: container.to_owned(),
            object: object.to_owned(),
            etag: either("hash", "etag").and_then(Value::as_str).map(ETag::from),
            size,
            range,
            is_slo: entry.get("sub_slo").is_some_and(is_true),
            content_type: text("content_type"),
            last_modified: modified.and_then(Timestamp::parse_iso8601),
        }))
    }
}

/// Reads `0-499`, `500-` or `-500`; the first two must not be empty.
fn range(text: &str) -> Option<ByteRange> {
    let (first, last) = text.trim().split_once('-')?;
    let number = |digits: &str| -> Option<u64> {
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    match (first, last) {
        ("", last) => number(last).map(ByteRange::Last),
        (first, "") => number(first).map(ByteRange::From),
        (first, last) => {
            let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
            (first < end).then_some(ByteRange::Span(first..end))
        }
    }
}

fn is_true(value: &Value) -> bool {
    value
        .as_bool()
        .unwrap_or_else(|| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")))
}

/// Returns the ETag of a static large object of these segments, in hexadecimal digits: the MD5 of
/// their ETags, each of a range followed by `:first-last;`. `None` if an ETag is not known or is
/// not an MD5, or if a range depends on a length that is not known.
pub fn slo_etag<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> Option<String> {
    let mut hasher = Hasher::new(Algorithm::Md5).ok()?;
    for segment in segments {
        match segment {
            Segment::Data(data) => {
                let tag = Algorithm::Md5.digest(data).ok()?.hex();
                hasher.update(tag.as_bytes());
            }
            Segment::Object(object) => {
                let tag = object.etag.as_ref()?.opaque();
                if !is_md5(tag) {
                    return None;
                }
                hasher.update(tag.as_bytes());
                if let Some((first, last)) = object.span().ok()? {
                    hasher.update(format!(":{first}-{last};").as_bytes());
                }
            }
        }
    }
    Some(hasher.finish().hex())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored(object: &str, tag: &str, size: u64) -> ObjectSegment {
        ObjectSegment::stored("c", object, ETag::from(tag), size)
    }

    // The segments `hello ` and `world`, from a manifest of Swift 2.38.
    #[test]
    fn the_tag_of_a_large_object() {
        let hello = stored("1", "f814893777bcc2295fff05f00e508da6", 6);
        let world = stored("2", "\"7d793037a0760186574b0282f2f435e7\"", 5);
        let whole = [Segment::Object(hello), Segment::Object(world.clone())];
        assert_eq!(slo_etag(&whole).unwrap(), "a9241ba5acd28b215123d94a556f0dcc");
        let unknown = Segment::Object(ObjectSegment { etag: None, ..world });
        assert_eq!(slo_etag(&[unknown]), None);
    }

    #[test]
    fn ranges_are_what_the_server_makes_of_them() {
        let tag = "f814893777bcc2295fff05f00e508da6";
        let of = |range| {
            let segment = stored("1", tag, 6).with_range(range);
            (segment.length(), slo_etag(&[Segment::Object(segment)]))
        };
        let md5 = |text: &str| Some(Algorithm::Md5.digest(text.as_bytes()).unwrap().hex());
        assert_eq!(of(ByteRange::Span(1..3)), (Some(2), md5(&format!("{tag}:1-2;"))));
        assert_eq!(of(ByteRange::From(2)), (Some(4), md5(&format!("{tag}:2-5;"))));
        assert_eq!(of(ByteRange::Last(2)), (Some(2), md5(&format!("{tag}:4-5;"))));
        // A range of the whole object is not a range to the server.
        assert_eq!(of(ByteRange::From(0)), (Some(6), md5(tag)));
        assert_eq!(of(ByteRange::Span(0..99)), (Some(6), md5(tag)));
        assert_eq!(of(ByteRange::From(6)), (None, None));
    }

    #[test]
    fn an_entry_is_written_with_the_names_of_put() {
        let segment = stored("a/é", "\"abc\"", 5).with_range(ByteRange::Last(2));
        let entry = Segment::Object(segment).write().unwrap();
        assert_eq!(entry, json!({"path": "/c/a/é", "etag": "abc", "size_bytes": 5, "range": "-2"}));
        let data = Segment::Data(Bytes::from_static(b"interstitial data"));
        assert_eq!(data.write().unwrap(), json!({"data": "aW50ZXJzdGl0aWFsIGRhdGE="}));
        let empty = Segment::Data(Bytes::new()).write().unwrap_err();
        assert_eq!(empty.to_string(), "inline data of a segment is empty");
    }
}

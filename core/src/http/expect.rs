//! Checks of a success's head before its body is accepted.

use std::ops::Range;

use http::header::{CONTENT_RANGE, ETAG, LAST_MODIFIED, RANGE};
use http::{HeaderValue, Method, StatusCode, response};

use super::content_range::ContentRange;
use super::draft::{Draft, Expect};
use super::reply::content_length;
use crate::error::{Error, Kind};

/// Checks that a response contains the requested bytes: those of the `Range` that was sent, or all.
pub(super) fn answers(draft: &Draft, head: &response::Parts) -> Result<(), Error> {
    let part = head.status == StatusCode::PARTIAL_CONTENT;
    let reads = matches!(draft.head.method, Method::GET | Method::HEAD);
    if !reads {
        return Ok(());
    }
    let range = draft.head.headers.get(RANGE).and_then(|value| value.to_str().ok());
    let asked = match range {
        None if draft.takes_part => return Ok(()),
        None => None,
        Some(text) => match Asked::read(text) {
            Some(asked) => Some(asked),
            None => return Ok(()),
        },
    };
    match asked {
        None => Expect::default().check(head),
        // HTTP defines ranges for GET only: the response to a HEAD may describe the whole object.
        Some(_) if draft.head.method == Method::HEAD && !part => Ok(()),
        Some(Asked::Span(range)) => Expect { range: Some(range), ..Expect::default() }.check(head),
        Some(Asked::Last(length)) => last(length, head),
    }
}

/// Checks that a success contains the bytes of an object, as it is stored, or of its part with this
/// number. Of all successes only 200 and 206 do; 203 contains what a proxy made of them (RFC 9110,
/// section 15.3).
pub(crate) fn is_object(head: &response::Parts, part: Option<u32>) -> Result<(), Error> {
    match head.status {
        // An object that was stored in one request is its only part.
        StatusCode::OK if part.is_some_and(|number| number > 1) => {
            let what = "the response has the whole object, but one of its parts was requested";
            Err(broken(head, what.into()))
        }
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(()),
        status => Err(broken(head, format!("a response of {} has no object", status.as_u16()))),
    }
}

/// The requested range.
enum Asked {
    /// These bytes; up to the end of the object if the end is `u64::MAX`.
    Span(Range<u64>),
    /// This many bytes at the end of the object.
    Last(u64),
}

impl Asked {
    fn read(text: &str) -> Option<Self> {
        let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
        Some(match (first, last) {
            ("", length) => Self::Last(length.parse().ok()?),
            (first, "") => Self::Span(first.parse().ok()?..u64::MAX),
            (first, last) => {
                let end = last.parse::<u64>().ok()?.checked_add(1)?;
                Self::Span(first.parse().ok()?..end)
            }
        })
    }
}

/// Checks the response to a request for the last `length` bytes.
fn last(length: u64, head: &response::Parts) -> Result<(), Error> {
    let told = content_range(head)?;
    let Some((range, total)) = told else {
        let whole = content_length(head).is_some_and(|has| has <= length);
        return if whole { Ok(()) } else { Err(broken(head, WHOLE.into())) };
    };
    let right = match total {
        Some(total) => range == (total.saturating_sub(length)..total),
        None => range.end - range.start == length,
    };
    if !right {
        let what =
            format!("Content-Range is {range:?}, but the last {length} bytes were requested");
        return Err(broken(head, what));
    }
    same_announced(&range, head)
}

/// The range of bytes in a response, and the length of the object if the server sent it.
type Told = (Range<u64>, Option<u64>);

/// Returns whether the response has a part of the object. Some servers respond to the range of an
/// empty object with an empty 206, whose `Content-Range` is missing or has the total 0: no range
/// exists that it could state.
fn is_part(head: &response::Parts) -> bool {
    if head.status != StatusCode::PARTIAL_CONTENT {
        return false;
    }
    let range = head.headers.get(CONTENT_RANGE).map(|value| value.as_bytes().trim_ascii());
    content_length(head) != Some(0) || range.is_some_and(|text| !text.ends_with(b"/0"))
}

/// Parses the `Content-Range` of a response with a part of the object; `None` for any other.
fn content_range(head: &response::Parts) -> Result<Option<Told>, Error> {
    if !is_part(head) {
        return Ok(None);
    }
    let text = head.headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let Some(text) = text else {
        return Err(broken(head, "a partial response has no Content-Range".into()));
    };
    match ContentRange::parse(text) {
        Some(ContentRange { range: Some(range), total }) => Ok(Some((range, total))),
        _ => Err(broken(head, format!("Content-Range {text:?} is malformed"))),
    }
}

fn same_announced(range: &Range<u64>, head: &response::Parts) -> Result<(), Error> {
    if content_length(head).is_some_and(|length| length != range.end - range.start) {
        return Err(broken(head, "Content-Range does not match Content-Length".into()));
    }
    Ok(())
}

fn broken(head: &response::Parts, what: String) -> Error {
    Error::invalid_response(what).with_status(head.status)
}

impl Expect {
    pub(super) fn check(&self, head: &response::Parts) -> Result<(), Error> {
        self.bytes(head)?;
        self.coding.check(&head.headers).map_err(|error| error.with_status(head.status))
    }

    /// Checks that the response contains the requested bytes of the same object as earlier
    /// responses.
    fn bytes(&self, head: &response::Parts) -> Result<(), Error> {
        if let Some(had) = &self.etag {
            // A response without it may be that of a gateway that ignores `If-Match`.
            let has = head.headers.get(ETAG).ok_or_else(|| broken(head, UNTAGGED.into()))?;
            if opaque_tag(had.as_bytes()) != opaque_tag(has.as_bytes()) {
                return Err(Error::integrity(CHANGED).with_status(head.status));
            }
        }
        if is_later(self.modified.as_ref(), head) {
            return Err(Error::integrity(CHANGED).with_status(head.status));
        }
        let whole = || content_length(head).filter(|_| !is_part(head));
        if self.total.is_some() {
            self.same_length(whole(), head.status)?;
        }
        let Some(asked) = &self.range else {
            return if head.status == StatusCode::PARTIAL_CONTENT {
                Err(broken(head, PART.into()))
            } else {
                Ok(())
            };
        };
        let Some((range, total)) = content_range(head)? else {
            // Without a length, the object may be longer than the requested range.
            let all = asked.start == 0 && whole().is_some_and(|length| length <= asked.end);
            return if all { Ok(()) } else { Err(broken(head, WHOLE.into())) };
        };
        let complete = range.end == asked.end
            || (range.end < asked.end && total.is_some_and(|total| range.end == total));
        if range.start != asked.start || !complete {
            let (start, last) = (asked.start, asked.end.saturating_sub(1));
            let (first, end) = (range.start, range.end.saturating_sub(1));
            let what = format!("Content-Range is {first}-{end}, but {start}-{last} was requested");
            return Err(broken(head, what));
        }
        self.same_length(total, head.status)?;
        same_announced(&range, head)
    }

    fn same_length(&self, total: Option<u64>, status: StatusCode) -> Result<(), Error> {
        if self.total.is_some() && total.is_some() && self.total != total {
            let (has, expected) = (total.unwrap_or_default(), self.total.unwrap_or_default());
            let what = match self.etag {
                Some(_) => "the length of the object changed while it was read".to_owned(),
                None => format!(
                    "the object has {has} bytes, but {expected} were expected: it changed or is a \
                     different object"
                ),
            };
            return Err(Error::integrity(what).with_status(status));
        }
        Ok(())
    }
}

/// Returns whether a response was rejected because it has the whole object, and a range was requested.
pub(crate) fn is_whole_object(rejected: &Error) -> bool {
    rejected.kind() == Kind::InvalidResponse && rejected.message() == WHOLE
}

/// Returns whether the object in a response is another one than that of this `Last-Modified`.
pub(crate) fn is_later(modified: Option<&HeaderValue>, head: &response::Parts) -> bool {
    modified.is_some_and(|had| head.headers.get(LAST_MODIFIED).is_some_and(|has| had != has))
}

/// Returns an ETag without its quotes and `W/`, which some servers change between responses.
fn opaque_tag(tag: &[u8]) -> &[u8] {
    let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
    let tag = tag.strip_prefix(b"\"").unwrap_or(tag);
    tag.strip_suffix(b"\"").unwrap_or(tag)
}

pub(crate) const CHANGED: &str = "the object changed while it was read";
const UNTAGGED: &str =
    "the response has no ETag, but an earlier one had: it may be of another object";
const PART: &str = "the response has a part of the object, but the whole object was requested";
const WHOLE: &str = "the response has the whole object, but a range was requested";

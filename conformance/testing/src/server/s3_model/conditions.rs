//! Conditional requests and ranges (RFC 9110, 13 and 14).

use std::ops::Range;

use super::super::dates::parse_http_date;
use super::refusal::{self, Refusal};
use super::{Manners, Object};

/// Checks the conditions of a read; `prefix` is `x-amz-copy-source-` for those of a copy's source.
pub(super) fn check_read(
    object: &Object,
    header: impl Fn(&str) -> Option<String>,
    copies: bool,
) -> Result<(), Refusal> {
    let header = |name: &str| match copies {
        true => header(&format!("x-amz-copy-source-{name}")),
        false => header(name),
    };
    let date = |name: &str| header(name).and_then(|date| parse_http_date(&date));
    match header("if-match") {
        Some(wanted) if !matches(&wanted, Some(object)) => {
            return Err(refusal::precondition("If-Match"));
        }
        Some(_) => {}
        None if date("if-unmodified-since").is_some_and(|date| object.last_modified > date) => {
            return Err(refusal::precondition("If-Unmodified-Since"));
        }
        None => {}
    }
    let unchanged = match header("if-none-match") {
        Some(unwanted) => matches(&unwanted, Some(object)),
        None => date("if-modified-since").is_some_and(|date| object.last_modified <= date),
    };
    match unchanged {
        true if copies => Err(refusal::precondition("If-None-Match")),
        true => {
            Err(Refusal::new(304, "NotModified", "").header("ETag", format!("\"{}\"", object.etag)))
        }
        false => Ok(()),
    }
}

/// Checks the conditions of a write over `object`.
pub(super) fn check_write<'a>(
    object: Option<&Object>,
    header: impl Fn(&str) -> Option<&'a str>,
    manners: &Manners,
) -> Result<(), Refusal> {
    if !manners.conditional_writes {
        return Ok(());
    }
    if let Some(unwanted) = header("if-none-match") {
        if unwanted != "*" {
            return Err(refusal::not_implemented());
        }
        if object.is_some() {
            return Err(refusal::precondition("If-None-Match"));
        }
    }
    match (header("if-match"), object) {
        (Some(_), None) => Err(refusal::no_such_key()),
        (Some(wanted), object) if !matches(wanted, object) => {
            Err(refusal::precondition("If-Match"))
        }
        _ => Ok(()),
    }
}

/// Returns the bytes that a `Range` header requests. Returns `None` for anything but a single byte
/// range, which is then ignored.
///
/// # Errors
///
/// The range has no bytes of the object.
pub(super) fn range(header: &str, length: u64) -> Result<Option<Range<u64>>, Refusal> {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Ok(None);
    };
    let number = |text: &str| text.parse::<u64>().ok();
    let range = match (first, number(first), last, number(last)) {
        ("", _, _, Some(suffix)) => length.saturating_sub(suffix)..length,
        (_, Some(first), "", _) => first..length,
        (_, Some(first), _, Some(last)) if first <= last => {
            first..length.min(last.saturating_add(1))
        }
        _ => return Ok(None),
    };
    if range.is_empty() {
        return Err(Refusal::new(416, "InvalidRange", "The requested range is not satisfiable")
            .detail("RangeRequested", header)
            .detail("ActualObjectSize", length.to_string())
            .header("Content-Range", format!("bytes */{length}")));
    }
    Ok(Some(range))
}

fn matches(wanted: &str, object: Option<&Object>) -> bool {
    let Some(object) = object else { return false };
    wanted
        .split(',')
        .map(|etag| etag.trim().trim_matches('"'))
        .any(|etag| etag == "*" || etag == object.etag)
}

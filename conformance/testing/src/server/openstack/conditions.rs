//! Conditional requests and ranges, as Swift handles them.

use std::ops::Range;

use super::super::dates::parse_http_date;
use super::operation::Call;

/// The part of an object that a read returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The whole object.
    Whole,
    /// These parts, none empty, in the order of the request.
    Parts(Vec<Range<u64>>),
    /// 304.
    NotModified,
    /// 412.
    Failed,
    /// 416.
    Unsatisfiable,
}

/// Evaluates conditions first, then ranges; quotes around ETags do not matter. Ignores `If-Range`.
pub(super) fn judge(call: &Call<'_>, etag: &str, last_modified: u64, length: u64) -> Verdict {
    let matches = |list: &str| {
        let tags = list.split(',').map(|tag| tag.trim().trim_matches('"'));
        tags.into_iter().any(|tag| tag == "*" || tag == etag)
    };
    let date = |name: &str| call.header(name).and_then(parse_http_date);
    if call.header("if-none-match").is_some_and(matches) {
        return Verdict::NotModified;
    }
    if call.header("if-match").is_some_and(|list| !matches(list)) {
        return Verdict::Failed;
    }
    if date("if-modified-since").is_some_and(|since| last_modified <= since) {
        return Verdict::NotModified;
    }
    if date("if-unmodified-since").is_some_and(|since| last_modified > since) {
        return Verdict::Failed;
    }
    match call.header("range").filter(|_| !call.rangeless) {
        Some(range) => ranges(range, length),
        None => Verdict::Whole,
    }
}

/// Parses the ranges of a header; an invalid one is ignored.
fn ranges(header: &str, length: u64) -> Verdict {
    let Some(list) = header.strip_prefix("bytes=") else { return Verdict::Whole };
    let mut parts = Vec::new();
    for item in list.split(',') {
        let Some((first, last)) = item.trim().split_once('-') else { return Verdict::Whole };
        let number = |text: &str| text.parse::<u64>().ok();
        let range = match (first, number(first), last, number(last)) {
            ("", _, _, Some(suffix)) => {
                if length == 0 && suffix > 0 {
                    return Verdict::Whole;
                }
                length.saturating_sub(suffix)..length
            }
            (_, Some(first), "", _) => first..length,
            (_, Some(first), _, Some(last)) if first <= last => {
                first..length.min(last.saturating_add(1))
            }
            _ => return Verdict::Whole,
        };
        if !range.is_empty() {
            parts.push(range);
        }
    }
    match parts.is_empty() {
        true => Verdict::Unsatisfiable,
        false => Verdict::Parts(parts),
    }
}

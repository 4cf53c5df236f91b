//! The manifest of a static large object in a PUT.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::operation::Target;
use super::reply::{self, Refusal};

/// A segment in a manifest.
pub(super) struct Wanted {
    pub(super) path: String,
    pub(super) container: String,
    pub(super) object: String,
    pub(super) data: Option<Vec<u8>>,
    pub(super) etag: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) range: Option<(Option<u64>, Option<u64>)>,
}

/// Parses the manifest of a PUT to `own`.
pub(super) fn parse(body: &[u8], own: &Target) -> Result<Vec<Wanted>, Refusal> {
    let document: Value = serde_json::from_slice(body)
        .map_err(|_| reply::said(400, "Manifest must be valid JSON.\n"))?;
    let Some(entries) = document.as_array() else {
        return Err(reply::said(400, "Manifest must be a list.\n").into());
    };
    let mut wanted = Vec::new();
    let mut problems = String::new();
    for (index, entry) in entries.iter().enumerate() {
        match segment(entry, own) {
            Ok(segment) => wanted.push(segment),
            Err(problem) => problems.push_str(&format!("Index {index}: {problem}\n")),
        }
    }
    match problems.is_empty() {
        true => Ok(wanted),
        false => Err(reply::plain(400, problems).into()),
    }
}

fn segment(entry: &Value, own: &Target) -> Result<Wanted, String> {
    let members = entry.as_object().ok_or("not a JSON object")?;
    let known = ["path", "etag", "size_bytes", "range", "data"];
    if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("extraneous keys \"{name}\""));
    }
    let mut wanted = Wanted {
        path: String::new(),
        container: String::new(),
        object: String::new(),
        data: None,
        etag: None,
        size: None,
        range: None,
    };
    if let Some(data) = members.get("data") {
        let data = data.as_str().and_then(|data| STANDARD.decode(data).ok());
        let data = data.ok_or("data must be valid base64")?;
        if data.is_empty() {
            return Err("too small; each segment must be at least 1 byte.".to_owned());
        }
        wanted.data = Some(data);
        return Ok(wanted);
    }
    let path = members.get("path").and_then(Value::as_str).ok_or("missing key \"path\"")?;
    let (container, object) = path
        .trim_start_matches('/')
        .split_once('/')
        .filter(|(container, object)| !container.is_empty() && !object.is_empty())
        .ok_or("path does not refer to an object. Path must be of the form /container/object.")?;
    if container == own.container && object == own.object {
        return Err("manifest must not include itself as a segment".to_owned());
    }
    wanted.path = format!("/{container}/{object}");
    (wanted.container, wanted.object) = (container.to_owned(), object.to_owned());
    let etag = members.get("etag").and_then(Value::as_str);
    wanted.etag = etag.map(|etag| etag.trim_matches('"').to_owned());
    match members.get("size_bytes") {
        None | Some(Value::Null) => {}
        Some(size) => {
            let size = size.as_u64().or(size.as_str().and_then(|size| size.parse().ok()));
            wanted.size = Some(size.ok_or("invalid size_bytes")?);
        }
    }
    if let Some(range) = members.get("range").and_then(Value::as_str) {
        if range.contains(',') {
            return Err("multiple ranges (only one allowed)".to_owned());
        }
        wanted.range = Some(parse_range(range).ok_or("invalid range")?);
    }
    Ok(wanted)
}

fn parse_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = text.split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    match (number(first)?, number(last)?) {
        (None, None) => None,
        range => Some(range),
    }
}

/// Returns the first and last byte, if the range has any.
pub(super) fn resolve(
    (first, last): (Option<u64>, Option<u64>),
    length: u64,
) -> Option<(u64, u64)> {
    let end = length.checked_sub(1)?;
    let (first, last) = match (first, last) {
        (Some(first), last) => (first, last.unwrap_or(end).min(end)),
        (None, Some(suffix)) => (length.saturating_sub(suffix), end),
        (None, None) => return None,
    };
    (first <= last).then_some((first, last))
}

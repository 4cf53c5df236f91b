//! Pages of names: prefix, delimiter, markers, limit, and both directions.

use std::time::Duration;

use serde_json::Value;

use super::super::message::Reply;
use super::operation::Call;
use super::reply::{self, Refusal};

/// A line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Name(String),
    Subdir(String),
}

/// Returns the names that a request selects; `names` are in order.
pub(super) fn select<'a>(
    call: &Call<'_>,
    names: impl DoubleEndedIterator<Item = &'a str>,
    most: usize,
) -> Vec<Entry> {
    let asked = |name: &str| call.query(name).filter(|value| !value.is_empty());
    let limit = call.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(most);
    let reverse = call.flag("reverse");
    let directory = asked("path").map(|path| format!("{}/", path.trim_end_matches('/')));
    let prefix = directory.as_deref().or(asked("prefix")).unwrap_or_default();
    let delimiter = directory.as_ref().map(|_| "/").or(asked("delimiter"));
    let (marker, end) = (asked("marker"), asked("end_marker"));
    let within = |name: &&str| {
        let after = |at: &str| if reverse { *name < at } else { *name > at };
        let before = |at: &str| if reverse { *name > at } else { *name < at };
        name.starts_with(prefix) && marker.is_none_or(after) && end.is_none_or(before)
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut names: Box<dyn Iterator<Item = &str>> =
        if reverse { Box::new(names.rev()) } else { Box::new(names) };
    while entries.len() < limit {
        let Some(name) = names.by_ref().find(within) else { break };
        let inside = delimiter
            .and_then(|delimiter| Some((name[prefix.len()..].find(delimiter)?, delimiter)))
            .map(|(at, delimiter)| &name[..prefix.len() + at + delimiter.len()]);
        match inside {
            Some(subdir) if directory.is_some() && subdir.len() < name.len() => {}
            Some(subdir) if directory.is_none() => {
                let entry = Entry::Subdir(subdir.to_owned());
                if marker != Some(subdir) && entries.last() != Some(&entry) {
                    entries.push(entry);
                }
            }
            _ => entries.push(Entry::Name(name.to_owned())),
        }
    }
    entries
}

/// Refuses a limit above the server's own.
pub(super) fn check_limit(call: &Call<'_>, most: usize) -> Result<(), Refusal> {
    match call.query("limit").and_then(|limit| limit.parse::<usize>().ok()) {
        Some(limit) if limit > most => {
            Err(reply::said(412, format!("Maximum limit is {most}")).into())
        }
        _ => Ok(()),
    }
}

/// Returns a listing as lines; an empty one is 204. The model supports plain text and JSON only.
pub(super) fn text(call: &Call<'_>, entries: &[Entry]) -> Result<Reply, Refusal> {
    if call.query("format").is_some_and(|format| format == "xml") {
        return Err(reply::page(501).into());
    }
    if entries.is_empty() {
        return Ok(no_content());
    }
    let lines: String = entries
        .iter()
        .map(|entry| match entry {
            Entry::Name(name) | Entry::Subdir(name) => format!("{name}\n"),
        })
        .collect();
    Ok(Reply::new(200).header("Content-Type", TEXT).body(lines))
}

/// Returns a listing as JSON.
pub(super) fn json(entries: &[Value]) -> Reply {
    let document = Value::from(entries.to_vec()).to_string();
    Reply::new(200).header("Content-Type", "application/json; charset=utf-8").body(document)
}

pub(super) fn no_content() -> Reply {
    Reply::new(204).header("Content-Type", TEXT)
}

/// Formats a time as in `X-Timestamp`: seconds with five decimals.
pub(super) fn timestamp(at: Duration) -> String {
    format!("{}.{:05}", at.as_secs(), at.subsec_micros() / 10)
}

const TEXT: &str = "text/plain; charset=utf-8";

//! The report in the body of a response that began before its outcome was known: of bulk deletes
//! and manifests.
//!
//! ```text
//! HTTP/1.1 200 OK               blanks, as long as it takes, and then
//! {"Response Status": "400 Bad Request", "Number Deleted": 3, "Errors": [["/c/o%20", "409 Conflict"]]}
//! ```

use http::StatusCode;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::escape;
use crate::http::{Reply, json};
use crate::now::Timestamp;
use crate::swift::error;
use crate::swift::types::ETag;

/// A report, from JSON or from text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) status: Option<StatusCode>,
    pub(super) body: Option<String>,
    pub(super) etag: Option<ETag>,
    pub(super) last_modified: Option<Timestamp>,
    pub(super) deleted: Option<u64>,
    pub(super) not_found: Option<u64>,
    pub(super) errors: Vec<Failed>,
}

/// A path in a report that failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failed {
    /// `/container/object`, or `/container`, decoded.
    pub path: String,
    /// The server's reason: a status with its name, or another text such as `Etag Mismatch`.
    pub why: String,
}

impl Failed {
    /// Returns the status that the reason begins with, if any.
    pub fn status(&self) -> Option<StatusCode> {
        status(&self.why)
    }

    /// Returns the container, and the object unless the path is of a container.
    pub fn names(&self) -> (&str, Option<&str>) {
        let path = self.path.trim_start_matches('/');
        match path.split_once('/') {
            Some((container, object)) if !object.is_empty() => (container, Some(object)),
            Some((container, _)) => (container, None),
            None => (path, None),
        }
    }
}

impl Report {
    /// Reads a report; `None` if the body is something else.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body = body.trim_ascii();
        if body.starts_with(b"{") {
            let document: Value = json::parse(body).ok()?;
            return Self::of_json(document.as_object()?);
        }
        Self::of_text(std::str::from_utf8(body).ok()?)
    }

    fn of_json(document: &Map<String, Value>) -> Option<Self> {
        let mut report = Self::default();
        let mut known = false;
        for (name, value) in document {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => String::new(),
            };
            known |= report.set(name, &text);
        }
        if let Some(errors) = document.get("Errors").and_then(Value::as_array) {
            known = true;
            for error in errors {
                let at = |at| error.get(at).and_then(Value::as_str);
                report.errors.push(match (at(0), at(1)) {
                    (Some(path), Some(why)) => failed(path, why),
                    _ => Failed { path: at(0).unwrap_or_default().into(), why: error.to_string() },
                });
            }
        }
        known.then_some(report)
    }

    fn of_text(text: &str) -> Option<Self> {
        let mut report = Self::default();
        let mut lines = text.lines().map(str::trim);
        let mut known = false;
        for line in lines.by_ref() {
            if line == "Errors:" {
                known = true;
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                known |= report.set(name, value.trim());
            }
        }
        for line in lines {
            // A path is percent-encoded, so it contains no comma.
            match line.split_once(", ") {
                Some((path, why)) => report.errors.push(failed(path, why)),
                None if line.is_empty() => {}
                None => report.errors.push(Failed { path: String::new(), why: line.to_owned() }),
            }
        }
        known.then_some(report)
    }

    fn set(&mut self, name: &str, text: &str) -> bool {
        match name {
            "Response Status" => self.status = status(text),
            "Response Body" => self.body = error::message(text.as_bytes()),
            "Etag" => self.etag = Some(ETag::from(text)).filter(|etag| !etag.is_empty()),
            "Last Modified" => self.last_modified = Timestamp::parse_http(text),
            "Number Deleted" => self.deleted = text.parse().ok(),
            "Number Not Found" => self.not_found = text.parse().ok(),
            _ => return false,
        }
        true
    }

    /// Whether the token was refused. A server that notices this after the response has begun
    /// reports a 401 for each object, and another status for the whole.
    pub(super) fn is_unauthorized(&self) -> bool {
        self.status == Some(StatusCode::UNAUTHORIZED)
            || self.errors.iter().any(|failed| failed.status() == Some(StatusCode::UNAUTHORIZED))
    }

    /// Returns the refusal in the report, if there is one.
    pub(super) fn success(&self, reply: &Reply) -> Result<(), Error> {
        match self.status {
            _ if self.is_unauthorized() => {
                Err(error::told(reply, StatusCode::UNAUTHORIZED, self.message()))
            }
            Some(status) if !status.is_success() => Err(error::told(reply, status, self.message())),
            _ => Ok(()),
        }
    }

    /// As [`success`](Self::success), for a manifest: some reasons of a refusal pass.
    pub(super) fn settled(&self, reply: &Reply) -> Result<(), Error> {
        match self.status {
            Some(status) if !status.is_success() && !self.is_unauthorized() => {
                Err(self.refusal(reply, status))
            }
            _ => self.success(reply),
        }
    }

    /// Returns the refusal of a manifest. One whose segments are just not found, are being written
    /// or are on a server that fails may be accepted later: Swift looks for a segment on few of the
    /// servers that may have it.
    pub(super) fn refusal(&self, reply: &Reply, status: StatusCode) -> Error {
        let passes = |failed: &Failed| {
            failed.status().is_some_and(
                |status| matches!(status.as_u16(), 404 | 408 | 409 | 429 | 498..=506 | 508..),
            )
        };
        let error = error::told(reply, status, self.message());
        let is_refused = status.is_client_error();
        match is_refused && !self.errors.is_empty() && self.errors.iter().all(passes) {
            true => error.recurring(false),
            false => error,
        }
    }

    /// Returns what failed, in one line.
    pub(super) fn message(&self) -> Option<String> {
        let told = self.errors.iter().take(MOST_TOLD);
        let mut pieces: Vec<String> =
            told.map(|failed| format!("{}: {}", failed.path, failed.why)).collect();
        if self.errors.len() > MOST_TOLD {
            pieces.push(format!("and {} more", self.errors.len() - MOST_TOLD));
        }
        if pieces.is_empty() { self.body.clone() } else { Some(pieces.join("; ")) }
    }
}

fn failed(path: &str, why: &str) -> Failed {
    let path = escape::decode(path).map_or_else(|| path.to_owned(), Into::into);
    Failed { path, why: why.to_owned() }
}

/// Returns the number that a text such as `400 Bad Request` begins with.
fn status(text: &str) -> Option<StatusCode> {
    let number = text.trim().split(' ').next()?;
    number.parse::<u16>().ok().and_then(|number| StatusCode::from_u16(number).ok())
}

/// Whether a report says that the token was refused.
///
/// BulkDelete and DeleteSlo are split into requests by a middleware of Swift that runs before the
/// one that checks tokens, and the head of a response with heartbeats is sent before the first
/// segment is checked. All three therefore respond with 200 or 202 to a token that has expired.
pub(super) fn refuses_token(reply: &Reply) -> bool {
    Report::read(&reply.body).is_some_and(|report| report.is_unauthorized())
}

/// The most paths in a message.
const MOST_TOLD: usize = 5;

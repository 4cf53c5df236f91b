//! Output: results on standard output, everything else on standard error.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use serde_json::{Map, Value, json};

use crate::exit::{Exit, Failure};
use crate::progress::beside;

/// How results and remarks are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    verbose: u8,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(json: bool, verbose: u8, quiet: bool) -> Self {
        Self { json, verbose, quiet }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether requests and other events are reported.
    pub(crate) fn is_verbose(self) -> bool {
        self.verbose > 0
    }

    /// Whether progress is shown: on a terminal that can overwrite a line, without `--quiet` and
    /// `--json`.
    pub(crate) fn shows_progress(self) -> bool {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !self.quiet && !self.json && !is_dumb && io::stderr().is_terminal()
    }

    /// Writes a result: one JSON document on a line of its own, or its text. A closed pipe is no
    /// error: neither the command nor its exit code depends on it.
    pub(crate) fn result(self, value: &Value, text: impl fmt::Display) -> Result<(), Failure> {
        match self.line(value, text) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// Writes one of many results. A closed pipe is an error, so that no more of them are computed.
    pub(crate) fn listed(self, value: &Value, text: impl fmt::Display) -> Result<(), Failure> {
        Ok(self.line(value, text)?)
    }

    /// Writes the result of something that was done and is reported nowhere else: if that fails,
    /// the error says `done` too.
    pub(crate) fn of_done(
        self,
        value: &Value,
        text: impl fmt::Display,
        done: impl fmt::Display,
    ) -> Result<(), Failure> {
        self.line(value, text).map_err(|error| {
            Failure::new(
                Exit::of_io(error.kind()),
                format!("{done}, but could not write to standard output: {error}"),
            )
        })
    }

    fn line(self, value: &Value, text: impl fmt::Display) -> io::Result<()> {
        beside(|| {
            let mut out = io::stdout().lock();
            if self.json { writeln!(out, "{value}") } else { writeln!(out, "{text}") }
        })
    }

    /// Writes text unchanged, without a line's end.
    pub(crate) fn raw(self, text: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text)?;
        out.flush()?;
        Ok(())
    }

    /// Writes a piece of a longer text, which [`flush`](Self::flush) ends.
    pub(crate) fn piece(self, text: &[u8]) -> Result<(), Failure> {
        Ok(io::stdout().lock().write_all(text)?)
    }

    /// Writes what is still buffered.
    pub(crate) fn flush(self) -> Result<(), Failure> {
        Ok(io::stdout().lock().flush()?)
    }

    /// Writes a remark. A failure to write it can't be reported.
    pub(crate) fn remark(self, text: impl fmt::Display) {
        self.remarked("remark", text);
    }

    /// Writes a remark that is a JSON document, or its text.
    pub(crate) fn remark_document(self, value: &Value, text: impl fmt::Display) {
        if !self.quiet {
            beside(|| {
                let mut err = io::stderr().lock();
                let _ = if self.json { writeln!(err, "{value}") } else { writeln!(err, "{text}") };
            });
        }
    }

    /// Writes a remark if `--verbose` is set.
    pub(crate) fn detail(self, text: impl fmt::Display) {
        if self.is_verbose() {
            self.remarked("event", text);
        }
    }

    fn remarked(self, kind: &str, text: impl fmt::Display) {
        let value = if self.json { json!({ kind: text.to_string() }) } else { Value::Null };
        self.remark_document(&value, text);
    }

    /// Writes something that has to be known, also with `--quiet`.
    pub(crate) fn warn(self, text: impl fmt::Display) {
        Self { quiet: false, ..self }.remarked("warning", text);
    }

    /// Reports why a command failed, also with `--quiet`.
    pub(crate) fn fail(self, failure: &Failure) -> Exit {
        let Failure { exit, message, request_id, status, place, .. } = failure;
        let mut out = Vec::new();
        let _ = match (exit, self.json) {
            (Exit::Done, _) => Ok(()),
            (_, true) => {
                let mut error = Map::new();
                error.insert("code".to_owned(), json!(*exit as u8));
                error.insert("kind".to_owned(), json!(exit.name()));
                error.insert("message".to_owned(), json!(message));
                let id = request_id.as_ref().map(|id| ("request_id", json!(id)));
                let status = status.map(|status| ("status", json!(status)));
                let members = id.into_iter().chain(status);
                error.extend(members.map(|(name, value)| (name.to_owned(), value)));
                if let Some(place) = place {
                    place.add_to(&mut error);
                }
                writeln!(out, "{}", json!({ "error": error }))
            }
            // One line for each error of the configuration.
            (Exit::Configuration, false) => {
                message.lines().try_for_each(|line| writeln!(out, "apus: {}", Printable(line)))
            }
            (_, false) => writeln!(out, "apus: {}", Printable(message)),
        };
        let _ = beside(|| io::stderr().lock().write_all(&out));
        *exit
    }
}

/// Text from elsewhere, with control characters escaped, which could move the cursor or colour the
/// terminal.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            if char.is_control() {
                write!(f, "{}", char.escape_default())?
            } else {
                write!(f, "{char}")?
            }
        }
        Ok(())
    }
}

/// Returns a URL without the part before its `@`. A text without `://` is returned unchanged.
pub(crate) fn redacted(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, place)) => format!("{scheme}://…@{place}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

/// Writes an error of the command line, before there is an [`Output`].
pub(crate) fn complain(text: &str, json: bool) {
    let error = json!({
        "code": Exit::Usage as u8, "kind": Exit::Usage.name(),
        "message": text.strip_prefix("error: ").unwrap_or(text),
    });
    let mut err = io::stderr().lock();
    let _ = match json {
        true => writeln!(err, "{}", json!({ "error": error })),
        false => writeln!(err, "{text}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_what_is_before_the_at() {
        assert_eq!(redacted("s3://AK:SE/c@r@host/b/k"), "s3://…@host/b/k");
        assert_eq!(redacted("s3://host/b/k"), "s3://host/b/k");
        assert_eq!(redacted("--flag=x@y"), "--flag=x@y");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(Printable("a\x1b[2Jb\r").to_string(), "a\\u{1b}[2Jb\\r");
    }
}

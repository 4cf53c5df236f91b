//! What is said, and where: results on standard output, everything else on standard error.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use crate::exit::{Exit, Failure};

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

    /// Whether what happens on the way is told.
    pub(crate) fn is_verbose(self) -> bool {
        self.verbose > 0
    }

    /// Whether progress is shown: on a terminal, to who did not ask for silence.
    pub(crate) fn shows_progress(self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// A result: one JSON document on a line of its own, or the text that it is for people. That nobody
    /// reads it any more changes neither what is done nor how that ends.
    pub(crate) fn result(self, value: &Value, text: impl fmt::Display) -> Result<(), Failure> {
        match self.line(value, text) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// One of many results, which nobody has to compute any more once nobody reads them.
    pub(crate) fn listed(self, value: &Value, text: impl fmt::Display) -> Result<(), Failure> {
        Ok(self.line(value, text)?)
    }

    /// The result of what was done and can't be told otherwise: a failure to write it says `done` too.
    pub(crate) fn of_done(
        self,
        value: &Value,
        text: impl fmt::Display,
        done: impl fmt::Display,
    ) -> Result<(), Failure> {
        self.line(value, text).map_err(|error| {
            Failure::new(
                Exit::Other,
                format!("{done}, but standard output can't be written: {error}"),
            )
        })
    }

    fn line(self, value: &Value, text: impl fmt::Display) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json { writeln!(out, "{value}") } else { writeln!(out, "{text}") }
    }

    /// Text as it is, without a line's end of ours.
    pub(crate) fn raw(self, text: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text)?;
        out.flush()?;
        Ok(())
    }

    /// A remark. Where it can't be written, there is nobody to tell.
    pub(crate) fn remark(self, text: impl fmt::Display) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// A remark for who asked for more.
    pub(crate) fn detail(self, text: impl fmt::Display) {
        if self.is_verbose() {
            self.remark(text);
        }
    }

    /// Says why it failed, also to who asked for silence.
    pub(crate) fn fail(self, failure: &Failure) -> Exit {
        let Failure { exit, message, request_id, status } = failure;
        let mut out = io::stderr().lock();
        let _ = match (exit, self.json) {
            (Exit::Done, _) => Ok(()),
            (_, true) => {
                let mut error = json!({
                    "code": *exit as u8, "kind": exit.name(), "message": message,
                });
                if let Some(id) = request_id {
                    error["request_id"] = json!(id);
                }
                if let Some(status) = status {
                    error["status"] = json!(status);
                }
                writeln!(out, "{}", json!({ "error": error }))
            }
            (_, false) => {
                message.lines().try_for_each(|line| writeln!(out, "apus: {}", Printable(line)))
            }
        };
        *exit
    }
}

/// Text from elsewhere without what would move the cursor or colour the terminal.
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

/// A URL without what stands before its `@`. A text that has no `://` is as it was.
pub(crate) fn redacted(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, place)) => format!("{scheme}://…@{place}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

/// Says on standard error what no [`Output`] is there for yet.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
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

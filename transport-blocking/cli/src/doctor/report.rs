//! The findings, as a table and as JSON.

use std::fmt;

use apus_core::Error;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::output::{Output, Printable};

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The server does as it should.
    Yes,
    /// The server says that it does not support it.
    No,
    /// The server accepts it and does something else, or nothing: it can't be relied on.
    Beware,
    /// It fails, and nothing works without it.
    Broken,
    /// It was not tried.
    Untried,
}

impl Answer {
    fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Beware => "beware",
            Self::Broken => "BROKEN",
            Self::Untried => "-",
        }
    }
}

/// One check.
#[derive(Debug)]
struct Check {
    topic: &'static str,
    what: String,
    answer: Answer,
    detail: String,
}

/// An option to set, and why.
#[derive(Debug)]
pub(crate) struct Advice {
    pub(crate) option: &'static str,
    pub(crate) value: String,
    pub(crate) why: String,
}

/// All checks and advice for one backend.
pub(crate) struct Report {
    backend: String,
    output: Output,
    checks: Vec<Check>,
    advice: Vec<Advice>,
    leftovers: Vec<String>,
    exit: Exit,
}

impl Report {
    pub(super) fn new(backend: &str, output: Output) -> Self {
        Self {
            backend: backend.to_owned(),
            output,
            checks: Vec::new(),
            advice: Vec::new(),
            leftovers: Vec::new(),
            exit: Exit::Done,
        }
    }

    pub(super) fn tell(
        &mut self,
        topic: &'static str,
        what: impl Into<String>,
        answer: Answer,
        detail: impl Into<String>,
    ) {
        let check = Check { topic, what: what.into(), answer, detail: detail.into() };
        self.output.detail(format_args!("{check}"));
        self.checks.push(check);
    }

    /// Adds a check: `Yes`, or the error.
    pub(super) fn tried<T>(
        &mut self,
        topic: &'static str,
        what: impl Into<String>,
        result: &Result<T, Error>,
    ) -> bool {
        match result {
            Ok(_) => self.tell(topic, what, Answer::Yes, ""),
            Err(error) => self.tell(topic, what, Answer::No, error.to_string()),
        }
        result.is_ok()
    }

    /// Adds a check that failed, and without which nothing works.
    pub(super) fn broken(&mut self, topic: &'static str, what: impl Into<String>, error: &Error) {
        if self.exit == Exit::Done {
            self.exit = Exit::of(error);
        }
        self.tell(topic, what, Answer::Broken, error.to_string());
    }

    pub(super) fn advise(
        &mut self,
        option: &'static str,
        value: impl Into<String>,
        why: impl Into<String>,
    ) {
        self.advice.push(Advice { option, value: value.into(), why: why.into() });
    }

    pub(super) fn left(&mut self, leftover: impl Into<String>) {
        self.leftovers.push(leftover.into());
    }

    pub(super) fn exit(&self) -> Exit {
        match self.exit {
            Exit::Done if !self.leftovers.is_empty() => Exit::Partial,
            exit => exit,
        }
    }

    pub(super) fn json(&self) -> Value {
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|check| {
                json!({
                    "topic": check.topic, "what": check.what,
                    "answer": check.answer.name().to_lowercase(), "detail": check.detail,
                })
            })
            .collect();
        let advice: Vec<Value> = self
            .advice
            .iter()
            .map(|advice| {
                json!({ "option": advice.option, "value": advice.value, "why": advice.why })
            })
            .collect();
        json!({
            "backend": self.backend, "checks": checks, "options": advice,
            "left_behind": self.leftovers,
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, what, answer, detail } = self;
        write!(
            f,
            "{topic:<14} {:<34} {:<7} {}",
            Printable(what).to_string(),
            answer.name(),
            Printable(detail)
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "backend {}\n", self.backend)?;
        for check in &self.checks {
            writeln!(f, "  {}", check.to_string().trim_end())?;
        }
        for leftover in &self.leftovers {
            writeln!(f, "\n  LEFT BEHIND: {}", Printable(leftover))?;
        }
        if self.advice.is_empty() {
            return write!(f, "\n  no advice");
        }
        write!(f, "\n[{}]", self.backend)?;
        for Advice { option, value, why } in &self.advice {
            write!(f, "\n# {}\n{option} = {value}", Printable(why))?;
        }
        Ok(())
    }
}

//! The record of what happened, as text.

use std::fmt;
use std::time::Duration;

use apus_core::http::{Completion, Exchange};
use apus_core::now::Now;

use super::faults::Fault;

/// What happened, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    lines: Vec<(Duration, String)>,
    /// Texts that are not shown, and must contain no secret either.
    pub(crate) heard: Vec<String>,
}

impl Trace {
    pub(crate) fn say(&mut self, now: Now, what: impl Into<String>) {
        self.lines.push((now.tick, what.into()));
    }

    pub(crate) fn launch(
        &mut self,
        now: Now,
        index: usize,
        number: u64,
        exchange: &Exchange,
        fault: Option<Fault>,
    ) {
        let draft = exchange.draft();
        let fault = fault.map_or(String::new(), |fault| format!("   !! {fault}"));
        let range = draft.head.headers.get(http::header::RANGE);
        let range = range.and_then(|range| range.to_str().ok()).unwrap_or_default();
        self.say(
            now,
            format!(
                "[{index}] #{number} -> {} {} {} {} B {range}{fault}",
                draft.operation,
                draft.head.method,
                draft.target(),
                draft.body.len(),
            ),
        );
    }

    pub(crate) fn answer(&mut self, now: Now, index: usize, done: &Completion) {
        let how = match done.outcome() {
            Err(error) => error.to_string(),
            Ok(reply) => {
                let mut how = reply.status().as_u16().to_string();
                for name in ["etag", "content-length", "content-range"] {
                    if let Some(value) = reply.head.headers.get(name) {
                        how.push_str(&format!(" {name} {}", value.to_str().unwrap_or("?")));
                    }
                }
                if let Some(cut) = &reply.cut {
                    how.push_str(&format!(", then {cut}"));
                }
                if let Some(rejected) = &reply.rejected {
                    how.push_str(&format!(", refused by us: {rejected}"));
                }
                if !reply.status().is_success() || reply.body.starts_with(b"<Error") {
                    let text = String::from_utf8_lossy(&reply.body);
                    let text: String = text.chars().take(300).collect();
                    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    how.push_str(&format!(" {text}"));
                }
                how
            }
        };
        self.say(now, format!("[{index}]    <- {} {how}", done.draft().operation));
    }

    /// Returns all recorded texts.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .map(|(_, line)| line.as_str())
            .chain(self.heard.iter().map(String::as_str))
    }

    /// Returns how long it took.
    pub(crate) fn span(&self) -> Duration {
        match (self.lines.first(), self.lines.last()) {
            (Some((first, _)), Some((last, _))) => last.saturating_sub(*first),
            _ => Duration::ZERO,
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.lines.first().map_or(Duration::ZERO, |(at, _)| *at);
        for (at, line) in &self.lines {
            let at = at.saturating_sub(start);
            writeln!(f, "  {:>6}.{:03} {line}", at.as_secs(), at.subsec_millis())?;
        }
        Ok(())
    }
}

//! The record of a transfer, which is printed where it failed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use apus_core::machine::{Event, Observer};
use apus_core::now::Now;

use super::fault::Kind;

/// Events of the machine and of the proxies before its servers, by time.
#[derive(Debug)]
pub(super) struct Trace {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    met: BTreeMap<&'static str, u64>,
    launched: BTreeMap<&'static str, u64>,
    ended: BTreeMap<&'static str, u64>,
}

impl Trace {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), state: Mutex::default() }
    }

    pub(super) fn say(&self, what: String) {
        let at = self.began.elapsed().as_millis();
        let mut state = self.lock();
        if state.lines.len() < MOST {
            state.lines.push(format!("{at:6} ms  {what}"));
        }
    }

    pub(super) fn met(&self, kind: Kind) {
        *self.lock().met.entry(kind.name()).or_default() += 1;
    }

    pub(super) fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.lock().met.clone()
    }

    /// Returns how many exchanges of this operation were sent.
    pub(super) fn launched(&self, operation: &str) -> u64 {
        self.lock().launched.get(operation).copied().unwrap_or(0)
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Trace {
    fn event(&self, _: Now, event: &Event<'_>) {
        match event {
            Event::Launched { draft } => {
                *self.lock().launched.entry(draft.operation).or_default() += 1;
                self.say(format!("{} goes out", draft.operation));
            }
            Event::Ended { operation, status, error, .. } => {
                *self.lock().ended.entry(operation).or_default() += 1;
                match (status, error) {
                    (Some(status), _) => self.say(format!("{operation} ended: {status}")),
                    (_, Some(error)) => self.say(format!("{operation} ended: {error}")),
                    _ => self.say(format!("{operation} ended")),
                }
            }
            Event::Noticed(notice) => self.say(format!("{notice:?}")),
            _ => {}
        }
    }
}

/// The number of lines that are kept.
const MOST: usize = 400;

//! An observer that counts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use apus_core::Now;
use apus_core::contract::Notice;
use apus_core::machine::{Event, Observer};

/// Takes down what went out, what came back, and what was noticed.
#[derive(Default)]
pub struct Watch {
    launched: Mutex<BTreeMap<&'static str, u32>>,
    statuses: Mutex<BTreeMap<u16, u32>>,
    notices: Mutex<Vec<Notice>>,
}

impl Watch {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many requests of this operation went out.
    pub fn launched(&self, operation: &str) -> u32 {
        self.launched.lock().unwrap().get(operation).copied().unwrap_or_default()
    }

    /// Returns how many tokens were requested.
    pub fn logins(&self) -> u32 {
        self.launched("Authenticate")
    }

    /// Returns how many responses had this status.
    pub fn answered(&self, status: u16) -> u32 {
        self.statuses.lock().unwrap().get(&status).copied().unwrap_or_default()
    }

    /// What was noticed.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }
}

impl Observer for Watch {
    fn event(&self, _: Now, event: &Event<'_>) {
        match event {
            Event::Launched { draft } => {
                *self.launched.lock().unwrap().entry(draft.operation).or_default() += 1;
            }
            Event::Ended { status: Some(status), .. } => {
                *self.statuses.lock().unwrap().entry(status.as_u16()).or_default() += 1;
            }
            Event::Noticed(notice) => self.notices.lock().unwrap().push((*notice).clone()),
            _ => {}
        }
    }
}

//! The results for all lines.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

/// Numbers of lines.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Correct.
    pub(super) good: u64,
    /// Of other stores.
    pub(super) others: u64,
    /// To change, by backend.
    changed: BTreeMap<String, u64>,
    /// Of these: lose credentials.
    credentials: u64,
    /// Of these: only get the name of the backend.
    named: u64,
    /// By problem, up to a number of different problems.
    refused: BTreeMap<String, u64>,
    refused_in_all: u64,
}

impl Summary {
    pub(super) fn changed(&mut self, store: &str, credentials_found: bool, is_new_url: bool) {
        match self.changed.get_mut(store) {
            Some(count) => *count += 1,
            None => drop(self.changed.insert(store.to_owned(), 1)),
        }
        self.credentials += u64::from(credentials_found);
        self.named += u64::from(!is_new_url);
    }

    pub(super) fn refuse(&mut self, problem: &str) {
        self.refused_in_all += 1;
        if let Some(count) = self.refused.get_mut(problem) {
            *count += 1;
        } else if self.refused.len() < KINDS {
            self.refused.insert(problem.to_owned(), 1);
        }
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused_in_all
    }

    /// Returns how many lines are not correct.
    pub(super) fn findings(&self) -> u64 {
        self.refused_in_all + self.changes()
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "rows": self.good + self.others + self.findings(),
            "good": self.good,
            "other_stores": self.others,
            "changed": self.changes(),
            "changed_by_store": self.changed,
            "credentials_removed": self.credentials,
            "only_store_named": self.named,
            "refused": self.refused_in_all,
            "refused_by_problem": self.refused,
        })
    }

    fn changes(&self) -> u64 {
        self.changed.values().sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.good + self.others + self.findings();
        writeln!(f, "{rows:>9} rows")?;
        writeln!(f, "{:>9} correct", self.good)?;
        writeln!(f, "{:>9} of other stores", self.others)?;
        writeln!(
            f,
            "{:>9} to change: credentials removed from {}, only the store added to {}",
            self.changes(),
            self.credentials,
            self.named
        )?;
        for (store, count) in &self.changed {
            writeln!(f, "{count:>19} in {store}")?;
        }
        write!(f, "{:>9} refused", self.refused_in_all)?;
        for (problem, count) in &self.refused {
            write!(f, "\n{count:>19} {problem}")?;
        }
        let told: u64 = self.refused.values().sum();
        match self.refused_in_all - told {
            0 => Ok(()),
            more => write!(f, "\n{more:>19} for other reasons"),
        }
    }
}

/// Most different problems that are counted separately.
const KINDS: usize = 50;

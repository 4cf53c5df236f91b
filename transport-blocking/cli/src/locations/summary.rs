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
    /// In plain text, although the image service encrypts locations.
    pub(super) unencrypted: u64,
    /// Keep their credentials.
    pub(super) kept: Reasons,
    pub(super) refused: Reasons,
}

/// Numbers of lines by reason.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    /// Up to a number of different reasons.
    by_reason: BTreeMap<String, u64>,
    all: u64,
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

    /// Returns how many lines should be changed and are not.
    pub(super) fn unchanged(&self) -> u64 {
        self.kept.all + self.refused.all
    }

    /// Returns how many lines are not correct.
    pub(super) fn findings(&self) -> u64 {
        self.unchanged() + self.changes()
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
            "unencrypted": self.unencrypted,
            "kept": self.kept.all,
            "kept_by_reason": self.kept.by_reason,
            "refused": self.refused.all,
            "refused_by_problem": self.refused.by_reason,
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
        if self.unencrypted > 0 {
            writeln!(
                f,
                "{:>9} are in plain text: with metadata_encryption_key, the image service can't read \
                 them",
                self.unencrypted
            )?;
        }
        writeln!(f, "{:>9} keep their credentials{}", self.kept.all, self.kept)?;
        write!(f, "{:>9} refused{}", self.refused.all, self.refused)
    }
}

impl Reasons {
    pub(super) fn add(&mut self, reason: &str) {
        self.all += 1;
        if let Some(count) = self.by_reason.get_mut(reason) {
            *count += 1;
        } else if self.by_reason.len() < KINDS {
            self.by_reason.insert(reason.to_owned(), 1);
        }
    }
}

impl fmt::Display for Reasons {
    /// Writes a line for each reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (reason, count) in &self.by_reason {
            write!(f, "\n{count:>19} {reason}")?;
        }
        let told: u64 = self.by_reason.values().sum();
        match self.all - told {
            0 => Ok(()),
            more => write!(f, "\n{more:>19} for other reasons"),
        }
    }
}

/// Most different reasons that are counted separately.
const KINDS: usize = 50;

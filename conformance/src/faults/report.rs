//! The results of all transfers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::fault::Kind;
use super::outcome::Outcome;
use super::transfer::{Service, Transfer};

/// The counts of a run.
#[derive(Debug, Default)]
pub struct Report {
    transfers: u64,
    done: u64,
    failed: u64,
    wrong: u64,
    hangs: u64,
    panics: u64,
    orphans: u64,
    broken: u64,
    lost_creations: u64,
    there: u64,
    named: u64,
    /// By the kind of transfer.
    rows: BTreeMap<String, [u64; 2]>,
    /// Faults that took effect: by kind, and by service and transport.
    met: BTreeMap<(&'static str, String), u64>,
    took: Duration,
}

/// How a transfer ended.
#[derive(Debug)]
pub(super) enum Ended {
    Over(Outcome),
    /// It did not end in time.
    Hung,
    Panicked(String),
    /// It could not be begun, or its result not be checked.
    Broken(String),
}

impl Report {
    /// Whether every result was true.
    pub fn is_success(&self) -> bool {
        self.transfers > 0 && self.faults() == 0
    }

    fn faults(&self) -> u64 {
        self.wrong + self.hangs + self.panics + self.orphans + self.broken
    }

    /// Returns how many faults took effect.
    pub fn met(&self) -> u64 {
        self.met.values().sum()
    }

    pub(super) fn took(&mut self, took: Duration) {
        self.took = took;
    }

    /// Counts a transfer. Returns the text to print, if any.
    pub(super) fn add(
        &mut self,
        transfer: &Transfer,
        ended: &Ended,
        met: &BTreeMap<&'static str, u64>,
    ) -> Vec<String> {
        self.transfers += 1;
        let service = match transfer.service {
            Service::S3Model | Service::S3Files | Service::S3Live => "S3",
            Service::SwiftModel | Service::SwiftLive => "Swift",
        };
        let column = format!("{service} {:?}", transfer.via);
        for (kind, count) in met {
            *self.met.entry((kind, column.clone())).or_default() += count;
        }
        let row = format!("{:?} {:?} {:?}", transfer.service, transfer.verb, transfer.via);
        let row = self.rows.entry(row).or_default();
        match ended {
            Ended::Over(outcome) => {
                let index = usize::from(outcome.error.is_some());
                row[index] += 1;
                *[&mut self.done, &mut self.failed][index] += 1;
                self.wrong += u64::from(!outcome.wrong.is_empty());
                self.orphans += outcome.orphans.len() as u64;
                self.lost_creations += outcome.lost_creations;
                self.there += u64::from(outcome.is_there);
                self.named += outcome.named as u64;
                outcome.wrong.iter().chain(&outcome.orphans).cloned().collect()
            }
            Ended::Hung => {
                self.hangs += 1;
                vec!["does not end".into()]
            }
            Ended::Panicked(what) => {
                self.panics += 1;
                vec![format!("panicked: {what}")]
            }
            Ended::Broken(what) => {
                self.broken += 1;
                vec![format!("could not be tried: {what}")]
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:38} {:>7} {:>7}", "transfers", "done", "failed")?;
        for (row, [done, failed]) in &self.rows {
            writeln!(f, "{row:38} {done:7} {failed:7}")?;
        }
        let columns = ["S3 Blocking", "S3 Async", "Swift Blocking", "Swift Async"];
        write!(f, "{:24}", "faults met")?;
        columns.iter().try_for_each(|column| write!(f, " {column:>14}"))?;
        writeln!(f)?;
        for kind in Kind::NAMES {
            write!(f, "{kind:24}")?;
            for column in columns {
                let count = self.met.get(&(kind, column.to_owned())).copied().unwrap_or(0);
                write!(f, " {count:14}")?;
            }
            writeln!(f)?;
        }
        if self.lost_creations > 0 {
            writeln!(
                f,
                "{} uploads stay whose CreateMultipartUpload had no answer: nobody was told their \
                 ids. ListMultipartUploads with the key as prefix shows them, AbortMultipartUpload \
                 removes them, and a lifecycle rule with AbortIncompleteMultipartUpload does both.",
                self.lost_creations
            )?;
        }
        writeln!(
            f,
            "{} transfers failed with the object in its place; {} leftovers were named",
            self.there, self.named
        )?;
        write!(
            f,
            "{} transfers in {} s, {} done, {} failed, {} faults met: wrong bytes {}, hangs {}, \
             orphans that no error names {}",
            self.transfers,
            self.took.as_secs(),
            self.done,
            self.failed,
            self.met(),
            self.wrong,
            self.hangs,
            self.orphans
        )?;
        if self.panics + self.broken > 0 {
            write!(f, ", panics {}, not tried {}", self.panics, self.broken)?;
        }
        writeln!(f)
    }
}

//! The results of a run, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::compare::Difference;

/// The results of a run, by suite.
#[derive(Debug, Default)]
pub struct Report {
    suites: BTreeMap<&'static str, Tally>,
    broken: Vec<(PathBuf, String)>,
}

/// The results of one suite.
#[derive(Debug, Default)]
pub struct Tally {
    /// Cases with the expected result.
    pub passed: usize,
    /// Cases that are marked to be skipped.
    pub skipped: usize,
    failures: Vec<Failure>,
}

#[derive(Debug)]
struct Failure {
    file: PathBuf,
    case: String,
    differences: Vec<Difference>,
}

impl Report {
    /// Whether no case failed.
    pub fn is_success(&self) -> bool {
        self.failed() == 0
    }

    /// Cases with the expected result.
    pub fn passed(&self) -> usize {
        self.suites.values().map(|tally| tally.passed).sum()
    }

    /// Cases with another result, and files that could not be run.
    pub fn failed(&self) -> usize {
        self.suites.values().map(Tally::failed).sum::<usize>() + self.broken.len()
    }

    /// Cases that are marked to be skipped.
    pub fn skipped(&self) -> usize {
        self.suites.values().map(|tally| tally.skipped).sum()
    }

    /// Returns the report as one JSON document.
    pub fn json(&self) -> Value {
        let suites: Vec<Value> = self.suites.iter().map(|(name, tally)| tally.json(name)).collect();
        let broken = |(file, why): &(PathBuf, String)| json!({ "file": file, "error": why });
        json!({
            "passed": self.passed(),
            "failed": self.failed(),
            "skipped": self.skipped(),
            "suites": suites,
            "broken": self.broken.iter().map(broken).collect::<Vec<_>>(),
        })
    }

    pub(super) fn suite(&mut self, name: &'static str) -> &mut Tally {
        self.suites.entry(name).or_default()
    }

    /// Adds a file that can't be run.
    pub(super) fn broken(&mut self, file: &Path, why: impl ToString) {
        self.broken.push((file.to_owned(), why.to_string()));
    }
}

impl Tally {
    /// Cases with another result than expected.
    pub fn failed(&self) -> usize {
        self.failures.len()
    }

    pub(super) fn count(&mut self, file: &Path, case: String, differences: Vec<Difference>) {
        if differences.is_empty() {
            self.passed += 1;
        } else {
            self.failures.push(Failure { file: file.to_owned(), case, differences });
        }
    }

    fn json(&self, name: &str) -> Value {
        let failure = |failure: &Failure| {
            let differences = failure.differences.iter().map(|difference| {
                json!({
                    "what": difference.what,
                    "expected": difference.expected,
                    "got": difference.got,
                })
            });
            json!({
                "file": failure.file,
                "name": failure.case,
                "differences": differences.collect::<Vec<_>>(),
            })
        };
        json!({
            "suite": name,
            "passed": self.passed,
            "failed": self.failed(),
            "skipped": self.skipped,
            "failures": self.failures.iter().map(failure).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, why) in &self.broken {
            writeln!(f, "FAILED {}: {why}", file.display())?;
        }
        for (name, tally) in &self.suites {
            for failure in &tally.failures {
                writeln!(f, "FAILED {name} {} ({})", failure.case, failure.file.display())?;
                for difference in &failure.differences {
                    writeln!(f, "  {}", difference.what)?;
                    writeln!(f, "    expected: {}", difference.expected)?;
                    writeln!(f, "    got:      {}", difference.got)?;
                }
            }
        }
        for (name, tally) in &self.suites {
            writeln!(f, "{name}: {} passed, {} failed", tally.passed, tally.failed())?;
        }
        let (passed, failed, skipped) = (self.passed(), self.failed(), self.skipped());
        writeln!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

//! What was transferred, removed, skipped, and what failed.

use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output::{Output, Printable};
use crate::progress::human;

/// The results of a command so far.
pub(super) struct Report {
    output: Output,
    dry: bool,
    /// Of a transfer: the past and the infinitive.
    verbs: [&'static str; 2],
    transferred: u64,
    bytes: u64,
    same: u64,
    removed: u64,
    skipped: u64,
    failed: u64,
}

/// The result for one name.
pub(super) enum Outcome {
    Same,
    /// The bytes that were, or would be, transferred.
    Done(String, u64),
    Failed(String, Failure),
}

impl Report {
    pub(super) fn new(output: Output, dry: bool, verbs: [&'static str; 2]) -> Self {
        let (transferred, bytes, same, removed, skipped, failed) = (0, 0, 0, 0, 0, 0);
        Self { output, dry, verbs, transferred, bytes, same, removed, skipped, failed }
    }

    pub(super) fn take(&mut self, outcome: Outcome) -> Result<(), Failure> {
        match outcome {
            Outcome::Same => self.same += 1,
            Outcome::Done(name, bytes) => {
                self.transferred += 1;
                self.bytes = self.bytes.saturating_add(bytes);
                self.tell(self.verbs, &name)?;
            }
            Outcome::Failed(_, failure) if failure.exit == Exit::Interrupted => {
                return Err(failure);
            }
            Outcome::Failed(name, failure) => {
                self.failed += 1;
                self.output.fail(&failure.of_name(&name));
            }
        }
        Ok(())
    }

    pub(super) fn removed(&mut self, name: &str) -> Result<(), Failure> {
        self.removed += 1;
        self.tell(["removed", "remove"], name)
    }

    pub(super) fn skipped(&mut self, name: &str, why: &str) {
        self.skipped += 1;
        self.output.fail(&Failure::new(Exit::Partial, format!("skipped {name}: {why}")));
    }

    /// Whether nothing has failed or was skipped so far: what is below a skipped link is not known.
    pub(super) fn is_sound(&self) -> bool {
        self.failed + self.skipped == 0
    }

    /// Whether nothing was found at all.
    pub(super) fn is_empty(&self) -> bool {
        self.transferred + self.same + self.failed + self.skipped == 0
    }

    /// Returns the failure of a command that ends before everything was tried.
    pub(super) fn stopped(&self, exit: Exit, why: &str) -> Failure {
        let [past, _] = self.verbs;
        let message = format!(
            "{why}: {} ({}) {past}, {} equal, the rest is left out; to continue, run the command again",
            self.transferred,
            human(self.bytes),
            self.same
        );
        Failure::new(exit, message)
    }

    fn tell(&self, [past, infinitive]: [&str; 2], name: &str) -> Result<(), Failure> {
        let key = if self.dry { format!("would_{infinitive}") } else { past.to_owned() };
        let text = key.replace('_', " ");
        self.output.result(&json!({ key: name }), format_args!("{text} {}", Printable(name)))
    }

    pub(super) fn end(self) -> Result<Exit, Failure> {
        let [past, infinitive] = self.verbs;
        let (would, verb) = match self.dry {
            true => (" would be", format!("{infinitive}ed")),
            false => ("", past.to_owned()),
        };
        self.output.remark(format_args!(
            "{} ({}){would} {verb}, {} equal, {}{would} removed, {} skipped, {} failed",
            self.transferred,
            human(self.bytes),
            self.same,
            self.removed,
            self.skipped,
            self.failed
        ));
        match self.failed + self.skipped {
            0 => Ok(Exit::Done),
            _ => Err(Failure::new(
                Exit::Partial,
                format!("{} names were skipped, {} failed", self.skipped, self.failed),
            )),
        }
    }
}

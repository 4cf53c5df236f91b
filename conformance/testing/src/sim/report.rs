//! The results of all schedules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::cells::{FAULTS, cannot};
use super::faults::Phase;
use super::workloads::{Outcome, Over, Workload};

/// The results of all schedules of a run.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    schedules: u64,
    workloads: Vec<Workload>,
    failures: Vec<Failure>,
    found: usize,
    /// How many schedules of a workload failed in one way, and the first seed.
    kinds: BTreeMap<(&'static str, String), (u64, u64)>,
    /// Faults that took effect.
    met: BTreeMap<(&'static str, Phase, &'static str), u64>,
    outcomes: BTreeMap<(&'static str, Outcome), u64>,
    exchanges: u64,
    deaths: u64,
    unnamed: u64,
    longest: Duration,
    most_requests: u64,
    most_held: u64,
}

/// A schedule that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The workload.
    pub workload: &'static str,
    /// The seed that reproduces it.
    pub seed: u64,
    /// Why it failed.
    pub what: String,
    /// The smallest schedule that fails in this way.
    pub schedule: String,
    /// The trace of that schedule.
    pub trace: String,
}

impl Failure {
    /// Returns what distinguishes it from failures of another kind.
    fn kind(&self) -> (&'static str, String) {
        let mut text = String::new();
        let mut inside = 0;
        for c in self.what.chars() {
            match c {
                '[' => inside += 1,
                ']' => inside -= 1,
                c if inside == 0 && !c.is_ascii_digit() => text.push(c),
                _ => {}
            }
        }
        (self.workload, text.chars().take(60).collect())
    }
}

impl Report {
    pub(super) fn new(workloads: &[Workload], schedules: u64, seed: u64) -> Self {
        Self {
            seed,
            schedules,
            workloads: workloads.to_vec(),
            failures: Vec::new(),
            found: 0,
            kinds: BTreeMap::new(),
            met: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            exchanges: 0,
            deaths: 0,
            unnamed: 0,
            longest: Duration::ZERO,
            most_requests: 0,
            most_held: 0,
        }
    }

    /// Whether no schedule failed, and every fault met every workload that it can meet.
    pub fn is_success(&self) -> bool {
        self.found == 0 && self.gaps().is_empty()
    }

    /// Returns the workloads and faults that should have met and did not, and those that met
    /// although they can't; nothing where too few schedules ran.
    pub fn gaps(&self) -> Vec<String> {
        let ran: u64 = self.outcomes.values().sum();
        let mut gaps = Vec::new();
        for workload in &self.workloads {
            for (fault, phase) in cells() {
                let met = self.count(fault, phase, workload.name) > 0;
                let cannot = cannot(workload, fault, phase);
                match (met, cannot) {
                    (false, None) if ran >= TELLING * self.workloads.len() as u64 => {
                        gaps.push(format!("{}: {fault} ({phase}) was never met", workload.name));
                    }
                    (true, Some(why)) if !why.contains("alone") => {
                        gaps.push(format!(
                            "{}: {fault} ({phase}) was met, but: {why}",
                            workload.name
                        ));
                    }
                    _ => {}
                }
            }
        }
        gaps
    }

    fn count(&self, fault: &'static str, phase: Phase, workload: &'static str) -> u64 {
        self.met.get(&(fault, phase, workload)).copied().unwrap_or(0)
    }

    /// Returns the first failure of each kind, reduced.
    pub fn list(&self) -> &[Failure] {
        &self.failures
    }

    /// Returns how many schedules failed.
    pub fn failures(&self) -> usize {
        self.found
    }

    pub(super) fn add(&mut self, workload: &Workload, seed: u64, over: Over) {
        let record = &over.world.record;
        *self.outcomes.entry((workload.name, over.outcome)).or_default() += 1;
        for (fault, phase) in &over.world.met {
            *self.met.entry((fault, *phase, workload.name)).or_default() += 1;
        }
        self.exchanges += record.launched;
        self.deaths += u64::from(record.deaths);
        self.unnamed += record.unnamed.len() as u64;
        self.longest = self.longest.max(over.world.trace.span());
        self.most_requests = self.most_requests.max(record.launched);
        self.most_held = self.most_held.max(record.held);
        if let Some(what) = record.wrong.first() {
            self.failed(workload, seed, what.clone());
        }
    }

    pub(super) fn panicked(&mut self, workload: &Workload, seed: u64, what: String) {
        self.failed(workload, seed, what);
    }

    fn failed(&mut self, workload: &Workload, seed: u64, what: String) {
        self.found += 1;
        let (schedule, trace) = (String::new(), String::new());
        self.failures.push(Failure { workload: workload.name, seed, what, schedule, trace });
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.failures.extend(other.failures);
        self.found += other.found;
        for (key, count) in other.met {
            *self.met.entry(key).or_default() += count;
        }
        for (key, count) in other.outcomes {
            *self.outcomes.entry(key).or_default() += count;
        }
        self.exchanges += other.exchanges;
        self.deaths += other.deaths;
        self.unnamed += other.unnamed;
        self.longest = self.longest.max(other.longest);
        self.most_requests = self.most_requests.max(other.most_requests);
        self.most_held = self.most_held.max(other.most_held);
    }

    /// Keeps the first failure of each kind and workload, reduced and with its trace.
    pub(super) fn finish(&mut self, explain: impl Fn(&mut Failure)) {
        self.failures.sort_by_key(|failure| failure.seed);
        for failure in &self.failures {
            let first = self.kinds.entry(failure.kind()).or_insert((0, failure.seed));
            first.0 += 1;
        }
        let kinds = &self.kinds;
        self.failures.retain(|failure| kinds[&failure.kind()].1 == failure.seed);
        self.failures.truncate(SHOWN);
        self.failures.iter_mut().for_each(explain);
    }

    fn outcome(&self, workload: &'static str, outcome: Outcome) -> u64 {
        self.outcomes.get(&(workload, outcome)).copied().unwrap_or(0)
    }

    fn table(&self) -> String {
        let mut text = String::new();
        let _ =
            writeln!(text, "  faults met, by phase; the workloads are the columns, in this order:");
        for (number, workload) in self.workloads.iter().enumerate() {
            let count = |outcome| self.outcome(workload.name, outcome);
            let _ = writeln!(
                text,
                "  {:>3} {}: {} done, {} failed, {} cancelled",
                number + 1,
                workload.name,
                count(Outcome::Done),
                count(Outcome::Failed),
                count(Outcome::Cancelled)
            );
        }
        let _ = write!(text, "  {:<8}{:<30}", "phase", "fault");
        for number in 1..=self.workloads.len() {
            let _ = write!(text, "{number:>7}");
        }
        text.push('\n');
        let mut reasons: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (fault, phase) in cells() {
            let _ = write!(text, "  {:<8}{fault:<30}", phase.to_string());
            for workload in &self.workloads {
                let count = self.count(fault, phase, workload.name);
                match cannot(workload, fault, phase) {
                    Some(why) if count == 0 => {
                        text.push_str("      -");
                        reasons.entry(why).or_default().insert(format!("{fault} ({phase})"));
                    }
                    _ => _ = write!(text, "{count:>7}"),
                }
            }
            text.push('\n');
        }
        text.push_str("  a cell with - can't be met:\n");
        for (why, which) in reasons {
            let which: Vec<String> = which.into_iter().collect();
            let _ = writeln!(text, "    {why}: {}", which.join(", "));
        }
        text
    }
}

/// Returns all rows of the table.
fn cells() -> impl Iterator<Item = (&'static str, Phase)> {
    let cleanup = FAULTS.iter().map(|(fault, _)| (*fault, Phase::Cleanup));
    FAULTS.iter().copied().chain(cleanup)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table())?;
        writeln!(
            f,
            "{} exchanges; {} processes died; {} uploads or trusts were made whose name nobody was \
             told; at most {} requests and {} s in a schedule, {} bytes of a stream held",
            self.exchanges,
            self.deaths,
            self.unnamed,
            self.most_requests,
            self.longest.as_secs(),
            self.most_held
        )?;
        for failure in &self.failures {
            writeln!(f, "\nFAILED: {}", failure.what)?;
            writeln!(
                f,
                "again: apus-conformance simulate --schedules 1 --seed {} --only {}",
                failure.seed, failure.workload
            )?;
            write!(f, "the smallest schedule found:\n{}{}", failure.schedule, failure.trace)?;
        }
        for ((workload, kind), (count, seed)) in &self.kinds {
            writeln!(f, "{count:>6} x {workload}, first with seed {seed}: {kind}")?;
        }
        for gap in self.gaps() {
            writeln!(f, "GAP: {gap}")?;
        }
        let ran: u64 = self.outcomes.values().sum();
        writeln!(
            f,
            "\n{ran} of {} schedules from seed {}: {} went wrong",
            self.schedules, self.seed, self.found
        )
    }
}

/// The number of schedules of each workload above which an empty cell is no accident.
const TELLING: u64 = 1500;
/// The number of failures that are shown.
const SHOWN: usize = 12;

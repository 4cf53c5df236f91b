//! The faults in one run of a workload. All follow from a seed, and can be removed one by one.

use std::fmt;

use apus_core::contract::OnFailure;

use super::chance::Chance;
use super::faults::{Facing, Fault};

/// One run of a workload.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// The seed that decides everything.
    pub(crate) seed: u64,
    /// The name of the workload.
    pub(crate) workload: &'static str,
    /// The faults of exchanges.
    pub(crate) faults: Vec<Planned>,
    /// When it is cancelled, or its process dies.
    pub(crate) stop: Option<Stop>,
    /// The size of the data, from 0 to 3.
    pub(crate) size: u8,
}

/// A fault, and which exchange it meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    /// Only exchanges of this operation are counted.
    pub(crate) operation: Option<&'static str>,
    /// The number of the exchange, from 1, among those that are counted and that the fault can
    /// meet.
    pub(crate) nth: u32,
    /// Whether the fault meets all exchanges from there on, rather than one.
    pub(crate) lasts: bool,
    pub(crate) fault: Fault,
}

/// An early end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// The number of events before it.
    pub(crate) after: u64,
    pub(crate) how: How,
}

/// How a run is stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Cancel(OnFailure),
    /// The process dies, and another one continues.
    Die,
}

impl Schedule {
    /// Returns the schedule of this seed. `operations` are those of the workload; a repeated one is
    /// met more often.
    pub(crate) fn new(
        seed: u64,
        workload: &'static str,
        operations: &[&'static str],
        cleanup: &[&'static str],
        dies: bool,
    ) -> Self {
        let mut chance = Chance::new(seed, "schedule");
        let mut faults = Vec::new();
        let many = chance.pick(&[0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 6]);
        while faults.len() < many {
            let operation = match chance.percent(75) {
                true => Some(chance.pick(operations)),
                false => None,
            };
            let nth = match operation {
                Some(_) => chance.pick(&[1, 1, 1, 1, 2, 2, 3, 5]),
                None => 1 + chance.below(14) as u32,
            };
            let planned = |nth, lasts, fault| Planned { operation, nth, lasts, fault };
            match chance.below(10) {
                // The outcome of one request is unknown, and the next one is refused.
                0..=2 => {
                    faults.push(planned(nth, false, Fault::ambiguous(&mut chance)));
                    let refused = match chance.percent(70) {
                        true => Fault::status(&mut chance),
                        false => Fault::ambiguous(&mut chance),
                    };
                    // The fault before it in the list has met the exchange before.
                    faults.push(planned(nth, false, refused));
                }
                3 => {
                    let fault = match chance.percent(50) {
                        true => Fault::any(&mut chance),
                        false => Fault::status(&mut chance),
                    };
                    faults.push(planned(nth, true, fault));
                }
                _ => {
                    let mut fault = planned(nth, false, Fault::any(&mut chance));
                    if fault.fault.is_choosy() && chance.percent(70) {
                        (fault.operation, fault.nth) = (None, chance.pick(&[1, 1, 1, 2, 3]));
                    }
                    faults.push(fault);
                }
            }
        }
        if !faults.is_empty() && !cleanup.is_empty() && chance.percent(55) {
            // A clean-up follows a failure, and then has a fault of its own.
            let operation = Some(chance.pick(operations));
            let fault = Fault::Status(403, "");
            let nth = chance.pick(&[1, 2, 3]);
            faults.push(Planned { operation, nth, lasts: true, fault });
            let mut rare = Chance::new(seed, "rare");
            for _ in 0..2 {
                let operation = Some(chance.pick(cleanup));
                let any = Fault::any(&mut chance);
                // Redirections are few among the statuses, and clean-ups are rare.
                let fault = match rare.percent(5) {
                    true => Fault::redirection(&mut rare),
                    false => any,
                };
                let (nth, lasts) = (chance.pick(&[1, 1, 2]), chance.percent(15));
                faults.push(Planned { operation, nth, lasts, fault });
            }
        }
        let stop = match chance.below(100) {
            0..=11 => Some(How::Cancel(OnFailure::Abort)),
            12..=16 => Some(How::Cancel(OnFailure::Keep)),
            17..=36 if dies => Some(How::Die),
            _ => None,
        };
        let after = chance.pick(&[4, 12, 40, 120]);
        let after = chance.below(after);
        let stop = stop.map(|how| Stop { after, how });
        let size = chance.pick(&[0, 1, 1, 2, 2, 2, 3]);
        Self { seed, workload, faults, stop, size }
    }

    /// Returns the size of the schedule, for its reduction.
    pub(crate) fn weight(&self) -> usize {
        self.faults.len() * 4 + usize::from(self.stop.is_some()) * 4 + usize::from(self.size)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} seed {}, size {}", self.workload, self.seed, self.size)?;
        for planned in &self.faults {
            let operation = planned.operation.unwrap_or("any");
            let on = if planned.lasts { " and after it" } else { "" };
            writeln!(f, "  {operation} number {}{on}: {}", planned.nth, planned.fault)?;
        }
        if let Some(stop) = self.stop {
            writeln!(f, "  {:?} after {} events", stop.how, stop.after)?;
        }
        Ok(())
    }
}

/// The remaining faults of a schedule during a run.
#[derive(Clone, Debug)]
pub(crate) struct Ahead(Vec<(Planned, u32)>);

impl Ahead {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        Self(schedule.faults.iter().map(|planned| (*planned, 0)).collect())
    }

    /// Returns the fault that meets this exchange: at most one, the one planned first.
    pub(crate) fn meet(&mut self, facing: &Facing) -> Option<Fault> {
        for (planned, seen) in &mut self.0 {
            let counts = planned.operation.is_none_or(|only| only == facing.operation)
                && planned.fault.suits(facing);
            if !counts || !planned.lasts && *seen >= planned.nth {
                continue;
            }
            *seen += 1;
            if *seen >= planned.nth {
                return Some(planned.fault);
            }
        }
        None
    }
}

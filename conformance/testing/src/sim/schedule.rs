//! What goes wrong in one run of a workload: all of it follows from a seed, and can be taken away
//! piece by piece.

use std::fmt;

use apus_core::contract::Leave;

use super::chance::Chance;
use super::faults::{Facing, Fault};

/// One run of a workload.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// Everything follows from it.
    pub(crate) seed: u64,
    /// The name of the workload.
    pub(crate) workload: &'static str,
    /// What goes wrong with exchanges.
    pub(crate) faults: Vec<Planned>,
    /// When it is cancelled, or its process dies.
    pub(crate) stop: Option<Stop>,
    /// How much is moved, from 0 to 3.
    pub(crate) size: u8,
}

/// A fault, and which exchange it meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    /// Only exchanges of this operation count.
    pub(crate) operation: Option<&'static str>,
    /// The number, from 1, among those that it suits and that count.
    pub(crate) nth: u32,
    /// All from there on, rather than one.
    pub(crate) lasts: bool,
    pub(crate) fault: Fault,
}

/// An end before the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// After so many things that happened.
    pub(crate) after: u64,
    pub(crate) how: How,
}

/// How a run is stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Cancel(Leave),
    /// The process is gone, and another one goes on.
    Die,
}

impl Schedule {
    /// The schedule of this seed. `operations` are those of the workload, the ones worth meeting more
    /// than once.
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
                // Nobody knows whether it was done, and then it is refused.
                0..=2 => {
                    faults.push(planned(nth, false, Fault::ambiguous(&mut chance)));
                    let refused = match chance.percent(70) {
                        true => Fault::status(&mut chance),
                        false => Fault::ambiguous(&mut chance),
                    };
                    // What comes before it in the list has met the exchange before.
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
            // What removes things again is reached by a failure, and then meets one of its own.
            let operation = Some(chance.pick(operations));
            let fault = Fault::Status(403, "");
            let nth = chance.pick(&[1, 2, 3]);
            faults.push(Planned { operation, nth, lasts: true, fault });
            let mut rare = Chance::new(seed, "rare");
            for _ in 0..2 {
                let operation = Some(chance.pick(cleanup));
                let any = Fault::any(&mut chance);
                // Redirections are few among the statuses, and what removes things is reached rarely.
                let fault = match rare.percent(5) {
                    true => Fault::redirection(&mut rare),
                    false => any,
                };
                let (nth, lasts) = (chance.pick(&[1, 1, 2]), chance.percent(15));
                faults.push(Planned { operation, nth, lasts, fault });
            }
        }
        let stop = match chance.below(100) {
            0..=11 => Some(How::Cancel(Leave::Abort)),
            12..=16 => Some(How::Cancel(Leave::Keep)),
            17..=36 if dies => Some(How::Die),
            _ => None,
        };
        let after = chance.pick(&[4, 12, 40, 120]);
        let after = chance.below(after);
        let stop = stop.map(|how| Stop { after, how });
        let size = chance.pick(&[0, 1, 1, 2, 2, 2, 3]);
        Self { seed, workload, faults, stop, size }
    }

    /// How much there is of it, for the shrinking.
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

/// The faults of a schedule as a run meets them.
#[derive(Clone, Debug)]
pub(crate) struct Ahead(Vec<(Planned, u32)>);

impl Ahead {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        Self(schedule.faults.iter().map(|planned| (*planned, 0)).collect())
    }

    /// What this exchange meets: at most one fault, that which was planned first.
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

//! Reduces a schedule as far as possible while it still fails.

use super::schedule::{Planned, Schedule};

/// Returns the smallest schedule found for which `fails` returns true.
pub(crate) fn shrink(schedule: &Schedule, fails: impl Fn(&Schedule) -> bool) -> Schedule {
    let mut best = schedule.clone();
    loop {
        let weight = best.weight();
        for at in (0..best.faults.len()).rev() {
            let mut less = best.clone();
            less.faults.remove(at);
            if fails(&less) {
                best = less;
            }
        }
        if best.stop.is_some() {
            let less = Schedule { stop: None, ..best.clone() };
            if fails(&less) {
                best = less;
            }
        }
        while best.size > 0 {
            let less = Schedule { size: best.size - 1, ..best.clone() };
            if !fails(&less) {
                break;
            }
            best = less;
        }
        for at in 0..best.faults.len() {
            let Planned { nth, lasts, .. } = best.faults[at];
            for simpler in [(1, false), (nth, false), (1, lasts)] {
                let mut less = best.clone();
                (less.faults[at].nth, less.faults[at].lasts) = simpler;
                if simpler != (nth, lasts) && fails(&less) {
                    best = less;
                    break;
                }
            }
        }
        if best.weight() >= weight {
            return best;
        }
    }
}

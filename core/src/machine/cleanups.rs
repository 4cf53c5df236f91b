//! Abandoned runs of machines, and what they leave on the server.
//!
//! ```text
//!  begin ──▶ Running, held by the code that runs the machine:
//!       │      told its leftovers, again and again; dropped: the run has ended
//!       └──▶ Claim, held by the caller:
//!              settled: the caller received the result with all leftovers
//!              dropped: the run is abandoned, its leftovers are reported here
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::error::Leftover;
use crate::waiters::{Position, Waiters};

/// The runs of a client that may still have something to remove. Clones share the same set.
#[derive(Clone, Default)]
pub struct CleanUps(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    runs: BTreeMap<u64, Run>,
    begun: u64,
    /// Leftovers of ended runs that were not reported to a caller.
    left: Vec<Leftover>,
    waiters: Waiters,
}

#[derive(Default)]
struct Run {
    abandoned: bool,
    ended: bool,
    left: Vec<Leftover>,
}

impl CleanUps {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a run.
    pub fn begin(&self) -> (Running, Claim) {
        let mut state = self.lock();
        state.begun += 1;
        let number = state.begun;
        state.runs.insert(number, Run::default());
        drop(state);
        (Running { set: self.clone(), number }, Claim { set: self.clone(), number })
    }

    /// Returns how many abandoned runs have not ended.
    pub fn pending(&self) -> usize {
        self.lock().pending()
    }

    /// Returns whether no abandoned run is left; otherwise `waker` is woken when that may have
    /// changed. Pass the same `place` on each call, and at the end to [`leave`](Self::leave).
    pub fn is_idle(&self, waker: &Waker, place: &mut Option<Position>) -> bool {
        let mut state = self.lock();
        if state.pending() == 0 {
            return true;
        }
        if !place.is_some_and(|place| state.waiters.renew(place, waker)) {
            *place = Some(state.waiters.join(waker));
        }
        false
    }

    /// Stops waiting.
    pub fn leave(&self, place: Option<Position>) {
        if let Some(place) = place {
            self.lock().waiters.leave(place);
        }
    }

    /// Returns the leftovers of abandoned runs: those of ended runs, each reported once, and those
    /// that the others have not removed yet.
    pub fn leftovers(&self) -> Vec<Leftover> {
        let mut state = self.lock();
        let mut left = std::mem::take(&mut state.left);
        let pending = state.runs.values().filter(|run| run.abandoned);
        left.extend(pending.flat_map(|run| run.left.iter().cloned()));
        left
    }

    /// Returns what would be left on the server if the process ended now: what every run has last
    /// reported, abandoned or not, and the leftovers that were not reported to a caller.
    pub fn remaining(&self) -> Vec<Leftover> {
        let state = self.lock();
        let running = state.runs.values().flat_map(|run| &run.left);
        state.left.iter().chain(running).cloned().collect()
    }

    fn change<T>(&self, number: u64, change: impl FnOnce(&mut Run) -> T) -> Option<T> {
        let mut state = self.lock();
        let run = state.runs.get_mut(&number)?;
        let result = change(run);
        let mut wakers = Vec::new();
        if run.abandoned && run.ended {
            let left = std::mem::take(&mut run.left);
            state.left.extend(left);
            state.runs.remove(&number);
            wakers = state.waiters.drain();
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        Some(result)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pending(&self) -> usize {
        self.runs.values().filter(|run| run.abandoned).count()
    }
}

impl fmt::Debug for CleanUps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CleanUps").field("pending", &self.pending()).finish_non_exhaustive()
    }
}

/// A run, held by the code that runs the machine. The run ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    set: CleanUps,
    number: u64,
}

impl Running {
    /// Sets what would be left on the server if the run ended now.
    pub fn tell(&self, left: Vec<Leftover>) {
        self.set.change(self.number, |run| run.left = left);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.set.change(self.number, |run| run.ended = true);
    }
}

/// A run, held by its caller. A claim that is dropped without [`settle`](Self::settle) abandons the
/// run.
#[derive(Debug)]
pub struct Claim {
    set: CleanUps,
    number: u64,
}

impl Claim {
    /// Records that the caller received the result and its leftovers. Returns the last leftovers of
    /// [`Running::tell`], for a result that does not contain them.
    pub fn settle(self) -> Vec<Leftover> {
        let run = self.set.lock().runs.remove(&self.number);
        run.map(|run| run.left).unwrap_or_default()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.set.change(self.number, |run| run.abandoned = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(id: &str) -> Vec<Leftover> {
        vec![Leftover::Trust { id: id.to_owned() }]
    }

    #[test]
    fn what_remains_is_that_of_every_run() {
        let set = CleanUps::new();
        let (running, claim) = set.begin();
        running.tell(trust("of a caller that waits"));
        assert_eq!((set.remaining(), set.leftovers()), (trust("of a caller that waits"), vec![]));
        drop(claim);
        drop(running);
        assert_eq!(set.remaining(), trust("of a caller that waits"));
        assert_eq!(set.leftovers().len(), 1);
        assert!(set.remaining().is_empty());
    }

    #[test]
    fn what_a_run_left_is_told_once_to_its_caller_or_here() {
        let set = CleanUps::new();
        let (running, claim) = set.begin();
        running.tell(trust("told to the caller"));
        drop(running);
        assert_eq!((claim.settle(), set.leftovers()), (trust("told to the caller"), vec![]));

        // The caller drops its claim first, or the run ends first.
        for caller_first in [true, false] {
            let (running, claim) = set.begin();
            running.tell(trust("left"));
            assert!(set.leftovers().is_empty());
            if caller_first {
                drop(claim);
                assert_eq!((set.pending(), set.leftovers()), (1, trust("left")));
                drop(running);
            } else {
                drop(running);
                drop(claim);
            }
            assert_eq!((set.pending(), set.leftovers()), (0, trust("left")));
            assert!(set.leftovers().is_empty());
        }
        assert!(set.lock().runs.is_empty());
    }

    #[test]
    fn who_waits_is_woken_when_a_run_has_ended_whose_caller_has_gone() {
        let set = CleanUps::new();
        let mut place = None;
        assert!(set.is_idle(Waker::noop(), &mut place));
        let (running, claim) = set.begin();
        assert!(set.is_idle(Waker::noop(), &mut place));
        drop(claim);
        assert!(!set.is_idle(Waker::noop(), &mut place));
        assert_eq!(set.lock().waiters.len(), 1);
        running.tell(Vec::new());
        drop(running);
        assert_eq!(set.lock().waiters.len(), 0);
        assert!(set.is_idle(Waker::noop(), &mut place));
        set.leave(place);
    }
}

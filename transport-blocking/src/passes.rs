//! One pass over a source: its bytes go to a thread for each digest, in order, and are compared if
//! they are read again.
//!
//! ```text
//!  feeds ──▶ Pass (in the core: order, bytes due, bytes read before) ──▶ a worker for each digest
//!    ▲                                                                      │
//!    └──────────── wait while the workers are too far behind ◀──────────────┘
//! ```

use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};

use apus_core::checksum::{Digests, Hashers, Pass, Reading};
use apus_core::error::ExchangeError;
use bytes::Bytes;

/// The pass over a source: of one run, or of all its runs if the source is tapped.
pub(crate) struct OnePass {
    state: Mutex<State>,
    /// Signals the workers that bytes are due, or that no more will be.
    filled: Condvar,
    /// Signals readers that the workers have taken bytes.
    taken: Condvar,
}

struct State {
    pass: Pass,
    /// A group of hashers for each worker; absent while the worker runs.
    groups: Vec<Option<Hashers>>,
    working: usize,
    closing: bool,
    /// All bytes of the source were read.
    is_whole: bool,
    /// Bytes of the source when a run began; `None` if unknown.
    length: Option<u64>,
    /// Bytes that may be held until it is their turn.
    memory: u64,
    /// The ranges that threads read now without waiting for a network.
    measured: Vec<Range<u64>>,
}

/// A range that its thread reads without waiting for a network, as long as this is not dropped.
pub(crate) struct Measuring {
    pass: Arc<OnePass>,
    range: Range<u64>,
}

impl Drop for Measuring {
    fn drop(&mut self) {
        let mut state = self.pass.lock();
        if let Some(place) = state.measured.iter().position(|range| *range == self.range) {
            state.measured.swap_remove(place);
        }
        drop(state);
        self.pass.taken.notify_all();
    }
}

impl OnePass {
    /// A pass that feeds these hashers. With none, it only compares.
    pub(crate) fn new(hashers: Hashers) -> Self {
        let groups = match hashers.is_empty() {
            true => Vec::new(),
            false => hashers.split(cores()).into_iter().map(Some).collect(),
        };
        let pass = Pass::new(groups.len());
        let state = State {
            pass,
            groups,
            working: 0,
            closing: false,
            is_whole: false,
            length: None,
            memory: 0,
            measured: Vec::new(),
        };
        Self { state: Mutex::new(state), filled: Condvar::new(), taken: Condvar::new() }
    }

    /// Begins a run over a source of this length.
    pub(crate) fn begin(&self, length: Option<u64>, memory: u64) {
        let mut state = self.lock();
        state.length = length;
        state.memory = memory;
    }

    /// Starts the workers, unless they run. With one processor core only, the reading thread
    /// hashes.
    pub(crate) fn start<'scope>(self: &Arc<Self>, scope: &'scope Scope<'scope, '_>) {
        let mut state = self.lock();
        if state.working > 0 || cores() < 2 {
            return;
        }
        state.closing = false;
        state.working = state.groups.len();
        for worker in 0..state.working {
            let this = Arc::clone(self);
            scope.spawn(move || this.work(worker));
        }
    }

    /// Ends the workers after they have hashed what is due; nothing more is read.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.filled.notify_all();
    }

    /// Records whether all bytes of the source were read: as `whole` says, or, if that is `None`,
    /// if as many bytes were read as the source had when the run began.
    pub(crate) fn settle(&self, whole: Option<bool>) {
        let mut state = self.lock();
        let all = || state.length == Some(state.pass.position());
        let whole = whole.unwrap_or_else(all);
        state.is_whole |= whole;
    }

    /// Returns the digests of the whole source, once all of it was read.
    pub(crate) fn digests(&self) -> Option<Digests> {
        let state = self.lock();
        let groups: Option<Vec<Hashers>> = state.groups.iter().cloned().collect();
        let groups = groups.filter(|_| state.is_whole)?;
        Some(Digests::join(groups.into_iter().map(Hashers::finish)))
    }

    /// Begins to measure a range. Waits while another thread measures the bytes that are next: so
    /// the digests get the bytes of parallel parts in order, and none must be held, or read once
    /// more for them. That thread waits for the workers alone.
    pub(crate) fn measure(self: &Arc<Self>, range: Range<u64>) -> Measuring {
        let mut state = self.lock();
        state.measured.push(range.clone());
        while !state.groups.is_empty() && state.is_before(&range) {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        Measuring { pass: Arc::clone(self), range }
    }

    /// Takes the next bytes of a reading, which may be passed on afterwards; waits for the workers.
    /// Returns the bytes that must be read before this reading continues, if too many bytes wait
    /// for them.
    pub(crate) fn read(
        &self,
        reading: &mut Reading,
        bytes: &[u8],
    ) -> Result<Option<Range<u64>>, ExchangeError> {
        let mut state = self.lock();
        state.pass.read(reading, bytes)?;
        let gap = state.pass.gap().filter(|_| state.pass.held() > state.memory);
        self.hand_on(state);
        Ok(gap)
    }

    /// Does what [`read`](Self::read) does, and shares the bytes instead of copying them.
    pub(crate) fn read_shared(
        &self,
        reading: &mut Reading,
        bytes: &Bytes,
    ) -> Result<Option<Range<u64>>, ExchangeError> {
        let mut state = self.lock();
        state.pass.read_shared(reading, bytes)?;
        let gap = state.pass.gap().filter(|_| state.pass.held() > state.memory);
        self.hand_on(state);
        Ok(gap)
    }

    /// Takes the next bytes of a source that is read once and in order.
    pub(crate) fn append(&self, bytes: Bytes) {
        let mut state = self.lock();
        state.pass.append(bytes);
        self.hand_on(state);
    }

    /// Returns the next bytes that were not hashed but should have been.
    pub(crate) fn rest(&self) -> Option<Range<u64>> {
        let state = self.lock();
        if state.groups.is_empty() {
            return None;
        }
        let all = || {
            let range = state.pass.position()..state.length?;
            (!range.is_empty()).then_some(range)
        };
        state.pass.gap().or_else(all)
    }

    /// Returns the length of the source when the run began, in bytes.
    pub(crate) fn length(&self) -> Option<u64> {
        self.lock().length
    }

    /// Passes due bytes to the workers, and waits while these are too far behind.
    fn hand_on(&self, mut state: MutexGuard<'_, State>) {
        if state.working == 0 {
            let State { pass, groups, .. } = &mut *state;
            for (worker, group) in groups.iter_mut().enumerate() {
                while let Some((piece, group)) = pass.piece(worker).zip(group.as_mut()) {
                    group.update(&piece);
                }
            }
            return;
        }
        self.filled.notify_all();
        while state.pass.backlog() > BEHIND && state.working > 0 {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self, worker: usize) {
        let mut state = self.lock();
        let mut hashers = state.groups.get_mut(worker).and_then(Option::take);
        loop {
            if let Some((piece, hashers)) = state.pass.piece(worker).zip(hashers.as_mut()) {
                let has_room = state.pass.backlog() <= BEHIND / 2;
                drop(state);
                // Readers that wait continue with half of it, so that they wait less often.
                if has_room {
                    self.taken.notify_all();
                }
                hashers.update(&piece);
                state = self.lock();
            } else if state.closing {
                break;
            } else {
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if let Some(group) = state.groups.get_mut(worker) {
            *group = hashers;
        }
        state.working -= 1;
        self.taken.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the next bytes are before this range, and are being measured.
    fn is_before(&self, range: &Range<u64>) -> bool {
        let next = self.pass.position();
        next < range.start && self.measured.iter().any(|other| other.contains(&next))
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes that the slowest worker may be behind before readers wait for it.
const BEHIND: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use apus_core::checksum::Algorithm;

    use super::*;

    fn pass(memory: u64) -> Arc<OnePass> {
        let pass = Arc::new(OnePass::new(Hashers::new([Algorithm::Md5]).unwrap()));
        pass.begin(Some(12), memory);
        pass
    }

    #[test]
    fn parts_are_measured_in_order_however_their_threads_begin() {
        let pass = pass(0);
        let first = pass.measure(0..4);
        let (told, hears) = mpsc::channel();
        thread::scope(|scope| {
            for (begun, range, bytes) in [(2, 8..12, b"ijkl"), (3, 4..8, b"efgh")] {
                let (later, told) = (Arc::clone(&pass), told.clone());
                scope.spawn(move || {
                    let _turn = later.measure(range.clone());
                    let gap = later.read(&mut Reading::new(range.start), bytes);
                    told.send((range, gap.unwrap())).unwrap();
                });
                while pass.lock().measured.len() < begun {
                    thread::yield_now();
                }
            }
            assert!(hears.recv_timeout(Duration::from_millis(100)).is_err());
            assert_eq!(pass.read(&mut Reading::new(0), b"abcd").unwrap(), None);
            drop(first);
            // Nothing was held, with no memory for it.
            assert_eq!(hears.recv_timeout(Duration::from_secs(10)), Ok((4..8, None)));
            assert_eq!(hears.recv_timeout(Duration::from_secs(10)), Ok((8..12, None)));
        });
        pass.settle(None);
        let expected = Algorithm::Md5.digest(b"abcdefghijkl").unwrap();
        assert_eq!(pass.digests().unwrap().value(Algorithm::Md5), Some(&expected));
    }

    #[test]
    fn a_part_does_not_wait_for_bytes_that_nobody_reads() {
        let pass = pass(3);
        let first = pass.measure(0..4);
        thread::scope(|scope| {
            let (told, hears) = mpsc::channel();
            let later = Arc::clone(&pass);
            scope.spawn(move || {
                let _turn = later.measure(4..12);
                told.send(later.read(&mut Reading::new(4), b"efghijkl").unwrap()).unwrap();
            });
            assert!(hears.recv_timeout(Duration::from_millis(100)).is_err());
            drop(first);
            assert_eq!(hears.recv_timeout(Duration::from_secs(10)), Ok(Some(0..4)));
        });
        // Bytes before those that are next are read again: that waits for nobody.
        let _other = pass.measure(0..4);
        drop(pass.measure(0..4));
    }
}

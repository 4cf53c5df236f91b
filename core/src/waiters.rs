//! A queue of wakers that wait for the same event, first in, first out.
//!
//! Each operation takes constant time, except `drain`. A waiter that stops waiting must leave the
//! queue, so that the queue holds no waker of a task that has ended, and does not wake it instead
//! of another.

use std::fmt;
use std::task::Waker;

/// A queue of wakers. It does not call them: wake what it returns, after its lock is released.
#[derive(Default)]
pub struct Waiters {
    slots: Vec<Slot>,
    /// The first free slot; free slots are linked by `next`.
    free: Option<usize>,
    first: Option<usize>,
    last: Option<usize>,
    length: usize,
    joined: u64,
}

/// The place of a waiter in the queue. It is valid until the waker was removed from the queue;
/// afterwards it refers to no waiter, even if its slot is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    slot: usize,
    number: u64,
}

/// The places of one request for a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// In the queue for the token or the keys.
    pub own: Option<Position>,
    /// In the queue for the service token that is sent in addition.
    pub service: Option<Position>,
}

struct Slot {
    number: u64,
    /// `None` in a free slot.
    waker: Option<Waker>,
    previous: Option<usize>,
    next: Option<usize>,
}

impl Waiters {
    /// Creates an empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of waiters.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no waiters.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends a waiter.
    pub fn join(&mut self, waker: &Waker) -> Position {
        self.joined += 1;
        let number = self.joined;
        let slot = Slot { number, waker: Some(waker.clone()), previous: self.last, next: None };
        let at = match self.free {
            Some(at) => {
                let freed = std::mem::replace(&mut self.slots[at], slot);
                self.free = freed.next;
                at
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        match self.last {
            Some(last) => self.slots[last].next = Some(at),
            None => self.first = Some(at),
        }
        self.last = Some(at);
        self.length += 1;
        Position { slot: at, number }
    }

    /// Replaces the waker at `place`. Returns false if `place` is no longer in the queue.
    pub fn renew(&mut self, place: Position, waker: &Waker) -> bool {
        match self.slots.get_mut(place.slot) {
            Some(Slot { number, waker: Some(kept), .. }) if *number == place.number => {
                kept.clone_from(waker);
                true
            }
            _ => false,
        }
    }

    /// Removes the waiter at `place`. Returns false if it is no longer in the queue.
    pub fn leave(&mut self, place: Position) -> bool {
        let waits = self
            .slots
            .get(place.slot)
            .is_some_and(|slot| slot.number == place.number && slot.waker.is_some());
        if waits {
            self.take(place.slot);
        }
        waits
    }

    /// Removes and returns the waker that has waited longest.
    pub fn pop(&mut self) -> Option<Waker> {
        self.first.and_then(|first| self.take(first))
    }

    /// Removes and returns all wakers, in the order in which they joined.
    pub fn drain(&mut self) -> Vec<Waker> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    fn take(&mut self, at: usize) -> Option<Waker> {
        let slot = &mut self.slots[at];
        let waker = slot.waker.take();
        let (previous, next) = (slot.previous.take(), slot.next.take());
        slot.next = self.free;
        self.free = Some(at);
        match previous {
            Some(previous) => self.slots[previous].next = next,
            None => self.first = next,
        }
        match next {
            Some(next) => self.slots[next].previous = previous,
            None => self.last = previous,
        }
        self.length -= 1;
        if self.length == 0 {
            // Releases the memory of an unusually long queue.
            self.slots.clear();
            self.slots.shrink_to(KEPT);
            self.free = None;
        }
        waker
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiters").field("len", &self.length).finish_non_exhaustive()
    }
}

/// How many slots an empty queue keeps.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Wake;

    use super::*;

    /// Records in what order wakers are woken.
    struct Noted(u64, Arc<AtomicU64>);

    impl Wake for Noted {
        fn wake(self: Arc<Self>) {
            self.1.store(self.0, Ordering::Relaxed);
        }
    }

    #[test]
    fn any_sequence_is_that_of_a_list_searched_from_its_front() {
        let woken = Arc::new(AtomicU64::new(0));
        let mut waiters = Waiters::new();
        let mut model: VecDeque<(u64, Position)> = VecDeque::new();
        let mut gone: Vec<Position> = Vec::new();
        let mut random = 7_u64;
        let mut pick = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % below.max(1)
        };
        for step in 1..20_000_u64 {
            match pick(7) {
                0..=2 => {
                    let waker = Waker::from(Arc::new(Noted(step, Arc::clone(&woken))));
                    model.push_back((step, waiters.join(&waker)));
                }
                3 | 4 => {
                    let expected = model.pop_front();
                    let waker = waiters.pop();
                    assert_eq!(waker.is_some(), expected.is_some());
                    if let (Some(waker), Some((number, place))) = (waker, expected) {
                        waker.wake();
                        assert_eq!(woken.load(Ordering::Relaxed), number);
                        gone.push(place);
                    }
                }
                5 if !model.is_empty() => {
                    let (_, place) = model.remove(pick(model.len())).unwrap();
                    assert!(waiters.leave(place));
                    gone.push(place);
                }
                _ => {
                    // A place that has left refers to no waiter, even if its slot is used again.
                    if let Some(place) = gone.get(pick(gone.len())) {
                        assert!(!waiters.leave(*place));
                        assert!(!waiters.renew(*place, Waker::noop()));
                    }
                }
            }
            assert_eq!(waiters.len(), model.len());
        }
        for waker in waiters.drain() {
            waker.wake();
            assert_eq!(Some(woken.load(Ordering::Relaxed)), model.pop_front().map(|one| one.0));
        }
        assert!(model.is_empty() && waiters.is_empty());
    }

    #[test]
    fn a_renewed_place_keeps_its_turn_and_wakes_the_new_waker() {
        let woken = Arc::new(AtomicU64::new(0));
        let waker = |number| Waker::from(Arc::new(Noted(number, Arc::clone(&woken))));
        let mut waiters = Waiters::new();
        let place = waiters.join(&waker(1));
        waiters.join(&waker(2));
        assert!(waiters.renew(place, &waker(3)));
        waiters.pop().unwrap().wake();
        assert_eq!(woken.load(Ordering::Relaxed), 3);
        waiters.pop().unwrap().wake();
        assert_eq!(woken.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn who_left_is_not_kept() {
        let waker = Waker::from(Arc::new(Noted(1, Arc::default())));
        let bell = Arc::new(Noted(1, Arc::default()));
        let mut waiters = Waiters::new();
        let one = waiters.join(&Waker::from(Arc::clone(&bell)));
        waiters.join(&waker);
        assert_eq!(Arc::strong_count(&bell), 2);
        assert!(waiters.leave(one));
        assert_eq!((Arc::strong_count(&bell), waiters.len()), (1, 1));
    }
}

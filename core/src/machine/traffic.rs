//! The limits that all machines of a client share: requests a second, requests at once, bytes a
//! second.
//!
//! How many requests go at once adapts to the server: each answer that says "slower" (503, 429)
//! halves it, and every full round of others adds one again, up to the limit.
//!
//! ```text
//!            a place is free, and nobody waits
//!     Out ───────────────────────────────────────┐      no limit of requests a second,
//!      │  else                                   ▼      or the next of them is due
//!      └──────▶ Queued ── a place is freed ──▶ placed ─────────────────────────▶ Held ──▶ sent
//!              first in, first out;              │                                ▲
//!              one is woken for each place       └──▶ Paced, until its own time ──┘
//! ```
//!
//! A freed place belongs to the one that is woken for it, from then on: no newcomer overtakes. Who
//! gives up (a run that is dropped or cancelled) passes the place on to the next.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::now::{Now, Wait, WaitReason};
use crate::waiters::{Position, Waiters};

/// Limits shared by a client's machines. The default is [`Traffic::AT_ONCE`] requests at once, and no
/// limit of requests or bytes a second.
///
/// An exchange counts from when it is sent until its answer was read to its end: a download that is
/// read slowly holds its place as long. What finds no place waits, in order, for as long as it takes;
/// an observer is told of it ([`Event::Queued`](crate::machine::Event::Queued)).
#[derive(Debug)]
pub struct Traffic {
    state: Mutex<State>,
    most_at_once: u32,
}

#[derive(Debug)]
struct State {
    requests: Option<Bucket>,
    /// How many have a place, and a time of their own from `requests`.
    paced: u32,
    bytes: Option<Bucket>,
    /// In 256ths, so that a round of good answers adds up to one.
    at_once: u32,
    /// Places that are taken: by what is in flight, and by those who were woken to send.
    taken: u32,
    slowed: Option<Duration>,
    waiters: Waiters,
}

/// How far one who asks has come. Kept by who asks, between one question and the next;
/// [`Traffic::leave`] must follow when it no longer asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Line {
    /// It has not asked.
    #[default]
    Out,
    /// It waits for a place, or was woken since because it has got one.
    Queued(Position),
    /// It has a place, and may send at this time.
    Paced(Duration),
    /// It may send. [`Traffic::ended`] or [`Traffic::abandoned`] must follow once it has.
    Held,
}

/// The answer to a wish to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    /// Send.
    Go,
    /// Not before this time, or, without one, not before being woken.
    Later(Option<Wait>),
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new(Self::AT_ONCE)
    }
}

impl Traffic {
    /// How many requests the default allows at once: as many connections as fit into the 1,024 open
    /// files that systems allow a process by default, beside those of other clients.
    pub const AT_ONCE: u32 = 256;

    /// At most `most_at_once` requests in flight.
    pub fn new(most_at_once: u32) -> Self {
        let most_at_once = most_at_once.clamp(1, 1 << 20);
        let state = State {
            requests: None,
            paced: 0,
            bytes: None,
            at_once: most_at_once * SHARE,
            taken: 0,
            slowed: None,
            waiters: Waiters::new(),
        };
        Self { state: Mutex::new(state), most_at_once }
    }

    /// Also at most this many requests a second, with bursts of one second's worth.
    #[must_use]
    pub fn requests_per_second(self, rate: u32) -> Self {
        self.lock().requests = Some(Bucket::new(rate.into()));
        self
    }

    /// Also at most this many payload bytes a second, both ways together.
    #[must_use]
    pub fn bytes_per_second(self, rate: u64) -> Self {
        self.lock().bytes = Some(Bucket::new(rate));
        self
    }

    /// How many requests may be in flight at this moment.
    pub fn at_once(&self) -> u32 {
        self.lock().places()
    }

    /// `bytes` of payload are about to move: how long to wait first. For transports.
    pub fn pace(&self, now: Now, bytes: u64) -> Duration {
        self.lock().bytes.as_mut().map_or(Duration::ZERO, |bucket| bucket.take(now, bytes))
    }

    /// Whether [`pace`](Self::pace) ever makes anyone wait.
    pub fn paces(&self) -> bool {
        self.lock().bytes.is_some()
    }

    /// How many wait for a place.
    pub fn waiting(&self) -> usize {
        self.lock().waiters.len()
    }

    /// Asks to send. `waker` is woken once when a place is free for it; who is told a time asks again
    /// then.
    pub(crate) fn ask(&self, now: Now, waker: &Waker, line: &mut Line) -> Admit {
        self.lock().ask(now, waker, line)
    }

    /// Who asked no longer does, and passes on what it has.
    pub(crate) fn leave(&self, line: &mut Line) {
        let line = std::mem::take(line);
        if line != Line::Out {
            self.change(|state| state.leave(line));
        }
    }

    /// What was sent is given up, without an answer to learn from.
    pub(crate) fn abandoned(&self) {
        self.change(State::free);
    }

    /// What was sent has ended; `throttled` when the server said "slower".
    pub(crate) fn ended(&self, now: Now, throttled: bool) {
        let most = self.most_at_once * SHARE;
        self.change(|state| {
            if throttled {
                // One burst of refusals is one reason to slow down, not fifty.
                let recent = state.slowed.is_some_and(|at| now.tick < at + PATIENCE);
                if !recent {
                    state.at_once = (state.at_once / 2).max(SHARE);
                    state.slowed = Some(now.tick);
                }
            } else {
                let step = SHARE / state.places();
                state.at_once = (state.at_once + step.max(1)).min(most);
            }
            state.free();
        });
    }

    /// Changes the state, and gives the places that are free then to those who wait longest.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        // A good answer may add a place to the one that it frees, seldom more.
        while let Some(waker) = state.hand_out() {
            drop(state);
            waker.wake();
            state = self.lock();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ask(&mut self, now: Now, waker: &Waker, line: &mut Line) -> Admit {
        // A time of one's own is not put off by those who came later.
        let mut ahead = self.paced;
        match *line {
            Line::Held => return Admit::Go,
            Line::Paced(until) if now.tick < until => return Admit::Later(Some(paced(until))),
            Line::Paced(_) => {
                ahead = 0;
                self.paced = self.paced.saturating_sub(1);
            }
            Line::Queued(place) if self.waiters.renew(place, waker) => return Admit::Later(None),
            Line::Queued(_) => {}
            Line::Out if self.taken < self.places() && self.waiters.is_empty() => self.taken += 1,
            Line::Out => {
                *line = Line::Queued(self.waiters.join(waker));
                return Admit::Later(None);
            }
        }
        match self.requests.as_mut().and_then(|bucket| bucket.try_take(now, ahead)) {
            None => {
                *line = Line::Held;
                Admit::Go
            }
            Some(until) => {
                self.paced += 1;
                *line = Line::Paced(until);
                Admit::Later(Some(paced(until)))
            }
        }
    }

    fn leave(&mut self, line: Line) {
        match line {
            Line::Out => return,
            Line::Queued(place) if self.waiters.leave(place) => return,
            Line::Queued(_) => {}
            Line::Paced(_) => self.paced = self.paced.saturating_sub(1),
            Line::Held => {
                if let Some(bucket) = &mut self.requests {
                    bucket.give_back();
                }
            }
        }
        self.free();
    }

    fn free(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// Whom to wake, since a place is now theirs.
    fn hand_out(&mut self) -> Option<Waker> {
        let waker = if self.taken < self.places() { self.waiters.pop() } else { None };
        self.taken += u32::from(waker.is_some());
        waker
    }

    fn places(&self) -> u32 {
        (self.at_once / SHARE).max(1)
    }
}

fn paced(until: Duration) -> Wait {
    Wait { until, reason: WaitReason::Pacing }
}

/// A token bucket that holds one second's worth.
#[derive(Debug)]
struct Bucket {
    rate: u64,
    /// Until when everything that was taken is paid for.
    paid: Duration,
}

impl Bucket {
    fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), paid: Duration::ZERO }
    }

    /// Takes `units` now; how long to wait until they are paid for.
    fn take(&mut self, now: Now, units: u64) -> Duration {
        let burst = now.tick.saturating_sub(Duration::from_secs(1));
        self.paid = self.paid.max(burst) + self.cost(units);
        self.paid.saturating_sub(now.tick)
    }

    /// Takes one unit, if it can be had now although `ahead` others wait for theirs; else until when to
    /// wait. Nothing is taken before: who gives up waiting has cost nothing.
    fn try_take(&mut self, now: Now, ahead: u32) -> Option<Duration> {
        let burst = now.tick.saturating_sub(Duration::from_secs(1));
        let from = self.paid.max(burst);
        let until = from.saturating_add(self.cost(u64::from(ahead) + 1));
        if until > now.tick {
            return Some(until);
        }
        self.paid = from + self.cost(1);
        None
    }

    /// A unit that was taken is not needed.
    fn give_back(&mut self) {
        self.paid = self.paid.saturating_sub(self.cost(1));
    }

    fn cost(&self, units: u64) -> Duration {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

const SHARE: u32 = 256;
/// How long after a slow-down the next one counts.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now::new(Duration::from_millis(10_000 + millis), Duration::from_secs(1_700_000_000))
    }

    fn ask(traffic: &Traffic, now: Now, line: &mut Line) -> Admit {
        traffic.ask(now, Waker::noop(), line)
    }

    #[test]
    fn no_more_at_once_than_the_limit() {
        let traffic = Traffic::new(2);
        let mut lines = [Line::Out; 3];
        let [one, other, third] = &mut lines;
        assert_eq!(ask(&traffic, at(0), one), Admit::Go);
        assert_eq!(ask(&traffic, at(0), other), Admit::Go);
        assert_eq!(ask(&traffic, at(0), third), Admit::Later(None));
        traffic.ended(at(1), false);
        assert_eq!(ask(&traffic, at(1), third), Admit::Go);
    }

    #[test]
    fn a_place_that_was_not_used_costs_no_request_of_the_second() {
        let traffic = Traffic::new(1).requests_per_second(1);
        let mut line = Line::Out;
        for _ in 0..100 {
            assert_eq!(ask(&traffic, at(0), &mut line), Admit::Go);
            traffic.leave(&mut line);
        }
    }

    #[test]
    fn who_waits_for_its_second_is_asked_for_once_and_who_gives_up_costs_nothing() {
        let traffic = Traffic::new(10_000).requests_per_second(100);
        let mut lines = vec![Line::Out; 1100];
        let (mut asks, mut went) = (0, 0);
        let mut times: Vec<(Duration, usize)> = Vec::new();
        for (index, line) in lines.iter_mut().enumerate() {
            asks += 1;
            match ask(&traffic, at(0), line) {
                Admit::Go => went += 1,
                Admit::Later(Some(wait)) => times.push((wait.until, index)),
                Admit::Later(None) => unreachable!("there are places for all"),
            }
        }
        assert_eq!(went, 100, "one second's worth at once");
        // Every other one gives up; the rest go at their own times.
        for (_, index) in times.iter().skip(1).step_by(2) {
            traffic.leave(&mut lines[*index]);
        }
        for (until, index) in times.into_iter().step_by(2) {
            let now = Now::new(until, Duration::from_secs(1_700_000_000));
            asks += 1;
            assert_eq!(ask(&traffic, now, &mut lines[index]), Admit::Go);
        }
        assert_eq!(asks, 1600);
        // A newcomer at the end of that is not put off by the 500 that gave up: the bucket is full.
        assert_eq!(ask(&traffic, at(10_000), &mut Line::Out), Admit::Go);
    }

    #[test]
    fn slow_down_halves_once_a_burst_and_good_answers_bring_it_back() {
        let traffic = Traffic::new(16);
        for _ in 0..5 {
            traffic.ended(at(0), true);
        }
        assert_eq!(traffic.at_once(), 8);
        traffic.ended(at(600), true);
        assert_eq!(traffic.at_once(), 4);
        for _ in 0..200 {
            traffic.ended(at(700), false);
        }
        assert_eq!(traffic.at_once(), 16);
    }

    #[test]
    fn requests_a_second_are_kept_over_ten_seconds() {
        let traffic = Traffic::new(1000).requests_per_second(50);
        let (mut sent, mut tick, mut line) = (0, 0, Line::Out);
        while tick < 10_000 {
            match ask(&traffic, at(tick), &mut line) {
                Admit::Go => (sent, line) = (sent + 1, Line::Out),
                Admit::Later(Some(wait)) => {
                    tick = (wait.until.as_millis() as u64).saturating_sub(10_000).max(tick) + 1;
                }
                Admit::Later(None) => unreachable!("a thousand at once are allowed"),
            }
        }
        assert!((500..=551).contains(&sent), "{sent} in ten seconds");
    }

    #[test]
    fn bytes_a_second_are_paid_for() {
        let traffic = Traffic::new(1).bytes_per_second(1000);
        assert_eq!(traffic.pace(at(0), 1000), Duration::ZERO);
        assert_eq!(traffic.pace(at(0), 500), Duration::from_millis(500));
    }
}

//! The limits that all machines of a client share: requests a second, requests at once, bytes a
//! second.
//!
//! How many requests go at once adapts to the server: each answer that says "slower" (503, 429)
//! halves it, and every full round of others adds one again, up to the limit.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::contract::{Reason, Wait};
use crate::now::Now;

/// Limits shared by a client's machines. The default has none, and adapts from 64 requests at once.
#[derive(Debug)]
pub struct Traffic {
    state: Mutex<State>,
    most_at_once: u32,
}

#[derive(Debug)]
struct State {
    requests: Option<Bucket>,
    bytes: Option<Bucket>,
    /// In 256ths, so that a round of good answers adds up to one.
    at_once: u32,
    in_flight: u32,
    slowed: Option<Duration>,
    waiting: Vec<Waker>,
}

/// The answer to a wish to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    /// Send; [`Traffic::ended`] or [`Traffic::unused`] must follow.
    Go,
    /// Not before this, or, without a time, not before another one ended.
    Later(Option<Wait>),
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new(64)
    }
}

impl Traffic {
    /// At most `most_at_once` requests in flight.
    pub fn new(most_at_once: u32) -> Self {
        let most_at_once = most_at_once.clamp(1, 1 << 20);
        let state = State {
            requests: None,
            bytes: None,
            at_once: most_at_once * SHARE,
            in_flight: 0,
            slowed: None,
            waiting: Vec::new(),
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
        (self.lock().at_once / SHARE).max(1)
    }

    /// `bytes` of payload are about to move: how long to wait first. For transports.
    pub fn pace(&self, now: Now, bytes: u64) -> Duration {
        self.lock().bytes.as_mut().map_or(Duration::ZERO, |bucket| bucket.take(now, bytes))
    }

    /// Whether [`pace`](Self::pace) ever makes anyone wait.
    pub fn paces(&self) -> bool {
        self.lock().bytes.is_some()
    }

    pub(crate) fn ask(&self, now: Now, waker: &Waker) -> Admit {
        let mut state = self.lock();
        if state.in_flight >= (state.at_once / SHARE).max(1) {
            if !state.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
                state.waiting.push(waker.clone());
            }
            return Admit::Later(None);
        }
        if let Some(bucket) = &mut state.requests
            && let Some(delay) = bucket.try_take(now)
        {
            let wait = Wait { until: now.tick + delay, reason: Reason::Pacing };
            return Admit::Later(Some(wait));
        }
        state.in_flight += 1;
        Admit::Go
    }

    /// What was admitted is not sent after all.
    pub(crate) fn unused(&self) {
        self.lock().release();
    }

    /// What was admitted has ended; `throttled` when the server said "slower".
    pub(crate) fn ended(&self, now: Now, throttled: bool) {
        let mut state = self.lock();
        if throttled {
            // One burst of refusals is one reason to slow down, not fifty.
            let recent = state.slowed.is_some_and(|at| now.tick < at + PATIENCE);
            if !recent {
                state.at_once = (state.at_once / 2).max(SHARE);
                state.slowed = Some(now.tick);
            }
        } else {
            let step = SHARE / (state.at_once / SHARE).max(1);
            state.at_once = (state.at_once + step.max(1)).min(self.most_at_once * SHARE);
        }
        state.release();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn release(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.waiting.drain(..).for_each(Waker::wake);
    }
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

    /// Takes one unit if it can be had now; else how long to wait before asking again.
    fn try_take(&mut self, now: Now) -> Option<Duration> {
        let burst = now.tick.saturating_sub(Duration::from_secs(1));
        let paid = self.paid.max(burst) + self.cost(1);
        if paid > now.tick {
            return Some(paid - now.tick);
        }
        self.paid = paid;
        None
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

    #[test]
    fn no_more_at_once_than_the_limit() {
        let traffic = Traffic::new(2);
        let waker = Waker::noop();
        assert_eq!(traffic.ask(at(0), waker), Admit::Go);
        assert_eq!(traffic.ask(at(0), waker), Admit::Go);
        assert_eq!(traffic.ask(at(0), waker), Admit::Later(None));
        traffic.ended(at(1), false);
        assert_eq!(traffic.ask(at(1), waker), Admit::Go);
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
        let (mut sent, mut tick) = (0, 0);
        while tick < 10_000 {
            match traffic.ask(at(tick), Waker::noop()) {
                Admit::Go => sent += 1,
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

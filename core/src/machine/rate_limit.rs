//! The limits that all machines of a client share: requests per second, requests in flight, bytes
//! per second.
//!
//! The number of requests in flight adapts to the server. A response of 503 or 429 lowers it to the
//! number of requests that are in flight besides: the place of the refused request is not given out
//! again. Where none is in flight besides, the next request is sent 100 ms later. Each full round of
//! other responses adds one place again, up to the limit; after four rounds without a refusal, each
//! response does. An exchange without a response, such as one whose connection failed, changes
//! nothing. So a server that answers a fixed number of requests at once refuses about one
//! request a round, and a server that refuses everything gets ten requests a second at most.
//!
//! ```text
//!            a place is free, and the queue is empty
//!     Out ───────────────────────────────────────┐      no limit of requests per second, or the
//!      │  else                                   ▼      next of them is due, and no pause
//!      └──────▶ Queued ── a place is freed ──▶ placed ─────────────────────────▶ Held ──▶ sent
//!              first in, first out;              │                                ▲
//!              one is woken for each place       └──▶ Paced, until its own time ──┘
//! ```
//!
//! A place is the permission to have one request in flight. A freed place belongs to the waiter
//! that is woken for it, so that no newcomer overtakes. A run that is dropped or cancelled passes
//! its place on to the next waiter.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::now::{Now, Wait, WaitReason};
use crate::waiters::{Position, Waiters};

/// Limits shared by the machines of a client. The default is [`RateLimits::AT_ONCE`] requests in
/// flight, and no limit of requests or bytes per second.
///
/// An exchange holds its place from when it is sent until its response has been read to the end: a
/// slow download holds its place for as long. An exchange without a place waits in order and
/// without a timeout; an observer receives [`Event::Queued`](crate::machine::Event::Queued). A write
/// that depends on a look (a HEAD that must find no object) gets the place of the look and waits for
/// none, so that no other client writes the object meanwhile; later requests wait for both.
#[derive(Debug)]
pub struct RateLimits {
    state: Mutex<State>,
    most_at_once: u32,
}

#[derive(Debug)]
struct State {
    requests: Option<Bucket>,
    /// How many hold a place and wait for their own time of `requests`.
    paced: u32,
    bytes: Option<Bucket>,
    /// Requests that may be in flight, in 256ths, so that a full round of good responses adds one.
    at_once: u32,
    /// Places taken by requests in flight, and by waiters that were woken to send.
    taken: u32,
    /// How many rounds of responses came since the last refusal, in 256ths.
    calm: u32,
    /// Nothing is sent before this time, after a refusal while nothing else was in flight.
    paused: Duration,
    waiters: Waiters,
}

/// The state of one pump in the queue. The pump keeps it between two calls of [`RateLimits::ask`], and
/// calls [`RateLimits::leave`] when it no longer has a request to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Line {
    /// It has not called [`RateLimits::ask`].
    #[default]
    Out,
    /// It waits for a place, or has got one since and was woken for it.
    Queued(Position),
    /// It has a place, and may send at this time.
    Paced(Duration),
    /// It may send. [`RateLimits::answered`] or [`RateLimits::unanswered`] must follow the request.
    Held,
}

/// The result of [`RateLimits::ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    /// Send.
    Go,
    /// Do not send before this time or, without a time, before being woken.
    Later(Option<Wait>),
}

impl Default for RateLimits {
    fn default() -> Self {
        Self::new(Self::AT_ONCE)
    }
}

impl RateLimits {
    /// The default limit of requests in flight: their connections fit into the 1,024 open files
    /// that systems allow a process by default, with room for other clients.
    pub const AT_ONCE: u32 = 256;

    /// Creates a limit of `most_at_once` requests in flight, clamped to the range from 1 to
    /// 1,048,576.
    pub fn new(most_at_once: u32) -> Self {
        let most_at_once = most_at_once.clamp(1, 1 << 20);
        let state = State {
            requests: None,
            paced: 0,
            bytes: None,
            at_once: most_at_once * SHARE,
            taken: 0,
            calm: CALM,
            paused: Duration::ZERO,
            waiters: Waiters::new(),
        };
        Self { state: Mutex::new(state), most_at_once }
    }

    /// Also limits the requests per second to `rate`, where 0 counts as 1. Bursts have up to one
    /// second's worth.
    #[must_use]
    pub fn requests_per_second(self, rate: u32) -> Self {
        self.lock().requests = Some(Bucket::new(rate.into()));
        self
    }

    /// Also limits the payload bytes per second, sent and received together, to `rate`, where 0
    /// counts as 1.
    #[must_use]
    pub fn bytes_per_second(self, rate: u64) -> Self {
        self.lock().bytes = Some(Bucket::new(rate));
        self
    }

    /// Returns how many requests may be in flight at present.
    pub fn at_once(&self) -> u32 {
        self.lock().places()
    }

    /// Counts `bytes` of payload that are about to be transferred; returns how long to wait first.
    /// For transports.
    pub fn pace(&self, now: Now, bytes: u64) -> Duration {
        self.lock().bytes.as_mut().map_or(Duration::ZERO, |bucket| bucket.take(now, bytes))
    }

    /// Returns whether [`pace`](Self::pace) may return a delay.
    pub fn paces(&self) -> bool {
        self.lock().bytes.is_some()
    }

    /// Returns how many exchanges wait for a place.
    pub fn waiting(&self) -> usize {
        self.lock().waiters.len()
    }

    /// Asks to send. `waker` is woken once, when a place is free; after [`Admit::Later`] with a
    /// time, ask again at that time.
    pub(crate) fn ask(&self, now: Now, waker: &Waker, line: &mut Line) -> Admit {
        self.lock().ask(now, waker, line)
    }

    /// Gives up the wish to send, and passes the place on.
    pub(crate) fn leave(&self, line: &mut Line) {
        let line = std::mem::take(line);
        if line != Line::Out {
            self.change(|state| state.leave(line));
        }
    }

    /// Frees the place of an exchange without a response: it says nothing of the server's places.
    pub(crate) fn unanswered(&self) {
        self.change(State::free);
    }

    /// Frees the place of an exchange with a response; `throttled` if that was 503 or 429.
    pub(crate) fn answered(&self, now: Now, throttled: bool) {
        let most = self.most_at_once * SHARE;
        self.change(|state| {
            state.free();
            match throttled {
                true => state.slow_down(now),
                false => state.speed_up(most),
            }
        });
    }

    /// Gives the place of an exchange that has ended to the next request of the same pump, and one
    /// of the requests per second, for which later ones wait; `answered` if the exchange has a
    /// response. If `line` already holds a place, that of the exchange is freed.
    pub(crate) fn passed_on(&self, now: Now, answered: bool, line: &mut Line) {
        if *line == Line::Held {
            return if answered { self.answered(now, false) } else { self.unanswered() };
        }
        self.leave(line);
        let most = self.most_at_once * SHARE;
        self.change(|state| {
            if answered {
                state.speed_up(most);
            }
            if let Some(bucket) = &mut state.requests {
                bucket.take(now, 1);
            }
        });
        *line = Line::Held;
    }

    /// Changes the state, and gives the places that are free then to those who have waited longest.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        // A good response may add a place to the one that it frees, seldom more.
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
        // Waiters that came later do not postpone a time that was assigned.
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
        let pause = (now.tick < self.paused).then_some(self.paused);
        let due = || self.requests.as_mut().and_then(|bucket| bucket.try_take(now, ahead));
        match pause.or_else(due) {
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

    /// Lowers the limit to what is in flight besides the request that was refused. So the refusals of
    /// a burst lower it to what the server has accepted.
    fn slow_down(&mut self, now: Now) {
        self.calm = 0;
        self.at_once = self.at_once.min(self.taken.saturating_mul(SHARE)).max(SHARE);
        if self.taken == 0 {
            self.paused = now.tick.saturating_add(PAUSE);
        }
    }

    /// Raises the limit by one place a round, or, if the server has refused nothing for some rounds,
    /// by one place a response: then what was refused had other reasons than the load of this client.
    fn speed_up(&mut self, most: u32) {
        let share = SHARE.div_ceil(self.places());
        let step = if self.calm < CALM { share } else { SHARE };
        self.calm = self.calm.saturating_add(share).min(CALM);
        self.at_once = self.at_once.saturating_add(step).min(most);
    }

    fn free(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// Assigns a free place to the next waiter, and returns the waker to wake.
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
    /// The time until which all units taken are paid for.
    paid: Duration,
}

impl Bucket {
    fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), paid: Duration::ZERO }
    }

    /// Takes `units` now; returns how long to wait until they are paid for.
    fn take(&mut self, now: Now, units: u64) -> Duration {
        let burst = now.tick.saturating_sub(Duration::from_secs(1));
        self.paid = self.paid.max(burst) + self.cost(units);
        self.paid.saturating_sub(now.tick)
    }

    /// Takes one unit if one is available, with `ahead` others waiting for theirs; otherwise
    /// returns the time to wait for. Nothing is taken before that time, so giving up costs nothing.
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

    /// Returns a unit that was taken and not used.
    fn give_back(&mut self) {
        self.paid = self.paid.saturating_sub(self.cost(1));
    }

    fn cost(&self, units: u64) -> Duration {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

const SHARE: u32 = 256;
/// The rounds without a refusal after which the limit doubles with each round, in 256ths.
const CALM: u32 = 4 * SHARE;
/// The time without requests after a refusal while nothing else was in flight.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now::new(Duration::from_millis(10_000 + millis), Duration::from_secs(1_700_000_000))
    }

    fn ask(rate_limits: &RateLimits, now: Now, line: &mut Line) -> Admit {
        rate_limits.ask(now, Waker::noop(), line)
    }

    #[test]
    fn no_more_at_once_than_the_limit() {
        let rate_limits = RateLimits::new(2);
        let mut lines = [Line::Out; 3];
        let [one, other, third] = &mut lines;
        assert_eq!(ask(&rate_limits, at(0), one), Admit::Go);
        assert_eq!(ask(&rate_limits, at(0), other), Admit::Go);
        assert_eq!(ask(&rate_limits, at(0), third), Admit::Later(None));
        rate_limits.answered(at(1), false);
        assert_eq!(ask(&rate_limits, at(1), third), Admit::Go);
    }

    #[test]
    fn a_place_that_was_not_used_costs_no_request_of_the_second() {
        let rate_limits = RateLimits::new(1).requests_per_second(1);
        let mut line = Line::Out;
        for _ in 0..100 {
            assert_eq!(ask(&rate_limits, at(0), &mut line), Admit::Go);
            rate_limits.leave(&mut line);
        }
    }

    #[test]
    fn who_waits_for_its_second_is_asked_for_once_and_who_gives_up_costs_nothing() {
        let rate_limits = RateLimits::new(10_000).requests_per_second(100);
        let mut lines = vec![Line::Out; 1100];
        let (mut asks, mut went) = (0, 0);
        let mut times: Vec<(Duration, usize)> = Vec::new();
        for (index, line) in lines.iter_mut().enumerate() {
            asks += 1;
            match ask(&rate_limits, at(0), line) {
                Admit::Go => went += 1,
                Admit::Later(Some(wait)) => times.push((wait.until, index)),
                Admit::Later(None) => unreachable!("there are places for all"),
            }
        }
        assert_eq!(went, 100, "one second's worth at once");
        // Every other one gives up; the rest go at their own times.
        for (_, index) in times.iter().skip(1).step_by(2) {
            rate_limits.leave(&mut lines[*index]);
        }
        for (until, index) in times.into_iter().step_by(2) {
            let now = Now::new(until, Duration::from_secs(1_700_000_000));
            asks += 1;
            assert_eq!(ask(&rate_limits, now, &mut lines[index]), Admit::Go);
        }
        assert_eq!(asks, 1600);
        // The 500 that gave up do not delay a newcomer after that: the bucket is full.
        assert_eq!(ask(&rate_limits, at(10_000), &mut Line::Out), Admit::Go);
    }

    #[test]
    fn a_burst_of_refusals_lowers_the_limit_to_what_the_server_accepted() {
        let rate_limits = RateLimits::new(16);
        let mut lines = [Line::Out; 16];
        for line in &mut lines {
            assert_eq!(ask(&rate_limits, at(0), line), Admit::Go);
        }
        for _ in 0..12 {
            rate_limits.answered(at(1), true);
            // The place of a refused request is not given out again.
            assert_ne!(ask(&rate_limits, at(1), &mut Line::Out), Admit::Go);
        }
        assert_eq!(rate_limits.at_once(), 4);
        // One place a round, for four rounds, and then one a response.
        for (round, places) in [4, 5, 6, 7].into_iter().enumerate() {
            assert_eq!(rate_limits.at_once(), places, "round {round}");
            (0..places).for_each(|_| rate_limits.answered(at(2), false));
        }
        for ended in 0..20 {
            assert_eq!(rate_limits.at_once(), (8 + ended).min(16));
            rate_limits.answered(at(3), false);
        }
    }

    #[test]
    fn an_exchange_without_a_response_says_nothing_of_the_places_of_the_server() {
        let rate_limits = RateLimits::new(16);
        let mut lines = [Line::Out; 16];
        for line in &mut lines {
            assert_eq!(ask(&rate_limits, at(0), line), Admit::Go);
        }
        (0..12).for_each(|_| rate_limits.answered(at(1), true));
        for _ in 0..100 {
            rate_limits.unanswered();
            assert_eq!(ask(&rate_limits, at(2), &mut Line::Out), Admit::Go);
            let mut line = Line::Out;
            rate_limits.passed_on(at(2), false, &mut line);
            assert_eq!(ask(&rate_limits, at(2), &mut line), Admit::Go);
        }
        assert_eq!(rate_limits.at_once(), 4);
    }

    #[test]
    fn after_a_refusal_of_the_only_request_in_flight_nothing_is_sent_for_100_ms() {
        let rate_limits = RateLimits::new(16);
        let (mut one, mut other, mut third) = (Line::Out, Line::Out, Line::Out);
        assert_eq!(ask(&rate_limits, at(0), &mut one), Admit::Go);
        rate_limits.answered(at(1), true);
        let later = Admit::Later(Some(paced(at(101).tick)));
        assert_eq!(ask(&rate_limits, at(1), &mut other), later);
        assert_eq!(ask(&rate_limits, at(100), &mut other), later);
        assert_eq!(ask(&rate_limits, at(100), &mut third), Admit::Later(None));
        assert_eq!(ask(&rate_limits, at(101), &mut other), Admit::Go);
        rate_limits.answered(at(102), false);
        assert_eq!(ask(&rate_limits, at(102), &mut third), Admit::Go);
    }

    #[test]
    fn requests_a_second_are_kept_over_ten_seconds() {
        let rate_limits = RateLimits::new(1000).requests_per_second(50);
        let (mut sent, mut tick, mut line) = (0, 0, Line::Out);
        while tick < 10_000 {
            match ask(&rate_limits, at(tick), &mut line) {
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
        let rate_limits = RateLimits::new(1).bytes_per_second(1000);
        assert_eq!(rate_limits.pace(at(0), 1000), Duration::ZERO);
        assert_eq!(rate_limits.pace(at(0), 500), Duration::from_millis(500));
    }
}

//! When and how often an attempt is repeated.
//!
//! Delays use full jitter: a random share of a delay that doubles. A `Retry-After` of the server
//! replaces the delay. All calls of a client share one budget, so that repetitions do not overload
//! a failing service. The random numbers come from a seeded generator: equal seeds give equal
//! delays.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, ExchangeErrorKind};
use crate::now::{Now, Wait, WaitReason};

/// How an operation may be repeated if it is not known whether the server has acted on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Idempotency {
    /// Changes nothing.
    Read,
    /// A second request has the same result as the first.
    Idempotent,
    /// A second request does something else than the first. It is sent only if the first certainly
    /// had no effect.
    Once,
}

/// What to do about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// Do not repeat it; the error is returned to the caller.
    Final,
    /// Another attempt may succeed.
    Transient,
    /// Another attempt may succeed after a longer delay.
    Throttled,
    /// The resource is at another place, which the error names.
    Elsewhere,
    /// The server does not support something in the request that can be left out or replaced.
    Otherwise,
}

impl RetryDecision {
    /// Decides what to do about a failure of the connection; `None` if the server responded. The
    /// caller must check separately whether the request may have been carried out and must not be
    /// repeated.
    pub(crate) fn of_failure(error: &Error) -> Option<Self> {
        let failure = error.exchange_error()?;
        Some(match failure.kind() {
            _ if failure.is_lasting() => Self::Final,
            ExchangeErrorKind::Resolve | ExchangeErrorKind::Connect | ExchangeErrorKind::Proxy => {
                Self::Transient
            }
            ExchangeErrorKind::Timeout
            | ExchangeErrorKind::Closed
            | ExchangeErrorKind::Cut
            | ExchangeErrorKind::Unsent => Self::Transient,
            _ => Self::Final,
        })
    }
}

/// When and how often attempts are repeated, and the budget.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// How many times a request is sent at most, including the first time.
    pub attempts: u32,
    /// The delay after the first attempt; each further delay is twice as long.
    pub base: Duration,
    /// The delay after the first attempt if the server throttles requests.
    pub throttled: Duration,
    /// The upper bound of delays. A `Retry-After` may be longer.
    pub longest: Duration,
    /// The upper bound of `Retry-After`: if the server asks for a longer delay, the attempt is not
    /// repeated.
    pub longest_retry_after: Duration,
    /// The budget, shared by all calls of a client.
    pub budget: Arc<Budget>,
}

impl Default for RetryPolicy {
    /// Five attempts, delays from 50 ms (1 s if throttled) up to 20 s, `Retry-After` up to 5
    /// minutes.
    fn default() -> Self {
        Self {
            attempts: 5,
            base: Duration::from_millis(50),
            throttled: Duration::from_secs(1),
            longest: Duration::from_secs(20),
            longest_retry_after: Duration::from_secs(300),
            budget: Arc::default(),
        }
    }
}

/// The budget for repeated attempts of all calls of a client. Each repetition takes units from it,
/// each success returns some.
///
/// A failed attempt for whose repetition too few units are left is not repeated: its call fails at
/// once, with the error of that attempt. It does not wait for units, because they come back only by
/// successes, of which a failing service has none: the calls would gather, and be sent together when
/// it recovers. First attempts take no units.
#[derive(Debug)]
pub struct Budget {
    left: Mutex<u32>,
    size: u32,
}

impl Budget {
    /// Creates a budget of this many units. A repetition costs 5 units (10 after a timeout), which
    /// are returned when it succeeds; a first attempt that succeeds adds 1 unit, up to the size.
    pub fn new(size: u32) -> Self {
        Self { left: Mutex::new(size), size }
    }

    /// Creates a budget that never runs out.
    pub fn unlimited() -> Self {
        Self::new(u32::MAX)
    }

    /// Returns the number of units left.
    pub fn left(&self) -> u32 {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, units: u32) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match left.checked_sub(units) {
            Some(_) if self.size == u32::MAX => true,
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }

    fn give(&self, units: u32) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_add(units).min(self.size);
    }
}

impl Default for Budget {
    /// 500 units, as in the AWS SDKs.
    fn default() -> Self {
        Self::new(500)
    }
}

/// Counts the attempts of one request.
#[derive(Clone, Debug)]
pub struct Attempts {
    made: u32,
    spent: u32,
    random: u64,
}

impl Attempts {
    /// Creates the state before the first attempt. `seed` determines the jitter.
    pub fn new(seed: u64) -> Self {
        Self { made: 0, spent: 0, random: seed }
    }

    /// Counts one more attempt.
    pub fn sent(&mut self) {
        self.made += 1;
    }

    /// Returns how many attempts were sent.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Restarts the count, for a download that made progress.
    pub fn reset(&mut self) {
        self.made = 0;
    }

    /// Records that the last attempt succeeded, and returns units to the budget.
    pub fn succeeded(&mut self, policy: &RetryPolicy) {
        policy.budget.give(if self.spent > 0 { self.spent } else { 1 });
        self.spent = 0;
    }

    /// Returns when to send the next attempt after `error`, on the clock of [`Now::tick`]; `None`
    /// if the attempt must not be repeated, or the attempts or the budget are used up.
    pub fn next(
        &mut self,
        now: Now,
        policy: &RetryPolicy,
        decision: RetryDecision,
        error: &Error,
    ) -> Option<Wait> {
        let first = match decision {
            RetryDecision::Final => return None,
            RetryDecision::Elsewhere | RetryDecision::Otherwise => Duration::ZERO,
            RetryDecision::Transient => policy.base,
            RetryDecision::Throttled => policy.throttled,
        };
        if self.made >= policy.attempts {
            return None;
        }
        let delay = match error.retry_after() {
            Some(asked) if asked > policy.longest_retry_after => return None,
            Some(asked) => (asked, WaitReason::RetryAfter),
            None => (self.jitter(self.longest(first, policy.longest)), WaitReason::Backoff),
        };
        let cost = if error.is_timeout() { 10 } else { 5 };
        if !policy.budget.take(cost) {
            return None;
        }
        self.spent += cost;
        Some(Wait { until: now.tick.saturating_add(delay.0), reason: delay.1 })
    }

    fn longest(&self, first: Duration, longest: Duration) -> Duration {
        let doublings = self.made.saturating_sub(1).min(16);
        first.saturating_mul(1 << doublings).min(longest)
    }

    /// Returns a random share of `delay`, using splitmix64.
    fn jitter(&mut self, delay: Duration) -> Duration {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(((u128::from(mixed) * u128::from(nanos)) >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn now() -> Now {
        Now::new(Duration::from_secs(100), Duration::from_secs(1_700_000_000))
    }

    fn slow_down() -> Error {
        Error::refused(StatusCode::SERVICE_UNAVAILABLE, Some("SlowDown".into()), None)
    }

    #[test]
    fn delays_double_up_to_the_longest_and_never_pass_it() {
        let policy = RetryPolicy {
            attempts: 20,
            budget: Arc::new(Budget::unlimited()),
            ..RetryPolicy::default()
        };
        for seed in 0..200 {
            let mut attempts = Attempts::new(seed);
            for made in 1..20u32 {
                attempts.sent();
                let wait =
                    attempts.next(now(), &policy, RetryDecision::Throttled, &slow_down()).unwrap();
                let bound = Duration::from_secs(1 << (made - 1).min(10)).min(policy.longest);
                assert!(wait.until - now().tick <= bound, "{made}: {wait:?}");
            }
        }
    }

    #[test]
    fn equal_seeds_give_equal_delays() {
        let delay = |seed| {
            let mut attempts = Attempts::new(seed);
            attempts.sent();
            attempts.next(now(), &RetryPolicy::default(), RetryDecision::Transient, &slow_down())
        };
        assert_eq!(delay(7), delay(7));
        assert_ne!(delay(7), delay(8));
    }

    #[test]
    fn retry_after_goes_before_our_own_delay_and_is_bounded() {
        let policy = RetryPolicy::default();
        let mut attempts = Attempts::new(1);
        attempts.sent();
        let error = slow_down().with_retry_after(Some(Duration::from_secs(7)));
        let wait = attempts.next(now(), &policy, RetryDecision::Throttled, &error).unwrap();
        assert_eq!(wait, Wait { until: Duration::from_secs(107), reason: WaitReason::RetryAfter });
        let error = slow_down().with_retry_after(Some(Duration::from_secs(301)));
        assert_eq!(attempts.next(now(), &policy, RetryDecision::Throttled, &error), None);
        // The longest wait that a header can ask for, where the caller sets no bound.
        let policy = RetryPolicy { longest_retry_after: Duration::MAX, ..policy };
        let error = slow_down().with_retry_after(Some(Duration::from_secs(u64::MAX)));
        let wait = attempts.next(now(), &policy, RetryDecision::Throttled, &error).unwrap();
        assert_eq!(wait.until, Duration::MAX);
    }

    #[test]
    fn a_shared_budget_runs_out_and_is_given_back() {
        let policy = RetryPolicy { budget: Arc::new(Budget::new(10)), ..RetryPolicy::default() };
        let mut attempts: Vec<Attempts> = (0..3).map(Attempts::new).collect();
        attempts.iter_mut().for_each(Attempts::sent);
        let error = slow_down();
        assert!(attempts[0].next(now(), &policy, RetryDecision::Transient, &error).is_some());
        assert!(attempts[1].next(now(), &policy, RetryDecision::Transient, &error).is_some());
        assert!(attempts[2].next(now(), &policy, RetryDecision::Transient, &error).is_none());
        attempts[0].succeeded(&policy);
        assert_eq!(policy.budget.left(), 5);
        assert!(attempts[2].next(now(), &policy, RetryDecision::Transient, &error).is_some());
    }

    #[test]
    fn the_number_of_attempts_is_kept() {
        let policy = RetryPolicy { attempts: 2, ..RetryPolicy::default() };
        let mut attempts = Attempts::new(0);
        attempts.sent();
        assert!(attempts.next(now(), &policy, RetryDecision::Transient, &slow_down()).is_some());
        attempts.sent();
        assert!(attempts.next(now(), &policy, RetryDecision::Transient, &slow_down()).is_none());
    }
}

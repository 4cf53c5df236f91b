//! How often and how soon an attempt is repeated.
//!
//! Full jitter (a random share of a delay that doubles), `Retry-After` before one's own delay, and
//! a budget shared by all calls of a client, so that a service in trouble is not drowned in
//! repetitions. The randomness is a seeded generator: equal seeds give equal delays.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Cause, Error};
use crate::now::{Now, Wait, WaitReason};

/// How an operation may be repeated when it is not known whether the server has acted on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Idempotency {
    /// Changes nothing.
    Read,
    /// A second time leaves things as the first did.
    Idempotent,
    /// A second time does something else than the first; repeated only when the first surely did
    /// nothing.
    Once,
}

/// What is to be done about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// Nothing helps; the error goes to the caller.
    Final,
    /// Another attempt may succeed.
    Transient,
    /// Another attempt may succeed when made more slowly.
    Throttled,
    /// The resource is somewhere else, as the error says.
    Elsewhere,
}

impl RetryDecision {
    /// Decides what is done about a failure on the wire; `None` when the server answered. What may have
    /// been carried out and must not be repeated is not sent again whatever this says.
    pub(crate) fn of_failure(error: &Error) -> Option<Self> {
        let failure = error.failure()?;
        Some(match failure.cause() {
            _ if failure.is_lasting() => Self::Final,
            Cause::Resolve | Cause::Connect | Cause::Proxy => Self::Transient,
            Cause::Timeout | Cause::Closed | Cause::Cut | Cause::Unsent => Self::Transient,
            _ => Self::Final,
        })
    }
}

/// The policy: how often, how soon, and the budget.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// How many times a request is sent at most, the first time included.
    pub attempts: u32,
    /// The first delay; the second is twice as long, and so on.
    pub base: Duration,
    /// The first delay where the server says that it is asked too much.
    pub throttled: Duration,
    /// No delay of ours is longer.
    pub longest: Duration,
    /// A server that asks to be left alone for longer than this is not waited for.
    pub longest_retry_after: Duration,
    /// Shared by all calls of a client.
    pub budget: Arc<Budget>,
}

impl Default for RetryPolicy {
    /// Five attempts, from 50 ms (1 s when throttled) up to 20 s; a `Retry-After` of up to 5
    /// minutes is kept.
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

/// What all calls of a client may spend on repetitions: each takes from it, each success gives a
/// little back.
#[derive(Debug)]
pub struct Budget {
    left: Mutex<u32>,
    size: u32,
}

impl Budget {
    /// A budget of this many units. A repetition costs 5 units (10 after a timeout), which its own
    /// success gives back; a first attempt that succeeds gives 1.
    pub fn new(size: u32) -> Self {
        Self { left: Mutex::new(size), size }
    }

    /// A budget that never runs out.
    pub fn unlimited() -> Self {
        Self::new(u32::MAX)
    }

    /// Units left.
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
    /// 500 units, as the AWS SDKs have.
    fn default() -> Self {
        Self::new(500)
    }
}

/// The attempts at one request.
#[derive(Clone, Debug)]
pub struct Attempts {
    made: u32,
    spent: u32,
    random: u64,
}

impl Attempts {
    /// None yet. `seed` decides the jitter.
    pub fn new(seed: u64) -> Self {
        Self { made: 0, spent: 0, random: seed }
    }

    /// One more is sent.
    pub fn sent(&mut self) {
        self.made += 1;
    }

    /// How many were sent.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Starts to count anew, as a download does that made progress.
    pub fn reset(&mut self) {
        self.made = 0;
    }

    /// The last one succeeded.
    pub fn succeeded(&mut self, policy: &RetryPolicy) {
        policy.budget.give(if self.spent > 0 { self.spent } else { 1 });
        self.spent = 0;
    }

    /// When to try again after `error`, on [`Now::tick`]'s clock; `None` when enough was tried.
    pub fn next(
        &mut self,
        now: Now,
        policy: &RetryPolicy,
        decision: RetryDecision,
        error: &Error,
    ) -> Option<Wait> {
        let first = match decision {
            RetryDecision::Final => return None,
            RetryDecision::Elsewhere => Duration::ZERO,
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
        Some(Wait { until: now.tick + delay.0, reason: delay.1 })
    }

    fn longest(&self, first: Duration, longest: Duration) -> Duration {
        let doublings = self.made.saturating_sub(1).min(16);
        first.saturating_mul(1 << doublings).min(longest)
    }

    /// A random share of `delay`, by splitmix64.
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

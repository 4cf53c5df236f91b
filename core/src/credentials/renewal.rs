//! Expiring keys and their renewal.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::now::{Now, Timestamp};
use crate::refresh::{Expiring, RefreshTerms, RenewalSource, RenewalStep, Span};
use crate::retry::{Budget, RetryDecision, RetryPolicy};
use crate::sign::Keys;

/// A source of keys that are renewed. [`Provider`](super::Provider) implements it for the sources
/// of the AWS SDKs; an embedder may implement it for others, such as a vault.
///
/// It only says which requests to send, and reads their responses.
/// [`Credentials`](super::Credentials) decide when to renew, and what follows a failure.
pub trait KeySource: Send {
    /// Begins a renewal. After [`KeyStep::Pending`], it is called again when `waker` was woken.
    ///
    /// # Errors
    ///
    /// No keys can be obtained. [`RenewalOptions::denied_for`] says how long this is remembered.
    fn renew(&mut self, now: Now, waker: &Waker) -> Result<KeyStep, Error>;

    /// Reads the response to the last request, whatever its status.
    ///
    /// # Errors
    ///
    /// The service refused the request, or its response is invalid.
    fn answered(&mut self, now: Now, reply: &Reply) -> Result<KeyStep, Error>;

    /// Handles a last request that got no response. By default, the renewal fails.
    ///
    /// # Errors
    ///
    /// `error`, or a more precise one.
    fn failed(&mut self, now: Now, error: Error) -> Result<KeyStep, Error> {
        let _ = now;
        Err(error)
    }
}

/// The next step of a renewal.
#[derive(Debug)]
pub enum KeyStep {
    /// Send this request. The body of its response is collected.
    Ask(Box<Draft>),
    /// A lookup is not finished: call again when woken.
    Pending,
    /// The renewal is complete.
    Keys(ExpiringKeys),
}

/// Keys, and when they expire.
#[derive(Clone, Debug)]
pub struct ExpiringKeys {
    /// The keys.
    pub keys: Arc<Keys>,
    /// When they expire, by the clock of the service that issued them; `None` if they do not.
    pub expires_at: Option<Timestamp>,
    /// How long they are valid from now. Overrides `expires_at`.
    pub lifetime: Option<Duration>,
}

impl ExpiringKeys {
    /// Creates keys that expire at this time, or never.
    pub fn new(keys: Keys, expires_at: Option<Timestamp>) -> Self {
        Self { keys: Arc::new(keys), expires_at, lifetime: None }
    }
}

/// When keys are renewed: never while more than half of their lifetime is left.
#[derive(Clone, Debug)]
pub struct RenewalOptions {
    /// With less than this left, one caller renews the keys; the others continue to use them.
    pub advisory: Duration,
    /// With less than this left, the keys are renewed before the next request, and all callers
    /// wait.
    pub mandatory: Duration,
    /// How long a denied renewal is remembered.
    pub denied_for: Duration,
    /// How often and how soon a renewal is tried again after a transient error.
    pub retry_policy: RetryPolicy,
    /// The seed of the jitter of delays.
    pub seed: u64,
}

impl Default for RenewalOptions {
    /// 15 and 10 minutes, as in botocore; denials are remembered for 5 seconds; four attempts, with
    /// delays from half a second up to 20 seconds.
    fn default() -> Self {
        Self {
            advisory: Duration::from_secs(900),
            mandatory: Duration::from_secs(600),
            denied_for: Duration::from_secs(5),
            retry_policy: RetryPolicy {
                attempts: 4,
                base: Duration::from_millis(500),
                // There is one renewal at a time, which cannot overload a service.
                budget: Budget::unlimited().into(),
                ..RetryPolicy::default()
            },
            seed: 0,
        }
    }
}

impl From<RenewalOptions> for RefreshTerms {
    fn from(options: RenewalOptions) -> Self {
        Self {
            interval: options.mandatory,
            soft_margin: options.advisory.saturating_sub(options.mandatory),
            denied_for: options.denied_for,
            retry_policy: Some(options.retry_policy),
            renews: true,
            seed: options.seed,
        }
    }
}

impl Expiring for ExpiringKeys {
    fn span(&self) -> Span {
        Span { lifetime: self.lifetime, issued: None, expires: self.expires_at }
    }
}

impl RenewalSource for Box<dyn KeySource> {
    type Item = ExpiringKeys;
    const WHAT: &'static str = "credentials";
    const OBTAINED: &'static str = "credentials";
    const REMEMBERS: bool = true;

    fn renew(&mut self, now: Now, waker: &Waker) -> Result<RenewalStep<ExpiringKeys>, Error> {
        (**self).renew(now, waker).map(supplied)
    }

    fn answered(&mut self, now: Now, reply: &Reply) -> Result<RenewalStep<ExpiringKeys>, Error> {
        (**self).answered(now, reply).map(supplied)
    }

    fn failed(&mut self, now: Now, error: Error) -> Result<RenewalStep<ExpiringKeys>, Error> {
        (**self).failed(now, error).map(supplied)
    }

    /// STS reports some transient errors with status 400.
    fn decision(&self, error: &Error) -> RetryDecision {
        match (error.status().map(|status| status.as_u16()), error.code()) {
            (_, Some("Throttling" | "ThrottlingException" | "RequestLimitExceeded")) => {
                RetryDecision::Throttled
            }
            (_, Some("IDPCommunicationError")) => RetryDecision::Transient,
            (Some(429), _) => RetryDecision::Throttled,
            (Some(408 | 500 | 502 | 503 | 504), _) => RetryDecision::Transient,
            _ => RetryDecision::Final,
        }
    }
}

fn supplied(step: KeyStep) -> RenewalStep<ExpiringKeys> {
    match step {
        KeyStep::Ask(draft) => RenewalStep::Ask(draft),
        KeyStep::Pending => RenewalStep::Pending,
        KeyStep::Keys(keys) => RenewalStep::Item(Box::new(keys)),
    }
}

impl fmt::Debug for dyn KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySource(..)")
    }
}

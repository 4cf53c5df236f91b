//! Keys that end, and where they come from.

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

/// Gives keys, one set after the other: [`Provider`](super::Provider) does for the sources of the AWS
/// SDKs, and an embedder's own may do for anything else (a vault).
///
/// It only says what to ask and what an answer means. [`Credentials`](super::Credentials) decide when,
/// and what failures lead to.
pub trait KeySource: Send {
    /// New keys are wanted. Asked again after a [`KeyStep::Pending`], when `waker` was woken.
    ///
    /// # Errors
    ///
    /// There are none to be had; that is remembered for a while.
    fn renew(&mut self, now: Now, waker: &Waker) -> Result<KeyStep, Error>;

    /// What was asked for last has been answered, whatever the status.
    ///
    /// # Errors
    ///
    /// The refusal, or what makes no sense in the answer.
    fn answered(&mut self, now: Now, reply: &Reply) -> Result<KeyStep, Error>;

    /// What was asked for last has no answer. Says what else to ask; by default nothing.
    ///
    /// # Errors
    ///
    /// `error`, or one that says more.
    fn failed(&mut self, now: Now, error: Error) -> Result<KeyStep, Error> {
        let _ = now;
        Err(error)
    }
}

/// A step on the way to keys.
#[derive(Debug)]
pub enum KeyStep {
    /// This has to be asked first. Its answer's body is collected.
    Ask(Box<Draft>),
    /// Something is looked up: ask again when woken.
    Pending,
    /// Here they are.
    Keys(ExpiringKeys),
}

/// Keys, and when they end.
#[derive(Clone, Debug)]
pub struct ExpiringKeys {
    /// The keys.
    pub keys: Arc<Keys>,
    /// When they end, by the clock of whoever gave them; none where they do not.
    pub expires_at: Option<Timestamp>,
    /// How long they are taken to live from now, whatever they say.
    pub lifetime: Option<Duration>,
}

impl ExpiringKeys {
    /// Keys that end then, or never.
    pub fn new(keys: Keys, expires_at: Option<Timestamp>) -> Self {
        Self { keys: Arc::new(keys), expires_at, lifetime: None }
    }
}

/// When keys are renewed: never while more than half of their life is left.
#[derive(Clone, Debug)]
pub struct RenewalOptions {
    /// Keys that live less than this are renewed by one caller, while the others go on with them.
    pub advisory: Duration,
    /// Keys that live less than this are renewed before the next request; others wait for it.
    pub mandatory: Duration,
    /// How long a denied renewal is remembered.
    pub denied_for: Duration,
    /// How often and how soon a renewal is tried again that failed on the way.
    pub retry_policy: RetryPolicy,
    /// Decides the jitter of delays.
    pub seed: u64,
}

impl Default for RenewalOptions {
    /// 15 and 10 minutes, as botocore has them, denials remembered for 5 s, four
    /// attempts from half a second up to 20 s.
    fn default() -> Self {
        Self {
            advisory: Duration::from_secs(900),
            mandatory: Duration::from_secs(600),
            denied_for: Duration::from_secs(5),
            retry_policy: RetryPolicy {
                attempts: 4,
                base: Duration::from_millis(500),
                // One renewal at a time drowns nobody.
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

    /// STS says some of what may pass with a 400.
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

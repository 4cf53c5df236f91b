//! Where a credential comes from, and how long it says that it lives.

use std::task::Waker;
use std::time::Duration;

use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::now::{Now, Timestamp};
use crate::retry::RetryDecision;

/// Where a credential comes from.
pub(crate) trait RenewalSource: Send {
    /// The credential.
    type Item: Expiring;
    /// What it is called in errors.
    const WHAT: &'static str;
    /// Whether a renewal that can't even be begun is remembered as one that was denied.
    const REMEMBERS: bool = false;

    /// A new one is wanted. `waker` is woken when a [`RenewalStep::Pending`] is worth asking again.
    fn renew(&mut self, now: Now, waker: &Waker) -> Result<RenewalStep<Self::Item>, Error>;

    /// What was asked for last has been answered, whatever the status.
    fn answered(&mut self, now: Now, reply: &Reply) -> Result<RenewalStep<Self::Item>, Error>;

    /// What was asked for last has no answer.
    fn failed(&mut self, now: Now, error: Error) -> Result<RenewalStep<Self::Item>, Error>;

    /// Whether one that was had earlier is what would be asked for now. What has just come and is not
    /// is an error.
    fn fits(&self, item: &Self::Item) -> bool {
        let _ = item;
        true
    }

    /// Whether a refusal with a status is worth another attempt.
    fn decision(&self, error: &Error) -> RetryDecision;
}

/// A step on the way to a new one.
pub(crate) enum RenewalStep<T> {
    /// This has to be asked first.
    Ask(Box<Draft>),
    /// Something is looked up: ask again when woken.
    Pending,
    /// Here it is.
    Item(Box<T>),
}

/// What ends.
pub(crate) trait Expiring {
    /// When.
    fn span(&self) -> Span;
}

/// From when to when something lives, as far as it says so itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) lifetime: Option<Duration>,
    pub(crate) issued: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
}

/// What has just come has to be what was asked for: another one would be no other.
pub(super) fn fitting<S: RenewalSource>(
    source: &S,
    step: Result<RenewalStep<S::Item>, Error>,
) -> Result<RenewalStep<S::Item>, Error> {
    match step {
        Ok(RenewalStep::Item(item)) if !source.fits(&item) => {
            let what = format!("the {} that came is not what was asked for", S::WHAT);
            Err(Error::broken(what))
        }
        step => step,
    }
}

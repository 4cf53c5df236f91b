//! The source of a credential, and the lifetime that it declares.

use std::task::Waker;
use std::time::Duration;

use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::now::{Now, Timestamp};
use crate::retry::RetryDecision;

/// The source of a credential.
pub(crate) trait RenewalSource: Send {
    /// The credential.
    type Item: Expiring;
    /// The name of the credential in errors.
    const WHAT: &'static str;
    /// The name of the credential in errors, with its indefinite article if it has one.
    const OBTAINED: &'static str;
    /// Whether errors name the path of a URL that was asked. The path may be a secret.
    const SHOWS_PATH: bool = false;
    /// Whether a renewal that can't be started is remembered as denied.
    const REMEMBERS: bool = false;

    /// Starts a renewal. `waker` is woken when [`renew`](Self::renew) should be called again after
    /// [`RenewalStep::Pending`].
    fn renew(&mut self, now: Now, waker: &Waker) -> Result<RenewalStep<Self::Item>, Error>;

    /// Continues with the response to the last request, whatever its status.
    fn answered(&mut self, now: Now, reply: &Reply) -> Result<RenewalStep<Self::Item>, Error>;

    /// Continues after the last request got no response.
    fn failed(&mut self, now: Now, error: Error) -> Result<RenewalStep<Self::Item>, Error>;

    /// Whether a credential that was obtained earlier is the one that would be requested now. A new
    /// credential that does not fit is an error.
    fn fits(&self, item: &Self::Item) -> bool {
        let _ = item;
        true
    }

    /// Decides whether a refusal with a status is repeated.
    fn decision(&self, error: &Error) -> RetryDecision;
}

/// A step of a renewal.
pub(crate) enum RenewalStep<T> {
    /// Send this request first.
    Ask(Box<Draft>),
    /// A lookup is running: call again when woken.
    Pending,
    /// The new credential.
    Item(Box<T>),
}

/// A credential that expires.
pub(crate) trait Expiring {
    /// Returns its lifetime.
    fn span(&self) -> Span;
}

/// The lifetime of a credential, as far as it declares it itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) lifetime: Option<Duration>,
    pub(crate) issued: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
}

/// Refuses a new credential that does not fit: the next one would not fit either.
pub(super) fn fitting<S: RenewalSource>(
    source: &S,
    step: Result<RenewalStep<S::Item>, Error>,
) -> Result<RenewalStep<S::Item>, Error> {
    match step {
        Ok(RenewalStep::Item(item)) if !source.fits(&item) => {
            let what = format!("the {} in the response differs from the requested one", S::WHAT);
            Err(Error::invalid_response(what))
        }
        step => step,
    }
}

//! Authenticators: leases, and the drafts that are sealed with them.

use std::task::Waker;
use std::time::Duration;

use super::notice::Notice;
use crate::checksum::Algorithm;
use crate::error::Error;
use crate::http::{Completion, Draft, Exchange};
use crate::now::{Now, Wait};
use crate::retry::RetryPolicy;
use crate::secret::Secret;
use crate::sign::Presigned;
use crate::waiters::Positions;

/// A key that signs URLs, and how: one that the server has, such as that of Swift's temporary URLs.
#[derive(Clone, Debug)]
pub struct PresignKey {
    /// The key.
    pub secret: Secret,
    /// The algorithm of the HMAC: SHA-1, SHA-256 or SHA-512.
    pub algorithm: Algorithm,
}

/// An authenticator: signs requests or adds tokens, and renews the credentials that it uses.
pub trait Authenticator: Send {
    /// Requests a lease. If another machine is renewing the credentials, the waker of `request` is
    /// woken when it is useful to call again.
    fn lease(&mut self, now: Now, request: &mut LeaseRequest<'_>) -> Lease;

    /// Signs a draft, or adds a token to it.
    ///
    /// # Errors
    ///
    /// The draft requires something that this authenticator can't add.
    fn seal(
        &mut self,
        grant: LeaseGeneration,
        draft: Box<Draft>,
        now: Now,
    ) -> Result<Exchange, Error>;

    /// Returns a URL that contains the signature and is valid for `expires`, and the headers that
    /// have to be sent with it. `key` is the server's key, where that signs. The authenticator must
    /// hold credentials: see
    /// [`GrantOnly`](crate::machine::GrantOnly).
    ///
    /// # Errors
    ///
    /// A duration that the service does not allow; an authenticator that can't sign URLs.
    fn presign(
        &self,
        draft: Box<Draft>,
        key: Option<&PresignKey>,
        expires: Duration,
        now: Now,
    ) -> Result<Presigned, Error> {
        let _ = (draft, key, expires, now);
        Err(Error::invalid_input("these credentials can't presign a URL"))
    }

    /// Whether [`presign`](Self::presign) needs a key that the server has.
    fn needs_presign_key(&self) -> bool {
        false
    }

    /// Checks how an exchange ended that was sealed with a lease of this authenticator. `Refused`
    /// means that the server refused the credentials, that the authenticator has recorded this, and
    /// that the same draft, sealed again, may be accepted.
    fn judge(&mut self, now: Now, done: &Completion) -> AuthOutcome;

    /// Reports that the renewal requested by [`Lease::Renew`] has ended. If it ended [`Cancelled`],
    /// the next caller of [`lease`](Self::lease) starts it again.
    ///
    /// [`Cancelled`]: crate::error::ExchangeErrorKind::Cancelled
    fn renewed(&mut self, now: Now, done: Completion);

    /// Takes the next event for an observer; each is returned once. Called after every lease and
    /// renewal.
    fn notice(&mut self) -> Option<Notice> {
        None
    }

    /// Removes the waiter at these [places](LeaseRequest::places), which has stopped waiting. If it had
    /// been woken to start a renewal that others wait for too, the next waiter is woken.
    fn leave(&mut self, places: Positions) {
        let _ = places;
    }
}

/// The state of one request for a lease, passed to every call until the lease is granted.
#[derive(Debug)]
pub struct LeaseRequest<'a> {
    /// Woken when it is useful to call again.
    pub waker: &'a Waker,
    /// How many renewals had ended when the credentials were first found too old, in a form that
    /// only the authenticator reads and sets. A caller that has waited for a later renewal gets its
    /// result, however short its lifetime, or the reason why it failed.
    pub stale: &'a mut Option<u64>,
    /// The places in the queue of waiters, from the first [`Lease::Wait`] until another result; set
    /// by the authenticator. If the request is dropped while it has places, it must
    /// [leave](Authenticator::leave).
    pub places: &'a mut Positions,
    /// The retry policy of the draft that needs the lease. It also applies to a renewal for that
    /// draft, unless the authenticator has a policy of its own.
    pub retry_policy: Option<&'a RetryPolicy>,
}

/// A lease: the permission to seal one draft with credentials of one generation. Each renewal
/// starts a new generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseGeneration {
    /// The number of renewals.
    pub generation: u64,
}

/// The result of a request for a lease.
#[derive(Debug)]
pub enum Lease {
    /// The lease is granted.
    Granted(LeaseGeneration),
    /// Send this first, then call again. Only one of several callers gets it; it is not sealed.
    Renew(Box<Draft>),
    /// Another machine renews the credentials, or a renewal failed and is repeated later: call
    /// again when woken, or at that time.
    Wait(Option<Wait>),
    /// No lease can be granted.
    Denied(Error),
}

/// Whether the server accepted the credentials of a completed exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthOutcome {
    /// The credentials were not the problem.
    Accepted,
    /// The credentials were refused; the same draft, sealed again, may be accepted.
    Refused,
}

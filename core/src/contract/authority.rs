//! Who proves an identity: leases of grants, and what is sealed with them.

use std::task::Waker;
use std::time::Duration;

use super::notice::Notice;
use crate::error::Error;
use crate::http::{Completion, Draft, Exchange};
use crate::now::{Now, Wait};
use crate::retry::RetryPolicy;
use crate::sign::Presigned;
use crate::waiters::Positions;

/// Who we are.
pub trait Authority: Send {
    /// Asks for a grant to seal with. Where somebody else is renewing it, `wish` is woken when it
    /// is worth asking again.
    fn lease(&mut self, now: Now, wish: &mut Wish<'_>) -> Lease;

    /// Puts the grant's proof on a draft.
    ///
    /// # Errors
    ///
    /// The draft asks for what this authority can't give.
    fn seal(&mut self, grant: Grant, draft: Box<Draft>, now: Now) -> Result<Exchange, Error>;

    /// A URL that carries the proof itself, for `expires`, and the headers that have to be sent with
    /// it. There must be something to prove with: see [`GrantOnly`](crate::machine::GrantOnly).
    ///
    /// # Errors
    ///
    /// A duration that is not to be had; an authority whose proofs don't fit into a URL.
    fn presign(&self, draft: Box<Draft>, expires: Duration, now: Now) -> Result<Presigned, Error> {
        let _ = (draft, expires, now);
        Err(Error::caller("only keys of S3 can presign"))
    }

    /// Looks at how an exchange ended that was sealed with this authority's grant. `Refused` says
    /// that it was the proof that was refused, that the authority has learnt from it, and that the
    /// same draft sealed anew may be accepted.
    fn judge(&mut self, now: Now, done: &Completion) -> Standing;

    /// The renewal that a [`Lease::Renew`] asked for has ended. [`Cancelled`] ones are taken up by
    /// the next who asks.
    ///
    /// [`Cancelled`]: crate::error::Cause::Cancelled
    fn renewed(&mut self, now: Now, done: Completion);

    /// Something that an observer should hear of, each said once. Asked for after every lease and
    /// renewal.
    fn notice(&mut self) -> Option<Notice> {
        None
    }

    /// Whoever waited at these [places](Wish::places) no longer does. Should it have been woken to do
    /// something that others wait for too, the next one is.
    fn leave(&mut self, places: Positions) {
        let _ = places;
    }
}

/// What one who asks for a grant brings along, each time anew until it is granted.
#[derive(Debug)]
pub struct Wish<'a> {
    /// Woken when it is worth asking again.
    pub waker: &'a Waker,
    /// How many renewals had ended when what there was was found too old first; set by the authority.
    /// Who waited for another to end is given what it brought, however short its life, or told why it
    /// brought nothing.
    pub stale: &'a mut Option<u64>,
    /// The places among those who wait, from the first [`Lease::Wait`] until another answer; set by the
    /// authority. Whoever is dropped with one [leaves](Authority::leave).
    pub places: &'a mut Positions,
    /// How often and how soon the draft that asks is repeated where it fails: what is asked for its sake is
    /// repeated so too, unless the authority has a policy of its own.
    pub retry_policy: Option<&'a RetryPolicy>,
}

/// The right to seal, of one generation: what is renewed gets the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Counts renewals.
    pub generation: u64,
}

/// The answer to a wish for a grant.
#[derive(Debug)]
pub enum Lease {
    /// Here it is.
    Granted(Grant),
    /// Send this first, then ask again. Said to one of those who ask; it is not sealed.
    Renew(Box<Draft>),
    /// Somebody else renews, or renewing failed and is tried again later: ask again when woken, or
    /// at that time.
    Wait(Option<Wait>),
    /// There is none to be had.
    Denied(Error),
}

/// What an authority thinks of a completed exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The proof was not the problem.
    Accepted,
    /// The proof was refused; sealed anew, the same draft may be accepted.
    Refused,
}

//! The contracts: what an operation, a service, a machine and an authority are.
//!
//! Nothing in here does anything; it is the page to read before any other.
//!
//! | word | meaning |
//! | --- | --- |
//! | [`Operation`] | one API call: drafts a request, parses its answer; no state |
//! | [`Service`] | where operations go: an endpoint, its policies, and what was learnt of it |
//! | [`Machine`] | a conversation of several exchanges: a call with retries, an upload, a download |
//! | [`Authority`] | who we are: leases a grant, renews it, seals drafts with it |

use std::task::Waker;
use std::time::Duration;

use crate::checksum::Value;
use crate::error::{Error, Leftover};
use crate::http::{Completion, Draft, Exchange, Reply};
pub use crate::http::{GivenSource, Needs, SourceNeeds};
use crate::now::{Now, Wait};
use crate::retry::{Idempotency, RetryDecision, RetryPolicy};
use crate::sign::Presigned;
use crate::waiters::Positions;

/// One API call as plain data.
pub trait Operation {
    /// Where it goes.
    type Service: Service;
    /// What a successful answer says.
    type Output;

    /// The service's own name for it (`PutObject`).
    const NAME: &'static str;
    /// How it may be repeated.
    const IDEMPOTENCY: Idempotency;
    /// Whether a repetition replaces what an attempt before it did, unseen by anybody: a part of a multipart
    /// upload. No other write is sent again after a success whose body was cut off, unless it is proven
    /// that it was not carried out.
    const REPLACES_UNSEEN: bool = false;

    /// The request.
    ///
    /// # Errors
    ///
    /// A member that the service would refuse or that can't be sent; the error names it.
    fn draft(&self, service: &Self::Service) -> Result<Box<Draft>, Error>;

    /// What the answer says. An answer that is no success, or a success whose body is an error
    /// document, comes out as an error of kind `Refused`.
    ///
    /// # Errors
    ///
    /// The server's refusal, or what makes no sense in its answer.
    fn parse(&self, service: &Self::Service, reply: &Reply) -> Result<Self::Output, Error>;

    /// Compares what the server says it has with what was computed over the body on the way.
    ///
    /// # Errors
    ///
    /// They differ: an error of kind `Integrity`.
    fn confirm(&self, output: &Self::Output, stamped: &[Value]) -> Result<(), Error> {
        let _ = (output, stamped);
        Ok(())
    }

    /// What is asked once more where the answer leaves open whether it is whole, and of the bytes that
    /// are stored: nothing, for most operations, whose answers end with the form that they have.
    ///
    /// # Errors
    ///
    /// The question can't be sent.
    fn question(
        &self,
        service: &Self::Service,
        reply: &Reply,
        output: &Self::Output,
    ) -> Result<Option<Box<Draft>>, Error> {
        let _ = (service, reply, output);
        Ok(None)
    }

    /// Compares the `first` answer with the one to the [question](Self::question).
    ///
    /// # Errors
    ///
    /// It is not whole, or not as it is stored, or that can't be told.
    fn settle(&self, first: &Reply, told: &Reply) -> Result<(), Error> {
        let _ = (first, told);
        Ok(())
    }

    /// The output of a success whose body was cut off, where its head alone says that the operation was
    /// carried out and all that a caller needs.
    fn parse_head(&self, reply: &Reply) -> Option<Self::Output> {
        let _ = reply;
        None
    }

    /// Changes the output of a success that came after another attempt which may have been carried
    /// out: what that one did is not told as a failure.
    fn repeated(&self, output: Self::Output) -> Self::Output {
        output
    }

    /// What came of a call that failed after an attempt that may have been carried out. Asked first with
    /// no [`looks`](Doubt::looks), and again with the answer to each [`Recovery::Look`].
    fn recover(&self, service: &Self::Service, doubt: &Doubt<'_>) -> Recovery<Self::Output> {
        let _ = (service, doubt);
        Recovery::Unknown
    }

    /// What a caller has to look at to find out what came of it. No secret.
    fn look_at(&self) -> String {
        match self.resource() {
            Some(resource) => format!("what {} changes in {resource}", Self::NAME),
            None => format!("what {} changes", Self::NAME),
        }
    }

    /// Whether a call is repeated only once a look has shown that it was not carried out: the server is not
    /// known to heed its condition, and might replace what somebody else wrote in the meantime.
    fn looks_before_repeating(&self, service: &Self::Service) -> bool {
        let _ = service;
        false
    }

    /// How this call may be repeated, where calls of one operation differ in that.
    fn idempotency(&self) -> Idempotency {
        Self::IDEMPOTENCY
    }

    /// What the service remembers redirects by: the bucket.
    fn resource(&self) -> Option<&str> {
        None
    }
}

/// What is known of a call that failed after an attempt that may have been carried out.
#[derive(Clone, Copy, Debug)]
pub struct Doubt<'a> {
    /// How the last attempt ended.
    pub error: &'a Error,
    /// What was computed over the body, by whichever attempt.
    pub stamped: &'a [Value],
    /// What was answered to each look so far, whatever its status.
    pub looks: &'a [Reply],
}

/// What a look at an object proves of a write whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It is what was written.
    Ours,
    /// It is something else.
    Another,
    /// It may be either.
    Unknown,
}

/// What came of a call that failed after an attempt that may have been carried out.
#[derive(Debug)]
pub enum Recovery<T> {
    /// It was carried out, and a success would have said this.
    Done(T),
    /// It was not carried out so far. An attempt that was never answered may be yet.
    NotDone,
    /// It was not carried out, and whatever attempt is under way will be refused as well.
    Never,
    /// This request, which changes nothing, finds out more.
    Look(Box<Draft>),
    /// Nothing proves it.
    Unknown,
}

impl<T> Recovery<T> {
    /// The same, with another output.
    pub fn map<U>(self, output: impl FnOnce(T) -> U) -> Recovery<U> {
        match self {
            Self::Done(done) => Recovery::Done(output(done)),
            Self::NotDone => Recovery::NotDone,
            Self::Never => Recovery::Never,
            Self::Look(draft) => Recovery::Look(draft),
            Self::Unknown => Recovery::Unknown,
        }
    }
}

/// Where operations go, and how that place wants to be treated.
pub trait Service {
    /// What is to be done about an error.
    fn judge(&self, error: &Error, idempotency: Idempotency) -> RetryDecision;

    /// Learns from an error where `resource` really is. True when another attempt would go
    /// somewhere else than the one that failed.
    fn learn(&self, resource: &str, error: &Error) -> bool;

    /// How often and how soon attempts are repeated.
    fn retry_policy(&self) -> &RetryPolicy;
}

/// A conversation of several exchanges, as a state machine without any I/O.
///
/// The laws that a driver and a machine keep are at the [crate's top](crate).
pub trait Machine {
    /// What it comes to.
    type Output;

    /// What to do next. Call again until it is not [`Step::Send`].
    fn poll(&mut self, now: Now) -> Step<Self::Output>;

    /// An exchange that was asked for has ended.
    fn complete(&mut self, now: Now, done: Completion);

    /// Stop early: go on driving until [`Step::Done`], which then says an error that
    /// [is cancelled](Error::is_cancelled).
    fn cancel(&mut self, now: Now, leave: Leave);

    /// How many of its exchanges may be in flight at once. A driver performs those of a machine of
    /// width 1 where it stands, and others on workers.
    fn width(&self) -> usize {
        1
    }

    /// Whether what it does may outlast a token: an upload in segments, a download that is resumed. It
    /// may become so, as an upload does that turns out to be large, and is asked with each draft.
    fn is_long(&self) -> bool {
        true
    }

    /// Where bytes of a source of unknown length are asked for and announced, for a machine that
    /// reads from one.
    fn intake(&mut self) -> Option<&mut Intake> {
        None
    }

    /// Something that an observer should hear of, each said once. Asked for after every step.
    fn notice(&mut self) -> Option<Notice> {
        None
    }

    /// What it needs of the caller. Asked for before the first step: without it nothing is sent.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// What would stay on the server that it means to remove, were it not driven any further. What is
    /// being made or removed just now is among it.
    fn leftovers(&self) -> Vec<Leftover> {
        Vec::new()
    }
}

/// A machine that is moved without its state, or of which only the output is known.
impl<M: Machine + ?Sized> Machine for Box<M> {
    type Output = M::Output;

    fn poll(&mut self, now: Now) -> Step<M::Output> {
        (**self).poll(now)
    }

    fn complete(&mut self, now: Now, done: Completion) {
        (**self).complete(now, done);
    }

    fn cancel(&mut self, now: Now, leave: Leave) {
        (**self).cancel(now, leave);
    }

    fn width(&self) -> usize {
        (**self).width()
    }

    fn is_long(&self) -> bool {
        (**self).is_long()
    }

    fn intake(&mut self) -> Option<&mut Intake> {
        (**self).intake()
    }

    fn notice(&mut self) -> Option<Notice> {
        (**self).notice()
    }

    fn needs(&self) -> Needs {
        (**self).needs()
    }

    fn leftovers(&self) -> Vec<Leftover> {
        (**self).leftovers()
    }
}

/// Something that is no failure and that who watches should hear of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// A grant was renewed.
    Renewed {
        /// The generation of the new one.
        generation: u64,
        /// How long it lives, by the server's clock.
        life: Option<Duration>,
    },
    /// A new grant lives less than twice the interval in which it is taken for expired: it is renewed
    /// when half of its life is over.
    ShortLived {
        /// How long it lives, by the server's clock.
        life: Duration,
        /// The interval.
        interval: Duration,
    },
    /// A renewal failed; the old grant is used while it lives, and renewing is tried again.
    RenewalFailed {
        /// Why.
        error: Error,
    },
    /// A trust was made for a transfer.
    TrustCreated {
        /// Its id.
        id: String,
    },
    /// No trust could be made: the user's own token is used, and not renewed.
    TrustRefused {
        /// Why.
        error: Error,
    },
    /// The trust of a transfer was revoked.
    TrustRevoked {
        /// Its id.
        id: String,
    },
    /// The trust of a transfer could not be revoked: it is left behind until it ends by itself.
    TrustLeft {
        /// Its id.
        id: String,
        /// Why.
        error: Error,
    },
}

/// What a machine wants.
#[derive(Debug)]
pub enum Step<T> {
    /// Send this, and poll again.
    Send(Box<Draft>),
    /// Wait for a completion, or until this time.
    Wait(Option<Wait>),
    /// It is over. Said once, when nothing is in flight.
    Done(Result<T, Error>),
}

/// What a machine that is stopped early leaves on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leave {
    /// Nothing.
    Abort,
    /// What a checkpoint needs to go on later.
    Keep,
}

/// How far a source of unknown length has been read, and how far it may be.
///
/// ```text
///  0 ........ low ............ supplied ............ high
///    released    held by the      may be read, and
///                driver           announced
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    low: u64,
    supplied: u64,
    high: u64,
    ended: bool,
}

impl Intake {
    /// Bytes before this position are never asked for again.
    pub fn low(&self) -> u64 {
        self.low
    }

    /// Bytes up to this position may be read now; a driver reads none beyond it.
    pub fn high(&self) -> u64 {
        self.high
    }

    /// Bytes up to this position were read.
    pub fn supplied(&self) -> u64 {
        self.supplied
    }

    /// Whether the source has ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The source has been read up to this position, and `ended` there. Positions only grow, and
    /// nothing counts after the end.
    pub fn supply(&mut self, until: u64, ended: bool) {
        if !self.ended {
            self.supplied = self.supplied.max(until);
            self.ended = ended;
        }
    }

    /// Says what may be read, and what is no longer needed.
    pub fn allow(&mut self, low: u64, high: u64) {
        self.low = self.low.max(low);
        self.high = self.high.max(high);
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each question otherwise than a machine that says nothing of itself.
    struct Own(Intake);

    impl Machine for Own {
        type Output = ();

        fn poll(&mut self, _: Now) -> Step<()> {
            Step::Done(Ok(()))
        }

        fn complete(&mut self, _: Now, _: Completion) {}

        fn cancel(&mut self, _: Now, _: Leave) {}

        fn width(&self) -> usize {
            7
        }

        fn is_long(&self) -> bool {
            false
        }

        fn intake(&mut self) -> Option<&mut Intake> {
            Some(&mut self.0)
        }

        fn needs(&self) -> Needs {
            Needs::sink()
        }

        fn leftovers(&self) -> Vec<Leftover> {
            vec![Leftover::Trust { id: "t".into() }]
        }
    }

    #[test]
    fn a_box_answers_as_the_machine_in_it() {
        fn answers(mut machine: impl Machine) -> (usize, bool, bool, Needs, usize) {
            let (needs, left) = (machine.needs(), machine.leftovers().len());
            (machine.width(), machine.is_long(), machine.intake().is_some(), needs, left)
        }
        let told = answers(Box::new(Own(Intake::default())));
        assert_eq!(told, (7, false, true, Needs::sink(), 1));
    }
}

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

mod authority;
mod machine;
mod notice;

pub use self::authority::{Authority, Grant, Lease, Standing, Wish};
pub use self::machine::{Intake, Leave, Machine, Step};
pub use self::notice::Notice;
use crate::checksum::Value;
use crate::error::Error;
use crate::http::{Draft, Reply};
pub use crate::http::{GivenSource, Needs, SourceNeeds};
use crate::retry::{Idempotency, RetryDecision, RetryPolicy};

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

//! The contracts: what an operation, a service, a machine and an authenticator are.
//!
//! This module contains only definitions. Read it first.
//!
//! | trait | meaning |
//! | --- | --- |
//! | [`Operation`] | one API call: drafts a request, parses its response; no state |
//! | [`Service`] | where operations are sent: an endpoint, its policies, what was learnt about it |
//! | [`Machine`] | several exchanges: an operation with retries, an upload, a download |
//! | [`IntoMachine`] | a task: plain data that becomes a machine |
//! | [`Paged`] | an operation that lists in pages |
//! | [`Authenticator`] | the authenticator: grants leases, renews its credentials, seals drafts |

mod authenticator;
mod driven;
mod machine;
mod notice;
mod task;

pub use self::authenticator::{
    AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest, PresignKey,
};
pub use self::driven::{Driven, Handle, Started};
pub use self::machine::{Machine, OnFailure, OpensHead, Step, StreamWindow};
pub use self::notice::Notice;
pub use self::task::{IntoMachine, Paged, Pages, Start};
use crate::checksum::{Algorithm, Value};
use crate::error::Error;
use crate::http::{Draft, Reply, Timeouts};
pub use crate::http::{GivenSource, Needs, SourceNeeds};
use crate::retry::{Idempotency, RetryDecision, RetryPolicy};

/// An operation: one API call as plain data.
pub trait Operation {
    /// The service that it is sent to.
    type Service: Service;
    /// What a successful response contains.
    type Output;

    /// The service's own name of the operation (`PutObject`).
    const NAME: &'static str;
    /// How the operation may be repeated.
    const IDEMPOTENCY: Idempotency;
    /// Whether a repeated attempt replaces what an earlier attempt wrote before anybody can see it:
    /// true for a part of a multipart upload. Any other write whose successful response was cut off
    /// is sent again only if it is proven that the server did not carry it out.
    const REPLACES_UNSEEN: bool = false;

    /// Drafts the request.
    ///
    /// # Errors
    ///
    /// A member that the service would refuse or that can't be sent; the error names it.
    fn draft(&self, service: &Self::Service) -> Result<Box<Draft>, Error>;

    /// Parses the response. A response that is not a success, or a success whose body is an error
    /// document, is an error of kind `Refused`.
    ///
    /// # Errors
    ///
    /// The server's refusal, or a response that can't be understood.
    fn parse(&self, service: &Self::Service, reply: &Reply) -> Result<Self::Output, Error>;

    /// Does what [`parse`](Self::parse) does, and returns the output in a box. An operation whose
    /// output is large makes it there, so that it is not copied.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    fn parse_boxed(
        &self,
        service: &Self::Service,
        reply: &Reply,
    ) -> Result<Box<Self::Output>, Error> {
        self.parse(service, reply).map(Box::new)
    }

    /// Compares the checksums or ETag in the response with those computed over the request's body
    /// while it was sent.
    ///
    /// # Errors
    ///
    /// They differ: an error of kind `Integrity`.
    fn confirm(&self, output: &Self::Output, computed: &[Value]) -> Result<(), Error> {
        let _ = (output, computed);
        Ok(())
    }

    /// Returns a second request to send where the response does not prove that it is complete, or
    /// that it equals what is stored. `None` for most operations, whose responses prove it by their
    /// form.
    ///
    /// # Errors
    ///
    /// The second request can't be sent.
    fn question(
        &self,
        service: &Self::Service,
        reply: &Reply,
        output: &Self::Output,
    ) -> Result<Option<Box<Draft>>, Error> {
        let _ = (service, reply, output);
        Ok(None)
    }

    /// Compares the `first` response with the response to the second request, the
    /// [question](Self::question).
    ///
    /// # Errors
    ///
    /// The first response is not complete, differs from what is stored, or this can't be decided.
    fn settle(&self, first: &Reply, told: &Reply) -> Result<(), Error> {
        let _ = (first, told);
        Ok(())
    }

    /// Returns the output of a success whose body was cut off, if the head alone proves that the
    /// operation was carried out and contains all that a caller needs.
    fn parse_head(&self, reply: &Reply) -> Option<Self::Output> {
        let _ = reply;
        None
    }

    /// Changes the output of a success that followed another attempt which may have been carried
    /// out, so that the effect of that attempt is not reported as a failure.
    fn repeated(&self, output: Self::Output) -> Self::Output {
        output
    }

    /// Determines the outcome of a call that failed after an attempt that may have been carried
    /// out. Called first with no [`looks`](Doubt::looks), and again after the response to each
    /// [`Recovery::Look`] and after each [`Recovery::Hash`].
    fn recover(&self, service: &Self::Service, doubt: &Doubt<'_>) -> Recovery<Self::Output> {
        let _ = (service, doubt);
        Recovery::Unknown
    }

    /// Describes what a caller has to look at to find the outcome. Contains no secret.
    fn look_at(&self) -> String {
        match self.resource() {
            Some(resource) => format!("what {} changes in {resource}", Self::NAME),
            None => format!("what {} changes", Self::NAME),
        }
    }

    /// Whether the call is repeated only after a look has proven that it was not carried out. True
    /// where the server is not known to honour the call's condition, so that a repetition might
    /// replace what another client wrote in the meantime.
    fn looks_before_repeating(&self, service: &Self::Service) -> bool {
        let _ = service;
        false
    }

    /// How this call may be repeated, if calls of one operation differ in that.
    fn idempotency(&self) -> Idempotency {
        Self::IDEMPOTENCY
    }

    /// The name by which the service remembers redirects: the bucket.
    fn resource(&self) -> Option<&str> {
        None
    }
}

/// What is known about a call that failed after an attempt that may have been carried out.
#[derive(Clone, Copy, Debug)]
pub struct Doubt<'a> {
    /// How the last attempt ended.
    pub error: &'a Error,
    /// What was computed over the body, by all attempts.
    pub computed: &'a [Value],
    /// The response to each look so far, whatever its status.
    pub looks: &'a [Reply],
}

/// What a look at an object proves about a write whose response was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The object is what was written.
    Ours,
    /// The object is something else.
    Another,
    /// The object may be either.
    Unknown,
}

/// The outcome of a call that failed after an attempt that may have been carried out.
#[derive(Debug)]
pub enum Recovery<T> {
    /// The call was carried out; a successful response would have had this output.
    Done(T),
    /// The call has not been carried out so far. An attempt without a response may still be carried
    /// out.
    NotDone,
    /// The call was not carried out, and the server will refuse every attempt that is still under
    /// way.
    Never,
    /// Send this request, which changes nothing, to find out more.
    Look(Box<Draft>),
    /// Compute these digests over the body, which is read again for it and compared with what was
    /// sent; nothing is sent. [`Operation::recover`] is called again if the body is the same.
    Hash(Vec<Algorithm>),
    /// Nothing proves the outcome.
    Unknown,
}

impl<T> Recovery<T> {
    /// Converts the output.
    pub fn map<U>(self, output: impl FnOnce(T) -> U) -> Recovery<U> {
        match self {
            Self::Done(done) => Recovery::Done(output(done)),
            Self::NotDone => Recovery::NotDone,
            Self::Never => Recovery::Never,
            Self::Look(draft) => Recovery::Look(draft),
            Self::Hash(digests) => Recovery::Hash(digests),
            Self::Unknown => Recovery::Unknown,
        }
    }
}

/// Where operations are sent, and how that server has to be treated.
pub trait Service {
    /// Decides what to do about an error.
    fn judge(&self, error: &Error, idempotency: Idempotency) -> RetryDecision;

    /// Returns this service with these timeouts for its requests.
    ///
    /// # Errors
    ///
    /// The service does not support this; the default does not.
    fn with_timeouts(self, timeouts: Timeouts) -> Result<Self, Error>
    where
        Self: Sized,
    {
        let _ = timeouts;
        Err(Error::invalid_input("this service has no timeouts of its own"))
    }

    /// Returns this service with this retry policy for its requests.
    ///
    /// # Errors
    ///
    /// The service does not support this; the default does not.
    fn with_retry_policy(self, policy: RetryPolicy) -> Result<Self, Error>
    where
        Self: Sized,
    {
        let _ = policy;
        Err(Error::invalid_input("this service has no retry policy of its own"))
    }

    /// Adds advice to the error of a call: which setting helps. The default adds none.
    fn advise(&self, error: Error) -> Error {
        error
    }

    /// Learns from an error where `resource` is located. Returns true if another attempt would be
    /// sent to another place than the one that failed.
    fn learn(&self, resource: &str, error: &Error) -> bool;

    /// How often and after which delays attempts are repeated.
    fn retry_policy(&self) -> &RetryPolicy;
}

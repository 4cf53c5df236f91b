//! Determines the outcome of an operation that failed after an attempt that may have been applied.
//!
//! ```text
//!  conclude ──▶ Operation::recover ─┬─ Done ──────────────────────────────▶ success
//!     ▲   ▲                         ├─ NotDone, Never ─▶ sent again, or the error
//!     │   │                         ├─ Unknown ─▶ the error, whose outcome is unknown
//!     │   └─ digests ◀── a hash ◀───┤
//!     └── response ◀── a look ◀─────┘
//! ```
//!
//! A digest that only a lost response makes necessary is computed after it: the body is read again,
//! and compared by a digest that was computed when it was sent. Without such a digest, or if the
//! bodies differ, it proves nothing.

use http::StatusCode;

use super::Call;
use super::State;
use super::decision;
use crate::checksum::{Algorithm, Value};
use crate::contract::{Doubt, Operation, Recovery, Service as _};
use crate::error::Error;
use crate::http::{Body, Completion, Draft, Reply};
use crate::now::{Now, Wait};
use crate::retry::{Attempts, Idempotency, RetryDecision};

/// A look: a request that checks whether the operation was applied.
#[derive(Debug)]
pub(super) struct Looking {
    pub(super) draft: Box<Draft>,
    pub(super) attempts: Attempts,
    replies: Vec<Reply>,
    pub(super) failed: Failed,
    /// What decides about its response, if it is that of a [guard](super::guard).
    permit: Option<Permit>,
}

impl Looking {
    pub(super) fn guarding(draft: Box<Draft>, permit: Permit, seed: u64, failed: Failed) -> Self {
        let attempts = Attempts::new(seed);
        Self { draft, attempts, replies: Vec::new(), failed, permit: Some(permit) }
    }

    /// Returns whether what is looked at decides whether the operation is sent again at once.
    pub(super) fn decides(&self) -> bool {
        matches!(self.failed.repeat, Repeat::Decided(_))
    }
}

/// Decides by the result of a look whether the write is sent: `Ok` is an object.
pub(in crate::machine) type Permit = fn(Result<(), Error>) -> Result<(), Error>;

/// How the operation failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) repeat: Repeat,
}

/// Whether the operation is retried after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    No,
    /// After a delay, once it is proven that the operation was not applied.
    Proven,
    /// As `Proven`, but also without the proof: a part whose response was cut off.
    Anyway,
    /// Once it is proven that the operation was not applied, without a further delay: the look
    /// follows the delay, so that nothing can be stored during it unseen. The delay is there until
    /// it is used.
    Decided(Option<Wait>),
}

impl<O: Operation> Call<O> {
    /// Determines the outcome of a failed operation where an attempt may have been applied.
    pub(super) fn conclude(&mut self, now: Now, failed: Failed, replies: Vec<Reply>) {
        self.looking = None;
        if !self.doubtful || self.operation.idempotency() == Idempotency::Read {
            self.state = State::Over(Some(Err(failed.error)));
            return;
        }
        let doubt =
            Doubt { error: &failed.error, computed: &self.all_computed, looks: replies.as_slice() };
        match self.operation.recover(&self.service, &doubt) {
            Recovery::Done(output) => {
                self.recovered = true;
                self.succeed(Box::new(output));
            }
            Recovery::Look(draft) if self.looks_on() && replies.len() < MOST_LOOKS => {
                let seed = self.seed.wrapping_add(1 + replies.len() as u64);
                let attempts = Attempts::new(seed);
                self.begin_look(Looking { draft, attempts, replies, failed, permit: None });
            }
            Recovery::Hash(digests) if self.looks_on() && !self.hashed => {
                self.hashed = true;
                match self.hash(digests) {
                    Some(draft) => {
                        let attempts = Attempts::new(self.seed);
                        self.looking =
                            Some(Looking { draft, attempts, replies, failed, permit: None });
                        self.state = State::Ready;
                    }
                    None => self.unproven(now, failed),
                }
            }
            Recovery::NotDone => match failed.repeat {
                Repeat::Decided(_) if !self.cancelled => match self.is_guarded(replies.last()) {
                    true => self.look_first(failed),
                    false => self.resend(failed),
                },
                Repeat::Proven | Repeat::Anyway => self.repeat(now, failed.error, true),
                Repeat::No | Repeat::Decided(_) if self.under_way.attempts > 0 => {
                    self.unknown(failed.error);
                }
                Repeat::No | Repeat::Decided(_) => {
                    self.state = State::Over(Some(Err(failed.error)));
                }
            },
            Recovery::Never => self.state = State::Over(Some(Err(failed.error))),
            Recovery::Look(_) | Recovery::Hash(_) | Recovery::Unknown => {
                self.unproven(now, failed);
            }
        }
    }

    /// Sends the operation again, after the delay if it is still to come.
    pub(super) fn resend(&mut self, failed: Failed) {
        let Failed { error, repeat } = failed;
        match repeat {
            Repeat::Decided(delay) if !self.cancelled => {
                self.failure = Some(error);
                self.state = delay.map_or(State::Ready, State::Backoff);
            }
            _ => self.fail_with(error),
        }
    }

    /// Sends a look, after the delay of the failure if there is one.
    pub(super) fn begin_look(&mut self, mut looking: Looking) {
        let delay = match &mut looking.failed.repeat {
            Repeat::Decided(delay) => delay.take(),
            Repeat::No | Repeat::Proven | Repeat::Anyway => None,
        };
        self.looking = Some(looking);
        self.state = delay.map_or(State::Ready, State::Backoff);
    }

    /// Handles a failure whose outcome nothing proves.
    fn unproven(&mut self, now: Now, failed: Failed) {
        match failed.repeat {
            Repeat::Anyway => self.repeat(now, failed.error, false),
            Repeat::No | Repeat::Proven | Repeat::Decided(_) => self.unknown(failed.error),
        }
    }

    /// Returns a draft that computes these digests over the body, and those that it had when it was
    /// sent.
    fn hash(&self, mut digests: Vec<Algorithm>) -> Option<Box<Draft>> {
        let draft = self.operation.draft(&self.service).ok()?;
        digests.extend(self.all_computed.iter().map(Value::algorithm));
        Some(Draft::only_hashing(draft.body, digests))
    }

    /// Adds the digests of a body that was read again. Returns whether it is the body that was
    /// sent: bytes in memory are, bytes of a source if each digest of them is.
    fn hashed(&mut self, done: &Completion) -> bool {
        let same = self.is_same(done.computed());
        if same || matches!(done.draft().body, Body::Bytes(_)) {
            self.computed = done.computed().to_vec();
            self.keep_computed();
            return true;
        }
        false
    }

    fn is_same(&self, again: &[Value]) -> bool {
        !self.all_computed.is_empty() && self.all_computed.iter().all(|value| again.contains(value))
    }

    fn looks_on(&self) -> bool {
        !self.cancelled || self.persists
    }

    /// Ends the call with this error. Its outcome is unknown where an attempt may have been applied.
    pub(super) fn fail_with(&mut self, error: Error) {
        match self.doubtful {
            true => self.unknown(error),
            false => self.state = State::Over(Some(Err(error))),
        }
    }

    pub(super) fn unknown(&mut self, error: Error) {
        let look_at = self.operation.look_at();
        self.state = State::Over(Some(Err(error.with_outcome_unknown(look_at))));
    }

    /// Retries an operation whose 2xx response is unreadable. `proven` says that it is proven not
    /// to have been applied.
    fn repeat(&mut self, now: Now, error: Error, proven: bool) {
        let retry_policy = self.service.retry_policy();
        let wait = match self.cancelled {
            true => None,
            false => self.attempts.next(now, retry_policy, RetryDecision::Transient, &error),
        };
        match wait {
            Some(wait) => self.repeat_after(now, wait, error),
            None if proven && self.under_way.attempts == 0 => {
                self.state = State::Over(Some(Err(error)))
            }
            None => self.unknown(error),
        }
    }

    /// Handles the response to a look, or its failure.
    pub(super) fn looked(&mut self, now: Now, done: Completion) {
        let Some(mut looking) = self.looking.take() else { return };
        if done.draft().only_hashes {
            if done.outcome().is_err() || !self.hashed(&done) {
                return self.unproven(now, looking.failed);
            }
            // Where the look decides whether the operation is sent, it is the last thing before.
            if looking.decides() {
                looking.replies.clear();
            }
            return self.conclude(now, looking.failed, looking.replies);
        }
        let error = match done.into_parts().1 {
            Ok(reply) if reply.cut.is_none() && !is_busy(reply.status()) => {
                if let Some(permit) = looking.permit {
                    return self.permitted(looking.failed, &reply, permit);
                }
                looking.replies.push(reply);
                return self.conclude(now, looking.failed, looking.replies);
            }
            Ok(reply) => {
                Error::refused(reply.status(), None, None).with_retry_after(reply.retry_after())
            }
            Err(error) => error,
        };
        let decision = decision(&error).unwrap_or(RetryDecision::Transient);
        let retry_policy = self.service.retry_policy();
        let wait = match self.looks_on() {
            true => looking.attempts.next(now, retry_policy, decision, &error),
            false => None,
        };
        match wait {
            Some(wait) => {
                self.state = State::Backoff(wait);
                self.looking = Some(looking);
            }
            None => self.fail_with(looking.failed.error),
        }
    }
}

/// Returns whether a look with a response of this status is retried.
fn is_busy(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 429)
}

/// The maximum number of looks for one operation.
const MOST_LOOKS: usize = 4;

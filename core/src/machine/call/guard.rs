//! The look before each repetition of a write that must replace no object, where the server may
//! ignore the condition, or refuses it. The caller has looked before the first attempt.
//!
//! A repetition follows a delay, other credentials or a place of the client's limits, and another
//! client may store an object meanwhile. So the look comes after the delay and is the last thing
//! before the request.

use http::StatusCode;

use super::Call;
use super::outcome::{Failed, Looking, Permit};
use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Reply};

/// A request that shows whether there is an object, and what its response permits.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    look: Box<Draft>,
    permit: Permit,
}

impl<O: Operation> Call<O> {
    /// Sends this look before each repetition, and the repetition only if `permit` permits it.
    pub(in crate::machine) fn guarded(mut self, look: Box<Draft>, permit: Permit) -> Self {
        self.guard = Some(Guard { look, permit });
        self
    }

    /// Returns whether the call looks for an object before it is sent again. A look that found none
    /// need not be repeated.
    pub(super) fn is_guarded(&self, before: Option<&Reply>) -> bool {
        self.guard.is_some() && before.is_none_or(|reply| reply.status() != StatusCode::NOT_FOUND)
    }

    /// Handles the response to the look.
    pub(super) fn permitted(&mut self, failed: Failed, reply: &Reply, permit: Permit) {
        let there = match reply.status() {
            status if status.is_success() => Ok(()),
            status => Err(Error::refused(status, None, None)),
        };
        match permit(there) {
            Ok(()) => self.resend(failed),
            Err(error) => self.fail_with(self.named(error)),
        }
    }

    /// Looks for an object, after the delay of the failure if there is one.
    pub(super) fn look_first(&mut self, failed: Failed) {
        match &self.guard {
            Some(guard) => {
                let (look, permit) = (guard.look.clone(), guard.permit);
                self.begin_look(Looking::guarding(look, permit, self.seed, failed));
            }
            None => self.fail_with(failed.error),
        }
    }
}

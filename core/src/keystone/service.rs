//! Keystone as a place where operations go.

use crate::contract;
use crate::error::Error;
use crate::http::Limits;
use crate::keystone::error;
use crate::retry::{Idempotency, RetryDecision, RetryPolicy};

/// Where Keystone's operations go, and how they are made. The URL is the session's to know.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// How often and how soon failed attempts are repeated.
    pub retry_policy: RetryPolicy,
    /// Timeouts of each request.
    pub limits: Limits,
}

impl contract::Service for Service {
    fn judge(&self, error: &Error, idempotency: Idempotency) -> RetryDecision {
        error::judge(error, idempotency)
    }

    /// Keystone sends nobody elsewhere.
    fn learn(&self, _: &str, _: &Error) -> bool {
        false
    }

    fn retry_policy(&self) -> &RetryPolicy {
        &self.retry_policy
    }
}

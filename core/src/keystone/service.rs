//! Keystone as the service of its operations.

use crate::contract;
use crate::error::Error;
use crate::http::Timeouts;
use crate::keystone::error;
use crate::retry::{Idempotency, RetryDecision, RetryPolicy};

/// How Keystone's operations are sent. The session has the URL.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// How often and how soon failed attempts are repeated.
    pub retry_policy: RetryPolicy,
    /// Timeouts of each request.
    pub timeouts: Timeouts,
}

impl contract::Service for Service {
    fn judge(&self, error: &Error, idempotency: Idempotency) -> RetryDecision {
        error::judge(error, idempotency)
    }

    /// Keystone does not redirect.
    fn learn(&self, _: &str, _: &Error) -> bool {
        false
    }

    fn retry_policy(&self) -> &RetryPolicy {
        &self.retry_policy
    }
}

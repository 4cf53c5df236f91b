//! An account of Swift as the service of its operations.

use std::sync::Arc;

use crate::base_url::BaseUrl;
use crate::contract;
use crate::error::Error;
use crate::http::{Expectation, Timeouts};
use crate::retry::{Idempotency, RetryDecision, RetryPolicy};
use crate::swift::{config::Config, error};

/// An account of Swift and how its requests are made. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    storage: Option<BaseUrl>,
    expectation: Expectation,
}

impl Service {
    /// Creates a service from its configuration.
    ///
    /// # Errors
    ///
    /// The storage URL is not a valid http or https URL, or has a query or a user in it.
    pub fn new(config: Config) -> Result<Self, Error> {
        let storage = config.storage_url.as_deref();
        let storage = storage.map(|url| BaseUrl::parse_as(url, "the storage URL")).transpose()?;
        let expectation = Expectation::default();
        Ok(Self(Arc::new(Inner { config, storage, expectation })))
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Returns what is known of the server's `100 Continue`.
    pub(super) fn expectation(&self) -> &Expectation {
        &self.0.expectation
    }

    /// Returns the storage URL, where the configuration has it.
    pub fn storage(&self) -> Option<&BaseUrl> {
        self.0.storage.as_ref()
    }
}

impl Default for Service {
    /// Returns a service whose storage URL comes from the session's token.
    fn default() -> Self {
        Self(Arc::new(Inner {
            config: Config::default(),
            storage: None,
            expectation: Expectation::default(),
        }))
    }
}

impl contract::Service for Service {
    fn with_timeouts(self, timeouts: Timeouts) -> Result<Self, Error> {
        Self::new(Config { timeouts, ..self.config().clone() })
    }

    fn with_retry_policy(self, retry_policy: RetryPolicy) -> Result<Self, Error> {
        Self::new(Config { retry_policy, ..self.config().clone() })
    }

    fn judge(&self, error: &Error, idempotency: Idempotency) -> RetryDecision {
        error::judge(error, idempotency)
    }

    /// Swift does not redirect.
    fn learn(&self, _: &str, _: &Error) -> bool {
        false
    }

    fn retry_policy(&self) -> &RetryPolicy {
        &self.0.config.retry_policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_url_is_absolute_and_bare() {
        for (url, why) in [
            ("/v1/AUTH_a", "is not an http or https URL: \"/v1/AUTH_a\""),
            ("http://host/v1/AUTH_a?x", "has a query: \"http://host/v1/AUTH_a\""),
            ("http://user:word@host/v1/AUTH_a", "contains a user"),
        ] {
            let error = Service::new(Config::at(url)).unwrap_err();
            assert_eq!(error.to_string(), format!("the storage URL {why}"));
        }
    }
}

//! How a client wants its Swift requests made.

use crate::http::{COLLECT, Limits};
use crate::retry::RetryPolicy;

/// Everything about a client of Swift but who it is. A [`Service`](crate::swift::Service) is made of
/// it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The storage URL of the account (`https://host/v1/AUTH_project`), where it is known
    /// beforehand. `None`: the session finds it in the catalogue, and requests are put after it when
    /// they are sealed.
    pub storage_url: Option<String>,
    /// The longest body from a source that can be read only once which is held in memory so that
    /// its MD5 can go before it, in bytes.
    pub spool: u64,
    /// The most bytes of an answer that are collected in memory, 32 MiB by default: of an object that
    /// is read by a call, of a listing, of any document. Some listings may have more.
    pub collect_limit: usize,
    /// How often and how soon failed attempts are repeated.
    pub retry_policy: RetryPolicy,
    /// Timeouts of each request.
    pub limits: Limits,
}

impl Default for Config {
    /// The storage URL from the catalogue, and 8 MiB at most to be held.
    fn default() -> Self {
        Self {
            storage_url: None,
            spool: 8 << 20,
            collect_limit: COLLECT,
            retry_policy: RetryPolicy::default(),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// The defaults, for this storage URL.
    pub fn at(storage_url: impl Into<String>) -> Self {
        Self { storage_url: Some(storage_url.into()), ..Self::default() }
    }
}

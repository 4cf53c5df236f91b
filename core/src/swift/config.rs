//! The configuration of a client of Swift.

use crate::http::{COLLECT, Timeouts};
use crate::retry::RetryPolicy;

/// The configuration of a client of Swift, without its credentials. A
/// [`Service`](crate::swift::Service) is made from it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The storage URL of the account (`https://host/v1/AUTH_project`), where it is known. `None`:
    /// the session finds it in the catalogue, and it is added when a request is sealed.
    pub storage_url: Option<String>,
    /// How many bytes of a body from a source that can be read only once are held in memory at
    /// most, so that its MD5 can be sent before it. A longer body is sent without.
    pub max_buffered_body: u64,
    /// How many bytes of a response are collected in memory at most: of an object that a call
    /// reads, or of a document. 32 MiB by default; listings of accounts and containers may have 64
    /// MiB whatever this is.
    pub collect_limit: usize,
    /// How often and how soon failed attempts are repeated.
    pub retry_policy: RetryPolicy,
    /// Timeouts of each request.
    pub timeouts: Timeouts,
}

impl Default for Config {
    /// The storage URL from the catalogue, and at most 8 MiB of a body held in memory.
    fn default() -> Self {
        Self {
            storage_url: None,
            max_buffered_body: 8 << 20,
            collect_limit: COLLECT,
            retry_policy: RetryPolicy::default(),
            timeouts: Timeouts::default(),
        }
    }
}

impl Config {
    /// Returns the defaults, with this storage URL.
    pub fn at(storage_url: impl Into<String>) -> Self {
        Self { storage_url: Some(storage_url.into()), ..Self::default() }
    }
}

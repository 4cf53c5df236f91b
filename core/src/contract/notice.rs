//! Events for an observer that are not failures.

use std::time::Duration;

use crate::error::Error;

/// An event that is not a failure and that an observer may want to log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// Credentials were renewed.
    Renewed {
        /// The generation of the new credentials.
        generation: u64,
        /// Their lifetime, by the server's clock.
        life: Option<Duration>,
    },
    /// New credentials whose lifetime is less than twice the interval before expiry in which
    /// credentials count as expired. They are renewed when half of their lifetime has passed.
    ShortLived {
        /// Their lifetime, by the server's clock.
        life: Duration,
        /// The interval.
        interval: Duration,
    },
    /// A renewal failed. The old credentials are used until they expire, and the renewal is
    /// repeated.
    RenewalFailed {
        /// The reason.
        error: Error,
    },
    /// A trust was created for a transfer.
    TrustCreated {
        /// Its id.
        id: String,
    },
    /// No trust could be created: the user's own token is used, and not renewed.
    TrustRefused {
        /// The reason.
        error: Error,
    },
    /// The trust of a transfer was revoked.
    TrustRevoked {
        /// Its id.
        id: String,
    },
    /// The trust of a transfer could not be revoked: it remains until it expires.
    TrustLeft {
        /// Its id.
        id: String,
        /// The reason.
        error: Error,
    },
    /// The server does not support `If-None-Match` with this operation. A HEAD found no object, and
    /// the operation is sent without the condition: an object that another client stores between the
    /// two is replaced.
    Unconditional {
        /// The operation.
        operation: &'static str,
    },
    /// A copy in parts is made without something of its source that can't be read.
    NotCopied {
        /// What it is: `tags`, `annotations`.
        what: &'static str,
        /// Why it can't be read.
        error: Error,
    },
}

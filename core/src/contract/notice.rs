//! What an observer is told that is no failure.

use std::time::Duration;

use crate::error::Error;

/// Something that is no failure and that who watches should hear of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// A grant was renewed.
    Renewed {
        /// The generation of the new one.
        generation: u64,
        /// How long it lives, by the server's clock.
        life: Option<Duration>,
    },
    /// A new grant lives less than twice the interval in which it is taken for expired: it is renewed
    /// when half of its life is over.
    ShortLived {
        /// How long it lives, by the server's clock.
        life: Duration,
        /// The interval.
        interval: Duration,
    },
    /// A renewal failed; the old grant is used while it lives, and renewing is tried again.
    RenewalFailed {
        /// Why.
        error: Error,
    },
    /// A trust was made for a transfer.
    TrustCreated {
        /// Its id.
        id: String,
    },
    /// No trust could be made: the user's own token is used, and not renewed.
    TrustRefused {
        /// Why.
        error: Error,
    },
    /// The trust of a transfer was revoked.
    TrustRevoked {
        /// Its id.
        id: String,
    },
    /// The trust of a transfer could not be revoked: it is left behind until it ends by itself.
    TrustLeft {
        /// Its id.
        id: String,
        /// Why.
        error: Error,
    },
}

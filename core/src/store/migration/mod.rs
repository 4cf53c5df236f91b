//! The backend and credentials of a stored location, and the location that replaces it.
//!
//! ```text
//!  url, metadata["store"] ──▶ access ──▶ { location, backend, credentials, Migration }
//!                               │                                          │
//!                               └─ Refusal: no guess, the stored           └─ persisting it is
//!                                  location stays as it is                    optional
//! ```
//!
//! A migration removes credentials from the location, and sets `store` to the id of the backend
//! that the object is in. It is idempotent. `s3.rs` and `swift.rs` document how the backend is
//! found.

mod s3;
mod swift;

use std::fmt;

pub use self::s3::{S3Access, S3Places};
pub use self::swift::{SwiftAccess, SwiftAuthorization, SwiftPlaces};
use crate::error::Error;
use crate::location::LocationError;
use crate::secret::Secret;

/// A change of a stored location. A caller without write access to the table may skip it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The URL stored now, to compare with before it is replaced. It may contain credentials.
    pub was: Secret,
    /// The `store` stored now.
    pub was_store: Option<String>,
    /// The new URL, without credentials.
    pub url: String,
    /// The new `store`: the id of the backend.
    pub store: String,
    /// Whether the stored URL contains credentials.
    pub credentials_found: bool,
}

/// Why a location is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not a valid location, or is ambiguous.
    Bad(LocationError),
    /// Its server is that of no configured backend.
    Foreign {
        /// Host, port and prefix.
        place: String,
    },
    /// A backend has its host, with another scheme or port, or with a path.
    Elsewhere {
        /// Host, port and prefix.
        place: String,
        /// The id of the backend.
        backend: String,
        /// The prefix of the locations of that backend.
        prefix: String,
    },
    /// It is in the bucket or account of several backends, and nothing determines one of them. In
    /// S3, an access key in the location determines the backend if exactly one of them has it. With
    /// a key that none of them has, the location is used as it is.
    Ambiguous {
        /// The ids of the backends.
        backends: Vec<String>,
    },
    /// It is at a configured server, in the bucket of no backend, and contains no credentials.
    NoBackend {
        /// The bucket.
        bucket: String,
    },
}

impl Migration {
    /// `clean` is the location without its credentials, if it contained any.
    fn new(was: &str, was_store: Option<&str>, clean: Option<String>, store: &str) -> Self {
        Self {
            was: Secret::new(was),
            was_store: was_store.map(str::to_owned),
            credentials_found: clean.is_some(),
            url: clean.unwrap_or_else(|| was.to_owned()),
            store: store.to_owned(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(error) => error.fmt(f),
            Self::Foreign { place } => write!(
                f,
                "the location is at {place}, which is not the place of any configured backend: no \
                 credentials are sent there"
            ),
            Self::Elsewhere { place, backend, prefix } => write!(
                f,
                "the location is at {place} with another scheme, port or path than the backend \
                 {backend}, whose locations begin with {prefix}: no credentials are sent there"
            ),
            Self::Ambiguous { backends } => write!(
                f,
                "the location is in the bucket of several backends ({}): set `store` in its \
                 metadata to one of them",
                backends.join(", ")
            ),
            Self::NoBackend { bucket } => {
                write!(
                    f,
                    "the location is in bucket {bucket:?}, which is not the bucket of any \
                     configured backend"
                )
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::invalid_input(refusal.to_string())
    }
}

//! What a stored location says now, and what to store in its place.
//!
//! ```text
//!  url, metadata["store"] ──▶ access ──▶ { location, backend, by what right, Migration }
//!                               │                                            │
//!                               └─ Refusal: nothing is guessed,              └─ persist it, or don't
//!                                  and nothing is lost
//! ```
//!
//! A location with credentials inside becomes one without, and `store` becomes the id of the backend
//! that it lies in; doing it twice changes nothing the second time. `s3.rs` and `swift.rs` say how the
//! backend is found.

mod s3;
mod swift;

use std::fmt;

pub use self::s3::{S3Access, S3Places};
pub use self::swift::{SwiftAccess, SwiftPlaces, SwiftRight};
use crate::error::Error;
use crate::location::LocationError;
use crate::secret::Secret;

/// A change of a stored location. Who may not write leaves it to the next who may.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// What stands there now, to be compared with before it is replaced. It may hold credentials.
    pub was: Secret,
    /// `store` as it stands there now.
    pub was_store: Option<String>,
    /// The location without credentials.
    pub url: String,
    /// `store`: the id of the backend.
    pub store: String,
    /// Whether credentials were found in it.
    pub credentials_found: bool,
}

/// Why a location is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is none, or can be read in several ways.
    Bad(LocationError),
    /// Its server is of no configured backend.
    Foreign {
        /// Host, port and prefix.
        place: String,
    },
    /// It is in the bucket of several backends, and has no credentials of its own, or a key that
    /// several of them have. With a key of none of them it is used as it is.
    Ambiguous {
        /// Their ids.
        backends: Vec<String>,
    },
    /// It is at a configured server, in the bucket of no backend, and has no credentials.
    NoBackend {
        /// The bucket.
        bucket: String,
    },
}

impl Migration {
    /// `clean` is the location without the credentials that were found in it.
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
                "the location is at {place}, where no configured backend is: configured credentials \
                 do not go there"
            ),
            Self::Ambiguous { backends } => write!(
                f,
                "the location is in the bucket of several backends ({}): say which in its metadata",
                backends.join(", ")
            ),
            Self::NoBackend { bucket } => {
                write!(f, "the location is in bucket {bucket:?}, which no backend has")
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::caller(refusal.to_string())
    }
}

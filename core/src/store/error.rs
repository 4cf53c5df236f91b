//! What went wrong, in the image service's words.

use std::fmt;

use super::job::Verb;
use super::migration::Refusal;
use crate::error::{Cause, Error, Kind};

/// What went wrong with an image, and the error of the protocol that it was seen by.
#[derive(Clone)]
pub struct StoreError(Box<Facts>);

#[derive(Clone)]
struct Facts {
    kind: StoreErrorKind,
    error: Error,
}

/// What an image service does something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The image is not there.
    NotFound,
    /// An image with this id is there already.
    Duplicate,
    /// There is no room for it, or it is more than the server takes.
    StorageFull,
    /// The credentials are refused, or may not do this.
    Forbidden,
    /// The image has another size than was announced.
    InvalidSize,
    /// The location makes no sense, or is at a server that is not configured.
    BadStoreUri,
    /// The configuration of the backend does not fit the server, or lacks something.
    BadStoreConfiguration,
    /// There is no such backend.
    UnknownStore,
    /// The backend was not reached, or did not do its work.
    BackendUnavailable,
    /// The backend refused for another reason.
    Refused,
    /// What arrived is not what was sent.
    Corrupt,
    /// The caller's source, sink or argument.
    Invalid,
    /// The backend can't do this.
    NotSupported,
    /// It was given up on purpose.
    Cancelled,
}

impl StoreError {
    /// What an error that a job of this verb came to means.
    pub fn new(verb: Verb, error: Error) -> Self {
        Self::of_kind(kind(verb, &error), error)
    }

    pub(super) fn of_kind(kind: StoreErrorKind, error: Error) -> Self {
        Self(Box::new(Facts { kind, error }))
    }

    /// The source has another size than was announced.
    pub(super) fn wrong_size(announced: u64, has: u64) -> Self {
        let what = format!("the source has {has} bytes, and {announced} were announced");
        Self::of_kind(StoreErrorKind::InvalidSize, Error::caller(what))
    }

    /// What an image service does something about.
    pub fn kind(&self) -> StoreErrorKind {
        self.0.kind
    }

    /// What was seen of it: operation, status, code, request id, what was left behind.
    pub fn protocol(&self) -> &Error {
        &self.0.error
    }
}

fn kind(_: Verb, error: &Error) -> StoreErrorKind {
    match error.kind() {
        _ if error.is_cancelled() => StoreErrorKind::Cancelled,
        _ if error.failure().is_some_and(|failure| failure.cause() == Cause::Proxy) => {
            StoreErrorKind::BackendUnavailable
        }
        Kind::Caller => StoreErrorKind::Invalid,
        Kind::Integrity => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::BackendUnavailable,
    }
}

impl StoreErrorKind {
    /// What it is, in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "the image is not found",
            Self::Duplicate => "the image exists already",
            Self::StorageFull => "the storage is full",
            Self::Forbidden => "the store denies access",
            Self::InvalidSize => "the image has another size than announced",
            Self::BadStoreUri => "the location is not usable",
            Self::BadStoreConfiguration => "the store is not configured rightly",
            Self::UnknownStore => "there is no such store",
            Self::BackendUnavailable => "the store is not available",
            Self::Refused => "the store refuses",
            Self::Corrupt => "the bytes are not those that were sent",
            Self::Invalid => "the request is not valid",
            Self::NotSupported => "the store can't do this",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for StoreError {
    /// One line: what it is, and what was seen of it, with the id of the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.0.error)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreError({:?}, {:?})", self.0.kind, self.0.error.to_string())
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.error)
    }
}

impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> Self {
        Self::of_kind(StoreErrorKind::BadStoreUri, refusal.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        error.0.error
    }
}

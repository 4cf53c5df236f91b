//! Errors in the image service's terms.

use std::fmt;

use http::StatusCode;

use super::migration::Refusal;
use super::verb::Verb;
use crate::error::{Error, ExchangeErrorKind, Kind};

/// An error of an action on an image, with the protocol error that caused it.
#[derive(Clone)]
pub struct StoreError(Box<Facts>);

#[derive(Clone)]
struct Facts {
    kind: StoreErrorKind,
    error: Error,
}

/// The kinds of errors that an image service distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The image does not exist.
    NotFound,
    /// An image with this id exists already.
    Duplicate,
    /// The server has no space for the image, or the image exceeds its maximum size.
    StorageFull,
    /// The credentials were refused, or lack the permission.
    Forbidden,
    /// The size of the image differs from the announced size.
    InvalidSize,
    /// The location is invalid, or is at a server that is not configured.
    BadStoreUri,
    /// The configuration of the backend is incomplete, or does not fit the server.
    BadStoreConfiguration,
    /// There is no such backend, or the location does not determine one.
    UnknownStore,
    /// The backend was not reached, or failed.
    BackendUnavailable,
    /// The backend refused for another reason.
    Refused,
    /// The bytes received differ from those sent.
    Corrupt,
    /// The caller's source, sink or argument is at fault.
    Invalid,
    /// The backend does not support the action.
    NotSupported,
    /// The caller cancelled the action.
    Cancelled,
}

impl StoreError {
    /// Classifies the error of a job with this verb.
    pub fn new(verb: Verb, error: Error) -> Self {
        Self::of_kind(kind(verb, &error), error)
    }

    pub(super) fn of_kind(kind: StoreErrorKind, error: Error) -> Self {
        Self(Box::new(Facts { kind, error }))
    }

    /// The size of the source differs from the announced size.
    pub(super) fn wrong_size(announced: u64, has: u64) -> Self {
        let what = format!("the source has {has} bytes, but {announced} were announced");
        Self::of_kind(StoreErrorKind::InvalidSize, Error::invalid_input(what))
    }

    /// An S3 location is not used.
    pub(super) fn of_s3_location(refusal: Refusal) -> Self {
        let is_foreign = matches!(refusal, Refusal::Foreign { .. } | Refusal::Elsewhere { .. });
        let Self(mut facts) = refusal.into();
        if is_foreign {
            facts.error = facts.error.with_hint(
                "to allow credentials inside a location, add its host to s3_store_trusted_hosts of \
                 a backend",
            );
        }
        Self(facts)
    }

    /// A Swift location is not used.
    pub(super) fn of_swift_location(refusal: Refusal) -> Self {
        let is_foreign = matches!(refusal, Refusal::Foreign { .. });
        let Self(mut facts) = refusal.into();
        if is_foreign {
            facts.error = facts.error.with_hint(
                "to allow credentials inside a location, add its host to swift_store_trusted_hosts \
                 of a backend",
            );
        }
        Self(facts)
    }

    /// Returns the kind.
    pub fn kind(&self) -> StoreErrorKind {
        self.0.kind
    }

    /// Returns the protocol error: operation, status, code, request id, leftovers.
    pub fn protocol(&self) -> &Error {
        &self.0.error
    }
}

impl Verb {
    /// Classifies the error of a job with this verb.
    pub fn error(self, error: Error) -> StoreError {
        StoreError::new(self, error)
    }
}

/// Classifies an error by its facts, not by its text.
fn kind(verb: Verb, error: &Error) -> StoreErrorKind {
    if let Some(failure) = error.exchange_error() {
        return match failure.kind() {
            ExchangeErrorKind::Cancelled => StoreErrorKind::Cancelled,
            ExchangeErrorKind::Length => StoreErrorKind::InvalidSize,
            ExchangeErrorKind::Source | ExchangeErrorKind::Sink => StoreErrorKind::Invalid,
            _ => StoreErrorKind::BackendUnavailable,
        };
    }
    match error.kind() {
        Kind::InvalidInput => StoreErrorKind::Invalid,
        Kind::Integrity => StoreErrorKind::Corrupt,
        Kind::InvalidResponse | Kind::Transport => StoreErrorKind::BackendUnavailable,
        Kind::Auth => match error.status() {
            Some(status) if status.is_server_error() => StoreErrorKind::BackendUnavailable,
            // No Keystone at the URL; or no request was sent; or its response was not usable.
            Some(StatusCode::NOT_FOUND) | None => StoreErrorKind::BadStoreConfiguration,
            Some(_) => StoreErrorKind::Forbidden,
        },
        Kind::Refused => refused(verb, error),
    }
}

/// Classifies an error response.
fn refused(verb: Verb, error: &Error) -> StoreErrorKind {
    let code = error.code().unwrap_or_default();
    let status = error.status().map_or(0, |status| status.as_u16());
    let adds = verb == Verb::Add;
    match status {
        507 | 413 if adds => StoreErrorKind::StorageFull,
        _ if adds && FULL.contains(&code) => StoreErrorKind::StorageFull,
        _ if MISCONFIGURED.contains(&code) => StoreErrorKind::BadStoreConfiguration,
        _ if error.is_unavailable() => StoreErrorKind::BackendUnavailable,
        412 if adds => StoreErrorKind::Duplicate,
        // The HEAD before the upload found an object. Any other 2xx holds an error.
        200..=299 if adds && error.operation() == Some("HeadObject") => StoreErrorKind::Duplicate,
        409 if adds && matches!(code, "" | "ConditionalRequestConflict") => {
            StoreErrorKind::Duplicate
        }
        // Another account owns the bucket of this name.
        409 if error.operation() == Some("CreateBucket") => StoreErrorKind::BadStoreConfiguration,
        404 if adds && code == "NoSuchUpload" => StoreErrorKind::BackendUnavailable,
        404 if adds => StoreErrorKind::BadStoreConfiguration,
        404 => StoreErrorKind::NotFound,
        412 if verb == Verb::Delete => StoreErrorKind::NotFound,
        401 | 403 => StoreErrorKind::Forbidden,
        301 | 302 | 307 | 308 => StoreErrorKind::BadStoreConfiguration,
        416 => StoreErrorKind::Invalid,
        501 => StoreErrorKind::NotSupported,
        500..=599 => StoreErrorKind::BackendUnavailable,
        _ => StoreErrorKind::Refused,
    }
}

/// Codes of a server that has no space, under any status: Amazon's, Ceph's, MinIO's.
const FULL: [&str; 4] =
    ["EntityTooLarge", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"];

/// Codes for a wrong region, or an invalid name of a bucket.
const MISCONFIGURED: [&str; 5] = [
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "InvalidBucketName",
    "InvalidLocationConstraint",
    "PermanentRedirect",
];

impl StoreErrorKind {
    /// Returns a description.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "image not found",
            Self::Duplicate => "image already exists",
            Self::StorageFull => "the storage is full",
            Self::Forbidden => "access denied",
            Self::InvalidSize => "the image has a different size than announced",
            Self::BadStoreUri => "the location can't be used",
            Self::BadStoreConfiguration => "invalid store configuration",
            Self::UnknownStore => "unknown store",
            Self::BackendUnavailable => "the store is unavailable",
            Self::Refused => "the store refused the request",
            Self::Corrupt => "the data is corrupt",
            Self::Invalid => "invalid request",
            Self::NotSupported => "the store does not support this operation",
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
    /// Writes one line: the kind, and the protocol error with the id of the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The protocol error says so itself.
        if self.0.kind == StoreErrorKind::Cancelled {
            return self.0.error.fmt(f);
        }
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
    /// A location that cannot be read, or is at a server that is not configured, is a
    /// `BadStoreUri`. One in the bucket of no backend or of several is an `UnknownStore`.
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Bad(_) | Refusal::Foreign { .. } | Refusal::Elsewhere { .. } => {
                StoreErrorKind::BadStoreUri
            }
            Refusal::Ambiguous { .. } | Refusal::NoBackend { .. } => StoreErrorKind::UnknownStore,
        };
        Self::of_kind(kind, refusal.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        error.0.error
    }
}

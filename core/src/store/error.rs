//! What went wrong, in the image service's words.

use std::fmt;

use http::StatusCode;

use super::migration::Refusal;
use super::verb::Verb;
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

    /// A location in S3 is not used.
    pub(super) fn of_s3_location(refusal: Refusal) -> Self {
        let is_foreign = matches!(refusal, Refusal::Foreign { .. });
        let Self(mut facts) = refusal.into();
        if is_foreign {
            facts.error = facts.error.with_hint(
                "a backend with the host among its s3_store_trusted_hosts allows the credentials \
                 that a location has inside",
            );
        }
        Self(facts)
    }

    /// A location in Swift is not used.
    pub(super) fn of_swift_location(refusal: Refusal) -> Self {
        let is_foreign = matches!(refusal, Refusal::Foreign { .. });
        let Self(mut facts) = refusal.into();
        if is_foreign {
            facts.error = facts.error.with_hint(
                "a backend with the host among its swift_store_trusted_hosts allows the credentials \
                 that a location has inside",
            );
        }
        Self(facts)
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

impl Verb {
    /// What an error that a job of this verb came to means to an image service.
    pub fn error(self, error: Error) -> StoreError {
        StoreError::new(self, error)
    }
}

/// What it means: nothing but the facts of the error decides.
fn kind(verb: Verb, error: &Error) -> StoreErrorKind {
    if let Some(failure) = error.failure() {
        return match failure.cause() {
            Cause::Cancelled => StoreErrorKind::Cancelled,
            Cause::Length => StoreErrorKind::InvalidSize,
            Cause::Source | Cause::Sink => StoreErrorKind::Invalid,
            _ => StoreErrorKind::BackendUnavailable,
        };
    }
    match error.kind() {
        Kind::Caller => StoreErrorKind::Invalid,
        Kind::Integrity => StoreErrorKind::Corrupt,
        Kind::Broken | Kind::Wire => StoreErrorKind::BackendUnavailable,
        Kind::Authority => match error.status() {
            Some(status) if status.is_server_error() => StoreErrorKind::BackendUnavailable,
            // No Keystone there; or it was not asked at all, or gave what leads nowhere.
            Some(StatusCode::NOT_FOUND) | None => StoreErrorKind::BadStoreConfiguration,
            Some(_) => StoreErrorKind::Forbidden,
        },
        Kind::Refused => refused(verb, error),
    }
}

/// What the refusal of a server means.
fn refused(verb: Verb, error: &Error) -> StoreErrorKind {
    let code = error.code().unwrap_or_default();
    let status = error.status().map_or(0, |status| status.as_u16());
    let adds = verb == Verb::Add;
    match status {
        507 | 413 if adds => StoreErrorKind::StorageFull,
        _ if adds && FULL.contains(&code) => StoreErrorKind::StorageFull,
        _ if MISCONFIGURED.contains(&code) => StoreErrorKind::BadStoreConfiguration,
        // A look at what is there found something.
        200..=299 | 412 if adds => StoreErrorKind::Duplicate,
        409 if adds && matches!(code, "" | "ConditionalRequestConflict") => {
            StoreErrorKind::Duplicate
        }
        // The name is somebody else's.
        409 if error.operation() == Some("CreateBucket") => StoreErrorKind::BadStoreConfiguration,
        404 if adds && code == "NoSuchUpload" => StoreErrorKind::BackendUnavailable,
        404 if adds => StoreErrorKind::BadStoreConfiguration,
        404 => StoreErrorKind::NotFound,
        412 if verb == Verb::Delete => StoreErrorKind::NotFound,
        401 | 403 => StoreErrorKind::Forbidden,
        301 | 302 | 307 | 308 => StoreErrorKind::BadStoreConfiguration,
        416 => StoreErrorKind::Invalid,
        501 => StoreErrorKind::NotSupported,
        408 | 429 | 500..=599 => StoreErrorKind::BackendUnavailable,
        _ => StoreErrorKind::Refused,
    }
}

/// Codes of a server that has no room, under whatever status: Amazon's, Ceph's, MinIO's.
const FULL: [&str; 4] =
    ["EntityTooLarge", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"];

/// Codes of a server that is asked in the wrong region, or for a bucket that it can't have.
const MISCONFIGURED: [&str; 5] = [
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "InvalidBucketName",
    "InvalidLocationConstraint",
    "PermanentRedirect",
];

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
    /// A location that can't be read, or is at a server of nobody's, is a bad one; one that is in the
    /// bucket of no backend or of several has no store.
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Bad(_) | Refusal::Foreign { .. } => StoreErrorKind::BadStoreUri,
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

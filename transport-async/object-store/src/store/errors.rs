//! Our errors as those of the trait.

use apus_async::Kind;
use http::StatusCode;

use super::object_store::Error;

/// Returns our error as the kind of the trait, with ours as its source.
///
/// A write whose outcome is unknown is never a failed condition or a missing object, whatever the
/// last response was: the caller would conclude that nothing was written.
pub(super) fn error(store: &'static str, path: &str, error: apus_async::Error) -> Error {
    let path = path.to_owned();
    let status = error.status();
    if error.outcome_unknown() {
        return generic(store, error);
    }
    if error.kind() == Kind::Auth || status == Some(StatusCode::UNAUTHORIZED) {
        return Error::Unauthenticated { path, source: error.into() };
    }
    if error.is_not_found() {
        return Error::NotFound { path, source: error.into() };
    }
    if error.is_precondition_failed() {
        return Error::Precondition { path, source: error.into() };
    }
    if error.is_not_modified() {
        return Error::NotModified { path, source: error.into() };
    }
    if error.is_denied() {
        return Error::PermissionDenied { path, source: error.into() };
    }
    if status == Some(StatusCode::NOT_IMPLEMENTED) {
        return Error::NotSupported { source: error.into() };
    }
    generic(store, error)
}

/// Returns the error of a write that must replace nothing.
pub(super) fn create(store: &'static str, path: &str, failed: apus_async::Error) -> Error {
    let exists = failed.is_precondition_failed() || failed.is_conflict();
    if exists && !failed.outcome_unknown() {
        return Error::AlreadyExists { path: path.to_owned(), source: failed.into() };
    }
    error(store, path, failed)
}

/// Returns the error of a write that must replace the object of an ETag: S3 responds with 404 where
/// there is no object, and with 409 where another write was faster.
pub(super) fn update(store: &'static str, path: &str, failed: apus_async::Error) -> Error {
    let is_code = |code| failed.code() == Some(code);
    let gone = failed.is_not_found() && !is_code("NoSuchBucket");
    if (gone || failed.is_conflict()) && !failed.outcome_unknown() {
        return Error::Precondition { path: path.to_owned(), source: failed.into() };
    }
    error(store, path, failed)
}

pub(super) fn generic(
    store: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::Generic { store, source: source.into() }
}

pub(super) fn not_supported(what: impl Into<String>) -> Error {
    Error::NotSupported { source: what.into().into() }
}

#[cfg(feature = "swift")]
pub(super) fn not_implemented(store: &'static str, operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: store.to_owned() }
}

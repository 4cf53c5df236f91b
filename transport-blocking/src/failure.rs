//! Translates ureq's errors.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use apus_core::Error;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::proxy::Proxy;
use ureq::Timeout;

/// Returns the error for a request that can't be sent as it is.
pub(crate) fn misuse(error: &ureq::Error) -> Option<Error> {
    match error {
        ureq::Error::BadUri(_) => Some(Error::invalid_input(
            "the URI of the request has no host, or its scheme is neither http nor https",
        )),
        ureq::Error::Http(error) => {
            Some(Error::invalid_input(format!("the request is invalid: {error}")))
        }
        _ => None,
    }
}

/// Translates an error before the head of the response. If there is a proxy, a failure to resolve
/// or to connect is the proxy's.
pub(crate) fn before_head(error: ureq::Error, proxy: Option<&Arc<Proxy>>) -> ExchangeError {
    if let ureq::Error::Other(inner) = &error
        && let Some(failure) = inner.downcast_ref::<ExchangeError>()
    {
        return failure.clone();
    }
    let failure = cause_before_head(&error);
    match (failure.kind(), proxy) {
        (ExchangeErrorKind::Resolve | ExchangeErrorKind::Connect, Some(proxy)) => {
            proxy.failed(failure)
        }
        _ => failure,
    }
}

pub(crate) fn cause_before_head(error: &ureq::Error) -> ExchangeError {
    let cause = match error {
        ureq::Error::Timeout(_) => ExchangeErrorKind::Timeout,
        ureq::Error::HostNotFound => ExchangeErrorKind::Resolve,
        ureq::Error::TlsRequired => ExchangeErrorKind::Tls,
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
            ExchangeErrorKind::Protocol
        }
        ureq::Error::Io(error) => return io_before_head(error),
        _ => ExchangeErrorKind::Connect,
    };
    let detail = match error {
        ureq::Error::Timeout(limit) => exceeded(*limit).to_owned(),
        error => error.to_string(),
    };
    ExchangeError::new(cause, detail)
}

/// Returns the words for an exceeded limit. The other transport uses the same.
pub(crate) fn exceeded(limit: Timeout) -> &'static str {
    match limit {
        Timeout::Global => "the time limit of the whole exchange was exceeded",
        Timeout::Resolve | Timeout::Connect => "the connect timeout was exceeded",
        Timeout::RecvResponse => "no response within the first-byte timeout",
        _ => "no bytes were transferred within the idle timeout",
    }
}

/// Translates an error while the body is read.
pub(crate) fn in_body(error: &ureq::Error) -> ExchangeError {
    let cause = match error {
        ureq::Error::Protocol(_) => ExchangeErrorKind::Protocol,
        _ => ExchangeErrorKind::Cut,
    };
    let detail = match error {
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    ExchangeError::new(cause, detail)
}

fn io_before_head(error: &io::Error) -> ExchangeError {
    let cause = match error.kind() {
        _ if is_tls(error) => ExchangeErrorKind::Tls,
        _ if is_lookup(error) => ExchangeErrorKind::Resolve,
        ErrorKind::TimedOut => ExchangeErrorKind::Timeout,
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::WriteZero
        | ErrorKind::Interrupted => ExchangeErrorKind::Closed,
        _ => ExchangeErrorKind::Connect,
    };
    ExchangeError::new(cause, error.to_string())
}

/// rustls reports its errors inside an I/O error.
#[cfg(feature = "tls")]
pub(crate) fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(not(feature = "tls"))]
pub(crate) fn is_tls(_: &io::Error) -> bool {
    false
}

/// The standard library has no error kind for a failed look-up. On Unix it is known by its text, on
/// Windows by its numbers (WSAHOST_NOT_FOUND to WSANO_DATA).
fn is_lookup(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(code) => cfg!(windows) && (11001..=11004).contains(&code),
        None => error.to_string().starts_with("failed to lookup address information"),
    }
}

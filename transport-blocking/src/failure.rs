//! Translates ureq's errors.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use apus_core::Error;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::proxy::Proxy;

/// Returns the error for a request that can't be sent as it is.
pub(crate) fn misuse(error: &ureq::Error) -> Option<Error> {
    match error {
        ureq::Error::BadUri(_) => {
            Some(Error::invalid_input("the URI has no host, or is no http or https"))
        }
        ureq::Error::Http(error) => Some(Error::invalid_input(format!("the request: {error}"))),
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
    ExchangeError::new(cause, error.to_string())
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

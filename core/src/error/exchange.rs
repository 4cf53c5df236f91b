//! What prevents or interrupts an exchange.

use std::fmt;
use std::io;
use std::sync::Arc;

use http::StatusCode;

use crate::one_line::OneLine;

/// What prevented or interrupted an exchange, as a transport reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeError {
    kind: ExchangeErrorKind,
    detail: String,
    lasting: bool,
    changed: bool,
    unsent: bool,
    status: Option<StatusCode>,
    io: Option<io::ErrorKind>,
    cause: Option<Cause>,
}

/// The error behind another one.
#[derive(Clone, Debug)]
struct Cause(Arc<dyn std::error::Error + Send + Sync>);

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cause {}

/// The cause of an [`ExchangeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExchangeErrorKind {
    /// The host name has no address.
    Resolve,
    /// The connection to the server could not be opened.
    Connect,
    /// TLS could not be negotiated, or the certificate is not trusted.
    Tls,
    /// The proxy refused the request or failed.
    Proxy,
    /// A time limit of the exchange was exceeded: for the connection, for the head, for a pause in
    /// a body, for its least rate, or for the whole.
    Timeout,
    /// The connection was closed before a status line arrived.
    Closed,
    /// The connection was closed after the head and before the end of the body.
    Cut,
    /// A success arrived before the whole body of the request was sent.
    Unsent,
    /// The exchange was cancelled.
    Cancelled,
    /// The caller's source could not be read, or gave fewer or more bytes than a request needs.
    Source,
    /// The caller's source has fewer or more bytes than were announced.
    Length,
    /// The caller's sink failed to take the bytes.
    Sink,
    /// The response is not valid HTTP, or exceeds a limit.
    Protocol,
}

impl ExchangeError {
    /// Creates a failure with this cause. `detail` is what else the transport knows, without
    /// secrets.
    pub fn new(kind: ExchangeErrorKind, detail: impl Into<String>) -> Self {
        let (lasting, changed, unsent) = (false, false, false);
        let (detail, status, io, cause) = (detail.into(), None, None, None);
        Self { kind, detail, lasting, changed, unsent, status, io, cause }
    }

    /// Creates a failure with this cause and the error behind it, that of the caller's reader or
    /// writer. [`source`](std::error::Error::source) returns that error: the one in `error`, if the
    /// caller put one of its own there, or else `error`.
    pub fn of_io(kind: ExchangeErrorKind, error: io::Error) -> Self {
        let (detail, io) = (error.to_string(), Some(error.kind()));
        let cause: Box<dyn std::error::Error + Send + Sync> = match error.get_ref() {
            Some(_) => error.into_inner().unwrap_or_else(|| detail.clone().into()),
            None => error.into(),
        };
        Self { io, cause: Some(Cause(cause.into())), ..Self::new(kind, detail) }
    }

    /// Creates a failure with the cause [`ExchangeErrorKind::Cancelled`].
    pub fn cancelled() -> Self {
        Self::new(ExchangeErrorKind::Cancelled, String::new())
    }

    /// Creates a failure with the cause [`ExchangeErrorKind::Source`]: the source has changed since it was
    /// first read, or since its length was read. What was sent may mix old and new bytes.
    pub fn source_changed(detail: impl Into<String>) -> Self {
        let detail = format!("its content changed during the transfer: {}", detail.into());
        Self { changed: true, ..Self::new(ExchangeErrorKind::Source, detail) }
    }

    /// Whether the source changed, as opposed to a source that can't be read.
    pub fn is_source_changed(&self) -> bool {
        self.changed
    }

    /// Marks the failure as lasting: another attempt would fail in the same way, because a proxy
    /// refuses the password, for example. The request is not repeated.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { lasting: true, ..self }
    }

    /// Whether another attempt would fail in the same way.
    pub fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// Records that the failure occurred before any byte of the request was sent: the server has
    /// not acted on it.
    #[must_use]
    pub fn before_request(self) -> Self {
        Self { unsent: true, ..self }
    }

    /// Whether it is known that no byte of the request was sent.
    pub fn is_before_request(&self) -> bool {
        self.unsent
    }

    /// Returns the cause.
    pub fn kind(&self) -> ExchangeErrorKind {
        self.kind
    }

    /// Sets the status with which a proxy refused the request.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Returns the status with which a proxy refused the request.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Returns the kind of the error of the caller's reader or writer, given to
    /// [`of_io`](Self::of_io): `StorageFull` where a disk has no space left.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.io
    }

    /// Returns what the transport added.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ExchangeErrorKind::Resolve => "could not resolve the host name",
            ExchangeErrorKind::Connect => "could not connect",
            ExchangeErrorKind::Tls => "TLS failed",
            ExchangeErrorKind::Proxy => "the proxy failed",
            ExchangeErrorKind::Timeout => "timed out",
            ExchangeErrorKind::Closed => "the connection was closed before a response",
            ExchangeErrorKind::Cut => "the response is incomplete",
            ExchangeErrorKind::Unsent => {
                "the response arrived before the whole request body was sent"
            }
            ExchangeErrorKind::Cancelled => "cancelled",
            ExchangeErrorKind::Source => "the source failed",
            ExchangeErrorKind::Length => "the source has an unexpected length",
            ExchangeErrorKind::Sink => "the sink failed",
            ExchangeErrorKind::Protocol => "the response is not valid HTTP",
        })?;
        if !self.detail.is_empty() {
            write!(f, ": {}", OneLine::new(&self.detail))?;
        }
        Ok(())
    }
}

impl std::error::Error for ExchangeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| &*cause.0 as _)
    }
}

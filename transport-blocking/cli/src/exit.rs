//! How a command ends: an exit code for scripts, and an error message.

use std::fmt;
use std::io;
use std::process::ExitCode;

use apus_core::error::{ExchangeError, ExchangeErrorKind, Kind};
use apus_core::store::config::ConfigErrors;
use apus_core::store::{StoreError, StoreErrorKind};
use apus_core::{Error, location::LocationError};

use crate::place::Place;

/// The exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done.
    Done = 0,
    /// An error without a code of its own.
    Other = 1,
    /// The command line is invalid.
    Usage = 2,
    /// The object, container or bucket was not found.
    NotFound = 3,
    /// An object of that name exists already.
    Duplicate = 4,
    /// The permission is missing, or the credentials are not accepted.
    Denied = 5,
    /// The configuration is invalid.
    Configuration = 6,
    /// The server, Keystone or the proxy can't be reached, or can't respond.
    Unavailable = 7,
    /// The bytes are not the expected ones.
    Integrity = 8,
    /// Some of several operations succeeded, others failed.
    Partial = 9,
    /// A check found something to change.
    Findings = 10,
    /// There is no space left.
    Full = 11,
    /// Interrupted by a signal.
    Interrupted = 130,
}

impl Exit {
    /// Returns the name that `--json` prints.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Other => "other",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Duplicate => "duplicate",
            Self::Denied => "denied",
            Self::Configuration => "configuration",
            Self::Unavailable => "unavailable",
            Self::Integrity => "integrity",
            Self::Partial => "partial",
            Self::Findings => "findings",
            Self::Full => "full",
            Self::Interrupted => "interrupted",
        }
    }

    /// Returns the exit code for an error.
    pub(crate) fn of(error: &Error) -> Self {
        if error.is_cancelled() {
            return Self::Interrupted;
        }
        if let Some(failure) = error.exchange_error() {
            return Self::of_exchange(failure);
        }
        let status = error.status().map(|status| status.as_u16());
        match (error.kind(), status) {
            (Kind::Integrity, _) => Self::Integrity,
            _ if error.is_unavailable() => Self::Unavailable,
            // 501 and 505: the server never does this.
            (_, Some(500 | 502..=504 | 506 | 508..)) => Self::Unavailable,
            // Another request is changing the bucket or the object.
            (_, Some(409)) if error.code() == Some("OperationAborted") => Self::Unavailable,
            (Kind::Transport | Kind::InvalidResponse, _) => Self::Unavailable,
            // There is no Keystone at this URL, or its catalogue has no such endpoint.
            (Kind::Auth, None | Some(404 | 405)) => Self::Configuration,
            (Kind::Auth, _) | (_, Some(401 | 403 | 407)) => Self::Denied,
            (_, Some(404 | 410)) => Self::NotFound,
            (_, Some(409 | 412)) => Self::Duplicate,
            (_, Some(413 | 507)) => Self::Full,
            (Kind::InvalidInput, None) => Self::Usage,
            _ => Self::Other,
        }
    }

    /// Returns the exit code for an exchange that was prevented or interrupted.
    fn of_exchange(failure: &ExchangeError) -> Self {
        match failure.kind() {
            ExchangeErrorKind::Cancelled => Self::Interrupted,
            // The source has another length than was given, or has changed.
            ExchangeErrorKind::Length => Self::Integrity,
            ExchangeErrorKind::Source if failure.is_source_changed() => Self::Integrity,
            ExchangeErrorKind::Source | ExchangeErrorKind::Sink => {
                failure.io_kind().map_or(Self::Other, Self::of_io)
            }
            ExchangeErrorKind::Proxy => match failure.status().map(|status| status.as_u16()) {
                Some(401 | 403 | 407) => Self::Denied,
                Some(413) => Self::Full,
                _ => Self::Unavailable,
            },
            _ => Self::Unavailable,
        }
    }

    /// Returns the exit code for a file that can't be read or written.
    pub(crate) fn of_io(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Other,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table of codes, for the help and the manual.
pub(crate) const CODES: &str = "\
Exit codes:
    0  success
    1  an error that has no code of its own
    2  the command line is invalid
    3  the object, container or bucket does not exist
    4  an object of that name exists already
    5  not allowed, or not authenticated
    6  the configuration is invalid
    7  the server, Keystone or the proxy can't be reached, or can't respond
    8  the bytes are not the expected ones
    9  some of several operations succeeded, others failed
   10  a check found something to change
   11  there is no space left
  130  stopped by a signal; what the command had begun was removed";

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// One line, or of an invalid configuration one for each error.
    pub(crate) message: String,
    /// The server's request id.
    pub(crate) request_id: Option<String>,
    /// The status of the response.
    pub(crate) status: Option<u16>,
    /// The error behind it.
    pub(crate) error: Option<Error>,
    /// What it is about.
    pub(crate) place: Option<Box<Place>>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { exit, message, request_id: None, status: None, error: None, place: None }
    }

    /// Puts what failed before the message: an argument, without what may be a secret in it.
    pub(crate) fn of(self, argument: &str) -> Self {
        self.of_name(&crate::address::shown(argument))
    }

    /// Puts the name of an object before the message.
    pub(crate) fn of_name(self, name: &str) -> Self {
        // The place has the name.
        match self.place {
            Some(_) => self,
            None => Self { message: format!("{name}: {}", self.message), ..self },
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::new(Exit::Configuration, message)
    }

    /// Returns the failure of a file that can't be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(Exit::of_io(error.kind()), format!("{}: {error}", path.display()))
    }

    /// Says of a failure to write an object to a file, or to standard output, that it is about this.
    #[must_use]
    pub(crate) fn of_output(self, name: &str) -> Self {
        let failure = self.error.as_ref().and_then(Error::exchange_error);
        let Some(failure) = failure.filter(|it| it.kind() == ExchangeErrorKind::Sink) else {
            return self;
        };
        let detail = failure.detail();
        let message = match detail.contains(name) {
            true => detail.to_owned(),
            false => format!("{name}: {detail}"),
        };
        Self { message, ..self }
    }

    /// Names the place that the failure is about, and the option that helps.
    #[must_use]
    pub(crate) fn at(mut self, place: &Place) -> Self {
        let is_known = self.place.is_some() || matches!(self.exit, Exit::Done | Exit::Usage);
        // An error of no server is about an object only if it is about its bytes.
        let is_own = self.error.is_none() && self.exit != Exit::Integrity;
        let is_of_file = self.error.as_ref().and_then(Error::exchange_error).is_some_and(|it| {
            matches!(it.kind(), ExchangeErrorKind::Source | ExchangeErrorKind::Sink)
        });
        if is_known || is_own || is_of_file || self.error.as_ref().is_some_and(Error::is_cancelled)
        {
            return self;
        }
        let unadvised = self.error.as_ref().filter(|error| error.hint().is_none());
        let advice = unadvised.and_then(|error| place.advice(error));
        let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
        self.message = format!("{place}: {}{advice}", self.message);
        self.place = Some(Box::new(place.clone()));
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            exit: Exit::of(&error),
            message: error.to_string(),
            request_id: error.request_id().map(str::to_owned),
            status: error.status().map(|status| status.as_u16()),
            error: Some(error),
            place: None,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let protocol = error.protocol();
        let is_missing = protocol.kind() == Kind::Refused && protocol.is_not_found();
        let exit = match error.kind() {
            _ if protocol.exchange_error().is_some() || protocol.kind() == Kind::Auth => {
                Exit::of(protocol)
            }
            // The bucket or container of an upload.
            StoreErrorKind::BadStoreConfiguration if is_missing => Exit::NotFound,
            StoreErrorKind::NotFound => Exit::NotFound,
            StoreErrorKind::Duplicate => Exit::Duplicate,
            StoreErrorKind::StorageFull => Exit::Full,
            StoreErrorKind::Forbidden => Exit::Denied,
            StoreErrorKind::InvalidSize | StoreErrorKind::Corrupt => Exit::Integrity,
            StoreErrorKind::BadStoreUri | StoreErrorKind::UnknownStore => Exit::Usage,
            StoreErrorKind::BadStoreConfiguration => Exit::Configuration,
            StoreErrorKind::BackendUnavailable => Exit::Unavailable,
            StoreErrorKind::Cancelled => Exit::Interrupted,
            _ => Exit::of(protocol),
        };
        Self {
            exit,
            message: error.to_string(),
            request_id: protocol.request_id().map(str::to_owned),
            status: protocol.status().map(|status| status.as_u16()),
            error: Some(protocol.clone()),
            place: None,
        }
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::configuration(errors.to_string())
    }
}

impl From<LocationError> for Failure {
    fn from(error: LocationError) -> Self {
        Self::usage(error.to_string())
    }
}

/// Standard output can't be written. A reader that closes the pipe is no error.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::BrokenPipe => Exit::Done,
            kind => Exit::of_io(kind),
        };
        Self::new(exit, format!("could not write the output: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_code() {
        for exit in [
            Exit::Done,
            Exit::Other,
            Exit::Usage,
            Exit::NotFound,
            Exit::Duplicate,
            Exit::Denied,
            Exit::Configuration,
            Exit::Unavailable,
            Exit::Integrity,
            Exit::Partial,
            Exit::Findings,
            Exit::Full,
            Exit::Interrupted,
        ] {
            let row = format!("\n{:>5}  ", exit as u8);
            assert!(CODES.contains(&row), "{exit:?}");
        }
    }

    #[test]
    fn statuses_have_codes() {
        let of = |status: u16| {
            let status = http::StatusCode::from_u16(status).unwrap();
            Exit::of(&Error::refused(status, None, None))
        };
        assert_eq!(of(404), Exit::NotFound);
        assert_eq!(of(412), Exit::Duplicate);
        assert_eq!(of(409), Exit::Duplicate);
        assert_eq!(of(401), Exit::Denied);
        assert_eq!(of(403), Exit::Denied);
        assert_eq!(of(503), Exit::Unavailable);
        assert_eq!(of(507), Exit::Full);
        let coded = |status, code: &str| {
            let status = http::StatusCode::from_u16(status).unwrap();
            Exit::of(&Error::refused(status, Some(code.to_owned()), None))
        };
        assert_eq!(coded(200, "InternalError"), Exit::Unavailable);
        assert_eq!(coded(400, "RequestTimeout"), Exit::Unavailable);
        assert_eq!(coded(409, "OperationAborted"), Exit::Unavailable);
        assert_eq!(coded(409, "BucketAlreadyExists"), Exit::Duplicate);
        assert_eq!(of(400), Exit::Other);
        let error = Error::invalid_input("the URL can't be valid for so long");
        assert_eq!(Exit::of(&error), Exit::Usage);
    }
}

//! The error type: who is responsible for an error, and its facts.
//!
//! [`Error`] is opaque and has the size of one pointer. [`Error::kind`] tells who is responsible,
//! predicates such as [`Error::is_not_found`] serve to branch on, and the accessors return status,
//! code, request id and attempts as the server and the machine reported them.

pub(crate) mod codes;
mod exchange;
mod leftover;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

use self::codes::{THROTTLED, UNAVAILABLE};
pub use self::exchange::{ExchangeError, ExchangeErrorKind};
pub use self::leftover::Leftover;
use crate::one_line::OneLine;

/// Who is responsible for an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The caller: an argument, a configuration, a source that could not be read or ended early.
    InvalidInput,
    /// The server understood the request and refused it: `AccessDenied`, `NoSuchKey`,
    /// `PreconditionFailed`.
    Refused,
    /// The server sent a response that can't be understood: broken XML, a wrong `Content-Range`.
    InvalidResponse,
    /// There was no response, or only a part of it: connection, TLS, proxy, timeout, cut body.
    Transport,
    /// Bytes arrived that are not the expected ones: a checksum, length or ETag differs.
    Integrity,
    /// No valid credentials: none are configured, or a token could not be renewed.
    Auth,
}

/// Why an operation or a machine failed. The [module](self) describes how to read it.
#[derive(Clone)]
pub struct Error(Box<Facts>);

#[derive(Clone)]
struct Facts {
    kind: Kind,
    what: Cow<'static, str>,
    operation: Option<&'static str>,
    status: Option<StatusCode>,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    host_id: Option<String>,
    region: Option<String>,
    hint: Option<&'static str>,
    retry_after: Option<Duration>,
    #[cfg(feature = "swift")]
    recurs: Option<bool>,
    failure: Option<ExchangeError>,
    attempts: u32,
    leftovers: Vec<Leftover>,
    look_at: Option<Cow<'static, str>>,
}

impl Error {
    /// Creates an error of this kind. `what` is one sentence without a final full stop that names
    /// what was wrong and where. It must contain no secret.
    pub fn new(kind: Kind, what: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Facts {
            kind,
            what: what.into(),
            operation: None,
            status: None,
            code: None,
            message: None,
            request_id: None,
            host_id: None,
            region: None,
            hint: None,
            retry_after: None,
            #[cfg(feature = "swift")]
            recurs: None,
            failure: None,
            attempts: 0,
            leftovers: Vec::new(),
            look_at: None,
        }))
    }

    /// Creates an error of kind [`Kind::InvalidInput`].
    pub fn invalid_input(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidInput, what)
    }

    /// Creates an error of kind [`Kind::InvalidResponse`].
    pub fn invalid_response(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidResponse, what)
    }

    /// Creates an error of kind [`Kind::Integrity`].
    pub fn integrity(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Integrity, what)
    }

    /// Creates an error of kind [`Kind::Auth`].
    pub fn auth(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Auth, what)
    }

    /// Creates an error of kind [`Kind::Refused`], with the code and message of the server's error
    /// document if it sent one.
    pub fn refused(status: StatusCode, code: Option<String>, message: Option<String>) -> Self {
        Self::new(Kind::Refused, "the server refused the request")
            .with_status(status)
            .with_code(code, message)
    }

    /// Sets the code and the message of the server's error document.
    #[must_use]
    pub(crate) fn with_code(mut self, code: Option<String>, message: Option<String>) -> Self {
        self.0.code = code.filter(|code| !code.is_empty());
        self.0.message = message.filter(|message| !message.is_empty());
        self
    }

    /// Changes the kind: for a refusal whose reason is that bytes differ.
    #[cfg(feature = "swift")]
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Sets the operation, by the service's own name, unless it is already set.
    #[must_use]
    pub fn in_operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Sets the status of the response that caused this error.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Sets the ids by which the server can find the request in its log.
    #[must_use]
    pub fn with_request_id(mut self, id: Option<String>, host_id: Option<String>) -> Self {
        self.0.request_id = id.or(self.0.request_id);
        self.0.host_id = host_id.or(self.0.host_id);
        self
    }

    /// Sets the region in which the server said the request should have been made.
    #[must_use]
    pub fn with_region(mut self, region: Option<String>) -> Self {
        self.0.region = region.or(self.0.region);
        self
    }

    /// Records that another attempt would get the same response (`true`), or may get another one,
    /// whatever its status.
    #[cfg(feature = "swift")]
    pub(crate) fn recurring(mut self, recurs: bool) -> Self {
        self.0.recurs = Some(recurs);
        self
    }

    /// Returns whether another attempt would get the same response, where that is known.
    #[cfg(feature = "swift")]
    pub(crate) fn recurs(&self) -> Option<bool> {
        self.0.recurs
    }

    /// Sets how long the server asked to wait before the next request.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.0.retry_after = after.or(self.0.retry_after);
        self
    }

    /// Adds advice: which setting helps.
    #[must_use]
    pub fn with_hint(mut self, hint: &'static str) -> Self {
        self.0.hint = Some(hint);
        self
    }

    /// Sets how many times the request was sent. A smaller number than the present one has no
    /// effect.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = self.0.attempts.max(attempts);
        self
    }

    /// Adds the hint that the body can't be sent again because its source can be read only once,
    /// unless `sent`, the number of bytes that were sent, is 0.
    #[must_use]
    pub fn with_sent_once(self, sent: u64) -> Self {
        if sent == 0 {
            return self;
        }
        self.with_hint("the body can't be sent again: its source can be read only once")
    }

    /// Changes the kind to [`Kind::Auth`]: the error occurred while `what`, "a token" or
    /// "credentials", was requested.
    #[must_use]
    pub(crate) fn without_credentials(mut self, what: &str) -> Self {
        self.0.kind = Kind::Auth;
        self.0.what = format!("could not obtain {what}: {}", self.0.what).into();
        self
    }

    /// Names the host in the message of an exchange that failed on the network.
    #[must_use]
    pub(crate) fn at_host(mut self, host: Option<&str>, port: Option<u16>) -> Self {
        use ExchangeErrorKind::{Closed, Connect, Resolve, Timeout, Tls};

        let cause = self.0.failure.as_ref().map(ExchangeError::kind);
        let of_network = matches!(cause, Some(Resolve | Connect | Tls | Timeout | Closed));
        if let Some(host) = host.filter(|_| of_network) {
            let port = port.map_or_else(String::new, |port| format!(":{port}"));
            self.0.what = format!("{host}{port}: {}", self.0.what).into();
        }
        self
    }

    /// Names the URL that the request was sent to, without its user and its query, and without its
    /// path unless `shows_path`. A message that names the host already is not changed.
    #[must_use]
    pub(crate) fn at_url(mut self, url: &http::Uri, shows_path: bool) -> Self {
        if let (Some(scheme), Some(host)) = (url.scheme_str(), url.host())
            && !self.0.what.starts_with(host)
        {
            let port = url.port_u16().map_or_else(String::new, |port| format!(":{port}"));
            let path = if shows_path { url.path() } else { "" };
            self.0.what = format!("{scheme}://{host}{port}{path}: {}", self.0.what).into();
        }
        self
    }

    /// Adds something that could not be removed from the server.
    #[must_use]
    pub fn with_leftover(mut self, leftover: Leftover) -> Self {
        if !self.0.leftovers.contains(&leftover) {
            self.0.leftovers.push(leftover);
        }
        self
    }

    /// Removes this leftover from the list: it has been removed from the server.
    #[cfg(feature = "store")]
    #[must_use]
    pub(crate) fn without_leftover(mut self, removed: &Leftover) -> Self {
        self.0.leftovers.retain(|leftover| leftover != removed);
        self
    }

    /// Marks the outcome as unknown: the server may have carried out what this error reports as
    /// failed, and nothing proves whether it did. `look_at` is what to look at to find out: `the
    /// ETag of images/a1`. It must contain no secret.
    #[must_use]
    pub fn with_outcome_unknown(mut self, look_at: impl Into<Cow<'static, str>>) -> Self {
        self.0.look_at = Some(look_at.into());
        self
    }

    /// Marks the outcome as known: it was proven that the server did not carry it out, or that
    /// nothing of it remains.
    #[must_use]
    pub fn with_outcome_known(mut self) -> Self {
        self.0.look_at = None;
        self
    }

    /// Stores the `later` error in `place` if it is empty. Otherwise the first error stays there,
    /// and gets the leftovers and the unknown outcome of the later one.
    pub(crate) fn keep_first(place: &mut Option<Self>, later: Self) {
        let Some(first) = place else { return *place = Some(later) };
        let later = *later.0;
        let (facts, told) = (&mut first.0, later.look_at);
        facts.look_at = match (facts.look_at.take(), told) {
            (Some(one), Some(other)) if one != other => Some(format!("{one}, and {other}").into()),
            (one, other) => one.or(other),
        };
        later.leftovers.into_iter().for_each(|leftover| {
            if !facts.leftovers.contains(&leftover) {
                facts.leftovers.push(leftover);
            }
        });
    }

    /// Returns who is responsible.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the sentence this error was created with, without the other facts.
    pub fn message(&self) -> &str {
        &self.0.what
    }

    /// Returns the operation that failed, by the service's own name (`PutObject`).
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// Returns the HTTP status of the response, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Returns the code of the server's error document (`NoSuchKey`). Responses to HEAD have none.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// Returns the message of the server's error document, as the server wrote it.
    pub fn server_message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// Returns the server's id of the request (`x-amz-request-id`, `X-Trans-Id`).
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns the second id of the request (`x-amz-id-2`, `X-Openstack-Request-Id`).
    pub fn host_id(&self) -> Option<&str> {
        self.0.host_id.as_deref()
    }

    /// Returns the region in which the server said the request should have been made.
    pub fn region(&self) -> Option<&str> {
        self.0.region.as_deref()
    }

    /// Returns which setting helps, if that is known.
    pub fn hint(&self) -> Option<&'static str> {
        self.0.hint
    }

    /// Returns how long the server asked to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns what prevented or interrupted the exchange, as the transport reported it.
    pub fn exchange_error(&self) -> Option<&ExchangeError> {
        self.0.failure.as_ref()
    }

    /// Returns how many times the request was sent.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns what could not be removed from the server.
    pub fn leftovers(&self) -> &[Leftover] {
        &self.0.leftovers
    }

    /// Whether the outcome is unknown: the server may have carried out what failed, because its
    /// response was lost or could not be read, and nothing proved the outcome afterwards.
    /// [`look_at`](Self::look_at) returns where to find out. A caller that repeats the call without
    /// looking may do it twice.
    pub fn outcome_unknown(&self) -> bool {
        self.0.look_at.is_some()
    }

    /// Returns what to look at to find the outcome of a call whose [outcome is
    /// unknown](Self::outcome_unknown).
    pub fn look_at(&self) -> Option<&str> {
        self.0.look_at.as_deref()
    }

    /// Whether the object, bucket or upload does not exist: 404.
    pub fn is_not_found(&self) -> bool {
        self.status_is(404)
    }

    /// Whether the status is 404 without a code. A code may say that something else does not exist,
    /// such as the bucket.
    pub(crate) fn is_bare_not_found(&self) -> bool {
        self.is_not_found() && self.0.code.is_none()
    }

    /// Whether a condition (`If-Match`, `If-None-Match`) was not met: 412.
    pub fn is_precondition_failed(&self) -> bool {
        self.status_is(412)
    }

    /// Whether the server could not process the request now: 408, 429, a status of 500 or above that
    /// says so, or a code that says so under any other status (S3 returns errors also under 200).
    pub fn is_unavailable(&self) -> bool {
        let status = self.0.status.map(|status| status.as_u16());
        let codes = || UNAVAILABLE.iter().chain(&THROTTLED);
        let says_so = self.code().is_some_and(|code| codes().any(|one| *one == code));
        says_so || matches!(status, Some(408 | 429 | 500 | 502..=504 | 509))
    }

    /// Whether the server refused this request, and would refuse it again: a status of 400 to 499
    /// that does not say that the server is busy.
    pub(crate) fn is_lasting_refusal(&self) -> bool {
        let refused = self.status().is_some_and(|status| status.is_client_error());
        refused && !self.is_unavailable()
    }

    /// Whether the object has not changed: 304, the response to a conditional read.
    pub fn is_not_modified(&self) -> bool {
        self.status_is(304)
    }

    /// Whether another request is changing the same resource: 409.
    pub fn is_conflict(&self) -> bool {
        self.status_is(409)
    }

    /// Whether the server denied access: 401, 403, or `AccessDenied` for one key of several.
    pub fn is_denied(&self) -> bool {
        self.status_is(401) || self.status_is(403) || self.code() == Some("AccessDenied")
    }

    /// Whether the operation or machine was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.exchange_error().is_some_and(|failure| failure.kind() == ExchangeErrorKind::Cancelled)
    }

    /// Whether a time limit was exceeded.
    pub fn is_timeout(&self) -> bool {
        self.exchange_error().is_some_and(|failure| failure.kind() == ExchangeErrorKind::Timeout)
    }

    fn status_is(&self, status: u16) -> bool {
        self.0.status.is_some_and(|have| have.as_u16() == status)
    }
}

impl fmt::Display for Error {
    /// Writes one line: the operation, what failed, status, code, message, the wait that the server
    /// asks for, attempts, request id, up to 20 leftovers, what to look at if the outcome is unknown,
    /// and the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = &*self.0;
        if let Some(operation) = facts.operation {
            write!(f, "{operation}: ")?;
        }
        write!(f, "{}", OneLine::sentence(&facts.what))?;
        let code = facts.code.as_deref().map(OneLine::word);
        match (facts.status, code) {
            (Some(status), Some(code)) => write!(f, ": {} {code}", status.as_u16())?,
            (Some(status), None)
                if matches!(facts.kind, Kind::Refused | Kind::Auth) && !status.is_success() =>
            {
                write!(f, ": {}", status.as_u16())?;
            }
            (Some(status), None) => write!(f, " (status {})", status.as_u16())?,
            (None, Some(code)) => write!(f, ": {code}")?,
            (None, None) => {}
        }
        if let Some(message) = &facts.message {
            write!(f, ": {}", OneLine::new(message))?;
        }
        if let Some(after) = facts.retry_after.filter(|after| !after.is_zero()) {
            write!(f, "; the server asks to wait for {} s", after.as_secs())?;
        }
        if facts.attempts > 1 {
            write!(f, " (after {} attempts)", facts.attempts)?;
        }
        if let Some(id) = &facts.request_id {
            write!(f, " [request {}]", OneLine::word(id))?;
        }
        for leftover in facts.leftovers.iter().take(TOLD) {
            write!(f, "; left behind: {leftover}")?;
        }
        match facts.leftovers.len() {
            0..=TOLD => {}
            many => write!(f, "; and {} more", many - TOLD)?,
        }
        if let Some(look_at) = &facts.look_at {
            write!(f, "; the outcome is unknown: look at {}", OneLine::new(look_at))?;
        }
        if let Some(hint) = facts.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {:?})", self.0.kind, self.to_string())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.failure.as_ref().map(|failure| failure as _)
    }
}

impl From<ExchangeError> for Error {
    fn from(failure: ExchangeError) -> Self {
        let kind = match failure.kind() {
            ExchangeErrorKind::Source | ExchangeErrorKind::Length | ExchangeErrorKind::Sink => {
                Kind::InvalidInput
            }
            ExchangeErrorKind::Protocol => Kind::InvalidResponse,
            _ => Kind::Transport,
        };
        let mut error = Self::new(kind, failure.to_string());
        error.0.failure = Some(failure);
        error
    }
}

/// How many leftovers the line lists; [`Error::leftovers`] returns all of them.
const TOLD: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn a_refusal_is_told_in_one_line() {
        let error = Error::refused(
            StatusCode::NOT_FOUND,
            Some("NoSuchKey".into()),
            Some("The key\r\ndoes not exist".into()),
        )
        .in_operation("GetObject")
        .with_request_id(Some("4442587FB7D0A2F9".into()), None)
        .with_attempts(2);
        assert_eq!(
            error.to_string(),
            "GetObject: the server refused the request: 404 NoSuchKey: The key\\r\\ndoes not exist \
             (after 2 attempts) [request 4442587FB7D0A2F9]"
        );
        assert!(error.is_not_found());
        assert_eq!(error.kind(), Kind::Refused);
    }

    #[test]
    fn a_code_of_a_hostile_server_forges_no_line() {
        let code = format!("Oops\nGetObject: done\u{1b}[2J{}", "x".repeat(60_000));
        let error = Error::refused(StatusCode::FORBIDDEN, Some(code), None)
            .with_request_id(Some("1\n2".into()), None);
        let line = error.to_string();
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.len() < 400, "{} bytes", line.len());
        let error = Error::invalid_response("the root is <\u{1b}[31m\n>").to_string();
        assert!(!error.contains(char::is_control), "{error:?}");
    }

    #[test]
    fn a_line_tells_of_no_more_than_twenty_leftovers() {
        let object = |at| Leftover::Object { bucket: "c".into(), key: format!("s{at}") };
        let error = (0..25).map(object).fold(Error::invalid_input("no"), Error::with_leftover);
        let line = error.to_string();
        assert!(line.contains("object c/s19") && !line.contains("object c/s20"), "{line}");
        assert!(line.ends_with("; and 5 more"), "{line}");
        assert_eq!(error.leftovers().len(), 25);
    }

    #[test]
    fn the_first_error_is_kept_with_what_later_ones_leave_open() {
        let object = |key: &str| Leftover::Object { bucket: "b".into(), key: key.into() };
        let mut kept = None;
        Error::keep_first(&mut kept, Error::invalid_input("first").with_leftover(object("1")));
        let second = Error::invalid_input("second").with_outcome_unknown("b/2");
        Error::keep_first(&mut kept, second.clone().with_leftover(object("2")));
        Error::keep_first(&mut kept, second);
        Error::keep_first(&mut kept, Error::invalid_input("third").with_outcome_unknown("b/3"));
        let kept = kept.unwrap();
        assert_eq!((kept.message(), kept.look_at()), ("first", Some("b/2, and b/3")));
        assert_eq!(kept.leftovers(), [object("1"), object("2")]);
    }

    #[test]
    fn an_unknown_outcome_says_what_to_look_at_until_it_is_known() {
        let error = Error::from(ExchangeError::new(ExchangeErrorKind::Closed, ""));
        assert!(!error.outcome_unknown() && error.look_at().is_none());
        let error = error.in_operation("PutObject").with_outcome_unknown("images/a\n1");
        assert!(error.outcome_unknown());
        assert_eq!(error.look_at(), Some("images/a\n1"));
        assert_eq!(
            error.to_string(),
            "PutObject: the connection was closed before a response; the outcome is unknown: look \
             at images/a\\n1"
        );
        assert!(!error.with_outcome_known().outcome_unknown());
    }

    #[test]
    fn failures_blame_the_right_side() {
        let kind = |cause| Error::from(ExchangeError::new(cause, "")).kind();
        assert_eq!(kind(ExchangeErrorKind::Connect), Kind::Transport);
        assert_eq!(kind(ExchangeErrorKind::Source), Kind::InvalidInput);
        assert_eq!(kind(ExchangeErrorKind::Protocol), Kind::InvalidResponse);
        assert!(Error::from(ExchangeError::cancelled()).is_cancelled());
    }
}

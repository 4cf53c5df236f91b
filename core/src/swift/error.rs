//! Swift's refusals, and what they mean for another attempt.
//!
//! A refusal is a status, and a page of HTML or a line of text that repeats it; there are no codes.
//!
//! | status | meaning | repeated |
//! | --- | --- | --- |
//! | 401 | the token is refused: the session renews it, once | by the session |
//! | 403 | the token is valid, and the operation is not allowed | no |
//! | 404 | there is no such account, container or object | no |
//! | 408, 499 | the body stalled, or the server took the client as disconnected | yes |
//! | 409 | something newer exists, or the container is not empty | only on containers |
//! | 411 | the request has neither a length nor chunks | no |
//! | 412 | a condition failed, or a name or limit is refused | no |
//! | 413 | too large, or a quota is exceeded | no |
//! | 416 | the range begins after the end | no |
//! | 422 | the body does not match the ETag sent with it: [`Kind::Integrity`] | only PutObject |
//! | 429, 498 | too many requests | more slowly |
//! | 500, 502, 503, 504 | the server failed | yes |
//! | 507 | the server has no space left | no |

use http::StatusCode;

use crate::error::{Error, Kind};
use crate::http::{Headers, Reply};
use crate::retry::{Idempotency, RetryDecision};

/// Checks that the response is a success, and what the request asked for.
pub(crate) fn success(reply: &Reply) -> Result<(), Error> {
    if let Some(error) = &reply.rejected {
        return Err(named(error.clone(), reply));
    }
    if reply.status().is_success() { Ok(()) } else { Err(refusal(reply)) }
}

/// Checks that the response says that the operation was carried out.
pub(super) fn carried_out(reply: &Reply) -> Result<(), Error> {
    success(reply)?;
    reply.carried_out(&[]).map_err(|error| named(error, reply))
}

/// The same of an operation to which the API reference has 202 as the response: PUT of a container
/// that exists, POST of an object's metadata, and a manifest whose report is in the body.
pub(super) fn carried_out_or_accepted(reply: &Reply) -> Result<(), Error> {
    success(reply)?;
    reply.carried_out(&[StatusCode::ACCEPTED]).map_err(|error| named(error, reply))
}

/// Returns an error that may not occur again, so that the request behind it is repeated; drops any
/// other.
pub(super) fn passing(error: Error) -> Result<(), Error> {
    match judge(&error, Idempotency::Read) {
        RetryDecision::Transient | RetryDecision::Throttled => Err(error),
        RetryDecision::Final | RetryDecision::Elsewhere | RetryDecision::Otherwise => Ok(()),
    }
}

/// Returns the error of a response that is not a success.
pub(crate) fn refusal(reply: &Reply) -> Error {
    told(reply, reply.status(), message(&reply.body))
}

/// Returns a refusal with this status, which may be in the body of a response of 200 or 202.
pub(super) fn told(reply: &Reply, status: StatusCode, message: Option<String>) -> Error {
    let error = Error::refused(status, None, message).with_retry_after(reply.retry_after());
    let error = if status == StatusCode::UNPROCESSABLE_ENTITY {
        error.of_kind(Kind::Integrity)
    } else {
        error
    };
    let error = match status.as_u16() {
        413 => error.with_hint("the object or its metadata is too large, or a quota is exceeded"),
        507 => error.with_hint("the server has no space left"),
        _ => error,
    };
    named(error, reply)
}

/// Returns the error of a success that is not valid.
pub(super) fn broken(reply: &Reply, what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    named(Error::invalid_response(what).with_status(reply.status()), reply)
}

/// Returns the error of a success that is not valid and arrived whole: it would arrive so again.
pub(super) fn misread(reply: &Reply, what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    let is_whole = reply.cut.is_none() && !reply.unproven;
    let error = broken(reply, what);
    if is_whole { error.recurring(true) } else { error }
}

/// Adds the ids in the response's head to the error.
pub(super) fn named(error: Error, reply: &Reply) -> Error {
    let head = Headers(&reply.head.headers);
    error.with_request_id(head.text("x-trans-id"), head.text("x-openstack-request-id"))
}

/// Returns the text of a page of HTML, or a plain text, in one line: `Not Found: The resource could
/// not be found.`
pub(crate) fn message(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body.get(..ENOUGH).unwrap_or(body));
    let is_html = text.trim_start().starts_with('<');
    let mut pieces: Vec<String> = Vec::new();
    let separators: &[char] = if is_html { &['<'] } else { &['\n'] };
    for piece in text.split(separators) {
        let piece = match piece.split_once('>') {
            Some((_, text)) if is_html => text,
            None if is_html => continue,
            _ => piece,
        };
        let words: Vec<&str> = piece.split_whitespace().collect();
        let piece = unescape(&words.join(" "));
        if !piece.is_empty() && pieces.last() != Some(&piece) {
            pieces.push(piece);
        }
    }
    let mut message = pieces.join(if is_html { ": " } else { "; " });
    if message.chars().count() > LONGEST_MESSAGE {
        message = message.chars().take(LONGEST_MESSAGE).chain(['…']).collect();
    }
    (!message.is_empty()).then_some(message)
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}

/// Decides what follows a refusal or an invalid response.
pub(super) fn judge(error: &Error, idempotency: Idempotency) -> RetryDecision {
    match error.recurs() {
        Some(true) => return RetryDecision::Final,
        // More slowly: what has to change does so within seconds.
        Some(false) => return RetryDecision::Throttled,
        None => {}
    }
    if error.kind() == Kind::InvalidResponse {
        // A success that can't be read, or a response that is not Swift's. What it reports as done
        // is not done again.
        return if idempotency == Idempotency::Read {
            RetryDecision::Transient
        } else {
            RetryDecision::Final
        };
    }
    let Some(status) = error.status() else { return RetryDecision::Final };
    match status.as_u16() {
        429 | 498 => RetryDecision::Throttled,
        408 | 499 | 500 | 502 | 503 | 504 => RetryDecision::Transient,
        // One of two concurrent changes gets a 409; and a container may still list objects that
        // were just deleted.
        409 if CONTAINERS.iter().any(|name| error.operation() == Some(name)) => {
            RetryDecision::Transient
        }
        // The bytes may have been damaged in transit, and none of them was stored.
        422 if error.operation() == Some("PutObject") => RetryDecision::Transient,
        _ => RetryDecision::Final,
    }
}

const CONTAINERS: [&str; 2] = ["PutContainer", "DeleteContainer"];

/// How many bytes of an error's body are read.
const ENOUGH: usize = 8 << 10;
/// How many characters of a message are kept.
const LONGEST_MESSAGE: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    // Error pages of Swift 2.38 and of nginx.
    #[test]
    fn a_page_becomes_a_line() {
        let swift = b"<html><h1>Not Found</h1><p>The resource could not be found.</p></html>";
        assert_eq!(message(swift).unwrap(), "Not Found: The resource could not be found.");
        let nginx = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
            <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>";
        assert_eq!(message(nginx).unwrap(), "502 Bad Gateway: nginx");
        let slo = b"Errors:\n/c/o, Etag Mismatch\n";
        assert_eq!(message(slo).unwrap(), "Errors:; /c/o, Etag Mismatch");
        assert_eq!(message(b"a &lt;b&gt; &amp;amp; c").unwrap(), "a <b> &amp; c");
        assert_eq!(message(b""), None);
        assert_eq!(message(b"<html></html>"), None);
        assert_eq!(message(b"\xff\xfe").unwrap(), "\u{fffd}\u{fffd}");
        assert_eq!(message(&[b'x'; 9000]).unwrap().chars().count(), LONGEST_MESSAGE + 1);
    }

    #[test]
    fn statuses_mean_what_the_table_says() {
        let judged = |status: u16, operation| {
            let status = StatusCode::from_u16(status).unwrap();
            let error = Error::refused(status, None, None).in_operation(operation);
            judge(&error, Idempotency::Idempotent)
        };
        for status in [408, 499, 500, 502, 503, 504] {
            assert_eq!(judged(status, "GetObject"), RetryDecision::Transient, "{status}");
        }
        for status in [429, 498] {
            assert_eq!(judged(status, "GetObject"), RetryDecision::Throttled, "{status}");
        }
        for status in [400, 401, 403, 404, 409, 411, 412, 413, 416, 422, 501, 507] {
            assert_eq!(judged(status, "GetObject"), RetryDecision::Final, "{status}");
        }
        assert_eq!(judged(409, "DeleteContainer"), RetryDecision::Transient);
        assert_eq!(judged(422, "PutObject"), RetryDecision::Transient);
        assert_eq!(judged(422, "PutSlo"), RetryDecision::Final);
    }
}

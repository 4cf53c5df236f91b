//! What Keystone says when it does not say yes.

use http::StatusCode;
use http::header::HeaderName;
use serde_json::Value;

use crate::error::{Error, Kind};
use crate::http::Reply;
use crate::retry::{Idempotency, RetryDecision};

/// The reply, unless it is a refusal or was cut.
pub(super) fn success(reply: &Reply) -> Result<(), Error> {
    if !reply.status().is_success() {
        return Err(refusal(reply));
    }
    match &reply.cut {
        Some(cut) => Err(Error::from(cut.clone()).with_status(reply.status())),
        None => Ok(()),
    }
}

/// The error that an answer which is no success tells: Keystone's
/// `{"error": {"code": 401, "title": "Unauthorized", "message": "…"}}`, or nothing at all.
pub(super) fn refusal(reply: &Reply) -> Error {
    let document: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let text = |name| Some(document.as_ref()?.get("error")?.get(name)?.as_str()?.to_owned());
    let error = Error::refused(reply.status(), text("title"), text("message"));
    named(error, reply).with_retry_after(reply.retry_after())
}

/// The error, with the id under which Keystone can find the request in its log.
pub(super) fn named(error: Error, reply: &Reply) -> Error {
    error.with_request_id(reply.header(&REQUEST_ID).map(str::to_owned), None)
}

/// What is to be done about a refusal or a broken answer.
pub(super) fn judge(error: &Error, idempotency: Idempotency) -> RetryDecision {
    if error.kind() == Kind::Broken {
        // A success that can't be read was carried out.
        return if idempotency == Idempotency::Read {
            RetryDecision::Transient
        } else {
            RetryDecision::Final
        };
    }
    let decision = judge_status(error);
    let status = error.status().unwrap_or(StatusCode::OK).as_u16();
    // Whatever else failed may have done its work before.
    let undone = matches!(status, 408 | 429 | 503);
    if idempotency == Idempotency::Once && !undone { RetryDecision::Final } else { decision }
}

/// What a status says of another attempt at something that may be repeated.
pub(super) fn judge_status(error: &Error) -> RetryDecision {
    match error.status().unwrap_or(StatusCode::OK).as_u16() {
        429 => RetryDecision::Throttled,
        408 | 500 | 502 | 503 | 504 => RetryDecision::Transient,
        _ => RetryDecision::Final,
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

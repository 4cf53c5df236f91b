//! Keystone's refusals, and what they mean for another attempt.

use http::StatusCode;
use http::header::{HeaderName, HeaderValue, LOCATION};
use serde_json::Value;

use crate::error::{Error, Kind};
use crate::http::Reply;
use crate::retry::{Idempotency, RetryDecision};

/// Checks that the response says that the operation was carried out, and was not cut off.
pub(super) fn success(reply: &Reply) -> Result<(), Error> {
    if !reply.status().is_success() {
        return Err(refusal(reply));
    }
    match &reply.cut {
        Some(cut) => Err(Error::from(cut.clone()).with_status(reply.status())),
        None => reply.carried_out(&[]).map_err(|error| named(error, reply)),
    }
}

/// Returns the error of a response that is not a success, with what Keystone says about it, if
/// anything: `{"error": {"code": 401, "title": "Unauthorized", "message": "…"}}`.
pub(super) fn refusal(reply: &Reply) -> Error {
    let document: Option<Value> = crate::http::json::parse(&reply.body).ok();
    let text = |name| Some(document.as_ref()?.get("error")?.get(name)?.as_str()?.to_owned());
    let location = reply.header(&LOCATION).filter(|_| reply.status().is_redirection());
    let location = location.map(shown);
    let message = match &location {
        Some(location) => Some(format!("it redirects to {location:?}")),
        None => text("message"),
    };
    let error = Error::refused(reply.status(), text("title"), message);
    let error = match location {
        Some(_) => error.with_hint("set the auth URL to the one at that place, if it is trusted"),
        None => error,
    };
    named(error, reply).with_retry_after(reply.retry_after())
}

/// Adds the id by which the request is found in Keystone's log.
pub(super) fn named(error: Error, reply: &Reply) -> Error {
    error.with_request_id(reply.header(&REQUEST_ID).map(str::to_owned), None)
}

/// Returns the value of a header of a login.
///
/// # Errors
///
/// It has other characters than visible ASCII, which no request can carry on.
pub(super) fn header<'a>(reply: &'a Reply, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    let value = reply.head.headers.get(name).map(HeaderValue::to_str).transpose();
    value.map_err(|_| {
        let what = format!("{name} of the response has characters other than visible ASCII");
        named(Error::invalid_response(what).with_status(reply.status()), reply)
    })
}

/// Decides what follows a refusal or an invalid response.
pub(super) fn judge(error: &Error, idempotency: Idempotency) -> RetryDecision {
    if error.kind() == Kind::InvalidResponse {
        // A success that can't be read was carried out.
        return if idempotency == Idempotency::Read {
            RetryDecision::Transient
        } else {
            RetryDecision::Final
        };
    }
    let decision = judge_status(error);
    let status = error.status().unwrap_or(StatusCode::OK).as_u16();
    // After any other failure the operation may have been carried out.
    let undone = matches!(status, 408 | 429 | 503);
    if idempotency == Idempotency::Once && !undone { RetryDecision::Final } else { decision }
}

/// What a status means for another attempt of an operation that may be repeated.
pub(super) fn judge_status(error: &Error) -> RetryDecision {
    match error.status().unwrap_or(StatusCode::OK).as_u16() {
        429 => RetryDecision::Throttled,
        408 | 500 | 502 | 503 | 504 => RetryDecision::Transient,
        _ => RetryDecision::Final,
    }
}

/// Returns a URL without what may be secret in it: a query, and all before the last `@`, because
/// user information may contain a slash that is not escaped.
fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("//") {
        Some((scheme, rest)) => {
            format!("{scheme}//{}", rest.rsplit('@').next().unwrap_or_default())
        }
        None => url.to_owned(),
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_and_no_query_of_a_redirection_is_shown() {
        for (location, plain) in [
            ("https://k.example.com/v3/auth?x=word", "https://k.example.com/v3/auth"),
            ("https://user:word@k.example.com/v3#word", "https://k.example.com/v3"),
            ("https://user:wo/rd@k.example.com/v3", "https://k.example.com/v3"),
            ("//user:wo@rd@k.example.com", "//k.example.com"),
            ("/v3/auth", "/v3/auth"),
        ] {
            assert_eq!(shown(location), plain, "{location}");
        }
    }
}

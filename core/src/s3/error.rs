//! Errors in S3's responses.
//!
//! "Error responses" of the S3 API reference, and the behaviour of other servers: error documents
//! with an empty message, responses to HEAD without a document, and responses with the status 200
//! whose body is an `<Error>`.

use std::time::Duration;

use http::header::{ETAG, HeaderName};

use crate::error::codes::THROTTLED;
use crate::error::{Error, Kind};
use crate::http::Reply;
use crate::now::Timestamp;
use crate::retry::{Idempotency, RetryDecision};
use crate::s3::error_text::{ErrorText, is_error_document};
use crate::s3::hints;
use crate::xml::{Document, Element};

/// Checks that the response was not rejected and has a status of 2xx.
pub(crate) fn success(reply: &Reply) -> Result<(), Error> {
    if let Some(error) = &reply.rejected {
        return Err(named(error.clone(), reply));
    }
    if reply.status().is_success() { Ok(()) } else { Err(refusal(reply)) }
}

/// Checks that the response says that the operation was carried out. The API reference knows 200 and
/// 204; some servers respond to a PUT with 201, Ceph's gateway if it is configured so
/// (`rgw_s3_success_create_obj_status`).
pub(super) fn carried_out(reply: &Reply) -> Result<(), Error> {
    success(reply)?;
    reply.carried_out(&[]).map_err(|error| named(error, reply))
}

/// Returns a transient error, so that its request is sent again; ignores any other error.
pub(super) fn passing(error: Error) -> Result<(), Error> {
    match judge(&error, Idempotency::Read) {
        RetryDecision::Transient | RetryDecision::Throttled => Err(error),
        RetryDecision::Final | RetryDecision::Elsewhere | RetryDecision::Otherwise => Ok(()),
    }
}

/// Checks a response whose body is irrelevant, empty or not XML. An `<Error>` in it is an error,
/// whatever the status. A web page is an error too, because no S3 server sends one.
pub(super) fn accepted(reply: &Reply) -> Result<(), Error> {
    carried_out(reply)?;
    if reply.body.is_empty() {
        return Ok(());
    }
    if is_web_page(&reply.body) {
        let error = Error::invalid_response(
            "the response is an HTML page: the endpoint is not an S3 server",
        );
        return Err(named(error.with_status(reply.status()), reply));
    }
    match Document::parse(&reply.body) {
        Ok(document) if error_in(&document).is_none() => Ok(()),
        Err(error) => match broken_error(reply) {
            Some(refusal) => Err(refusal),
            // An error document that was cut off before its code.
            None if is_error_document(&reply.body) => {
                Err(named(error.with_status(reply.status()), reply))
            }
            None => Ok(()),
        },
        Ok(_) => Err(refusal(reply)),
    }
}

/// Returns the XML document of a successful response. For some operations S3 sends the status 200
/// before it has the result: an `<Error>` in the body is an error, and so is an unreadable
/// document, which a closed connection leaves.
///
/// Some servers use another root name than `root` (`CompleteMultipartUploadResponse`). A document
/// with another root is accepted if it has one of these `members`. The list of a bucket is refused
/// where another document was requested: the server ignored the subresource in the query.
pub(super) fn document<'a>(
    reply: &'a Reply,
    root: &str,
    members: &[&str],
) -> Result<Document<'a>, Error> {
    carried_out(reply)?;
    let broken = |error: Error| named(error.with_status(reply.status()), reply);
    let document = Document::parse(&reply.body)
        .map_err(|error| broken_error(reply).unwrap_or_else(|| broken(error)))?;
    if let Some(error) = error_in(&document) {
        return Err(named(of_document(reply, Some(error)), reply));
    }
    if is_other_list(&document, root) {
        return Err(ignored(reply, "the server returned the list of the bucket"));
    }
    let has_member = document.root().elements().any(|member| members.contains(&member.name()));
    if !has_member {
        document.root_named(root).map_err(broken)?;
    }
    Ok(document)
}

/// Returns the XML document of a subresource of an object, as [`document`] does. A server that ignores
/// the subresource returns the object itself, whose response has an ETag header: it is refused.
pub(super) fn subresource<'a>(
    reply: &'a Reply,
    root: &str,
    members: &[&str],
) -> Result<Document<'a>, Error> {
    document(reply, root, members).map_err(|error| {
        let is_object = reply.status().is_success() && reply.header(&ETAG).is_some();
        if is_object && error.kind() == Kind::InvalidResponse {
            ignored(reply, "the server returned the object itself")
        } else {
            error
        }
    })
}

/// Checks that a response without a fixed form is not the list of the bucket.
pub(super) fn no_list(reply: &Reply) -> Result<(), Error> {
    match Document::parse(&reply.body) {
        Ok(document) if is_other_list(&document, "") => {
            Err(ignored(reply, "the server returned the list of the bucket"))
        }
        _ => Ok(()),
    }
}

/// Returns whether a document is the list of a bucket, in place of one with this root. Google lists
/// versions under that root too, each as a `Version`.
fn is_other_list(document: &Document<'_>, root: &str) -> bool {
    const LIST: &str = "ListBucketResult";
    let lists_versions =
        || root == "ListVersionsResult" && document.root().child("Contents").is_none();
    document.root().name() == LIST && root != LIST && !lists_versions()
}

/// Returns the error of a server that ignored the subresource in the query.
fn ignored(reply: &Reply, returned: &'static str) -> Error {
    let error = Error::new(Kind::Refused, returned);
    named(error.with_hint("the server does not support this operation"), reply)
}

/// Returns the error that a failed response describes.
pub(super) fn refusal(reply: &Reply) -> Error {
    let document = Document::parse(&reply.body).ok();
    named(of_document(reply, document.as_ref().and_then(error_in)), reply)
}

/// Returns the error of an error document that is not well-formed and has a code.
fn broken_error(reply: &Reply) -> Option<Error> {
    let has_code = || ErrorText::of(&reply.body).code.is_some();
    (is_error_document(&reply.body) && has_code()).then(|| refusal(reply))
}

/// Returns the code of the response's error document.
pub(crate) fn code(reply: &Reply) -> Option<String> {
    let document = Document::parse(&reply.body).ok();
    match document.as_ref().and_then(error_in) {
        Some(root) => text_of(root, "Code").map(str::to_owned),
        None => ErrorText::of(&reply.body).code.or_else(|| of_headers(reply).code),
    }
}

/// Returns the server's time in the response's error document: that of RequestTimeTooSkewed.
pub(crate) fn server_time(reply: &Reply) -> Option<Timestamp> {
    let document = Document::parse(&reply.body).ok()?;
    error_in(&document)?.optional_timestamp("ServerTime")
}

/// Returns the error of an error document: S3's `Error` root, or an `Error` in the wrapper that
/// other AWS services and some servers use.
fn error_in<'d>(document: &'d Document<'_>) -> Option<Element<'d>> {
    let root = document.root();
    match root.name() {
        name if name.eq_ignore_ascii_case("Error") => Some(root),
        "ErrorResponse" | "Errors" => root.child("Error"),
        "Response" => root.child("Errors")?.child("Error"),
        _ => None,
    }
}

/// Returns whether the body begins as HTML: the page of a proxy or portal.
fn is_web_page(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    let begins = |tag: &[u8]| body.get(..tag.len()).is_some_and(|at| at.eq_ignore_ascii_case(tag));
    begins(b"<!doctype html") || begins(b"<html")
}

fn of_document(reply: &Reply, root: Option<Element<'_>>) -> Error {
    let text = |name| root.and_then(|root| text_of(root, name)).map(str::to_owned);
    let told = match root {
        Some(_) => ErrorText { code: text("Code"), message: text("Message") },
        None => ErrorText::of(&reply.body),
    };
    let of_headers = of_headers(reply);
    let (code, message) = (told.code.or(of_headers.code), told.message.or(of_headers.message));
    let header = reply.header(&BUCKET_REGION).map(str::to_owned);
    let region = header.or_else(|| text("Region")).filter(|region| !region.is_empty());
    let hint = match root {
        Some(_) => None,
        None => hints::of_page(reply.status(), &reply.body),
    };
    let error = Error::refused(reply.status(), code, message)
        .with_region(region)
        .with_retry_after(retry_after(reply))
        .with_request_id(text("RequestId"), text("HostId"));
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Returns the text of a member, of which some servers write the name in lower case.
fn text_of<'d>(root: Element<'d>, name: &str) -> Option<&'d str> {
    let found = root.text_of(name).or_else(|| root.text_of(&name.to_lowercase()));
    found.map(str::trim)
}

/// Returns what the headers of a refusal say, which has no body in the response to a HEAD: MinIO has
/// `x-minio-error-code` since 2023, website endpoints of S3 have `x-amz-error-code`.
fn of_headers(reply: &Reply) -> ErrorText {
    let text = |names: [HeaderName; 2]| {
        let found = names.iter().find_map(|name| reply.header(name))?;
        Some(found.trim().trim_matches('"').to_owned()).filter(|text| !text.is_empty())
    };
    ErrorText { code: text(CODE), message: text(MESSAGE) }
}

/// Adds the request IDs of the response headers to the error.
pub(super) fn named(error: Error, reply: &Reply) -> Error {
    let id = |name| reply.header(&name).map(str::to_owned);
    error.with_request_id(id(REQUEST_ID), id(HOST_ID))
}

/// Returns the delay that the server asks for: `x-amz-retry-after` in milliseconds, `Retry-After`
/// in seconds or as a date.
fn retry_after(reply: &Reply) -> Option<Duration> {
    if let Some(millis) = reply.header(&AMZ_RETRY_AFTER).and_then(|text| text.parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    reply.retry_after()
}

/// Decides what to do about an error response or an unreadable response.
pub(super) fn judge(error: &Error, idempotency: Idempotency) -> RetryDecision {
    if error.kind() == Kind::InvalidResponse {
        // An unreadable success: cut off, or not from S3 at all. Whether a write that may have been
        // applied is sent again is decided by `Call`.
        return if idempotency == Idempotency::Once {
            RetryDecision::Final
        } else {
            RetryDecision::Transient
        };
    }
    let Some(status) = error.status() else { return RetryDecision::Final };
    match (status.as_u16(), error.code()) {
        (_, Some(code)) if THROTTLED.contains(&code) => RetryDecision::Throttled,
        (429, _) => RetryDecision::Throttled,
        (_, Some(code)) if TRANSIENT.contains(&code) => RetryDecision::Transient,
        // A conditional write conflicted with another one. After CompleteMultipartUpload the parts
        // must be sent again, which the upload machine does.
        (409, Some("ConditionalRequestConflict" | "OperationAborted"))
            if error.operation() != Some("CompleteMultipartUpload") =>
        {
            RetryDecision::Transient
        }
        (301 | 302 | 307 | 308, _) => RetryDecision::Elsewhere,
        (400, Some("AuthorizationHeaderMalformed" | "400") | None) if error.region().is_some() => {
            RetryDecision::Elsewhere
        }
        (_, Some("IllegalLocationConstraintException"))
            if error.operation() != Some("CreateBucket") =>
        {
            RetryDecision::Elsewhere
        }
        (_, Some("InternalError")) => RetryDecision::Transient,
        (500 | 502 | 503 | 504 | 509, _) => RetryDecision::Transient,
        (408, _) => RetryDecision::Transient,
        (200..=299, _) if idempotency != Idempotency::Once => RetryDecision::Transient,
        _ => RetryDecision::Final,
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");
const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");
const CODE: [HeaderName; 2] =
    [HeaderName::from_static("x-minio-error-code"), HeaderName::from_static("x-amz-error-code")];
const MESSAGE: [HeaderName; 2] =
    [HeaderName::from_static("x-minio-error-desc"), HeaderName::from_static("x-amz-error-message")];
const AMZ_RETRY_AFTER: HeaderName = HeaderName::from_static("x-amz-retry-after");

/// Codes of transient errors, although their status may be 400: the body stalled or was damaged.
const TRANSIENT: [&str; 5] = [
    "RequestTimeout",
    "RequestTimeoutException",
    "IncompleteBody",
    "BadDigest",
    "ServiceUnavailable",
];

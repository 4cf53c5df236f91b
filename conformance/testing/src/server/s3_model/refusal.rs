//! Error responses.

use std::borrow::Cow;

use super::super::dates::iso_date;
use super::super::message::{Reply, Request};
use super::document::Document;

/// The refusal of a request.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    message: Cow<'static, str>,
    /// Further elements of the error document.
    details: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn new(
        status: u16,
        code: impl Into<String>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { status, code, message, details: Vec::new(), headers: Vec::new() }
    }

    /// Adds an element to the document.
    pub(super) fn detail(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.details.push((name, text.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Returns the response to send; one to HEAD has no body.
    pub(super) fn reply(self, head: bool, resource: &str, request_id: &str) -> Reply {
        let mut document = Document::error();
        document.text("Code", &self.code);
        document.text("Message", &self.message);
        document.text("Resource", resource);
        for (name, text) in &self.details {
            document.text(name, text);
        }
        document.text("RequestId", request_id);
        let mut reply = match self.status {
            304 => Reply::new(304),
            status if head => Reply::new(status).header("Content-Type", "application/xml"),
            status => Reply::xml(status, document.finish()),
        };
        for (name, value) in self.headers {
            reply = reply.header(name, value);
        }
        reply
    }
}

/// Cloudflare R2's words.
pub(super) fn header_not_implemented(name: &str) -> Refusal {
    Refusal::new(501, "NotImplemented", format!("Header '{name}' is not implemented"))
}

pub(super) fn no_such_bucket() -> Refusal {
    Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist")
}

pub(super) fn no_such_key() -> Refusal {
    Refusal::new(404, "NoSuchKey", "The specified key does not exist.")
}

pub(super) fn no_such_upload() -> Refusal {
    Refusal::new(
        404,
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may \
         have been aborted or completed.",
    )
}

pub(super) fn precondition(condition: &'static str) -> Refusal {
    Refusal::new(
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    )
    .detail("Condition", condition)
}

pub(super) fn invalid_argument(message: &'static str) -> Refusal {
    Refusal::new(400, "InvalidArgument", message)
}

pub(super) fn invalid_request(message: &'static str) -> Refusal {
    Refusal::new(400, "InvalidRequest", message)
}

pub(super) fn invalid_part() -> Refusal {
    Refusal::new(
        400,
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been \
         uploaded, or the specified entity tag may not match the part's entity tag.",
    )
}

pub(super) fn malformed_xml() -> Refusal {
    Refusal::new(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published \
         schema",
    )
}

pub(super) fn not_implemented() -> Refusal {
    Refusal::new(
        501,
        "NotImplemented",
        "A header you provided implies functionality that is not implemented",
    )
}

pub(super) fn bad_digest() -> Refusal {
    Refusal::new(400, "BadDigest", "The checksum you specified did not match what we calculated.")
}

pub(super) fn internal_error(status: u16, code: &str) -> Refusal {
    Refusal::new(status, code, "We encountered an internal error. Please try again.")
}

/// `named` is the region that the body names.
pub(super) fn wrong_region(region: &str, named: &str) -> Refusal {
    Refusal::new(
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the region is wrong",
    )
    .detail("Region", named)
    .header("x-amz-bucket-region", region)
}

pub(super) fn skewed(request: &Request, now: u64) -> Refusal {
    Refusal::new(
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    )
    .detail("RequestTime", request.header("x-amz-date").unwrap_or_default())
    .detail("ServerTime", iso_date(now))
    .detail("MaxAllowedSkewMilliseconds", (MAX_SKEW * 1000).to_string())
}

/// The largest difference between a request's date and the server's clock, in seconds.
pub(super) const MAX_SKEW: u64 = 15 * 60;

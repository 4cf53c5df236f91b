//! Responses as Keystone and Swift word them.

use serde_json::{Value, json};

use super::super::message::Reply;

/// The refusal of a request: its response.
#[derive(Debug)]
pub(super) struct Refusal(Box<Reply>);

impl Refusal {
    pub(super) fn into_reply(self) -> Reply {
        *self.0
    }
}

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Self {
        Self(Box::new(reply))
    }
}

/// Returns Swift's response of this status, with Swift's page for it.
pub(super) fn page(status: u16) -> Reply {
    let Some((title, text)) = words(status) else { return said(status, "") };
    said(status, format!("<html><h1>{title}</h1><p>{text}</p></html>"))
}

/// Returns Swift's response with this body, which may be empty.
pub(super) fn said(status: u16, text: impl Into<String>) -> Reply {
    Reply::new(status).header("Content-Type", "text/html; charset=UTF-8").body(text.into())
}

/// Returns Swift's response with a plain text.
pub(super) fn plain(status: u16, text: impl Into<String>) -> Reply {
    Reply::new(status).header("Content-Type", "text/plain").body(text.into())
}

/// Returns title and text of Swift's page for a status.
pub(super) fn words(status: u16) -> Option<(&'static str, &'static str)> {
    Some(match status {
        202 => ("Accepted", "The request is accepted for processing."),
        400 => (
            "Bad Request",
            "The server could not comply with the request since it is either malformed or \
             otherwise incorrect.",
        ),
        401 => (
            "Unauthorized",
            "This server could not verify that you are authorized to access the document you \
             requested.",
        ),
        403 => ("Forbidden", "Access was denied to this resource."),
        404 => ("Not Found", "The resource could not be found."),
        405 => ("Method Not Allowed", "The method is not allowed for this resource."),
        408 => (
            "Request Timeout",
            "The server has waited too long for the request to be sent by the client.",
        ),
        409 => ("Conflict", "There was a conflict when trying to complete your request."),
        412 => ("Precondition Failed", "A precondition for this request was not met."),
        413 => {
            ("Request Entity Too Large", "The body of your request was too large for this server.")
        }
        416 => ("Requested Range Not Satisfiable", "The Range requested is not available."),
        422 => ("Unprocessable Entity", "Unable to process the contained instructions"),
        499 => ("Client Disconnect", "The client was disconnected during request."),
        500 => (
            "Internal Error",
            "The server experienced an internal error and was unable to complete your request.",
        ),
        503 => (
            "Service Unavailable",
            "The server is currently unavailable. Please try again at a later time.",
        ),
        507 => ("Insufficient Storage", "There was not enough space to save the resource. Drive: "),
        _ => return None,
    })
}

/// Returns status code and reason as Swift writes them into a body whose head was already sent.
pub(super) fn status_line(status: u16) -> String {
    let reason = match status {
        422 => "Unprocessable Entity",
        499 => "Client Disconnect",
        _ => http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Unknown"),
    };
    format!("{status} {reason}")
}

/// Returns a JSON document.
pub(super) fn document(status: u16, value: &Value) -> Reply {
    Reply::new(status).header("Content-Type", "application/json").body(value.to_string())
}

/// Returns Keystone's error document.
pub(super) fn error(status: u16, message: impl Into<String>) -> Reply {
    let title = http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    let message: String = message.into();
    let error = json!({"code": status, "message": message, "title": title});
    document(status, &json!({"error": error}))
}

/// Returns Keystone's only response to failed authentication.
pub(super) fn unauthorized(auth_url: &str) -> Reply {
    error(401, "The request you have made requires authentication.")
        .header("WWW-Authenticate", format!("Keystone uri=\"{auth_url}\""))
}

/// Returns Keystone's response to what the policy forbids.
pub(super) fn forbidden(action: &str) -> Reply {
    let what = "You are not authorized to perform the requested action";
    match action {
        "" => error(403, format!("{what}.")),
        action => error(403, format!("{what}: {action}.")),
    }
}

/// Returns Keystone's response to an invalid document.
pub(super) fn malformed(what: &str) -> Reply {
    error(
        400,
        format!(
            "{what} The server could not comply with the request since it is either malformed or \
             otherwise incorrect. The client is assumed to be in error."
        ),
    )
}

//! The effects of the plan's faults on responses.
//!
//! Faults of S3 only (redirects, regions, error codes) have no effect here.

use serde_json::json;

use super::super::message::{Cut, Framing, Reply};
use super::super::plan::Fault;
use super::OpenStackModel;
use super::operation::{Call, OpenStackOperation, Place};
use super::reply::{self, Refusal};

impl OpenStackModel {
    /// Returns the response of a fault that replaces the server's.
    pub(super) fn instead(&self, fault: &Fault, call: &Call<'_>) -> Option<Reply> {
        Some(match fault {
            Fault::SlowDown(after) => {
                let reply = self.refusal(503, call);
                match after {
                    Some(seconds) => reply.header("Retry-After", seconds.to_string()),
                    None => reply,
                }
            }
            Fault::InternalError => self.refusal(500, call),
            Fault::Refuse(status, _) | Fault::RefuseEarly(status, _) => self.refusal(*status, call),
            Fault::Conflict => self.refusal(409, call),
            Fault::ErrorIn200(status) => belated(call, status)?,
            Fault::Instead(reply) => reply.clone(),
            Fault::Lost(ending) => Reply::new(200).cut(Cut::Head(*ending)),
            _ => return None,
        })
    }

    /// Returns the response of Keystone or Swift with this status.
    pub(super) fn refusal(&self, status: u16, call: &Call<'_>) -> Reply {
        match (&call.place, status) {
            (Place::Identity(_), 401) => reply::unauthorized(&self.auth_url()),
            (Place::Identity(_), _) => reply::error(status, "A fault of the plan"),
            (Place::Storage(target), 401) => {
                Refusal::into_reply(self.unauthenticated(&target.account))
            }
            _ => reply::page(status),
        }
    }
}

/// Applies a fault that changes a good response.
pub(super) fn spoil(fault: &Fault, mut reply: Reply) -> Reply {
    if *fault == Fault::WrongChecksum {
        for (name, value) in &mut reply.headers {
            if name.eq_ignore_ascii_case("etag") {
                *value = value.chars().rev().collect();
            }
        }
        return reply;
    }
    fault.spoil(reply)
}

/// Returns a response whose head is a success and whose body reports a failure.
fn belated(call: &Call<'_>, status: &str) -> Option<Reply> {
    let mut document = json!({"Response Status": status, "Response Body": "", "Errors": []});
    let begun = match call.operation {
        OpenStackOperation::PutSlo => 202,
        OpenStackOperation::BulkDelete | OpenStackOperation::DeleteSlo => {
            document["Number Deleted"] = json!(0);
            document["Number Not Found"] = json!(0);
            200
        }
        _ => return None,
    };
    let (kind, text) = match call.wants_json() {
        true => ("application/json", document.to_string()),
        false => ("text/plain", format!("Response Body: \nResponse Status: {status}\nErrors:\n")),
    };
    let blanks = if begun == 202 { " \r\n\r\n" } else { "" };
    Some(
        Reply::new(begun)
            .header("Content-Type", kind)
            .body(format!("{blanks}{text}"))
            .framing(Framing::Chunked(64 << 10)),
    )
}

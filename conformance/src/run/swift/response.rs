//! `swift-response`.

use apus_core::contract::Operation;
use apus_core::error::Error;
use apus_core::http::Reply;
use apus_core::now::Timestamp;
use apus_core::swift::{
    BulkDelete, Config, DeleteSlo, Deleted, GetObject, HeadObject, ObjectHead, PutSlo, Service,
    SloStored,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::run::compare::{Check, Header};
use crate::run::value::{Data, Fields};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    operation: String,
    status: u16,
    headers: Vec<Header>,
    #[serde(default)]
    body: Data,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    outcome: Outcome,
    output: Option<Value>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Error,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    status: u16,
    #[serde(default)]
    says: Vec<String>,
}

pub(in crate::run) fn response(
    input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let service = Service::new(Config::default()).map_err(|error| error.to_string())?;
    let mut head = http::Response::builder().status(input.status);
    for (name, value) in &input.headers {
        head = head.header(name, value.as_bytes());
    }
    let (head, ()) = head.body(()).map_err(|error| error.to_string())?.into_parts();
    let reply = Reply::new(head, input.body.0.into());
    let got = match input.operation.as_str() {
        "BulkDelete" => read(&BulkDelete::default(), &service, &reply, deleted),
        "DeleteSlo" => read(&DeleteSlo::new("c", "manifest"), &service, &reply, deleted),
        "PutSlo" => read(&PutSlo::new("c", "manifest", Vec::new()), &service, &reply, stored),
        "HeadObject" => read(&HeadObject::new("c", "manifest"), &service, &reply, object),
        "GetObject" => {
            read(&GetObject::new("c", "manifest"), &service, &reply, |got| object(&got.head))
        }
        other => return Err(format!("there is no operation {other:?}")),
    };
    match (got, expected.outcome, expected.error) {
        (Ok(output), Outcome::Ok, None) => {
            let expected = expected.output.unwrap_or_default();
            if output != expected {
                check.differs("output", expected, output);
            }
        }
        (Err(error), Outcome::Error, Some(expected)) => {
            let status = error.status().map_or(0, |status| status.as_u16());
            check.same("status", &expected.status.to_string(), &status.to_string());
            let message = error.server_message().unwrap_or_default();
            for piece in expected.says.iter().filter(|piece| !message.contains(*piece)) {
                check.differs("message", piece, message);
            }
        }
        (Ok(output), Outcome::Error, Some(_)) => check.differs("outcome", "error", output),
        (Err(error), Outcome::Ok, None) => check.differs("outcome", "ok", error),
        _ => return Err("an error is expected where the outcome is one, and only there".into()),
    }
    Ok(())
}

fn read<O: Operation<Service = Service>>(
    operation: &O,
    service: &Service,
    reply: &Reply,
    show: impl Fn(&O::Output) -> Value,
) -> Result<Value, Error> {
    operation.parse(service, reply).map(|output| show(&output))
}

fn deleted(output: &Deleted) -> Value {
    let failed = output.failed.iter().map(|failed| json!([failed.path, failed.why]));
    json!({
        "deleted": output.deleted,
        "not_found": output.not_found,
        "failed": failed.collect::<Vec<_>>(),
    })
}

fn stored(output: &SloStored) -> Value {
    json!({
        "etag": output.etag.opaque(),
        "last_modified": output.last_modified.map(Timestamp::http_date),
    })
}

/// Returns the present members of an object's head.
fn object(head: &ObjectHead) -> Value {
    let mut shown = json!({
        "etag": head.etag.as_ref().map(|etag| etag.opaque()),
        "size": head.size,
        "content_length": head.content_length,
        "is_slo": head.is_slo,
        "last_modified": head.last_modified.map(Timestamp::http_date),
        "parts_count": head.parts_count,
        "dlo": head.dlo.as_ref().map(|dlo| json!({
            "container": dlo.container,
            "prefix": dlo.prefix,
        })),
    });
    if let Some(members) = shown.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    shown
}

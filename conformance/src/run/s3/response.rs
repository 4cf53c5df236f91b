//! `s3-response`.

use apus_core::checksum::Validation;
use apus_core::contract::Service as _;
use apus_core::error::{Error, Kind};
use apus_core::s3::Service;
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::Client;
use super::output::{Answer, present};
use super::params::Params;
use super::{Call, read};
use crate::run::compare::{Check, Header};
use crate::run::value::{Data, Fields, Time};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    config: Client,
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
    checksum: Option<Checked>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Error,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    code: Option<String>,
    message: Option<String>,
    retryable: Option<bool>,
    kind: Option<Word>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Word {
    Caller,
    Refused,
    Broken,
    Wire,
    Integrity,
    Authenticator,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Checked {
    Validated,
    Skipped,
    Mismatch,
}

pub(in crate::run) fn response(
    input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let (call, service) = called(&input)?;
    let got = answer(&input, call.as_ref(), &service)?;
    match (&got, &expected.outcome) {
        (Ok(answer), Outcome::Ok) => {
            if let Some(output) = expected.output.clone() {
                compare(output, answer, check);
            }
        }
        (Err(error), Outcome::Error) => {
            let refusal = expected.error.as_ref();
            refused(refusal.unwrap_or(&Refusal::default()), error, &service, call.as_ref(), check);
        }
        (Ok(answer), Outcome::Error) => {
            check.differs("outcome", "error", answer.output.clone().into_value());
        }
        (Err(error), Outcome::Ok) => check.differs("outcome", "ok", error),
    }
    if let Some(expected) = expected.checksum {
        let checked = match &got {
            Ok(Answer { verdict: Some(Validation::Validated(_)), .. }) => Checked::Validated,
            Ok(_) => Checked::Skipped,
            Err(_) => Checked::Mismatch,
        };
        if checked != expected {
            check.differs("checksum", format!("{expected:?}"), format!("{checked:?}"));
        }
    }
    Ok(())
}

/// Returns the output that a response of this input is parsed to, by the names of S3's API.
///
/// # Errors
///
/// The input can't be read, or the response is an error.
pub(in crate::run) fn output(input: Fields) -> Result<Value, String> {
    let input: Input = input.rest()?;
    let (call, service) = called(&input)?;
    let answer = answer(&input, call.as_ref(), &service)?.map_err(|error| error.to_string())?;
    Ok(answer.output.into_value())
}

/// Returns the operation that the response is one to, and its service.
fn called(input: &Input) -> Result<(Box<dyn Call>, Service), String> {
    // The request is not recorded, and has no effect.
    let any = json!({
        "Bucket": "b", "Key": "k", "UploadId": "u", "PartNumber": 1, "Policy": "{}",
        "CopySource": { "Bucket": "b", "Key": "k" }, "ObjectAttributes": ["ETag"],
        "Delete": { "Objects": [{ "Key": "k" }] }, "Tagging": { "TagSet": [] },
        "VersioningConfiguration": { "Status": "Enabled" }, "CORSConfiguration": { "CORSRules": [] },
        "LifecycleConfiguration": { "Rules": [] }, "LegalHold": { "Status": "ON" },
        "MultipartUpload": { "Parts": [{ "PartNumber": 1, "ETag": "e" }] },
        "Retention": { "Mode": "GOVERNANCE", "RetainUntilDate": "20260102T030405Z" },
        "AnnotationName": "a", "AnnotationPayload": { "utf8": "x" }, "RenameSource": "/b/j",
    });
    let Value::Object(mut any) = any else { return Err("no members".to_owned()) };
    if ["PutObject", "CopyObject", "CreateMultipartUpload"].contains(&input.operation.as_str()) {
        any.remove("Tagging");
    }
    let call = read(&input.operation, &mut Params::new(any))?;
    let service = input.config.service().map_err(|error| error.to_string())?;
    Ok((call, service))
}

/// Returns the operation's result of a response, through the exchange.
fn answer(
    input: &Input,
    call: &dyn Call,
    service: &Service,
) -> Result<Result<Answer, Error>, String> {
    let mut head = http::Response::builder().status(input.status);
    for (name, value) in &input.headers {
        head = head.header(name, value.as_bytes());
    }
    let (head, ()) = head.body(()).map_err(|error| error.to_string())?.into_parts();
    let draft = call.draft(service).map_err(|error| error.to_string())?;
    let now = Time::try_from("20260102T030405Z".to_owned())?.now();
    let exchange =
        input.config.credentials().sign(draft, now).map_err(|error| error.to_string())?;
    let mut receiving = exchange.respond(head);
    let mut cut = None;
    if receiving.has_body() {
        cut = receiving.push(&input.body.0).err();
    }
    let done = receiving.finish(cut);
    Ok(match done.outcome() {
        Ok(reply) => match &reply.cut {
            Some(cut) => Err(cut.clone().into()),
            None => call.answer(service, reply),
        },
        Err(error) => Err(error.clone()),
    })
}

/// Compares member by member.
fn compare(expected: Value, answer: &Answer, check: &mut Check) {
    let expected = present(flat(expected)).unwrap_or_else(|| json!({}));
    let got = answer.output.clone().into_value();
    let none = serde_json::Map::new();
    let (expected, got) = (expected.as_object().unwrap_or(&none), got.as_object().unwrap_or(&none));
    for (name, value) in expected {
        match got.get(name) {
            Some(ours) if ours == value => {}
            Some(ours) => check.differs(format!("output {name}"), value, ours),
            None => check.differs(format!("output {name}"), value, "none"),
        }
    }
    for (name, value) in got {
        if !expected.contains_key(name) {
            check.differs(format!("output {name}"), "none", value);
        }
    }
}

/// Returns the filters of lifecycle rules without `And`, and with `Tag` in a list: see
/// `configuration`.
fn flat(value: Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.into_iter().map(flat).collect()),
        Value::Object(mut members) => {
            if let Some(Value::Object(filter)) = members.get_mut("Filter") {
                if let Some(Value::Object(and)) = filter.remove("And") {
                    filter.extend(and);
                }
                if let Some(tag) = filter.remove("Tag") {
                    filter.insert("Tags".into(), json!([tag]));
                }
            }
            Value::Object(members.into_iter().map(|(name, value)| (name, flat(value))).collect())
        }
        other => other,
    }
}

fn refused(
    expected: &Refusal,
    error: &Error,
    service: &Service,
    call: &dyn Call,
    check: &mut Check,
) {
    let status = error.status().map(|status| status.as_u16().to_string()).unwrap_or_default();
    // An error without a document: the vector has the bare status as its code.
    let code = error.code().unwrap_or(&status);
    check.same_if("error code", expected.code.as_deref(), code);
    let message = error.server_message().unwrap_or_default();
    check.same_if("error message", expected.message.as_deref(), message);
    if let Some(retryable) = expected.retryable {
        use apus_core::retry::RetryDecision::{Throttled, Transient};
        let got = matches!(service.judge(error, call.idempotency()), Transient | Throttled);
        check.same("error retryable", &retryable.to_string(), &got.to_string());
    }
    if let Some(kind) = expected.kind {
        let got = match error.kind() {
            Kind::InvalidInput => Some(Word::Caller),
            Kind::Refused => Some(Word::Refused),
            Kind::InvalidResponse => Some(Word::Broken),
            Kind::Transport => Some(Word::Wire),
            Kind::Integrity => Some(Word::Integrity),
            Kind::Auth => Some(Word::Authenticator),
            _ => None,
        };
        if got != Some(kind) {
            check.differs("error kind", format!("{kind:?}"), format!("{got:?}"));
        }
    }
}

//! `s3-request`.

use apus_core::checksum::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::config::Client;
use super::params::Params;
use super::sent::{Sent, send};
use crate::run::compare::{Check, Header, Xml};
use crate::run::value::{Data, Fields, Time};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    config: Client,
    operation: String,
    params: Map<String, Value>,
    time: Time,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    method: String,
    url: String,
    headers: Vec<Header>,
    #[serde(default)]
    body: Data,
    authorization: Option<String>,
}

pub(in crate::run) fn request(
    input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let stream = stream(&input.params)?;
    let mut params = Params::new(input.params);
    let call = super::read(&input.operation, &mut params)?;
    params.end()?;
    let sent = input.config.service().and_then(|service| {
        let draft = call.draft(&service)?;
        let exchange = input.config.credentials().sign(draft, input.time.now())?;
        send(exchange, stream.as_ref().map(|stream| stream.0.as_slice()))
    });
    match sent {
        Ok(sent) => compare(expected, sent, input.config.is_anonymous(), check),
        Err(error) => check.differs("request", "one that can be sent", error),
    }
    Ok(())
}

/// The bytes of a body that can be read only once.
fn stream(params: &Map<String, Value>) -> Result<Option<Data>, String> {
    let stream = params.get("Body").and_then(|body| body.get("stream"));
    let stream = stream.map(|stream| serde_json::from_value(stream.clone()));
    stream.transpose().map_err(|error| format!("member Body: {error}"))
}

fn compare(expected: Expected, mut sent: Sent, anonymous: bool, check: &mut Check) {
    let mut wanted = expected.headers;
    check.same("method", &expected.method, sent.method.as_str());
    check.url(&expected.url, &sent.url);
    let authorization = sent.header("authorization").to_owned();
    if !anonymous {
        sent.headers.retain(|(name, _)| name != "authorization");
    }
    // botocore sends frames in HTTP chunks; we always send their length.
    for (name, value) in &mut wanted {
        if name.eq_ignore_ascii_case("transfer-encoding") && value == "chunked" {
            *name = "content-length".into();
            *value = expected.body.0.len().to_string();
        }
    }
    if sent.body == expected.body.0 {
        check.same_if("authorization", expected.authorization.as_deref(), &authorization);
    } else if same_document(&expected.body.0, &sent.body) {
        rewrite(&mut wanted, &expected.body.0, &sent.body);
        // All of it except the signature, which follows from the bytes.
        let unsigned = |text: &str| text.split("Signature=").next().map(str::to_owned);
        let expected = expected.authorization.as_deref().and_then(unsigned);
        let got = unsigned(&authorization).unwrap_or_default();
        check.same_if("authorization", expected.as_deref(), &got);
    } else {
        check.bytes("body", &expected.body.0, &sent.body);
    }
    check.headers(&wanted, &sent.headers);
}

fn same_document(a: &[u8], b: &[u8]) -> bool {
    matches!((Xml::parse(a), Xml::parse(b)), (Some(a), Some(b)) if a == b)
}

/// Returns the headers that follow from the bytes of a document, for the document that was sent. A
/// digest that the caller gave does not follow.
fn rewrite(headers: &mut [Header], expected: &[u8], sent: &[u8]) {
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        if derived(&name, expected).as_ref() == Some(value) {
            *value = derived(&name, sent).unwrap_or_default();
        }
    }
}

/// Returns the value of a header of this name for this document, if it follows from it.
fn derived(name: &str, document: &[u8]) -> Option<String> {
    let digest = |algorithm: Algorithm| algorithm.digest(document).ok();
    match name {
        "content-length" => Some(document.len().to_string()),
        "content-md5" => digest(Algorithm::Md5).map(|value| value.base64()),
        "x-amz-content-sha256" => digest(Algorithm::Sha256).map(|value| value.hex()),
        _ => {
            let algorithm = Algorithm::of_header(&name.parse().ok()?)?;
            digest(algorithm).map(|value| value.base64())
        }
    }
}

//! `clouds-yaml`.

use std::collections::BTreeMap;

use apus_core::Now;
use apus_core::error::Error;
use apus_core::http::{Body, Draft};
use apus_core::keystone::clouds::{Cloud, CloudAuth, Clouds};
use apus_core::keystone::{Interface, Login, Sourced, TokenSource};
use serde::Deserialize;
use serde_json::Value;

use super::reply;
use crate::run::compare::{Check, Header};
use crate::run::value::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    files: BTreeMap<String, String>,
    #[serde(default)]
    environment: Option<BTreeMap<String, String>>,
    cloud: Option<String>,
    region: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    cloud: Option<Told>,
    /// The text is not compared, only that the cloud is refused, and what the refusal names.
    error: Option<String>,
    /// The names that the refusal has to contain.
    names: Option<Vec<String>>,
}

/// The result of a cloud.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    name: String,
    /// The request for a token.
    url: Option<String>,
    json: Option<Value>,
    headers: Option<Vec<Header>>,
    /// The token, where no request is needed.
    token: Option<String>,
    #[serde(default = "object_store")]
    service_type: String,
    #[serde(default = "public")]
    interface: Vec<String>,
    region: Option<String>,
    endpoint: Option<String>,
    #[serde(default)]
    insecure: bool,
    cacert: Option<String>,
    cert: Option<String>,
    key: Option<String>,
}

fn object_store() -> String {
    "object-store".into()
}

fn public() -> Vec<String> {
    vec!["public".into()]
}

pub(in crate::run) fn clouds(
    input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let found = cloud(&input);
    match (found, &expected.cloud) {
        (Ok(found), Some(told)) => compare(told, &found, check)?,
        (Err(error), None) => {
            for name in expected.names.iter().flatten() {
                if !error.contains(name.as_str()) {
                    check.differs("error", format!("one that names {name}"), &error);
                }
            }
        }
        (Ok(found), None) => {
            check.differs("cloud", expected.error.unwrap_or_default(), format!("{found:?}"));
        }
        (Err(error), Some(_)) => check.differs("cloud", "one that can be read", error),
    }
    Ok(())
}

fn cloud(input: &Input) -> Result<Cloud, String> {
    let file = |name: &str| {
        let same = |found: &&str| found.rsplit_once('.').is_some_and(|(stem, _)| stem == name);
        let found = input.files.keys().map(String::as_str).find(same);
        found.map(|found| (found, input.files[found].as_str()))
    };
    let text = |error: apus_core::keystone::clouds::CloudsError| error.to_string();
    let clouds = Clouds::parse(file("clouds"), file("secure"), file("clouds-public"));
    let mut clouds = clouds.map_err(text)?;
    if let Some(environment) = &input.environment {
        clouds = clouds.with_environment(environment.clone()).map_err(text)?;
    }
    let name = input.cloud.as_deref();
    let found = match &input.region {
        Some(region) => clouds.cloud_in(name, region),
        None => clouds.cloud(name),
    };
    found.map_err(text)
}

fn compare(told: &Told, found: &Cloud, check: &mut Check) -> Result<(), String> {
    check.same("name", &told.name, found.name.as_str());
    match (&told.url, &found.auth) {
        (Some(url), CloudAuth::Login { .. }) => {
            let draft = found.login().and_then(asked).map_err(|error| error.to_string())?;
            check.url(url, &draft.head.uri.to_string());
            compare_draft(told, &draft, check);
        }
        (None, CloudAuth::Token(token)) => {
            check.same("token", told.token.as_deref().unwrap_or_default(), token.expose());
        }
        (None, CloudAuth::None) if told.token.is_none() => {}
        (expected, found) => check.differs("auth", format!("{expected:?}"), format!("{found:?}")),
    }
    let (filter, tls) = (&found.endpoint, &found.tls);
    let interfaces: Vec<&str> = filter.interfaces.iter().copied().map(Interface::as_str).collect();
    for (what, expected, found) in [
        ("service_type", Some(told.service_type.as_str()), Some(filter.service_type.as_str())),
        ("interface", Some(told.interface.join(",").as_str()), Some(interfaces.join(",").as_str())),
        ("region", told.region.as_deref(), filter.region.as_deref()),
        ("endpoint", told.endpoint.as_deref(), filter.endpoint_override.as_deref()),
        ("cacert", told.cacert.as_deref(), tls.cacert.as_deref().filter(|_| !tls.insecure)),
        ("cert", told.cert.as_deref(), tls.cert.as_deref()),
        ("key", told.key.as_deref(), tls.key.as_deref().filter(|_| tls.cert.is_some())),
    ] {
        if expected != found {
            check.differs(what, format!("{expected:?}"), format!("{found:?}"));
        }
    }
    if told.insecure != tls.insecure {
        check.differs("insecure", told.insecure, tls.insecure);
    }
    Ok(())
}

/// Returns the request for a token. A server that is asked for its versions has v3 below the URL.
fn asked(mut login: Login) -> Result<Box<Draft>, Error> {
    let now = Now::new(Default::default(), Default::default());
    let mut asked = login.renew(now)?;
    loop {
        match asked {
            Sourced::Ask(draft) if draft.operation == "DiscoverVersions" => {
                let base = draft.head.uri.to_string();
                let links = serde_json::json!([
                    { "rel": "self", "href": format!("{}/v3/", base.trim_end_matches('/')) }
                ]);
                let version =
                    serde_json::json!({ "id": "v3.14", "status": "stable", "links": links });
                let document = serde_json::json!({ "versions": { "values": [version] } });
                let answer = reply(300, &[], document.to_string()).map_err(Error::invalid_input)?;
                asked = login.answered(&answer)?;
            }
            Sourced::Ask(draft) => return Ok(draft),
            Sourced::Token(_) => return Err(Error::invalid_input("a token that nobody asked for")),
        }
    }
}

fn compare_draft(told: &Told, draft: &Draft, check: &mut Check) {
    if let Some(expected) = &told.json {
        let body = match &draft.body {
            Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
            _ => Value::Null,
        };
        if body != *expected {
            check.differs("json", expected, body);
        }
    }
    if let Some(expected) = &told.headers {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = draft.head.headers.iter();
        let headers: Vec<Header> =
            headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
        check.headers(expected, &headers);
    }
}

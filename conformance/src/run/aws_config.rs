//! `aws-config`: the files and the environment of the AWS SDKs.

use std::collections::BTreeMap;

use apus_core::Error;
use apus_core::credentials::{
    Authorization, AwsConfig, Environment, Resolver, Source, split_words,
};
use apus_core::s3::Addressing;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::compare::Check;
use super::value::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    files: Files,
    environment: BTreeMap<String, String>,
    /// Without a profile, the default chain is used.
    profile: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    #[serde(default)]
    config: String,
    #[serde(default)]
    credentials: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    profile: Option<Value>,
    error: Option<String>,
}

pub(super) fn aws_config(input: Fields, expect: Fields, check: &mut Check) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    match (found(&input), expected) {
        (Ok(found), Expected { profile: Some(expected), error: None }) => {
            check.same("profile", &expected.to_string(), &found.to_string());
        }
        (Ok(found), Expected { profile: None, error: Some(error) }) => {
            check.differs("error", error, found);
        }
        // The class of botocore's error is for readers of the file; a text is of a hand-written
        // case.
        (Err(error), Expected { profile: None, error: Some(expected) }) => {
            let named = expected.starts_with(|first: char| first.is_ascii_uppercase());
            if !named && !error.to_string().contains(&expected) {
                check.differs("error", expected, error);
            }
        }
        (Err(error), Expected { profile: Some(expected), .. }) => {
            check.differs("profile", expected, error);
        }
        (_, Expected { profile: None, error: None }) => {
            return Err("neither a profile nor an error is expected".to_owned());
        }
        (Ok(_), Expected { profile: Some(_), error: Some(_) }) => {
            return Err("both a profile and an error are expected".to_owned());
        }
    }
    Ok(())
}

fn found(input: &Input) -> Result<Value, Error> {
    let files = &input.files;
    let config = AwsConfig::parse(("config", &files.config), ("credentials", &files.credentials))?;
    let variables = input.environment.iter();
    let environment =
        Environment::new(variables.map(|(name, value)| (name.clone(), value.clone())));
    let resolver = Resolver::new(&config, &environment);
    let source = match &input.profile {
        Some(name) => resolver.profile(name)?,
        None => resolver.default_chain()?,
    };
    let mut steps = Vec::new();
    put(&source, &mut steps)?;
    let settings = resolver.settings(input.profile.as_deref())?;
    let addressing = settings.addressing.map(|addressing| match addressing {
        Addressing::Auto => "auto",
        Addressing::Path => "path",
        Addressing::Virtual => "virtual",
    });
    let request = settings.request_checksum_calculation.map(|mode| mode.to_string());
    let response = settings.response_checksum_validation.map(|mode| mode.to_string());
    let members = [
        ("source", Some(Value::Array(steps))),
        ("region", settings.region.map(Value::from)),
        ("endpoint_url", settings.endpoint_url.map(Value::from)),
        ("ca_bundle", settings.ca_bundle.map(Value::from)),
        ("addressing_style", addressing.map(Value::from)),
        ("request_checksum_calculation", request.map(Value::from)),
        ("response_checksum_validation", response.map(Value::from)),
    ];
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Value::Object(members.collect::<Map<_, _>>()))
}

/// Returns the steps to the keys, in order.
fn put(source: &Source, steps: &mut Vec<Value>) -> Result<(), Error> {
    let step = match source {
        Source::Static(keys) => {
            let mut step = json!({
                "kind": "static",
                "access_key": &*keys.access_key,
                "secret_key": keys.secret_key.expose(),
            });
            if let Some(token) = &keys.session_token {
                step["session_token"] = token.expose().into();
            }
            step
        }
        Source::Process(process) => {
            json!({ "kind": "process", "words": split_words(&process.command)? })
        }
        Source::WebIdentity(identity) => json!({
            "kind": "web-identity",
            "role_arn": identity.role_arn,
            "session_name": identity.session_name,
            "endpoint": identity.sts.endpoint.to_string(),
            "token_file": identity.token_file,
        }),
        Source::AssumeRole(role) => {
            put(&role.from, steps)?;
            json!({
                "kind": "assume-role",
                "role_arn": role.role_arn,
                "session_name": role.session_name,
                "endpoint": role.sts.endpoint.to_string(),
                "external_id": role.external_id,
                "duration": role.duration.map(|duration| duration.as_secs()),
            })
        }
        Source::Sso(sso) => json!({
            "kind": "sso",
            "account_id": sso.account_id,
            "role_name": sso.role_name,
            "endpoint": sso.portal.to_string(),
            "token_file": sso.token_file().rsplit('/').next(),
        }),
        Source::Container(container) => json!({
            "kind": "container",
            "url": container.url(),
            "authorization": match container.authorization() {
                Authorization::None => None,
                Authorization::Token(token) => Some(token.expose()),
                Authorization::File(path) => Some(path.as_str()),
            },
        }),
        Source::Instance(instance) => {
            json!({ "kind": "instance", "endpoint": instance.endpoint.to_string() })
        }
        other => return Err(Error::invalid_input(format!("the runner knows no {}", other.name()))),
    };
    steps.push(step);
    Ok(())
}

//! `s3-post-policy`.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_core::credentials::Credentials;
use apus_core::error::Error;
use apus_core::s3::endpoint::Resolver;
use apus_core::s3::{Addressing, EndpointConfig};
use apus_core::secret::Secret;
use apus_core::sign::{Condition, Keys, PostPolicy};
use serde::Deserialize;

use super::compare::{Check, Header};
use super::value::{Fields, Time};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    bucket: String,
    key: String,
    conditions: Vec<Written>,
    fields: BTreeMap<String, String>,
    expires: u64,
    time: Time,
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
    region: String,
}

/// A condition as policies write it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Exact(BTreeMap<String, String>),
    Match(String, String, String),
    Range(String, u64, u64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    url: Option<String>,
    fields: BTreeMap<String, String>,
}

pub(super) fn post_policy(input: Fields, expect: Fields, check: &mut Check) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let conditions: Result<Vec<_>, _> = input.conditions.iter().map(Written::conditions).collect();
    let conditions = conditions?.into_iter().flatten().collect();
    match form(&input, conditions) {
        Ok((url, fields)) => {
            check.same_if("url", expected.url.as_deref(), &url);
            let wanted: Vec<Header> = expected.fields.into_iter().collect();
            check.same("fields", &lines(wanted), &lines(fields));
        }
        Err(error) => check.differs("fields", "a form", error),
    }
    Ok(())
}

fn form(input: &Input, conditions: Vec<Condition>) -> Result<(String, Vec<Header>), Error> {
    let mut keys = Keys::new(input.access_key.as_str(), input.secret_key.as_str());
    keys.session_token = input.session_token.as_deref().map(Secret::from);
    let signing = Credentials::new(keys).signing_at(&input.region, input.time.now())?;
    let expires = Duration::from_secs(input.expires);
    let mut policy = PostPolicy::new(input.bucket.as_str(), input.key.as_str(), expires);
    for condition in conditions {
        policy = policy.condition(condition);
    }
    for (name, value) in &input.fields {
        policy = policy.field(name, value);
    }
    let mut config = EndpointConfig::aws(input.region.as_str());
    config.addressing = Addressing::Virtual;
    let endpoint = Resolver::new(config)?.resolve(Some(&input.bucket))?;
    Ok((format!("{endpoint}/"), policy.sign(&signing)?.fields))
}

impl Written {
    fn conditions(&self) -> Result<Vec<Condition>, String> {
        Ok(match self {
            Self::Exact(fields) => {
                let exact = |(name, value): (&String, &String)| {
                    Condition::Exact(name.clone(), value.clone())
                };
                fields.iter().map(exact).collect()
            }
            Self::Match(operator, field, value) => {
                let field = field.strip_prefix('$').ok_or("a field begins with $")?;
                let make = match operator.as_str() {
                    "eq" => Condition::Eq,
                    "starts-with" => Condition::StartsWith,
                    other => return Err(format!("condition {other:?} is unknown")),
                };
                vec![make(field.into(), value.clone())]
            }
            Self::Range(operator, least, most) if operator == "content-length-range" => {
                vec![Condition::ContentLengthRange(*least, *most)]
            }
            Self::Range(operator, ..) => return Err(format!("condition {operator:?} is unknown")),
        })
    }
}

fn lines(mut fields: Vec<Header>) -> String {
    fields.sort();
    fields.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

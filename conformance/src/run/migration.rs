//! `migration`.
//!
//! Each of `stores` has a `driver` and, in `options` or beside it, the options of its section in
//! the configuration; an unknown option is an error. `refused` is null or false, or the reason,
//! whose text is not compared.

use std::collections::BTreeMap;

use apus_core::store::S3Places;
use apus_core::store::config::{Configuration, Mode, Plain, Written};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::compare::Check;
use super::value::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    stores: BTreeMap<String, Store>,
    mode: Kind,
    location: Location,
    #[serde(default)]
    allow_foreign: bool,
}

#[derive(Deserialize)]
struct Store {
    driver: String,
    #[serde(default)]
    options: BTreeMap<String, Written>,
    #[serde(flatten)]
    more: BTreeMap<String, Written>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Single,
    Multi,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Location {
    url: String,
    #[serde(default)]
    metadata: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    url: Option<String>,
    metadata: Option<Map<String, Value>>,
    changed: Option<bool>,
    credentials_found: Option<bool>,
    refused: Option<Value>,
}

/// The actual result. Members that have no expected value are not compared.
struct Outcome {
    url: String,
    metadata: Map<String, Value>,
    changed: bool,
    credentials_found: bool,
    refused: Option<String>,
}

pub(super) fn migration(input: Fields, expect: Fields, check: &mut Check) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let outcome = outcome(&input)?;
    check.same_if("url", expected.url.as_deref(), &outcome.url);
    if let Some(metadata) = expected.metadata.filter(|metadata| *metadata != outcome.metadata) {
        check.differs("metadata", Value::from(metadata), Value::from(outcome.metadata));
    }
    for (what, expected, got) in [
        ("changed", expected.changed, outcome.changed),
        ("credentials_found", expected.credentials_found, outcome.credentials_found),
    ] {
        if let Some(expected) = expected.filter(|expected| *expected != got) {
            check.differs(what, expected, got);
        }
    }
    let refused = !matches!(expected.refused, None | Some(Value::Null | Value::Bool(false)));
    if refused != outcome.refused.is_some() {
        let why = outcome.refused.unwrap_or_else(|| "it is used".to_owned());
        check.differs("refused", expected.refused.unwrap_or_default(), why);
    }
    Ok(())
}

fn outcome(input: &Input) -> Result<Outcome, String> {
    let Location { url, metadata } = &input.location;
    let mut places = S3Places::of(&configuration(input)?).map_err(|error| error.to_string())?;
    if input.allow_foreign {
        places = places.with_foreign_hosts();
    }
    let mut outcome = Outcome {
        url: url.clone(),
        metadata: metadata.clone(),
        changed: false,
        credentials_found: false,
        refused: None,
    };
    match places.access(url, metadata.get("store").and_then(Value::as_str)) {
        Err(refusal) => outcome.refused = Some(refusal.to_string()),
        Ok(access) => {
            outcome.credentials_found = access.credentials.is_some();
            if let Some(migration) = access.migration {
                outcome.url = migration.url;
                outcome.metadata.insert("store".to_owned(), migration.store.into());
                outcome.changed = true;
                outcome.credentials_found = migration.credentials_found;
            }
        }
    }
    Ok(outcome)
}

fn configuration(input: &Input) -> Result<Configuration, String> {
    let mut plain = Plain::default();
    for (name, store) in &input.stores {
        plain.enabled_backends.insert(name.clone(), store.driver.clone());
        let options = store.options.iter().chain(&store.more);
        let options = options.map(|(name, value)| (name.clone(), value.clone())).collect();
        plain.backends.insert(name.clone(), options);
    }
    let mut configuration = Configuration::of_plain(&plain).map_err(|errors| errors.to_string())?;
    if let Some(warning) = configuration.warnings.first() {
        return Err(warning.to_string());
    }
    configuration.mode = match input.mode {
        Kind::Single => Mode::Single,
        Kind::Multi => Mode::Multi,
    };
    Ok(configuration)
}

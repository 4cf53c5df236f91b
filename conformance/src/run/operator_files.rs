//! `swift-references` and `enabled-backends`.
//!
//! `references` are those that glance_store would take for a default one, `backends` those of a kind
//! that glance_store has, each with its kind. The text of an error is not compared.

use std::collections::BTreeMap;

use apus_core::store::config::{Backend, Configuration, Mode, Reference};
use serde::Deserialize;
use serde_json::Value;

use super::compare::Check;
use super::value::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(alias = "references", alias = "backends")]
    found: Option<BTreeMap<String, Value>>,
    error: Option<String>,
}

pub(super) fn references(
    mut input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let text: String = input.required("text")?;
    input.end()?;
    let expected: Expected = expect.rest()?;
    let found = Reference::read_file("references", &text).map(|found| {
        found.references.iter().map(|(name, found)| (name.clone(), parts(found))).collect()
    });
    compare(found.map_err(|errors| errors.to_string()), &expected, check);
    Ok(())
}

pub(super) fn enabled_backends(
    mut input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let files: BTreeMap<String, String> = input.required("files")?;
    input.end()?;
    let expected: Expected = expect.rest()?;
    let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let found = Configuration::parse(files.chain([("defaults", DEFAULTS)]));
    let found = found.map(|found| {
        let kind = |(id, backend): (&String, &Backend)| {
            let kind = if matches!(backend, Backend::S3(_)) { "s3" } else { "swift" };
            (id.clone(), Value::from(kind))
        };
        let others = found.others.iter().map(|(id, kind)| (id.clone(), Value::from(&**kind)));
        let all = found.backends.iter().map(kind).chain(others);
        // Without `enabled_backends` there are those of `stores`.
        all.filter(|_| found.mode == Mode::Multi).collect()
    });
    compare(found.map_err(|errors| errors.to_string()), &expected, check);
    Ok(())
}

fn compare(found: Result<BTreeMap<String, Value>, String>, expected: &Expected, check: &mut Check) {
    match (found, &expected.error) {
        (Err(_), Some(_)) => {}
        (Err(error), None) => check.differs("file", "it is read", error),
        (Ok(_), Some(error)) => check.differs("file", format!("refused: {error}"), "read"),
        (Ok(found), None) => {
            let expected = expected.found.clone().unwrap_or_default();
            if found != expected {
                check.differs("file", format!("{expected:?}"), format!("{found:?}"));
            }
        }
    }
}

/// What glance_store has of a reference.
fn parts(found: &Reference) -> Value {
    let secret = |secret: &Option<apus_core::Secret>| {
        secret.as_ref().map(|secret| secret.expose().to_owned())
    };
    let domain = |id: &Option<String>, name: &Option<String>| {
        id.clone().or_else(|| name.is_none().then(|| "default".to_owned()))
    };
    let parts = [
        ("auth_address", Some(found.auth_address.clone())),
        ("user", found.user.clone()),
        ("key", secret(&found.key)),
        ("application_credential_id", found.application_credential_id.clone()),
        ("application_credential_secret", secret(&found.application_credential_secret)),
        ("project_name", found.project_name.clone()),
        ("project_id", found.project_id.clone()),
        ("user_domain_id", domain(&found.user_domain_id, &found.user_domain_name)),
        ("user_domain_name", found.user_domain_name.clone()),
        ("project_domain_id", domain(&found.project_domain_id, &found.project_domain_name)),
        ("project_domain_name", found.project_domain_name.clone()),
    ];
    let there = parts.into_iter().filter_map(|(name, value)| Some((name, value?)));
    there
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The options that every backend needs.
const DEFAULTS: &str = "[backend_defaults]\n\
    s3_store_host = http://h\n\
    s3_store_bucket = b\n\
    s3_store_access_key = a\n\
    s3_store_secret_key = s\n\
    swift_store_auth_address = http://k\n\
    swift_store_user = p:u\n\
    swift_store_key = k\n";

//! `location-s3`, `location-swift`.
//!
//! `host` has the port, and `path_prefix` no slashes at its ends. `formatted` is the printed
//! location, and `credential_free` the one to store: the same, or one by the reference that has the
//! address of a location with credentials. For a location by a reference, its address, user and key
//! are expected. The text of an error is not compared.

use std::collections::BTreeMap;

use apus_core::location::{S3Location, S3Place, SwiftAt, SwiftLocation, SwiftPlace};
use apus_core::s3::BaseUrl;
use serde::Deserialize;

use super::compare::Check;
use super::value::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    uri: String,
    #[serde(default)]
    backends: BTreeMap<String, Backend>,
    #[serde(default)]
    references: BTreeMap<String, Reference>,
}

/// A bucket, or the account with a storage URL.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Backend {
    scheme: String,
    host: String,
    #[serde(default)]
    path_prefix: String,
    #[serde(default)]
    bucket: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    auth_address: String,
    user: Option<String>,
    key: Option<String>,
}

/// What is expected of a part: anything, its absence, or this value.
type Part = Option<Option<String>>;

pub(super) fn s3(input: Fields, mut expect: Fields, check: &mut Check) -> Result<(), String> {
    let input: Input = input.rest()?;
    let mut known = Vec::new();
    for backend in input.backends.values() {
        known.push(S3Place::new(&backend.url()?, &*backend.bucket));
    }
    let parsed = S3Location::parse(&input.uri, &known).map_err(|error| error.to_string());
    let Some((location, keys)) = read(parsed, &mut expect, check)? else {
        return Ok(());
    };
    let place = location.place();
    let host = host(place.host(), place.port());
    let (access, secret) = match &keys {
        Some(keys) => (keys.access_key.as_ref(), keys.secret_key.expose()),
        None => ("", ""),
    };
    let stored = location.to_string();
    compare(
        expect,
        check,
        &[
            ("scheme", location.scheme().as_str()),
            ("host", &host),
            ("path_prefix", place.prefix()),
            ("bucket", location.bucket()),
            ("key", location.key()),
            ("access_key", access),
            ("secret_key", secret),
            ("formatted", &stored),
            ("credential_free", &stored),
        ],
    )
}

pub(super) fn swift(input: Fields, mut expect: Fields, check: &mut Check) -> Result<(), String> {
    let input: Input = input.rest()?;
    let mut known = Vec::new();
    for (name, reference) in &input.references {
        known.push(SwiftPlace::reference(name, &reference.url()?));
    }
    for backend in input.backends.values() {
        known.push(SwiftPlace::storage(&backend.url()?));
    }
    let parsed = SwiftLocation::parse(&input.uri, &known).map_err(|error| error.to_string());
    let parsed = parsed.and_then(|(location, found)| match location.at() {
        SwiftAt::Reference(name) if !input.references.contains_key(name) => {
            Err("there is no such reference".to_owned())
        }
        _ => Ok((location, found)),
    });
    let Some((location, found)) = read(parsed, &mut expect, check)? else {
        return Ok(());
    };
    let url = location.url().unwrap_or_default();
    let (mut user, mut key) = (String::new(), String::new());
    if let Some(found) = &found {
        let tenant = found.tenant.iter().map(|tenant| format!("{tenant}:"));
        user = tenant.chain([found.user.clone()]).collect();
        key = found.key.expose().to_owned();
    }
    let (mut auth_url, mut storage_url, mut name) = (String::new(), String::new(), "");
    let mut stored = location.to_string();
    match location.at() {
        SwiftAt::Reference(reference) => {
            name = reference;
            let reference = &input.references[name];
            auth_url = reference.address();
            user = reference.user.clone().unwrap_or_default();
            key = reference.key.clone().unwrap_or_default();
        }
        SwiftAt::Auth(place) => {
            let mut at = known.iter().filter(|known| known.is_at(location.scheme(), place));
            if let (Some(_), Some(reference)) = (&found, at.find_map(SwiftPlace::name)) {
                stored = location.clone().with_reference(reference).to_string();
            }
            auth_url = url;
        }
        SwiftAt::Storage(_) => storage_url = url,
    }
    compare(
        expect,
        check,
        &[
            ("scheme", location.scheme().as_str()),
            ("auth_url", &auth_url),
            ("storage_url", &storage_url),
            ("reference", name),
            ("container", location.container()),
            ("object", location.object()),
            ("user", &user),
            ("key", &key),
            ("formatted", &location.to_string()),
            ("credential_free", &stored),
        ],
    )
}

impl Backend {
    fn url(&self) -> Result<BaseUrl, String> {
        let scheme = match self.scheme.as_str() {
            "s3" | "s3+http" | "swift+http" | "http" => "http",
            "s3+https" | "swift" | "swift+https" | "https" => "https",
            other => return Err(format!("{other:?} is no scheme of a backend")),
        };
        base_url(&format!("{scheme}://{}/{}", self.host, self.path_prefix))
    }
}

impl Reference {
    /// A host alone is read as `https`.
    fn address(&self) -> String {
        let scheme = if self.auth_address.contains("://") { "" } else { "https://" };
        format!("{scheme}{}", self.auth_address)
    }

    fn url(&self) -> Result<BaseUrl, String> {
        base_url(&self.address())
    }
}

fn base_url(text: &str) -> Result<BaseUrl, String> {
    BaseUrl::parse(text).map_err(|error| error.to_string())
}

/// Returns what was read, where nothing else was expected.
fn read<T>(
    result: Result<T, String>,
    expect: &mut Fields,
    check: &mut Check,
) -> Result<Option<T>, String> {
    match (result, expect.optional::<String>("error")?) {
        (Ok(read), None) => Ok(Some(read)),
        (Err(_), Some(_)) => std::mem::take(expect).end().map(|()| None),
        (Ok(_), Some(error)) => {
            check.differs("location", format!("refused: {error}"), "it is read");
            Ok(None)
        }
        (Err(error), None) => {
            check.differs("location", "it is read", error);
            Ok(None)
        }
    }
}

/// Compares a part: null expects it to be empty, and an absent one is not compared.
fn compare(mut expect: Fields, check: &mut Check, parts: &[(&str, &str)]) -> Result<(), String> {
    for (name, got) in parts {
        let expected: Part = expect.nullable(name)?;
        check.same_if(name, expected.map(Option::unwrap_or_default).as_deref(), got);
    }
    expect.end()
}

fn host(name: &str, port: Option<u16>) -> String {
    port.map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

//! The configuration of one backend from its URL.
//!
//! ```text
//!  s3+https    :// host:9000/gateway / bucket       swift+https :// keystone/v3 / container
//!  └ scheme ┘      └──── server ───┘   └ last ┘                   └── address ┘   └ last ──┘
//! ```
//!
//! `swift:///container` names no Keystone: it is that of the environment's cloud.

use std::collections::BTreeMap;
use std::fs;

use apus_core::keystone::clouds::{Cloud, CloudAuth};
use apus_core::store::config::{Plain, Reference, S3Options, SwiftOptions};
use apus_core::{BaseUrl, Secret};
use serde_json::json;

use super::environment;
use crate::exit::Failure;

/// A configuration of one backend.
pub(super) struct Written {
    pub(super) plain: Plain,
    /// The cloud, if it comes from the environment.
    pub(super) cloud: Option<(Reference, Cloud)>,
}

/// Where the credentials come from, other than the options.
#[derive(Debug)]
pub(super) struct From<'a> {
    pub(super) environment: bool,
    /// A profile of the AWS SDKs' files.
    pub(super) profile: Option<&'a str>,
    /// The token of a user of OpenStack.
    pub(super) token: Option<&'a Secret>,
}

/// Parses the URL; adds these options and, on request, those of the environment.
pub(super) fn backend(url: &str, options: &[String], from: &From<'_>) -> Result<Written, Failure> {
    let from_environment = from.environment;
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("missing `://`"))?;
    if rest.contains('@') {
        return Err(bad("credentials are not allowed in it: use --from-environment or --option"));
    }
    if rest.contains(['?', '#']) {
        return Err(bad("a query or fragment is not allowed"));
    }
    let (kind, tls) = match scheme.to_ascii_lowercase().as_str() {
        "s3" | "s3+http" => ("s3", false),
        "s3+https" => ("s3", true),
        "swift" | "swift+https" => ("swift", true),
        "swift+http" => ("swift", false),
        _ => return Err(bad("expected s3, s3+http, s3+https, swift, swift+http or swift+https")),
    };
    let (server, last) = rest.trim_end_matches('/').rsplit_once('/').unwrap_or((rest, ""));
    // The address of Keystone may be that of the cloud.
    let is_of_cloud = server.is_empty() && kind == "swift" && from_environment;
    let is_of_profile = server.is_empty() && kind == "s3" && from_environment;
    if (server.is_empty() && !is_of_cloud && !is_of_profile) || last.is_empty() {
        let what = if kind == "s3" { "HOST/BUCKET" } else { "KEYSTONE/v3/CONTAINER" };
        return Err(bad(&format!("expected {scheme}://{what}")));
    }
    let server = format!("{}://{server}", if tls { "https" } else { "http" });
    let mut section: BTreeMap<String, String> = BTreeMap::new();
    let mut cloud = None;
    let mut put = |name: &str, value: String| section.insert(name.to_owned(), value);
    if kind == "s3" {
        put("s3_store_bucket", last.to_owned());
        if from_environment {
            let has_keys = options.iter().any(|option| option.starts_with("s3_store_access_key="));
            let found = environment::s3(has_keys, from.profile)
                .map_err(|error| Failure::configuration(error.message().to_owned()))?;
            found.into_iter().for_each(|(name, value)| drop(put(name, value)));
        }
        if !is_of_profile {
            put("s3_store_host", server);
        }
    } else {
        put("swift_store_container", last.to_owned());
        if from_environment || from.token.is_some() {
            let keystone = (!is_of_cloud).then_some(&*server);
            let found = match (from.token, keystone) {
                (Some(token), Some(keystone)) => environment::cloud_of(token, keystone),
                (Some(_), None) => {
                    return Err(bad("the URL of Keystone is required with --token-file"));
                }
                (None, keystone) => environment::cloud(keystone),
            };
            let found = found.map_err(|error| Failure::configuration(error.message()))?;
            environment::swift(&found).into_iter().for_each(|(name, value)| drop(put(name, value)));
            let mut reference = Reference::of_cloud(&found)
                .map_err(|error| Failure::configuration(error.message()))?;
            if !is_of_cloud {
                if let CloudAuth::Login { auth_url, .. } = &found.auth {
                    is_at(auth_url, &server, &found)?;
                }
                reference.auth_address = server;
            }
            cloud = Some((reference, found));
            put("swift_store_config_file", REFERENCES.to_owned());
            put("default_swift_reference", REFERENCE.to_owned());
        } else {
            put("swift_store_auth_address", server);
        }
    }
    for option in options {
        let (name, value) = read_option(option, kind)?;
        put(&name, value);
    }
    let plain = json!({
        "enabled_backends": { kind: kind },
        "default_backend": kind,
        "backends": { kind: section },
    });
    let plain = serde_json::from_value(plain).map_err(|_| bad("the URL is invalid"))?;
    Ok(Written { plain, cloud })
}

/// Checks that a cloud's Keystone is the one in the URL: credentials are for one Keystone.
fn is_at(auth_url: &str, server: &str, cloud: &Cloud) -> Result<(), Failure> {
    let place = |url: &str| {
        let url = BaseUrl::parse(url).map_err(|error| bad(error.message()))?;
        let path = url.path();
        let versions = ["/v3", "/v2.0"];
        let path = versions.iter().find_map(|version| path.strip_suffix(version)).unwrap_or(path);
        Ok::<_, Failure>((
            url.is_tls(),
            url.host().to_owned(),
            url.port_or_default(),
            path.to_owned(),
        ))
    };
    if place(auth_url)? == place(server)? {
        return Ok(());
    }
    Err(bad(&format!(
        "Keystone is {server} in it, but {auth_url} in cloud {:?} of the environment: use \
         swift:///CONTAINER for the cloud's",
        cloud.name
    )))
}

/// Parses `NAME=VALUE` or `NAME=@FILE`.
fn read_option(option: &str, kind: &str) -> Result<(String, String), Failure> {
    let (name, value) = option
        .split_once('=')
        .ok_or_else(|| Failure::usage("invalid --option: expected NAME=VALUE or NAME=@FILE"))?;
    let specs = if kind == "s3" { S3Options::specs() } else { SwiftOptions::specs() };
    let is_secret = specs.iter().any(|spec| spec.name == name && spec.is_secret)
        && !IDENTIFIERS.contains(&name);
    let value = match value.strip_prefix('@') {
        Some(file) => fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("--option {name}: {file}: {error}")))?
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
        None if is_secret => {
            return Err(Failure::usage(format!(
                "--option {name}: a secret must be in a file: use {name}=@FILE"
            )));
        }
        None => value.to_owned(),
    };
    Ok((name.to_owned(), value))
}

fn bad(problem: &str) -> Failure {
    Failure::usage(format!("the URL of the store: {problem}"))
}

/// Options that are not shown and name whose credentials are used, but are no secrets.
const IDENTIFIERS: [&str; 3] =
    ["s3_store_access_key", "swift_store_user", "swift_store_application_credential_id"];

/// The name that replaces that of a file of references.
pub(super) const REFERENCES: &str = "the environment";
/// The only reference in it.
pub(super) const REFERENCE: &str = "ref1";

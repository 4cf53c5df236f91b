//! The settings in the environment, for `--from-environment`.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use apus_blocking::openstack::{Search, home};
use apus_core::credentials::CredentialSource;
use apus_core::keystone::clouds::Cloud;
use apus_core::s3::Addressing;
use apus_core::{Error, Secret};
use apus_host::credentials::Ambient;

/// Returns the URL of the store.
pub(super) fn store() -> Option<String> {
    text("APUS_STORE")
}

/// Returns options of a backend in S3, from the variables of Amazon's tools. Unless `has_keys`, the
/// keys come from where these tools find them: the environment, the profile, the role of a
/// container or a machine.
pub(super) fn s3(
    has_keys: bool,
    profile: Option<&str>,
) -> Result<Vec<(&'static str, String)>, Error> {
    let settings = Ambient::read()?.resolver().settings(profile)?;
    let source = match profile {
        Some(_) => CredentialSource::Profile,
        None => CredentialSource::DefaultChain,
    };
    let region = settings.region.clone();
    let host = settings.endpoint_url.or_else(|| {
        Some(format!("https://s3.{}.amazonaws.com", region.as_deref().unwrap_or("us-east-1")))
    });
    let pairs = [
        ("s3_store_host", host),
        ("s3_store_credential_source", (!has_keys).then(|| source.to_string())),
        ("s3_store_profile", profile.filter(|_| !has_keys).map(str::to_owned)),
        ("s3_store_region_name", settings.region),
        ("s3_store_bucket_url_format", settings.addressing.map(word)),
        ("s3_store_cacert", settings.ca_bundle.map(|path| home(&path).display().to_string())),
    ];
    Ok(pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

fn word(addressing: Addressing) -> String {
    match addressing {
        Addressing::Auto => "auto",
        Addressing::Path => "path",
        Addressing::Virtual => "virtual",
    }
    .to_owned()
}

/// Returns the files of `APUS_CONFIG`, or the first of the default ones that exists.
pub(super) fn configuration() -> Vec<PathBuf> {
    if let Some(paths) = env::var_os("APUS_CONFIG").filter(|paths| !paths.is_empty()) {
        return env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()).collect();
    }
    let own = env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let own = own.or_else(|| Some(env::home_dir()?.join(".config")));
    let own = own.map(|folder| folder.join("apus/apus.conf"));
    let all = own.into_iter().chain([PathBuf::from("/etc/apus/apus.conf")]);
    all.filter(|path| path.exists()).take(1).collect()
}

/// Returns the user's token, unless the variables describe another way to log in.
pub(super) fn token() -> Option<Secret> {
    let kind = text("OS_AUTH_TYPE");
    let is_token = kind.as_deref().is_none_or(|kind| matches!(kind, "token" | "v3token"));
    let other = ["OS_CLOUD", "OS_PASSWORD", "OS_APPLICATION_CREDENTIAL_SECRET"];
    if !is_token || (kind.is_none() && other.iter().any(|name| text(name).is_some())) {
        return None;
    }
    text("OS_TOKEN").map(Secret::new)
}

/// Returns the cloud that `OS_*` and the user's `clouds.yaml` describe, as the libraries read them.
/// `keystone` is its auth URL if the variables set none.
pub(super) fn cloud(keystone: Option<&str>) -> Result<Cloud, Error> {
    let mut clouds = Search::default_paths().with_variables(variables(None)).read()?;
    if let Some(keystone) = keystone {
        clouds = clouds.with_auth_url(keystone);
    }
    Ok(clouds.cloud(None)?)
}

/// Returns the cloud of a user with this token, at this Keystone.
pub(super) fn cloud_of(token: &Secret, keystone: &str) -> Result<Cloud, Error> {
    let clouds = Search::default_paths().with_variables(variables(Some(token))).read()?;
    Ok(clouds.with_auth_url(keystone).cloud(None)?)
}

/// Returns the `OS_*` variables. With a token, no other credentials are among them. Without any,
/// those of swiftclient's v1 authentication take their place; `OS_TOKEN` alone means the type
/// `token`.
fn variables(token: Option<&Secret>) -> Vec<(String, String)> {
    let is_text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let mut found: Vec<(String, String)> = env::vars_os()
        .filter_map(is_text)
        .filter(|(name, value)| name.starts_with("OS_") && !value.is_empty())
        .collect();
    let set = |name: &str, value: String| (name.to_owned(), value);
    if let Some(token) = token {
        found.retain(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
        found.push(set("OS_AUTH_TYPE", "v3token".to_owned()));
        found.push(set("OS_TOKEN", token.expose().to_owned()));
    } else if self::token().is_some() {
        found.retain(|(name, _)| name != "OS_AUTH_TYPE");
        found.push(set("OS_AUTH_TYPE", "v3token".to_owned()));
    } else if found.is_empty() && text("ST_KEY").is_some() {
        found.push(set("OS_AUTH_TYPE", "v1password".to_owned()));
        for (name, theirs) in
            [("OS_AUTH_URL", "ST_AUTH"), ("OS_USERNAME", "ST_USER"), ("OS_PASSWORD", "ST_KEY")]
        {
            found.extend(text(theirs).map(|value| set(name, value)));
        }
    }
    found
}

/// What a token takes the place of.
const CREDENTIALS: [&str; 11] = [
    "OS_CLOUD",
    "OS_AUTH_TYPE",
    "OS_AUTH_PLUGIN",
    "OS_TOKEN",
    "OS_USERNAME",
    "OS_USER_ID",
    "OS_PASSWORD",
    "OS_APPLICATION_CREDENTIAL_ID",
    "OS_APPLICATION_CREDENTIAL_NAME",
    "OS_APPLICATION_CREDENTIAL_SECRET",
    "OS_PASSCODE",
];

/// Returns options of a backend in Swift: those of the connection to a cloud.
pub(super) fn swift(cloud: &Cloud) -> Vec<(&'static str, String)> {
    let seconds = cloud.timeout.map(|timeout| timeout.as_secs_f64().ceil().to_string());
    let ca = cloud.tls.cacert.as_deref().filter(|_| !cloud.tls.insecure);
    let pairs = [
        ("swift_store_cacert", ca.map(|path| home(path).display().to_string())),
        ("swift_store_auth_insecure", cloud.tls.insecure.then(|| "true".to_owned())),
        ("swift_store_connect_timeout", seconds.clone()),
        ("swift_store_read_timeout", seconds),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

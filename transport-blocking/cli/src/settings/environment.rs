//! The settings in the environment, for `--from-environment`.

use std::env;

use apus_blocking::openstack::{Search, home};
use apus_core::Error;
use apus_core::credentials::CredentialSource;
use apus_core::keystone::clouds::Cloud;

/// Returns the URL of the store.
pub(super) fn store() -> Option<String> {
    text("APUS_STORE")
}

/// Returns options of a backend in S3, from the variables of Amazon's tools. Unless `has_keys`, the
/// keys come from where these tools find them: the environment, the profile, the role of a
/// container or a machine.
pub(super) fn s3(has_keys: bool) -> Vec<(&'static str, String)> {
    let chain = (!has_keys).then(|| CredentialSource::DefaultChain.to_string());
    let pairs = [
        ("s3_store_credential_source", chain),
        ("s3_store_region_name", text("AWS_REGION").or_else(|| text("AWS_DEFAULT_REGION"))),
        ("s3_store_cacert", text("AWS_CA_BUNDLE")),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Returns the cloud that `OS_*` and the user's `clouds.yaml` describe, as the libraries read them.
/// `keystone` is its auth URL if the variables set none.
pub(super) fn cloud(keystone: Option<&str>) -> Result<Cloud, Error> {
    let mut clouds = Search::default_paths().with_environment().read()?;
    if let Some(keystone) = keystone {
        clouds = clouds.with_auth_url(keystone);
    }
    Ok(clouds.cloud(None)?)
}

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

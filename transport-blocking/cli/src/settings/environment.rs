//! The settings in the environment, for `--from-environment`.

use std::env;

use apus_core::Secret;
use apus_core::credentials::CredentialSource;
use apus_core::store::config::Reference;

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

/// Returns options of a backend in Swift, from the variables of OpenStack's tools.
pub(super) fn swift() -> Vec<(&'static str, String)> {
    let pairs = [
        ("swift_store_region", text("OS_REGION_NAME")),
        ("swift_store_cacert", text("OS_CACERT")),
        ("swift_store_endpoint", text("OS_STORAGE_URL")),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Returns our credentials for Keystone.
pub(super) fn reference(auth_address: String) -> Reference {
    let mut reference = Reference::default();
    reference.auth_address = auth_address;
    let project = text("OS_PROJECT_NAME").or_else(|| text("OS_TENANT_NAME"));
    reference.user = text("OS_USERNAME").map(|user| match project {
        Some(project) => format!("{project}:{user}"),
        None => user,
    });
    reference.key = text("OS_PASSWORD").map(Secret::new);
    reference.application_credential_id = text("OS_APPLICATION_CREDENTIAL_ID");
    reference.application_credential_secret =
        text("OS_APPLICATION_CREDENTIAL_SECRET").map(Secret::new);
    reference.user_domain_id = text("OS_USER_DOMAIN_ID");
    reference.user_domain_name = text("OS_USER_DOMAIN_NAME");
    reference.project_domain_id = text("OS_PROJECT_DOMAIN_ID");
    reference.project_domain_name = text("OS_PROJECT_DOMAIN_NAME");
    reference
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

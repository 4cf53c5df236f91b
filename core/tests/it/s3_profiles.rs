//! Requests built with the profile of each provider: where they go, for which region they are signed,
//! and which digests they have. The facts are those of the providers' documentation, named in
//! `core/src/quirks/profiles.rs`.

use apus_core::contract::Operation;
use apus_core::http::Sealing;
use apus_core::quirks::{Profile, Provider};
use apus_core::s3::{BaseUrl, Config, DeleteObjects, EndpointConfig, PutObject, Service};

const VALUES: [(&str, &str); 3] =
    [("region", "eu-1"), ("account", "a1b2"), ("namespace", "tenancy")];

fn profiles() -> impl Iterator<Item = (Provider, Profile)> {
    Provider::ALL.iter().filter_map(|&provider| Some((provider, provider.profile()?)))
}

/// A service as its profile says, with checksums asked for.
fn service(provider: Provider, profile: &Profile) -> Service {
    let url = match profile.endpoint {
        Some(_) => profile.url(&VALUES).unwrap(),
        None => "https://grid.example.com:8082".to_owned(),
    };
    let url = BaseUrl::parse(&url).unwrap();
    let endpoint = EndpointConfig::custom(url, profile.signing_region("eu-1"));
    let mut config = Config::new(endpoint).of_provider(provider);
    config.checksum.enable_data_integrity_protection = true;
    config.checksum.request = apus_core::checksum::RequestChecksumCalculation::WhenSupported;
    Service::new(config).unwrap()
}

/// The URL, the region of the signature, and the names of the digests that a PutObject has.
fn put(provider: Provider) -> (String, String, Vec<String>) {
    let service = service(provider, &provider.profile().unwrap());
    let draft = PutObject::new("bucket", "key", "a").draft(&service).unwrap();
    let region = match &draft.sealing {
        Sealing::SigV4 { region, .. } => region.to_string(),
        other => panic!("{other:?}"),
    };
    let names = draft.checksums().iter().map(|sum| sum.name.to_string());
    let named = draft.head.headers.keys().map(|name| name.to_string());
    let named = named.filter(|name| name == "x-amz-sdk-checksum-algorithm");
    (draft.head.uri.to_string(), region, names.chain(named).collect())
}

#[test]
fn requests_go_where_the_provider_says_and_have_what_it_takes() {
    let crc32 = ["x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm"];
    for (provider, url, region, digests) in [
        (
            Provider::Oci,
            "https://tenancy.compat.objectstorage.eu-1.oraclecloud.com/bucket/key",
            "eu-1",
            &["x-amz-checksum-crc32c", "x-amz-sdk-checksum-algorithm"][..],
        ),
        (
            Provider::R2,
            "https://a1b2.r2.cloudflarestorage.com/bucket/key",
            "auto",
            &["x-amz-checksum-crc32"],
        ),
        (Provider::Gcs, "https://bucket.storage.googleapis.com/key", "eu-1", &["content-md5"]),
        (
            Provider::B2,
            "https://s3.eu-1.backblazeb2.com/bucket/key",
            "eu-1",
            &["x-amz-checksum-crc32"],
        ),
        (Provider::Wasabi, "https://bucket.s3.eu-1.wasabisys.com/key", "eu-1", &crc32),
        (Provider::Hetzner, "https://bucket.eu-1.your-objectstorage.com/key", "eu-1", &crc32),
        (Provider::Scaleway, "https://bucket.s3.eu-1.scw.cloud/key", "eu-1", &crc32),
        (Provider::Ovh, "https://bucket.s3.eu-1.io.cloud.ovh.net/key", "eu-1", &["content-md5"]),
        (
            Provider::StorageGrid,
            "https://grid.example.com:8082/bucket/key",
            "eu-1",
            &["x-amz-checksum-sha256"],
        ),
        (Provider::Garage, "https://grid.example.com:8082/bucket/key", "eu-1", &crc32),
        (Provider::Minio, "https://grid.example.com:8082/bucket/key", "eu-1", &crc32),
        (Provider::Dell, "https://grid.example.com:8082/bucket/key", "eu-1", &crc32),
    ] {
        let (sent_to, signed_for, found) = put(provider);
        assert_eq!((sent_to.as_str(), signed_for.as_str()), (url, region), "{provider}");
        assert_eq!(found, digests, "{provider}");
    }
    assert_eq!(profiles().count(), 12);
}

#[test]
fn a_removal_has_the_digest_that_the_provider_requires() {
    for (provider, profile) in profiles() {
        let service = service(provider, &profile);
        let draft = DeleteObjects::new("bucket", ["a"]).draft(&service).unwrap();
        let names: Vec<&str> = draft.checksums().iter().map(|sum| sum.name.as_str()).collect();
        let requires = provider.quirks().content_md5_required;
        assert_eq!(names == ["content-md5"], requires, "{provider}: {names:?}");
        let refuses = |what: &str| profile.refused.iter().any(|refused| refused.contains(what));
        assert!(requires || !refuses("without Content-MD5"), "{provider}");
    }
}

#[test]
fn a_profile_names_its_sources_and_stands_in_the_guide() {
    let guide = include_str!("../../src/guide.rs");
    for (provider, profile) in profiles() {
        assert!(!profile.sources.is_empty(), "{provider}");
        assert!(guide.contains(&format!("| `{provider}` |")), "{provider}");
        let shown = profile.endpoint.map_or(String::new(), |url| format!("| `{url}` |"));
        assert!(guide.contains(&shown), "{provider}: {shown}");
    }
    let b2 = Provider::B2.profile().unwrap();
    assert!(b2.url(&[]).unwrap_err().to_string().contains("`region`"));
    assert!(Provider::StorageGrid.profile().unwrap().url(&VALUES).is_err());
}

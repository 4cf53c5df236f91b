//! Stores by URLs and options.
#![cfg(feature = "v0_14")]

use object_store_014 as object_store;

use std::sync::Arc;

use apus_object_store::v0_14::{Registry, parse_url_opts};
use apus_testing::server::{EmbeddedOpenStack, FaultyS3, OpenStackModel, Request, S3Model};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::registry::ObjectStoreRegistry;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[tokio::test]
async fn a_url_and_its_options_open_a_bucket() {
    let server = FaultyS3::start(S3Model::new().with_bucket("lake")).unwrap();
    let keys = [("AWS_ACCESS_KEY_ID", "KEY"), ("aws_secret_access_key", "SECRET")];
    let more = [("aws_region", "us-east-1"), ("PATH", "/bin"), ("google_bucket", "x")];
    let options = || keys.into_iter().chain(more);

    let place = format!("s3+{}/lake/tables/a%20b", server.endpoint());
    let (store, path) = parse_url_opts(&url(&place), options()).unwrap();
    assert_eq!(path, Path::parse("tables/a b").unwrap());
    store.put(&path, "x".into()).await.unwrap();
    assert!(server.model().object("lake", "tables/a b").is_some());

    let endpoint = server.endpoint();
    let options = options().chain([("endpoint", endpoint.as_str())]);
    let (store, path) = parse_url_opts(&url("s3://lake/tables/a%20b"), options).unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "x");
}

#[tokio::test]
async fn a_url_and_its_options_open_a_container() {
    let model = OpenStackModel::new().with_container("demo", "lake");
    let server = EmbeddedOpenStack::start(model).unwrap();
    let environment = server.environment();
    let value = |name: &str| environment[&format!("APUS_LIVE_OPENSTACK{name}")].clone();
    let user = [
        ("os_username".to_owned(), value("_USER")),
        ("OS_PASSWORD".to_owned(), value("_PASSWORD")),
        ("OS_PROJECT_NAME".to_owned(), value("_PROJECT")),
        ("OS_USER_DOMAIN_ID".to_owned(), "default".to_owned()),
        ("OS_PROJECT_DOMAIN_ID".to_owned(), "default".to_owned()),
    ];
    let place = url(&format!("swift+{}/lake/tables/one", server.auth_url()));
    let (store, path) = parse_url_opts(&place, user.clone()).unwrap();
    assert_eq!(path, Path::from("tables/one"));
    store.put(&path, "x".into()).await.unwrap();

    let auth_url = ("OS_AUTH_URL".to_owned(), server.auth_url());
    let all = user.clone().into_iter().chain([auth_url]);
    let (store, path) = parse_url_opts(&url("swift://lake/tables/one"), all).unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "x");

    let other = ("OS_AUTH_URL".to_owned(), "https://other.example/v3".to_owned());
    let error = parse_url_opts(&place, user.into_iter().chain([other])).unwrap_err().to_string();
    assert!(error.contains("other.example"), "{error}");
}

#[test]
fn a_url_that_is_wrong_is_an_error_without_its_secrets() {
    let keys = [("aws_access_key_id", "KEY"), ("aws_secret_access_key", "S3CRET")];
    let options = || keys.into_iter().chain([("aws_region", "us-east-1")]);
    for text in [
        "s3://KEY:S3CRET@bucket/a",
        "s3+https://S3CRET@host/bucket/a",
        "s3://bucket/a?versionId=1",
        "s3+https://host/",
        "swift+https://host/v3",
        "gs://bucket/a",
        "file:///tmp/a",
    ] {
        let error = parse_url_opts(&url(text), options()).expect_err(text).to_string();
        assert!(!error.contains("S3CRET"), "{error}");
    }
    let bad = options().chain([("aws_virtual_hosted_style_request", "maybe")]);
    assert!(parse_url_opts(&url("s3://bucket/a"), bad).is_err());
    let half = [("aws_region", "us-east-1"), ("aws_access_key_id", "KEY")];
    let error = parse_url_opts(&url("s3://bucket/a"), half).unwrap_err().to_string();
    assert!(error.contains("aws_secret_access_key"), "{error}");
}

#[tokio::test]
async fn a_registry_opens_a_bucket_once_and_prefers_the_longest_registered_path() {
    let options = [
        ("aws_access_key_id", "KEY"),
        ("aws_secret_access_key", "SECRET"),
        ("aws_region", "us-east-1"),
    ];
    let registry = Registry::new(options);
    let (one, path) = registry.resolve(&url("s3+http://127.0.0.1:9/lake/a/b")).unwrap();
    assert_eq!(path, Path::from("a/b"));
    let (two, path) = registry.resolve(&url("s3+http://127.0.0.1:9/lake/c%20d")).unwrap();
    assert_eq!(path, Path::from("c d"));
    assert!(Arc::ptr_eq(&one, &two));
    let (other, _) = registry.resolve(&url("s3+http://127.0.0.1:9/lakes/a")).unwrap();
    assert!(!Arc::ptr_eq(&one, &other));

    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let below = url("s3+http://127.0.0.1:9/lake/a");
    assert!(registry.register(below.clone(), Arc::clone(&memory)).is_none());
    let (found, path) = registry.resolve(&url("s3+http://127.0.0.1:9/lake/a/b")).unwrap();
    assert!(Arc::ptr_eq(&found, &memory) && path == Path::from("b"));
    assert!(Arc::ptr_eq(&registry.deregister(&below).unwrap(), &memory));
    assert!(registry.deregister(&below).is_none());
    let (found, _) = registry.resolve(&url("s3+http://127.0.0.1:9/lake/a/b")).unwrap();
    assert!(Arc::ptr_eq(&found, &one));
}

/// Options are keys and passwords, and a URL that is registered may have one.
#[test]
fn no_debug_shows_what_a_registry_opens_with() {
    let registry = Registry::new([("aws_secret_access_key", "S3CRET"), ("OS_PASSWORD", "S3CRET")]);
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    registry.register(url("https://user:S3CRET@example.com/a"), memory);
    let shown = format!("{registry:?}");
    assert!(!shown.contains("S3CRET"), "{shown}");
    assert!(shown.contains("aws_secret_access_key") && shown.contains("example.com"), "{shown}");
}

/// As object_store's client does with options of these names.
#[tokio::test]
async fn options_name_where_the_keys_are() {
    let server = FaultyS3::start(S3Model::new().with_bucket("lake")).unwrap();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("object-store-credentials");
    let keys = "[work]\naws_access_key_id = OTHERKEY\naws_secret_access_key = SECRET\n";
    std::fs::write(&file, keys).unwrap();
    let options = [
        ("aws_shared_credentials_file", file.to_str().unwrap()),
        ("aws_config_file", "/nonexistent"),
        ("aws_profile", "work"),
        ("aws_region", "us-east-1"),
    ];
    let place = url(&format!("s3+{}/lake/one", server.endpoint()));
    let (store, path) = parse_url_opts(&place, options).unwrap();
    // The model knows other keys than these: what matters is which ones are sent.
    _ = store.put(&path, "x".into()).await;
    let requests = server.server().requests();
    let signed = &requests[0].headers;
    let (_, by) =
        signed.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).unwrap();
    assert!(by.contains("Credential=OTHERKEY/"), "{by}");
}

#[tokio::test]
async fn options_encrypt_what_is_written() {
    let server = FaultyS3::start(S3Model::new().with_bucket("lake")).unwrap();
    let place = url(&format!("s3+{}/lake/one", server.endpoint()));
    let keys = [("aws_access_key_id", "KEY"), ("aws_secret_access_key", "SECRET")];
    let options = || keys.into_iter().chain([("region", "us-east-1")]);
    let encrypted = options().chain([
        ("aws_server_side_encryption", "aws:kms"),
        ("aws_sse_kms_key_id", "key-1"),
        ("aws_sse_bucket_key_enabled", "true"),
    ]);
    let (store, path) = parse_url_opts(&place, encrypted).unwrap();
    store.put(&path, "x".into()).await.unwrap();
    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part("x".into()).await.unwrap();
    upload.complete().await.unwrap();
    store.copy(&path, &Path::from("two")).await.unwrap();
    let requests = server.server().requests();
    let value = |request: &Request, name: &str| {
        let mut headers = request.headers.iter();
        headers.find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    // A part has the encryption of its upload.
    let makes = |request: &&Request| match request.method.as_str() {
        "PUT" => !request.target.contains("partNumber"),
        method => method == "POST" && request.target.ends_with("?uploads"),
    };
    let writes: Vec<_> = requests.iter().filter(makes).collect();
    assert_eq!(writes.len(), 3);
    for write in writes {
        let prefix = "x-amz-server-side-encryption";
        let sent = ["", "-aws-kms-key-id", "-bucket-key-enabled"]
            .map(|rest| value(write, &format!("{prefix}{rest}")).unwrap_or_default());
        assert_eq!(sent, ["aws:kms", "key-1", "true"], "{} {}", write.method, write.target);
    }
    // What can't be done is no silent difference.
    for refused in [
        ("aws_sse_customer_key_base64", "a2V5"),
        ("aws_server_side_encryption", "sse-c"),
        ("aws_request_payer", "true"),
        ("aws_s3_express", "true"),
    ] {
        let error = parse_url_opts(&place, options().chain([refused])).unwrap_err().to_string();
        assert!(error.contains(refused.0), "{error}");
    }
}

#[tokio::test]
async fn options_decide_whether_payloads_are_signed() {
    let server = FaultyS3::start(S3Model::new().with_bucket("lake")).unwrap();
    let place = url(&format!("s3+{}/lake/one", server.endpoint()));
    let keys = [("aws_access_key_id", "KEY"), ("aws_secret_access_key", "SECRET")];
    let more = [("region", "us-east-1"), ("unsigned_payload", "true")];
    let (store, path) = parse_url_opts(&place, keys.into_iter().chain(more)).unwrap();
    store.put(&path, "x".into()).await.unwrap();
    let requests = server.server().requests();
    let mut headers = requests[0].headers.iter();
    let sent = headers.find(|(name, _)| name.eq_ignore_ascii_case("x-amz-content-sha256"));
    assert_eq!(sent.unwrap().1, "UNSIGNED-PAYLOAD");
}

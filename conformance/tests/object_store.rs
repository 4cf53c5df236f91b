//! object_store's own tests through apus-object-store, on s3s-fs in this process and on the real
//! servers whose variables are set, with object_store's own client on the same server beside it.
//!
//! `cargo test -p apus-conformance --test object_store -- --nocapture` prints the tables.
#![expect(clippy::print_stdout, reason = "what was not run is for people")]

use object_store_014 as object_store;

#[path = "../../transport-async/object-store/tests/common/suite.rs"]
mod suite;
#[path = "../../transport-async/object-store/tests/common/suite_014.rs"]
mod suite_014;

use std::env;

use apus_async::keystone::{Domain, Scope, Session, User};
use apus_async::s3::{self, CreateBucket};
use apus_async::swift::{self, PutContainer};
use apus_async::{Client, Keys};
use apus_conformance::server::{EmbeddedS3, Options};
use apus_object_store::v0_14::{S3Store, SwiftStore};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3CopyIfNotExists};

use self::suite::{Outcome, failed};

/// s3s-fs has no conditional requests, and lists no open uploads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_on_s3s_fs_that_the_reference_passes() {
    let server = EmbeddedS3::start(Options::new()).unwrap();
    let keys = [server.access_key(), server.secret_key()];
    let (ours, theirs) = on_s3("s3s-fs", &server.endpoint(), keys).await;
    no_worse(&ours, &theirs);
}

/// `APUS_OBJECT_STORE_S3`: the URL of an S3 server, such as moto; its keys are those that
/// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_on_a_given_s3_that_the_reference_passes() {
    let Ok(url) = env::var("APUS_OBJECT_STORE_S3") else {
        return println!("not run: APUS_OBJECT_STORE_S3 is not set");
    };
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| env::var(name).unwrap());
    let (ours, theirs) = on_s3(&url, &url, [&keys[0], &keys[1]]).await;
    no_worse(&ours, &theirs);
}

/// With the variables of `moto env`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_on_moto_that_the_reference_passes() {
    on_live("moto", "APUS_LIVE_MOTO_HTTP", "APUS_LIVE_MOTO").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_on_ceph_that_the_reference_passes() {
    on_live("Ceph", "APUS_LIVE_S3_HTTP", "APUS_LIVE_S3").await;
}

async fn on_live(name: &str, url: &str, prefix: &str) {
    let Ok(url) = env::var(url) else { return println!("not run: {url} is not set") };
    let keys = ["ACCESS_KEY", "SECRET_KEY"];
    let keys = keys.map(|key| env::var(format!("{prefix}_{key}")).unwrap());
    let (ours, theirs) = on_s3(name, &url, [&keys[0], &keys[1]]).await;
    no_worse(&ours, &theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_on_swift() {
    let Ok(auth_url) = env::var("APUS_LIVE_OPENSTACK") else {
        return println!("not run: APUS_LIVE_OPENSTACK is not set");
    };
    let value = |name: &str| env::var(format!("APUS_LIVE_OPENSTACK{name}")).unwrap();
    let user = User::named(value("_USER"), Domain::default_id());
    let scope = Scope::project_named(value("_PROJECT"), Domain::default_id());
    let session = Session::password(&auth_url, user, value("_PASSWORD"), scope).unwrap();
    let client = Client::new(swift::Service::default(), session).unwrap();
    let fresh = async |name: &str| {
        let container = format!("object-store-{name}");
        client.call(PutContainer::new(&container)).await.unwrap();
        SwiftStore::new(client.clone(), container)
    };
    let ours = suite_014::run(fresh, false).await;
    suite::print("Swift", &[("apus", &ours)]);
    assert_eq!(failed(&ours), [""; 0]);
}

async fn on_s3(name: &str, url: &str, keys: [&str; 2]) -> (Vec<Outcome>, Vec<Outcome>) {
    _ = rustls::crypto::ring::default_provider().install_default();
    let service = s3::Service::custom(url, "us-east-1").unwrap();
    let client = Client::new(service, Keys::new(keys[0], keys[1])).unwrap();
    let bucket = async |of: &str, test: &str| {
        let bucket = format!("{of}-{test}");
        let made = client.call(CreateBucket::new(&bucket)).await;
        if let Err(error) = made {
            assert!(error.is_conflict(), "{error}");
        }
        bucket
    };
    let ours = async |test: &str| S3Store::new(client.clone(), bucket("ours", test).await);
    let ours = suite_014::run(ours, true).await;
    let theirs = async |test: &str| reference(url, &bucket("theirs", test).await, keys);
    let theirs = suite_014::run(theirs, true).await;
    suite::print(name, &[("apus", &ours), ("object_store", &theirs)]);
    (ours, theirs)
}

/// No test fails that the reference passes.
fn no_worse(ours: &[Outcome], theirs: &[Outcome]) {
    let theirs = failed(theirs);
    let worse = failed(ours).into_iter().filter(|name| !theirs.contains(name));
    assert_eq!(worse.collect::<Vec<_>>(), [""; 0]);
}

/// object_store's own client.
fn reference(url: &str, bucket: &str, keys: [&str; 2]) -> AmazonS3 {
    let builder = AmazonS3Builder::new()
        .with_endpoint(url)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name(bucket)
        .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
        .with_access_key_id(keys[0])
        .with_secret_access_key(keys[1]);
    builder.build().expect("the options are valid")
}

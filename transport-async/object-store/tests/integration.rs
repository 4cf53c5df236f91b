//! object_store's own tests on the embedded servers, with object_store's own client beside ours.
#![cfg(feature = "v0_14")]

use object_store_014 as object_store;

#[path = "common/servers.rs"]
mod servers;
#[path = "common/suite.rs"]
mod suite;
#[path = "common/suite_014.rs"]
mod suite_014;

use std::time::Duration;

use apus_async::s3::CreateBucket;
use apus_async::swift::PutContainer;
use apus_object_store::v0_14::{S3Store, SwiftStore};
use apus_testing::server::{EmbeddedOpenStack, FaultyS3, OpenStackModel, S3Model};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3CopyIfNotExists};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_s3_model_passes_every_test_that_the_reference_passes() {
    _ = rustls::crypto::ring::default_provider().install_default();
    let server = FaultyS3::start(S3Model::new()).unwrap();
    let client = servers::s3(&server);
    let ours = async |name: &str| {
        let bucket = format!("ours-{name}");
        client.call(CreateBucket::new(&bucket)).await.unwrap();
        S3Store::new(client.clone(), bucket)
    };
    let theirs = async |name: &str| {
        let bucket = format!("theirs-{name}");
        client.call(CreateBucket::new(&bucket)).await.unwrap();
        reference(&server.endpoint(), &bucket)
    };
    let ours = suite_014::run(ours, true).await;
    let theirs = suite_014::run(theirs, true).await;
    suite::print("S3 model", &[("apus", &ours), ("object_store", &theirs)]);
    assert_eq!(suite::failed(&ours), [""; 0]);
}

/// Swift has no conditional update: `put_opts` has to say so. Tokens expire after two seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_swift_model_passes_every_test_with_tokens_of_two_seconds() {
    let model = OpenStackModel::new().with_token_life(Duration::from_secs(2));
    let server = EmbeddedOpenStack::start(model).unwrap();
    let client = servers::swift(&server);
    let ours = async |name: &str| {
        let container = format!("ours-{name}");
        client.call(PutContainer::new(&container)).await.unwrap();
        SwiftStore::new(client.clone(), container)
    };
    let ours = suite_014::run(ours, false).await;
    suite::print("Swift model", &[("apus", &ours)]);
    assert_eq!(suite::failed(&ours), [""; 0]);
}

/// object_store's own client.
fn reference(endpoint: &str, bucket: &str) -> AmazonS3 {
    let builder = AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name(bucket)
        .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
        .with_access_key_id("KEY")
        .with_secret_access_key("SECRET");
    builder.build().expect("the options are valid")
}

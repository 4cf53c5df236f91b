//! The same stores behind the trait of object_store 0.13, with its own tests.
#![cfg(feature = "v0_13")]

use object_store_013 as object_store;

#[path = "common/servers.rs"]
mod servers;
#[path = "common/suite.rs"]
mod suite;

use std::time::Duration;

use apus_async::s3::CreateBucket;
use apus_async::swift::PutContainer;
use apus_object_store::v0_13::{S3Store, SwiftStore};
use apus_testing::server::{EmbeddedOpenStack, FaultyS3, OpenStackModel, S3Model};
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_s3_model_passes_every_test() {
    let server = FaultyS3::start(S3Model::new()).unwrap();
    let client = servers::s3(&server);
    let store = async |name: &str| {
        client.call(CreateBucket::new(name)).await.unwrap();
        S3Store::new(client.clone(), name)
    };
    let outcomes = suite::run(store, true).await;
    suite::print("S3 model, 0.13", &[("apus", &outcomes)]);
    assert_eq!(suite::failed(&outcomes), [""; 0]);
}

/// Swift has no conditional update: `put_opts` has to say so. Tokens expire after two seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_swift_model_passes_every_test_with_tokens_of_two_seconds() {
    let model = OpenStackModel::new().with_token_life(Duration::from_secs(2));
    let server = EmbeddedOpenStack::start(model).unwrap();
    let client = servers::swift(&server);
    let store = async |name: &str| {
        client.call(PutContainer::new(name)).await.unwrap();
        SwiftStore::new(client.clone(), name)
    };
    let outcomes = suite::run(store, false).await;
    suite::print("Swift model, 0.13", &[("apus", &outcomes)]);
    assert_eq!(suite::failed(&outcomes), [""; 0]);
}

#[tokio::test]
async fn both_stores_write_and_read() {
    let s3 = FaultyS3::start(S3Model::new().with_bucket("box")).unwrap();
    let model = OpenStackModel::new().with_container("demo", "box");
    let swift = EmbeddedOpenStack::start(model).unwrap();
    let stores: [Box<dyn ObjectStore>; 2] = [
        Box::new(S3Store::new(servers::s3(&s3), "box")),
        Box::new(SwiftStore::new(servers::swift(&swift), "box")),
    ];
    for store in stores {
        let path = Path::from("a/b");
        store.put(&path, "hello".into()).await.unwrap();
        let again = store.put_opts(&path, "other".into(), PutMode::Create.into()).await;
        assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
        let mut upload = store.put_multipart(&Path::from("a/c")).await.unwrap();
        upload.put_part("parts".into()).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(store.get_range(&Path::from("a/c"), 1..3).await.unwrap(), "ar");
        let listed: Vec<_> = store.list(Some(&Path::from("a"))).try_collect().await.unwrap();
        assert_eq!(listed.len(), 2);
        store.delete(&path).await.unwrap();
        assert!(matches!(store.head(&path).await, Err(Error::NotFound { .. })));
    }
}

//! The same stores behind the trait of object_store 0.13.
#![cfg(feature = "v0_13")]

use object_store_013 as object_store;

#[path = "common/servers.rs"]
mod servers;

use apus_object_store::v0_13::{S3Store, SwiftStore};
use apus_testing::server::{EmbeddedOpenStack, FaultyS3, OpenStackModel, S3Model};
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};

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

//! How many requests each method sends, and what it leaves on the server.
#![cfg(feature = "v0_14")]

use object_store_014 as object_store;

#[path = "common/servers.rs"]
mod servers;
#[path = "common/stores.rs"]
mod stores;

use std::time::Duration;

use apus_object_store::v0_14::{S3Store, SwiftStore};
use apus_testing::server::{
    EmbeddedOpenStack, Fault, FaultyS3, Manners, OpenStackModel, OpenStackOperation, Operation,
    Plan, S3Model,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutPayload, UpdateVersion,
};

fn s3(model: S3Model) -> (FaultyS3, S3Store) {
    stores::s3(model)
}

fn swift() -> (EmbeddedOpenStack, SwiftStore) {
    stores::swift(OpenStackModel::new().with_container("demo", "box"))
}

#[tokio::test]
async fn a_read_of_s3_is_one_request_whatever_is_read() {
    let (server, store) =
        s3(S3Model::new().with_bucket("bucket").with_object("bucket", "key", vec![7; 9 << 20]));
    let path = Path::from("key");
    let requests = || server.model().requests();
    let mut before = requests();
    let mut sent = || {
        let (now, then) = (requests(), before);
        before = now;
        now - then
    };
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap().len(), 9 << 20);
    assert_eq!(sent(), 1, "get");
    assert_eq!(store.head(&path).await.unwrap().size, 9 << 20);
    assert_eq!(sent(), 1, "head");
    assert_eq!(store.get_range(&path, 5..15).await.unwrap(), vec![7; 10]);
    assert_eq!(sent(), 1, "a small range");
    assert_eq!(store.get_range(&path, 0..9_000_000).await.unwrap().len(), 9_000_000);
    assert_eq!(sent(), 1, "a large range");
    let last = GetOptions::new().with_range(Some(GetRange::Suffix(8)));
    assert_eq!(store.get_opts(&path, last).await.unwrap().bytes().await.unwrap(), vec![7; 8]);
    assert_eq!(sent(), 1, "the last bytes");
    let from = GetOptions::new().with_range(Some(GetRange::Offset(100)));
    store.get_opts(&path, from).await.unwrap().bytes().await.unwrap();
    assert_eq!(sent(), 1, "from an offset");
    // Less than 1 MiB apart: one request. The fourth is more than that away.
    let ranges = [0..10, 20..30, 500_000..500_010, 8_000_000..8_000_010];
    let parts = store.get_ranges(&path, &ranges).await.unwrap();
    assert!(parts.iter().all(|part| part == &Bytes::from(vec![7; 10])));
    assert_eq!(sent(), 2, "ranges");
}

#[tokio::test]
async fn paths_are_deleted_a_thousand_in_a_request_and_reported_in_their_order() {
    let mut model = S3Model::new().with_bucket("bucket");
    let paths: Vec<_> = (0..2_500).map(|at| Path::from(format!("logs/{at:04}"))).collect();
    for path in &paths {
        model = model.with_object("bucket", path.as_ref(), "x");
    }
    let (server, store) = s3(model);
    let listed = store.list(Some(&Path::from("logs"))).map_ok(|object| object.location).boxed();
    let deleted: Vec<_> = store.delete_stream(listed).try_collect().await.unwrap();
    assert_eq!(deleted, paths);
    let model = server.model();
    assert_eq!(model.count(Operation::DeleteObjects), 3);
    assert_eq!(model.count(Operation::ListObjectsV2), 3);
    assert!(model.keys("bucket").is_empty());
}

#[tokio::test]
async fn an_error_among_the_paths_to_delete_stays_in_its_place() {
    let (_server, store) = s3(S3Model::new().with_bucket("bucket"));
    let broken = Error::NotImplemented { operation: "x".into(), implementer: "y".into() };
    let paths = vec![Ok(Path::from("a")), Err(broken), Ok(Path::from("b"))];
    let paths = futures_util::stream::iter(paths).boxed();
    let outcomes: Vec<_> = store.delete_stream(paths).collect().await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert!(matches!(outcomes[1], Err(Error::NotImplemented { .. })));
}

#[tokio::test]
async fn pieces_of_a_payload_are_one_object() {
    let payload: PutPayload = ["ab", "", "cdef"].into_iter().map(Bytes::from).collect();
    let (server, store) = s3(S3Model::new().with_bucket("bucket"));
    store.put(&Path::from("key"), payload.clone()).await.unwrap();
    assert_eq!(server.model().object("bucket", "key").unwrap().body, "abcdef");
    let (_server, store) = swift();
    store.put(&Path::from("key"), payload).await.unwrap();
    let read = store.get(&Path::from("key")).await.unwrap().bytes().await.unwrap();
    assert_eq!(read, "abcdef");
}

#[tokio::test]
async fn an_upload_that_is_dropped_is_aborted() {
    let (server, store) = s3(S3Model::new().with_bucket("bucket"));
    let mut upload = store.put_multipart(&Path::from("key")).await.unwrap();
    upload.put_part(vec![1; 5 << 20].into()).await.unwrap();
    assert_eq!(server.model().open_uploads().len(), 1);
    drop(upload);
    assert!(store.client().shutdown(Duration::from_secs(10)).await.is_empty());
    assert!(server.model().open_uploads().is_empty());
}

/// A caller such as `WriteMultipart` begins every part at once, unless it waits.
#[tokio::test]
async fn parts_beyond_those_in_flight_wait_for_a_place() {
    let slow = Plan::new().always(Operation::UploadPart, Fault::Delay(Duration::from_millis(30)));
    let (server, store) = s3(S3Model::new().with_bucket("bucket").with_plan(slow));
    let path = Path::from("key");
    let write = async |store: &dyn ObjectStore, parts: usize| {
        let mut upload = store.put_multipart(&path).await.unwrap();
        let begun = (0..parts).map(|part| upload.put_part(vec![part as u8; 5 << 20].into()));
        let mut begun: Vec<_> = begun.collect();
        // These are polled twice: places are given in the order of the first time.
        for part in [0, parts - 1] {
            _ = futures_util::poll!(&mut begun[part]);
        }
        let again = upload.put_part("the end".into());
        futures_util::future::try_join_all(begun.into_iter().chain([again])).await.unwrap();
        upload.complete().await.unwrap();
    };
    write(&store, 20).await;
    let peak = server.server().peak_concurrency();
    assert!((2..=8).contains(&peak), "{peak}");
    assert_eq!(store.head(&path).await.unwrap().size, (20 * (5 << 20)) + 7);

    let slow =
        Plan::new().always(OpenStackOperation::PutObject, Fault::Delay(Duration::from_millis(30)));
    let model = OpenStackModel::new().with_container("demo", "box").with_plan(slow);
    let server = EmbeddedOpenStack::start(model).unwrap();
    let store = SwiftStore::new(servers::swift(&server), "box").with_parts_in_flight(3);
    write(&store, 10).await;
    let peak = server.storage().peak_concurrency();
    assert!((2..=3).contains(&peak), "{peak}");
}

#[tokio::test]
async fn an_upload_without_one_of_its_parts_makes_no_object() {
    let (server, store) = s3(S3Model::new().with_bucket("bucket"));
    let mut upload = store.put_multipart(&Path::from("key")).await.unwrap();
    upload.put_part(vec![1; 5 << 20].into()).await.unwrap();
    drop(upload.put_part(vec![2; 5 << 20].into()));
    upload.put_part("the end".into()).await.unwrap();
    assert!(upload.complete().await.is_err());
    assert!(server.model().object("bucket", "key").is_none());

    let (_server, store) = swift();
    let mut upload = store.put_multipart(&Path::from("key")).await.unwrap();
    upload.put_part("a".into()).await.unwrap();
    drop(upload.put_part("b".into()));
    assert!(upload.complete().await.is_err());
    assert!(matches!(store.head(&Path::from("key")).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn segments_are_removed_with_a_dropped_upload_and_with_the_object_they_belong_to() {
    let (_server, store) = swift();
    let segments = SwiftStore::new(store.client().clone(), "box_segments");
    let count = async || segments.list(None).try_collect::<Vec<_>>().await.unwrap().len();
    let path = Path::from("key");
    let write = async |bytes: &'static str| {
        let mut upload = store.put_multipart(&path).await.unwrap();
        for byte in bytes.split_inclusive(|_| true) {
            upload.put_part(byte.into()).await.unwrap();
        }
        upload
    };
    drop(write("ab").await);
    for _ in 0..100 {
        if count().await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count().await, 0, "dropped");

    write("abc").await.complete().await.unwrap();
    assert_eq!(count().await, 3);
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "abc");
    write("de").await.complete().await.unwrap();
    assert_eq!(count().await, 2, "replaced by another large object");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "de");
    store.copy(&path, &Path::from("copy")).await.unwrap();
    store.put(&path, "plain".into()).await.unwrap();
    assert_eq!(count().await, 0, "replaced by a small object");
    let copy = store.get(&Path::from("copy")).await.unwrap().bytes().await.unwrap();
    assert_eq!(copy, "de", "a copy shares no segments");
}

/// Swift's default is 1,000 segments in a manifest, and 5 MiB a part would end at 5 GB.
#[tokio::test]
async fn more_parts_than_a_manifest_holds_are_manifests_of_manifests() {
    let (_server, store) = swift();
    let path = Path::from("key");
    let mut upload = store.put_multipart(&path).await.unwrap();
    let mut expected = Vec::new();
    for part in 0..1_003_u32 {
        let bytes = part.to_be_bytes();
        expected.extend(bytes);
        upload.put_part(bytes.to_vec().into()).await.unwrap();
    }
    upload.complete().await.unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), expected);
    store.delete(&path).await.unwrap();
    let segments = SwiftStore::new(store.client().clone(), "box_segments");
    assert!(segments.list(None).next().await.is_none(), "all levels are removed");
}

/// Some servers ignore the conditions of writes, and replace the object.
#[tokio::test]
async fn a_server_that_ignores_conditions_replaces_nothing_either() {
    let manners = Manners { conditional_writes: false, ..Manners::aws() };
    let (server, store) = s3(S3Model::new().with_manners(manners).with_bucket("bucket"));
    let path = Path::from("key");
    let create = async |text: &'static str| {
        store
            .put_opts(&path, PutPayload::from_static(text.as_bytes()), PutMode::Create.into())
            .await
    };
    let made = create("ours").await.unwrap();
    let error = create("theirs").await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
    let update = async |e_tag: Option<String>, text: &'static str| {
        let mode = PutMode::Update(UpdateVersion { e_tag, version: None });
        store.put_opts(&path, PutPayload::from_static(text.as_bytes()), mode.into()).await
    };
    let error = update(Some("\"0\"".to_owned()), "theirs").await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
    assert_eq!(server.model().object("bucket", "key").unwrap().body, "ours");
    update(made.e_tag.clone(), "newer").await.unwrap();
    assert_eq!(server.model().object("bucket", "key").unwrap().body, "newer");
    store.delete(&path).await.unwrap();
    let error = update(made.e_tag, "theirs").await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error:?}");
}

//! Writers of both stores: an object is there after `shutdown` and not before, and nothing of one
//! that was given up.
#![cfg(feature = "v0_14")]

use object_store_014 as object_store;

#[path = "common/servers.rs"]
mod servers;
#[path = "common/stores.rs"]
mod stores;

use std::time::Duration;

use apus_object_store::v0_14::{S3Store, SwiftStore, Writer};
use apus_testing::server::{
    EmbeddedOpenStack, Ending, Fault, FaultyS3, OpenStackModel, Operation, Plan, S3Model,
};
use object_store::path::Path;
use object_store::{Attribute, Attributes, Error, ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;

fn s3(plan: Plan) -> (FaultyS3, S3Store) {
    stores::s3(S3Model::new().with_bucket("bucket").with_plan(plan))
}

fn swift() -> (EmbeddedOpenStack, SwiftStore) {
    stores::swift(OpenStackModel::new().with_container("demo", "box"))
}

async fn exists(store: &dyn ObjectStore, path: &Path) -> bool {
    match store.head(path).await {
        Ok(_) => true,
        Err(Error::NotFound { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Bytes of which no two parts are the same.
fn bytes(length: usize) -> Vec<u8> {
    (0..length as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Writes `bytes` in pieces of odd lengths.
async fn write(writer: &mut Writer, bytes: &[u8]) {
    for piece in bytes.chunks(777_777) {
        writer.write_all(piece).await.unwrap();
    }
    writer.flush().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_stored_by_the_shutdown() {
    let ((_s3_server, s3), (_swift_server, swift)) = (s3(Plan::new()), swift());
    let path = Path::from("a/b");
    let attributes = Attributes::from_iter([(Attribute::ContentType, "text/plain")]);
    for length in [0, 1, 5_000_000, 40_000_000] {
        let bytes = bytes(length);
        let writers = [
            (&s3 as &dyn ObjectStore, s3.writer(&path, attributes.clone().into()).unwrap()),
            (&swift, swift.writer(&path, attributes.clone().into()).unwrap()),
        ];
        for (store, mut writer) in writers {
            write(&mut writer, &bytes).await;
            assert!(writer.result().is_none());
            assert!(!exists(store, &path).await, "{store} {length}");
            writer.shutdown().await.unwrap();
            let written = writer.result().unwrap().e_tag.clone();
            assert!(written.is_some());
            let got = store.get(&path).await.unwrap();
            assert_eq!(got.meta.e_tag, written, "{store} {length}");
            assert_eq!(got.attributes, attributes);
            assert!(got.bytes().await.unwrap() == bytes, "{store} {length}");
            // A second end changes nothing, and a write after it is refused.
            writer.shutdown().await.unwrap();
            assert!(writer.write_all(b"more").await.is_err());
            store.delete(&path).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_dropped_stores_nothing() {
    let ((s3_server, s3), (_swift_server, swift)) = (s3(Plan::new()), swift());
    let path = Path::from("key");
    for length in [0, 10, 20_000_000, 45_000_000] {
        let bytes = bytes(length);
        let mut writer = s3.writer(&path, Default::default()).unwrap();
        write(&mut writer, &bytes).await;
        drop(writer);
        let mut writer = swift.writer(&path, Default::default()).unwrap();
        write(&mut writer, &bytes).await;
        drop(writer);
        let left = s3.client().shutdown(Duration::from_secs(30)).await;
        assert!(left.is_empty(), "{left:?}");
        let left = swift.client().shutdown(Duration::from_secs(30)).await;
        assert!(left.is_empty(), "{left:?}");
        assert!(!exists(&s3, &path).await && !exists(&swift, &path).await, "{length}");
        assert!(s3_server.model().open_uploads().is_empty(), "{length}");
        let segments = SwiftStore::new(swift.client().clone(), "box_segments");
        let segments = segments.list_with_delimiter(None).await;
        let segments = segments.map_or(0, |listed| listed.objects.len());
        assert_eq!(segments, 0, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_fails_is_the_error_of_a_write_or_of_the_shutdown() {
    let refused = Fault::Refuse(403, "AccessDenied");
    for operation in [Operation::CreateMultipartUpload, Operation::UploadPart] {
        let (server, store) = s3(Plan::new().always(operation, refused.clone()));
        let mut writer = store.writer(&Path::from("key"), Default::default()).unwrap();
        let piece = bytes(1 << 20);
        let mut written = 0;
        let error = loop {
            match writer.write_all(&piece).await {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
            assert!(written < 1_000, "the upload has failed long ago");
        };
        let told = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
        assert!(matches!(told, Some(Error::PermissionDenied { .. })), "{error:?}");
        assert!(writer.shutdown().await.is_err());
        assert!(writer.result().is_none() && server.model().open_uploads().is_empty());
    }
    let (_server, store) = s3(Plan::new().always(Operation::PutObject, refused));
    let mut writer = store.writer(&Path::from("key"), Default::default()).unwrap();
    writer.write_all(b"small").await.unwrap();
    assert!(writer.shutdown().await.is_err() && writer.result().is_none());
}

/// The response to the last request is lost, or was never sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_response_is_settled() {
    let lost = Fault::AnswerLost(Ending::Close);
    for operation in [Operation::PutObject, Operation::CompleteMultipartUpload] {
        let (_server, store) = s3(Plan::new().on(operation, 1, lost.clone()));
        let (path, bytes) = (Path::from("key"), bytes(20_000_000));
        let bytes = if operation == Operation::PutObject { &bytes[..99] } else { &bytes[..] };
        let mut writer = store.writer(&path, Default::default()).unwrap();
        write(&mut writer, bytes).await;
        writer.shutdown().await.unwrap();
        assert!(store.get(&path).await.unwrap().bytes().await.unwrap() == bytes);
    }
}

//! Faults through the adapter: the result is right, or an error that does not mislead.
#![cfg(feature = "v0_14")]

use object_store_014 as object_store;

#[path = "common/servers.rs"]
mod servers;
#[path = "common/stores.rs"]
mod stores;

use apus_object_store::v0_14::{S3Store, SwiftStore};
use apus_testing::server::{
    EmbeddedOpenStack, Ending, Fault, FaultyS3, OpenStackModel, OpenStackOperation, Operation,
    Plan, S3Model,
};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};

fn s3(plan: Plan) -> (FaultyS3, S3Store) {
    let model = S3Model::new().with_bucket("bucket").with_object("bucket", "old", pattern());
    stores::s3(model.with_plan(plan))
}

fn pattern() -> Vec<u8> {
    (0..300_000_u32).map(|at| (at % 251) as u8).collect()
}

fn old() -> Path {
    Path::from("old")
}

/// Whether nothing is known of the write, by our error inside.
fn is_unknown(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let ours = source.and_then(|source| source.downcast_ref::<apus_async::Error>());
    matches!(error, Error::Generic { .. }) && ours.is_some_and(apus_async::Error::outcome_unknown)
}

#[tokio::test]
async fn a_body_that_is_cut_is_read_to_its_end_or_is_an_error() {
    let plan = Plan::new().on(Operation::GetObject, 1, Fault::CutBody(100_000, Ending::Close)).on(
        Operation::GetObject,
        2,
        Fault::CutBody(50_000, Ending::Reset),
    );
    let (_server, store) = s3(plan);
    assert_eq!(store.get(&old()).await.unwrap().bytes().await.unwrap(), pattern());
    let plan = Plan::new().on(Operation::GetObject, 1, Fault::CutBody(10, Ending::Close));
    let (_server, store) = s3(plan);
    assert_eq!(store.get_range(&old(), 7..999).await.unwrap(), pattern()[7..999]);
    let plan = Plan::new().always(Operation::GetObject, Fault::CutBody(0, Ending::Close));
    let (_server, store) = s3(plan);
    assert!(store.get_range(&old(), 7..999).await.is_err());
    let pieces = match store.get(&old()).await {
        Ok(read) => read.into_stream().collect::<Vec<_>>().await,
        Err(error) => vec![Err(error)],
    };
    assert!(pieces.iter().any(Result::is_err));
}

#[tokio::test]
async fn a_range_of_another_place_is_an_error() {
    let plan = Plan::new().always(Operation::GetObject, Fault::WrongContentRange);
    let (_server, store) = s3(plan);
    assert!(store.get_range(&old(), 7..999).await.is_err());
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again() {
    let busy = Fault::SlowDown(None);
    let plan = [
        Operation::PutObject,
        Operation::GetObject,
        Operation::HeadObject,
        Operation::ListObjectsV2,
        Operation::DeleteObjects,
        Operation::CopyObject,
        Operation::CreateMultipartUpload,
        Operation::UploadPart,
        Operation::CompleteMultipartUpload,
    ];
    let plan = plan.into_iter().fold(Plan::new(), |plan, one| plan.on(one, 1, busy.clone()));
    let (_server, store) = s3(plan);
    let new = Path::from("new");
    store.put(&new, "x".into()).await.unwrap();
    assert_eq!(store.get(&new).await.unwrap().bytes().await.unwrap(), "x");
    store.head(&new).await.unwrap();
    store.copy(&new, &Path::from("copy")).await.unwrap();
    let mut upload = store.put_multipart(&Path::from("parts")).await.unwrap();
    upload.put_part("y".into()).await.unwrap();
    upload.complete().await.unwrap();
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 4);
    let paths = futures_util::stream::iter(listed).map(|object| Ok(object.location)).boxed();
    let deleted: Vec<_> = store.delete_stream(paths).try_collect().await.unwrap();
    assert_eq!(deleted.len(), 4);
}

#[tokio::test]
async fn a_lost_response_to_a_conditional_write_is_settled_by_a_look() {
    let lost = || Plan::new().on(Operation::PutObject, 1, Fault::AnswerLost(Ending::Close));
    // Our own object: the second attempt is refused for it.
    let (server, store) = s3(lost());
    let new = Path::from("new");
    store.put_opts(&new, "mine".into(), PutMode::Create.into()).await.unwrap();
    assert_eq!(server.model().object("bucket", "new").unwrap().body, "mine");

    // Another's object, which the look before the write finds.
    let (server, store) = s3(lost());
    let error = store.put_opts(&old(), "mine".into(), PutMode::Create.into()).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
    assert_eq!(server.model().object("bucket", "old").unwrap().body, pattern());

    // An update of an ETag that the write itself has replaced.
    let (server, store) = s3(lost());
    let e_tag = store.head(&old()).await.unwrap().e_tag;
    let update = PutMode::Update(UpdateVersion { e_tag, version: None });
    let updated = store.put_opts(&old(), "mine".into(), update.into()).await;
    assert!(updated.as_ref().map_or_else(is_unknown, |_| true), "{updated:?}");
    assert_eq!(server.model().object("bucket", "old").unwrap().body, "mine");
}

/// The caller of a lock would conclude that another one has it.
#[tokio::test]
async fn a_write_that_nothing_proves_is_no_failed_condition() {
    let plan = Plan::new().on(Operation::PutObject, 1, Fault::AnswerLost(Ending::Close)).from(
        Operation::HeadObject,
        2,
        Fault::InternalError,
    );
    let (server, store) = s3(plan);
    let new = Path::from("new");
    let error = store.put_opts(&new, "mine".into(), PutMode::Create.into()).await.unwrap_err();
    assert!(is_unknown(&error), "{error:?}");
    assert!(server.model().object("bucket", "new").is_some());
}

#[tokio::test]
async fn errors_have_their_kinds_with_ours_inside() {
    let refuse =
        |status, code| Plan::new().always(Operation::GetObject, Fault::Refuse(status, code));
    let read = async |plan| {
        let (_server, store) = s3(plan);
        store.get_range(&old(), 0..5).await.unwrap_err()
    };
    let error = read(refuse(403, "AccessDenied")).await;
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
    let error = read(refuse(401, "Unauthorized")).await;
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
    let error = read(refuse(501, "NotImplemented")).await;
    assert!(matches!(error, Error::NotSupported { .. }), "{error}");
    let error = read(refuse(404, "NoSuchKey")).await;
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let error = read(refuse(400, "InvalidArgument")).await;
    let source = std::error::Error::source(&error).unwrap();
    let ours = source.downcast_ref::<apus_async::Error>().unwrap();
    assert_eq!((ours.code(), ours.operation()), (Some("InvalidArgument"), Some("GetObject")));
}

fn swift(plan: Plan<OpenStackOperation>) -> (EmbeddedOpenStack, SwiftStore) {
    stores::swift(OpenStackModel::new().with_container("demo", "box").with_plan(plan))
}

#[tokio::test]
async fn a_body_of_swift_that_is_cut_is_read_to_its_end_or_is_an_error() {
    let get = OpenStackOperation::GetObject;
    let plan = Plan::new().on(get, 1, Fault::CutBody(100_000, Ending::Close)).on(
        get,
        2,
        Fault::CutBody(50_000, Ending::Reset),
    );
    let (server, store) = swift(plan);
    store.put(&old(), pattern().into()).await.unwrap();
    assert_eq!(store.get(&old()).await.unwrap().bytes().await.unwrap(), pattern());
    // Of a large object, in its second segment.
    let mut upload = store.put_multipart(&Path::from("large")).await.unwrap();
    upload.put_part(pattern().into()).await.unwrap();
    upload.put_part(pattern().into()).await.unwrap();
    upload.complete().await.unwrap();
    server.model().set_plan(Plan::new().on(get, 1, Fault::CutBody(400_000, Ending::Reset)));
    let large = store.get(&Path::from("large")).await.unwrap().bytes().await.unwrap();
    assert_eq!(large, [pattern(), pattern()].concat());
    server.model().set_plan(Plan::new().always(get, Fault::CutBody(0, Ending::Close)));
    assert!(store.get_range(&old(), 7..999).await.is_err());
    let whole = async { store.get(&old()).await?.bytes().await };
    assert!(whole.await.is_err());
}

#[tokio::test]
async fn a_swift_that_is_busy_is_asked_again() {
    use OpenStackOperation as Of;
    let busy = Fault::SlowDown(None);
    let all = [Of::PutObject, Of::GetObject, Of::HeadObject, Of::GetContainer, Of::PutSlo];
    let more = [Of::DeleteObject, Of::CopyObject, Of::HeadContainer, Of::PutContainer];
    let plan = all.into_iter().chain(more);
    let (_server, store) = swift(plan.fold(Plan::new(), |plan, one| plan.on(one, 1, busy.clone())));
    let new = Path::from("new");
    store.put(&new, "x".into()).await.unwrap();
    assert_eq!(store.get(&new).await.unwrap().bytes().await.unwrap(), "x");
    store.copy(&new, &Path::from("copy")).await.unwrap();
    let mut upload = store.put_multipart(&Path::from("parts")).await.unwrap();
    upload.put_part("y".into()).await.unwrap();
    upload.complete().await.unwrap();
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), 3);
    let paths = futures_util::stream::iter(listed).map(|object| Ok(object.location)).boxed();
    let deleted: Vec<_> = store.delete_stream(paths).try_collect().await.unwrap();
    assert_eq!(deleted.len(), 3);
}

#[tokio::test]
async fn a_lost_response_to_a_conditional_write_to_swift_is_settled_by_a_look() {
    let lost =
        || Plan::new().on(OpenStackOperation::PutObject, 1, Fault::AnswerLost(Ending::Close));
    let (server, store) = swift(lost());
    let new = Path::from("new");
    store.put_opts(&new, "mine".into(), PutMode::Create.into()).await.unwrap();
    assert_eq!(store.get(&new).await.unwrap().bytes().await.unwrap(), "mine");
    // Another's object.
    server.model().set_plan(lost());
    let error = store.put_opts(&new, "theirs".into(), PutMode::Create.into()).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
    assert_eq!(store.get(&new).await.unwrap().bytes().await.unwrap(), "mine");
    // The request was applied, and nothing says so.
    let plan = Plan::new().always(OpenStackOperation::PutObject, Fault::AnswerLost(Ending::Close));
    let refused = Fault::Refuse(403, "Forbidden");
    server.model().set_plan(plan.from(OpenStackOperation::HeadObject, 2, refused));
    let other = Path::from("other");
    let error = store.put_opts(&other, "mine".into(), PutMode::Create.into()).await.unwrap_err();
    assert!(is_unknown(&error), "{error:?}");
}

#[tokio::test]
async fn a_manifest_whose_response_is_lost_keeps_its_segments() {
    let lost = Fault::AnswerLost(Ending::Close);
    let plan = Plan::new().on(OpenStackOperation::PutSlo, 1, lost);
    let model = OpenStackModel::new().with_container("demo", "box").with_plan(plan);
    let server = EmbeddedOpenStack::start(model).unwrap();
    let store = SwiftStore::new(servers::swift(&server), "box");
    let path = Path::from("key");
    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part("ab".into()).await.unwrap();
    upload.put_part("cd".into()).await.unwrap();
    let done = upload.complete().await;
    drop(upload);
    done.unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "abcd");
}

/// Each attempt is answered, and every response is lost: the object may exist, so its segments stay.
#[tokio::test]
async fn segments_of_an_object_that_may_exist_are_not_removed() {
    let lost = Fault::AnswerLost(Ending::Close);
    let plan = Plan::new().always(OpenStackOperation::PutSlo, lost).from(
        OpenStackOperation::HeadObject,
        2,
        Fault::Refuse(403, "Forbidden"),
    );
    let model = OpenStackModel::new().with_container("demo", "box").with_plan(plan);
    let server = EmbeddedOpenStack::start(model).unwrap();
    let store = SwiftStore::new(servers::swift(&server), "box");
    let path = Path::from("key");
    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part("ab".into()).await.unwrap();
    let error = upload.complete().await.unwrap_err();
    assert!(is_unknown(&error), "{error:?}");
    assert!(upload.abort().await.is_err());
    drop(upload);
    server.model().set_plan(Plan::new());
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "ab");
}

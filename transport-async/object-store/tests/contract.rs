//! What the documentation of the trait says of the ends of its methods, on both stores.
#![cfg(feature = "v0_14")]

use object_store_014 as object_store;

#[path = "common/servers.rs"]
mod servers;
#[path = "common/stores.rs"]
mod stores;

use apus_object_store::v0_14::{Registry, S3Store, SwiftStore};
use apus_testing::server::{
    EmbeddedOpenStack, Ending, Fault, FaultyS3, OpenStackModel, OpenStackOperation, Plan, S3Model,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::registry::ObjectStoreRegistry;
use object_store::{
    Attribute, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMultipartOptions,
    PutOptions, RenameOptions, RenameTargetMode,
};
use url::Url;

fn s3() -> (FaultyS3, S3Store) {
    stores::s3(S3Model::new().with_bucket("bucket"))
}

fn swift() -> (EmbeddedOpenStack, SwiftStore) {
    swift_with(Plan::new())
}

fn swift_with(plan: Plan<OpenStackOperation>) -> (EmbeddedOpenStack, SwiftStore) {
    stores::swift(OpenStackModel::new().with_container("demo", "box").with_plan(plan))
}

async fn read(store: &dyn ObjectStore, path: &Path) -> Bytes {
    store.get(path).await.unwrap().bytes().await.unwrap()
}

async fn names(store: &dyn ObjectStore) -> Vec<String> {
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    listed.into_iter().map(|object| object.location.to_string()).collect()
}

/// "Up to the last n bytes": of an empty object they are none, where HTTP responds with 416.
#[tokio::test]
async fn ranges_end_with_the_object() {
    let ((_s3_server, s3), (_swift_server, swift)) = (s3(), swift());
    for store in [&s3 as &dyn ObjectStore, &swift] {
        let (path, empty) = (Path::from("key"), Path::from("empty"));
        store.put(&path, "0123456789".into()).await.unwrap();
        store.put(&empty, "".into()).await.unwrap();
        let get = async |path: &Path, range: GetRange| {
            let got = store.get_opts(path, GetOptions::new().with_range(Some(range))).await?;
            Ok::<_, Error>((got.range.clone(), got.meta.size, got.bytes().await?))
        };
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        let cases = [
            (GetRange::Suffix(3), 7..10, "789"),
            (GetRange::Suffix(10), 0..10, "0123456789"),
            (GetRange::Suffix(99), 0..10, "0123456789"),
            (GetRange::Suffix(u64::MAX), 0..10, "0123456789"),
            (GetRange::Suffix(0), 10..10, ""),
            (GetRange::Offset(0), 0..10, "0123456789"),
            (GetRange::Offset(9), 9..10, "9"),
            (GetRange::Bounded(9..99), 9..10, "9"),
            (GetRange::Bounded(8..u64::MAX), 8..10, "89"),
        ];
        for (range, place, text) in cases {
            let got = get(&path, range.clone()).await;
            assert_eq!(got.unwrap(), (place, 10, bytes(text)), "{store} {range:?}");
        }
        for range in [GetRange::Suffix(5), GetRange::Suffix(0), GetRange::Suffix(9 << 20)] {
            assert_eq!(get(&empty, range).await.unwrap(), (0..0, 0, bytes("")), "{store}");
        }
        for (path, range) in [
            (&path, GetRange::Offset(10)),
            (&path, GetRange::Bounded(10..11)),
            (&path, GetRange::Bounded(5..5)),
            (&empty, GetRange::Offset(0)),
            (&empty, GetRange::Bounded(0..1)),
        ] {
            let got = get(path, range.clone()).await;
            assert!(matches!(got, Err(Error::Generic { .. })), "{store} {range:?}: {got:?}");
        }
        let head = GetOptions::new().with_head(true).with_range(Some(GetRange::Suffix(3)));
        assert_eq!(store.get_opts(&path, head).await.unwrap().range, 7..10);
        assert!(store.get(&empty).await.unwrap().bytes().await.unwrap().is_empty());
        let missing = get(&Path::from("missing"), GetRange::Suffix(0)).await;
        assert!(matches!(missing, Err(Error::NotFound { .. })), "{store}: {missing:?}");
    }
}

#[tokio::test]
async fn a_head_and_a_get_compare_the_same_conditions() {
    let ((_s3_server, s3), (_swift_server, swift)) = (s3(), swift());
    for store in [&s3 as &dyn ObjectStore, &swift] {
        let path = Path::from("key");
        store.put(&path, "0123456789".into()).await.unwrap();
        let meta = store.head(&path).await.unwrap();
        let (tag, other) = (meta.e_tag.unwrap(), "\"0\"".to_owned());
        let second = chrono_second();
        for head in [false, true] {
            let get =
                async |options: GetOptions| store.get_opts(&path, options.with_head(head)).await;
            let options = GetOptions::new;
            get(options().with_if_match(Some(tag.clone()))).await.unwrap();
            get(options().with_if_match(Some("*".to_owned()))).await.unwrap();
            get(options().with_if_match(Some(format!("{other}, {tag}")))).await.unwrap();
            get(options().with_if_none_match(Some(other.clone()))).await.unwrap();
            get(options().with_if_unmodified_since(Some(meta.last_modified))).await.unwrap();
            get(options().with_if_modified_since(Some(meta.last_modified - second))).await.unwrap();
            for refused in [
                options().with_if_match(Some(other.clone())),
                options().with_if_unmodified_since(Some(meta.last_modified - second)),
            ] {
                let got = get(refused).await;
                assert!(matches!(got, Err(Error::Precondition { .. })), "{store}: {got:?}");
            }
            for unchanged in [
                options().with_if_none_match(Some(tag.clone())),
                options().with_if_none_match(Some("*".to_owned())),
                options().with_if_none_match(Some(format!("{other}, {tag}"))),
                options().with_if_modified_since(Some(meta.last_modified)),
            ] {
                let got = get(unchanged).await;
                assert!(matches!(got, Err(Error::NotModified { .. })), "{store}: {got:?}");
            }
        }
    }
}

fn chrono_second() -> chrono::TimeDelta {
    chrono::TimeDelta::seconds(1)
}

/// The default of the trait copies, then deletes: the only object would be gone.
#[tokio::test]
async fn an_object_that_is_renamed_to_itself_stays() {
    let ((_s3_server, s3), (_swift_server, swift)) = (s3(), swift());
    for store in [&s3 as &dyn ObjectStore, &swift] {
        let path = Path::from("key");
        let large = Path::from("large");
        store.put(&path, "here".into()).await.unwrap();
        let mut upload = store.put_multipart(&large).await.unwrap();
        upload.put_part(vec![1; 5 << 20].into()).await.unwrap();
        upload.put_part("end".into()).await.unwrap();
        upload.complete().await.unwrap();
        for path in [&path, &large] {
            let before = store.head(path).await.unwrap();
            store.copy(path, path).await.unwrap();
            store.rename(path, path).await.unwrap();
            assert_eq!(store.head(path).await.unwrap(), before, "{store}");
            let create = RenameOptions::new().with_target_mode(RenameTargetMode::Create);
            for refused in [
                store.rename_opts(path, path, create).await,
                store.copy_if_not_exists(path, path).await,
            ] {
                assert!(
                    matches!(refused, Err(Error::AlreadyExists { .. })),
                    "{store}: {refused:?}"
                );
            }
            assert_eq!(read(store, path).await.len() as u64, before.size, "{store}");
        }
        let missing = Path::from("missing");
        for refused in
            [store.rename(&missing, &missing).await, store.copy(&missing, &missing).await]
        {
            assert!(matches!(refused, Err(Error::NotFound { .. })), "{store}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_copy_has_the_attributes_of_its_source() {
    let ((_s3_server, s3), (_swift_server, swift)) = (s3(), swift());
    for store in [&s3 as &dyn ObjectStore, &swift] {
        let attributes = object_store::Attributes::from_iter([
            (Attribute::ContentType, "text/csv"),
            (Attribute::ContentLanguage, "en"),
            (Attribute::CacheControl, "no-store"),
            (Attribute::Metadata("a_b".into()), "c"),
        ]);
        let (from, to) = (Path::from("from"), Path::from("to"));
        let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
        store.put_opts(&from, "x".into(), options).await.unwrap();
        store.copy(&from, &to).await.unwrap();
        assert_eq!(store.get(&to).await.unwrap().attributes, attributes, "{store}");
        let third = Path::from("third");
        store.copy_if_not_exists(&from, &third).await.unwrap();
        assert_eq!(store.get(&third).await.unwrap().attributes, attributes, "{store}");
        let large = Path::from("large");
        let options = PutMultipartOptions { attributes: attributes.clone(), ..Default::default() };
        let mut upload = store.put_multipart_opts(&large, options).await.unwrap();
        upload.put_part("parts".into()).await.unwrap();
        upload.complete().await.unwrap();
        store.rename(&large, &to).await.unwrap();
        assert_eq!(store.get(&to).await.unwrap().attributes, attributes, "{store}");
        assert_eq!(read(store, &to).await, "parts");
    }
}

#[tokio::test]
async fn an_upload_without_parts_is_an_empty_object() {
    let ((_s3_server, s3), (_swift_server, swift)) = (s3(), swift());
    for store in [&s3 as &dyn ObjectStore, &swift] {
        let path = Path::from("key");
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(store.head(&path).await.unwrap().size, 0);
        assert!(read(store, &path).await.is_empty());
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part("".into()).await.unwrap();
        upload.complete().await.unwrap();
        assert!(read(store, &path).await.is_empty());
    }
}

/// What a caller does after the end of an upload must not reach the object.
#[tokio::test]
async fn the_object_stays_whatever_follows_the_completion_of_its_upload() {
    let ((s3_server, s3), (_swift_server, swift)) = (s3(), swift());
    for store in [&s3 as &dyn ObjectStore, &swift] {
        let path = Path::from("key");
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part(vec![1; 5 << 20].into()).await.unwrap();
        upload.put_part("end".into()).await.unwrap();
        upload.complete().await.unwrap();
        _ = upload.complete().await;
        assert_eq!(read(store, &path).await.len(), (5 << 20) + 3, "{store}: completed again");
        _ = upload.abort().await;
        assert_eq!(read(store, &path).await.len(), (5 << 20) + 3, "{store}: aborted");
        assert!(upload.put_part("more".into()).await.is_err(), "{store}: another part");
        drop(upload);
        assert_eq!(read(store, &path).await.len(), (5 << 20) + 3, "{store}: dropped");
    }
    assert!(s3_server.model().open_uploads().is_empty());
    let segments = SwiftStore::new(swift.client().clone(), "box_segments");
    assert_eq!(names(&segments).await.len(), 2);
}

#[tokio::test]
async fn the_object_stays_whatever_follows_the_completion_of_its_upload_by_id() {
    let ((_s3_server, s3), (_swift_server, swift)) = (s3(), swift());
    async fn check(store: &(impl ObjectStore + MultipartStore)) {
        let path = Path::from("key");
        let id = store.create_multipart(&path).await.unwrap();
        let mut parts = vec![store.put_part(&path, &id, 0, vec![1; 5 << 20].into()).await.unwrap()];
        parts.push(store.put_part(&path, &id, 1, "end".into()).await.unwrap());
        store.complete_multipart(&path, &id, parts.clone()).await.unwrap();
        _ = store.abort_multipart(&path, &id).await;
        assert_eq!(read(store, &path).await.len(), (5 << 20) + 3, "{store}: aborted");
        _ = store.complete_multipart(&path, &id, parts).await;
        assert_eq!(read(store, &path).await.len(), (5 << 20) + 3, "{store}: completed again");
        let id = store.create_multipart(&path).await.unwrap();
        store.put_part(&path, &id, 0, "x".into()).await.unwrap();
        store.abort_multipart(&path, &id).await.unwrap();
        assert_eq!(read(store, &path).await.len(), (5 << 20) + 3, "{store}: another was aborted");
    }
    check(&s3).await;
    check(&swift).await;
    let segments = SwiftStore::new(swift.client().clone(), "box_segments");
    assert_eq!(names(&segments).await.len(), 2);
}

/// The manifest is stored, the response lost, and so is the look: the caller completes it again.
#[tokio::test]
async fn a_completion_that_is_repeated_keeps_the_segments_of_its_object() {
    let plan = || {
        let lost = Fault::AnswerLost(Ending::Close);
        Plan::new().always(OpenStackOperation::PutSlo, lost).from(
            OpenStackOperation::HeadObject,
            2,
            Fault::Refuse(403, "Forbidden"),
        )
    };
    let (server, store) = swift_with(plan());
    let path = Path::from("key");
    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part("ab".into()).await.unwrap();
    upload.put_part("cd".into()).await.unwrap();
    upload.complete().await.unwrap_err();
    server.model().set_plan(Plan::new());
    upload.complete().await.unwrap();
    assert_eq!(read(&store, &path).await, "abcd");

    let (server, store) = swift();
    let id = store.create_multipart(&path).await.unwrap();
    let part = store.put_part(&path, &id, 0, "ef".into()).await.unwrap();
    let always = Fault::AnswerLost(Ending::Close);
    let refused = Fault::Refuse(403, "Forbidden");
    let plan = Plan::new().always(OpenStackOperation::PutSlo, always);
    let heads = OpenStackOperation::HeadObject;
    // The first two looks are at the properties and at what is replaced.
    server.model().set_plan(plan.from(heads, 3, refused));
    store.complete_multipart(&path, &id, vec![part.clone()]).await.unwrap_err();
    server.model().set_plan(Plan::new());
    // An upload that is given up is not the end of the object.
    assert!(store.abort_multipart(&path, &id).await.is_err());
    assert_eq!(read(&store, &path).await, "ef");
    store.complete_multipart(&path, &id, vec![part]).await.unwrap();
    assert_eq!(read(&store, &path).await, "ef");
}

/// A part that is sent when its upload is given up is stored later than the others are removed.
#[tokio::test]
async fn a_part_that_outlives_its_upload_leaves_no_segment() {
    let slow = Fault::Delay(std::time::Duration::from_millis(300));
    let plan = Plan::new().on(OpenStackOperation::PutObject, 2, slow);
    let (_server, store) = swift_with(plan);
    let segments = SwiftStore::new(store.client().clone(), "box_segments");
    for aborted in [true, false] {
        let mut upload = store.put_multipart(&Path::from("key")).await.unwrap();
        upload.put_part("one".into()).await.unwrap();
        let two = tokio::spawn(upload.put_part("two".into()));
        let three = upload.put_part("three".into());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        if aborted {
            upload.abort().await.unwrap();
        }
        drop(upload);
        assert!(three.await.is_err());
        _ = two.await;
        for _ in 0..100 {
            if names(&segments).await.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(names(&segments).await, [""; 0], "aborted: {aborted}");
    }
}

#[tokio::test]
async fn a_list_begins_after_its_offset() {
    let ((_s3_server, s3), (_swift_server, swift)) = (s3(), swift());
    let s3 = s3.with_prefix(&Path::from("pre"));
    for store in [&s3 as &dyn ObjectStore, &swift] {
        for name in ["a", "a/b", "a/c", "a-d", "ab/e", "z"] {
            store.put(&Path::from(name), "x".into()).await.unwrap();
        }
        let list = async |prefix: Option<&str>, offset: &str| {
            let prefix = prefix.map(Path::from);
            let listed = store.list_with_offset(prefix.as_ref(), &Path::from(offset));
            let mut listed: Vec<_> =
                listed.map_ok(|one| one.location.to_string()).try_collect().await.unwrap();
            listed.sort();
            listed
        };
        assert_eq!(list(Some("a"), "a/b").await, ["a/c"], "{store}");
        assert_eq!(list(Some("a"), "a").await, ["a/b", "a/c"], "{store}");
        assert_eq!(list(Some("a"), "0").await, ["a/b", "a/c"], "{store}");
        assert_eq!(list(None, "a/bb").await, ["a/c", "ab/e", "z"], "{store}");
        assert_eq!(list(None, "").await.len(), 6, "{store}");
        assert_eq!(list(Some("a"), "b").await, [""; 0], "{store}");
    }
}

/// Two buckets of one server, and a path in which a slash is escaped.
#[tokio::test]
async fn a_registry_opens_the_bucket_that_a_url_names() {
    let options = [
        ("aws_access_key_id", "KEY"),
        ("aws_secret_access_key", "SECRET"),
        ("aws_region", "us-east-1"),
    ];
    let registry = Registry::new(options);
    let url = |text| Url::parse(text).unwrap();
    let (lake, path) = registry.resolve(&url("s3+http://127.0.0.1:9/lake/a%2Fb")).unwrap();
    assert_eq!((lake.to_string(), path), ("S3Store(lake/)".to_owned(), Path::from("a/b")));
    let (other, path) = registry.resolve(&url("s3+http://127.0.0.1:9/other/c")).unwrap();
    assert_eq!((other.to_string(), path), ("S3Store(other/)".to_owned(), Path::from("c")));
}

#[tokio::test]
async fn an_error_of_one_path_is_that_path_s() {
    let plan = Plan::new().on(OpenStackOperation::DeleteObject, 2, Fault::Refuse(403, "Forbidden"));
    let (_server, store) = swift_with(plan);
    let paths = ["a", "b", "c"].map(Path::from);
    for path in &paths {
        store.put(path, "x".into()).await.unwrap();
    }
    let stream = futures_util::stream::iter(paths.clone()).map(Ok).boxed();
    let outcomes: Vec<_> = store.delete_stream(stream).collect().await;
    let failed: Vec<_> = outcomes.iter().filter_map(|one| one.as_ref().err()).collect();
    assert!(matches!(failed[..], [Error::PermissionDenied { .. }]), "{failed:?}");
    let left = names(&store).await;
    let Error::PermissionDenied { path, .. } = failed[0] else { unreachable!() };
    assert_eq!(left, [path.as_str()]);
}

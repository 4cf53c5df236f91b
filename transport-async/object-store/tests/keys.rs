//! Keys and paths: what a path can name, and what is reported of the rest.
#![cfg(feature = "v0_14")]

use object_store_014 as object_store;

#[path = "common/servers.rs"]
mod servers;
#[path = "common/stores.rs"]
mod stores;

use apus_async::swift;
use apus_object_store::v0_14::{S3Store, SwiftStore};
use apus_testing::server::{EmbeddedOpenStack, FaultyS3, OpenStackModel, S3Model};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};

fn s3(keys: &[&str]) -> (FaultyS3, S3Store) {
    let model = S3Model::new().with_bucket("bucket");
    let model = keys.iter().fold(model, |model, key| model.with_object("bucket", key, "x"));
    stores::s3(model)
}

/// `Path::from` escapes what `Path::parse` takes as it is: the key is what the path holds, escapes
/// included.
#[tokio::test]
async fn a_path_is_the_key_with_the_escapes_that_it_holds() {
    let (server, store) = s3(&[]);
    let cases = [
        (Path::from("a#b"), "a%23b"),
        (Path::parse("a#b").unwrap(), "a#b"),
        (Path::from("100%"), "100%25"),
        (Path::parse("100%").unwrap(), "100%"),
        (Path::from_iter(["a/b", "c"]), "a%2Fb/c"),
        (Path::parse("a b+c&d=é?").unwrap(), "a b+c&d=é?"),
    ];
    for (path, key) in &cases {
        store.put(path, "x".into()).await.unwrap();
        assert!(server.model().object("bucket", key).is_some(), "{key}");
        assert_eq!(store.get(path).await.unwrap().bytes().await.unwrap(), "x");
    }
    let listed = store.list(None).map_ok(|object| object.location).try_collect::<Vec<_>>().await;
    let mut listed = listed.unwrap();
    listed.sort();
    let mut paths = cases.map(|(path, _)| path);
    paths.sort();
    assert_eq!(listed, paths, "a listing returns the same paths");
}

/// The same names in Swift's account, as Swift itself lists them.
#[tokio::test]
async fn a_path_is_the_name_of_swift_with_the_escapes_that_it_holds() {
    let model = OpenStackModel::new().with_container("demo", "box");
    let server = EmbeddedOpenStack::start(model).unwrap();
    let client = servers::swift(&server);
    let store = SwiftStore::new(client.clone(), "box");
    let cases = [
        (Path::from("a#b"), "a%23b"),
        (Path::parse("a#b").unwrap(), "a#b"),
        (Path::parse("a?b=c").unwrap(), "a?b=c"),
        (Path::from("100%"), "100%25"),
        (Path::parse("100%").unwrap(), "100%"),
        (Path::from_iter(["a/b", "c"]), "a%2Fb/c"),
        (Path::parse("a b+c&d=é?").unwrap(), "a b+c&d=é?"),
    ];
    let mut names = Vec::new();
    for (path, name) in &cases {
        store.put(path, "x".into()).await.unwrap();
        assert_eq!(store.get(path).await.unwrap().bytes().await.unwrap(), "x");
        names.push((*name).to_owned());
    }
    // And written by the client alone, each is found by its path.
    let put = swift::PutObject::new("box", "b#c d%41", "y");
    client.call(put).await.unwrap();
    let path = Path::parse("b#c d%41").unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "y");
    names.push("b#c d%41".to_owned());
    let mut entries = client.items(swift::GetContainer::new("box"));
    let mut found = Vec::new();
    while let Some(entry) = entries.next().await {
        found.push(entry.unwrap().name().to_owned());
    }
    names.sort();
    assert_eq!(found, names);
    let mut listed: Vec<_> =
        store.list(None).map_ok(|object| object.location.to_string()).try_collect().await.unwrap();
    listed.sort();
    assert_eq!(listed, names, "a listing returns the same paths");
    let paths = cases.map(|(path, _)| Ok(path)).into_iter().chain([Ok(path)]);
    let deleted = store.delete_stream(futures_util::stream::iter(paths).boxed());
    assert_eq!(deleted.try_collect::<Vec<_>>().await.unwrap().len(), names.len());
    assert!(store.list(None).next().await.is_none());
}

/// A key is never listed under the path of another one.
#[tokio::test]
async fn a_key_that_no_path_can_name_is_an_error_of_the_listing() {
    for key in ["a//b", "/a", "a/../b", "a/./b", "new\nline"] {
        let (_server, store) = s3(&["b", key]);
        let listed: Vec<_> = store.list(None).collect().await;
        let errors = listed.iter().filter(|object| object.is_err());
        for error in errors.clone() {
            assert!(matches!(error, Err(Error::InvalidPath { .. })), "{key}: {error:?}");
        }
        assert_eq!((listed.len(), errors.count()), (2, 1), "{key:?}: {listed:?}");
    }
}

/// Consoles show directories by such objects, which LocalFileSystem does not list either.
#[tokio::test]
async fn the_marker_of_a_directory_is_not_listed() {
    let model = S3Model::new().with_bucket("bucket").with_object("bucket", "logs/", "");
    let model = model.with_object("bucket", "logs/a", "x").with_object("bucket", "full/", "x");
    let server = FaultyS3::start(model).unwrap();
    let store = S3Store::new(servers::s3(&server), "bucket");
    let below = store.list(Some(&Path::from("logs"))).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(below.len(), 1);
    // Bytes below such a name are not hidden.
    let all: Vec<_> = store.list(None).collect().await;
    assert_eq!(all.iter().filter(|object| object.is_err()).count(), 1);
}

#[tokio::test]
async fn a_store_with_a_prefix_sees_what_is_below_it_only() {
    let (server, store) = s3(&["data/one", "data2/two", "three"]);
    let inner = store.clone().with_prefix(&Path::from("data"));
    inner.put(&Path::from("deep/four"), "x".into()).await.unwrap();
    assert!(server.model().object("bucket", "data/deep/four").is_some());
    let listed = inner.list(None).map_ok(|object| object.location).try_collect::<Vec<_>>().await;
    assert_eq!(listed.unwrap(), [Path::from("deep/four"), Path::from("one")]);
    let top = inner.list_with_delimiter(None).await.unwrap();
    assert_eq!(top.common_prefixes, [Path::from("deep")]);
    inner.rename(&Path::from("one"), &Path::from("five")).await.unwrap();
    assert!(server.model().object("bucket", "data/five").is_some());
    assert_eq!(inner.to_string(), "S3Store(bucket/data)");
}

//! Objects in a bucket that keeps their versions.

use apus_core::Error;
use apus_core::s3::{
    BucketVersioning, CopyObject, CopySource, DeleteObject, GetObject, HeadObject,
    ListObjectVersions, PutBucketVersioning, PutObject,
};

use super::refused;
use crate::live::Case;
use crate::live::stage::Stage;

pub const CASES: &[Case] = &[
    Case::ok("GetObject, HeadObject, CopyObject, DeleteObject of a version", versions),
    Case::ok("ListObjectVersions", list),
];

fn store(stage: &Stage<'_>, key: &str, texts: &[&'static str]) -> Result<Vec<String>, Error> {
    stage.call(PutBucketVersioning::new(&stage.bucket, BucketVersioning::enabled()))?;
    let mut ids = Vec::new();
    for text in texts {
        let stored = stage.call(PutObject::new(&stage.bucket, key, *text))?;
        ids.push(stored.version_id.expect("the bucket keeps versions"));
    }
    Ok(ids)
}

fn versions(stage: &Stage<'_>) -> Result<(), Error> {
    let (bucket, key) = (&stage.bucket, "versions");
    let ids = store(stage, key, &["first", "second, longer"])?;
    let of = |id: &String| Some(id.clone());
    let get = |version_id| GetObject { version_id, ..GetObject::new(bucket, key) };
    assert_eq!(stage.call(get(None))?.body, "second, longer");
    assert_eq!(stage.call(get(of(&ids[0])))?.body, "first");
    let head = HeadObject { version_id: of(&ids[0]), ..HeadObject::new(bucket, key) };
    assert_eq!(stage.call(head)?.size, Some(5));
    let source = CopySource { version_id: of(&ids[0]), ..CopySource::new(bucket, key) };
    stage.call(CopyObject::new(bucket, "copy", source))?;
    assert_eq!(stage.call(GetObject::new(bucket, "copy"))?.body, "first");

    let deleted = stage.call(DeleteObject::new(bucket, key))?;
    assert_eq!(deleted.delete_marker, Some(true));
    refused(stage.call(get(None)), 404, "NoSuchKey");
    let marker = deleted.version_id.expect("a delete marker has an id");
    for id in [&marker, &ids[1]] {
        stage.call(DeleteObject { version_id: of(id), ..DeleteObject::new(bucket, key) })?;
    }
    assert_eq!(stage.call(get(None))?.body, "first");
    Ok(())
}

fn list(stage: &Stage<'_>) -> Result<(), Error> {
    let (bucket, key) = (&stage.bucket, "listed/ü +");
    let ids = store(stage, key, &["one", "two", "three"])?;
    let marker = stage.call(DeleteObject::new(bucket, key))?.version_id;
    let mut next = Some(ListObjectVersions {
        prefix: Some("listed/".into()),
        max_keys: Some(2),
        ..ListObjectVersions::new(bucket)
    });
    let (mut seen, mut markers, mut pages) = (Vec::new(), Vec::new(), 0);
    while let Some(list) = next {
        let page = stage.call(list.clone())?;
        seen.extend(page.versions.iter().filter_map(|version| version.version_id.clone()));
        assert!(page.versions.iter().all(|version| version.object.key == key));
        markers.extend(page.delete_markers.iter().map(|marker| marker.version_id.clone()));
        pages += 1;
        next = list.next(&page)?;
    }
    seen.reverse();
    assert_eq!(seen, ids);
    assert_eq!(markers, [marker]);
    assert!(pages >= 2, "{pages}");
    Ok(())
}

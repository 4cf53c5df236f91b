//! Objects in a bucket that keeps their versions, retention and legal holds.

use apus_core::Error;
use apus_core::now::Timestamp;
use apus_core::s3::{
    BucketVersioning, CopyObject, CopySource, DeleteObject, GetObject, GetObjectLegalHold,
    GetObjectRetention, HeadObject, ListObjectVersions, PutBucketVersioning, PutObject,
    PutObjectLegalHold, PutObjectRetention, Retention,
};

use super::refused;
use crate::live::Case;
use crate::live::stage::Stage;

pub const CASES: &[Case] = &[
    Case::ok("GetObject, HeadObject, CopyObject, DeleteObject of a version", versions),
    Case::ok("ListObjectVersions", list),
    Case::ok("PutObjectRetention on a locked bucket", put_retention),
    Case::ok("GetObjectRetention on a locked bucket", get_retention),
    Case::ok("Get/PutObjectLegalHold on a locked bucket", legal_hold),
    Case::denied(
        "PutObjectRetention on a bucket without a lock",
        retention_without_lock,
        "400 InvalidRequest",
    ),
    Case::denied(
        "PutObjectLegalHold on a bucket without a lock",
        legal_hold_without_lock,
        "400 InvalidRequest",
    ),
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

/// Stores an object in a locked bucket, and gives its version to the check.
fn locked(
    stage: &Stage<'_>,
    check: fn(&Stage<'_>, String) -> Result<(), Error>,
) -> Result<(), Error> {
    let auth = stage.site.first.auth();
    let locked = Stage::create(stage.site, stage.place, "locked", auth, |create| {
        create.object_lock_enabled = Some(true);
    });
    let stored = locked.call(PutObject::new(&locked.bucket, LOCKED, "x"));
    let result = stored.and_then(|stored| {
        let version = stored.version_id.expect("a locked bucket keeps versions");
        check(&locked, version)
    });
    // What is held can't be removed.
    let _ = locked.call(PutObjectLegalHold::new(&locked.bucket, LOCKED, false));
    locked.close();
    result
}

const LOCKED: &str = "locked";

fn for_an_hour() -> Retention {
    let now = apus_blocking::now();
    let until = Timestamp::from_unix(Timestamp::from_duration(now.unix).unix() + 3600);
    Retention { mode: Some("GOVERNANCE".into()), retain_until: Some(until), ..Retention::default() }
}

fn delete_locked(stage: &Stage<'_>, version: &str, bypass: Option<bool>) -> Result<(), Error> {
    let delete = DeleteObject {
        version_id: Some(version.to_owned()),
        bypass_governance_retention: bypass,
        ..DeleteObject::new(&stage.bucket, LOCKED)
    };
    stage.call(delete).map(drop)
}

fn put_retention(stage: &Stage<'_>) -> Result<(), Error> {
    locked(stage, |stage, version| {
        stage.call(PutObjectRetention::new(&stage.bucket, LOCKED, for_an_hour()))?;
        refused(delete_locked(stage, &version, None), 403, "AccessDenied");
        delete_locked(stage, &version, Some(true))
    })
}

fn get_retention(stage: &Stage<'_>) -> Result<(), Error> {
    locked(stage, |stage, _| {
        let retention = for_an_hour();
        stage.call(PutObjectRetention::new(&stage.bucket, LOCKED, retention.clone()))?;
        assert_eq!(stage.call(GetObjectRetention::new(&stage.bucket, LOCKED))?, retention);
        Ok(())
    })
}

fn legal_hold(stage: &Stage<'_>) -> Result<(), Error> {
    locked(stage, |stage, version| {
        for (hold, status) in [(true, "ON"), (false, "OFF")] {
            stage.call(PutObjectLegalHold::new(&stage.bucket, LOCKED, hold))?;
            let held = stage.call(GetObjectLegalHold::new(&stage.bucket, LOCKED))?;
            assert_eq!(held.as_deref(), Some(status));
            if hold {
                refused(delete_locked(stage, &version, Some(true)), 403, "AccessDenied");
            }
        }
        delete_locked(stage, &version, None)
    })
}

fn retention_without_lock(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject::new(&stage.bucket, "unlocked", "x"))?;
    stage.call(PutObjectRetention::new(&stage.bucket, "unlocked", for_an_hour())).map(drop)
}

fn legal_hold_without_lock(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject::new(&stage.bucket, "unheld", "x"))?;
    stage.call(PutObjectLegalHold::new(&stage.bucket, "unheld", true)).map(drop)
}

//! Objects, their tags, attributes and locks.

use apus_core::Error;
use apus_core::credentials::Credentials;
use apus_core::machine::Auth;
use apus_core::now::Timestamp;
use apus_core::s3::{
    Access, ByteRange, Conditions, CopyObject, CopySource, CustomerKey, DeleteObject,
    DeleteObjectTagging, DeleteObjects, Directive, ETag, Encryption, GetObject,
    GetObjectAttributes, GetObjectLegalHold, GetObjectRetention, GetObjectTagging, HeadObject,
    ListObjectsV2, Properties, PutObject, PutObjectLegalHold, PutObjectRetention, PutObjectTagging,
    ResponseOverrides, Retention, Tags,
};

use super::{payload, refused};
use crate::live::stage::Stage;
use crate::live::{Case, Refusal};

pub const CASES: &[Case] = &[
    Case::ok("PutObject", put),
    Case::ok("HeadObject", head),
    Case::ok("GetObject", get),
    Case::ok("GetObject of a range", range),
    Case::ok("GetObject on conditions", conditions),
    Case::ok("PutObject with If-None-Match: *", put_if_absent),
    Case::ok("PutObject with If-Match", put_if_match)
        .or(|_| Refusal::plain("412 PreconditionFailed")),
    Case::ok("PutObject with If-Match, the tag without its quotes", put_if_match_unquoted),
    Case::ok("CopyObject", copy),
    Case::ok("DeleteObject", delete),
    Case::ok("DeleteObjects", delete_objects),
    Case::ok("Get/Put/DeleteObjectTagging", tagging),
    Case::ok("SSE-C", customer_key),
    Case::ok("public-read ACL, anonymous GetObject", anonymous),
    Case::ok("odd keys", odd_keys),
    Case::ok("GetObjectAttributes", attributes)
        .or(|_| Refusal::hinted("refused", "use HeadObject")),
    Case::ok("Get/PutObjectRetention, Get/PutObjectLegalHold on a locked bucket", lock),
    Case::ok("PutObjectRetention on a bucket without a lock", retention_without_lock)
        .or(|_| Refusal::plain("400 InvalidRequest")),
    Case::ok("PutObjectLegalHold on a bucket without a lock", legal_hold_without_lock)
        .or(|_| Refusal::plain("400 InvalidRequest")),
];

fn properties() -> Properties {
    Properties {
        cache_control: Some("no-cache".into()),
        content_disposition: Some("attachment; filename=\"a b.img\"".into()),
        content_language: Some("de".into()),
        content_type: Some("application/x-image".into()),
        metadata: [("sensor".to_owned(), "left + right".to_owned())].into(),
        ..Properties::default()
    }
}

fn store(stage: &Stage<'_>, key: &str) -> Result<Vec<u8>, Error> {
    let bytes = payload(3000);
    let mut put = PutObject::new(&stage.bucket, key, bytes.clone());
    put.properties = properties();
    stage.call(put)?;
    Ok(bytes)
}

fn put(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(3000);
    let mut put = PutObject::new(&stage.bucket, "put", bytes.clone());
    put.properties = properties();
    let stored = stage.call(put)?;
    let md5 = apus_core::checksum::Algorithm::Md5.digest(&bytes).unwrap().hex();
    assert_eq!(stored.etag.opaque(), md5);
    Ok(())
}

fn head(stage: &Stage<'_>) -> Result<(), Error> {
    store(stage, "head")?;
    let head = stage.call(HeadObject::new(&stage.bucket, "head"))?;
    let asked = properties();
    assert_eq!(head.size, Some(3000));
    assert_eq!(head.cache_control, asked.cache_control);
    assert_eq!(head.content_disposition, asked.content_disposition);
    assert_eq!(head.content_language, asked.content_language);
    assert_eq!(head.content_type, asked.content_type);
    assert_eq!(head.metadata, asked.metadata);
    assert!(head.last_modified.is_some());
    let missing = stage.call(HeadObject::new(&stage.bucket, "missing")).unwrap_err();
    assert!(missing.is_not_found(), "{missing}");
    Ok(())
}

fn get(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = store(stage, "get")?;
    let answer = stage.call(GetObject::new(&stage.bucket, "get"))?;
    assert!(answer.body == bytes);
    let overridden = GetObject {
        response: ResponseOverrides {
            content_type: Some("text/plain".into()),
            ..ResponseOverrides::default()
        },
        ..GetObject::new(&stage.bucket, "get")
    };
    assert_eq!(stage.call(overridden)?.head.content_type.as_deref(), Some("text/plain"));
    refused(stage.call(GetObject::new(&stage.bucket, "missing")), 404, "NoSuchKey");
    Ok(())
}

fn range(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = store(stage, "range")?;
    for (range, expected) in [
        (ByteRange::Span(10..20), &bytes[10..20]),
        (ByteRange::From(2990), &bytes[2990..]),
        (ByteRange::Last(7), &bytes[2993..]),
        (ByteRange::Span(2990..5000), &bytes[2990..]),
    ] {
        let get = GetObject { range: Some(range), ..GetObject::new(&stage.bucket, "range") };
        let answer = stage.call(get)?;
        assert!(answer.body == expected);
        assert_eq!(answer.head.size, Some(3000));
    }
    let beyond =
        GetObject { range: Some(ByteRange::From(3000)), ..GetObject::new(&stage.bucket, "range") };
    refused(stage.call(beyond), 416, "InvalidRange");
    Ok(())
}

fn conditions(stage: &Stage<'_>) -> Result<(), Error> {
    store(stage, "conditions")?;
    let etag = stage.call(HeadObject::new(&stage.bucket, "conditions"))?.etag.unwrap();
    let get = |conditions| GetObject { conditions, ..GetObject::new(&stage.bucket, "conditions") };
    stage.call(get(Conditions::matches(etag.clone())))?;
    let none = Conditions { if_none_match: Some(etag), ..Conditions::default() };
    assert!(stage.call(get(none)).unwrap_err().is_not_modified());
    let other = stage.call(get(Conditions::matches(ETag::from("\"0123\""))));
    refused(other, 412, "PreconditionFailed");
    Ok(())
}

fn put_if_absent(stage: &Stage<'_>) -> Result<(), Error> {
    let put = |text: &'static str| PutObject {
        conditions: Conditions::absent(),
        ..PutObject::new(&stage.bucket, "absent", text)
    };
    stage.call(put("first"))?;
    refused(stage.call(put("second")), 412, "PreconditionFailed");
    assert_eq!(stage.call(GetObject::new(&stage.bucket, "absent"))?.body, "first");
    Ok(())
}

/// Ceph compares the tag with the quotes in it.
fn put_if_match(stage: &Stage<'_>) -> Result<(), Error> {
    put_matching(stage, |etag| etag)
}

fn put_if_match_unquoted(stage: &Stage<'_>) -> Result<(), Error> {
    put_matching(stage, |etag| ETag::new(etag.opaque()))
}

fn put_matching(stage: &Stage<'_>, written: fn(ETag) -> ETag) -> Result<(), Error> {
    let etag = written(stage.call(PutObject::new(&stage.bucket, "match", "first"))?.etag);
    let put = PutObject {
        conditions: Conditions::matches(etag),
        ..PutObject::new(&stage.bucket, "match", "second")
    };
    stage.call(put).map(drop)
}

fn copy(stage: &Stage<'_>) -> Result<(), Error> {
    let key = "copy ü+&/from";
    let bytes = store(stage, key)?;
    let source = || CopySource::new(&stage.bucket, key);
    stage.call(CopyObject::new(&stage.bucket, "copy/to", source()))?;
    let copied = stage.call(GetObject::new(&stage.bucket, "copy/to"))?;
    assert!(copied.body == bytes);
    assert_eq!(copied.head.metadata, properties().metadata);
    let replaced = CopyObject {
        metadata_directive: Some(Directive::Replace),
        properties: Properties::content_type("text/plain"),
        ..CopyObject::new(&stage.bucket, "copy/to", source())
    };
    stage.call(replaced)?;
    let head = stage.call(HeadObject::new(&stage.bucket, "copy/to"))?;
    assert_eq!(head.content_type.as_deref(), Some("text/plain"));
    assert!(head.metadata.is_empty());
    let missing = CopySource::new(&stage.bucket, "missing");
    refused(stage.call(CopyObject::new(&stage.bucket, "copy/to", missing)), 404, "NoSuchKey");
    Ok(())
}

fn delete(stage: &Stage<'_>) -> Result<(), Error> {
    store(stage, "delete")?;
    stage.call(DeleteObject::new(&stage.bucket, "delete"))?;
    refused(stage.call(GetObject::new(&stage.bucket, "delete")), 404, "NoSuchKey");
    // What is not there can be deleted.
    stage.call(DeleteObject::new(&stage.bucket, "delete")).map(drop)
}

fn delete_objects(stage: &Stage<'_>) -> Result<(), Error> {
    let keys = ["many/1", "many/<2>&", "many/ü 3"];
    for key in keys {
        store(stage, key)?;
    }
    let answer = stage.call(DeleteObjects::new(&stage.bucket, keys))?;
    assert_eq!(answer.errors, []);
    let mut deleted: Vec<_> = answer.deleted.iter().map(|object| object.key.as_str()).collect();
    deleted.sort_unstable();
    assert_eq!(deleted, keys);
    let left = stage.call(ListObjectsV2::new(&stage.bucket).prefix("many/"))?;
    assert_eq!(left.contents, []);
    Ok(())
}

fn tagging(stage: &Stage<'_>) -> Result<(), Error> {
    store(stage, "tags")?;
    let get = || GetObjectTagging::new(&stage.bucket, "tags");
    let tags: Tags = [("a b", "c=&d"), ("kind", "<raw>")].into_iter().collect();
    stage.call(PutObjectTagging::new(&stage.bucket, "tags", tags.clone()))?;
    let mut told = stage.call(get())?.tags.0;
    told.sort();
    assert_eq!(told, tags.0);
    stage.call(DeleteObjectTagging::new(&stage.bucket, "tags"))?;
    assert!(stage.call(get())?.tags.0.is_empty());

    let mut put = PutObject::new(&stage.bucket, "tagged", "x");
    put.properties.tagging = tags.clone();
    stage.call(put)?;
    let mut told = stage.call(GetObjectTagging::new(&stage.bucket, "tagged"))?.tags.0;
    told.sort();
    assert_eq!(told, tags.0);
    Ok(())
}

fn customer_key(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(3000);
    let key = CustomerKey::new(&[7; 32]);
    let mut put = PutObject::new(&stage.bucket, "sse-c", bytes.clone());
    put.properties.encryption =
        Encryption { customer_key: Some(key.clone()), ..Encryption::default() };
    stage.call(put)?;
    let get = |customer_key| GetObject { customer_key, ..GetObject::new(&stage.bucket, "sse-c") };
    assert!(stage.call(get(Some(key)))?.body == bytes);
    refused(stage.call(get(None)), 400, "InvalidArgument");
    refused(stage.call(get(Some(CustomerKey::new(&[8; 32])))), 400, "InvalidArgument");
    Ok(())
}

fn anonymous(stage: &Stage<'_>) -> Result<(), Error> {
    let nobody = stage.client(vec![Auth::new(Credentials::anonymous())]);
    let mut put = PutObject::new(&stage.bucket, "public", "hello");
    stage.call(put.clone())?;
    refused(nobody.call(GetObject::new(&stage.bucket, "public")), 403, "AccessDenied");
    put.properties.access = Access { acl: Some("public-read".into()), ..Access::default() };
    stage.call(put)?;
    assert_eq!(nobody.call(GetObject::new(&stage.bucket, "public"))?.body, "hello");
    Ok(())
}

fn odd_keys(stage: &Stage<'_>) -> Result<(), Error> {
    let longest = "k".repeat(1024);
    let mut keys = vec![
        "odd//slashes//",
        "/odd/lead",
        "odd/a/../b",
        "odd/./c",
        "../odd",
        "odd/%2F%41%",
        "odd/plus+plus",
        "odd/sp ace ",
        "odd/~tilde",
        "odd/new\nline",
        "odd/\u{1}",
        "odd/?query=1&b#fragment",
        "odd/<&>'\"`",
        "odd/\\{}|^[]",
        "odd/ü",
        "odd/u\u{308}",
        "odd/\u{1F426}",
        "odd/=;:@,!$*()'",
        &longest,
    ];
    for key in &keys {
        stage.call(PutObject::new(&stage.bucket, *key, key.to_string()))?;
    }
    for key in &keys {
        let answer = stage.call(GetObject::new(&stage.bucket, *key))?;
        assert!(answer.body == key.as_bytes(), "{key:?}");
        let source = CopySource::new(&stage.bucket, *key);
        stage.call(CopyObject::new(&stage.bucket, "copied", source))?;
        assert!(stage.call(GetObject::new(&stage.bucket, "copied"))?.body == key.as_bytes());
        stage.call(HeadObject::new(&stage.bucket, *key))?;
    }
    let listed = stage.call(ListObjectsV2::new(&stage.bucket))?.contents;
    for key in &keys {
        assert!(listed.iter().any(|entry| entry.key == *key), "{key:?} is not listed");
    }
    keys.push("copied");
    for key in &keys {
        stage.call(DeleteObject::new(&stage.bucket, *key))?;
    }
    Ok(())
}

fn attributes(stage: &Stage<'_>) -> Result<(), Error> {
    store(stage, "attributes")?;
    let answer = stage.call(GetObjectAttributes::new(&stage.bucket, "attributes"))?;
    assert_eq!(answer.size, Some(3000));
    Ok(())
}

fn lock(stage: &Stage<'_>) -> Result<(), Error> {
    let auth = stage.site.first.auth();
    let locked = Stage::create(stage.site, stage.place, "locked", auth, |create| {
        create.object_lock_enabled = Some(true);
    });
    let result = lock_in(&locked);
    // What is held can't be removed.
    let _ = locked.call(PutObjectLegalHold::new(&locked.bucket, "locked", false));
    locked.close();
    result
}

fn lock_in(stage: &Stage<'_>) -> Result<(), Error> {
    let (bucket, key) = (&stage.bucket, "locked");
    let version = stage.call(PutObject::new(bucket, key, "x"))?.version_id;
    assert!(version.is_some());
    let now = apus_blocking::now();
    let until = Timestamp::from_unix(Timestamp::from_duration(now.unix).unix() + 3600);
    let retention = Retention { mode: Some("GOVERNANCE".into()), retain_until: Some(until) };
    stage.call(PutObjectRetention::new(bucket, key, retention.clone()))?;
    assert_eq!(stage.call(GetObjectRetention::new(bucket, key))?, retention);
    let delete = |bypass| DeleteObject {
        version_id: version.clone(),
        bypass_governance_retention: bypass,
        ..DeleteObject::new(bucket, key)
    };
    refused(stage.call(delete(None)), 403, "AccessDenied");

    stage.call(PutObjectLegalHold::new(bucket, key, true))?;
    let held = stage.call(GetObjectLegalHold::new(bucket, key))?;
    assert_eq!(held.as_deref(), Some("ON"));
    refused(stage.call(delete(Some(true))), 403, "AccessDenied");
    stage.call(PutObjectLegalHold::new(bucket, key, false))?;
    let held = stage.call(GetObjectLegalHold::new(bucket, key))?;
    assert_eq!(held.as_deref(), Some("OFF"));
    stage.call(delete(Some(true))).map(drop)
}

fn retention_without_lock(stage: &Stage<'_>) -> Result<(), Error> {
    store(stage, "unlocked")?;
    let now = apus_blocking::now();
    let until = Timestamp::from_unix(Timestamp::from_duration(now.unix).unix() + 3600);
    let retention = Retention { mode: Some("GOVERNANCE".into()), retain_until: Some(until) };
    stage.call(PutObjectRetention::new(&stage.bucket, "unlocked", retention)).map(drop)
}

fn legal_hold_without_lock(stage: &Stage<'_>) -> Result<(), Error> {
    store(stage, "unheld")?;
    stage.call(PutObjectLegalHold::new(&stage.bucket, "unheld", true)).map(drop)
}

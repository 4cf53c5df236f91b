//! Objects, their tags and attributes.

use apus_core::Error;
use apus_core::credentials::Credentials;
use apus_core::machine::Auth;
use apus_core::s3::{
    Access, ByteRange, Conditions, CopyObject, CopySource, CustomerKey, DeleteObject,
    DeleteObjectTagging, DeleteObjects, Directive, ETag, Encryption, GetObject,
    GetObjectAttributes, GetObjectTagging, HeadObject, ListObjectsV2, Properties, PutObject,
    PutObjectTagging, ResponseOverrides, Tags,
};

use super::{payload, refused};
use crate::live::stage::Stage;
use crate::live::{Case, Refusal};

pub const CASES: &[Case] = &[
    Case::ok("PutObject", put),
    Case::ok("HeadObject", head),
    Case::ok("GetObject", get),
    Case::ok("GetObject of a range", range),
    Case::ok("GetObject of the last bytes", last_bytes),
    Case::ok("GetObject with If-Match", get_if_match),
    Case::ok("GetObject with If-None-Match", get_if_none_match),
    Case::ok("PutObject with If-None-Match: *", put_if_absent),
    Case::ok("PutObject with If-Match", put_if_match)
        .or(|_| Refusal::plain("412 PreconditionFailed")),
    Case::ok("PutObject with If-Match, the tag without its quotes", put_if_match_unquoted),
    Case::ok("CopyObject", copy),
    Case::ok("DeleteObject", delete),
    Case::ok("DeleteObjects", delete_objects),
    Case::ok("Get/PutObjectTagging", tagging),
    Case::ok("DeleteObjectTagging", delete_tagging),
    Case::ok("PutObject with tags", put_tagged),
    Case::ok("SSE-C", customer_key),
    Case::ok("SSE-C, GetObject without the key or with another", other_customer_key),
    Case::denied("anonymous GetObject", anonymous, "403 AccessDenied"),
    Case::ok("public-read ACL, anonymous GetObject", public),
    Case::ok("GetObjectAttributes", attributes)
        .or(|_| Refusal::hinted("refused", "use HeadObject")),
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

fn last_bytes(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = store(stage, "last")?;
    let range = Some(ByteRange::Last(7));
    let answer = stage.call(GetObject { range, ..GetObject::new(&stage.bucket, "last") })?;
    assert!(answer.body == bytes[2993..]);
    Ok(())
}

fn get_on(stage: &Stage<'_>, on: fn(ETag) -> Conditions) -> Result<(), Error> {
    store(stage, "conditions")?;
    let etag = stage.call(HeadObject::new(&stage.bucket, "conditions"))?.etag.unwrap();
    let get = GetObject { conditions: on(etag), ..GetObject::new(&stage.bucket, "conditions") };
    stage.call(get).map(drop)
}

fn get_if_match(stage: &Stage<'_>) -> Result<(), Error> {
    get_on(stage, Conditions::matches)?;
    let other = get_on(stage, |_| Conditions::matches(ETag::from("\"0123\"")));
    refused(other, 412, "PreconditionFailed");
    Ok(())
}

fn get_if_none_match(stage: &Stage<'_>) -> Result<(), Error> {
    let none = |etag| Conditions { if_none_match: Some(etag), ..Conditions::default() };
    let same = get_on(stage, none).unwrap_err();
    assert!(same.is_not_modified(), "{same}");
    get_on(stage, |_| Conditions {
        if_none_match: Some(ETag::from("\"0123\"")),
        ..Conditions::default()
    })
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
    let key = "copy/from";
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
    stage.call(PutObjectTagging::new(&stage.bucket, "tags", tags()))?;
    has_tags(stage, "tags")
}

fn delete_tagging(stage: &Stage<'_>) -> Result<(), Error> {
    store(stage, "untagged")?;
    stage.call(PutObjectTagging::new(&stage.bucket, "untagged", tags()))?;
    stage.call(DeleteObjectTagging::new(&stage.bucket, "untagged"))?;
    let left = stage.call(GetObjectTagging::new(&stage.bucket, "untagged"))?.tags.0;
    assert_eq!(left, []);
    Ok(())
}

fn put_tagged(stage: &Stage<'_>) -> Result<(), Error> {
    let mut put = PutObject::new(&stage.bucket, "tagged", "x");
    put.properties.tagging = tags();
    stage.call(put)?;
    has_tags(stage, "tagged")
}

/// Of the characters that S3 allows in tags, those that have to be escaped in a header or in XML.
fn tags() -> Tags {
    [("a b", "c=+/@d:é"), ("kind", "raw")].into_iter().collect()
}

fn has_tags(stage: &Stage<'_>, key: &str) -> Result<(), Error> {
    let mut told = stage.call(GetObjectTagging::new(&stage.bucket, key))?.tags.0;
    told.sort();
    assert_eq!(told, tags().0);
    Ok(())
}

fn customer_key(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = put_encrypted(stage)?;
    assert!(stage.call(get_encrypted(stage, Some(CustomerKey::new(&[7; 32]))))?.body == bytes);
    Ok(())
}

fn other_customer_key(stage: &Stage<'_>) -> Result<(), Error> {
    put_encrypted(stage)?;
    refused(stage.call(get_encrypted(stage, None)), 400, "InvalidArgument");
    let other = CustomerKey::new(&[8; 32]);
    refused(stage.call(get_encrypted(stage, Some(other))), 400, "InvalidArgument");
    Ok(())
}

fn put_encrypted(stage: &Stage<'_>) -> Result<Vec<u8>, Error> {
    let bytes = payload(3000);
    let mut put = PutObject::new(&stage.bucket, "sse-c", bytes.clone());
    let customer_key = Some(CustomerKey::new(&[7; 32]));
    put.properties.encryption = Encryption { customer_key, ..Encryption::default() };
    stage.call(put)?;
    Ok(bytes)
}

fn get_encrypted(stage: &Stage<'_>, customer_key: Option<CustomerKey>) -> GetObject {
    GetObject { customer_key, ..GetObject::new(&stage.bucket, "sse-c") }
}

fn anonymous(stage: &Stage<'_>) -> Result<(), Error> {
    get_as_nobody(stage, Access::default())
}

fn public(stage: &Stage<'_>) -> Result<(), Error> {
    get_as_nobody(stage, Access { acl: Some("public-read".into()), ..Access::default() })
}

fn get_as_nobody(stage: &Stage<'_>, access: Access) -> Result<(), Error> {
    let nobody = stage.client(vec![Auth::new(Credentials::anonymous())]);
    let mut put = PutObject::new(&stage.bucket, "public", "hello");
    put.properties.access = access;
    stage.call(put)?;
    assert_eq!(nobody.call(GetObject::new(&stage.bucket, "public"))?.body, "hello");
    Ok(())
}

fn attributes(stage: &Stage<'_>) -> Result<(), Error> {
    store(stage, "attributes")?;
    let answer = stage.call(GetObjectAttributes::new(&stage.bucket, "attributes"))?;
    assert_eq!(answer.size, Some(3000));
    Ok(())
}

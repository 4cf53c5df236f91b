//! Objects: their bytes, headers, conditions, names, copies.

use apus_core::checksum::{Algorithm, Validation};
use apus_core::http::Body;
use apus_core::swift::{
    BodyCheck, ByteRange, Conditions, CopyObject, DeleteObject, ETag, Expiry, GetObject,
    HeadObject, PostObject, Properties, PutObject,
};
use apus_core::{Error, Kind};

use super::{payload, refused};
use crate::site::Server;
use crate::stage::Stage;
use crate::store::Feed;
use crate::suite::Case;

pub const CASES: &[Case] = &[
    Case::ok("PutObject", put),
    Case::ok("PutObject of a source", put_source),
    // Ceph replaces the object nevertheless.
    Case::keystone("PutObject with If-None-Match: *", put_absent),
    Case::ok("PutObject with a wrong ETag", put_damaged),
    Case::ok("HeadObject", head),
    Case::ok("GetObject", get),
    Case::ok("GetObject of a range", get_range),
    Case::ok("GetObject on conditions", get_conditions),
    Case::ok("X-Delete-After", expiry),
    Case::ok("odd names", odd_names),
    Case::ok("PostObject", post),
    Case::ok("CopyObject", copy),
    // Ceph copies all of it.
    Case::keystone("CopyObject of a range", copy_range),
    Case::ok("DeleteObject", delete),
];

fn put(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(100_000);
    let stored = stage.call(PutObject::new(&stage.container, "put", bytes.clone()))?;
    assert_eq!(stored.etag.opaque(), Algorithm::Md5.digest(&bytes)?.hex());
    assert!(stored.last_modified.is_some());
    let answer = stage.call(GetObject::new(&stage.container, "put"))?;
    assert!(answer.body == bytes);
    assert_eq!(answer.validation, Validation::Validated(Algorithm::Md5));
    stage.call(PutObject::new(&stage.container, "empty", ""))?;
    assert!(stage.call(GetObject::new(&stage.container, "empty"))?.body.is_empty());
    refused(stage.call(PutObject::new("apus-missing", "put", bytes)), 404);
    Ok(())
}

fn put_source(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(3 << 20);
    for (feed, rewindable) in [(Feed::Memory, true), (Feed::Known, false)] {
        let body = Body::Source { range: 0..bytes.len() as u64, rewindable };
        let put = PutObject::from_body(&stage.container, "source", body);
        let stored = stage.store.call_from(put, feed, &bytes)?;
        assert_eq!(stored.etag.opaque(), Algorithm::Md5.digest(&bytes)?.hex());
        assert!(stage.call(GetObject::new(&stage.container, "source"))?.body == bytes);
    }
    Ok(())
}

fn put_absent(stage: &Stage<'_>) -> Result<(), Error> {
    let put =
        PutObject { if_absent: true, ..PutObject::new(&stage.container, "absent", "the first") };
    stage.call(put.clone())?;
    refused(stage.call(put), 412);
    Ok(())
}

fn put_damaged(stage: &Stage<'_>) -> Result<(), Error> {
    let check = BodyCheck::Given(ETag::from("d41d8cd98f00b204e9800998ecf8427e"));
    let put = PutObject { check, ..PutObject::new(&stage.container, "damaged", "bytes") };
    let error = stage.call(put).unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity, "{error}");
    refused::<()>(Err(error), 422);
    assert!(stage.call(HeadObject::new(&stage.container, "damaged")).unwrap_err().is_not_found());
    Ok(())
}

fn full() -> Properties {
    Properties {
        content_type: Some("image/x".into()),
        content_encoding: Some("identity".into()),
        content_disposition: Some("attachment; filename=\"ü.img\"".into()),
        metadata: [("sensor".to_owned(), "left ü".to_owned())].into(),
        ..Properties::default()
    }
}

fn head(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject {
        properties: full(),
        ..PutObject::new(&stage.container, "head", "some bytes")
    })?;
    let head = stage.call(HeadObject::new(&stage.container, "head"))?;
    assert_eq!(head.size, Some(10));
    assert_eq!(head.content_type.as_deref(), Some("image/x"));
    assert_eq!(head.content_encoding.as_deref(), Some("identity"));
    assert_eq!(head.content_disposition.as_deref(), Some("attachment; filename=\"ü.img\""));
    assert_eq!(head.metadata["sensor"], "left ü");
    assert!(head.last_modified.is_some() && head.timestamp.is_some() && head.trans_id.is_some());
    refused(stage.call(HeadObject::new(&stage.container, "missing")), 404);
    Ok(())
}

fn get(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject {
        properties: full(),
        ..PutObject::new(&stage.container, "get", "some bytes")
    })?;
    let answer = stage.call(GetObject::new(&stage.container, "get"))?;
    assert_eq!(answer.body, "some bytes");
    assert_eq!(answer.head.metadata["sensor"], "left ü");
    refused(stage.call(GetObject::new(&stage.container, "missing")), 404);
    Ok(())
}

fn get_range(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject::new(&stage.container, "range", "0123456789"))?;
    for (range, expected) in [
        (ByteRange::Span(2..5), "234"),
        (ByteRange::From(7), "789"),
        (ByteRange::Last(4), "6789"),
        (ByteRange::Span(8..100), "89"),
    ] {
        let get = GetObject { range: Some(range), ..GetObject::new(&stage.container, "range") };
        let answer = stage.call(get)?;
        assert_eq!((answer.body, answer.head.size), (expected.into(), Some(10)));
    }
    let beyond = Some(ByteRange::From(10));
    refused(
        stage.call(GetObject { range: beyond, ..GetObject::new(&stage.container, "range") }),
        416,
    );
    Ok(())
}

fn get_conditions(stage: &Stage<'_>) -> Result<(), Error> {
    let etag = stage.call(PutObject::new(&stage.container, "conditions", "bytes"))?.etag;
    let other = ETag::from("0123456789abcdef0123456789abcdef");
    let get = |conditions| {
        stage.call(GetObject { conditions, ..GetObject::new(&stage.container, "conditions") })
    };
    assert_eq!(get(Conditions::matches(etag.clone()))?.body, "bytes");
    refused(get(Conditions::matches(other.clone())), 412);
    let unless = |etag| Conditions { if_none_match: Some(etag), ..Conditions::default() };
    assert_eq!(get(unless(other))?.body, "bytes");
    assert!(get(unless(etag)).unwrap_err().is_not_modified());
    Ok(())
}

fn expiry(stage: &Stage<'_>) -> Result<(), Error> {
    let put = PutObject::new(&stage.container, "expiry", "soon gone");
    let properties = Properties { expiry: Some(Expiry::After(1)), ..Properties::default() };
    stage.call(PutObject { properties, ..put })?;
    let head = HeadObject::new(&stage.container, "expiry");
    // The server decides when; it promises only that the object is removed.
    for _ in 0..100 {
        match stage.call(head.clone()) {
            Err(error) if error.is_not_found() => return Ok(()),
            other => assert!(other?.delete_at.is_some()),
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("it is still there after 10 s");
}

fn odd_names(stage: &Stage<'_>) -> Result<(), Error> {
    let mut names = vec![
        "..",
        "x/../y",
        "./dot",
        "dir//x",
        "a+b",
        "a b",
        "end ",
        "ü/日本",
        "%2F",
        "?q=1&r",
        "#f",
        "~tilde",
        "'quote\"",
        "back\\slash",
        "<&>",
        ";,:@=$!*()[]{}|^`",
    ];
    if stage.site.server == Server::Swift {
        names.extend(["new\nline", "tab\t"]);
    }
    for name in &names {
        stage.call(PutObject::new(&stage.container, *name, name.to_string()))?;
        assert_eq!(stage.call(GetObject::new(&stage.container, *name))?.body, *name, "{name:?}");
    }
    let listed = stage.names()?;
    for name in names {
        assert!(listed.iter().any(|listed| listed == name), "{name:?} is not in {listed:?}");
        stage.call(DeleteObject::new(&stage.container, name))?;
    }
    Ok(())
}

fn post(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject {
        properties: full(),
        ..PutObject::new(&stage.container, "post", "some bytes")
    })?;
    let properties = Properties {
        metadata: [("lens".to_owned(), "right".to_owned())].into(),
        ..Properties::default()
    };
    stage.call(PostObject::new(&stage.container, "post", properties.clone()))?;
    let head = stage.call(HeadObject::new(&stage.container, "post"))?;
    assert_eq!((head.metadata.get("sensor"), &*head.metadata["lens"]), (None, "right"));
    assert_eq!(head.content_type.as_deref(), Some("image/x"));
    assert_eq!(stage.call(GetObject::new(&stage.container, "post"))?.body, "some bytes");
    refused(stage.call(PostObject::new(&stage.container, "missing", properties)), 404);
    Ok(())
}

fn copy(stage: &Stage<'_>) -> Result<(), Error> {
    let from = "copy/from ü+%2F?";
    let put = PutObject::new(&stage.container, from, "some bytes");
    let stored = stage.call(PutObject { properties: full(), ..put })?;
    let copy = |to: &str| CopyObject::new(&stage.container, from, &stage.container, to);
    let properties = Properties {
        metadata: [("lens".to_owned(), "right".to_owned())].into(),
        ..Properties::default()
    };
    let copied = stage.call(CopyObject { properties: properties.clone(), ..copy("to ü+?") })?;
    assert_eq!(copied.stored.etag, stored.etag);
    let answer = stage.call(GetObject::new(&stage.container, "to ü+?"))?;
    assert_eq!(answer.body, "some bytes");
    assert_eq!(answer.head.content_type.as_deref(), Some("image/x"));
    let metadata = answer.head.metadata;
    assert_eq!((&*metadata["sensor"], &*metadata["lens"]), ("left ü", "right"));
    stage.call(CopyObject { properties, fresh: true, ..copy("fresh") })?;
    let head = stage.call(HeadObject::new(&stage.container, "fresh"))?;
    assert_eq!((head.metadata.get("sensor"), &*head.metadata["lens"]), (None, "right"));
    let missing = CopyObject::new(&stage.container, "missing", &stage.container, "to");
    refused(stage.call(missing), 404);
    Ok(())
}

fn copy_range(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject::new(&stage.container, "copy range", "0123456789"))?;
    let copy = CopyObject::new(&stage.container, "copy range", &stage.container, "copied range");
    stage.call(CopyObject { range: Some(ByteRange::Span(2..5)), ..copy })?;
    let copied = stage.call(GetObject::new(&stage.container, "copied range"))?;
    assert_eq!(copied.body, "234");
    Ok(())
}

fn delete(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject::new(&stage.container, "delete", "bytes"))?;
    stage.call(DeleteObject::new(&stage.container, "delete"))?;
    refused(stage.call(DeleteObject::new(&stage.container, "delete")), 404);
    refused(stage.call(GetObject::new(&stage.container, "delete")), 404);
    Ok(())
}

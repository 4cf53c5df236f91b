//! Large objects, operation by operation, and deletion in bulk.

use apus_core::checksum::Algorithm;
use apus_core::swift::{
    BulkDelete, BulkPath, ByteRange, DeleteObject, DeleteSlo, ETag, GetInfo, GetManifest,
    GetObject, HeadObject, ObjectSegment, Prefix, Properties, PutContainer, PutDlo, PutObject,
    PutSlo, Segment,
};
use apus_core::{Error, Kind};
use bytes::Bytes;

use super::{payload, refused};
use crate::site::Server;
use crate::stage::{Stage, names, sweep};
use crate::suite::Case;

pub const CASES: &[Case] = &[
    Case::ok("GetInfo", info),
    Case::ok("PutSlo, DeleteSlo", slo),
    Case::ok("GetManifest", manifest).not_on_ceph("refused"),
    Case::ok("PutSlo without heartbeat", slo_plain),
    Case::ok("PutSlo with a wrong ETag", slo_wrong_etag),
    Case::ok("PutSlo of a segment that is not there", slo_missing),
    // Ceph replaces the object nevertheless.
    Case::keystone("PutSlo with If-None-Match: *", slo_absent),
    Case::ok("an SLO with inline data", slo_data).not_on_ceph("400"),
    Case::ok("an SLO of ranges", slo_ranges).not_on_ceph("Integrity"),
    // Ceph returns a large object of other bytes, or all of it.
    Case::keystone("an SLO of SLOs", slo_nested),
    Case::keystone("GetObject and HeadObject with part-number", slo_part),
    // Ceph announces the whole length, sends what there is, and nothing more, not even an end.
    Case::keystone("an SLO whose segment is gone", slo_broken),
    Case::ok("PutDlo", dlo),
    Case::ok("BulkDelete", bulk_delete),
];

fn info(stage: &Stage<'_>) -> Result<(), Error> {
    let info = stage.call(GetInfo::new())?;
    assert!(info.has_slo() && info.bulk_delete.is_some() && info.temp_url.is_some());
    assert_eq!(info.slo.and_then(|slo| slo.max_manifest_segments), Some(1000));
    assert!(info.swift.max_file_size.is_some() && info.swift.version.is_some());
    if stage.site.server == Server::Swift {
        assert_eq!(info.swift.policies, ["gold", "silver"]);
    }
    Ok(())
}

/// Three segments of a container beside the stage's, with the bytes they make.
fn segments(stage: &Stage<'_>, folder: &str) -> Result<(Vec<Segment>, Vec<u8>), Error> {
    let container = format!("{}-segments", stage.container);
    stage.call(PutContainer::new(&container))?;
    let bytes = payload(250_000);
    let mut segments = Vec::new();
    for (number, piece) in bytes.chunks(100_000).enumerate() {
        let name = format!("{folder}/ü {number:08}");
        let stored = stage.call(PutObject::new(&container, &name, piece.to_vec()))?;
        let size = piece.len() as u64;
        segments.push(Segment::Object(ObjectSegment::stored(&container, name, stored.etag, size)));
    }
    Ok((segments, bytes))
}

fn end(stage: &Stage<'_>) -> Result<(), Error> {
    sweep(&stage.store, &format!("{}-segments", stage.container))
}

fn slo(stage: &Stage<'_>) -> Result<(), Error> {
    let (segments, bytes) = segments(stage, "slo")?;
    let tags = bytes.chunks(100_000).map(|piece| Ok(Algorithm::Md5.digest(piece)?.hex()));
    let tags = tags.collect::<Result<String, Error>>()?;
    let etag = Algorithm::Md5.digest(tags.as_bytes())?.hex();
    let put = PutSlo {
        properties: Properties {
            metadata: [("sensor".to_owned(), "left".to_owned())].into(),
            ..Properties::content_type("image/x")
        },
        ..PutSlo::new(&stage.container, "slo", segments.clone())
    };
    let stored = stage.call(put)?;
    assert_eq!(stored.etag.opaque(), etag);
    let answer = stage.call(GetObject::new(&stage.container, "slo"))?;
    assert!(answer.body == bytes && answer.head.is_slo);
    assert_eq!(answer.head.etag.as_ref().map(ETag::opaque), Some(&*etag));
    assert_eq!(answer.head.content_type.as_deref(), Some("image/x"));
    assert_eq!(answer.head.metadata["sensor"], "left");
    let head = stage.call(HeadObject::new(&stage.container, "slo"))?;
    assert_eq!((head.size, head.is_slo), (Some(bytes.len() as u64), true));
    let range = Some(ByteRange::Span(99_990..200_010));
    let part = stage.call(GetObject { range, ..GetObject::new(&stage.container, "slo") })?;
    assert!(part.body == bytes[99_990..200_010]);

    let deleted = stage.call(DeleteSlo::new(&stage.container, "slo"))?;
    assert!(deleted.is_complete(), "{deleted:?}");
    assert_eq!(deleted.deleted, 4);
    assert!(stage.call(HeadObject::new(&stage.container, "slo")).unwrap_err().is_not_found());
    // Nothing is left but the container.
    end(stage)
}

fn manifest(stage: &Stage<'_>) -> Result<(), Error> {
    let (segments, bytes) = segments(stage, "manifest")?;
    let stored = stage.call(PutSlo::new(&stage.container, "manifest", segments.clone()))?;
    let manifest = stage.call(GetManifest::new(&stage.container, "manifest"));
    stage.call(DeleteObject::new(&stage.container, "manifest"))?;
    end(stage)?;
    let manifest = manifest?;
    assert_eq!(manifest.size(), Some(bytes.len() as u64));
    assert_eq!(manifest.etag().as_deref(), Some(stored.etag.opaque()));
    let names = |segments: &[Segment]| -> Vec<String> {
        let name = |segment: &Segment| match segment {
            Segment::Object(object) => format!("{}/{}", object.container, object.object),
            other => panic!("{other:?}"),
        };
        segments.iter().map(name).collect()
    };
    assert_eq!(names(&manifest.segments), names(&segments));
    Ok(())
}

fn slo_plain(stage: &Stage<'_>) -> Result<(), Error> {
    let (segments, bytes) = segments(stage, "plain")?;
    let put = PutSlo { heartbeat: false, ..PutSlo::new(&stage.container, "plain", segments) };
    stage.call(put)?;
    assert!(stage.call(GetObject::new(&stage.container, "plain"))?.body == bytes);
    stage.call(DeleteObject::new(&stage.container, "plain"))?;
    end(stage)
}

fn slo_wrong_etag(stage: &Stage<'_>) -> Result<(), Error> {
    let (segments, _) = segments(stage, "wrong")?;
    let etag = Some(ETag::from("0123456789abcdef0123456789abcdef"));
    let put = PutSlo { etag, ..PutSlo::new(&stage.container, "wrong", segments) };
    for heartbeat in [true, false] {
        let error = stage.call(PutSlo { heartbeat, ..put.clone() }).unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity, "{error}");
    }
    assert!(stage.call(HeadObject::new(&stage.container, "wrong")).unwrap_err().is_not_found());
    end(stage)
}

fn slo_missing(stage: &Stage<'_>) -> Result<(), Error> {
    let (mut segments, _) = segments(stage, "missing")?;
    segments.push(Segment::Object(ObjectSegment::new(&stage.container, "not there")));
    let put = PutSlo::new(&stage.container, "missing", segments);
    for heartbeat in [true, false] {
        let error = stage.call(PutSlo { heartbeat, ..put.clone() }).unwrap_err();
        if stage.site.server == Server::Swift {
            assert!(error.to_string().contains("not there: 404 Not Found"), "{error}");
        }
        refused::<()>(Err(error), if stage.site.server == Server::Swift { 400 } else { 404 });
    }
    end(stage)
}

fn slo_absent(stage: &Stage<'_>) -> Result<(), Error> {
    let (segments, _) = segments(stage, "absent")?;
    let put = PutSlo { if_absent: true, ..PutSlo::new(&stage.container, "slo absent", segments) };
    stage.call(put.clone())?;
    let again = stage.call(put);
    stage.call(DeleteObject::new(&stage.container, "slo absent"))?;
    end(stage)?;
    refused(again, 412);
    Ok(())
}

fn slo_data(stage: &Stage<'_>) -> Result<(), Error> {
    let (mut segments, bytes) = segments(stage, "data")?;
    segments.insert(0, Segment::Data(Bytes::from_static(b"before ")));
    let put = stage.call(PutSlo::new(&stage.container, "data", segments));
    let got = put.and_then(|_| stage.call(GetObject::new(&stage.container, "data")));
    end(stage)?;
    let got = got?.body;
    assert!(got.starts_with(b"before ") && got[7..] == bytes);
    stage.call(DeleteObject::new(&stage.container, "data"))
}

fn slo_ranges(stage: &Stage<'_>) -> Result<(), Error> {
    let (segments, bytes) = segments(stage, "ranges")?;
    let ranges = [ByteRange::Span(10..20), ByteRange::From(99_000), ByteRange::Last(5)];
    let ranged = segments.into_iter().zip(ranges).map(|(segment, range)| match segment {
        Segment::Object(object) => Segment::Object(object.with_range(range)),
        other => other,
    });
    let put = PutSlo::new(&stage.container, "ranges", ranged.collect());
    let got = stage.call(put).and_then(|_| stage.call(GetObject::new(&stage.container, "ranges")));
    end(stage)?;
    let end = bytes.len() - 5;
    assert!(got?.body == [&bytes[10..20], &bytes[199_000..200_000], &bytes[end..]].concat());
    stage.call(DeleteObject::new(&stage.container, "ranges"))
}

fn slo_nested(stage: &Stage<'_>) -> Result<(), Error> {
    let (segments, bytes) = segments(stage, "nested")?;
    stage.call(PutSlo::new(&stage.container, "inner", segments.clone()))?;
    let mut outer = vec![Segment::Object(ObjectSegment::new(&stage.container, "inner"))];
    outer.extend(segments);
    let put = stage.call(PutSlo::new(&stage.container, "outer", outer));
    let read = put.and_then(|_| {
        let got = stage.call(GetObject::new(&stage.container, "outer"))?;
        let manifest = stage.call(GetManifest::new(&stage.container, "outer"))?;
        let deleted = stage.call(DeleteSlo::new(&stage.container, "outer"))?;
        assert!(deleted.is_complete(), "{deleted:?}");
        Ok((got, manifest))
    });
    if read.is_err() {
        stage.call(DeleteObject::new(&stage.container, "inner"))?;
    }
    end(stage)?;
    let (got, manifest) = read?;
    assert!(got.body == [&bytes[..], &bytes[..]].concat());
    assert!(matches!(&manifest.segments[0], Segment::Object(object) if object.is_slo));
    Ok(())
}

fn slo_part(stage: &Stage<'_>) -> Result<(), Error> {
    let (segments, bytes) = segments(stage, "part")?;
    stage.call(PutSlo::new(&stage.container, "part", segments))?;
    let part_number = Some(2);
    let got = stage.call(GetObject { part_number, ..GetObject::new(&stage.container, "part") });
    let head = stage.call(HeadObject { part_number, ..HeadObject::new(&stage.container, "part") });
    stage.call(DeleteObject::new(&stage.container, "part"))?;
    end(stage)?;
    let (got, head) = (got?, head?);
    assert!(got.body == bytes[100_000..200_000]);
    assert_eq!(got.head.parts_count, Some(3));
    assert_eq!((head.content_length, head.parts_count), (Some(100_000), Some(3)));
    Ok(())
}

fn slo_broken(stage: &Stage<'_>) -> Result<(), Error> {
    let (segments, _) = segments(stage, "broken")?;
    stage.call(PutSlo::new(&stage.container, "broken", segments))?;
    let beside = format!("{}-segments", stage.container);
    stage.call(DeleteObject::new(&beside, "broken/ü 00000001"))?;
    let got = stage.call(GetObject::new(&stage.container, "broken"));
    let deleted = stage.call(DeleteSlo::new(&stage.container, "broken"))?;
    end(stage)?;
    // Not short, and not silent.
    let error = got.expect_err("a body that lacks a segment is no success");
    assert!(matches!(error.kind(), Kind::Transport | Kind::Refused), "{error}");
    assert_eq!((deleted.deleted, deleted.not_found), (3, 1));
    Ok(())
}

fn dlo(stage: &Stage<'_>) -> Result<(), Error> {
    let (_, bytes) = segments(stage, "dlo, ü")?;
    let beside = format!("{}-segments", stage.container);
    let prefix = Prefix::new(&beside, "dlo, ü/");
    let properties = Properties::content_type("image/x");
    let put = PutDlo { properties, ..PutDlo::new(&stage.container, "dlo", prefix.clone()) };
    stage.call(put)?;
    let answer = stage.call(GetObject::new(&stage.container, "dlo"))?;
    assert!(answer.body == bytes);
    assert_eq!(answer.head.content_type.as_deref(), Some("image/x"));
    let head = stage.call(HeadObject::new(&stage.container, "dlo"))?;
    assert_eq!((head.size, head.dlo), (Some(bytes.len() as u64), Some(prefix)));
    stage.call(DeleteObject::new(&stage.container, "dlo"))?;
    assert_eq!(names(&stage.store, &beside)?.len(), 3);
    end(stage)
}

fn bulk_delete(stage: &Stage<'_>) -> Result<(), Error> {
    let beside = format!("{}-bulk", stage.container);
    stage.call(PutContainer::new(&beside))?;
    let mut paths = Vec::new();
    for number in 0..20 {
        let name = format!("many/{number} ü %2F,");
        stage.call(PutObject::new(&beside, &name, ""))?;
        paths.push(BulkPath::object(&beside, name));
    }
    paths.push(BulkPath::object(&beside, "missing"));
    paths.push(BulkPath::container(&beside));
    let deleted = stage.call(BulkDelete::new(paths))?;
    assert!(deleted.is_complete(), "{deleted:?}");
    assert_eq!((deleted.deleted, deleted.not_found), (21, 1));

    stage.call(PutObject::new(&stage.container, "in the way", ""))?;
    let failing = stage.call(BulkDelete::new(vec![BulkPath::container(&stage.container)]))?;
    assert_eq!(failing.failed.len(), 1, "{failing:?}");
    assert_eq!(failing.failed[0].status().map(|status| status.as_u16()), Some(409));
    Ok(())
}

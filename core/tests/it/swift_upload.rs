//! Uploads to Swift: the requests, the segments, and what happens to the replaced object.

use apus_core::checksum::Algorithm;
use apus_core::machine::{
    LargeObject, SegmentsIn, SwiftUpload, SwiftUploadOptions, SwiftUploaded, UploadSource,
};
use apus_core::now::Timestamp;
use apus_core::swift::Expiry;
use apus_core::{Error, Kind};
use serde_json::json;

use crate::swift_store::{Fault, Object, World, object, service};

/// Small segments, so that an object of some kB has many.
fn options() -> SwiftUploadOptions {
    SwiftUploadOptions {
        threshold: 2000,
        segment_size: 1000,
        memory: 20_000,
        id: Some("id".into()),
        ..SwiftUploadOptions::default()
    }
}

fn upload_from(
    world: &mut World,
    source: UploadSource,
    options: SwiftUploadOptions,
) -> Result<SwiftUploaded, Error> {
    world.run(SwiftUpload::new("c", "o", source, options, service(), 7)?)
}

fn upload(world: &mut World, options: SwiftUploadOptions) -> SwiftUploaded {
    let source = UploadSource::Seekable(world.source.len() as u64);
    upload_from(world, source, options).unwrap()
}

#[track_caller]
fn stored(world: &World) {
    assert!(world.store.read("c", "o").unwrap() == world.source, "the object is what was sent");
}

#[test]
fn what_is_not_above_the_threshold_goes_in_one_request() {
    for length in [0, 1, 2000] {
        let mut world = World::new(object(length));
        let done = upload(&mut world, options());
        assert_eq!((done.size, done.segments, done.large_object), (length as u64, 0, None));
        assert_eq!(done.etag.opaque(), Algorithm::Md5.digest(&world.source).unwrap().hex());
        // Is there something to be replaced?
        assert_eq!(world.log, ["HEAD c/o", "PUT c/o"]);
        stored(&world);
    }
}

#[test]
fn larger_ones_go_in_segments_of_exact_lengths_and_a_manifest() {
    let mut world = World::new(object(10_001));
    let options = SwiftUploadOptions { concurrency: 3, ..options() };
    let done = upload(&mut world, options);
    assert_eq!((done.size, done.segments), (10_001, 11));
    assert_eq!(done.large_object, Some(LargeObject::Static));
    assert_eq!(world.peak, 3);
    let names = world.store.names("c_segments");
    assert_eq!(names.first().unwrap(), "o/id/10001/1000/00000001");
    assert_eq!(names.last().unwrap(), "o/id/10001/1000/00000011");
    let last = world.store.object("c_segments", names.last().unwrap()).unwrap();
    assert_eq!(last.bytes.len(), 1, "the last one is as long as it is");
    assert_eq!(world.store.names("c"), ["o"]);
    assert_eq!(world.log[..3], ["GET info", "HEAD c", "PUT c_segments"]);
    let end = ["HEAD c/o?", "PUT c/o?multipart-manifest=put&heartbeat=on"];
    assert_eq!(world.log[14..], [end[0].trim_end_matches('?'), end[1]]);
    stored(&world);
}

#[test]
fn a_stream_becomes_what_it_was_whatever_its_length() {
    for length in [0, 1, 999, 1000, 2000, 2001, 3000, 3001, 9_999, 40_000] {
        for source in [UploadSource::Stream(None), UploadSource::Stream(Some(length))] {
            for large_object in [None, Some(LargeObject::Dynamic)] {
                let mut world = World::new(object(length as usize));
                let options = SwiftUploadOptions { large_object, ..options() };
                let done = upload_from(&mut world, source, options).unwrap();
                assert_eq!(done.size, length, "{source:?}");
                assert_eq!(done.large_object.is_some(), length > 2000);
                stored(&world);
            }
        }
    }
}

#[test]
fn an_empty_stream_is_an_empty_object() {
    let mut world = World::new("");
    upload_from(&mut world, UploadSource::Stream(None), options()).unwrap();
    let stored = world.store.object("c", "o").unwrap();
    assert_eq!((stored.bytes.len(), &stored.slo, &stored.dlo), (0, &None, &None));
}

#[test]
fn a_stream_is_held_within_its_bounds() {
    let mut world = World::new(object(100_000));
    let options = SwiftUploadOptions { concurrency: 4, ..options() };
    upload_from(&mut world, UploadSource::Stream(None), options).unwrap();
    assert!(world.held <= 5 * 1000 + 1, "{}", world.held);
    // A threshold beyond the memory limit has no effect.
    let mut world = World::new(object(50_000));
    let options = SwiftUploadOptions { threshold: 1 << 30, memory: 10_000, ..self::options() };
    let done = upload_from(&mut world, UploadSource::Stream(Some(50_000)), options).unwrap();
    assert!(world.held <= 10_001, "{}", world.held);
    assert_eq!(done.segments, 50);
    stored(&world);
}

#[test]
fn the_server_says_how_many_segments_there_may_be() {
    let mut world = World::new(object(50_000));
    world.store.info.as_mut().unwrap()["slo"]["max_manifest_segments"] = json!(10);
    let options = SwiftUploadOptions { memory: 4 << 20, ..options() };
    // As few whole MiB as it takes.
    assert_eq!(upload(&mut world, options.clone()).segments, 1);
    stored(&world);
    let mut world = World::new(object(50_000));
    world.store.info.as_mut().unwrap()["slo"]["min_segment_size"] = json!(30_000);
    assert_eq!(upload(&mut world, options.clone()).segments, 2);
    // A stream grows its segments: ten that double after each.
    let mut world = World::new(object(50_000));
    world.store.info.as_mut().unwrap()["slo"]["max_manifest_segments"] = json!(10);
    let done = upload_from(&mut world, UploadSource::Stream(None), options).unwrap();
    assert_eq!(done.segments, 6);
    stored(&world);
    // One that is longer than they reach is refused, and leaves nothing.
    let mut world = World::new(object(50_000));
    world.store.info.as_mut().unwrap()["slo"]["max_manifest_segments"] = json!(10);
    let options = SwiftUploadOptions { memory: 8000, ..self::options() };
    let error = upload_from(&mut world, UploadSource::Stream(None), options).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput);
    // 1, 2, and eight times 4 kB.
    assert!(error.to_string().contains("longer than 35000 bytes"), "{error}");
    assert!(world.store.names("c_segments").is_empty() && world.store.names("c").is_empty());
}

#[test]
fn a_server_without_static_large_objects_gets_a_dynamic_one() {
    for info in [None, Some(json!({"swift": {}}))] {
        let mut world = World::new(object(5000));
        world.store.info = info;
        let done = upload(&mut world, options());
        assert_eq!(done.large_object, Some(LargeObject::Dynamic));
        assert!(done.etag.is_empty(), "its tag is that of what will be listed");
        let manifest = world.store.object("c", "o").unwrap();
        let (container, prefix) = manifest.dlo.clone().unwrap();
        assert_eq!((&*container, &*prefix), ("c_segments", "o/id/5000/1000/"));
        let told = done.prefix.unwrap();
        assert_eq!((told.container, told.prefix), (container, prefix));
        stored(&world);
    }
}

#[test]
fn who_knows_the_server_is_spared_the_question() {
    let mut world = World::new(object(5000));
    let dynamic = Some(LargeObject::Dynamic);
    upload(&mut world, SwiftUploadOptions { large_object: dynamic, ..options() });
    assert_eq!(world.count("GET info"), 0);
    let mut world = World::new(object(5000));
    let info =
        apus_core::swift::Info::read(world.store.info.as_ref().unwrap().to_string().as_bytes());
    upload(&mut world, SwiftUploadOptions { info: info.ok(), ..options() });
    assert_eq!(world.count("GET info"), 0);
    assert_eq!(world.count("PUT c/o?multipart-manifest=put&heartbeat=on"), 1);
    // A static one that was asked for is made even where the server does not tell.
    let mut world = World::new(object(5000));
    world.store.info = None;
    let fixed = Some(LargeObject::Static);
    upload(&mut world, SwiftUploadOptions { large_object: fixed, ..options() });
    assert_eq!(world.log.last().unwrap(), "PUT c/o?multipart-manifest=put");
    stored(&world);
}

#[test]
fn segments_go_where_they_are_told_to() {
    for large_object in [LargeObject::Static, LargeObject::Dynamic] {
        let large_object = Some(large_object);
        let mut world = World::new(object(5000));
        let segments_in = SegmentsIn::Same;
        upload(&mut world, SwiftUploadOptions { segments_in, large_object, ..options() });
        assert_eq!(world.store.names("c").len(), 6);
        assert_eq!(world.count("PUT c_segments") + world.count("HEAD c_segments"), 0);
        stored(&world);
        let mut world = World::new(object(5000));
        let segments_in = SegmentsIn::Container("elsewhere".into());
        world.store.policies.insert("c".into(), "silver".into());
        upload(&mut world, SwiftUploadOptions { segments_in, large_object, ..options() });
        assert_eq!(world.store.names("elsewhere").len(), 5);
        assert_eq!(world.store.policies["elsewhere"], "silver", "the policy is the container's");
        stored(&world);
    }
}

#[test]
fn a_container_of_segments_with_another_policy_is_taken_as_it_is() {
    let mut world = World::new(object(5000));
    world.store.policies.insert("c".into(), "silver".into());
    upload(&mut world, options());
    stored(&world);
}

#[test]
fn two_uploads_do_not_mix() {
    let mut world = World::new(object(5000));
    let unnamed = || SwiftUploadOptions {
        id: None,
        remove_replaced: false,
        large_object: Some(LargeObject::Dynamic),
        ..options()
    };
    for seed in [1, 2] {
        let source = UploadSource::Seekable(5000);
        let upload = SwiftUpload::new("c", "o", source, unnamed(), service(), seed).unwrap();
        world.run(upload).unwrap();
    }
    assert_eq!(world.store.names("c_segments").len(), 10);
    stored(&world);
}

#[test]
fn a_token_is_asked_for_before_every_segment() {
    let mut world = World::new(object(20_000));
    upload(&mut world, SwiftUploadOptions { concurrency: 1, ..options() });
    let segments = world.log.iter().zip(&world.tokens);
    let mut tokens: Vec<&String> = segments
        .filter(|(line, _)| line.starts_with("PUT c_segments/"))
        .map(|(_, token)| token)
        .collect();
    assert_eq!(tokens.len(), 20);
    tokens.dedup();
    assert_eq!(tokens.len(), 20, "each has a token of its own");
    // And when one is sent again.
    let mut world = World::new(object(5000)).fault("PUT c_segments/", 2, Fault::Refuse(503));
    upload(&mut world, options());
    let mut tokens = world.tokens.clone();
    let asked = tokens.len();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), asked);
    stored(&world);
}

#[test]
fn a_refused_token_costs_a_repetition_and_no_byte_of_the_object() {
    for what in ["GET info", "PUT c_segments", "PUT c_segments/", "HEAD c/o", "PUT c/o"] {
        let mut world = World::new(object(5000)).fault(what, 1, Fault::Refuse(401));
        upload(&mut world, options());
        stored(&world);
    }
}

#[test]
fn segments_expire_with_their_object() {
    let at = Timestamp::from_unix(1_450_000_000);
    for (expiry, want) in [(Expiry::At(at), "1450000000"), (Expiry::After(3600), "1440941760")] {
        let mut world = World::new(object(5000));
        let mut options = options();
        options.properties.expiry = Some(expiry);
        options.properties.content_type = Some("image/x".into());
        options.properties.metadata.insert("colour".into(), "red".into());
        upload(&mut world, options);
        for name in world.store.names("c_segments") {
            let headers = &world.store.object("c_segments", &name).unwrap().headers;
            assert_eq!(headers["x-delete-at"], want);
            assert!(!headers.contains_key("x-object-meta-colour"), "that is the object's");
        }
        let headers = &world.store.object("c", "o").unwrap().headers;
        assert_eq!((&*headers["x-delete-at"], &*headers["content-type"]), (want, "image/x"));
        assert_eq!(headers["x-object-meta-colour"], "red");
    }
}

#[test]
fn an_expiry_goes_by_the_clock_of_the_server() {
    let mut world = World::new(object(5000));
    world.clock_of_the_server = 86_400;
    let mut options = options();
    options.properties.expiry = Some(Expiry::After(3600));
    upload(&mut world, options);
    let headers = &world.store.object("c", "o").unwrap().headers;
    assert_eq!(headers["x-delete-at"], (1_440_938_160 + 86_400 + 3600).to_string());
}

/// Something of five segments that was uploaded before.
fn replacing(large_object: LargeObject, source: usize) -> World {
    let mut world = World::new(object(5000));
    let id = Some("before".into());
    upload(&mut world, SwiftUploadOptions { id, large_object: Some(large_object), ..options() });
    assert_eq!(world.store.names("c_segments").len(), 5);
    world.store.put("c_segments", "other/1/2/3/00000001", "another's");
    world.store.page = 2;
    world.log.clear();
    world.source = object(source);
    world
}

#[test]
fn nothing_stays_behind_of_what_is_replaced() {
    for large_object in [LargeObject::Static, LargeObject::Dynamic] {
        for (length, segments) in [(3000, 3), (10, 0)] {
            let mut world = replacing(large_object, length);
            let done = upload(&mut world, options());
            assert_eq!(done.segments, segments);
            assert_eq!(world.count("DELETE"), 5);
            let manifest = world.log.iter().rposition(|line| line.starts_with("PUT")).unwrap();
            let first = world.log.iter().position(|line| line.starts_with("DELETE")).unwrap();
            assert!(manifest < first, "not before the new one is there");
            let names = world.store.names("c_segments");
            assert_eq!(names.len(), segments as usize + 1, "{names:?}");
            stored(&world);
        }
    }
}

#[test]
fn segments_of_the_replaced_object_that_could_not_be_looked_for_are_named() {
    let failed = [
        (LargeObject::Static, "HEAD c/o", "o/"),
        (LargeObject::Static, "GET c", "o/"),
        (LargeObject::Dynamic, "HEAD c/o", "o/"),
        (LargeObject::Dynamic, "GET c_segments", "o/before/"),
    ];
    for (large_object, request, prefix) in failed {
        for fault in [Fault::Lost, Fault::Refuse(403), Fault::Refuse(503)] {
            for (length, segments) in [(3000, 3), (10, 0)] {
                let mut world = replacing(large_object, length).fault_from(request, 1, fault);
                let done = upload(&mut world, options());
                stored(&world);
                assert_eq!(
                    world.store.names("c_segments").len(),
                    5 + segments + 1,
                    "none is removed"
                );
                let [left] = &done.leftovers[..] else { panic!("{request}: {:?}", done.leftovers) };
                let told = left.to_string();
                assert!(told.starts_with("possibly segments of the replaced object"), "{told}");
                assert!(told.contains("container c_segments") && told.contains(prefix), "{told}");
            }
        }
    }
}

#[test]
fn an_unknown_outcome_names_the_segments_of_the_object_that_is_perhaps_replaced() {
    for large_object in [LargeObject::Static, LargeObject::Dynamic] {
        for length in [3000, 10] {
            let mut world =
                replacing(large_object, length).fault_from("PUT c/o", 1, Fault::AnswerLost);
            // The look before the PUT is answered, those after it are not.
            world = world.fault_from("HEAD c/o", 2, Fault::Lost);
            let source = UploadSource::Seekable(length as u64);
            let upload = SwiftUpload::new("c", "o", source, options(), service(), 7).unwrap();
            let error = world.run(upload).unwrap_err();
            assert!(error.outcome_unknown(), "{error}");
            let told = error.to_string();
            let old = "possibly segments of the replaced object in container c_segments, under the \
                       prefix o/before/";
            assert!(told.contains(old), "{told}");
        }
    }
}

#[test]
fn wrong_bytes_that_replaced_an_object_name_its_segments() {
    for length in [3000, 10] {
        let mut world =
            replacing(LargeObject::Static, length).fault_from("PUT c/o", 1, Fault::OtherTag);
        // With a heartbeat, the report has the tag.
        let mut info = world.store.info.take().unwrap();
        info["slo"].as_object_mut().unwrap().remove("yield_frequency");
        world.store.info = Some(info);
        let source = UploadSource::Seekable(length as u64);
        let upload = SwiftUpload::new("c", "o", source, options(), service(), 7).unwrap();
        let error = world.run(upload).unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity);
        let told = error.to_string();
        for number in 1..=5 {
            let old = format!("c_segments/o/before/5000/1000/0000000{number}");
            assert!(told.contains(&old), "{told}");
        }
    }
}

/// Other clients name segments `o-00001`.
#[test]
fn old_segments_of_other_clients_are_named_where_a_replacement_is_in_doubt() {
    let mut world = World::new(object(10));
    world.store.put("c", "o-00001", "y");
    let tag = Algorithm::Md5.digest(b"y").unwrap().hex();
    let slo = Some(vec![("c".to_owned(), "o-00001".to_owned(), tag, 1)]);
    let manifest = Object { slo, ..Object::default() };
    world.store.containers.get_mut("c").unwrap().insert("o".into(), manifest);
    let mut world = world.fault_from("PUT c/o", 1, Fault::AnswerLost);
    world = world.fault_from("HEAD c/o", 2, Fault::Lost);
    let source = UploadSource::Seekable(10);
    let upload = SwiftUpload::new("c", "o", source, options(), service(), 7).unwrap();
    let told = world.run(upload).unwrap_err().to_string();
    assert!(told.contains("in container c, under the prefix o-"), "{told}");
}

#[test]
fn what_is_replaced_stays_where_the_caller_wants_it() {
    let mut world = replacing(LargeObject::Static, 3000);
    upload(&mut world, SwiftUploadOptions { remove_replaced: false, ..options() });
    assert_eq!(world.store.names("c_segments").len(), 5 + 3 + 1);
    assert_eq!(world.count("HEAD c/o") + world.count("GET c"), 0);
}

#[test]
fn what_was_not_made_for_the_object_stays_whatever_its_manifest_names() {
    let mut world = World::new(object(3000));
    for (name, bytes) in [("o", "x"), ("o-00001", "y"), ("report", "z"), ("o2", "v")] {
        world.store.put("c", name, bytes);
    }
    let part = |name: &str| {
        let bytes = world.store.object("c", name).unwrap().bytes.clone();
        let tag = Algorithm::Md5.digest(&bytes).unwrap().hex();
        ("c".to_owned(), name.to_owned(), tag, bytes.len() as u64)
    };
    let slo = Some(vec![part("o-00001"), part("report"), part("o2"), part("o")]);
    let manifest = Object { slo, ..Object::default() };
    world.store.containers.get_mut("c").unwrap().insert("o".into(), manifest);
    upload(&mut world, options());
    assert_eq!(world.store.names("c"), ["o", "o2", "report"]);
    stored(&world);
    // A prefix that is not of the object's name may have been meant for anything.
    for prefix in ["", "r", "o"] {
        let dlo = Some(("c".to_owned(), prefix.to_owned()));
        let manifest = Object { dlo, ..Object::default() };
        world.store.containers.get_mut("c").unwrap().insert("o".into(), manifest);
        upload(&mut world, options());
        assert_eq!(world.store.names("c"), ["o", "o2", "report"], "{prefix:?}");
    }
    // Glance's.
    world.store.put("c", "o-00001", "y");
    let dlo = Some(("c".to_owned(), "o-".to_owned()));
    let manifest = Object { dlo, ..Object::default() };
    world.store.containers.get_mut("c").unwrap().insert("o".into(), manifest);
    upload(&mut world, options());
    assert_eq!(world.store.names("c"), ["o", "o2", "report"]);
}

#[test]
fn the_same_upload_again_keeps_its_own_segments() {
    for large_object in [LargeObject::Static, LargeObject::Dynamic] {
        let options = SwiftUploadOptions { large_object: Some(large_object), ..options() };
        let mut world = World::new(object(5000));
        for _ in 0..2 {
            upload(&mut world, options.clone());
            stored(&world);
        }
        assert_eq!(world.count("DELETE"), 0);
    }
}

#[test]
fn what_ceph_does_not_tell_of_a_manifest_is_found_out() {
    let mut world = replacing(LargeObject::Static, 3000);
    world.store.is_ceph = true;
    // Of another upload to the same object, which may still be going on.
    world.store.put("c_segments", "o/other/5000/1000/00000001", object(1000));
    upload(&mut world, options());
    let names = world.store.names("c_segments");
    assert_eq!((world.count("DELETE"), names.len()), (5, 5), "{names:?}");
    stored(&world);
    // The same bytes again: its own segments come to the object too.
    let mut world = replacing(LargeObject::Static, 5000);
    world.store.is_ceph = true;
    upload(&mut world, options());
    assert_eq!((world.count("DELETE"), world.store.names("c_segments").len()), (5, 6));
    stored(&world);
    // Two uploads of the same bytes can't be told apart.
    let mut world = replacing(LargeObject::Static, 3000);
    world.store.is_ceph = true;
    for name in world.store.names("c_segments").iter().filter(|name| name.starts_with("o/")) {
        let bytes = world.store.object("c_segments", name).unwrap().bytes.clone();
        world.store.put("c_segments", &name.replace("before", "twin"), bytes);
    }
    upload(&mut world, options());
    assert_eq!(world.count("DELETE"), 0);
}

#[test]
fn what_must_not_be_there_is_looked_for_before_a_byte_is_sent() {
    for (length, log) in [(100, vec!["HEAD c/o"]), (5000, vec!["HEAD c/o"])] {
        for is_ceph in [false, true] {
            let mut world = World::new(object(length));
            world.store.is_ceph = is_ceph;
            world.store.put("c", "o", "somebody else's");
            let options = SwiftUploadOptions { if_absent: true, ..options() };
            let source = UploadSource::Seekable(length as u64);
            let error = upload_from(&mut world, source, options).unwrap_err();
            assert!(error.is_precondition_failed(), "{error}");
            assert_eq!(world.log, log);
            assert_eq!(world.store.read("c", "o").unwrap(), "somebody else's");
        }
    }
}

#[test]
fn what_can_not_be_looked_at_or_removed_is_no_failure() {
    for (fault, deleted, left) in [
        ("HEAD c/o", 0, 1),
        ("GET c/o?multipart-manifest=get", 5, 0),
        ("GET c", 0, 1),
        ("DELETE", 5, 5),
    ] {
        let mut world =
            replacing(LargeObject::Static, 3000).fault_from(fault, 1, Fault::Refuse(403));
        let done = upload(&mut world, options());
        assert_eq!((world.count("DELETE"), done.leftovers.len()), (deleted, left), "{fault}");
        stored(&world);
    }
}

#[test]
fn names_of_any_kind_are_divided() {
    for name in ["a b/ü?x&y=1", "/slash", "..", "a/../b", "%2F", "new\nline", &"long".repeat(256)]
    {
        for large_object in [LargeObject::Static, LargeObject::Dynamic] {
            let mut world = World::new(object(3000));
            let options = SwiftUploadOptions { large_object: Some(large_object), ..options() };
            let source = UploadSource::Seekable(3000);
            for _ in 0..2 {
                let options = SwiftUploadOptions { id: None, ..options.clone() };
                let seed = world.log.len() as u64;
                let upload = SwiftUpload::new("c", name, source, options, service(), seed).unwrap();
                world.run(upload).unwrap();
                assert!(world.store.read("c", name).unwrap() == world.source, "{name}");
            }
            assert_eq!(world.store.names("c_segments").len(), 3, "{name}");
        }
    }
}

#[test]
fn options_that_can_not_be_are_refused_before_anything_is_sent() {
    let new = |length, options| {
        let source = UploadSource::Stream(Some(length));
        SwiftUpload::new("c", "o", source, options, service(), 7).map(|_| ()).map_err(|error| {
            assert_eq!(error.kind(), Kind::InvalidInput);
            error.to_string()
        })
    };
    for id in ["", "a/b", "a?", &"x".repeat(65)] {
        let options = SwiftUploadOptions { id: Some(id.into()), ..options() };
        assert!(new(10, options).unwrap_err().contains("invalid upload id"), "{id}");
    }
    let large = SwiftUploadOptions { segment_size: 20_000, ..options() };
    assert!(new(50_000, large.clone()).unwrap_err().contains("less than two parts"));
    // One request needs no segments.
    assert_eq!(new(10, large), Ok(()));
}

#[test]
fn it_is_known_beforehand_whether_it_goes_in_segments() {
    let new = |source| SwiftUpload::new("c", "o", source, options(), service(), 7).unwrap();
    assert_eq!(new(UploadSource::Seekable(2000)).is_segmented(), Some(false));
    assert_eq!(new(UploadSource::Seekable(2001)).is_segmented(), Some(true));
    assert_eq!(new(UploadSource::Stream(Some(2001))).is_segmented(), Some(true));
    assert_eq!(new(UploadSource::Stream(None)).is_segmented(), None);
    // As a dynamic large object: a thousand each of 1, 2, 4 and 8 kB, and six thousand of 10 kB.
    assert_eq!(new(UploadSource::Stream(None)).max_object_size(), 75_000_000);
}

#[test]
fn digests_are_told_of_what_goes_in_one_request() {
    let mut world = World::new(object(100));
    let options = SwiftUploadOptions { digests: vec![Algorithm::Sha256], ..options() };
    let done = upload(&mut world, options);
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let value = algorithm.digest(&world.source).unwrap();
        assert!(done.digests.contains(&value), "{algorithm:?}");
    }
}

/// The limits that a cluster says it has.
fn limited(world: &mut World, segments: u64, manifest: u64) {
    world.store.info = Some(json!({
        "swift": {"max_file_size": 5u64 << 30},
        "slo": {"max_manifest_segments": segments, "max_manifest_size": manifest}
    }));
}

#[test]
fn there_are_as_many_segments_as_were_asked_for_if_the_manifest_holds_them() {
    let mut world = World::new(object(8000 * 64));
    limited(&mut world, 10_000, 32 << 20);
    let done = upload(&mut world, SwiftUploadOptions { segment_size: 64, ..options() });
    assert_eq!(done.segments, 8000);
    stored(&world);
}

/// A manifest that is too large would be refused after all segments were sent.
#[test]
fn no_manifest_is_larger_than_the_server_accepts() {
    for name in ["o".to_owned(), "\"\\".repeat(250), "\u{1}\u{7f}é".repeat(150)] {
        let mut world = World::new(object(3 << 20));
        limited(&mut world, 10_000, 8000);
        let source = UploadSource::Seekable(3 << 20);
        let options = SwiftUploadOptions { segment_size: 1 << 10, ..options() };
        let upload = SwiftUpload::new("c", &name, source, options, service(), 7).unwrap();
        let done = world.run(upload).unwrap();
        assert_eq!(done.segments, 3, "of a MiB each");
        assert!(world.store.read("c", &name).unwrap() == world.source);
    }
}

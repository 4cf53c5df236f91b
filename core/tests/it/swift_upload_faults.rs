//! Uploads to Swift that fail: leftovers on the server and in the error, and how to continue.

use apus_core::contract::OnFailure;
use apus_core::error::Leftover;
use apus_core::machine::{
    Auth, LargeObject, SwiftCheckpoint, SwiftUpload, SwiftUploadOptions, SwiftUploaded,
    UploadSource,
};
use apus_core::{Error, Kind};
use proptest::prelude::*;

use crate::swift_store::{Fault, Tokens, World, object, pump, service};

fn options() -> SwiftUploadOptions {
    SwiftUploadOptions {
        threshold: 2000,
        segment_size: 1000,
        memory: 20_000,
        id: Some("id".into()),
        ..SwiftUploadOptions::default()
    }
}

fn of(large_object: LargeObject) -> SwiftUploadOptions {
    SwiftUploadOptions { large_object: Some(large_object), ..options() }
}

fn seekable(world: &World) -> UploadSource {
    UploadSource::Seekable(world.source.len() as u64)
}

fn upload_from(
    world: &mut World,
    source: UploadSource,
    options: SwiftUploadOptions,
) -> Result<SwiftUploaded, Error> {
    world.run(SwiftUpload::new("c", "o", source, options, service(), 7)?)
}

fn upload(world: &mut World, options: SwiftUploadOptions) -> Result<SwiftUploaded, Error> {
    let source = seekable(world);
    upload_from(world, source, options)
}

#[track_caller]
fn stored(world: &World) {
    assert!(world.store.read("c", "o").unwrap() == world.source, "the object is what was sent");
}

#[track_caller]
fn nothing_left(world: &World, error: &Error) {
    for container in world.store.containers.keys() {
        assert_eq!(world.store.names(container), [""; 0], "{container}: {error}");
    }
    assert_eq!(error.leftovers(), [], "{error}");
}

const BOTH: [LargeObject; 2] = [LargeObject::Static, LargeObject::Dynamic];

#[test]
fn a_stream_that_breaks_its_promise_leaves_nothing() {
    for length in [1500, 10_000] {
        for (announced, says) in [(length + 1, "ended after"), (length - 1, "more than")] {
            for large_object in BOTH {
                let mut world = World::new(object(length));
                let source = UploadSource::Stream(Some(announced as u64));
                let error = upload_from(&mut world, source, of(large_object)).unwrap_err();
                assert_eq!(error.kind(), Kind::InvalidInput);
                assert!(error.to_string().contains(says), "{error}");
                nothing_left(&world, &error);
                assert_eq!(world.count("PUT c/o"), 0);
            }
        }
    }
}

#[test]
fn a_file_that_is_shorter_than_it_was_leaves_nothing() {
    for length in [1500, 10_000] {
        let mut world = World::new(object(length - 300));
        let source = UploadSource::Seekable(length as u64);
        let error = upload_from(&mut world, source, options()).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput);
        nothing_left(&world, &error);
    }
}

#[test]
fn a_segment_that_is_refused_for_good_takes_the_others_with_it() {
    for fault in [Fault::Refuse(403), Fault::Refuse(507), Fault::Answer(403)] {
        for large_object in BOTH {
            let mut world = World::new(object(10_000)).fault_from("PUT c_segments/", 5, fault);
            let error = upload(&mut world, of(large_object)).unwrap_err();
            assert_eq!((error.kind(), error.operation()), (Kind::Refused, Some("PutObject")));
            nothing_left(&world, &error);
        }
    }
}

#[test]
fn a_segment_whose_answer_never_comes_is_removed_too() {
    let segment = "c_segments/o/id/10000/1000/00000003";
    let lost = || {
        let put = format!("PUT {segment}");
        World::new(object(10_000)).fault_from(&put, 1, Fault::AnswerLost)
    };
    // A look at it proves that it is there.
    let mut world = lost();
    upload(&mut world, options()).unwrap();
    assert!(world.store.read("c", "o").unwrap() == world.source);
    let mut world = lost().fault_from(&format!("HEAD {segment}"), 1, Fault::Lost);
    let error = upload(&mut world, options()).unwrap_err();
    assert_eq!(error.kind(), Kind::Transport);
    nothing_left(&world, &error);
}

#[test]
fn a_segment_that_is_stored_after_it_was_deleted_is_deleted_again() {
    let segment = "c_segments/o/id/10000/1000/00000003";
    let mut world =
        World::new(object(10_000)).fault_from(&format!("PUT {segment}"), 1, Fault::Late);
    let error = upload(&mut world, options()).unwrap_err();
    nothing_left(&world, &error);
    assert!(world.count(&format!("DELETE {segment}")) >= 2, "{:?}", world.log);
}

#[test]
fn a_segment_that_is_stored_as_something_else_is_no_segment() {
    let mut world = World::new(object(10_000)).fault_from("PUT c_segments/", 4, Fault::OtherTag);
    let error = upload(&mut world, options()).unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity);
    nothing_left(&world, &error);
    // Once is a matter of sending it again, or of removing everything.
    let mut world = World::new(object(10_000)).fault("PUT c_segments/", 4, Fault::Refuse(422));
    upload(&mut world, options()).unwrap();
    stored(&world);
}

#[test]
fn a_manifest_that_is_refused_takes_the_segments_with_it() {
    for status in [400, 403, 413, 507] {
        for large_object in BOTH {
            let mut world =
                World::new(object(10_000)).fault_from("PUT c/o", 1, Fault::Refuse(status));
            let error = upload(&mut world, of(large_object)).unwrap_err();
            assert_eq!(error.status().unwrap().as_u16(), status);
            nothing_left(&world, &error);
        }
    }
}

#[test]
fn a_manifest_with_another_tag_goes_with_its_segments() {
    let mut world = World::new(object(10_000)).fault_from("PUT c/o", 1, Fault::OtherTag);
    let mut info = world.store.info.take().unwrap();
    info["slo"].as_object_mut().unwrap().remove("yield_frequency");
    world.store.info = Some(info);
    let error = upload(&mut world, options()).unwrap_err();
    assert_eq!((error.kind(), error.operation()), (Kind::Integrity, Some("PutSlo")));
    nothing_left(&world, &error);
}

#[test]
fn a_segment_that_vanishes_is_told_by_the_heartbeats_last_word() {
    // It is stored and acknowledged, and then lost: the check of the manifest detects it.
    let mut world = World::new(object(3000));
    world.forget = Some("00000002".into());
    let error = upload(&mut world, options()).unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 400);
    assert!(error.to_string().contains("/c_segments/o/id/3000/1000/00000002: 404"), "{error}");
    nothing_left(&world, &error);
}

#[test]
fn a_container_that_is_not_there_is_told_before_a_byte_is_sent() {
    let mut world = World::new(object(10_000));
    world.store.containers.clear();
    let error = upload(&mut world, options()).unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(world.log, ["GET info", "HEAD c"]);
    nothing_left(&world, &error);
}

#[test]
fn what_can_not_be_removed_is_named_in_the_error() {
    let mut world = World::new(object(10_000))
        .fault_from("PUT c_segments/", 4, Fault::Refuse(403))
        .fault_from("DELETE", 2, Fault::Refuse(403));
    let error = upload(&mut world, options()).unwrap_err();
    assert_eq!(
        error.operation(),
        Some("PutObject"),
        "the first error, not that of the cleaning up"
    );
    let named: Vec<&str> = error.leftovers().iter().map(key).collect();
    for name in world.store.names("c_segments") {
        assert!(named.contains(&&*name), "{name} is not named: {error}");
    }
    assert!(error.to_string().contains("c_segments/o/id/10000/1000/0000000"), "{error}");
}

#[test]
fn cleaning_up_is_bounded() {
    let mut world = World::new(object(100_000))
        .fault_from("PUT c_segments/", 90, Fault::Refuse(403))
        .fault_from("DELETE", 1, Fault::Refuse(403));
    let error = upload(&mut world, options()).unwrap_err();
    assert!(world.count("DELETE") <= 20, "{}", world.count("DELETE"));
    assert!(error.leftovers().len() >= 90);
}

#[test]
fn a_lost_answer_to_the_last_request_is_no_failure() {
    for if_absent in [false, true] {
        for large_object in BOTH {
            let mut world = World::new(object(10_000)).fault("PUT c/o", 1, Fault::AnswerLost);
            let options = SwiftUploadOptions { if_absent, ..of(large_object) };
            let done = upload(&mut world, options).unwrap();
            assert_eq!(done.recovered, if_absent, "the repetition is refused, for it is there");
            stored(&world);
        }
        let mut world = World::new(object(1000)).fault("PUT c/o", 1, Fault::AnswerLost);
        let done = upload(&mut world, SwiftUploadOptions { if_absent, ..options() }).unwrap();
        assert_eq!(done.recovered, if_absent);
        stored(&world);
    }
}

#[test]
fn an_object_of_somebody_else_is_a_failure_of_the_condition() {
    for length in [1000, 10_000] {
        for large_object in BOTH {
            // The object appears during the upload: HEAD does not show it, and the PUT is refused, or
            // lost and not repeated without a look.
            for lost in [false, true] {
                let mut world =
                    World::new(object(length)).fault_from("HEAD c/o", 1, Fault::Refuse(403));
                if lost {
                    world = world.fault("PUT c/o", 1, Fault::Lost);
                }
                world.store.put("c", "o", object(length - 1));
                let options = SwiftUploadOptions { if_absent: true, ..of(large_object) };
                let error = upload(&mut world, options).unwrap_err();
                assert_eq!(error.outcome_unknown(), lost, "{error}");
                assert_eq!(error.is_precondition_failed(), !lost, "{error}");
                assert_eq!(world.store.read("c", "o").unwrap(), object(length - 1));
                // Without permission to look, it can't be decided whether the manifest exists.
                let left = error.leftovers().len();
                assert_eq!(world.store.names("c_segments").len(), left);
            }
        }
    }
}

/// Nothing else compares where the server ignores the condition.
#[test]
fn an_upload_that_may_replace_nothing_ends_where_it_can_not_look() {
    for length in [1000, 10_000] {
        for large_object in BOTH {
            for fault in [Fault::Refuse(500), Fault::Lost] {
                let nth = if length > 2000 { 2 } else { 1 };
                let mut world = World::new(object(length)).fault_from("HEAD c/o", nth, fault);
                world.store.is_ceph = true;
                if nth == 1 {
                    world.store.put("c", "o", "somebody else's");
                }
                let options = SwiftUploadOptions { if_absent: true, ..of(large_object) };
                let error = upload(&mut world, options).unwrap_err();
                assert_eq!(error.operation(), Some("HeadObject"), "{error}");
                assert_eq!(world.count("PUT c/o"), 0, "{:?}", world.log);
                assert_eq!(world.store.names("c_segments"), [""; 0]);
            }
        }
    }
}

#[test]
fn an_object_that_comes_meanwhile_is_not_replaced_even_where_conditions_do_not_count() {
    for large_object in BOTH {
        let mut world = World::new(object(10_000)).fault("HEAD c/o", 1, Fault::Refuse(404));
        world.store.is_ceph = true;
        world.store.put("c", "o", "somebody else's");
        let options = SwiftUploadOptions { if_absent: true, ..of(large_object) };
        let error = upload(&mut world, options).unwrap_err();
        assert!(error.is_precondition_failed(), "{error}");
        assert_eq!(world.store.read("c", "o").unwrap(), "somebody else's");
        assert_eq!(world.store.names("c_segments"), [""; 0]);
    }
}

#[test]
fn equal_bytes_that_somebody_else_has_sent_are_not_ones_own() {
    for large_object in BOTH {
        let mut world = World::new(object(10_000));
        let id = Some("another".into());
        upload(&mut world, SwiftUploadOptions { id, ..of(large_object) }).unwrap();
        let theirs = world.store.names("c_segments");
        // HEAD does not show the object before the manifest is sent, whose response is lost.
        let mut world = world
            .fault("HEAD c/o", 1, Fault::Refuse(404))
            .fault("HEAD c/o", 2, Fault::Refuse(404))
            .fault("PUT c/o", 1, Fault::Lost);
        let options = SwiftUploadOptions { if_absent: true, ..of(large_object) };
        let error = upload(&mut world, options).unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        let there = world.store.names("c_segments");
        assert!(theirs.iter().all(|name| there.contains(name)), "{there:?}");
        assert_eq!(there.len(), theirs.len() + error.leftovers().len(), "{error}");
        stored(&world);
    }
}

#[test]
fn a_server_in_trouble_is_not_taken_for_one_without_static_large_objects() {
    let mut world = World::new(object(10_000)).fault_from("GET info", 1, Fault::Refuse(503));
    let error = upload(&mut world, options()).unwrap_err();
    assert_eq!(error.operation(), Some("GetInfo"));
    assert_eq!(world.log.len(), world.count("GET info"));
    nothing_left(&world, &error);
}

#[test]
fn an_object_that_was_made_before_the_process_ended_is_ones_own() {
    for large_object in BOTH {
        let source = UploadSource::Seekable(20_000);
        let (mut world, checkpoint) = interrupted(of(large_object), source);
        for if_absent in [false, true] {
            let options = SwiftUploadOptions { if_absent, ..options() };
            let resumed =
                SwiftUpload::resume(checkpoint.clone(), source, options, service(), 8).unwrap();
            let done = world.run(resumed).unwrap();
            assert_eq!(done.recovered, if_absent);
            stored(&world);
        }
    }
}

#[test]
fn a_resumed_upload_that_may_replace_nothing_leaves_anothers_object() {
    for large_object in BOTH {
        let source = UploadSource::Seekable(20_000);
        let (mut world, checkpoint) = interrupted(of(large_object), source);
        world.store.put("c", "o", "somebody else's");
        let options = SwiftUploadOptions { if_absent: true, ..options() };
        let resumed = SwiftUpload::resume(checkpoint, source, options, service(), 8).unwrap();
        let error = world.run(resumed).unwrap_err();
        assert!(error.is_precondition_failed() && error.leftovers().is_empty(), "{error}");
        assert_eq!(world.store.read("c", "o").unwrap(), "somebody else's");
        assert_eq!(world.store.names("c_segments"), [""; 0]);
    }
}

#[test]
fn only_the_head_is_read_of_an_object_that_must_not_exist() {
    for large_object in BOTH {
        let mut world = World::new(object(10_000));
        upload(&mut world, of(large_object)).unwrap();
        world.log.clear();
        let options = SwiftUploadOptions { if_absent: true, ..of(large_object) };
        let machine =
            SwiftUpload::new("c", "o", UploadSource::Seekable(1000), options, service(), 7);
        let error = world.run(machine.unwrap()).unwrap_err();
        assert!(error.is_precondition_failed(), "{error}");
        assert_eq!(world.log, ["HEAD c/o"]);
    }
}

#[test]
fn an_upload_that_is_cancelled_during_its_look_sends_nothing() {
    let mut world = World::new(object(1000));
    world.cancel_at = Some((1, OnFailure::Abort));
    let options = SwiftUploadOptions { if_absent: true, ..options() };
    let error = upload(&mut world, options).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(world.log, ["HEAD c/o"]);
}

#[test]
fn segments_of_a_manifest_that_may_be_there_are_named_and_not_removed() {
    let mut world = World::new(object(3000))
        .fault_from("PUT c/o", 1, Fault::AnswerLost)
        .fault_from("HEAD c/o", 2, Fault::Lost);
    let error = upload(&mut world, options()).unwrap_err();
    assert_eq!(error.leftovers().len(), 3);
    // It is there indeed, and whole.
    stored(&world);
}

#[test]
fn cancelling_leaves_nothing_whenever_it_comes() {
    for large_object in BOTH {
        for at in 0..40 {
            let mut world = World::new(object(10_000));
            world.cancel_at = Some((at, OnFailure::Abort));
            match upload(&mut world, of(large_object)) {
                Ok(_) => stored(&world),
                Err(error) => {
                    assert!(error.is_cancelled(), "{error}");
                    nothing_left(&world, &error);
                }
            }
        }
    }
}

/// An upload that was cancelled in the middle, and what it takes to go on.
fn interrupted(options: SwiftUploadOptions, source: UploadSource) -> (World, SwiftCheckpoint) {
    let mut world = World::new(object(20_000));
    world.cancel_at = Some((12, OnFailure::Keep));
    let machine = SwiftUpload::new("c", "o", source, options, service(), 7).unwrap();
    let checkpoints = machine.checkpoints();
    let mut pump = pump(machine, Auth::new(Tokens::default()));
    let error = world.drive(&mut pump).unwrap_err();
    assert!(error.is_cancelled() && error.leftovers().is_empty(), "{error}");
    let checkpoint = pump.machine().checkpoint().expect("it had begun");
    assert_eq!(checkpoints.latest().as_ref(), Some(&checkpoint));
    assert!(checkpoint.acknowledged() > 0 && checkpoint.acknowledged() < 20_000);
    world.mend();
    world.log.clear();
    let written = serde_json::to_string(&checkpoint).unwrap();
    assert_eq!(serde_json::from_str::<SwiftCheckpoint>(&written).unwrap(), checkpoint);
    (world, checkpoint)
}

fn resume(
    world: &mut World,
    checkpoint: SwiftCheckpoint,
    source: UploadSource,
) -> Result<SwiftUploaded, Error> {
    world.store.page = 3;
    world.run(SwiftUpload::resume(checkpoint, source, options(), service(), 8)?)
}

#[test]
fn an_interrupted_upload_goes_on_in_another_process() {
    for large_object in BOTH {
        for source in [
            UploadSource::Seekable(20_000),
            UploadSource::Stream(Some(20_000)),
            UploadSource::Stream(None),
        ] {
            let (mut world, checkpoint) = interrupted(of(large_object), source);
            let had = world.store.names("c_segments").len();
            let done = resume(&mut world, checkpoint, source).unwrap();
            assert_eq!((done.segments, done.large_object), (20, Some(large_object)));
            assert_eq!(world.count("PUT c_segments/"), 20 - had, "what is there is not sent again");
            assert_eq!(world.count("GET info"), 0);
            stored(&world);
            assert_eq!(world.store.names("c_segments").len(), 20);
        }
    }
}

#[test]
fn resuming_believes_the_server() {
    let source = UploadSource::Seekable(20_000);
    let (mut world, mut checkpoint) = interrupted(options(), source);
    let names = world.store.names("c_segments");
    // One is missing, another is short, a third was never acknowledged, and another object is
    // present.
    let segments = world.store.containers.get_mut("c_segments").unwrap();
    segments.remove(&names[0]);
    segments.get_mut(&names[1]).unwrap().bytes = object(999);
    checkpoint.segments.remove(&3);
    world.store.put("c_segments", "o/id/20000/1000/x", "something else");
    resume(&mut world, checkpoint, source).unwrap();
    assert_eq!(world.count("PUT c_segments/"), 20 - (names.len() - 2));
    stored(&world);
}

#[test]
fn an_upload_is_not_resumed_with_another_source() {
    let source = UploadSource::Seekable(20_000);
    let (mut world, checkpoint) = interrupted(options(), source);
    let error = resume(&mut world, checkpoint, UploadSource::Seekable(10)).unwrap_err();
    assert!(error.to_string().contains("the source of the checkpoint had 20000"), "{error}");
    // A stream tells only in the end.
    let (mut world, checkpoint) = interrupted(options(), UploadSource::Stream(None));
    world.source = object(3000);
    let error = resume(&mut world, checkpoint, UploadSource::Stream(None)).unwrap_err();
    assert!(error.to_string().contains("the source has 3000 bytes"), "{error}");
    nothing_left(&world, &error);
}

#[test]
fn segments_that_can_not_be_listed_are_named_and_kept() {
    let source = UploadSource::Seekable(20_000);
    let (world, checkpoint) = interrupted(options(), source);
    let had = world.store.names("c_segments").len();
    let mut world = world.fault_from("GET c_segments", 1, Fault::Refuse(403));
    let error = resume(&mut world, checkpoint, source).unwrap_err();
    assert_eq!(error.operation(), Some("GetContainer"));
    assert_eq!(world.store.names("c_segments").len(), had);
    assert!(error.leftovers().len() >= had - 4, "those that were acknowledged");
}

#[test]
fn a_failing_upload_may_be_told_to_keep_what_it_has() {
    let mut world = World::new(object(20_000)).fault_from("PUT c_segments/", 9, Fault::Refuse(507));
    let keep = SwiftUploadOptions { on_failure: OnFailure::Keep, ..options() };
    let source = seekable(&world);
    let machine = SwiftUpload::new("c", "o", source, keep, service(), 7).unwrap();
    let checkpoints = machine.checkpoints();
    assert_eq!(world.run(machine).unwrap_err().status().unwrap(), 507);
    world.mend();
    let resumed =
        SwiftUpload::resume(checkpoints.latest().unwrap(), source, options(), service(), 8);
    let resumed = resumed.unwrap();
    let checkpoints = resumed.checkpoints();
    world.run(resumed).unwrap();
    assert_eq!(checkpoints.latest(), None, "there is nothing to go on with");
    stored(&world);
}

#[test]
fn limits_that_make_no_sense_are_an_error_or_are_kept() {
    for (info, fails) in [
        (r#"{"slo": {"max_manifest_segments": 0}}"#, false),
        (r#"{"slo": {"max_manifest_segments": -1, "max_manifest_size": 0}}"#, false),
        (r#"{"slo": {"min_segment_size": 18446744073709551615}}"#, true),
        (r#"{"swift": {"max_file_size": 0}, "slo": {}}"#, true),
        (r#"{"swift": {"container_listing_limit": 0}}"#, false),
        (r#"{"slo": []}"#, false),
        ("[]", false),
    ] {
        let mut world = World::new(object(10_000)).fault("GET info", 1, Fault::Says(info));
        let options = SwiftUploadOptions { memory: 8 << 20, ..options() };
        match upload(&mut world, options) {
            Ok(_) => stored(&world),
            Err(error) => {
                assert!(fails, "{info}: {error}");
                nothing_left(&world, &error);
            }
        }
    }
}

#[test]
fn listings_that_make_no_sense_do_no_harm() {
    for listing in [
        r#"[{"name": "o/id/stream/1000/4294967295", "bytes": 1000, "hash": "x"}]"#,
        r#"[{"name": "o/id/stream/1000/00000900", "bytes": 1000, "hash": "x"}]"#,
        r#"[{"name": "o/id/stream/1000/00000030", "bytes": 18446744073709551615}]"#,
        r#"[{"name": "other"}]"#,
        "{}",
        "no listing",
    ] {
        let source = UploadSource::Stream(None);
        let (world, checkpoint) = interrupted(options(), source);
        let mut world = world.fault("GET c_segments", 1, Fault::Says(listing));
        match resume(&mut world, checkpoint, source) {
            Ok(_) => stored(&world),
            Err(error) => {
                let named: Vec<&str> = error.leftovers().iter().map(key).collect();
                for name in world.store.names("c_segments") {
                    // What was never acknowledged can't be known where the listing is a lie.
                    let number: u32 = name.rsplit('/').next().unwrap().parse().unwrap();
                    assert!(named.contains(&&*name) || number > 8, "{name}: {error}");
                }
            }
        }
    }
}

#[test]
fn manifests_that_make_no_sense_do_no_harm() {
    for manifest in [
        "{}",
        "[1]",
        r#"[{"name": "/c/o", "bytes": -1}]"#,
        r#"[{"name": "/c/o", "hash": "x", "bytes": 5}]"#,
        r#"[{"name": "/c/other", "hash": "x", "bytes": 5}]"#,
    ] {
        let mut world = World::new(object(3000));
        world.store.put("c", "other", "not to be touched");
        upload(&mut world, options()).unwrap();
        world = world.fault("GET c/o?multipart-manifest=get", 1, Fault::Says(manifest));
        upload(&mut world, SwiftUploadOptions { id: Some("new".into()), ..options() }).unwrap();
        stored(&world);
        assert!(world.store.object("c", "other").is_some());
    }
}

#[test]
fn checkpoints_that_make_no_sense_are_refused_or_do_no_harm() {
    let source = UploadSource::Seekable(20_000);
    let (_, checkpoint) = interrupted(options(), source);
    let written = serde_json::to_value(&checkpoint).unwrap();
    for (path, value) in [
        ("/plan/base", 0),
        ("/plan/parts", 0),
        ("/plan/ceiling", 1),
        ("/layout/digits", 255),
        ("/layout/digits", 0),
        ("/delete_at", i64::MAX),
        ("/delete_at", i64::MIN),
    ] {
        let mut other = written.clone();
        *other.pointer_mut(path).unwrap() = value.into();
        let other: SwiftCheckpoint = serde_json::from_value(other).unwrap();
        let mut world = World::new(object(20_000));
        match resume(&mut world, other, source) {
            Ok(_) => stored(&world),
            Err(error) => {
                assert!(matches!(error.kind(), Kind::InvalidInput | Kind::Refused), "{error}")
            }
        }
    }
}

fn key(left: &Leftover) -> &str {
    match left {
        Leftover::Object { key, .. } => key,
        other => panic!("{other:?}"),
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Refuse(401)),
        Just(Fault::Refuse(403)),
        Just(Fault::Refuse(404)),
        Just(Fault::Refuse(422)),
        Just(Fault::Refuse(498)),
        Just(Fault::Refuse(503)),
        Just(Fault::Answer(503)),
        Just(Fault::Answer(403)),
        Just(Fault::Lost),
        Just(Fault::AnswerLost),
        Just(Fault::OtherTag),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever goes wrong: either the object is whole and nothing else is there, or there is an
    /// error that names everything that is left.
    #[test]
    fn any_schedule_of_faults_ends_well_or_says_what_is_left(
        faults in proptest::collection::vec((1u32..60, fault()), 0..6),
        length in 0usize..20_000,
        kind in 0..3,
        dynamic: bool,
        if_absent: bool,
        cancel in proptest::option::of(0u32..60),
    ) {
        let run = || {
            let mut world = World::new(object(length));
            for (nth, fault) in &faults {
                // What is not there need not be removed: that is no fault.
                let what = if *fault == Fault::Refuse(404) { "PUT" } else { "" };
                world = world.fault(what, *nth, *fault);
            }
            world.cancel_at = cancel.map(|at| (at, OnFailure::Abort));
            let source = match kind {
                0 => UploadSource::Seekable(length as u64),
                1 => UploadSource::Stream(None),
                _ => UploadSource::Stream(Some(length as u64)),
            };
            let large_object = dynamic.then_some(LargeObject::Dynamic);
            let options = SwiftUploadOptions { if_absent, large_object, ..options() };
            let result = upload_from(&mut world, source, options);
            (result, world)
        };
        let (result, world) = run();
        let left = match &result {
            Ok(done) => {
                prop_assert_eq!(done.size, length as u64);
                prop_assert_eq!(world.store.read("c", "o").unwrap(), world.source.clone());
                prop_assert_eq!(world.store.names("c_segments").len(), done.segments as usize);
                Vec::new()
            }
            Err(error) => error.leftovers().iter().map(|one| key(one).to_owned()).collect(),
        };
        if result.is_err() {
            for name in world.store.names("c_segments") {
                prop_assert!(left.contains(&name), "{name} is left and not named");
            }
        }
        let (again, other) = run();
        prop_assert_eq!(format!("{result:?}"), format!("{again:?}"));
        prop_assert_eq!(&world.log, &other.log);
    }
}

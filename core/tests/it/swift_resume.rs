//! Uploads to Swift that another process resumes, and that then fail: what the process before them
//! has made or sent.

use apus_core::contract::OnFailure;
use apus_core::machine::{
    Auth, LargeObject, SwiftCheckpoint, SwiftCheckpointChange, SwiftUpload, SwiftUploadOptions,
    SwiftUploaded, UploadSource,
};
use apus_core::{Error, Kind};

use crate::swift_store::{Fault, Tokens, World, object, pump, service};

fn options() -> SwiftUploadOptions {
    SwiftUploadOptions {
        threshold: 2000,
        segment_size: 1000,
        concurrency: 1,
        memory: 20_000,
        id: Some("id".into()),
        ..SwiftUploadOptions::default()
    }
}

const BOTH: [LargeObject; 2] = [LargeObject::Static, LargeObject::Dynamic];
const SOURCE: UploadSource = UploadSource::Seekable(3000);

/// An upload of three segments whose process knows nothing of these requests, from the first on:
/// as if it had ended meanwhile.
fn ended_at(
    kind: LargeObject,
    source: UploadSource,
    faults: &[(&str, u32, Fault)],
) -> (World, SwiftCheckpoint) {
    let mut world = World::new(object(3000));
    for (what, nth, fault) in faults {
        world = world.fault_from(what, *nth, *fault);
    }
    let keep = OnFailure::Keep;
    let options = SwiftUploadOptions { large_object: Some(kind), on_failure: keep, ..options() };
    let machine = SwiftUpload::new("c", "o", source, options, service(), 7).unwrap();
    let checkpoints = machine.checkpoints();
    world.run(machine).unwrap_err();
    let checkpoint = checkpoints.latest().unwrap();
    world.mend();
    world.log.clear();
    let written = serde_json::to_string(&checkpoint).unwrap();
    assert_eq!(serde_json::from_str::<SwiftCheckpoint>(&written).unwrap(), checkpoint);
    (world, checkpoint)
}

/// The object was made, and the process did not learn it.
fn made(kind: LargeObject, source: UploadSource) -> (World, SwiftCheckpoint) {
    let faults = [("PUT c/o", 1, Fault::AnswerLost), ("HEAD c/o", 2, Fault::Lost)];
    let (world, checkpoint) = ended_at(kind, source, &faults);
    stored(&world);
    (world, checkpoint)
}

fn resume(
    world: &mut World,
    checkpoint: SwiftCheckpoint,
    source: UploadSource,
) -> Result<SwiftUploaded, Error> {
    world.run(SwiftUpload::resume(checkpoint, source, options(), service(), 8)?)
}

#[track_caller]
fn stored(world: &World) {
    assert!(world.store.read("c", "o").unwrap() == world.source, "the object is what was sent");
}

#[test]
fn an_object_that_was_made_before_the_resumed_upload_failed_is_its_success() {
    for kind in BOTH {
        for source in [SOURCE, UploadSource::Stream(None)] {
            for (what, fault) in [
                ("PUT c/o", Fault::Refuse(403)),
                ("PUT c_segments", Fault::Refuse(400)),
                ("GET c_segments", Fault::Refuse(403)),
            ] {
                let (world, checkpoint) = made(kind, source);
                let mut world = world.fault(what, 1, fault);
                let done = resume(&mut world, checkpoint, source).unwrap();
                assert!(done.recovered, "{kind:?}, {what}");
                assert_eq!((done.size, done.segments), (3000, 3), "{kind:?}, {what}");
                stored(&world);
                assert_eq!(world.count("DELETE"), 0, "{kind:?}, {what}");
            }
        }
    }
    // A server that does not show manifests: the ETag of the segments decides.
    let (world, checkpoint) = made(LargeObject::Static, SOURCE);
    let mut world = world.fault("PUT c/o", 1, Fault::Refuse(403)).fault_from(
        "GET c/o?multipart-manifest=get",
        1,
        Fault::Refuse(403),
    );
    assert!(resume(&mut world, checkpoint, SOURCE).unwrap().recovered);
    stored(&world);
}

#[test]
fn segments_of_an_object_that_may_have_been_made_before_stay() {
    for kind in BOTH {
        // No look at the object is answered, or the manifest may be in flight still.
        let unseen = [("PUT c/o", Fault::Refuse(403)), ("HEAD c/o", Fault::Refuse(403))];
        let lost = [("PUT c/o", 1, Fault::Lost), ("HEAD c/o", 2, Fault::Lost)];
        let in_flight = ended_at(kind, SOURCE, &lost);
        for ((world, checkpoint), faults) in
            [(made(kind, SOURCE), &unseen[..]), (in_flight, &unseen[..1])]
        {
            let mut world = world;
            for (what, fault) in faults {
                world = world.fault_from(what, 1, *fault);
            }
            let resumed =
                SwiftUpload::resume(checkpoint.clone(), SOURCE, options(), service(), 8).unwrap();
            let checkpoints = resumed.checkpoints();
            let error = world.run(resumed).unwrap_err();
            assert!(error.outcome_unknown(), "{kind:?}: {error}");
            assert!(error.look_at().unwrap().contains("c/o"), "{error}");
            assert_eq!(error.leftovers().len(), 3, "{kind:?}: {error}");
            assert_eq!(world.count("DELETE"), 0);
            assert_eq!(world.store.names("c_segments").len(), 3);
            // Another process may go on.
            world.mend();
            resume(&mut world, checkpoints.latest().unwrap(), SOURCE).unwrap();
            stored(&world);
        }
    }
}

/// The manifest of the process before was applied, another client has written since, and the look at
/// the object does not show that: a server that ignores `If-None-Match` would replace it.
#[test]
fn a_manifest_that_may_replace_nothing_is_not_sent_again_without_a_look_at_the_object() {
    for kind in BOTH {
        for fault in [Fault::Refuse(403), Fault::Refuse(405), Fault::Refuse(429)] {
            let (mut world, checkpoint) = made(kind, SOURCE);
            world.store.is_ceph = true;
            world.store.put("c", "o", "of another");
            let mut world = world.fault_from("HEAD c/o", 1, fault);
            let options = SwiftUploadOptions { if_absent: true, ..options() };
            let resumed = SwiftUpload::resume(checkpoint, SOURCE, options, service(), 8).unwrap();
            let error = world.run(resumed).unwrap_err();
            assert_eq!(world.store.read("c", "o").unwrap(), "of another", "{kind:?}, {fault:?}");
            assert_eq!(world.count("PUT c/o"), 0, "{kind:?}, {fault:?}");
            assert!(error.outcome_unknown(), "{error}");
            assert!(error.look_at().unwrap().contains("c/o"), "{error}");
            assert_eq!(error.leftovers().len(), 3, "{error}");
            assert_eq!(world.count("DELETE"), 0);
        }
    }
}

/// A server that is overloaded refuses the look, and not the client.
#[test]
fn an_upload_that_may_replace_nothing_ends_where_the_server_is_too_busy_for_a_look() {
    for kind in BOTH {
        let world = World::new(object(3000));
        let mut world = world.fault_from("HEAD c/o", 1, Fault::Refuse(429));
        world.store.is_ceph = true;
        world.store.put("c", "o", "of another");
        let options = SwiftUploadOptions { if_absent: true, large_object: Some(kind), ..options() };
        let upload = SwiftUpload::new("c", "o", SOURCE, options, service(), 7).unwrap();
        let error = world.run(upload).unwrap_err();
        assert_eq!(error.status().unwrap(), 429, "{error}");
        assert_eq!(world.store.read("c", "o").unwrap(), "of another");
    }
}

#[test]
fn segments_of_no_object_are_removed_also_those_that_are_not_listed() {
    for kind in BOTH {
        // The second segment is stored, its response was lost, and the listing lags behind.
        let second = "c_segments/o/id/3000/1000/00000002";
        let lost = [
            (&*format!("PUT {second}"), 1, Fault::AnswerLost),
            (&*format!("HEAD {second}"), 1, Fault::Lost),
        ];
        for there in [None, Some("of another")] {
            let (mut world, checkpoint) = ended_at(kind, SOURCE, &lost);
            assert_eq!(world.store.names("c_segments").len(), 2);
            if let Some(bytes) = there {
                world.store.put("c", "o", bytes);
            }
            let mut world = world.fault("GET c_segments", 1, Fault::Says("[]")).fault_from(
                "PUT c_segments/",
                1,
                Fault::Refuse(400),
            );
            let error = resume(&mut world, checkpoint, SOURCE).unwrap_err();
            assert!(!error.outcome_unknown() && error.leftovers().is_empty(), "{error}");
            assert_eq!(world.store.names("c_segments"), [""; 0], "{kind:?}: {error}");
            assert_eq!(world.store.read("c", "o").is_some(), there.is_some());
        }
    }
}

#[test]
fn another_source_does_not_succeed_by_the_object_that_was_made_before() {
    for kind in BOTH {
        let (mut world, checkpoint) = made(kind, UploadSource::Stream(None));
        let before = world.source.clone();
        world.source = object(2000);
        let error = resume(&mut world, checkpoint, UploadSource::Stream(None)).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput, "{error}");
        assert!(error.outcome_unknown(), "{error}");
        assert!(world.store.read("c", "o").unwrap() == before, "{kind:?}");
    }
}

#[test]
fn a_resumed_upload_has_its_checkpoint_from_the_start() {
    let (_, checkpoint) = made(LargeObject::Static, SOURCE);
    let resumed = SwiftUpload::resume(checkpoint.clone(), SOURCE, options(), service(), 8);
    assert_eq!(resumed.unwrap().checkpoint(), Some(checkpoint));
}

/// What is appended to a file after each request is the checkpoint.
#[test]
fn the_changes_of_a_checkpoint_make_the_same_checkpoint() {
    for kind in BOTH {
        let lost = [("PUT c/o", 1, Fault::AnswerLost), ("HEAD c/o", 2, Fault::Lost)];
        let mut world = World::new(object(3000));
        for (what, nth, fault) in lost {
            world = world.fault_from(what, nth, fault);
        }
        let keep = OnFailure::Keep;
        let options =
            SwiftUploadOptions { large_object: Some(kind), on_failure: keep, ..options() };
        let machine = SwiftUpload::new("c", "o", SOURCE, options, service(), 7).unwrap();
        let checkpoints = machine.checkpoints();
        let early = checkpoints.since(0);
        assert_eq!((early.changes.len(), early.position), (0, 0));
        let mut pump = pump(machine, Auth::new(Tokens::default()));
        let mut file = Vec::new();
        let mut position = 0;
        let mut sent = 0;
        let look = || {
            let news = checkpoints.since(position);
            position = news.position;
            for change in news.changes {
                let text = serde_json::to_string(&change).unwrap();
                sent += usize::from(matches!(change, SwiftCheckpointChange::Sent(_)));
                file.push(serde_json::from_str(&text).unwrap());
            }
            assert_eq!(SwiftCheckpoint::replay(file.clone()), checkpoints.latest());
        };
        world.drive_with(&mut pump, look).unwrap_err();
        assert_eq!(sent, 2, "what began the checkpoint has the first");
        assert_eq!(file.last(), Some(&SwiftCheckpointChange::ManifestSent(true)));
    }
}

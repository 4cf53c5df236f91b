//! A dynamic large object whose segments the listing does not show yet: the upload does not succeed
//! before the object equals what was sent, and does not remove it while it may still become so.
//!
//! Swift's containers are updated after its objects, and a DLO is what a listing shows: "Dynamic
//! Large Objects" and "Eventual Consistency" in Swift's documentation.

use std::time::Duration;

use apus_core::contract::OnFailure;
use apus_core::error::Leftover;
use apus_core::machine::{
    Auth, LargeObject, SwiftUpload, SwiftUploadOptions, SwiftUploaded, UploadSource,
};
use apus_core::now::WaitReason;
use apus_core::{Error, Kind};

use crate::swift_store::{Fault, Tokens, World, object, pump, service};

fn options() -> SwiftUploadOptions {
    SwiftUploadOptions {
        threshold: 2000,
        segment_size: 1000,
        memory: 20_000,
        id: Some("id".into()),
        large_object: Some(LargeObject::Dynamic),
        ..SwiftUploadOptions::default()
    }
}

fn machine(world: &World, options: SwiftUploadOptions) -> SwiftUpload {
    let source = UploadSource::Seekable(world.source.len() as u64);
    SwiftUpload::new("c", "o", source, options, service(), 7).unwrap()
}

fn upload(world: &mut World, options: SwiftUploadOptions) -> Result<SwiftUploaded, Error> {
    world.run(machine(world, options))
}

/// Segments whose names end so are listed after so many seconds.
fn lagging(end: &'static str, seconds: u64) -> World {
    let mut world = World::new(object(9500));
    world.store.unlisted = Some((end, world.now.unix.as_secs() + seconds));
    world
}

fn took(world: &World) -> Duration {
    world.now.tick - Duration::from_secs(5)
}

/// The manifest and the segments.
fn all() -> Vec<Leftover> {
    let one = |bucket: &str, key: String| Leftover::Object { bucket: bucket.into(), key };
    let segments = (1..=10).map(|at| one("c_segments", format!("o/id/9500/1000/{at:08}")));
    std::iter::once(one("c", "o".into())).chain(segments).collect()
}

#[test]
fn it_is_stored_when_the_listing_shows_all_of_it() {
    // The last one, one in the middle, all of them.
    for end in ["00000010", "00000004", ""] {
        for seconds in [1, 9, 50] {
            let mut world = lagging(end, seconds);
            let done = upload(&mut world, options()).unwrap();
            assert_eq!((done.size, done.segments, done.recovered), (9500, 10, false));
            assert!(world.store.read("c", "o").unwrap() == world.source, "{end}");
            assert!(took(&world) >= Duration::from_secs(seconds - 1), "{:?}", took(&world));
            // Further and further apart.
            assert!(world.count("HEAD c/o") < 15, "{}", world.count("HEAD c/o"));
        }
    }
    // One look where nothing lags.
    let mut world = World::new(object(9500));
    upload(&mut world, SwiftUploadOptions { remove_replaced: false, ..options() }).unwrap();
    assert_eq!(world.count("HEAD c/o"), 1);
}

#[test]
fn what_never_becomes_whole_is_an_error_that_keeps_and_names_it() {
    for (end, says) in [
        ("00000010", "HEAD states 9000 bytes"),
        ("00000003", "HEAD states 8500 bytes"),
        ("", "the listing lacks 10 of its segments"),
    ] {
        for if_absent in [false, true] {
            let mut world = lagging(end, 1_000_000);
            let error =
                upload(&mut world, SwiftUploadOptions { if_absent, ..options() }).unwrap_err();
            assert_eq!((error.kind(), error.operation()), (Kind::InvalidResponse, Some("PutDlo")));
            let text = error.to_string();
            assert!(text.contains(says), "{text}");
            assert!(text.contains("`c_segments` lags behind"), "{text}");
            assert!(error.outcome_unknown());
            let look_at = "the length of c/o: it is complete at 9500 bytes";
            assert_eq!(error.look_at(), Some(look_at));
            assert_eq!(error.leftovers(), all());
            assert_eq!(world.count("DELETE"), 0);
            let limit = Duration::from_secs(60);
            assert!(took(&world) >= limit && took(&world) < limit + Duration::from_secs(2));
            // It becomes whole after all.
            world.store.unlisted = None;
            assert!(world.store.read("c", "o").unwrap() == world.source);
        }
    }
}

#[test]
fn how_long_is_an_option() {
    let mut world = lagging("00000010", 30);
    let options = SwiftUploadOptions { listing_lag: Duration::from_secs(5), ..options() };
    let error = upload(&mut world, options.clone()).unwrap_err();
    assert!(error.to_string().contains("incomplete after 5 s"), "{error}");
    let mut world = lagging("00000010", 30);
    let options = SwiftUploadOptions { listing_lag: Duration::from_secs(40), ..options };
    upload(&mut world, options).unwrap();
}

#[test]
fn what_was_replaced_is_named_with_it() {
    let mut world = World::new(object(9500));
    upload(&mut world, SwiftUploadOptions { id: Some("old".into()), ..options() }).unwrap();
    world.store.unlisted = Some(("00000010", u64::MAX));
    let error = upload(&mut world, options()).unwrap_err();
    let named = |id: &str| {
        let of = |one: &&Leftover| matches!(one, Leftover::Object { key, .. } if key.contains(id));
        error.leftovers().iter().filter(of).count()
    };
    // The old listing lags too, so that its last segment is not known.
    assert_eq!((named("o/id/"), named("o/old/")), (10, 9), "{error}");
}

#[test]
fn a_lost_answer_to_the_manifest_is_no_reason_to_look_less() {
    let mut world = lagging("00000010", 9).fault("PUT c/o", 1, Fault::AnswerLost);
    let options = SwiftUploadOptions { if_absent: true, ..options() };
    let done = upload(&mut world, options).unwrap();
    assert!(done.recovered && took(&world) >= Duration::from_secs(8));
    assert!(world.store.read("c", "o").unwrap() == world.source);
}

#[test]
fn more_segments_than_a_page_are_counted_in_the_listing() {
    for end in ["00000010", "none"] {
        let mut world = lagging(end, 9);
        world.store.page = 4;
        upload(&mut world, options()).unwrap();
        assert!(world.store.read("c", "o").unwrap() == world.source);
        assert_eq!(took(&world) >= Duration::from_secs(8), end != "none");
    }
}

#[test]
fn what_may_not_be_looked_at_is_not_called_stored() {
    for status in [403, 500] {
        let mut world = World::new(object(9500)).fault_from("HEAD c/o", 2, Fault::Refuse(status));
        let error = upload(&mut world, options()).unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert!(error.outcome_unknown(), "{error}");
        assert_eq!(error.leftovers(), all());
    }
}

#[test]
fn a_cancellation_while_it_waits_removes_all_of_it() {
    for at in 14..24 {
        let mut world = lagging("00000010", 1_000_000);
        world.cancel_at = Some((at, OnFailure::Abort));
        let error = upload(&mut world, options()).unwrap_err();
        assert!(error.is_cancelled() && error.leftovers().is_empty(), "{at}: {error}");
        for container in ["c", "c_segments"] {
            assert_eq!(world.store.names(container), [""; 0], "{at}");
        }
    }
    // A cancellation that comes too late has no effect.
    let mut world = World::new(object(9500));
    let before = {
        upload(&mut world, options()).unwrap();
        world.log.len() as u32
    };
    let mut world = World::new(object(9500));
    world.cancel_at = Some((before, OnFailure::Abort));
    upload(&mut world, options()).unwrap();
}

#[test]
fn who_watches_is_told_what_it_waits_for() {
    let mut world = lagging("00000010", 1_000_000);
    world.reasons.clear();
    let mut pump = pump(machine(&world, options()), Auth::new(Tokens::default()));
    world.drive(&mut pump).unwrap_err();
    assert!(world.reasons.contains(&WaitReason::Listing), "{:?}", world.reasons);
}

//! Uploads to a Swift whose containers are not told of new objects until its updater runs.
//!
//! ```text
//! LISTINGS_LAG=1 conformance/live/openstack up && eval "$(conformance/live/openstack env)"
//! cargo test -p apus-conformance --test live_openstack -- listings_lag
//! ```

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use apus_core::Error;
use apus_core::machine::{
    LargeObject, SegmentsIn, SwiftUpload, SwiftUploadOptions, SwiftUploaded, UploadSource,
};
use apus_core::swift::{GetObject, HeadObject};

use crate::cases::payload;
use crate::site::{Server, Site};
use crate::stage::{Stage, names, sweep};
use crate::store::Feed;
use crate::suite::places;

/// Runs the checks over both transports at once.
pub fn run(test: &str) {
    if std::env::var("APUS_LIVE_OPENSTACK_LISTINGS_LAG").as_deref() != Ok("1") {
        eprintln!(
            "{test}: not run, listings do not lag: LISTINGS_LAG=1 conformance/live/openstack up"
        );
        return;
    }
    for site in Site::all(test).iter().filter(|site| site.server == Server::Swift) {
        thread::scope(|scope| {
            for place in places(site) {
                scope.spawn(move || {
                    let stage = Stage::open(site, place, "lagging");
                    a_static_one_needs_no_listing(&stage);
                    a_dynamic_one_waits_for_its_listing(&stage);
                    a_dynamic_one_that_lags_longer_is_an_error(&stage);
                    // Removals lag as well: a container is empty after the updater has run again.
                    settle();
                    for container in [&beside(&stage), &stage.container] {
                        let _ = sweep(&stage.store, container);
                    }
                    settle();
                    sweep(&stage.store, &beside(&stage)).unwrap();
                    stage.close();
                });
            }
        });
    }
}

fn a_static_one_needs_no_listing(stage: &Stage<'_>) {
    let done = upload(stage, "static", LargeObject::Static, Duration::from_secs(60)).unwrap();
    assert_eq!((done.segments, done.leftovers), (4, Vec::new()));
    // The updater may have run for the other transport: then nothing is proved, and nothing wrong.
    let listed = names(&stage.store, &stage.container).unwrap();
    eprintln!("{}: the listing has {} of 1 object", stage.place, listed.len());
    assert!(read(stage, "static") == bytes());
}

fn a_dynamic_one_waits_for_its_listing(stage: &Stage<'_>) {
    let began = Instant::now();
    let done = thread::scope(|scope| {
        let lag = Duration::from_secs(60);
        let upload = scope.spawn(move || upload(stage, "dynamic", LargeObject::Dynamic, lag));
        while !upload.is_finished() {
            thread::sleep(Duration::from_secs(1));
            settle();
        }
        upload.join().unwrap().unwrap()
    });
    assert_eq!((done.segments, done.leftovers), (4, Vec::new()));
    assert!(read(stage, "dynamic") == bytes(), "after {:?}", began.elapsed());
}

/// The object stays, and is complete when the updater has run: its segments may not be removed.
fn a_dynamic_one_that_lags_longer_is_an_error(stage: &Stage<'_>) {
    let error = upload(stage, "late", LargeObject::Dynamic, Duration::ZERO);
    let Err(error) = error else {
        // The updater ran between the last segment and the listing, for the other transport.
        return eprintln!("{}: the listing was complete", stage.place);
    };
    let text = error.to_string();
    assert!(text.contains("4 segments") || text.contains("of 4"), "{text}");
    assert!(text.contains(&beside(stage)), "{text}");
    assert_eq!(error.leftovers().len(), 5, "the object and its segments: {error:?}");
    stage.call(HeadObject::new(&stage.container, "late")).unwrap();
    settle();
    assert!(read(stage, "late") == bytes());
}

fn upload(
    stage: &Stage<'_>,
    object: &str,
    large_object: LargeObject,
    listing_lag: Duration,
) -> Result<SwiftUploaded, Error> {
    let options = SwiftUploadOptions {
        threshold: 100_000,
        segment_size: SEGMENT as u64,
        large_object: Some(large_object),
        segments_in: SegmentsIn::Container(beside(stage)),
        listing_lag,
        ..SwiftUploadOptions::default()
    };
    let bytes = bytes();
    let source = UploadSource::Seekable(bytes.len() as u64);
    let service = Arc::clone(stage.store.service());
    let machine = SwiftUpload::new(&stage.container, object, source, options, service, 1)?;
    stage.store.run_from(machine, Feed::Memory, &bytes)
}

fn read(stage: &Stage<'_>, object: &str) -> Vec<u8> {
    stage.call(GetObject::new(&stage.container, object)).unwrap().body.to_vec()
}

fn bytes() -> Vec<u8> {
    payload(3 * SEGMENT + 12_345)
}

fn beside(stage: &Stage<'_>) -> String {
    format!("{}-segments", stage.container)
}

/// Runs Swift's updater once, and no two of them at a time.
fn settle() {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("live/openstack");
    let status = Command::new(script).arg("settle").status().unwrap();
    assert!(status.success(), "{status}");
}

const SEGMENT: usize = 300_000;

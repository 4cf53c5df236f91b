//! Uploads to Swift: in one request, as static and dynamic large objects, of known and unknown
//! length, resumed by another process.

use std::time::Duration;

use apus_core::contract::OnFailure;
use apus_core::error::Leftover;
use apus_core::machine::{LargeObject, SwiftUpload, UploadSource};

use super::s3::{bytes, unlike};
use super::swift::{
    SEGMENT, demo, life, model, named, options, present, service, with_object, world,
};
use super::{Outcome, Over, Workload};
use crate::sim::chance::Chance;
use crate::sim::drive::End;
use crate::sim::ends::Source;
use crate::sim::schedule::Schedule;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "swift-put",
        operations: &["PutObject", "PutObject", "HeadObject", "Authenticate"],
        cleanup: &[],
        dies: false,
        run: |schedule| run(schedule, None, false),
    },
    Workload {
        name: "swift-static",
        operations: STATIC,
        cleanup: CLEANUP,
        dies: false,
        run: |schedule| run(schedule, Some(LargeObject::Static), false),
    },
    Workload {
        name: "swift-dynamic",
        operations: DYNAMIC,
        cleanup: CLEANUP,
        dies: false,
        run: |schedule| run(schedule, Some(LargeObject::Dynamic), false),
    },
    Workload {
        name: "swift-stream",
        operations: STATIC,
        cleanup: CLEANUP,
        dies: false,
        run: |schedule| run(schedule, Some(LargeObject::Static), true),
    },
    Workload {
        name: "swift-resume",
        operations: STATIC,
        cleanup: CLEANUP,
        dies: true,
        run: |schedule| {
            let kind = match schedule.seed % 2 {
                0 => LargeObject::Static,
                _ => LargeObject::Dynamic,
            };
            run(schedule, Some(kind), false)
        },
    },
];

const STATIC: &[&str] = &[
    "PutObject",
    "PutObject",
    "PutSlo",
    "PutSlo",
    "PutSlo",
    "HeadObject",
    "HeadContainer",
    "PutContainer",
    "GetInfo",
    "Authenticate",
];
const DYNAMIC: &[&str] = &[
    "PutObject",
    "PutObject",
    "PutDlo",
    "PutDlo",
    "PutDlo",
    "HeadObject",
    "HeadContainer",
    "PutContainer",
    "GetContainer",
    "Authenticate",
];
const CLEANUP: &[&str] = &["DeleteObject", "BulkDelete"];

fn run(schedule: &Schedule, kind: Option<LargeObject>, stream: bool) -> Over {
    let mut chance = Chance::new(schedule.seed, "swift upload");
    let segmented = kind.is_some();
    let most = [1500, 4000, 9000, 20_000][usize::from(schedule.size.min(3))];
    let least = if segmented { SEGMENT + 1 } else { 0 };
    let length = (least + chance.below(most)) as usize;
    let object = bytes(length, schedule.seed);
    let mut options = options(&mut chance, kind);
    options.if_absent = chance.percent(25);
    options.on_failure =
        chance.pick(&[OnFailure::Abort, OnFailure::Abort, OnFailure::Abort, OnFailure::Keep]);
    let mut cloud = model(3600);
    // An older object of the same length, of one piece or of many.
    let older = unlike(&[&object], schedule.seed ^ 2);
    let older_kind = chance.pick(&[None, None, Some(None), Some(kind), Some(kind)]);
    if let Some(older_kind) = older_kind {
        let mut before = super::swift::options(&mut chance, older_kind);
        before.segments_in = options.segments_in.clone();
        cloud = with_object(cloud, &older, before, !schedule.seed);
    }
    cloud.set_token_life(Duration::from_secs(life(&mut chance)));
    let before = present(&cloud);
    let mut world = world(schedule, &mut chance, cloud);
    world.cleanup = if segmented { CLEANUP } else { &[] };
    world.tagged = segmented;
    world.source = Source::seekable(object.clone());
    if options.if_absent || chance.percent(20) {
        world.intruder = Some(unlike(&[&object, &older], schedule.seed ^ 1));
    }
    let mut rare = Chance::new(schedule.seed, "swift upload, conditions");
    if options.if_absent && rare.percent(40) {
        world.host.cloud_model_mut().ignore_conditions();
        world.heedless = true;
        if rare.percent(50) {
            world.intrudes_later(Duration::from_millis(rare.below(20_000)));
        }
    }
    let lag = match kind {
        Some(LargeObject::Dynamic) => chance.pick(&[0, 0, 200, 3000, 100_000]),
        _ => 0,
    };
    world.host.cloud_model_mut().set_listing_lag(Duration::from_millis(lag));
    if chance.percent(5) {
        world.source.breaks_at = Some(chance.below(length as u64 + 1));
    }
    let source = match stream {
        true if chance.percent(40) => UploadSource::Stream(Some(length as u64)),
        true => UploadSource::Stream(None),
        false => UploadSource::Seekable(length as u64),
    };
    let service = service(&mut chance);
    let new =
        |seed| SwiftUpload::new("images", "object", source, options.clone(), service.clone(), seed);
    let upload = match new(schedule.seed) {
        Ok(upload) => upload,
        Err(error) => {
            world.trace.say(world.now, format!("refused: {error}"));
            return Over { world, outcome: Outcome::Failed };
        }
    };
    let mut checkpoints = upload.checkpoints();
    let mut end = world.run(upload, demo());
    let mut told = std::collections::BTreeSet::new();
    // The process that died had stored the object, and so had no checkpoint any more.
    let mut finished = false;
    while matches!(end, End::Died) && world.record.wrong.is_empty() {
        let again = match checkpoints.latest() {
            Some(checkpoint) => {
                let text = serde_json::to_string(&checkpoint).expect("it is plain data");
                let checkpoint = serde_json::from_str(&text).expect("it was written by us");
                let (options, service) = (options.clone(), service.clone());
                SwiftUpload::resume(checkpoint, source, options, service, schedule.seed + 1)
            }
            None => {
                // What the last process left is named nowhere if it died before its first
                // checkpoint, or after it had stored the object.
                let model = world.host.cloud_model();
                let there = model.content_of("demo", "images", "object");
                finished = there.as_deref() == Some(&object[..]);
                told.extend(present(world.host.cloud_model()));
                new(schedule.seed + 1)
            }
        };
        match again {
            Ok(again) => {
                checkpoints = again.checkpoints();
                end = world.run(again, demo());
            }
            Err(error) => world.wrong(format!("its own checkpoint is refused: {error}")),
        }
    }
    world.tell_time();
    // A late request of a process that died may change what the next one has stored.
    let haunted = world.record.deaths > 0 && world.record.acted_late > 0;
    if let (End::Done(Ok(done)), true) = (&end, world.record.wrong.is_empty()) {
        // A dynamic large object consists of what a GET returns from now on.
        if done.size != length as u64 {
            world.wrong(format!("it says that {} bytes were stored of {length}", done.size));
        }
        world.must_read(&object);
    }
    world.settle();
    let outcome = match end {
        End::Died => Outcome::Failed,
        End::Done(Ok(done)) => {
            if !haunted && world.record.acted_late == 0 {
                world.must_read(&object);
            }
            told.extend(named(&done.leftovers));
            let replaced = world.record.replaced;
            // The segments of an object that another client replaced meanwhile are unknown.
            let kept =
                if replaced { present(world.host.cloud_model()) } else { Default::default() };
            told.extend(kept);
            // Where a look failed, nothing could be removed, and that is said.
            let is_open = |one: &Leftover| matches!(one, Leftover::Perhaps { .. });
            let said = world.record.looked_in_vain && done.leftovers.iter().any(is_open);
            // A refused look left the decision to a server that does not decide.
            let blind = options.if_absent && world.heedless && world.record.looked_in_vain;
            if said || blind || world.record.deaths > 0 {
                told.extend(before.iter().cloned());
            }
            world.nothing_but(&Default::default(), &told, "it said yes");
            Outcome::Done
        }
        End::Done(Err(error)) => {
            told.extend(named(error.leftovers()));
            let keeps = options.on_failure == OnFailure::Keep || world.record.kept;
            if keeps && checkpoints.latest().is_some() {
                told.extend(present(world.host.cloud_model()));
            }
            world.nothing_but(&before, &told, &format!("the error is {error}"));
            // A process that began anew does not name what the one before it left.
            if !finished {
                world.not_read_unless_said(&error, &object);
            }
            // Whether a dynamic large object is what was sent is known once it has replaced
            // another. After a cancellation then, nothing that was sent may stay, and the older
            // object is lost.
            let record = &world.record;
            let withdrawn =
                record.cancelled && !record.kept && record.carried_out.contains("PutDlo");
            // What is stored with another ETag than it must have is removed.
            let mistagged = world.met.iter().any(|(name, _)| *name == "wrong ETag");
            let kept = lag == 0 && !withdrawn && !mistagged;
            if older_kind.is_some() && world.record.acted_late == 0 && kept {
                still_there(&mut world, &older, &object);
            }
            Outcome::of(&error)
        }
    };
    if options.if_absent && older_kind.is_some() && !world.record.replaced {
        let there = world.host.cloud_model().content_of("demo", "images", "object");
        // A refused look leaves the decision to the server.
        let blind = world.heedless && world.record.looked_in_vain;
        if there.as_deref() != Some(&older[..]) && length > 0 && !blind {
            world.wrong("an object was replaced that was not to be");
        }
    }
    let segments = length as u64 / SEGMENT + 2;
    let held = options.segment_size * (options.concurrency as u64 + 1) + 1;
    world.in_all(40 * (2 * segments + 10), held.max(options.threshold + 1));
    Over { world, outcome }
}

/// Checks that a failure left the older object, or what replaced it.
fn still_there(world: &mut crate::sim::world::World, older: &[u8], ours: &[u8]) {
    let there = world.host.cloud_model().content_of("demo", "images", "object");
    let other = world.intruder.clone();
    let there = there.as_deref();
    let fine = there == Some(older)
        || there == Some(ours)
        || (world.record.replaced && there == other.as_deref());
    if !fine && world.record.lies == 0 {
        world.wrong("it said no, and what was there before is no longer to be read");
    }
}

//! Downloads from Swift, and deletions.

use std::time::Duration;

use apus_core::machine::{
    DownloadOptions, LargeObject, SwiftDelete, SwiftDeleteOptions, SwiftDownload,
};
use apus_core::swift::GetObject;

use super::s3::{bytes, unlike};
use super::swift::{
    BEFORE, demo, life, model, named, object_name, options, present, service, with_object, world,
};
use super::{Outcome, Over, Workload};
use crate::sim::chance::Chance;
use crate::sim::drive::End;
use crate::sim::schedule::Schedule;
use crate::sim::world::World;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "swift-get",
        operations: OPERATIONS,
        cleanup: &[],
        dies: false,
        run: |schedule| get(schedule, 1),
    },
    Workload {
        name: "swift-get-wide",
        operations: OPERATIONS,
        cleanup: &[],
        dies: false,
        run: |schedule| get(schedule, 4),
    },
    Workload {
        name: "swift-delete",
        operations: &[
            "HeadObject",
            "GetManifest",
            "GetContainer",
            "DeleteSlo",
            "BulkDelete",
            "DeleteObject",
            "GetInfo",
            "Authenticate",
        ],
        cleanup: &[],
        dies: false,
        run: delete,
    },
];

const OPERATIONS: &[&str] = &[
    "GetObject",
    "GetObject",
    "GetObject",
    "HeadObject",
    "GetManifest",
    "GetContainer",
    "Authenticate",
];

/// Returns a cloud with an object of any kind, and its bytes.
fn stage(schedule: &Schedule, chance: &mut Chance) -> (World, bytes::Bytes, Option<LargeObject>) {
    let most = [1500, 4000, 9000, 20_000][usize::from(schedule.size.min(3))];
    let kind = chance.pick(&[None, Some(LargeObject::Static), Some(LargeObject::Dynamic)]);
    let least = if kind.is_some() { 1025 } else { 0 };
    let object = bytes((least + chance.below(most)) as usize, schedule.seed);
    let mut cloud = with_object(model(3600), &object, options(chance, kind), !schedule.seed);
    cloud.set_token_life(Duration::from_secs(life(chance)));
    (world(schedule, chance, cloud), object, kind)
}

fn get(schedule: &Schedule, concurrency: usize) -> Over {
    let mut chance = Chance::new(schedule.seed, "swift download");
    let (mut world, object, kind) = stage(schedule, &mut chance);
    world.intruder = Some(unlike(&[&object], schedule.seed ^ 1));
    world.validates = true;
    let options = DownloadOptions {
        range_size: chance.pick(&[700, 2000, 5000]),
        concurrency,
        ..DownloadOptions::default()
    };
    let step = options.range_size;
    let lag = match kind {
        // The listing shows the segments at once, or this many milliseconds later.
        Some(LargeObject::Dynamic) => chance.pick(&[0, 0, 0, 1, 100, 300, 100_000]),
        _ => 0,
    };
    if lag > 0 {
        world.skew = 0;
        let lag = BEFORE + Duration::from_millis(lag) - Duration::from_millis(200);
        world.host.cloud_model_mut().set_listing_lag(lag);
    }
    let get = GetObject::new("images", "object");
    let download = SwiftDownload::new(get, service(&mut chance), options, schedule.seed);
    let end = world.run(download, demo());
    let outcome = match end {
        End::Died => Outcome::Failed,
        End::Done(Ok(done)) => {
            let other = world.intruder.clone().unwrap_or_default();
            let corrupt = world.met.iter().any(|(name, _)| *name == "corrupt body");
            if corrupt && !done.validation.is_validated() {
                // The reader could compare it with nothing, and its result says so.
            } else if world.record.replaced && world.sink.bytes == other {
                world.delivered(&other);
            } else if lag == 0 || done.validation.is_validated() {
                world.delivered(&object);
                if done.bytes != object.len() as u64 {
                    world.wrong(format!("it says that {} bytes came", done.bytes));
                }
            }
            Outcome::Done
        }
        End::Done(Err(error)) => Outcome::of(&error),
    };
    world.settle();
    // An attempt that makes progress resets the count of attempts.
    let length = object.len() as u64;
    world.in_all(40 * (length / step.min(1000) + 6), 0);
    Over { world, outcome }
}

fn delete(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "swift delete");
    let (mut world, object, _) = stage(schedule, &mut chance);
    let options = SwiftDeleteOptions {
        concurrency: chance.pick(&[1, 4]),
        segments: true,
        bulk: chance.percent(50),
    };
    let machine =
        SwiftDelete::new("images", "object", service(&mut chance), options, schedule.seed);
    let end = world.run(machine, demo());
    world.settle();
    let left = present(world.host.cloud_model());
    let outcome = match end {
        End::Died => Outcome::Failed,
        End::Done(Ok(_)) => {
            if !left.is_empty() && world.record.lies == 0 {
                world.wrong(format!("it said yes, and {left:?} are left"));
            }
            Outcome::Done
        }
        End::Done(Err(error)) => {
            let told = named(error.leftovers());
            // The remaining segments can be found by the object itself.
            let leads = left.contains(&object_name());
            let lost = left.iter().any(|name| !told.contains(name));
            if !leads && lost && world.record.lies == 0 {
                world.wrong(format!("{left:?} are left, nothing leads to them, and {error}"));
            }
            Outcome::of(&error)
        }
    };
    world.in_all(60 * (object.len() as u64 / 1000 + 10), 0);
    Over { world, outcome }
}

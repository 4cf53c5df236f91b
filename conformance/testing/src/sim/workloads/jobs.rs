//! Copies on the server, and deletions of many objects.

use apus_core::machine::{DeleteManyOptions, PartLimits, S3Copy, S3DeleteMany, ServerCopyOptions};
use apus_core::s3::{Conditions, CopyObject, CopySource};

use super::s3::{Setup, bytes, keys, model, unlike};
use super::{Outcome, Over, Workload};
use crate::sim::chance::Chance;
use crate::sim::drive::End;
use crate::sim::host::Host;
use crate::sim::schedule::Schedule;
use crate::sim::world::World;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "s3-copy",
        operations: &["HeadObject", "CopyObject", "CopyObject"],
        cleanup: &[],
        dies: false,
        run: |schedule| copy(schedule, false),
    },
    Workload {
        name: "s3-copy-parts",
        operations: &[
            "HeadObject",
            "CreateMultipartUpload",
            "UploadPartCopy",
            "UploadPartCopy",
            "CompleteMultipartUpload",
            "CompleteMultipartUpload",
        ],
        cleanup: &["AbortMultipartUpload", "ListParts"],
        dies: false,
        run: |schedule| copy(schedule, true),
    },
    Workload {
        name: "s3-delete-many",
        operations: &["DeleteObjects", "DeleteObjects", "DeleteObject"],
        cleanup: &[],
        dies: false,
        run: delete_many,
    },
];

fn copy(schedule: &Schedule, parts: bool) -> Over {
    let mut chance = Chance::new(schedule.seed, "copy");
    let setup = Setup::new(&mut chance);
    let most = [1500, 5000, 12_000, 30_000][usize::from(schedule.size.min(3))];
    let object = bytes(1025 + chance.below(most) as usize, schedule.seed);
    let mut server = model(&mut chance).with_object("bucket", "from", object.clone());
    let older = unlike(&[&object], schedule.seed ^ 2);
    if chance.percent(50) {
        server = server.with_multipart_object("bucket", "key", older.clone(), 3);
    }
    let was = server.object("bucket", "key").is_some();
    let mut host = Host::s3(server);
    if let Host::S3(host) = &mut host {
        host.place.1 = "from".into();
    }
    let mut world = World::new(schedule, host);
    world.cleanup = if parts { &["AbortMultipartUpload", "ListParts"] } else { &[] };
    // Half of the time another client writes a longer object.
    let more = if schedule.seed.is_multiple_of(2) { 700 } else { 0 };
    let longest = [&object[..], &vec![0; more]].concat();
    let other = unlike(&[&longest, &object, &older], schedule.seed ^ 1);
    world.intruder = Some(other.clone());
    let mut copy = CopyObject::new("bucket", "key", CopySource::new("bucket", "from"));
    let absent = chance.percent(40);
    if absent {
        copy.conditions = Conditions::absent();
    }
    if chance.percent(40) {
        copy.checksum_algorithm = setup.algorithm;
    }
    let options = ServerCopyOptions {
        threshold: if parts { 1 << 10 } else { 1 << 20 },
        part_size: chance.pick(&[1 << 10, 3000]),
        concurrency: chance.pick(&[1, 3]),
        limits: PartLimits { smallest: 1 << 10, ..PartLimits::default() },
        ..ServerCopyOptions::default()
    };
    let end = world.run(S3Copy::new(copy, options, setup.service, schedule.seed), keys());
    world.settle();
    let there = world.host.s3_model().object("bucket", "key").map(|object| object.body.clone());
    let whole = there.as_ref() == Some(&object)
        || (world.record.replaced && there.as_ref() == Some(&other));
    let outcome = match end {
        End::Died => Outcome::Failed,
        End::Done(Ok(done)) => {
            if !whole {
                world.must_be("bucket", "key", &object);
            }
            let size = there.as_ref().map_or(0, |there| there.len() as u64);
            if done.size != size {
                let told = done.size;
                world.wrong(format!("it says that {told} bytes were copied, and {size} were"));
            }
            world.no_upload_unnamed(&done.leftovers);
            Outcome::Done
        }
        End::Done(Err(error)) => {
            // A copy has no checkpoint: an upload that is kept on purpose is found by listing the
            // bucket.
            if !world.record.kept {
                world.no_upload_left(Some(&error));
            }
            world.not_ours_unless_said(&error, "bucket", "key", &object);
            Outcome::of(&error)
        }
    };
    if absent && was && there != Some(older) {
        world.wrong("an object was replaced that was not to be");
    }
    world.in_all(30 * (object.len() as u64 / 1024 + 8), 0);
    Over { world, outcome }
}

fn delete_many(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "delete many");
    let setup = Setup::new(&mut chance);
    let many = 1 + chance.below([3, 10, 30, 60][usize::from(schedule.size.min(3))]);
    let mut server = model(&mut chance).with_object("bucket", "other", "stays");
    let key = |number: u64| match number % 7 {
        3 => format!("key <&\u{e9}> {number}"),
        _ => format!("key-{number}"),
    };
    for number in 0..many {
        server = server.with_object("bucket", &key(number), "goes");
    }
    let mut rare = Chance::new(schedule.seed, "delete many, locked");
    if rare.percent(30) {
        server = server.with_locked("bucket", &key(rare.below(many)));
    }
    let mut world = World::new(schedule, Host::s3(server));
    let options = DeleteManyOptions {
        concurrency: chance.pick(&[1, 4]),
        batch: chance.pick(&[1, 5, 1000]),
        ..DeleteManyOptions::default()
    };
    let keys: Vec<String> = (0..many).map(key).collect();
    let machine = S3DeleteMany::new("bucket", keys, setup.service, options, schedule.seed);
    let end = world.run(machine, self::keys());
    world.settle();
    let left: Vec<String> =
        world.host.s3_model().keys("bucket").into_iter().map(str::to_owned).collect();
    let outcome = match end {
        End::Died => Outcome::Failed,
        End::Done(Ok(done)) => {
            let failed = done.errors.len() as u64;
            if done.deleted + failed != many {
                let deleted = done.deleted;
                world.wrong(format!("{deleted} removed and {failed} not, of {many}"));
            }
            let kept = |name: &&String| {
                *name != "other" && !done.errors.iter().any(|error| error.key == **name)
            };
            let untold: Vec<&String> = left.iter().filter(kept).collect();
            if !untold.is_empty() && world.record.lies == 0 {
                world.wrong(format!("it said that {untold:?} are removed, and they are there"));
            }
            Outcome::Done
        }
        End::Done(Err(error)) => Outcome::of(&error),
    };
    if !left.iter().any(|name| name == "other") {
        world.wrong("an object was removed that was not to be");
    }
    world.in_all(30 * (many + 4), 0);
    Over { world, outcome }
}

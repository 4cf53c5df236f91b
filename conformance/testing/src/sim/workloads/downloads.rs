//! Downloads from S3: one stream, or several ranges at once, resumed after cuts.

use std::time::Duration;

use apus_core::checksum::{Algorithm, Validation};
use apus_core::machine::{DownloadOptions, S3Download};
use apus_core::s3::{ByteRange, GetObject};

use super::s3::{Setup, bytes, heedless_model, keys, model, renewed, unlike};
use super::{Outcome, Over, Workload};
use crate::sim::chance::Chance;
use crate::sim::drive::End;
use crate::sim::host::Host;
use crate::sim::schedule::Schedule;
use crate::sim::world::World;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "s3-get",
        operations: OPERATIONS,
        cleanup: &[],
        dies: false,
        run: |schedule| run(schedule, 1, false),
    },
    Workload {
        name: "s3-get-wide",
        operations: OPERATIONS,
        cleanup: &[],
        dies: false,
        run: |schedule| run(schedule, 4, false),
    },
    Workload {
        name: "s3-get-hedged",
        operations: OPERATIONS,
        cleanup: &[],
        dies: false,
        run: |schedule| run(schedule, 4, true),
    },
];

const OPERATIONS: &[&str] = &["GetObject", "GetObject", "GetObject", "GetObject", "HeadObject"];

fn run(schedule: &Schedule, concurrency: usize, hedged: bool) -> Over {
    let mut chance = Chance::new(schedule.seed, "download");
    let setup = Setup::new(&mut chance);
    let most = [900, 6000, 15_000, 40_000][usize::from(schedule.size.min(3))];
    let length = match chance.below(15) {
        0 => 0,
        _ => 1 + chance.below(most) as usize,
    };
    let object = bytes(length, schedule.seed);
    let mut rare = Chance::new(schedule.seed, "download, conditions");
    let plain = match rare.percent(20) {
        true => heedless_model(),
        false => model(&mut chance),
    };
    let server = match 1 + chance.below(4) as usize {
        1 => plain.with_object("bucket", "key", object.clone()),
        parts => plain.with_multipart_object("bucket", "key", object.clone(), parts),
    };
    let mut world = World::new(schedule, Host::s3(server));
    world.pace = chance.pick(&[1, 1, 100]);
    world.skew = chance.pick(&[0, 0, 0, 7200, -7200]);
    world.intruder = Some(unlike(&[&object], schedule.seed ^ 1));
    let (range, from, to) = range(&mut chance, length);
    world.validates = setup.algorithm.is_some() && range.is_none();
    let get = GetObject { range, ..GetObject::new("bucket", "key") };
    let options = DownloadOptions {
        range_size: if hedged { 100 + chance.below(400) } else { chance.pick(&[500, 2000, 5000]) },
        concurrency,
        digests: if chance.percent(30) { vec![Algorithm::Md5] } else { Vec::new() },
        total_attempts: None,
        hedged,
        ..DownloadOptions::default()
    };
    // A transport reports the heads of hedged requests in any case.
    world.asks_for_heads |= hedged;
    let step = options.range_size;
    let auths = match chance.percent(30) {
        true => {
            world.revocable = true;
            renewed(Duration::from_secs(60), world.skew)
        }
        false => keys(),
    };
    let download = S3Download::new(get, setup.service, options, schedule.seed);
    let end = world.run(download, auths);
    world.settle();
    let outcome = match end {
        End::Died => Outcome::Failed,
        End::Done(Ok(done)) => {
            let whole = &object[from..to];
            // The other client's object may have existed from the beginning: the reader can't
            // distinguish that.
            let other = world.intruder.clone().unwrap_or_default();
            let other = &other[from..to];
            let corrupt = world.met.iter().any(|(name, _)| *name == "corrupt body");
            let hashed = done.digests.iter().find(|value| value.algorithm() == Algorithm::Md5);
            let hashed = hashed.map(|value| value.bytes().to_vec());
            let known = matches!(done.validation, Validation::Validated(_));
            if done.bytes != whole.len() as u64 {
                let want = to - from;
                world.wrong(format!("it says that {} bytes came of {want}", done.bytes));
            }
            if corrupt && !known {
                // The reader got no checksum, and its result says so.
            } else if world.record.replaced && world.sink.bytes == other {
                world.delivered(other);
            } else {
                world.delivered(whole);
            }
            let md5 = Algorithm::Md5.digest(&world.sink.bytes).expect("it is available");
            if hashed.is_some_and(|hashed| hashed != md5.bytes()) {
                world.wrong("the MD5 that it returns is not that of what was delivered");
            }
            Outcome::Done
        }
        End::Done(Err(error)) => Outcome::of(&error),
    };
    // An attempt that makes progress resets the count of attempts.
    world.in_all(40 * (length as u64 / step + 4), 0);
    Over { world, outcome }
}

/// Returns a range, and its start and end in bytes.
fn range(chance: &mut Chance, length: usize) -> (Option<ByteRange>, usize, usize) {
    let start = chance.below(length as u64 + 1) as usize;
    let end = start + chance.below((length - start) as u64 + 1) as usize;
    match chance.below(8) {
        0 if start < length => (Some(ByteRange::From(start as u64)), start, length),
        1 if start < end => (Some(ByteRange::Span(start as u64..end as u64)), start, end),
        2 if start > 0 => (Some(ByteRange::Last(start as u64)), length - start, length),
        _ => (None, 0, length),
    }
}

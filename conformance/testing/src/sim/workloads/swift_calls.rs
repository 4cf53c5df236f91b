//! Single PUTs to Swift, as a client makes them, at a server that may ignore their condition.

use std::time::Duration;

use apus_core::checksum::Algorithm;
use apus_core::contract::Operation;
use apus_core::machine::Call;
use apus_core::swift::{ObjectSegment, Prefix, PutDlo, PutObject, PutSlo, Segment, Service};
use bytes::Bytes;

use super::s3::{bytes, unlike};
use super::swift::{demo, life, model, service, world};
use super::{Outcome, Over, Workload};
use crate::sim::{chance::Chance, drive::End, schedule::Schedule, world::World};

pub(super) const ALL: &[Workload] = &[Workload {
    name: "swift-calls",
    operations: &["PutObject", "PutSlo", "PutDlo", "HeadObject", "HeadObject", "Authenticate"],
    cleanup: &[],
    dies: false,
    run: |schedule| match schedule.seed % 3 {
        0 => run(schedule, |object, if_absent| PutObject {
            if_absent,
            ..PutObject::new("images", "object", object.clone())
        }),
        1 => run(schedule, |object, if_absent| PutSlo {
            if_absent,
            heartbeat: schedule.seed.is_multiple_of(2),
            ..PutSlo::new("images", "object", segments(object))
        }),
        _ => run(schedule, |_, if_absent| PutDlo {
            if_absent,
            ..PutDlo::new("images", "object", Prefix::new("images_segments", "part/"))
        }),
    },
}];

fn run<O>(schedule: &Schedule, operation: impl FnOnce(&Bytes, bool) -> O) -> Over
where
    O: Operation<Service = Service>,
{
    let mut chance = Chance::new(schedule.seed, "swift call");
    let length = 2 + chance.below([100, 1000, 4000, 20_000][usize::from(schedule.size.min(3))]);
    let object = bytes(length as usize, schedule.seed);
    let older = unlike(&[&object], schedule.seed ^ 2);
    let mut cloud = model(life(&mut chance)).with_container("demo", "images_segments");
    for (at, part) in parts(&object).into_iter().enumerate() {
        cloud.put_foreign("demo", "images_segments", &format!("part/{at}"), part);
    }
    let has_older = chance.percent(30);
    if has_older {
        cloud.put_foreign("demo", "images", "object", older.clone());
    }
    let if_absent = chance.percent(80);
    let mut world = world(schedule, &mut chance, cloud);
    world.intruder = Some(unlike(&[&object, &older], schedule.seed ^ 1));
    if if_absent && chance.percent(60) {
        world.host.cloud_model_mut().ignore_conditions();
        world.heedless = true;
        world.record.calls = true;
    }
    if chance.percent(40) {
        world.intrudes_later(Duration::from_millis(chance.below(5000)));
    }
    let call = Call::new(operation(&object, if_absent), service(&mut chance), schedule.seed);
    let end = world.run(call, demo());
    world.settle();
    let outcome = match end {
        End::Died => Outcome::Failed,
        End::Done(Ok(_)) => {
            world.must_read(&object);
            Outcome::Done
        }
        End::Done(Err(error)) => {
            world.not_read_unless_said(&error, &object);
            Outcome::of(&error)
        }
    };
    if has_older && if_absent && !world.heedless && !world.record.replaced {
        is_still_there(&mut world, &older);
    }
    world.in_all(60, 0);
    Over { world, outcome }
}

fn is_still_there(world: &mut World, older: &[u8]) {
    let there = world.host.cloud_model().content_of("demo", "images", "object");
    if there.as_deref() != Some(older) {
        world.wrong("an object was replaced that was not to be");
    }
}

/// Returns the object in two parts.
fn parts(object: &Bytes) -> [Bytes; 2] {
    let middle = object.len() / 2;
    [object.slice(..middle), object.slice(middle..)]
}

fn segments(object: &Bytes) -> Vec<Segment> {
    let segment = |(at, part): (usize, Bytes)| {
        let md5 = Algorithm::Md5.digest(&part).expect("it is available").hex();
        let (name, size) = (format!("part/{at}"), part.len() as u64);
        Segment::Object(ObjectSegment::stored("images_segments", name, md5.into(), size))
    };
    parts(object).into_iter().enumerate().map(segment).collect()
}

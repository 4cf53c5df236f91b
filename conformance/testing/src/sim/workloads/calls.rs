//! Single calls, as a client makes them: of one operation, with retries and nothing else.

use std::sync::Arc;

use apus_core::http::Body;
use apus_core::machine::Call;
use apus_core::s3::{
    ByteRange, CompleteMultipartUpload, CompletedPart, Conditions, CopyObject, CopySource,
    CreateBucket, DeleteObject, GetObject, PutObject, Service,
};

use super::Outcome;
use super::Over;
use super::Workload;
use super::s3::{Setup, bytes, keys, model, unlike};
use crate::server::{Manners, Request, S3Model};
use crate::sim::{
    chance::Chance, drive::End, ends::Source, host::Host, judge::leaves_open, schedule::Schedule,
    world::World,
};

pub(super) const ALL: &[Workload] = &[
    Workload { name: "call-put", operations: &["PutObject"], cleanup: &[], dies: false, run: put },
    Workload {
        name: "call-put-once",
        operations: &["PutObject"],
        cleanup: &[],
        dies: false,
        run: put_once,
    },
    Workload { name: "call-get", operations: &["GetObject"], cleanup: &[], dies: false, run: get },
    Workload {
        name: "call-complete",
        operations: &["CompleteMultipartUpload"],
        cleanup: &[],
        dies: false,
        run: complete,
    },
    Workload {
        name: "call-others",
        operations: &["CreateBucket", "DeleteObject", "CopyObject"],
        cleanup: &[],
        dies: false,
        run: others,
    },
    Workload {
        name: "regions",
        operations: &["PutObject"],
        cleanup: &[],
        dies: false,
        run: regions,
    },
];

/// Runs a call; returns its result, or `None` if the process died.
fn call<O>(
    world: &mut World,
    operation: O,
    service: &Arc<Service>,
    seed: u64,
) -> Option<Result<O::Output, apus_core::Error>>
where
    O: apus_core::contract::Operation<Service = Service>,
{
    match world.run(Call::new(operation, service.clone(), seed), keys()) {
        End::Died => None,
        End::Done(result) => Some(result),
    }
}

fn outcome<T>(result: &Option<Result<T, apus_core::Error>>) -> Outcome {
    match result {
        Some(Ok(_)) => Outcome::Done,
        Some(Err(error)) => Outcome::of(error),
        None => Outcome::Failed,
    }
}

fn length(chance: &mut Chance, size: u8) -> usize {
    1 + chance.below([100, 1000, 4000, 20_000][usize::from(size.min(3))]) as usize
}

fn put(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "call put");
    let setup = Setup::new(&mut chance);
    let object = bytes(length(&mut chance, schedule.size), schedule.seed);
    let older = unlike(&[&object], schedule.seed ^ 2);
    let server = match chance.percent(40) {
        true => model(&mut chance).with_object("bucket", "key", older.clone()),
        false => model(&mut chance),
    };
    let was = server.object("bucket", "key").map(|object| object.etag.clone());
    let mut world = World::new(schedule, Host::s3(server));
    world.intruder = Some(unlike(&[&object, &older], schedule.seed ^ 1));
    let mut put = PutObject::new("bucket", "key", object.clone());
    put.conditions = match (chance.below(3), &was) {
        (0, _) => Conditions::default(),
        (1, Some(etag)) => Conditions::matches(etag.as_str().into()),
        _ => Conditions::absent(),
    };
    let absent = put.conditions.if_none_match.is_some();
    let result = call(&mut world, put, &setup.service, schedule.seed);
    world.settle();
    let outcome = outcome(&result);
    match result {
        Some(Ok(_)) if !world.record.replaced => world.must_be("bucket", "key", &object),
        Some(Err(error)) => world.not_ours_unless_said(&error, "bucket", "key", &object),
        _ => {}
    }
    let there = world.host.s3_model().object("bucket", "key").map(|object| object.body.clone());
    if absent && was.is_some() && !world.record.replaced && there != Some(older) {
        world.wrong("an object was replaced that was not to be");
    }
    world.in_all(20, 0);
    Over { world, outcome }
}

fn put_once(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "call put once");
    let setup = Setup::new(&mut chance);
    let length = length(&mut chance, schedule.size);
    let object = bytes(length, schedule.seed);
    let mut world = World::new(schedule, Host::s3(model(&mut chance)));
    // A pipe may have more bytes than are sent.
    let more = bytes(if chance.percent(50) { 2 * length } else { 0 }, 5);
    world.source = Source::seekable([object.clone(), more].concat().into());
    world.source.once = true;
    let body = Body::Source { range: 0..length as u64, rewindable: false };
    let put = PutObject::from_body("bucket", "key", body);
    let result = call(&mut world, put, &setup.service, schedule.seed);
    world.settle();
    let outcome = outcome(&result);
    match result {
        Some(Ok(_)) => world.must_be("bucket", "key", &object),
        Some(Err(error)) => world.not_ours_unless_said(&error, "bucket", "key", &object),
        None => {}
    }
    let there = world.host.s3_model().object("bucket", "key").map(|object| object.body.clone());
    if there.is_some_and(|there| there != object) {
        world.wrong("other bytes of the pipe were stored than those from its beginning");
    }
    world.in_all(20, 0);
    Over { world, outcome }
}

fn get(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "call get");
    let setup = Setup::new(&mut chance);
    let object = bytes(length(&mut chance, schedule.size), schedule.seed);
    let length = object.len() as u64;
    let start = chance.below(length);
    let end = start + 1 + chance.below(length - start);
    let (range, span) = match chance.below(3) {
        0 => (Some(ByteRange::Span(start..end)), start..end),
        1 => (Some(ByteRange::From(start)), start..length),
        _ => (None, 0..length),
    };
    let server = model(&mut chance).with_object("bucket", "key", object.clone());
    let mut world = World::new(schedule, Host::s3(server));
    world.validates = setup.algorithm.is_some() && range.is_none();
    let get = GetObject { range, ..GetObject::new("bucket", "key") };
    let result = call(&mut world, get, &setup.service, schedule.seed);
    world.settle();
    let outcome = outcome(&result);
    let wanted = &object[span.start as usize..span.end as usize];
    if let Some(Ok(got)) = result {
        let corrupt = world.met.iter().any(|(name, _)| *name == "corrupt body");
        // A server that ignores a range responds with 200 and the whole object.
        let ignored = world.met.iter().any(|(name, _)| *name == "range ignored");
        let all = ignored && got.body == object && got.head.content_range.is_none();
        let untold = corrupt && !got.validation.is_validated();
        if got.body != wanted && !all && !untold {
            let what = format!("it said yes, and gave {} other bytes", got.body.len());
            world.wrong(what);
        }
    }
    world.in_all(20, 0);
    Over { world, outcome }
}

/// Completes a multipart upload that the caller drives.
fn complete(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "call complete");
    let setup = Setup::new(&mut chance);
    let parts = 1 + chance.below(3);
    let object = bytes(1024 * parts as usize, schedule.seed);
    let older = unlike(&[&object], schedule.seed ^ 2);
    let mut server = match chance.percent(50) {
        true => model(&mut chance).with_multipart_object("bucket", "key", older, 2),
        false => model(&mut chance),
    };
    let request = |method: &str, target: String, body: bytes::Bytes| {
        Request::new(method, target).with_header("host", "s3.test:9000").with_body(body)
    };
    server.handle(&request("POST", "/bucket/key?uploads".into(), bytes::Bytes::new()));
    let id = server.open_uploads()[0].id.clone();
    let mut listed = Vec::new();
    for number in 1..=parts {
        let from = 1024 * (number as usize - 1);
        let target = format!("/bucket/key?partNumber={number}&uploadId={id}");
        let reply = server.handle(&request("PUT", target, object.slice(from..from + 1024)));
        let etag = reply.find_header("etag").unwrap_or_default().to_owned();
        listed.push(CompletedPart::new(number as u32, etag));
    }
    let mut world = World::new(schedule, Host::s3(server));
    let complete = CompleteMultipartUpload::new("bucket", "key", id, listed);
    let result = call(&mut world, complete, &setup.service, schedule.seed);
    world.settle();
    let outcome = outcome(&result);
    match result {
        Some(Ok(_)) => world.must_be("bucket", "key", &object),
        Some(Err(error)) => world.not_ours_unless_said(&error, "bucket", "key", &object),
        None => {}
    }
    world.in_all(20, 0);
    Over { world, outcome }
}

fn others(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "call others");
    let setup = Setup::new(&mut chance);
    let object = bytes(length(&mut chance, schedule.size), schedule.seed);
    let server = model(&mut chance).with_object("bucket", "key", object.clone());
    let mut world = World::new(schedule, Host::s3(server));
    let seed = schedule.seed;
    let made = call(&mut world, CreateBucket::new("made"), &setup.service, seed);
    let is_made = |world: &World| world.host.s3_model().has_bucket("made");
    let made_outcome = outcome(&made);
    match made {
        Some(Ok(_)) if !is_made(&world) => world.wrong("it said yes, and there is no bucket"),
        Some(Err(error)) if is_made(&world) && !leaves_open(&error) && world.record.lies == 0 => {
            world.wrong(format!("the bucket is made, and the error is {error}"));
        }
        _ => {}
    }
    if made_outcome == Outcome::Done && world.record.wrong.is_empty() {
        let mut copy = CopyObject::new("made", "copy", CopySource::new("bucket", "key"));
        copy.conditions = match chance.percent(50) {
            true => Conditions::absent(),
            false => Conditions::default(),
        };
        match call(&mut world, copy, &setup.service, seed + 1) {
            Some(Ok(_)) => world.must_be("made", "copy", &object),
            Some(Err(error)) => world.not_ours_unless_said(&error, "made", "copy", &object),
            None => {}
        }
    }
    let gone = match world.record.wrong.is_empty() {
        true => call(&mut world, DeleteObject::new("bucket", "key"), &setup.service, seed + 2),
        false => None,
    };
    world.settle();
    let outcome = outcome(&gone);
    if let Some(Ok(_)) = gone
        && world.host.s3_model().object("bucket", "key").is_some()
        && world.record.lies == 0
    {
        world.wrong("it said that the object is removed, and it is there");
    }
    world.in_all(60, 0);
    Over { world, outcome }
}

/// Calls to buckets in several regions, whose region the client learns.
fn regions(schedule: &Schedule) -> Over {
    let mut chance = Chance::new(schedule.seed, "regions");
    let setup = Setup::new(&mut chance);
    // A gateway names its own region in the body, and passes the server's header on.
    let region_in_body = schedule.seed.is_multiple_of(3).then(|| "gateway".to_owned());
    let manners = Manners { check_region: true, region_in_body, ..Manners::aws() };
    let server = S3Model::new()
        .with_manners(manners)
        .bucket_in("near", "us-east-1")
        .bucket_in("far", "eu-west-1")
        .bucket_in("away", "ap-south-1");
    let mut world = World::new(schedule, Host::s3(server));
    let names = ["near", "far", "away"];
    let mut known = std::collections::BTreeSet::from(["near"]);
    let mut enough = 0;
    let mut result = Outcome::Done;
    for number in 0..3 + u64::from(schedule.size) {
        let bucket = chance.pick(&names);
        let body = bytes(50, schedule.seed ^ number);
        let key = format!("key-{number}");
        let put = PutObject::new(bucket, &key, body.clone());
        enough += if known.insert(bucket) { 2 } else { 1 };
        match call(&mut world, put, &setup.service, schedule.seed ^ number) {
            None => break,
            Some(Ok(_)) => world.must_be(bucket, &key, &body),
            Some(Err(error)) => {
                result = Outcome::of(&error);
                world.not_ours_unless_said(&error, bucket, &key, &body);
                let retry_policy = setup.service.config().retry_policy.attempts;
                if world.met.is_empty() && !world.record.cancelled && retry_policy > 1 {
                    world.wrong(format!("nothing went wrong, and yet: {error}"));
                }
            }
        }
    }
    world.settle();
    let most = if world.met.is_empty() { enough } else { 100 };
    world.in_all(most, 0);
    Over { world, outcome: result }
}

//! Uploads to S3: in one request and in parts, of known and unknown length, with conditions, and
//! resumed by another process.

use std::time::Duration;

use apus_core::Error;
use apus_core::checksum::Type;
use apus_core::contract::OnFailure;
use apus_core::machine::{
    Checkpoint, Checkpoints, PartLimits, S3Upload, UploadOptions, UploadSource,
};
use apus_core::s3::{Conditions, ETag};
use bytes::Bytes;

use super::s3::{Setup, bytes, heedless_of_writes, keys, model, unlike};
use super::{Outcome, Over, Workload};
use crate::server::{Request, S3Model};
use crate::sim::chance::Chance;
use crate::sim::drive::End;
use crate::sim::ends::Source;
use crate::sim::host::Host;
use crate::sim::schedule::Schedule;
use crate::sim::world::{Other, World};

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "s3-put",
        operations: &["PutObject"],
        cleanup: &[],
        dies: false,
        run: |schedule| run(schedule, &Shape { parts: false, ..Shape::default() }),
    },
    Workload {
        name: "s3-multipart",
        operations: PARTS,
        cleanup: CLEANUP,
        dies: false,
        run: |schedule| run(schedule, &Shape::default()),
    },
    Workload {
        name: "s3-stream",
        operations: PARTS,
        cleanup: CLEANUP,
        dies: false,
        run: |schedule| run(schedule, &Shape { stream: true, ..Shape::default() }),
    },
    Workload {
        name: "s3-conditional-put",
        operations: &["PutObject", "PutObject", "HeadObject"],
        cleanup: &[],
        dies: false,
        run: |schedule| {
            run(schedule, &Shape { parts: false, conditional: true, ..Shape::default() })
        },
    },
    Workload {
        name: "s3-conditional-multipart",
        operations: PARTS,
        cleanup: CLEANUP,
        dies: false,
        run: |schedule| run(schedule, &Shape { conditional: true, ..Shape::default() }),
    },
    Workload {
        name: "s3-resume",
        operations: PARTS,
        cleanup: CLEANUP,
        dies: true,
        run: |schedule| run(schedule, &Shape::default()),
    },
];

const PARTS: &[&str] = &[
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPart",
    "CompleteMultipartUpload",
    "CompleteMultipartUpload",
    "CompleteMultipartUpload",
    "HeadObject",
];
const CLEANUP: &[&str] = &["AbortMultipartUpload", "ListParts"];

/// The kind of an upload.
struct Shape {
    parts: bool,
    stream: bool,
    conditional: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self { parts: true, stream: false, conditional: false }
    }
}

/// The object from before the upload.
struct Older {
    bytes: Option<Bytes>,
    etag: Option<ETag>,
}

fn run(schedule: &Schedule, shape: &Shape) -> Over {
    let mut chance = Chance::new(schedule.seed, "upload");
    let setup = Setup::new(&mut chance);
    let length = length(&mut chance, schedule.size, shape.parts);
    let object = bytes(length, schedule.seed);
    let mut rare = Chance::new(schedule.seed, "upload, conditions");
    let known = setup.service.config().quirks.conditional_put;
    let heedless = shape.conditional && !known && rare.percent(40);
    let server = if heedless { heedless_of_writes(&mut chance) } else { model(&mut chance) };
    let (server, older) = with_older(server, &mut chance, &object, shape.conditional);
    let mut world = World::new(schedule, Host::s3(server));
    world.cleanup = if shape.parts { CLEANUP } else { &[] };
    world.assembles = shape.parts && setup.algorithm.is_some();
    world.pace = chance.pick(&[1, 1, 100]);
    world.skew = chance.pick(&[0, 0, 0, 7200, -7200, 800]);
    world.source = Source::seekable(object.clone());
    if chance.percent(6) {
        world.source.breaks_at = Some(chance.below(length as u64 + 1));
    }
    if shape.conditional {
        let there = older.bytes.as_deref().unwrap_or_default();
        world.intruder = Some(unlike(&[&object, there], schedule.seed ^ 1));
    }
    let options = options(&mut chance, &setup, shape, &older);
    world.heedless = heedless && options.conditions.if_none_match.is_some();
    if world.heedless && rare.percent(50) {
        world.intrudes_later(Duration::from_millis(rare.below(20_000)));
    }
    let source = match shape.stream {
        true if chance.percent(40) => UploadSource::Stream(Some(promised(&mut chance, length))),
        true => UploadSource::Stream(None),
        false => UploadSource::Seekable(length as u64),
    };
    let keeps = options.on_failure == OnFailure::Keep;
    let new =
        |seed| S3Upload::new("bucket", "key", source, options.clone(), setup.service.clone(), seed);
    let upload = match new(schedule.seed) {
        Ok(upload) => upload,
        Err(error) => {
            // Nothing was sent.
            world.trace.say(world.now, format!("refused: {error}"));
            return Over { world, outcome: Outcome::Failed };
        }
    };
    let mut checkpoints = upload.checkpoints();
    let mut end = world.run(upload, keys());
    while matches!(end, End::Died) && world.record.wrong.is_empty() {
        let checkpoint = checkpoints.latest().map(through_a_file);
        let part_size = options.part_size as usize;
        let other = Other { id: String::new(), object: object.clone(), part_size };
        let again =
            go_on(&mut world, &mut chance, other, checkpoint, &|checkpoint| match checkpoint {
                Some(checkpoint) => {
                    let (options, service) = (options.clone(), setup.service.clone());
                    S3Upload::resume(checkpoint, source, options, service, schedule.seed + 1)
                }
                None => new(schedule.seed + 1),
            });
        let Some(again) = again else { return Over { world, outcome: Outcome::Failed } };
        checkpoints = again.checkpoints();
        end = world.run(again, keys());
    }
    world.settle();
    let outcome = match end {
        End::Died => Outcome::Failed,
        End::Done(Ok(done)) => {
            if done.size != length as u64 {
                world.wrong(format!("it says that {} bytes were stored of {length}", done.size));
            }
            if let UploadSource::Stream(Some(told)) = source
                && told != length as u64
            {
                world.wrong(format!("it said yes to {length} bytes where {told} were announced"));
            }
            stored(&mut world, &object);
            world.no_upload_unnamed(&done.leftovers);
            Outcome::Done
        }
        End::Done(Err(error)) => {
            failed(&mut world, &error, &object, keeps, &checkpoints);
            Outcome::of(&error)
        }
    };
    if shape.conditional {
        condition_held(&mut world, &options, &older, &object);
    }
    let parts = length as u64 / options.part_size + 2;
    let held = options.part_size * (options.concurrency as u64 + 1) + 1;
    world.in_all(30 * (parts + 8), held.max(options.threshold + 1));
    Over { world, outcome }
}

/// Checks what holds after a success.
fn stored(world: &mut World, object: &Bytes) {
    let intruder = world.intruder.clone();
    let there = world.host.s3_model().object("bucket", "key").map(|object| object.body.clone());
    if world.record.replaced && there == intruder {
        return;
    }
    world.must_be("bucket", "key", object);
}

/// Checks what holds after a failure.
fn failed(
    world: &mut World,
    error: &Error,
    object: &Bytes,
    keeps: bool,
    checkpoints: &Checkpoints<Checkpoint>,
) {
    // The checkpoint names what is kept on purpose.
    if keeps || world.record.kept {
        world.record.unnamed.extend(checkpoints.latest().map(|checkpoint| checkpoint.upload_id));
    }
    // An upload whose parts can't be listed is not changed: the process that resumes it has its id.
    if world.record.deaths > 0 && error.operation() == Some("ListParts") {
        let open = world.host.nameless();
        world.record.unnamed.extend(open);
    }
    world.no_upload_left(Some(error));
    world.not_ours_unless_said(error, "bucket", "key", object);
}

/// Checks that an older object was replaced only where the condition allowed it.
fn condition_held(world: &mut World, options: &UploadOptions, older: &Older, object: &Bytes) {
    let Some(older) = &older.bytes else { return };
    if options.conditions.if_none_match.is_none() || world.record.replaced || older == object {
        return;
    }
    let there = world.host.s3_model().object("bucket", "key").map(|object| object.body.clone());
    // A server that refuses or ignores the condition, and does not show the object that is there.
    let blind = world.record.unconditional && world.record.denied
        || world.heedless && (world.record.denied || world.record.looked_in_vain);
    if there.as_ref() != Some(older) && !blind {
        world.wrong("an object was replaced that was not to be");
    }
}

/// Resumes in another process what the last one left.
fn go_on(
    world: &mut World,
    chance: &mut Chance,
    other: Other,
    checkpoint: Option<Checkpoint>,
    upload: &dyn Fn(Option<Checkpoint>) -> Result<S3Upload, Error>,
) -> Option<S3Upload> {
    let pace = u64::from(world.pace);
    let known = checkpoint.as_ref().map(|checkpoint| checkpoint.upload_id.clone());
    // The ids of the other uploads were in no response that arrived.
    let others = world.host.nameless().into_iter().filter(|id| Some(id) != known.as_ref());
    world.record.unnamed.extend(others);
    if let Some(id) = &known
        && chance.percent(30)
    {
        foreign_part(world, chance, id);
    } else if let Some(id) = known
        && chance.percent(25)
    {
        let after = Duration::from_millis(chance.pick(&[1, 30, 60, 90, 150, 300]) * pace);
        world.completes_later(Other { id, ..other }, after);
    }
    match upload(checkpoint) {
        Ok(upload) => Some(upload),
        Err(error) => {
            world.wrong(format!("its own checkpoint is refused: {error}"));
            None
        }
    }
}

/// Adds a part of another size, as from a process with other settings.
fn foreign_part(world: &mut World, chance: &mut Chance, id: &str) {
    let number = 1 + chance.below(4);
    let length = 1 + chance.below(3000) as usize;
    let target = format!("/bucket/key?partNumber={number}&uploadId={id}");
    let request = Request::new("PUT", target)
        .with_header("host", "s3.test:9000")
        .with_body(bytes(length, number));
    world.tell_time();
    world.host.foreign(&request);
    world.trace.say(world.now, format!("somebody else sends part {number} of {length} bytes"));
}

fn through_a_file(checkpoint: Checkpoint) -> Checkpoint {
    let text = serde_json::to_string(&checkpoint).expect("it is plain data");
    serde_json::from_str(&text).expect("it was written by us")
}

fn options(chance: &mut Chance, setup: &Setup, shape: &Shape, older: &Older) -> UploadOptions {
    let part_size = chance.pick(&[1 << 10, 2 << 10, 3000]);
    let conditions = match (shape.conditional, &older.etag) {
        (false, _) => Conditions::default(),
        (true, Some(etag)) if chance.percent(50) => Conditions::matches(etag.clone()),
        (true, _) => Conditions::absent(),
    };
    UploadOptions {
        threshold: if shape.parts { 1 << 10 } else { 1 << 20 },
        part_size,
        concurrency: chance.pick(&[1, 2, 4]),
        memory: 1 << 20,
        limits: PartLimits { smallest: 1 << 10, ..PartLimits::default() },
        conditions,
        checksum_type: match setup.algorithm {
            Some(algorithm) if algorithm.combines() => {
                chance.pick(&[None, Some(Type::FullObject), Some(Type::Composite)])
            }
            _ => None,
        },
        verify_etag: chance.percent(30),
        on_failure: chance.pick(&[
            OnFailure::Abort,
            OnFailure::Abort,
            OnFailure::Abort,
            OnFailure::Keep,
        ]),
        ..UploadOptions::default()
    }
}

fn length(chance: &mut Chance, size: u8, parts: bool) -> usize {
    let most = [1500, 5000, 12_000, 30_000][usize::from(size.min(3))];
    let least = if parts { 1025 } else { 1 };
    let length = (least + chance.below(most - least)) as usize;
    match chance.below(12) {
        // At the end of a part, and one byte before or after it.
        0 if parts => (length / 1024).max(2) * 1024,
        1 if parts => (length / 1024).max(2) * 1024 + 1,
        2 if !parts => 0,
        _ => length,
    }
}

/// Returns an announced length, which may differ from the source's.
fn promised(chance: &mut Chance, length: usize) -> u64 {
    match chance.below(10) {
        0 => length as u64 + 1,
        1 => length as u64 - 1,
        _ => length as u64,
    }
}

/// Adds an older object: none, or one that resembles the new one.
fn with_older(
    model: S3Model,
    chance: &mut Chance,
    object: &Bytes,
    conditional: bool,
) -> (S3Model, Older) {
    let kind = if conditional { chance.below(12) } else { chance.below(8) };
    // Two empty objects can't be distinguished.
    let kind = if object.is_empty() { 5 } else { kind };
    let other = unlike(&[object], chance.next());
    let (model, bytes) = match kind {
        0 | 1 => (model.with_object("bucket", "key", other.clone()), Some(other)),
        2..=4 => {
            let parts = 2 + chance.below(4) as usize;
            let model = model.with_multipart_object("bucket", "key", other.clone(), parts);
            (model, Some(other))
        }
        5 => {
            let longer = bytes(object.len() + 1, 7);
            (model.with_object("bucket", "key", longer.clone()), Some(longer))
        }
        _ => (model, None),
    };
    let etag = model.object("bucket", "key").map(|object| ETag::from(object.etag.as_str()));
    (model, Older { bytes, etag })
}

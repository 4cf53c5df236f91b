//! An object from a source of any size, known or not.
//!
//! ```text
//!            ┌─ not above the threshold ─▶ Put ─── answer lost, then refused ──▶ Check ──▶ over
//!   Gather ──┤
//!            └─ above it ─▶ Multipart (its own drawing is in `multipart.rs`) ─────────────▶ over
//! ```
//!
//! At most `width` parts are in flight, and none is planned before its bytes are there. On every
//! failing road the multipart upload is aborted, and a look at the server proves that it is gone;
//! what could not be removed stands in the error.

mod checkpoint;
mod evidence;
pub(super) mod multipart;
pub(super) mod plan;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use self::checkpoint::{Checkpoint, CheckpointPart};
use self::evidence::Evidence;
pub use self::multipart::Uploaded;
use self::multipart::{Job, Multipart, PartsFrom};
pub use self::plan::PartLimits;
use self::plan::Plan;
use crate::checksum::{Algorithm, Decision, Declared, Need, Type};
use crate::contract::{Intake, Leave, Machine, Step};
use crate::error::{Error, Failure};
use crate::http::{Body, Completion};
use crate::machine::Call;
use crate::machine::nest::{nest, seed};
use crate::now::Now;
use crate::s3::{ChecksumOptions, Common, Conditions, HeadObject, Properties, PutObject, Service};

/// Where an upload's bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadSource {
    /// This many bytes that can be read anywhere and again: memory, a file.
    Seekable(u64),
    /// Bytes that come once and in order: a pipe. Their number may be known.
    Stream(Option<u64>),
}

/// How an object is uploaded.
#[derive(Clone, Debug)]
pub struct UploadOptions {
    /// An object of up to this many bytes goes in one request.
    pub threshold: u64,
    /// Bytes of a part. Parts of a source of unknown length begin with it and grow; those of a
    /// known one are as much larger as it takes.
    pub part_size: u64,
    /// Parts in flight at most.
    pub width: usize,
    /// Bytes of parts that are held in memory at most. Growing parts first narrow the width, then
    /// stop growing; [`Upload::reach`] tells the largest object that follows.
    pub memory: u64,
    /// What the service allows.
    pub limits: PartLimits,
    /// What is stored with the object.
    pub properties: Properties,
    /// On what condition it is written.
    pub conditions: Conditions,
    /// What this upload wants otherwise than the client about checksums.
    pub checksum: ChecksumOptions,
    /// What the checksum of a multipart object is made over; `None` leaves it to the service, but
    /// for CRC64NVME, which has only one.
    pub checksum_type: Option<Type>,
    /// Members that nearly every operation has.
    pub common: Common,
    /// What a failing upload leaves on the server.
    pub on_failure: Leave,
}

impl Default for UploadOptions {
    /// One request up to 8 MiB, parts from 8 MiB, four at once, 256 MiB of memory, nothing left
    /// after a failure.
    fn default() -> Self {
        Self {
            threshold: 8 << 20,
            part_size: 8 << 20,
            width: 4,
            memory: 256 << 20,
            limits: PartLimits::default(),
            properties: Properties::default(),
            conditions: Conditions::default(),
            checksum: ChecksumOptions::default(),
            checksum_type: None,
            common: Common::default(),
            on_failure: Leave::Abort,
        }
    }
}

/// Uploads one object. See the [module](self) for its states.
///
/// A driver reads ranges of a [`UploadSource::Seekable`] as the exchanges say, and feeds a
/// [`UploadSource::Stream`] through [`Machine::intake`].
#[derive(Debug)]
pub struct Upload {
    job: Job,
    source: UploadSource,
    service: Arc<Service>,
    threshold: u64,
    plan: Plan,
    phase: Phase,
    intake: Intake,
}

#[derive(Debug)]
enum Phase {
    Gather,
    Put(Box<Call<PutObject>>),
    Check(Box<Call<HeadObject>>, Evidence, Error),
    Multipart(Box<Multipart>),
    Over(Option<Error>),
}

impl Upload {
    /// Uploads to this bucket and key. `seed` decides the jitter of delays.
    ///
    /// # Errors
    ///
    /// Options that the service refuses: a part size out of bounds, a length that no number of
    /// parts reaches.
    pub fn new(
        bucket: impl Into<String>,
        key: impl Into<String>,
        source: UploadSource,
        options: UploadOptions,
        service: Arc<Service>,
        seed: u64,
    ) -> Result<Self, Error> {
        let mut options = options;
        options.limits = options.limits.within(&service.config().quirks);
        let plan = plan(source, &options)?;
        let threshold = options.threshold.min(LARGEST_PUT);
        let job = job(bucket.into(), key.into(), options, &service, seed);
        let mut intake = Intake::default();
        // One byte more than the threshold tells whether the source goes on.
        intake.allow(0, threshold.saturating_add(1));
        Ok(Self { job, source, service, threshold, plan, phase: Phase::Gather, intake })
    }

    /// Goes on with the upload that `checkpoint` tells of, from the same source. What the server
    /// says of its parts counts; those that it does not have are sent again.
    ///
    /// # Errors
    ///
    /// The source is not as long as the checkpoint says.
    pub fn resume(
        checkpoint: Checkpoint,
        source: UploadSource,
        options: UploadOptions,
        service: Arc<Service>,
        seed: u64,
    ) -> Result<Self, Error> {
        let length = match source {
            UploadSource::Seekable(length) => Some(length),
            UploadSource::Stream(length) => length,
        };
        if let (Some(had), Some(has)) = (checkpoint.length(), length)
            && had != has
        {
            return Err(Error::caller(format!(
                "the source has {has} bytes, and the checkpoint is of one of {had}"
            )));
        }
        let plan = checkpoint.plan;
        let threshold = options.threshold.min(LARGEST_PUT);
        let (bucket, key) = (checkpoint.bucket.clone(), checkpoint.key.clone());
        let job = job(bucket, key, options, &service, seed);
        let from = parts_from(source);
        let inner = Multipart::resume(job.clone(), from, checkpoint, Arc::clone(&service));
        let phase = Phase::Multipart(Box::new(inner));
        let intake = Intake::default();
        Ok(Self { job, source, service, threshold, plan, phase, intake })
    }

    /// Goes under this one of the pump's authorities.
    #[must_use]
    pub fn under(mut self, party: usize) -> Self {
        self.job.party = party;
        if let Phase::Multipart(inner) = &mut self.phase {
            inner.move_under(party);
        }
        self
    }

    /// Bytes of the largest object that these options reach.
    pub fn reach(&self) -> u64 {
        self.plan.reach()
    }

    /// What it takes to go on in another process; `None` before the server has given the upload
    /// an id, and for an object that goes in one request.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        match &self.phase {
            Phase::Multipart(inner) => inner.checkpoint(),
            _ => None,
        }
    }

    /// Decides how the object goes, as soon as that is known.
    fn gather(&mut self) -> Option<Phase> {
        let length = match self.source {
            UploadSource::Seekable(length) => Some(length),
            UploadSource::Stream(_) if self.intake.has_ended() => Some(self.intake.supplied()),
            UploadSource::Stream(_) => None,
        };
        match length {
            Some(length) if length <= self.threshold => {
                Some(Phase::Put(Box::new(self.put(length))))
            }
            None if self.intake.supplied() <= self.threshold => None,
            _ => {
                let intake = std::mem::take(&mut self.intake);
                let (job, from) = (self.job.clone(), parts_from(self.source));
                let service = Arc::clone(&self.service);
                let inner = Multipart::new(job, from, self.plan, service, intake);
                Some(Phase::Multipart(Box::new(inner)))
            }
        }
    }

    fn put(&self, length: u64) -> Call<PutObject> {
        let job = &self.job;
        let body = match length {
            0 => Body::Empty,
            length => Body::Source { range: 0..length, rewindable: true },
        };
        let mut put = PutObject::from_body(&job.bucket, &job.key, body);
        put.properties.clone_from(&job.properties);
        put.conditions.clone_from(&job.conditions);
        put.common.clone_from(&job.common);
        put.checksum.clone_from(&job.checksum);
        // Should the answer be lost and the repetition be refused, the MD5 tells whose object it is.
        if !job.conditions.is_empty() && !put.checksum.digests.contains(&Algorithm::Md5) {
            put.checksum.digests.push(Algorithm::Md5);
        }
        let service = Arc::clone(&self.service);
        Call::new(put, service, seed(job.seed, PUT)).under(job.party)
    }

    fn check(&self) -> Box<Call<HeadObject>> {
        let job = &self.job;
        let mut head = HeadObject::new(&job.bucket, &job.key);
        head.checksum_mode = job.algorithm.is_some();
        head.customer_key.clone_from(&job.properties.encryption.customer_key);
        head.common.clone_from(&job.common);
        let service = Arc::clone(&self.service);
        Box::new(Call::new(head, service, seed(job.seed, CHECK)).under(job.party))
    }

    /// A stream whose length was announced must keep to it.
    fn promised(&self) -> Result<(), Error> {
        let intake = match &self.phase {
            Phase::Multipart(inner) => &inner.intake,
            _ => &self.intake,
        };
        let UploadSource::Stream(Some(promised)) = self.source else { return Ok(()) };
        let supplied = intake.supplied();
        if supplied > promised {
            return Err(Error::caller(format!(
                "the source has more than the {promised} bytes that were announced"
            )));
        }
        if intake.has_ended() && supplied < promised {
            return Err(Error::caller(format!(
                "the source ended after {supplied} of the {promised} bytes that were announced"
            )));
        }
        Ok(())
    }
}

impl Machine for Upload {
    type Output = Uploaded;

    fn poll(&mut self, now: Now) -> Step<Uploaded> {
        if let Err(error) = self.promised() {
            match &mut self.phase {
                Phase::Multipart(inner) => inner.give_up(now, error),
                Phase::Gather => self.phase = Phase::Over(Some(error)),
                _ => {}
            }
        }
        loop {
            match &mut self.phase {
                Phase::Gather => match self.gather() {
                    Some(phase) => self.phase = phase,
                    None => return Step::Wait(None),
                },
                Phase::Put(call) => match nest(call.poll(now), PUT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(stored)) => {
                        let size = call.operation().body.len();
                        let told = stored.checksums;
                        let ours = call.stamped().iter().copied().map(Declared::FullObject);
                        let checksums = if told.is_empty() { ours.collect() } else { told };
                        self.phase = Phase::Over(None);
                        let (etag, version_id) = (stored.etag, stored.version_id);
                        let done =
                            Uploaded { etag, version_id, size, checksums, ..Uploaded::default() };
                        return Step::Done(Ok(done));
                    }
                    ControlFlow::Continue(Err(error)) if call.is_doubtful() => {
                        let length = call.operation().body.len();
                        let evidence = Evidence::of_put(length, call.stamped());
                        self.phase = Phase::Check(self.check(), evidence, error);
                    }
                    ControlFlow::Continue(Err(error)) => self.phase = Phase::Over(Some(error)),
                },
                Phase::Check(call, evidence, refusal) => match nest(call.poll(now), CHECK) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        let head = head.ok().filter(|head| evidence.holds(head));
                        let (size, refusal) = (evidence.length, refusal.clone());
                        let Some(head) = head else {
                            self.phase = Phase::Over(Some(refusal));
                            continue;
                        };
                        self.phase = Phase::Over(None);
                        return Step::Done(Ok(Uploaded {
                            etag: head.etag.unwrap_or_default(),
                            version_id: head.version_id,
                            size,
                            checksums: head.checksums,
                            recovered: true,
                            ..Uploaded::default()
                        }));
                    }
                },
                Phase::Multipart(inner) => return inner.poll(now),
                Phase::Over(error) => {
                    return match error.take() {
                        Some(error) => Step::Done(Err(error)),
                        None => Step::Wait(None),
                    };
                }
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        if let Phase::Multipart(inner) = &mut self.phase {
            return inner.complete(now, done);
        }
        match (&mut self.phase, done.route()) {
            (Phase::Put(call), Some(PUT)) => call.complete(now, done),
            (Phase::Check(call, ..), Some(CHECK)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, leave: Leave) {
        match &mut self.phase {
            Phase::Gather => {
                self.phase = Phase::Over(Some(Failure::cancelled().into()));
            }
            Phase::Put(call) => call.cancel(now, leave),
            Phase::Check(call, ..) => call.cancel(now, leave),
            Phase::Multipart(inner) => inner.cancel(now, leave),
            Phase::Over(_) => {}
        }
    }

    fn width(&self) -> usize {
        self.job.width
    }

    fn intake(&mut self) -> Option<&mut Intake> {
        if let UploadSource::Seekable(_) = self.source {
            return None;
        }
        match &mut self.phase {
            Phase::Multipart(inner) => inner.intake(),
            _ => Some(&mut self.intake),
        }
    }
}

fn plan(source: UploadSource, options: &UploadOptions) -> Result<Plan, Error> {
    let (part_size, limits) = (options.part_size, &options.limits);
    match source {
        UploadSource::Seekable(length) => Plan::known(length, part_size, limits),
        UploadSource::Stream(Some(length)) => {
            let plan = Plan::known(length, part_size, limits)?;
            if plan.size(1).saturating_mul(2) > options.memory {
                return Err(Error::caller(format!(
                    "parts of {} bytes do not fit twice into the {} bytes of memory allowed",
                    plan.size(1),
                    options.memory
                )));
            }
            Ok(plan)
        }
        // One part is sent while the next is read.
        UploadSource::Stream(None) => Plan::growing(part_size, options.memory / 2, limits),
    }
}

fn job(bucket: String, key: String, options: UploadOptions, service: &Service, seed: u64) -> Job {
    let policy = service.config().checksum.with(&options.checksum.overrides);
    let algorithm = match policy.decide(Need::Supported, options.checksum.algorithm, false) {
        Decision::Flexible(algorithm) => Some(algorithm),
        Decision::None | Decision::ContentMd5 => None,
    };
    let checksum_type = match algorithm {
        Some(Algorithm::Crc64Nvme) => Some(Type::FullObject),
        Some(_) => options.checksum_type,
        None => None,
    };
    Job {
        bucket,
        key,
        properties: options.properties,
        conditions: options.conditions,
        common: options.common,
        checksum: options.checksum,
        algorithm,
        checksum_type,
        width: options.width.max(1),
        memory: options.memory,
        leave: options.on_failure,
        party: 0,
        seed,
    }
}

fn parts_from(source: UploadSource) -> PartsFrom {
    match source {
        UploadSource::Seekable(_) => PartsFrom::Seekable,
        UploadSource::Stream(_) => PartsFrom::Stream,
    }
}

const PUT: u32 = 5;
const CHECK: u32 = 6;

/// The most that PutObject takes.
const LARGEST_PUT: u64 = 5 << 30;

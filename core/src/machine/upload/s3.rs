//! Uploads of an object to S3, in one request or as a multipart upload.
//!
//! ```text
//!            ┌─ not above the threshold ─▶ Absent, where its condition needs it ─▶ Put ─▶ over
//!   Gather ──┤
//!            └─ above it ─▶ Multipart (its own drawing is in `multipart/`) ─────────────▶ over
//! ```
//!
//! A failed upload aborts the multipart upload, and checks on the server that it has been removed.

use std::ops::ControlFlow;
use std::sync::Arc;

use http::uri::Scheme;

use super::absent;
use super::checkpoint::{Checkpoint, Checkpoints};
use super::multipart::{Job, Multipart, PartsFrom, Uploaded};
use super::plan::{PartLimits, Plan};
use super::source::{Gather, UploadSource, Way};
use super::tag;
use crate::checksum::{
    Algorithm, Decision, Declared, Need, Placement, RequestChecksumCalculation, Type,
};
use crate::contract::{Machine, Needs, Notice, OnFailure, Operation as _, Step, StreamWindow};
use crate::error::{Error, ExchangeError, Leftover};
use crate::http::{Body, Completion};
use crate::machine::Call;
use crate::machine::compose::nest;
use crate::now::Now;
use crate::s3::{
    ChecksumOptions, CommonParams, Conditions, HeadObject, ObjectHead, Properties, PutObject,
    Service,
};

/// The options of an [`S3Upload`].
#[derive(Clone, Debug)]
pub struct UploadOptions {
    /// An object of up to this many bytes is sent in one request; at most 5 GiB.
    pub threshold: u64,
    /// The size of a part in bytes. Parts of a source of unknown length start with it and grow,
    /// unless the server requires equal parts
    /// ([`Quirks::equal_parts`](crate::quirks::Quirks::equal_parts)); those of a source of known
    /// length are larger if there would be too many.
    pub part_size: u64,
    /// The maximum number of parts in flight.
    pub concurrency: usize,
    /// The maximum number of bytes of parts in memory. As parts grow, first fewer are in flight,
    /// then they stop growing; [`S3Upload::max_object_size`] returns the size of the largest object that is
    /// then possible.
    pub memory: u64,
    /// The limits of the service.
    pub limits: PartLimits,
    /// The metadata and settings that are stored with the object.
    pub properties: Properties,
    /// The conditions of the write. For an upload that must not replace an object, a HEAD first
    /// looks for the object, where the server may ignore the condition of PutObject
    /// ([`Quirks::conditional_put`](crate::quirks::Quirks::conditional_put)) or
    /// CompleteMultipartUpload
    /// ([`Quirks::conditional_complete`](crate::quirks::Quirks::conditional_complete)).
    pub conditions: Conditions,
    /// Checksum options of this upload, which override those of the client.
    pub checksum: ChecksumOptions,
    /// What the checksum of a multipart object is computed over. `None` leaves it to the service,
    /// except for CRC64NVME, which has only one type.
    pub checksum_type: Option<Type>,
    /// Common request parameters.
    pub common: CommonParams,
    /// Whether ETags are compared with the MD5s of what was sent, where the service's ETags are
    /// MD5s. An MD5 of a request's body is computed only if neither the signature covers the body
    /// nor a checksum that the server is known to compare; to have it always, add MD5 to
    /// [`ChecksumOptions::digests`].
    pub verify_etag: bool,
    /// What a failed upload leaves on the server.
    pub on_failure: OnFailure,
    /// Where the newest checkpoint is kept while the upload runs.
    pub checkpoints: Checkpoints,
}

impl Default for UploadOptions {
    /// Returns the defaults: one request up to 8 MiB, parts from 8 MiB, four in flight, 256 MiB of
    /// memory, nothing left after a failure.
    fn default() -> Self {
        Self {
            threshold: 8 << 20,
            part_size: 8 << 20,
            concurrency: 4,
            memory: 256 << 20,
            limits: PartLimits::default(),
            properties: Properties::default(),
            conditions: Conditions::default(),
            checksum: ChecksumOptions::default(),
            checksum_type: None,
            common: CommonParams::default(),
            verify_etag: false,
            on_failure: OnFailure::Abort,
            checkpoints: Checkpoints::default(),
        }
    }
}

/// Uploads one object. See the [module](super) for its states.
///
/// A transport reads the ranges of a [`UploadSource::Seekable`] that the exchanges name, and
/// supplies a [`UploadSource::Stream`] through [`Machine::stream window`].
#[derive(Debug)]
pub struct S3Upload {
    job: Job,
    service: Arc<Service>,
    plan: Plan,
    gather: Gather,
    phase: Phase,
    condition: Condition,
    notice: Option<Notice>,
}

/// What compares that there is no object to replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// The server, by the request's condition.
    Sent,
    /// A HEAD, because the server refused the request with its condition.
    Refused,
    /// A HEAD, because the server refused such requests before.
    Left,
}

#[derive(Debug)]
enum Phase {
    Gather,
    /// Checks whether there is an object. If not, one of this length is put; `None` after a
    /// cancellation.
    Absent(Box<Call<HeadObject>>, Option<u64>),
    Put(Box<Call<PutObject>>),
    Multipart(Box<Multipart>),
    Over(Option<Error>),
}

impl S3Upload {
    /// Creates an upload to this bucket and key. `seed` decides the jitter of delays.
    ///
    /// # Errors
    ///
    /// The service refuses the options: a part size out of bounds, or a length that the permitted
    /// number of parts cannot hold.
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
        let plan = Plan::of(source, options.part_size, options.memory, &options.limits)?;
        let plan = if service.config().quirks.equal_parts { plan.without_growth() } else { plan };
        let gather = Gather::new(source, options.threshold.min(LARGEST_PUT));
        let job = job(bucket.into(), key.into(), options, &service, seed);
        let (phase, condition) = (Phase::Gather, Condition::Sent);
        Ok(Self { job, service, plan, gather, phase, condition, notice: None })
    }

    /// Resumes the upload of `checkpoint`, from the same source. The server's list of parts
    /// decides; parts that the server does not have are sent again.
    ///
    /// # Errors
    ///
    /// The source and the checkpoint differ in length, or the checkpoint is invalid.
    pub fn resume(
        checkpoint: Checkpoint,
        source: UploadSource,
        options: UploadOptions,
        service: Arc<Service>,
        seed: u64,
    ) -> Result<Self, Error> {
        checkpoint.plan.check()?;
        if let (Some(had), Some(has)) = (checkpoint.length(), source.length())
            && had != has
        {
            return Err(Error::invalid_input(format!(
                "the source has {has} bytes, but the source of the checkpoint had {had}"
            )));
        }
        let plan = checkpoint.plan;
        let gather = Gather::new(source, options.threshold.min(LARGEST_PUT));
        let (bucket, key) = (checkpoint.bucket.clone(), checkpoint.key.clone());
        let job = job(bucket, key, options, &service, seed);
        let from = parts_from(source);
        let inner = Multipart::resume(job.clone(), from, checkpoint, Arc::clone(&service));
        let phase = Phase::Multipart(Box::new(inner));
        let condition = Condition::Sent;
        Ok(Self { job, service, plan, gather, phase, condition, notice: None })
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    #[must_use]
    pub fn with_auth(mut self, auth: usize) -> Self {
        self.job.auth = auth;
        if let Phase::Multipart(inner) = &mut self.phase {
            inner.set_auth(auth);
        }
        self
    }

    /// Returns the maximum size of an object with these options, in bytes.
    pub fn max_object_size(&self) -> u64 {
        self.plan.max_object_size()
    }

    /// Starts again after a failure, if no byte of a stream has been discarded yet.
    #[cfg(feature = "store")]
    pub(crate) fn restart(&mut self) {
        if let Phase::Multipart(inner) = &self.phase {
            self.gather.window = inner.read().clone();
        }
        self.phase = Phase::Gather;
    }

    /// Returns the data to resume the upload in another process; `None` before the server has
    /// returned an upload id, and for an object that is sent in one request. A resumed upload has
    /// the data that it was resumed from.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.job.checkpoints.latest()
    }

    /// Returns a view of the checkpoint, to keep while a transport runs the upload.
    pub fn checkpoints(&self) -> Checkpoints {
        self.job.checkpoints.clone()
    }

    /// Decides how the object is sent, as soon as that is known.
    fn begin(&mut self) -> Option<Phase> {
        Some(match self.gather.way()? {
            Way::Whole(length) => {
                let forgoes = self.service.forgoes_create_only(PutObject::NAME);
                self.condition = if forgoes { Condition::Left } else { Condition::Sent };
                let heeds = self.service.config().quirks.conditional_put && !forgoes;
                match absent::is_needed(&self.job.conditions, heeds) {
                    true => self.look(length),
                    false => self.put(length),
                }
            }
            Way::Parts => {
                let window = std::mem::take(&mut self.gather.window);
                let (job, from) = (self.job.clone(), parts_from(self.gather.source));
                let service = Arc::clone(&self.service);
                let inner = Multipart::new(job, from, self.plan, service, window);
                Phase::Multipart(Box::new(inner))
            }
        })
    }

    fn look(&self, length: u64) -> Phase {
        let look = self.job.call(self.job.head(), &self.service, LOOK).keeping_place();
        Phase::Absent(Box::new(look), Some(length))
    }

    /// Goes on after the check that there is no object.
    fn looked(&mut self, head: Result<ObjectHead, Error>, length: Option<u64>) -> Phase {
        let create_only = absent::is_create_only(&self.job.conditions);
        let looked = match self.condition {
            Condition::Sent => absent::looked(head),
            Condition::Refused | Condition::Left => absent::looked_alone(head),
        };
        match (looked, length) {
            (Err(error), _) => Phase::Over(Some(error)),
            (Ok(()), None) => Phase::Over(Some(ExchangeError::cancelled().into())),
            (Ok(()), Some(length)) => {
                if create_only && self.condition != Condition::Sent {
                    self.notice = Some(Notice::Unconditional { operation: PutObject::NAME });
                }
                self.put(length)
            }
        }
    }

    /// Adds what helps where a proxy closes the connection because of a long body. Proxies see the
    /// requests of http endpoints only.
    fn hinted(&self, error: Error, size: u64) -> Error {
        use crate::error::ExchangeErrorKind::{Closed, Cut, Proxy, Timeout, Unsent};
        let ended = error.exchange_error().is_some_and(|failure| {
            matches!(failure.kind(), Closed | Cut | Proxy | Timeout | Unsent)
                && !failure.is_before_request()
        });
        let endpoint = self.service.endpoint(Some(&self.job.bucket));
        let is_seen = endpoint.is_ok_and(|endpoint| endpoint.scheme == Scheme::HTTP);
        match ended && is_seen && size >= LONG && error.hint().is_none() {
            true => error.with_hint(crate::s3::TOO_LARGE),
            false => error,
        }
    }

    fn put(&self, length: u64) -> Phase {
        let job = &self.job;
        let body = match length {
            0 => Body::Empty,
            length => Body::Source { range: 0..length, rewindable: true },
        };
        let mut put = PutObject::from_body(&job.bucket, &job.key, body);
        put.properties.clone_from(&job.properties);
        put.conditions.clone_from(&job.conditions);
        if self.condition != Condition::Sent {
            put.conditions.if_none_match = None;
        }
        put.common.clone_from(&job.common);
        put.checksum.clone_from(&job.checksum);
        // If the response is lost and the retry is refused, a checksum that the server stores
        // proves whose object it is, also where its ETags are not MD5s.
        let config = self.service.config();
        let policy = config.checksum.with(&put.checksum.overrides);
        let permitted = policy.request_mode() == RequestChecksumCalculation::WhenRequired
            && policy.placement == Placement::Auto;
        let named = put.checksum.algorithm.is_some() || !put.checksum.values.is_empty();
        if !job.conditions.is_empty()
            && permitted
            && !named
            && config.quirks.takes(policy.algorithm)
        {
            put.checksum.algorithm = Some(policy.algorithm);
        }
        let heeds = config.quirks.conditional_put;
        let withheld = self.condition != Condition::Sent;
        let call = job.call(put, &self.service, PUT);
        match job.guarded(call, &self.service, heeds, withheld) {
            Ok(call) => Phase::Put(Box::new(call)),
            Err(error) => Phase::Over(Some(error)),
        }
    }
}

impl Machine for S3Upload {
    type Output = Uploaded;

    fn poll(&mut self, now: Now) -> Step<Uploaded> {
        let source = self.gather.source;
        match &mut self.phase {
            Phase::Multipart(inner) => {
                if let Err(error) = source.check(inner.read()) {
                    inner.give_up(now, error);
                }
            }
            Phase::Gather => {
                if let Err(error) = source.check(&self.gather.window) {
                    self.phase = Phase::Over(Some(error));
                }
            }
            _ => {}
        }
        loop {
            match &mut self.phase {
                Phase::Gather => match self.begin() {
                    Some(phase) => self.phase = phase,
                    None => return Step::Wait(None),
                },
                Phase::Absent(call, length) => match nest(call.poll(now), LOOK) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        let length = *length;
                        self.phase = self.looked(head, length);
                    }
                },
                Phase::Put(call) => match nest(call.poll(now), PUT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(stored)) => {
                        let (size, recovered) = (call.operation().body.len(), call.is_recovered());
                        let ours = call.computed().iter().copied().map(Declared::FullObject);
                        let ours = ours.collect();
                        let checked = match self.job.verify_etag && !recovered {
                            true => tag::confirm(&stored, call.computed()),
                            false => Ok(()),
                        };
                        self.phase = Phase::Over(None);
                        if self.condition == Condition::Refused {
                            self.service.forgo_create_only(PutObject::NAME);
                        }
                        if let Err(error) = checked {
                            let error = error.in_operation(PutObject::NAME);
                            return Step::Done(Err(self.job.spoilt(error)));
                        }
                        let told = stored.checksums;
                        let checksums = if told.is_empty() { ours } else { told };
                        return Step::Done(Ok(Uploaded {
                            etag: stored.etag,
                            version_id: stored.version_id,
                            size,
                            checksums,
                            recovered,
                            ..Uploaded::default()
                        }));
                    }
                    ControlFlow::Continue(Err(error))
                        if self.condition == Condition::Sent
                            && absent::may_be_refused(&self.job.conditions, &error) =>
                    {
                        let size = call.operation().body.len();
                        self.condition = Condition::Refused;
                        self.phase = self.look(size);
                    }
                    ControlFlow::Continue(Err(error)) => {
                        let size = call.operation().body.len();
                        let error = self.hinted(self.job.spoilt(error), size);
                        self.phase = Phase::Over(Some(error));
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
            (Phase::Absent(call, _), Some(LOOK)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.phase {
            Phase::Gather => {
                self.phase = Phase::Over(Some(ExchangeError::cancelled().into()));
            }
            Phase::Absent(call, length) => {
                *length = None;
                call.cancel(now, on_failure);
            }
            Phase::Put(call) => call.cancel(now, on_failure),
            Phase::Multipart(inner) => inner.cancel(now, on_failure),
            Phase::Over(_) => {}
        }
    }

    fn concurrency(&self) -> usize {
        self.job.concurrency
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        match &mut self.phase {
            Phase::Multipart(inner) => inner.stream_window(),
            _ => self.gather.source.is_stream().then_some(&mut self.gather.window),
        }
    }

    fn notice(&mut self) -> Option<Notice> {
        match &mut self.phase {
            Phase::Multipart(inner) => inner.notice(),
            _ => self.notice.take(),
        }
    }

    fn needs(&self) -> Needs {
        Needs::source(self.gather.needs(self.job.memory))
    }

    fn leftovers(&self) -> Vec<Leftover> {
        match &self.phase {
            Phase::Multipart(inner) => inner.leftovers(),
            _ => Vec::new(),
        }
    }
}

fn job(bucket: String, key: String, options: UploadOptions, service: &Service, seed: u64) -> Job {
    let policy = service.config().checksum.with(&options.checksum.overrides);
    let algorithm = match options.checksum.algorithm {
        None => service.algorithm_of_parts(&options.checksum.overrides),
        named => match policy.decide(Need::Supported, named, false) {
            Decision::Flexible(algorithm) => Some(algorithm),
            Decision::None | Decision::ContentMd5 => None,
        },
    };
    let mut checksum = options.checksum;
    let quirks = &service.config().quirks;
    let verify_etag = options.verify_etag && quirks.etag_is_md5;
    checksum.md5_if_uncovered |= verify_etag;
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
        checksum,
        algorithm,
        checksum_type,
        verify_etag,
        verify_whole_etag: verify_etag && quirks.multipart_etag_is_md5,
        concurrency: options.concurrency.max(1),
        memory: options.memory,
        on_failure: options.on_failure,
        auth: 0,
        seed,
        checkpoints: options.checkpoints,
    }
}

fn parts_from(source: UploadSource) -> PartsFrom {
    match source {
        UploadSource::Seekable(_) => PartsFrom::Seekable,
        UploadSource::Stream(_) => PartsFrom::Stream,
    }
}

const PUT: u32 = 5;
const LOOK: u32 = 6;

/// The size in bytes from which a proxy may refuse a body.
const LONG: u64 = 16 << 20;
/// The maximum size of PutObject, in bytes.
const LARGEST_PUT: u64 = 5 << 30;

//! Uploads of an object to Swift, in one request or as a large object.
//!
//! ```text
//!            ┌─ not above the threshold ─▶ Replaced ─▶ Put ─▶ Remove ─────────▶ over
//!   Gather ──┤
//!            └─ above it ─▶ Segmented (its own drawing is in `segmented.rs`) ─▶ over
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `options.rs`, `checkpoint.rs` | options, results and checkpoints |
//! | `segmented.rs`, `ending.rs` | the large object, from `/info` to its manifest or its removal |
//! | `earlier.rs` | whether the process that began a resumed upload has made the object |
//! | `layout.rs` | the names of segments |
//! | `part.rs` | the PUT of one segment |
//! | `manifest.rs` | static and dynamic large objects side by side |
//! | `settle.rs` | the wait until a dynamic large object is complete |
//! | `replaced.rs` | the segments of the object that is replaced |
//! | `sweep.rs` | concurrent removal of objects |

mod checkpoint;
mod earlier;
mod ending;
mod job;
mod large_object;
mod layout;
mod manifest;
mod options;
mod part;
mod replaced;
mod segmented;
mod settle;
mod sweep;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use self::checkpoint::{SwiftCheckpoint, SwiftCheckpointChange, SwiftCheckpointSegment};
use self::job::Job;
pub use self::large_object::{LargeObject, SegmentsIn};
pub use self::options::{SwiftUploadOptions, SwiftUploaded};
use self::replaced::{Found, OldSegments, Replaced};
use self::segmented::Segmented;
use self::sweep::Sweep;
use super::checkpoint::Checkpoints;
use super::plan::Plan;
use super::source::{Gather, UploadSource, Way};
use crate::contract::{Machine, Needs, OnFailure, Step, StreamWindow};
use crate::error::{Error, ExchangeError, Kind, Leftover};
use crate::http::{Completion, ETag};
use crate::machine::Call;
use crate::machine::compose::nest;
use crate::now::Now;
use crate::swift::{PutObject, Service};

/// Uploads one object to Swift. See the [module](super) for its states.
///
/// Up to the threshold it sends one PUT; above it, segments, each an object of its own and several
/// in flight, and a manifest. Each request is sealed when it is sent, so that every segment gets a
/// valid token. A stream must have exactly the announced number of bytes; otherwise the upload
/// fails, and [`on_failure`](SwiftUploadOptions::on_failure) decides what it leaves.
#[derive(Debug)]
pub struct SwiftUpload {
    job: Job,
    gather: Gather,
    /// How the source is divided, if it may be.
    plan: Option<Plan>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Gather,
    /// Looks at the object that exists under this name.
    Replaced(Box<Replaced>, Way),
    Put(Box<Call<PutObject>>, OldSegments),
    Remove(Sweep, Box<SwiftUploaded>),
    Segmented(Box<Segmented>),
    Over(Option<Error>),
}

impl SwiftUpload {
    /// Creates an upload to this container and object. `seed` decides the jitter of delays and,
    /// without [`id`](SwiftUploadOptions::id), the names of segments: it must differ from upload to
    /// upload.
    ///
    /// # Errors
    ///
    /// Invalid options: a segment size out of bounds, a length that the permitted number of
    /// segments cannot hold, an invalid id.
    pub fn new(
        container: impl Into<String>,
        object: impl Into<String>,
        source: UploadSource,
        options: SwiftUploadOptions,
        service: Arc<Service>,
        seed: u64,
    ) -> Result<Self, Error> {
        let job = Job::new(container.into(), object.into(), options, service, seed)?;
        let gather = Gather::new(source, threshold(source, &job.options));
        let mut this = Self { job, gather, plan: None, phase: Phase::Gather };
        if this.is_segmented() != Some(false) {
            this.plan = Some(segmented::plan(&this.job, source)?);
        }
        Ok(this)
    }

    /// Resumes the upload of `checkpoint`, from the same source. The server's listing of segments
    /// decides; segments that the server does not have are sent again. If it fails, a HEAD decides
    /// whether the process before it made the object: then it has succeeded, and where nothing
    /// tells, the segments stay and the outcome of the error is unknown.
    ///
    /// # Errors
    ///
    /// The source and the checkpoint differ in length, or the checkpoint is invalid.
    pub fn resume(
        checkpoint: SwiftCheckpoint,
        source: UploadSource,
        options: SwiftUploadOptions,
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
        let (container, object) = (checkpoint.container.clone(), checkpoint.object.clone());
        let job = Job::new(container, object, options, service, seed)?;
        let gather = Gather::new(source, threshold(source, &job.options));
        let plan = Some(checkpoint.plan);
        let inner = Segmented::resume(job.clone(), source, checkpoint);
        Ok(Self { job, gather, plan, phase: Phase::Segmented(Box::new(inner)) })
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    #[must_use]
    pub fn with_auth(mut self, auth: usize) -> Self {
        self.job.auth = auth;
        if let Phase::Segmented(inner) = &mut self.phase {
            inner.set_auth(auth);
        }
        self
    }

    /// Returns the maximum size of an object with these options, in bytes, as far as it is known
    /// before the server has returned its limits.
    pub fn max_object_size(&self) -> u64 {
        let threshold = threshold(self.gather.source, &self.job.options);
        self.plan.map_or(threshold, |plan| plan.max_object_size())
    }

    /// Returns whether the object is sent in segments; `None` if that is known only once the source
    /// is read.
    pub fn is_segmented(&self) -> Option<bool> {
        match (&self.phase, self.gather.source.length()) {
            (Phase::Segmented(_), _) => Some(true),
            (_, Some(length)) => Some(length > threshold(self.gather.source, &self.job.options)),
            (Phase::Gather, None) => self.gather.way().map(|way| way == Way::Parts),
            (_, None) => Some(false),
        }
    }

    /// Returns the data to resume the upload in another process; `None` before segments are sent,
    /// and for an object that is sent in one request. A resumed upload has the data that it was
    /// resumed from.
    pub fn checkpoint(&self) -> Option<SwiftCheckpoint> {
        self.job.checkpoints.latest()
    }

    /// Returns a view of the checkpoint, to keep while a transport runs the upload.
    pub fn checkpoints(&self) -> Checkpoints<SwiftCheckpoint> {
        self.job.checkpoints.clone()
    }

    /// Decides how the object is sent, as soon as that is known.
    fn begin(&mut self) -> Option<Phase> {
        let way = self.gather.way()?;
        // An upload in segments looks at the replaced object after it has stored the segments.
        let late = way == Way::Parts && !self.job.options.if_absent;
        if late || !self.job.looks_first() {
            return self.go(way, OldSegments::default());
        }
        Some(Phase::Replaced(Box::new(Replaced::new(&self.job, None)), way))
    }

    /// Starts sending the object in this way; `replaced` are the segments of the object that it
    /// replaces.
    fn go(&mut self, way: Way, replaced: OldSegments) -> Option<Phase> {
        Some(match way {
            Way::Whole(length) => self.put(length, replaced),
            Way::Parts => {
                // `plan` is set unless the source is known to be short.
                let plan = self.plan?;
                let window = std::mem::take(&mut self.gather.window);
                let inner = Segmented::new(self.job.clone(), self.gather.source, plan, window);
                Phase::Segmented(Box::new(inner))
            }
        })
    }

    /// Goes on, unless there is an object that must not be replaced.
    fn found(&mut self, way: Way, found: Found, cancelled: bool) -> Option<Phase> {
        if cancelled {
            return Some(Phase::Over(Some(ExchangeError::cancelled().into())));
        }
        if let Some(error) = found.obstacle(false).filter(|_| self.job.options.if_absent) {
            return Some(Phase::Over(Some(error)));
        }
        self.go(way, found.segments)
    }

    fn put(&self, length: u64, replaced: OldSegments) -> Phase {
        let Job { container, object, options, .. } = &self.job;
        let mut put = self.job.put(container, object, part::Part::body(0..length));
        put.properties.clone_from(&options.properties);
        put.if_absent = options.if_absent;
        put.digests.clone_from(&options.digests);
        let call = self.job.guarded(self.job.call(put, PUT).persisting());
        Phase::Put(Box::new(call), replaced)
    }

    fn uploaded(call: &Call<PutObject>, etag: ETag) -> SwiftUploaded {
        let (size, digests) = (call.operation().body.len(), call.computed().to_vec());
        let recovered = call.is_recovered();
        SwiftUploaded { etag, size, digests, recovered, ..SwiftUploaded::default() }
    }
}

impl Machine for SwiftUpload {
    type Output = SwiftUploaded;

    fn poll(&mut self, now: Now) -> Step<SwiftUploaded> {
        let source = self.gather.source;
        match &mut self.phase {
            Phase::Segmented(inner) => {
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
                Phase::Replaced(inner, way) => match inner.poll(now) {
                    Step::Done(found) => {
                        let (way, cancelled) = (*way, inner.is_cancelled());
                        let found = found.unwrap_or_default();
                        self.phase = self.found(way, found, cancelled).unwrap_or(Phase::Over(None));
                    }
                    Step::Send(draft) => return Step::Send(draft),
                    Step::Wait(wait) => return Step::Wait(wait),
                },
                Phase::Put(call, replaced) => match nest(call.poll(now), PUT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(stored)) => {
                        let done = Self::uploaded(call, stored.etag);
                        let sweep = std::mem::take(replaced).remove(self.job.with());
                        self.phase = Phase::Remove(sweep, Box::new(done));
                    }
                    ControlFlow::Continue(Err(error)) => {
                        let replaced = std::mem::take(replaced);
                        self.phase = Phase::Over(Some(self.refused(error, replaced)));
                    }
                },
                Phase::Remove(sweep, done) => match sweep.poll(now) {
                    Step::Done(left) => {
                        let done = std::mem::take(&mut **done);
                        self.phase = Phase::Over(None);
                        let leftovers = left.unwrap_or_default();
                        return Step::Done(Ok(SwiftUploaded { leftovers, ..done }));
                    }
                    Step::Send(draft) => return Step::Send(draft),
                    Step::Wait(wait) => return Step::Wait(wait),
                },
                Phase::Segmented(inner) => return inner.poll(now),
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
        match &mut self.phase {
            Phase::Segmented(inner) => return inner.complete(now, done),
            Phase::Replaced(inner, _) => return inner.complete(now, done),
            Phase::Remove(sweep, _) => return sweep.complete(now, done),
            _ => {}
        }
        if let (Phase::Put(call, _), Some(PUT)) = (&mut self.phase, done.route()) {
            call.complete(now, done);
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.phase {
            Phase::Gather => self.phase = Phase::Over(Some(ExchangeError::cancelled().into())),
            Phase::Replaced(inner, _) => inner.cancel(now, on_failure),
            Phase::Put(call, _) => call.cancel(now, on_failure),
            Phase::Remove(sweep, _) => sweep.cancel(now, on_failure),
            Phase::Segmented(inner) => inner.cancel(now, on_failure),
            Phase::Over(_) => {}
        }
    }

    fn concurrency(&self) -> usize {
        self.job.options.concurrency
    }

    fn is_long(&self) -> bool {
        self.is_segmented() == Some(true)
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        match &mut self.phase {
            Phase::Segmented(inner) => inner.stream_window(),
            _ => self.gather.source.is_stream().then_some(&mut self.gather.window),
        }
    }

    fn needs(&self) -> Needs {
        Needs::source(self.gather.needs(self.job.options.memory))
    }

    fn leftovers(&self) -> Vec<Leftover> {
        match &self.phase {
            Phase::Remove(sweep, _) => sweep.leftovers(),
            Phase::Segmented(inner) => inner.leftovers(),
            _ => Vec::new(),
        }
    }
}

impl SwiftUpload {
    /// Completes the error of a PUT; an object that the server stored with another ETag becomes a
    /// leftover.
    fn refused(&self, error: Error, replaced: OldSegments) -> Error {
        // A 422 stored nothing.
        if error.kind() == Kind::Integrity && error.status().is_none() {
            let (bucket, key) = (self.job.container.clone(), self.job.object.clone());
            let error = error.with_leftover(Leftover::Object { bucket, key });
            return replaced.leftovers().into_iter().fold(error, Error::with_leftover);
        }
        match replaced.perhaps().filter(|_| error.outcome_unknown()) {
            Some(old) => error.with_leftover(old),
            None => error,
        }
    }
}

/// Returns the maximum size of a single request, in bytes. A stream is held in memory until it is
/// sent: it may have to be sent again, and its length must be checked first.
fn threshold(source: UploadSource, options: &SwiftUploadOptions) -> u64 {
    let most = if source.is_stream() { options.memory } else { u64::MAX };
    options.threshold.min(LARGEST_PUT).min(most)
}

const PUT: u32 = 5;

/// The maximum size of a PUT, in bytes: `max_file_size` of most servers.
const LARGEST_PUT: u64 = 5 << 30;

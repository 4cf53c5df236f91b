//! A large object, from its first segment to its manifest or its removal.
//!
//! ```text
//!  new ──▶ Info ──▶ Container ──▶ Create ──┬──────────▶ Segments ──all stored──▶ Replaced ──▶ Manifest
//!  resume ────────────▲                    └─▶ List ───────▲                                      │
//!    any failure: nothing more is sent,                                                           │
//!    exchanges in flight are awaited                                                              ▼
//!                 └──▶ Earlier ── it is ours ─────────────────────────────────▶ Settle, of a dynamic one
//!                         └──▶ Remove what was sent ──▶ Over(Err, the first)    Remove what was replaced
//!                                                                                          └──▶ Over(Ok)
//! ```
//!
//! A resumed upload that fails first determines what the process before it has made (`earlier.rs`).
//!
//! | step | skipped |
//! | --- | --- |
//! | Info: does the server support SLO, and what are its limits | if the caller knows, or requests a DLO |
//! | Container: does it exist, and what is its policy | if segments go into it: the first one shows that |
//! | Create: the container of the segments | as above |
//! | Replaced: the existing object, and which of its segments to remove afterwards | if no option requires it |

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use http::header::DATE;

use super::checkpoint::{SwiftCheckpoint, SwiftCheckpointSegment};
use super::earlier::Earlier;
use super::job::Job;
use super::large_object::{LargeObject, SegmentsIn};
use super::layout::{Layout, longest_name};
use super::manifest::{Manifest, entry_size};
use super::options::SwiftUploaded;
use super::part::Part;
use super::replaced::{OldSegments, Replaced};
use super::settle::Settle;
use super::sweep::{self, Sweep};
use crate::contract::{Machine, OnFailure, Step, StreamWindow};
use crate::error::{Error, ExchangeError, Leftover};
use crate::http::{Completion, ETag};
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::machine::segments::Listed;
use crate::machine::upload::UploadSource;
use crate::machine::upload::checkpoint::Entry;
use crate::machine::upload::flight::{Bounds, Event, PartsInFlight, StoredPart};
use crate::machine::upload::plan::Plan;
use crate::now::{Now, Timestamp, Wait};
use crate::swift::{Expiry, GetInfo, HeadContainer, Info, ListedObject, PutContainer};

#[derive(Debug)]
pub(super) struct Segmented {
    pub(super) job: Job,
    source: UploadSource,
    pub(super) large_object: LargeObject,
    pub(super) heartbeat: bool,
    pub(super) layout: Layout,
    pub(super) flight: PartsInFlight<Part>,
    pub(super) phase: Phase,
    /// When the object and its segments expire: at one time, however long the upload takes.
    pub(super) delete_at: Option<Timestamp>,
    /// Segments of the checkpoint.
    pub(super) known: BTreeMap<u32, SwiftCheckpointSegment>,
    /// Segments that may be on the server since before: those of the checkpoint that were not
    /// acknowledged, and those that are listed otherwise than they are planned.
    sent: BTreeSet<u32>,
    /// Whether existing segments are listed first.
    pub(super) resumes: bool,
    /// Whether the process before this one may have a manifest in flight.
    pub(super) manifest_sent: bool,
    /// Whether it was determined what that process has made.
    pub(super) judged: bool,
    /// Whether that process has made a dynamic large object of these segments.
    pub(super) made_before: bool,
    /// Whether the segments could not be listed: they stay for another attempt to resume.
    pub(super) unlisted: bool,
    /// Whether the checkpoint has been published.
    begun: bool,
    /// The segments to remove once the manifest is stored.
    pub(super) replaced: OldSegments,
    /// Whether the manifest was stored and is wrong.
    pub(super) spoilt: bool,
    pub(super) failure: Option<Error>,
    /// How often late segments were waited for.
    pub(super) watches: usize,
    /// The difference of the server's clock from the local one, in seconds.
    ahead: Option<i64>,
}

#[derive(Debug)]
pub(super) enum Phase {
    Info(Box<Call<GetInfo>>),
    Container(Box<Call<HeadContainer>>),
    Create(Box<Call<PutContainer>>),
    List(Listed),
    Segments,
    Replaced(Box<Replaced>),
    Manifest(Box<Manifest>),
    /// The resumed upload has failed: has the process before this one made the object?
    Earlier(Box<Earlier>),
    /// The manifest is stored: is the object complete? The flag says whether a check proved the
    /// manifest.
    Settle(Box<Settle>, bool),
    Remove(Sweep, Option<Box<SwiftUploaded>>),
    /// The segments were removed, and one of an attempt without a response may be stored later.
    Watch(Wait),
    Over,
}

impl Segmented {
    /// Creates the upload; `plan` is the result of [`plan`].
    pub(super) fn new(job: Job, source: UploadSource, plan: Plan, window: StreamWindow) -> Self {
        let info = job.options.info.clone();
        let knows = info.is_some() || job.options.large_object == Some(LargeObject::Dynamic);
        let mut this = Self::with(job, source, plan, window);
        if knows {
            this.informed(info.as_ref());
        }
        this
    }

    /// Resumes the upload of `checkpoint`, after listing its segments on the server.
    pub(super) fn resume(job: Job, source: UploadSource, checkpoint: SwiftCheckpoint) -> Self {
        job.checkpoints.begin(Some(checkpoint.clone()));
        let mut this = Self::with(job, source, checkpoint.plan, StreamWindow::default());
        this.large_object = checkpoint.large_object;
        this.heartbeat = checkpoint.heartbeat;
        this.delete_at = checkpoint.expires();
        this.layout = checkpoint.layout;
        this.known = checkpoint.segments;
        this.sent = checkpoint.sent;
        this.manifest_sent = checkpoint.manifest_sent;
        this.resumes = true;
        this.phase = this.container();
        this
    }

    fn with(job: Job, source: UploadSource, plan: Plan, window: StreamWindow) -> Self {
        let layout = Layout::new(job.segments_in(), &job.object, &job.id(), &plan);
        let phase = Phase::Info(Box::new(job.call(GetInfo::new(), INFO)));
        Self {
            large_object: chosen(&job, None),
            flight: PartsInFlight::new(plan, bounds(&job, source), window),
            job,
            source,
            heartbeat: false,
            layout,
            phase,
            delete_at: None,
            known: BTreeMap::new(),
            sent: BTreeSet::new(),
            resumes: false,
            manifest_sent: false,
            judged: false,
            made_before: false,
            unlisted: false,
            begun: false,
            replaced: OldSegments::default(),
            spoilt: false,
            failure: None,
            watches: 0,
            ahead: None,
        }
    }

    /// Uses another authenticator, before anything was sent.
    pub(super) fn set_auth(&mut self, auth: usize) {
        self.job.auth = auth;
        self.phase = match &self.phase {
            Phase::Info(_) => Phase::Info(Box::new(self.job.call(GetInfo::new(), INFO))),
            _ => self.container(),
        };
    }

    /// Returns how far the source has been read.
    pub(super) fn read(&self) -> &StreamWindow {
        &self.flight.window
    }

    /// Ends the upload with an error of the caller's source.
    pub(super) fn give_up(&mut self, now: Now, error: Error) {
        let cleans_up = matches!(
            self.phase,
            Phase::Over | Phase::Earlier(_) | Phase::Remove(..) | Phase::Watch(_)
        );
        if !cleans_up {
            self.fail(now, error);
        }
    }

    /// Divides the source within the server's limits.
    fn informed(&mut self, info: Option<&Info>) {
        self.large_object = chosen(&self.job, info);
        let slo = info.and_then(|info| info.slo);
        self.heartbeat = slo.is_some_and(|slo| slo.yield_frequency.is_some());
        match divide(&self.job, self.source, self.large_object, info) {
            Ok(plan) => {
                let Job { object, .. } = &self.job;
                self.layout = Layout::new(self.job.segments_in(), object, &self.job.id(), &plan);
                let window = std::mem::take(&mut self.flight.window);
                self.flight = PartsInFlight::new(plan, bounds(&self.job, self.source), window);
                self.go(self.container());
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                self.phase = Phase::Over;
            }
        }
    }

    /// Enters this phase, unless the upload has failed meanwhile.
    pub(super) fn go(&mut self, phase: Phase) {
        if self.failure.is_none() && matches!(phase, Phase::Manifest(_)) {
            // The next process must know that the object may exist.
            self.job.checkpoints.note(Entry::Manifest(true), |checkpoint| {
                checkpoint.manifest_sent = true;
            });
        }
        self.phase = if self.failure.is_some() { self.cleanup() } else { phase };
    }

    /// Checks the object's container, unless the first segment shows whether it exists.
    fn container(&self) -> Phase {
        if self.job.options.segments_in == SegmentsIn::Same {
            return self.list_or_begin();
        }
        let head = HeadContainer::new(&self.job.container);
        Phase::Container(Box::new(self.job.call(head, CONTAINER)))
    }

    fn create(&self, storage_policy: Option<String>) -> Phase {
        let mut put = PutContainer::new(&self.layout.container);
        put.storage_policy = storage_policy;
        Phase::Create(Box::new(self.job.call(put, CREATE)))
    }

    fn list_or_begin(&self) -> Phase {
        if !self.resumes {
            return Phase::Segments;
        }
        let (service, seed) = (Arc::clone(&self.job.service), seed(self.job.seed, LIST));
        Phase::List(Listed::new(self.layout.all(), service, seed).with_auth(self.job.auth))
    }

    /// Records the listed segments that fit the plan; others are sent again.
    fn listed(&mut self, now: Now, objects: Result<Vec<ListedObject>, Error>) {
        let objects = match objects {
            Ok(objects) => objects,
            Err(_) if self.failure.is_some() => return self.phase = self.cleanup(),
            Err(error) => {
                self.unlisted = true;
                self.fail(now, error);
                return self.phase = self.cleanup();
            }
        };
        for object in objects {
            let number = self.layout.number(&object.name);
            let number = number.filter(|number| *number <= self.flight.plan.parts());
            let Some(number) = number else { continue };
            let known = self.known.get(&number).map(|known| known.etag.clone());
            let etag = object.hash.or(known).unwrap_or_default();
            let size = self.flight.plan.size(number);
            if let Some(size) = size.filter(|size| object.bytes == Some(*size)) {
                self.flight.stored.insert(number, StoredPart { etag, size, checksum: None });
            } else {
                self.sent.insert(number);
            }
        }
        self.go(Phase::Segments);
    }

    /// Starts sending segments.
    fn begin(&mut self, now: Now) {
        if self.delete_at.is_none() {
            self.delete_at = match self.job.options.properties.expiry {
                Some(Expiry::At(at)) => Some(at),
                Some(Expiry::After(seconds)) => {
                    let unix = Timestamp::from_duration(now.unix).unix();
                    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                    let there = unix.saturating_add(self.ahead.unwrap_or(0));
                    Some(Timestamp::from_unix(there.saturating_add(seconds)))
                }
                None => None,
            };
        }
        self.job.checkpoints.begin(Some(self.checkpoint()));
        self.begun = true;
    }

    fn checkpoint(&self) -> SwiftCheckpoint {
        let stored = self.flight.stored.iter();
        // The listing may lag behind.
        let sent = self.sent.iter().chain(self.known.keys()).copied();
        let sent = sent.filter(|number| !self.flight.stored.contains_key(number)).collect();
        SwiftCheckpoint {
            container: self.job.container.clone(),
            object: self.job.object.clone(),
            large_object: self.large_object,
            heartbeat: self.heartbeat,
            delete_at: self.delete_at.map(Timestamp::unix),
            layout: self.layout.clone(),
            plan: self.flight.plan,
            segments: stored.map(|(number, part)| (*number, part.into())).collect(),
            sent,
            manifest_sent: self.manifest_sent,
        }
    }

    fn segment(&self, number: u32, range: Range<u64>) -> Part {
        let Layout { container, .. } = &self.layout;
        let mut put = self.job.put(container, &self.layout.name(number), Part::body(range));
        put.properties.expiry = self.delete_at.map(Expiry::At);
        Part::new(self.job.call(put, SEED + number))
    }

    /// Adds a stored segment to the checkpoint.
    fn note(&self, number: u32) {
        if let Some(part) = self.flight.stored.get(&number) {
            self.job.checkpoints.note(Entry::Stored(number), |checkpoint| {
                checkpoint.store(number, part.into());
            });
        }
    }

    /// Returns the numbers of segments that may be on the server: all that were sent, also those
    /// whose response was lost, and those that existed before.
    pub(super) fn numbers(&self) -> BTreeSet<u32> {
        let there = self.flight.stored.keys().chain(self.known.keys()).chain(&self.sent);
        (1..self.flight.next()).chain(there.copied()).collect()
    }
}

impl Machine for Segmented {
    type Output = SwiftUploaded;

    fn leftovers(&self) -> Vec<Leftover> {
        match &self.phase {
            Phase::Over => Vec::new(),
            Phase::Remove(sweep, _) => sweep.leftovers(),
            Phase::Watch(_) => self.late().iter().map(sweep::leftover).collect(),
            _ if self.job.options.on_failure == OnFailure::Keep => Vec::new(),
            _ => self.everything(),
        }
    }

    fn poll(&mut self, now: Now) -> Step<SwiftUploaded> {
        loop {
            match &mut self.phase {
                Phase::Info(call) => match nest(call.poll(now), INFO) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(info)) => self.informed(Some(&info)),
                    // A server without `/info` gets the default limits.
                    ControlFlow::Continue(Err(error)) if does_not_tell(&error) => {
                        self.informed(None);
                    }
                    ControlFlow::Continue(Err(error)) => {
                        self.fail(now, error);
                        self.phase = self.cleanup();
                    }
                },
                Phase::Container(call) => match nest(call.poll(now), CONTAINER) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(head)) => self.go(self.create(head.storage_policy)),
                    // A client that may write objects need not be allowed to read the container.
                    ControlFlow::Continue(Err(error)) if error.is_denied() => {
                        self.go(self.create(None));
                    }
                    ControlFlow::Continue(Err(error)) => {
                        self.fail(now, error);
                        self.phase = self.cleanup();
                    }
                },
                Phase::Create(call) => match nest(call.poll(now), CREATE) {
                    ControlFlow::Break(step) => return step,
                    // The container may exist with another policy, or the client may not be allowed
                    // to create it.
                    ControlFlow::Continue(Err(error))
                        if !error.is_conflict() && !error.is_denied() =>
                    {
                        self.fail(now, error);
                        self.phase = self.cleanup();
                    }
                    ControlFlow::Continue(_) => self.go(self.list_or_begin()),
                },
                Phase::List(listed) => match listed.poll(now) {
                    Step::Send(draft) => return Step::Send(draft),
                    Step::Wait(wait) => return Step::Wait(wait),
                    Step::Done(objects) => self.listed(now, objects),
                },
                Phase::Segments if !self.begun => self.begin(now),
                Phase::Segments => match self.flight.poll(now) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Event::Room(number, range)) => {
                        self.job.checkpoints.note(Entry::Sent(number), |checkpoint| {
                            checkpoint.sent.insert(number);
                        });
                        self.flight.launch(number, self.segment(number, range));
                    }
                    ControlFlow::Continue(Event::Stored(number)) => self.note(number),
                    ControlFlow::Continue(Event::Failed(error)) => self.fail(now, error),
                    ControlFlow::Continue(Event::Complete) => self.go(self.look()),
                    ControlFlow::Continue(Event::Drained) => self.phase = self.cleanup(),
                },
                Phase::Replaced(inner) => match inner.poll(now) {
                    Step::Send(draft) => return Step::Send(draft),
                    Step::Wait(wait) => return Step::Wait(wait),
                    Step::Done(found) => self.seen(now, found.unwrap_or_default()),
                },
                Phase::Manifest(call) => match nest(call.poll(now), MANIFEST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(etag)) => {
                        let recovered = call.is_recovered();
                        self.made(etag, recovered);
                    }
                    ControlFlow::Continue(Err(error)) => self.refused(now, error),
                },
                Phase::Earlier(inner) => match inner.poll(now) {
                    Step::Send(draft) => return Step::Send(draft),
                    Step::Wait(wait) => return Step::Wait(wait),
                    Step::Done(verdict) => self.weighed(verdict.unwrap_or_default()),
                },
                Phase::Settle(settle, recovered) => match nest(settle.poll(now), SETTLE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(())) => {
                        let recovered = *recovered;
                        self.whole(ETag::default(), recovered);
                    }
                    ControlFlow::Continue(Err(error)) => self.unsettled(now, error),
                },
                Phase::Remove(sweep, _) => match sweep.poll(now) {
                    Step::Send(draft) => return Step::Send(draft),
                    Step::Wait(wait) => return Step::Wait(wait),
                    Step::Done(left) => {
                        if let Some(done) = self.removed(now, left.unwrap_or_default()) {
                            return Step::Done(Ok(done));
                        }
                    }
                },
                Phase::Watch(wait) if now.tick < wait.until => return Step::Wait(Some(*wait)),
                Phase::Watch(_) => self.phase = self.remove_late(),
                Phase::Over => {
                    return match self.failure.take() {
                        Some(error) => Step::Done(Err(error)),
                        None => Step::Wait(None),
                    };
                }
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        self.tell_the_time(now, &done);
        match &mut self.phase {
            Phase::List(listed) => return listed.complete(now, done),
            Phase::Replaced(inner) => return inner.complete(now, done),
            Phase::Earlier(inner) => return inner.complete(now, done),
            Phase::Remove(sweep, _) => return sweep.complete(now, done),
            _ => {}
        }
        let Some(slot) = done.route() else { return };
        match &mut self.phase {
            Phase::Info(call) if slot == INFO => call.complete(now, done),
            Phase::Container(call) if slot == CONTAINER => call.complete(now, done),
            Phase::Create(call) if slot == CREATE => call.complete(now, done),
            Phase::Segments => self.flight.complete(now, slot, done),
            Phase::Manifest(call) if slot == MANIFEST => call.complete(now, done),
            Phase::Settle(settle, _) if slot == SETTLE => settle.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.phase {
            // The upload has succeeded: segments of the replaced object that are not removed yet
            // stay.
            Phase::Remove(sweep, Some(_)) => return sweep.cancel(now, on_failure),
            // The upload has already failed, and only cleans up.
            Phase::Earlier(_) | Phase::Remove(_, None) | Phase::Watch(_) | Phase::Over => return,
            Phase::Info(call) => call.cancel(now, on_failure),
            Phase::Container(call) => call.cancel(now, on_failure),
            Phase::Create(call) => call.cancel(now, on_failure),
            Phase::List(listed) => listed.cancel(now, on_failure),
            Phase::Replaced(inner) => inner.cancel(now, on_failure),
            Phase::Manifest(call) => call.cancel(now, on_failure),
            Phase::Settle(settle, _) => settle.cancel(now, on_failure),
            Phase::Segments => {}
        }
        self.job.options.on_failure = on_failure;
        self.fail(now, ExchangeError::cancelled().into());
    }

    fn concurrency(&self) -> usize {
        self.job.options.concurrency
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        self.source.is_stream().then_some(&mut self.flight.window)
    }
}

impl Segmented {
    /// Reads the server's time from a response.
    fn tell_the_time(&mut self, now: Now, done: &Completion) {
        let date = done.outcome().ok().and_then(|reply| reply.header(&DATE));
        if let Some(date) = date.and_then(Timestamp::parse_http) {
            let ours = Timestamp::from_duration(now.unix).unix();
            self.ahead = Some(date.unix().saturating_sub(ours));
        }
    }
}

impl From<&StoredPart> for SwiftCheckpointSegment {
    fn from(part: &StoredPart) -> Self {
        Self { etag: part.etag.clone(), size: part.size }
    }
}

/// Returns how the source is divided, as far as is known without the server's `/info`.
pub(super) fn plan(job: &Job, source: UploadSource) -> Result<Plan, Error> {
    let info = job.options.info.as_ref();
    divide(job, source, chosen(job, info), info)
}

fn divide(
    job: &Job,
    source: UploadSource,
    large_object: LargeObject,
    info: Option<&Info>,
) -> Result<Plan, Error> {
    let options = &job.options;
    let limits = options.limits.unwrap_or_else(|| {
        let name = longest_name(&job.object, &job.id());
        large_object.limits(info, entry_size(&job.segments_in(), &name))
    });
    // A segment size below the server's minimum is raised rather than refused.
    let segment_size = options.segment_size.max(limits.smallest);
    Plan::of(source, segment_size, options.memory, &limits)
}

/// Returns whether the server responded, and has no `/info`.
fn does_not_tell(error: &Error) -> bool {
    error.status().is_some_and(|status| !status.is_server_error())
}

fn chosen(job: &Job, info: Option<&Info>) -> LargeObject {
    job.options.large_object.unwrap_or_else(|| LargeObject::offered(info))
}

fn bounds(job: &Job, source: UploadSource) -> Bounds {
    let (concurrency, memory) = (job.options.concurrency, job.options.memory);
    Bounds { concurrency, memory, stream: source.is_stream() }
}

const INFO: u32 = 0;
const CONTAINER: u32 = 1;
const CREATE: u32 = 2;
const LIST: u32 = 3;
pub(super) const MANIFEST: u32 = 4;
const SETTLE: u32 = 7;

/// The seed of segment n is derived from this plus n.
const SEED: u32 = 16;

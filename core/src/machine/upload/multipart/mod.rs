//! A multipart upload, from its creation to its completion or removal.
//!
//! ```text
//!  new ───▶ Create ──▶ Parts ──all stored──▶ Complete ──success, or proven───▶ Over(Ok)
//!              │         │ ▲                    │                                ▲
//!  resume ─▶ List ───────┘ │                    │                                │ it is our object
//!                          │                    ▼                                │
//!            Restart ◀─────┴── 409 conflict,  any failure: nothing more is sent, │
//!                                             exchanges in flight are awaited    │
//!                        ┌──────────────────────┘                                │
//!                        └──▶ Abort ──▶ Verify ── parts are left ──▶ Abort …     │
//!                              a while ▲  │ gone ── completion unknown,          │
//!                                later └──┤         or ended by another ──▶ Check ┤
//!                   parts may come late   │                                       │ it is not
//!                                         └──────────────────────────────────────▶ Over(Err, the first)
//! ```
//!
//! An upload that does not exist when it is aborted was ended by another process: the one that
//! began a resumed upload, or one that resumed it. That process may have completed it.
//!
//! An upload that must not replace an object checks whether there is one before its creation and
//! before its completion (Absent), where the server may ignore `If-None-Match` on
//! CompleteMultipartUpload: Ceph 16.2 ignores it, and replaces the object.

mod ending;
mod job;
mod part;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

pub(in crate::machine) use self::job::Job;
use self::part::{Part, full_object};
use super::checkpoint::{Checkpoint, CheckpointPart, Entry};
use super::flight::{Bounds, Event, PartsInFlight, StoredPart};
use super::plan::Plan;
use crate::checksum::{Declared, Value};
use crate::contract::{Machine, Notice, OnFailure, Operation as _, Step, StreamWindow};
use crate::error::{Error, ExchangeError, Leftover};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::abort_upload::is_gone;
use crate::machine::compose::nest;
use crate::machine::upload::absent;
use crate::now::{Now, Wait};
use crate::s3::{
    AbortMultipartUpload, CompleteMultipartUpload, CopySource, CreateMultipartUpload, ETag,
    HeadObject, ListParts, ListPartsOutput, Service, Stored,
};

/// The source of the parts' bytes.
#[derive(Clone, Debug)]
pub(in crate::machine) enum PartsFrom {
    /// A source that can be read at any position, more than once.
    Seekable,
    /// A source that is read once, in order, as far as the stream window says.
    Stream,
    /// An object on the server.
    Object(Box<CopySource>),
}

/// The result of an upload.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Uploaded {
    /// The ETag of the object; empty if the server returned none.
    pub etag: ETag,
    /// The version of the object.
    pub version_id: Option<String>,
    /// The size of the object in bytes.
    pub size: u64,
    /// The number of its parts; 0 for a single request.
    pub parts: u32,
    /// Checksums of the whole object: those of the server or, if it returned none, those computed
    /// during the upload.
    pub checksums: Vec<Declared>,
    /// Whether the response to the last request was lost, and a check proved that the object was
    /// stored.
    pub recovered: bool,
    /// What a copy in parts does not have of its source; empty for any other upload.
    pub not_copied: Vec<NotCopied>,
    /// Possible leftovers although the upload succeeded: another multipart upload, if a response to
    /// CreateMultipartUpload was lost; a part, if an attempt at it had no response, because the
    /// server may store it after the object was made.
    pub leftovers: Vec<Leftover>,
}

/// What a copy in parts does not have of its source, because it can't be read there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotCopied {
    /// The tags: GetObjectTagging was refused. The source may have none.
    Tags,
    /// The annotations: ListObjectAnnotations was refused. The source may have none.
    Annotations,
    /// `Expires`: it is no date.
    Expires,
}

impl NotCopied {
    /// Returns the name of what is not copied.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Annotations => "annotations",
            Self::Expires => "Expires",
        }
    }
}

#[derive(Debug)]
pub(in crate::machine) struct Multipart {
    job: Job,
    from: PartsFrom,
    service: Arc<Service>,
    flight: PartsInFlight<Part>,
    phase: Phase,
    upload_id: Option<String>,
    /// Parts of the checkpoint that the server has not listed yet.
    known: BTreeMap<u32, StoredPart>,
    failure: Option<Error>,
    aborts: u32,
    /// How often a removed upload was looked for again.
    watches: usize,
    /// Possible leftovers that no request can show.
    possible: Vec<Leftover>,
    /// The upload does not exist any more.
    is_gone: bool,
    /// Whether another process began the upload.
    resumed: bool,
    /// The upload does not exist, and not because of this process: another one has completed or
    /// aborted it.
    vanished: bool,
    /// CompleteMultipartUpload was sent, or another process may have sent it.
    completing: bool,
    listing: Listing,
    /// Whether CompleteMultipartUpload is sent without its condition, as the server does not support
    /// it.
    unconditional: bool,
    notice: Option<Notice>,
    restarted: bool,
    /// The conflict because of which everything is sent again, once the first upload is removed.
    restarting: Option<Error>,
}

/// What the lists of parts after an acknowledged abort have shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Listing {
    /// Nothing, or a part.
    #[default]
    Unclear,
    /// The upload, without parts.
    Empty,
    /// The upload, without parts, as the server lists any upload that does not exist.
    Meaningless,
}

#[derive(Debug)]
enum Phase {
    Absent(Box<Call<HeadObject>>),
    Create(Box<Call<CreateMultipartUpload>>),
    List(Call<ListParts>),
    Parts,
    Complete(Box<Call<CompleteMultipartUpload>>),
    Check(Box<Call<HeadObject>>),
    Abort(Call<AbortMultipartUpload>),
    Verify(Call<ListParts>),
    /// Lists the parts of an upload that does not exist: see [`Multipart::contradicted`].
    Compare(Call<ListParts>),
    Watch(Wait),
    Over,
}

impl From<&StoredPart> for CheckpointPart {
    fn from(part: &StoredPart) -> Self {
        let checksum = part.checksum.as_ref().map(Value::base64);
        Self { etag: part.etag.clone(), size: part.size, checksum }
    }
}

impl Multipart {
    pub(in crate::machine) fn new(
        job: Job,
        from: PartsFrom,
        plan: Plan,
        service: Arc<Service>,
        window: StreamWindow,
    ) -> Self {
        let heeds = service.config().quirks.conditional_complete;
        let phase = match absent::is_needed(&job.conditions, heeds) {
            true => Phase::Absent(Box::new(job.call(job.head(), &service, CHECK))),
            false => Phase::Create(Box::new(create(&job, &service))),
        };
        let stream = matches!(from, PartsFrom::Stream);
        let bounds = Bounds { concurrency: job.concurrency, memory: job.memory, stream };
        Self {
            job,
            from,
            service,
            flight: PartsInFlight::new(plan, bounds, window),
            phase,
            upload_id: None,
            known: BTreeMap::new(),
            failure: None,
            aborts: 0,
            watches: 0,
            possible: Vec::new(),
            is_gone: false,
            resumed: false,
            vanished: false,
            completing: false,
            listing: Listing::default(),
            unconditional: false,
            notice: None,
            restarted: false,
            restarting: None,
        }
    }

    /// Resumes the upload of `checkpoint`, after listing its parts on the server.
    pub(in crate::machine) fn resume(
        mut job: Job,
        from: PartsFrom,
        checkpoint: Checkpoint,
        service: Arc<Service>,
    ) -> Self {
        job.algorithm = checkpoint.algorithm;
        job.checksum_type = checkpoint.checksum_type;
        job.checkpoints.begin(Some(checkpoint.clone()));
        let known = checkpoint.parts.into_iter().map(|(number, part)| {
            let checksum = part.checksum.zip(job.algorithm);
            let checksum =
                checksum.and_then(|(text, algorithm)| Value::from_base64(algorithm, &text).ok());
            (number, StoredPart { etag: part.etag, size: part.size, checksum })
        });
        let known = known.collect();
        let mut this = Self::new(job, from, checkpoint.plan, service, StreamWindow::default());
        this.upload_id = Some(checkpoint.upload_id);
        this.known = known;
        (this.resumed, this.completing) = (true, true);
        this.phase = Phase::List(this.list(None));
        this
    }

    /// Returns the data to resume the upload, once the server has returned its id.
    fn checkpoint(&self) -> Option<Checkpoint> {
        let upload_id = self.upload_id.clone()?;
        Some(Checkpoint {
            bucket: self.job.bucket.clone(),
            key: self.job.key.clone(),
            upload_id,
            algorithm: self.job.algorithm,
            checksum_type: self.job.checksum_type,
            plan: self.flight.plan,
            parts: self.flight.stored.iter().map(|(number, part)| (*number, part.into())).collect(),
        })
    }

    fn call<O: crate::contract::Operation<Service = Service>>(
        &self,
        operation: O,
        slot: u32,
    ) -> Call<O> {
        self.job.call(operation, &self.service, slot)
    }

    fn list(&self, marker: Option<u32>) -> Call<ListParts> {
        self.list_of(self.upload_id.clone().unwrap_or_default(), marker)
    }

    fn list_of(&self, id: String, marker: Option<u32>) -> Call<ListParts> {
        let mut list = ListParts::new(&self.job.bucket, &self.job.key, id);
        list.part_number_marker = marker;
        list.customer_key = self.job.customer_key();
        list.common.clone_from(&self.job.common);
        self.call(list, LIST)
    }

    /// Records the listed parts that fit the plan; others are sent again.
    fn listed(&mut self, page: &ListPartsOutput) {
        for part in &page.parts {
            let known = self.known.get(&part.part_number).filter(|known| known.etag == part.etag);
            let told = full_object(&part.checksums)
                .find(|value| Some(value.algorithm()) == self.job.algorithm);
            let checksum = told.or(known.and_then(|known| known.checksum));
            let size = self.flight.plan.size(part.part_number);
            if let Some(size) = size.filter(|size| part.size == Some(*size))
                && checksum.is_some() == self.job.algorithm.is_some()
            {
                let one = StoredPart { etag: part.etag.clone(), size, checksum };
                self.flight.stored.insert(part.part_number, one);
            }
        }
    }

    /// Adds a stored part to the checkpoint.
    fn note(&self, number: u32) {
        if let Some(part) = self.flight.stored.get(&number) {
            let part = part.into();
            self.job.checkpoints.note(Entry::Stored(number), |checkpoint| {
                checkpoint.parts.insert(number, part);
            });
        }
    }

    /// Returns how far the source has been read.
    pub(in crate::machine::upload) fn read(&self) -> &StreamWindow {
        &self.flight.window
    }

    /// Ends the upload with an error of the caller's source.
    pub(in crate::machine::upload) fn give_up(&mut self, now: Now, error: Error) {
        let cleans_up = matches!(
            self.phase,
            Phase::Over
                | Phase::Abort(_)
                | Phase::Verify(_)
                | Phase::Compare(_)
                | Phase::Watch(_)
                | Phase::Check(_)
        );
        if !cleans_up {
            self.fail(now, error);
        }
    }

    /// Uses another authenticator, before anything was sent.
    pub(in crate::machine::upload) fn set_auth(&mut self, auth: usize) {
        self.job.auth = auth;
        if let Phase::List(_) = self.phase {
            self.phase = Phase::List(self.list(None));
        }
    }
}

impl Machine for Multipart {
    type Output = Uploaded;

    fn leftovers(&self) -> Vec<Leftover> {
        match &self.phase {
            Phase::Over => Vec::new(),
            Phase::Absent(_) if self.upload_id.is_none() => Vec::new(),
            _ if self.job.on_failure == OnFailure::Keep => Vec::new(),
            _ => vec![self.leftover()],
        }
    }

    fn poll(&mut self, now: Now) -> Step<Uploaded> {
        loop {
            match &mut self.phase {
                Phase::Absent(call) => match nest(call.poll(now), CHECK) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        let looked = match self.unconditional {
                            true => absent::looked_alone(head),
                            false => absent::looked(head),
                        };
                        self.looked(now, looked);
                    }
                },
                Phase::Create(call) => match nest(call.poll(now), CREATE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(created)) => {
                        if call.outcome_unknown() {
                            let nameless = self.nameless();
                            self.possible.push(nameless);
                        }
                        self.upload_id = Some(created.upload_id);
                        self.job.checkpoints.begin(self.checkpoint());
                        self.phase = Phase::Parts;
                    }
                    ControlFlow::Continue(Err(error)) => {
                        self.fail(now, error);
                        self.phase = Phase::Over;
                    }
                },
                Phase::List(call) => match nest(call.poll(now), LIST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(page)) => match call.operation().next(&page) {
                        Ok(Some(next)) => {
                            let marker = next.part_number_marker;
                            self.listed(&page);
                            self.phase = Phase::List(self.list(marker));
                        }
                        Ok(None) => {
                            self.listed(&page);
                            self.job.checkpoints.begin(self.checkpoint());
                            self.phase = Phase::Parts;
                        }
                        Err(error) => {
                            self.unlisted(error);
                            self.phase = Phase::Over;
                        }
                    },
                    ControlFlow::Continue(Err(error)) if is_gone(&error) => {
                        self.phase = self.gone_before(error);
                    }
                    ControlFlow::Continue(Err(error)) => {
                        // An upload that cannot be listed is not aborted: it may belong to another
                        // client.
                        self.unlisted(error);
                        self.phase = Phase::Over;
                    }
                },
                Phase::Parts => match self.flight.poll(now) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Event::Room(number, range)) => {
                        self.flight.launch(number, self.part(number, range));
                    }
                    ControlFlow::Continue(Event::Stored(number)) => self.note(number),
                    ControlFlow::Continue(Event::Failed(error)) => self.fail(now, error),
                    ControlFlow::Continue(Event::Complete) => self.complete_upload(now),
                    ControlFlow::Continue(Event::Drained) => self.phase = self.cleanup(),
                },
                Phase::Complete(call) => match nest(call.poll(now), COMPLETE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(done)) => {
                        // A cancellation after the completion has no effect.
                        let recovered = call.is_recovered();
                        self.failure = None;
                        self.phase = Phase::Over;
                        if self.unconditional {
                            self.service.forgo_create_only(CompleteMultipartUpload::NAME);
                        }
                        if let Err(error) = self.confirm(&done.stored) {
                            self.failure = Some(self.job.spoilt(error));
                            continue;
                        }
                        let Stored { etag, version_id, checksums, .. } = done.stored;
                        let done = self.completed(etag, version_id, checksums);
                        return Step::Done(Ok(Uploaded { recovered, ..done }));
                    }
                    ControlFlow::Continue(Err(error)) => self.refused_completion(now, error),
                },
                Phase::Check(call) => match nest(call.poll(now), CHECK) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        if let Some(done) = self.checked(head) {
                            return Step::Done(Ok(done));
                        }
                    }
                },
                Phase::Abort(call) => match nest(call.poll(now), ABORT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(_)) => {
                        // The response to an earlier attempt was lost, and this one was a 404.
                        let unclear = self.resumed && call.is_recovered();
                        self.vanished |= unclear && self.aborts == 1;
                        self.phase = Phase::Verify(self.list(None));
                    }
                    ControlFlow::Continue(Err(error)) if is_gone(&error) => {
                        self.vanished |= self.aborts == 1;
                        self.phase = Phase::Verify(self.list(None));
                    }
                    ControlFlow::Continue(Err(_)) => self.contradicted(),
                },
                Phase::Verify(call) => match nest(call.poll(now), LIST) {
                    ControlFlow::Break(step) => return step,
                    // Parts in flight during the abort may have been stored after it.
                    ControlFlow::Continue(Ok(page)) => self.still_listed(now, &page),
                    // A client without permission to list may nevertheless have aborted.
                    ControlFlow::Continue(Err(error)) => self.gone(now, is_gone(&error)),
                },
                Phase::Compare(call) => match nest(call.poll(now), LIST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(_)) => {
                        self.listing = Listing::Meaningless;
                        self.gone(now, true);
                    }
                    ControlFlow::Continue(Err(_)) => self.left_behind(),
                },
                Phase::Watch(wait) => {
                    if now.tick < wait.until {
                        return Step::Wait(Some(*wait));
                    }
                    self.phase = Phase::Verify(self.list(None));
                }
                Phase::Over => {
                    return match self.failed() {
                        Some(error) => Step::Done(Err(error)),
                        None => Step::Wait(None),
                    };
                }
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        let Some(slot) = done.route() else { return };
        match &mut self.phase {
            Phase::Create(call) if slot == CREATE => call.complete(now, done),
            Phase::List(call) | Phase::Verify(call) | Phase::Compare(call) if slot == LIST => {
                call.complete(now, done);
            }
            Phase::Complete(call) if slot == COMPLETE => call.complete(now, done),
            Phase::Absent(call) | Phase::Check(call) if slot == CHECK => call.complete(now, done),
            Phase::Abort(call) if slot == ABORT => call.complete(now, done),
            Phase::Parts => self.flight.complete(now, slot, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.phase {
            // A restart is cancelled, although its cleanup has begun.
            Phase::Abort(_) | Phase::Verify(_) | Phase::Compare(_) | Phase::Watch(_)
                if self.restarting.is_some() => {}
            // The upload has already failed or succeeded, and only cleans up.
            Phase::Abort(_)
            | Phase::Verify(_)
            | Phase::Compare(_)
            | Phase::Watch(_)
            | Phase::Check(_)
            | Phase::Over => return,
            Phase::Absent(call) => call.cancel(now, on_failure),
            Phase::Create(call) => call.cancel(now, on_failure),
            Phase::List(call) => call.cancel(now, on_failure),
            Phase::Complete(call) => call.cancel(now, on_failure),
            Phase::Parts => {}
        }
        self.job.on_failure = on_failure;
        self.fail(now, ExchangeError::cancelled().into());
    }

    fn concurrency(&self) -> usize {
        self.job.concurrency
    }

    fn notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        matches!(self.from, PartsFrom::Stream).then_some(&mut self.flight.window)
    }
}

fn create(job: &Job, service: &Arc<Service>) -> Call<CreateMultipartUpload> {
    let mut create = CreateMultipartUpload::new(&job.bucket, &job.key);
    create.properties.clone_from(&job.properties);
    create.common.clone_from(&job.common);
    create.checksum_algorithm = job.algorithm;
    create.checksum_type = job.checksum_type;
    create.overrides = job.checksum.overrides;
    job.call(create, service, CREATE)
}

const CREATE: u32 = 0;
const LIST: u32 = 1;
const COMPLETE: u32 = 2;
const CHECK: u32 = 3;
const ABORT: u32 = 4;

/// The number of aborts, repeated while parts are still listed.
const ABORTS: u32 = 3;

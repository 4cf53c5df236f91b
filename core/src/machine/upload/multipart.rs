//! A multipart upload, from its creation to its completion or its disappearance.
//!
//! ```text
//!  new ───▶ Create ──▶ Parts ──all stored──▶ Complete ──answered──────────────▶ Over(Ok)
//!              │         │ ▲                    │ answer lost, then refused        ▲
//!  resume ─▶ List ───────┘ │                    └──▶ Check ── it is our object ────┘
//!                          │                            │ it is not
//!            Restart ◀─────┴── 409 conflict             ▼
//!               any failure: nothing more is sent, what is in flight is waited for
//!                        │
//!                        └──▶ Abort ──▶ Verify ── parts are left ──▶ Abort …
//!                                         │ gone
//!                                         └──────────────────────────────────▶ Over(Err, the first)
//! ```

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::checkpoint::{Checkpoint, CheckpointPart};
use super::evidence::{Evidence, multipart_etag};
use super::plan::Plan;
use crate::checksum::{Algorithm, Composite, Declared, Type, Value, combine};
use crate::contract::{Intake, Leave, Machine, Step, Wait};
use crate::error::{Error, Failure, Leftover};
use crate::http::{Body, Completion};
use crate::machine::Call;
use crate::machine::nest::{nest, seed};
use crate::now::Now;
use crate::s3::{
    AbortMultipartUpload, ChecksumOptions, Common, CompleteMultipartUpload, CompletedPart,
    Conditions, CopySource, CreateMultipartUpload, CustomerKey, ETag, HeadObject, ListParts,
    ListPartsOutput, Properties, Service, Stored, UploadPart, UploadPartCopy, UploadPartCopyOutput,
};

/// What all requests of the upload share.
#[derive(Clone, Debug)]
pub(in crate::machine) struct Job {
    pub(in crate::machine) bucket: String,
    pub(in crate::machine) key: String,
    pub(in crate::machine) properties: Properties,
    pub(in crate::machine) conditions: Conditions,
    pub(in crate::machine) common: Common,
    pub(in crate::machine) checksum: ChecksumOptions,
    /// The checksum that parts carry, as the policy decided.
    pub(in crate::machine) algorithm: Option<Algorithm>,
    pub(in crate::machine) checksum_type: Option<Type>,
    pub(in crate::machine) width: usize,
    /// Bytes of parts that may be in flight at once, narrowing the width.
    pub(in crate::machine) memory: u64,
    pub(in crate::machine) leave: Leave,
    pub(in crate::machine) party: usize,
    pub(in crate::machine) seed: u64,
}

impl Job {
    fn customer_key(&self) -> Option<CustomerKey> {
        self.properties.encryption.customer_key.clone()
    }
}

/// Where the bytes of parts come from.
#[derive(Clone, Debug)]
pub(in crate::machine) enum PartsFrom {
    /// A source that can be read anywhere, again and again.
    Seekable,
    /// A source that is read once, in order, as far as the intake says.
    Stream,
    /// An object on the server.
    Object(Box<CopySource>),
}

/// What a finished upload came to.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Uploaded {
    /// The tag of the object; empty where the server gave none.
    pub etag: ETag,
    /// Which version of the object this is.
    pub version_id: Option<String>,
    /// Bytes of the object.
    pub size: u64,
    /// Parts it was sent in; 0 for a single request.
    pub parts: u32,
    /// Checksums of the whole, as the server told them or as they were computed on the way.
    pub checksums: Vec<Declared>,
    /// The answer to the last request was lost; a look at the object showed that it is ours.
    pub recovered: bool,
}

#[derive(Debug)]
pub(in crate::machine) struct Multipart {
    job: Job,
    from: PartsFrom,
    service: Arc<Service>,
    plan: Plan,
    phase: Phase,
    upload_id: Option<String>,
    next: u32,
    slots: Vec<Slot>,
    stored: BTreeMap<u32, StoredPart>,
    /// What a checkpoint knows of parts that the server has not listed yet.
    known: BTreeMap<u32, StoredPart>,
    pub(super) intake: Intake,
    failure: Option<Error>,
    aborts: u32,
    restarted: bool,
    /// The conflict for which everything is sent again, once the first upload is gone.
    restarting: Option<Error>,
}

#[derive(Debug)]
enum Phase {
    Create(Box<Call<CreateMultipartUpload>>),
    List(Call<ListParts>),
    Parts,
    Complete(Box<Call<CompleteMultipartUpload>>),
    Check(Box<Call<HeadObject>>, Error),
    Abort(Call<AbortMultipartUpload>),
    Verify(Call<ListParts>),
    Over,
}

#[derive(Debug)]
struct Slot {
    number: u32,
    range: Range<u64>,
    call: PartCall,
}

#[derive(Debug)]
enum PartCall {
    Send(Call<UploadPart>),
    Copy(Call<UploadPartCopy>),
}

#[derive(Clone, Debug)]
struct StoredPart {
    etag: ETag,
    size: u64,
    checksum: Option<Value>,
}

impl Multipart {
    pub(in crate::machine) fn new(
        job: Job,
        from: PartsFrom,
        plan: Plan,
        service: Arc<Service>,
        intake: Intake,
    ) -> Self {
        let create = create(&job, &service);
        Self {
            job,
            from,
            service,
            plan,
            phase: Phase::Create(Box::new(create)),
            upload_id: None,
            next: 1,
            slots: Vec::new(),
            stored: BTreeMap::new(),
            known: BTreeMap::new(),
            intake,
            failure: None,
            aborts: 0,
            restarted: false,
            restarting: None,
        }
    }

    /// Goes on with what `checkpoint` tells, after asking the server for its parts.
    pub(in crate::machine) fn resume(
        mut job: Job,
        from: PartsFrom,
        checkpoint: Checkpoint,
        service: Arc<Service>,
    ) -> Self {
        job.algorithm = checkpoint.algorithm;
        job.checksum_type = checkpoint.checksum_type;
        let known = checkpoint.parts.into_iter().map(|(number, part)| {
            let checksum = part.checksum.zip(job.algorithm);
            let checksum =
                checksum.and_then(|(text, algorithm)| Value::from_base64(algorithm, &text).ok());
            (number, StoredPart { etag: part.etag, size: part.size, checksum })
        });
        let known = known.collect();
        let mut this = Self::new(job, from, checkpoint.plan, service, Intake::default());
        this.upload_id = Some(checkpoint.upload_id);
        this.known = known;
        this.phase = Phase::List(this.list(None));
        this
    }

    /// What it takes to go on later, once the server has given the upload an id.
    pub(in crate::machine) fn checkpoint(&self) -> Option<Checkpoint> {
        let upload_id = self.upload_id.clone()?;
        let part = |part: &StoredPart| CheckpointPart {
            etag: part.etag.clone(),
            size: part.size,
            checksum: part.checksum.as_ref().map(Value::base64),
        };
        Some(Checkpoint {
            bucket: self.job.bucket.clone(),
            key: self.job.key.clone(),
            upload_id,
            algorithm: self.job.algorithm,
            checksum_type: self.job.checksum_type,
            plan: self.plan,
            parts: self.stored.iter().map(|(number, one)| (*number, part(one))).collect(),
        })
    }

    fn call<O: crate::contract::Operation<Service = Service>>(
        &self,
        operation: O,
        slot: u32,
    ) -> Call<O> {
        Call::new(operation, Arc::clone(&self.service), seed(self.job.seed, slot))
            .under(self.job.party)
    }

    fn list(&self, marker: Option<u32>) -> Call<ListParts> {
        let id = self.upload_id.clone().unwrap_or_default();
        let mut list = ListParts::new(&self.job.bucket, &self.job.key, id);
        list.part_number_marker = marker;
        list.customer_key = self.job.customer_key();
        list.common.clone_from(&self.job.common);
        self.call(list, LIST)
    }

    /// Takes over what the server has of the parts that fit the plan; others are sent again.
    fn listed(&mut self, page: &ListPartsOutput) {
        for part in &page.parts {
            let known = self.known.get(&part.part_number).filter(|known| known.etag == part.etag);
            let told = full_object(&part.checksums)
                .find(|value| Some(value.algorithm()) == self.job.algorithm);
            let checksum = told.or(known.and_then(|known| known.checksum));
            let expected = match self.plan.length() {
                Some(length) => self.plan.range_until(part.part_number, length),
                None => Some(self.plan.range(part.part_number)),
            };
            let size = expected.map(|range| range.end - range.start);
            if let Some(size) = size.filter(|size| part.size == Some(*size))
                && checksum.is_some() == self.job.algorithm.is_some()
            {
                let one = StoredPart { etag: part.etag.clone(), size, checksum };
                self.stored.insert(part.part_number, one);
            }
        }
    }

    /// The positions of the next part to be sent, if its bytes are there.
    fn next_range(&mut self) -> Result<Option<(u32, Range<u64>)>, Error> {
        while self.stored.contains_key(&self.next) {
            self.next += 1;
        }
        let number = self.next;
        let known = match self.from {
            PartsFrom::Stream => self.intake.has_ended().then(|| self.intake.supplied()),
            PartsFrom::Seekable | PartsFrom::Object(_) => self.plan.length(),
        };
        let whole = self.plan.range(number);
        let range = match known {
            Some(end) => self.plan.range_until(number, end),
            None if self.intake.supplied() >= whole.end => Some(whole.clone()),
            None => None,
        };
        let parts_end = number > self.plan.parts() && (range.is_some() || known.is_none());
        if parts_end || self.intake.supplied() > self.plan.reach() {
            return Err(Error::caller(format!(
                "the source is longer than {} bytes, the most that parts of these sizes hold",
                self.plan.reach()
            ))
            .with_hint("allow more memory or larger parts"));
        }
        Ok(range.map(|range| (number, range)))
    }

    /// How many parts of this size may be in flight. A stream is bounded by what it may be read.
    fn width_at(&self, size: u64) -> usize {
        if matches!(self.from, PartsFrom::Stream) {
            return self.job.width;
        }
        let room = usize::try_from(self.job.memory / size.max(1)).unwrap_or(usize::MAX);
        self.job.width.min(room).max(1)
    }

    /// Says how far a stream may be read: one part more than may be in flight, and no further
    /// than the memory goes.
    fn allow(&mut self) {
        let in_flight = self.slots.iter().map(|slot| slot.number).min();
        let first = in_flight.unwrap_or(self.next).min(self.next);
        let low = self.plan.range(first).start;
        let width = u32::try_from(self.job.width).unwrap_or(u32::MAX);
        let fits = |last: &u32| self.plan.range(*last).end - low <= self.job.memory;
        let last = (first..=first.saturating_add(width)).take_while(fits).last();
        let high = self.plan.range(last.unwrap_or(first)).end;
        // One byte more than the parts hold tells that the source goes on.
        self.intake.allow(low, high.min(self.plan.reach().saturating_add(1)));
    }

    fn poll_parts(&mut self, now: Now) -> ControlFlow<Step<Uploaded>> {
        let mut wait = None;
        let mut at = 0;
        while let Some(slot) = self.slots.get_mut(at) {
            let number = slot.number;
            let polled = match &mut slot.call {
                PartCall::Send(call) => match nest(call.poll(now), FIRST + number) {
                    ControlFlow::Break(step) => ControlFlow::Break(step),
                    ControlFlow::Continue(result) => {
                        ControlFlow::Continue(result.map(|stored| sent_part(stored, call)))
                    }
                },
                PartCall::Copy(call) => match nest(call.poll(now), FIRST + number) {
                    ControlFlow::Break(step) => ControlFlow::Break(step),
                    ControlFlow::Continue(result) => ControlFlow::Continue(result.map(copied_part)),
                },
            };
            match polled {
                ControlFlow::Break(Step::Wait(until)) => {
                    wait = Wait::earlier(wait, until);
                    at += 1;
                }
                ControlFlow::Break(step) => return ControlFlow::Break(step),
                ControlFlow::Continue(result) => {
                    let slot = self.slots.swap_remove(at);
                    match result {
                        Ok((etag, checksum)) => {
                            let size = slot.range.end - slot.range.start;
                            let checksum = checksum
                                .into_iter()
                                .find(|value| Some(value.algorithm()) == self.job.algorithm);
                            self.stored.insert(number, StoredPart { etag, size, checksum });
                        }
                        Err(error) => self.fail(now, error),
                    }
                    // A failure cancels the others: look at all of them again.
                    (wait, at) = (None, 0);
                }
            }
        }
        if self.failure.is_some() {
            if self.slots.is_empty() {
                self.phase = self.cleanup();
                return ControlFlow::Continue(());
            }
            return ControlFlow::Break(Step::Wait(wait));
        }
        let next = match self.next_range() {
            Ok(next) => next,
            Err(error) => {
                self.fail(now, error);
                return ControlFlow::Continue(());
            }
        };
        let stream = matches!(self.from, PartsFrom::Stream);
        if let Some((number, range)) = next {
            if self.slots.len() < self.width_at(range.end - range.start) {
                self.slots.push(self.part(number, range));
                self.next = number + 1;
                return ControlFlow::Continue(());
            }
        } else if self.slots.is_empty() && (!stream || self.intake.has_ended()) {
            if stream {
                self.plan.end_at(self.intake.supplied());
            }
            self.complete_upload(now);
            return ControlFlow::Continue(());
        }
        if stream {
            self.allow();
        }
        ControlFlow::Break(Step::Wait(wait))
    }

    fn part(&self, number: u32, range: Range<u64>) -> Slot {
        let (job, id) = (&self.job, self.upload_id.clone().unwrap_or_default());
        let call = match &self.from {
            PartsFrom::Seekable | PartsFrom::Stream => {
                let body = Body::Source { range: range.clone(), rewindable: true };
                let mut part = UploadPart::from_body(&job.bucket, &job.key, id, number, body);
                part.checksum.overrides = job.checksum.overrides;
                part.checksum.algorithm = job.algorithm;
                part.checksum.digests.clone_from(&job.checksum.digests);
                part.customer_key = job.customer_key();
                part.common.clone_from(&job.common);
                PartCall::Send(self.call(part, FIRST + number))
            }
            PartsFrom::Object(source) => {
                let mut part =
                    UploadPartCopy::new(&job.bucket, &job.key, id, number, (**source).clone());
                part.source_range = Some(range.clone());
                part.customer_key = job.customer_key();
                part.common.clone_from(&job.common);
                PartCall::Copy(self.call(part, FIRST + number))
            }
        };
        Slot { number, range, call }
    }

    fn size(&self) -> u64 {
        self.stored.values().map(|part| part.size).sum()
    }

    /// The checksums of the whole that the parts' come to.
    fn checksums(&self) -> Result<Vec<Declared>, Error> {
        let parts: Option<Vec<(Value, u64)>> =
            self.stored.values().map(|part| part.checksum.map(|sum| (sum, part.size))).collect();
        let (Some(parts), Some(algorithm)) = (parts, self.job.algorithm) else {
            return Ok(Vec::new());
        };
        let mut sums = Vec::new();
        if algorithm.combines() {
            sums.push(Declared::FullObject(combine(parts.iter().copied())?));
        }
        if algorithm != Algorithm::Crc64Nvme {
            let composite = Composite::of(parts.iter().map(|(value, _)| *value))?;
            sums.push(Declared::Composite(composite));
        }
        Ok(sums)
    }

    fn complete_upload(&mut self, now: Now) {
        let sums = match self.checksums() {
            Ok(sums) => sums,
            Err(error) => return self.fail(now, error),
        };
        let (job, id) = (&self.job, self.upload_id.clone().unwrap_or_default());
        let part = |(number, part): (&u32, &StoredPart)| CompletedPart {
            part_number: *number,
            etag: part.etag.clone(),
            checksums: part.checksum.into_iter().collect(),
        };
        let parts = self.stored.iter().map(part).collect();
        let mut complete = CompleteMultipartUpload::new(&job.bucket, &job.key, id, parts);
        complete.if_match.clone_from(&job.conditions.if_match);
        complete.if_none_match.clone_from(&job.conditions.if_none_match);
        complete.customer_key = job.customer_key();
        complete.common.clone_from(&job.common);
        if job.checksum_type == Some(Type::FullObject) {
            let full = sums.iter().find(|sum| sum.checksum_type() == Type::FullObject);
            complete.checksum = full.copied();
            complete.checksum_type = full.map(Declared::checksum_type);
        }
        if job.algorithm.is_some() {
            complete.object_size = Some(self.size());
        }
        self.phase = Phase::Complete(Box::new(self.call(complete, COMPLETE)));
    }

    /// The server says that the object is there.
    fn completed(&self, etag: ETag, version_id: Option<String>, told: Vec<Declared>) -> Uploaded {
        let ours = self.checksums().unwrap_or_default();
        let checksums = if told.is_empty() { ours } else { told };
        let parts = u32::try_from(self.stored.len()).unwrap_or(u32::MAX);
        Uploaded { etag, version_id, size: self.size(), parts, checksums, recovered: false }
    }

    /// What the server has of the whole against what the parts came to.
    fn confirm(&self, told: &[Declared]) -> Result<(), Error> {
        for ours in self.checksums()? {
            let theirs = told.iter().find(|theirs| {
                theirs.algorithm() == ours.algorithm()
                    && theirs.checksum_type() == ours.checksum_type()
            });
            if let Some(theirs) = theirs.filter(|theirs| **theirs != ours) {
                return Err(Error::integrity(format!(
                    "the server has {theirs} as {} of the object that was sent as {ours}",
                    ours.algorithm()
                ))
                .in_operation("CompleteMultipartUpload"));
            }
        }
        Ok(())
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            length: self.size(),
            etag: multipart_etag(self.stored.values().map(|part| &part.etag)),
            checksums: self.checksums().unwrap_or_default(),
            length_suffices: self.job.conditions.is_empty(),
        }
    }

    /// Gives up for a reason of the caller's.
    pub(super) fn give_up(&mut self, now: Now, error: Error) {
        if !matches!(self.phase, Phase::Over | Phase::Abort(_) | Phase::Verify(_)) {
            self.fail(now, error);
        }
    }

    /// Goes under another authority, before anything was sent.
    pub(super) fn move_under(&mut self, party: usize) {
        self.job.party = party;
        if let Phase::List(_) = self.phase {
            self.phase = Phase::List(self.list(None));
        }
    }

    fn fail(&mut self, now: Now, error: Error) {
        self.failure.get_or_insert(error);
        for slot in &mut self.slots {
            match &mut slot.call {
                PartCall::Send(call) => call.cancel(now, Leave::Abort),
                PartCall::Copy(call) => call.cancel(now, Leave::Abort),
            }
        }
    }

    /// What follows when nothing is in flight any more.
    fn cleanup(&mut self) -> Phase {
        if self.job.leave == Leave::Keep { Phase::Over } else { self.abort() }
    }

    fn abort(&mut self) -> Phase {
        let Some(id) = self.upload_id.clone() else { return Phase::Over };
        self.aborts += 1;
        let mut abort = AbortMultipartUpload::new(&self.job.bucket, &self.job.key, id);
        abort.common.clone_from(&self.job.common);
        Phase::Abort(self.call(abort, ABORT + self.aborts))
    }

    /// The upload could not be removed: the error says so.
    fn left_behind(&mut self) {
        let leftover = Leftover::MultipartUpload {
            bucket: self.job.bucket.clone(),
            key: self.job.key.clone(),
            upload_id: self.upload_id.clone().unwrap_or_default(),
        };
        let error = self.failure.take().or(self.restarting.take());
        self.failure = error.map(|error| error.with_leftover(leftover));
        self.phase = Phase::Over;
    }

    /// The upload is removed.
    fn gone(&mut self) {
        self.phase = Phase::Over;
        if self.restarting.take().is_some() && self.failure.is_none() {
            self.upload_id = None;
            self.next = 1;
            self.aborts = 0;
            self.stored.clear();
            self.phase = Phase::Create(Box::new(create(&self.job, &self.service)));
        }
    }

    fn refused_completion(&mut self, now: Now, error: Error, doubtful: bool) {
        let conflict = error.code() == Some("ConditionalRequestConflict");
        let resendable = !matches!(self.from, PartsFrom::Stream);
        if doubtful {
            let mut head = HeadObject::new(&self.job.bucket, &self.job.key);
            head.checksum_mode = self.job.algorithm.is_some();
            head.customer_key = self.job.customer_key();
            head.common.clone_from(&self.job.common);
            self.phase = Phase::Check(Box::new(self.call(head, CHECK)), error);
        } else if conflict && resendable && !std::mem::replace(&mut self.restarted, true) {
            self.restarting = Some(error);
            self.phase = self.abort();
        } else {
            self.fail(now, error);
            self.phase = self.cleanup();
        }
    }
}

impl Machine for Multipart {
    type Output = Uploaded;

    fn poll(&mut self, now: Now) -> Step<Uploaded> {
        loop {
            match &mut self.phase {
                Phase::Create(call) => match nest(call.poll(now), CREATE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(created)) => {
                        self.upload_id = Some(created.upload_id);
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
                            self.phase = Phase::Parts;
                        }
                        Err(error) => {
                            self.failure.get_or_insert(error);
                            self.phase = Phase::Over;
                        }
                    },
                    ControlFlow::Continue(Err(error)) => {
                        // An upload that can't be listed is not ours to abort.
                        self.failure.get_or_insert(error);
                        self.phase = Phase::Over;
                    }
                },
                Phase::Parts => {
                    if let ControlFlow::Break(step) = self.poll_parts(now) {
                        return step;
                    }
                }
                Phase::Complete(call) => match nest(call.poll(now), COMPLETE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(done)) => {
                        self.phase = Phase::Over;
                        let Stored { etag, version_id, checksums, .. } = done.stored;
                        return Step::Done(
                            self.confirm(&checksums)
                                .map(|()| self.completed(etag, version_id, checksums)),
                        );
                    }
                    ControlFlow::Continue(Err(error)) => {
                        let doubtful = call.is_doubtful();
                        self.refused_completion(now, error, doubtful);
                    }
                },
                Phase::Check(call, refusal) => match nest(call.poll(now), CHECK) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        let refusal = refusal.clone();
                        if let Some(head) = head.ok().filter(|head| self.evidence().holds(head)) {
                            self.phase = Phase::Over;
                            let etag = head.etag.unwrap_or_default();
                            let done = self.completed(etag, head.version_id, head.checksums);
                            return Step::Done(Ok(Uploaded { recovered: true, ..done }));
                        }
                        self.fail(now, refusal);
                        self.phase = self.cleanup();
                    }
                },
                Phase::Abort(call) => match nest(call.poll(now), ABORT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(_)) => self.phase = Phase::Verify(self.list(None)),
                    ControlFlow::Continue(Err(error)) if is_gone(&error) => {
                        self.phase = Phase::Verify(self.list(None));
                    }
                    ControlFlow::Continue(Err(_)) => self.left_behind(),
                },
                Phase::Verify(call) => match nest(call.poll(now), LIST) {
                    ControlFlow::Break(step) => return step,
                    // Parts that were under way while it was aborted may have been stored after it.
                    ControlFlow::Continue(Ok(_)) if self.aborts < ABORTS => {
                        self.phase = self.abort();
                    }
                    ControlFlow::Continue(Ok(_)) => self.left_behind(),
                    // Who may not list may have aborted all the same.
                    ControlFlow::Continue(Err(_)) => self.gone(),
                },
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
        let Some(slot) = done.route() else { return };
        match &mut self.phase {
            Phase::Create(call) if slot == CREATE => call.complete(now, done),
            Phase::List(call) | Phase::Verify(call) if slot == LIST => call.complete(now, done),
            Phase::Complete(call) if slot == COMPLETE => call.complete(now, done),
            Phase::Check(call, _) if slot == CHECK => call.complete(now, done),
            Phase::Abort(call) if slot == ABORT => call.complete(now, done),
            Phase::Parts => {
                let slot = self.slots.iter_mut().find(|one| FIRST + one.number == slot);
                match slot.map(|slot| &mut slot.call) {
                    Some(PartCall::Send(call)) => call.complete(now, done),
                    Some(PartCall::Copy(call)) => call.complete(now, done),
                    None => {}
                }
            }
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, leave: Leave) {
        match &mut self.phase {
            // What was to be sent again is not.
            Phase::Abort(_) | Phase::Verify(_) if self.restarting.is_some() => {}
            // It has failed or succeeded already, and is only cleaning up.
            Phase::Abort(_) | Phase::Verify(_) | Phase::Over => return,
            Phase::Create(call) => call.cancel(now, leave),
            Phase::List(call) => call.cancel(now, leave),
            Phase::Complete(call) => call.cancel(now, leave),
            Phase::Check(call, _) => call.cancel(now, leave),
            Phase::Parts => {}
        }
        self.job.leave = leave;
        self.fail(now, Failure::cancelled().into());
    }

    fn width(&self) -> usize {
        self.job.width
    }

    fn intake(&mut self) -> Option<&mut Intake> {
        matches!(self.from, PartsFrom::Stream).then_some(&mut self.intake)
    }
}

fn create(job: &Job, service: &Arc<Service>) -> Call<CreateMultipartUpload> {
    let mut create = CreateMultipartUpload::new(&job.bucket, &job.key);
    create.properties.clone_from(&job.properties);
    create.common.clone_from(&job.common);
    create.checksum_algorithm = job.algorithm;
    create.checksum_type = job.checksum_type;
    Call::new(create, Arc::clone(service), seed(job.seed, CREATE)).under(job.party)
}

fn sent_part(stored: Stored, call: &Call<UploadPart>) -> (ETag, Vec<Value>) {
    let told = full_object(&stored.checksums);
    (stored.etag, call.stamped().iter().copied().chain(told).collect())
}

fn copied_part(copied: UploadPartCopyOutput) -> (ETag, Vec<Value>) {
    let told = full_object(&copied.stored.checksums).collect();
    (copied.stored.etag, told)
}

fn full_object(declared: &[Declared]) -> impl Iterator<Item = Value> {
    declared.iter().filter_map(|declared| match declared {
        Declared::FullObject(value) => Some(*value),
        Declared::Composite(_) => None,
    })
}

/// Whether there is no such upload any more. Some servers say 403 of an upload they do not know.
fn is_gone(error: &Error) -> bool {
    error.is_not_found() || error.code() == Some("NoSuchUpload")
}

const CREATE: u32 = 0;
const LIST: u32 = 1;
const COMPLETE: u32 = 2;
const CHECK: u32 = 3;
const ABORT: u32 = 4;
/// The slot of part n is this and n.
const FIRST: u32 = 16;

/// Aborts are repeated this often while parts are still listed.
const ABORTS: u32 = 3;

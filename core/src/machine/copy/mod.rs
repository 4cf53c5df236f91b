//! Copies of an object of any size on the server.
//!
//! ```text
//!  Head ── what is it, how large? ──┬─ up to 5 GiB ─▶ Absent ─▶ CopyObject ───────────────────────▶ over
//!                                   └─ above ─▶ Gather ─▶ Multipart of UploadPartCopy ─▶ Size ─▶ Attach ─▶ over
//!                                       tags, names of annotations                  HEAD    annotations
//! ```
//!
//! A copy that must not replace an object checks whether there is one (Absent), where the server
//! may ignore the condition. The source is pinned by the ETag in the response to HEAD, so that all
//! parts of a multipart copy come from one object.
//!
//! The directives mean the same for every size. What CopyObject copies by itself, a multipart copy
//! reads from the source:
//!
//! | | from | not copied |
//! | --- | --- | --- |
//! | metadata, content type and the like, `Expires` | the HEAD | an `Expires` that is no date |
//! | tags | GetObjectTagging, before the copy | where it is refused, and no HEAD shows that there are any |
//! | annotations | ListObjectAnnotations before, GetObjectAnnotation and PutObjectAnnotation after the copy | where the list is refused |
//!
//! What is not copied is in [`Uploaded::not_copied`], and a notice. Where the directive is set, it is
//! an error instead, before anything is written.

mod attach;
mod gather;

use std::ops::ControlFlow;
use std::sync::Arc;

use self::attach::Attach;
use self::gather::{Gather, Gathered, source_common};
use crate::checksum::RequestChecksumCalculation;
use crate::contract::{Machine, Notice, OnFailure, Operation, Step, StreamWindow};
use crate::error::{Error, ExchangeError, Leftover};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::machine::upload::multipart::{Job, Multipart, PartsFrom};
use crate::machine::upload::plan::Plan;
use crate::machine::upload::{Checkpoints, NotCopied, PartLimits, Uploaded, absent};
use crate::now::{Now, Timestamp};
use crate::s3::{
    ChecksumOptions, Conditions, CopyObject, Directive, HeadObject, ObjectHead, Properties,
    Service, UploadPartCopy,
};

/// The options of a copy on the server.
#[derive(Clone, Copy, Debug)]
pub struct ServerCopyOptions {
    /// An object of up to this many bytes is copied by one request: at most 5 GiB.
    pub threshold: u64,
    /// The size of a part of a larger object, in bytes.
    pub part_size: u64,
    /// The maximum number of parts in flight.
    pub concurrency: usize,
    /// The limits of the service.
    pub limits: PartLimits,
    /// What a failed copy leaves on the server.
    pub on_failure: OnFailure,
}

impl Default for ServerCopyOptions {
    /// Returns the defaults: one request up to 5 GiB; above that parts of 512 MiB, four in flight.
    fn default() -> Self {
        Self {
            threshold: LARGEST_COPY,
            part_size: 512 << 20,
            concurrency: 4,
            limits: PartLimits::default(),
            on_failure: OnFailure::Abort,
        }
    }
}

/// Copies one object of any size on the server.
#[derive(Debug)]
pub struct S3Copy {
    copy: CopyObject,
    options: ServerCopyOptions,
    service: Arc<Service>,
    auth: usize,
    seed: u64,
    phase: Phase,
    cancelled: bool,
    notices: Vec<Notice>,
}

#[derive(Debug)]
enum Phase {
    Head(Box<Call<HeadObject>>),
    /// Checks whether there is an object. If not, this copy of so many bytes is made.
    Absent(Box<Call<HeadObject>>, Box<CopyObject>, u64),
    Copy(Box<Call<CopyObject>>, u64),
    /// Reads what CopyObject copies by itself. Then this copy is made, of the object of this HEAD.
    Gather(Box<Gather>, Box<CopyObject>, Box<ObjectHead>),
    /// Copies the parts. Then what the third has is added to the copy of the second.
    Multipart(Box<Multipart>, Box<CopyObject>, Gathered),
    /// Compares the size of the copy with that of its source: a server that ignores the ranges of
    /// UploadPartCopy copies all of the source as each part.
    Size(Box<Call<HeadObject>>, Box<CopyObject>, Gathered, Box<Uploaded>),
    Attach(Box<Attach>),
    Over(Option<Error>),
}

impl S3Copy {
    /// Creates a copy as `copy` describes; `seed` decides the jitter of delays.
    pub fn new(
        copy: CopyObject,
        options: ServerCopyOptions,
        service: Arc<Service>,
        seed: u64,
    ) -> Self {
        let phase = Phase::Over(None);
        let (auth, cancelled, notices) = (0, false, Vec::new());
        let mut this = Self { copy, options, service, auth, seed, phase, cancelled, notices };
        this.phase = this.head();
        this
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    #[must_use]
    pub fn with_auth(mut self, auth: usize) -> Self {
        self.auth = auth;
        self.phase = self.head();
        self
    }

    fn head(&self) -> Phase {
        let source = &self.copy.source;
        let mut head = HeadObject::new(&source.bucket, &source.key);
        head.version_id.clone_from(&source.version_id);
        head.conditions.clone_from(&source.conditions);
        head.customer_key.clone_from(&source.customer_key);
        head.common = source_common(&self.copy);
        Phase::Head(Box::new(self.call(head, HEAD)))
    }

    fn call<O: Operation<Service = Service>>(&self, operation: O, slot: u32) -> Call<O> {
        Call::new(operation, Arc::clone(&self.service), seed(self.seed, slot)).with_auth(self.auth)
    }

    fn begin(&self, head: ObjectHead) -> Result<Phase, Error> {
        let Some(size) = head.size else {
            return Err(Error::invalid_response("the response to HEAD has no Content-Length")
                .in_operation("HeadObject"));
        };
        let mut copy = self.copy.clone();
        if copy.source.conditions.if_match.is_none() {
            copy.source.conditions.if_match = head.etag.clone().filter(|etag| !etag.is_empty());
        }
        if !copy.properties.tagging.0.is_empty()
            && copy.tagging_directive != Some(Directive::Replace)
        {
            return Err(Error::invalid_input(
                "the copy has tags, but `tagging_directive` is not `Replace`",
            ));
        }
        if size <= self.options.threshold.min(LARGEST_COPY) {
            let heeds = self.service.config().quirks.conditional_put;
            if absent::is_needed(&copy.conditions, heeds) {
                let look = self.call(target_of(&copy), LOOK).keeping_place();
                return Ok(Phase::Absent(Box::new(look), Box::new(copy), size));
            }
            return Ok(Phase::Copy(Box::new(self.call(copy, COPY)), size));
        }
        let service = Arc::clone(&self.service);
        let gather = Gather::new(&copy, &head, service, self.auth, seed(self.seed, GATHER));
        Ok(Phase::Gather(Box::new(gather), Box::new(copy), Box::new(head)))
    }

    /// Returns the copy, which looks before each repetition where the server may ignore its condition.
    fn guarded(&self, copy: CopyObject) -> Result<Call<CopyObject>, Error> {
        let heeds = self.service.config().quirks.conditional_put;
        let permit = absent::permit(&copy.conditions, heeds, false);
        let look = target_of(&copy).draft(&self.service)?;
        let call = self.call(copy, COPY);
        Ok(match permit {
            Some(permit) => call.guarded(look, permit),
            None => call,
        })
    }

    fn in_parts(
        &self,
        copy: Box<CopyObject>,
        head: ObjectHead,
        mut gathered: Gathered,
    ) -> Result<Phase, Error> {
        let keyed = copy.properties.encryption.customer_key.is_some();
        if keyed && !gathered.annotations.is_empty() {
            return Err(Error::invalid_input(format!(
                "the source has {} annotations, which an object with a customer-provided key can't \
                 have",
                gathered.annotations.len()
            ))
            .with_hint("set `annotation_directive` to `Exclude`"));
        }
        let limits = self.options.limits.within(&self.service.config().quirks);
        let plan = Plan::known(head.size.unwrap_or_default(), self.options.part_size, &limits)?;
        let mut properties = copy.properties.clone();
        if copy.metadata_directive != Some(Directive::Replace) {
            if head.expires.as_deref().is_some_and(|text| Timestamp::parse_http(text).is_none()) {
                gathered.not_copied.push(NotCopied::Expires);
            }
            properties = kept(properties, head);
        }
        properties.tagging = std::mem::take(&mut gathered.tags);
        let never =
            self.service.config().checksum.request_mode() == RequestChecksumCalculation::Never;
        let job = Job {
            bucket: copy.bucket.clone(),
            key: copy.key.clone(),
            properties,
            conditions: Conditions {
                if_match: copy.conditions.if_match.clone(),
                if_none_match: copy.conditions.if_none_match.clone(),
                ..Conditions::default()
            },
            common: copy.common.clone(),
            checksum: ChecksumOptions::default(),
            algorithm: copy.checksum_algorithm.filter(|_| !never),
            checksum_type: None,
            verify_etag: false,
            verify_whole_etag: false,
            concurrency: self.options.concurrency.max(1),
            memory: u64::MAX,
            on_failure: self.options.on_failure,
            auth: self.auth,
            seed: self.seed,
            checkpoints: Checkpoints::default(),
        };
        let from = PartsFrom::Object(Box::new(copy.source.clone()));
        let service = Arc::clone(&self.service);
        let inner = Multipart::new(job, from, plan, service, StreamWindow::default());
        Ok(Phase::Multipart(Box::new(inner), copy, gathered))
    }

    fn size_of(&self, copy: &CopyObject, uploaded: &Uploaded) -> Box<Call<HeadObject>> {
        let mut head = target_of(copy);
        head.version_id.clone_from(&uploaded.version_id);
        Box::new(self.call(head, SIZE))
    }

    /// Returns the next phase after the parts, the annotations, or else the result.
    fn attach(
        &self,
        copy: Box<CopyObject>,
        gathered: Gathered,
        mut uploaded: Uploaded,
    ) -> ControlFlow<Uploaded, Phase> {
        uploaded.not_copied = gathered.not_copied;
        if gathered.annotations.is_empty() {
            return ControlFlow::Break(uploaded);
        }
        let (names, service) = (gathered.annotations, Arc::clone(&self.service));
        let seed = seed(self.seed, ATTACH);
        let attach = Attach::new(copy, names, uploaded, service, self.auth, seed);
        ControlFlow::Continue(Phase::Attach(Box::new(attach)))
    }
}

/// Returns the HEAD of the object that a copy makes.
fn target_of(copy: &CopyObject) -> HeadObject {
    let mut head = HeadObject::new(&copy.bucket, &copy.key);
    head.customer_key.clone_from(&copy.properties.encryption.customer_key);
    head.common.clone_from(&copy.common);
    head
}

/// Compares the size of a copy in parts with that of its source. A HEAD that fails proves nothing.
fn confirm_size(
    copy: &CopyObject,
    uploaded: &Uploaded,
    head: Result<ObjectHead, Error>,
) -> Result<(), Error> {
    match head.ok().and_then(|head| head.size) {
        Some(size) if size != uploaded.size => {
            let what = format!(
                "the copy has {size} bytes, but its source has {}: the server may ignore \
                 `x-amz-copy-source-range`",
                uploaded.size
            );
            let (bucket, key) = (copy.bucket.clone(), copy.key.clone());
            let error = Error::integrity(what).in_operation(UploadPartCopy::NAME);
            let error = error.with_leftover(Leftover::Object { bucket, key });
            Err(uploaded.leftovers.iter().cloned().fold(error, Error::with_leftover))
        }
        _ => Ok(()),
    }
}

impl Machine for S3Copy {
    fn leftovers(&self) -> Vec<Leftover> {
        match &self.phase {
            Phase::Multipart(inner, ..) => inner.leftovers(),
            _ => Vec::new(),
        }
    }

    type Output = Uploaded;

    fn poll(&mut self, now: Now) -> Step<Uploaded> {
        loop {
            match &mut self.phase {
                Phase::Head(call) => match nest(call.poll(now), HEAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        let cancelled = || Error::from(ExchangeError::cancelled());
                        let head = if self.cancelled { Err(cancelled()) } else { head };
                        let next = head.and_then(|head| self.begin(head));
                        self.phase = next.unwrap_or_else(|error| Phase::Over(Some(error)));
                    }
                },
                Phase::Absent(call, copy, size) => match nest(call.poll(now), LOOK) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        let (copy, size) = (std::mem::take(&mut **copy), *size);
                        self.phase = match absent::looked(head) {
                            _ if self.cancelled => {
                                Phase::Over(Some(ExchangeError::cancelled().into()))
                            }
                            Ok(()) => self.guarded(copy).map_or_else(
                                |error| Phase::Over(Some(error)),
                                |call| Phase::Copy(Box::new(call), size),
                            ),
                            Err(error) => Phase::Over(Some(error)),
                        };
                    }
                },
                Phase::Copy(call, size) => match nest(call.poll(now), COPY) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(result) => {
                        let (size, recovered) = (*size, call.is_recovered());
                        self.phase = Phase::Over(None);
                        return Step::Done(result.map(|copied| Uploaded {
                            etag: copied.stored.etag,
                            version_id: copied.stored.version_id,
                            checksums: copied.stored.checksums,
                            size,
                            recovered,
                            ..Uploaded::default()
                        }));
                    }
                },
                Phase::Gather(gather, ..) => match pass(gather.poll(now)) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(gathered) => {
                        let phase = std::mem::replace(&mut self.phase, Phase::Over(None));
                        let Phase::Gather(mut gather, copy, head) = phase else { continue };
                        self.notices.extend(std::iter::from_fn(|| gather.notice()));
                        let gathered = match self.cancelled {
                            true => Err(ExchangeError::cancelled().into()),
                            false => gathered,
                        };
                        let next = gathered.and_then(|found| self.in_parts(copy, *head, found));
                        self.phase = next.unwrap_or_else(|error| Phase::Over(Some(error)));
                    }
                },
                Phase::Multipart(inner, ..) => match pass(inner.poll(now)) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(uploaded) => {
                        let phase = std::mem::replace(&mut self.phase, Phase::Over(None));
                        let Phase::Multipart(_, copy, gathered) = phase else { continue };
                        match uploaded {
                            Ok(uploaded) => {
                                let size = self.size_of(&copy, &uploaded);
                                self.phase = Phase::Size(size, copy, gathered, Box::new(uploaded));
                            }
                            Err(error) => return Step::Done(Err(error)),
                        }
                    }
                },
                Phase::Size(call, ..) => match nest(call.poll(now), SIZE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        let phase = std::mem::replace(&mut self.phase, Phase::Over(None));
                        let Phase::Size(_, copy, gathered, uploaded) = phase else { continue };
                        let sized = confirm_size(&copy, &uploaded, head);
                        match sized.map(|()| self.attach(copy, gathered, *uploaded)) {
                            Ok(ControlFlow::Continue(phase)) => self.phase = phase,
                            Ok(ControlFlow::Break(uploaded)) => return Step::Done(Ok(uploaded)),
                            Err(error) => return Step::Done(Err(error)),
                        }
                        if let (true, Phase::Attach(inner)) = (self.cancelled, &mut self.phase) {
                            inner.cancel(now, OnFailure::Abort);
                        }
                    }
                },
                Phase::Attach(inner) => match pass(inner.poll(now)) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(result) => {
                        self.phase = Phase::Over(None);
                        return Step::Done(result);
                    }
                },
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
            Phase::Gather(gather, ..) => return gather.complete(now, done),
            Phase::Multipart(inner, ..) => return inner.complete(now, done),
            Phase::Attach(inner) => return inner.complete(now, done),
            _ => {}
        }
        match (&mut self.phase, done.route()) {
            (Phase::Head(call), Some(HEAD)) => call.complete(now, done),
            (Phase::Absent(call, ..), Some(LOOK)) => call.complete(now, done),
            (Phase::Copy(call, _), Some(COPY)) => call.complete(now, done),
            (Phase::Size(call, ..), Some(SIZE)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Head(call) if !call.is_in_flight() => {
                self.phase = Phase::Over(Some(ExchangeError::cancelled().into()));
            }
            Phase::Head(call) | Phase::Absent(call, ..) => call.cancel(now, on_failure),
            Phase::Copy(call, _) => call.cancel(now, on_failure),
            Phase::Gather(gather, ..) => gather.cancel(now, on_failure),
            Phase::Multipart(inner, ..) => inner.cancel(now, on_failure),
            Phase::Size(call, ..) => call.cancel(now, on_failure),
            Phase::Attach(inner) => inner.cancel(now, on_failure),
            Phase::Over(_) => {}
        }
    }

    fn concurrency(&self) -> usize {
        match &self.phase {
            Phase::Multipart(inner, ..) => inner.concurrency(),
            _ => self.options.concurrency.max(1),
        }
    }

    fn notice(&mut self) -> Option<Notice> {
        if !self.notices.is_empty() {
            return Some(self.notices.remove(0));
        }
        match &mut self.phase {
            Phase::Gather(gather, ..) => gather.notice(),
            Phase::Multipart(inner, ..) => inner.notice(),
            _ => None,
        }
    }
}

/// Handles a step of an inner machine whose drafts get no slot: no other machine is in its phase.
fn pass<T, U>(step: Step<T>) -> ControlFlow<Step<U>, Result<T, Error>> {
    match step {
        Step::Send(draft) => ControlFlow::Break(Step::Send(draft)),
        Step::Wait(wait) => ControlFlow::Break(Step::Wait(wait)),
        Step::Done(result) => ControlFlow::Continue(result),
    }
}

/// Returns the properties that CopyObject keeps by itself.
fn kept(asked: Properties, head: ObjectHead) -> Properties {
    Properties {
        cache_control: head.cache_control,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_type: head.content_type,
        expires: head.expires.as_deref().and_then(Timestamp::parse_http),
        metadata: head.metadata,
        ..asked
    }
}

const HEAD: u32 = 0;
const COPY: u32 = 1;
const LOOK: u32 = 2;
const GATHER: u32 = 3;
const ATTACH: u32 = 4;
const SIZE: u32 = 5;

/// The maximum size of CopyObject, in bytes.
const LARGEST_COPY: u64 = 5 << 30;

//! A multipart upload whose parts the caller sends.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::upload_source;
use crate::checksum::{Declared, Type, combine};
use crate::contract::{Driven, Handle, IntoMachine, Machine, OnFailure, Start, Step};
use crate::error::{Error, Leftover};
use crate::http::{Body, Completion, Conditions, Needs};
use crate::machine::upload::UploadSource;
use crate::machine::{Call, S3AbortUpload};
use crate::now::Now;
use crate::s3::{
    AbortMultipartUpload, CompleteMultipartUpload, CompletedPart, CopySource,
    CreateMultipartUpload, CreateMultipartUploadOutput, Service, Stored, UploadPart,
    UploadPartCopy,
};

/// A multipart upload whose parts the caller sends, in any order and from several threads: the
/// handle that `client.start(CreateMultipartUpload::new("bucket", "key"))` returns.
///
/// Its methods return tasks for `client.run`. End it with [`complete`](Self::complete) or with
/// [`abort`](Self::abort). A client that drops it before that aborts the upload, in one attempt.
/// Clones are the same upload.
///
/// Use [`Upload`](super::s3::Upload) instead where one source has all the bytes.
#[derive(Clone)]
pub struct MultipartUpload(Arc<Shared>);

struct Shared {
    create: CreateMultipartUpload,
    upload_id: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The stored parts, and the size of each where it is known.
    parts: BTreeMap<u32, (CompletedPart, Option<u64>)>,
    ended: bool,
}

impl MultipartUpload {
    /// Continues with an upload that was created elsewhere, as `create` did it. Parts that were
    /// uploaded before are [added](Self::add).
    pub fn new(create: CreateMultipartUpload, upload_id: impl Into<String>) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared { create, upload_id: upload_id.into(), state }))
    }

    /// Returns the upload ID.
    pub fn upload_id(&self) -> &str {
        &self.0.upload_id
    }

    /// Returns the parts that are stored, in the order of their numbers.
    pub fn parts(&self) -> Vec<CompletedPart> {
        self.lock().parts.values().map(|(part, _)| part.clone()).collect()
    }

    /// Adds a part that was uploaded elsewhere.
    pub fn add(&self, part: CompletedPart) {
        self.lock().parts.insert(part.part_number, (part, None));
    }

    /// Uploads the bytes of the run's source as the part of this number, from 1 to 10,000. All parts
    /// but the last have at least 5 MiB. A second part of the same number replaces the first.
    pub fn part(&self, number: u32) -> Part {
        Part { upload: self.clone(), number, auth: 0 }
    }

    /// Copies an object, or a range of it with [`range`](PartCopy::range), on the server as the part
    /// of this number.
    pub fn copy_part(&self, number: u32, source: CopySource) -> PartCopy {
        let Shared { create, upload_id, .. } = &*self.0;
        let mut copy = UploadPartCopy::new(&create.bucket, &create.key, upload_id, number, source);
        copy.customer_key.clone_from(&create.properties.encryption.customer_key);
        copy.common.clone_from(&create.common);
        PartCopy { upload: self.clone(), copy, auth: 0 }
    }

    /// Makes the object of the stored parts. Where the response is lost, the server is asked whether
    /// the object was made.
    pub fn complete(&self) -> Complete {
        Complete { upload: self.clone(), conditions: Conditions::default(), auth: 0 }
    }

    /// Removes the upload and its parts, and checks that it does not exist any more.
    pub fn abort(&self) -> Abort {
        Abort { upload: self.clone(), once: false, auth: 0 }
    }

    fn completion(&self, conditions: Conditions) -> Result<CompleteMultipartUpload, Error> {
        let Shared { create, upload_id, .. } = &*self.0;
        let state = self.lock();
        if state.parts.is_empty() {
            return Err(Error::invalid_input(format!(
                "the multipart upload of {}/{} has no parts: upload one before `complete`",
                create.bucket, create.key
            )));
        }
        let parts = state.parts.values().map(|(part, _)| part.clone()).collect();
        let mut complete =
            CompleteMultipartUpload::new(&create.bucket, &create.key, upload_id, parts);
        complete.if_match = conditions.if_match;
        complete.if_none_match = conditions.if_none_match;
        complete.customer_key.clone_from(&create.properties.encryption.customer_key);
        complete.common.clone_from(&create.common);
        let Some(algorithm) = create.checksum_algorithm else { return Ok(complete) };
        complete.object_size = state.parts.values().map(|(_, size)| *size).sum();
        if create.checksum_type == Some(Type::FullObject) {
            let of = |part: &CompletedPart| {
                part.checksums.iter().find(|value| value.algorithm() == algorithm).copied()
            };
            let sums: Option<Vec<_>> =
                state.parts.values().map(|(part, size)| of(part).zip(*size)).collect();
            complete.checksum = sums.map(combine).transpose()?.map(Declared::FullObject);
            complete.checksum_type = Some(Type::FullObject);
        }
        Ok(complete)
    }

    fn removal(&self, service: &Arc<Service>, seed: u64) -> S3AbortUpload {
        let Shared { create, upload_id, .. } = &*self.0;
        let mut abort = AbortMultipartUpload::new(&create.bucket, &create.key, upload_id);
        abort.common.clone_from(&create.common);
        let key = create.properties.encryption.customer_key.clone();
        S3AbortUpload::new(abort, key, Arc::clone(service), seed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MultipartUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { create, upload_id, .. } = &*self.0;
        f.debug_struct("MultipartUpload")
            .field("bucket", &create.bucket)
            .field("key", &create.key)
            .field("upload_id", upload_id)
            .finish_non_exhaustive()
    }
}

impl Driven for CreateMultipartUpload {
    type Handle = MultipartUpload;

    fn handle(self, created: CreateMultipartUploadOutput) -> MultipartUpload {
        MultipartUpload::new(self, created.upload_id)
    }

    fn leftovers(&self) -> Vec<Leftover> {
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        vec![Leftover::MultipartUpload { bucket, key, upload_id: String::new() }]
    }
}

impl Handle<Service> for MultipartUpload {
    type Abandon = Abort;

    fn abandon(&self) -> Option<Abort> {
        let ended = self.lock().ended;
        (!ended).then(|| Abort { once: true, ..self.abort() })
    }

    fn leftovers(&self) -> Vec<Leftover> {
        let Shared { create, upload_id, .. } = &*self.0;
        if self.lock().ended {
            return Vec::new();
        }
        let (bucket, key) = (create.bucket.clone(), create.key.clone());
        vec![Leftover::MultipartUpload { bucket, key, upload_id: upload_id.clone() }]
    }
}

/// The upload of one part; see [`MultipartUpload::part`].
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct Part {
    upload: MultipartUpload,
    number: u32,
    auth: usize,
}

/// The copy of one part; see [`MultipartUpload::copy_part`].
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct PartCopy {
    upload: MultipartUpload,
    copy: UploadPartCopy,
    auth: usize,
}

/// The completion of an upload; see [`MultipartUpload::complete`].
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct Complete {
    upload: MultipartUpload,
    conditions: Conditions,
    auth: usize,
}

/// The removal of an upload; see [`MultipartUpload::abort`].
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct Abort {
    upload: MultipartUpload,
    once: bool,
    auth: usize,
}

macro_rules! with_auth {
    ($($task:ty),*) => {$(
        impl $task {
            /// Uses the authenticator at this position of the client's list. The default is the
            /// first, 0.
            pub fn with_auth(self, auth: usize) -> Self {
                Self { auth, ..self }
            }
        }
    )*};
}

with_auth!(Part, PartCopy, Complete, Abort);

impl PartCopy {
    /// Copies only these bytes of the source.
    pub fn range(mut self, range: core::ops::Range<u64>) -> Self {
        self.copy.source_range = Some(range);
        self
    }
}

impl Complete {
    /// Sets the conditions of the write.
    pub fn conditions(self, conditions: Conditions) -> Self {
        Self { conditions, ..self }
    }

    /// Replaces no object: if there is one, the error
    /// [is a failed precondition](Error::is_precondition_failed).
    pub fn if_absent(self) -> Self {
        self.conditions(Conditions::absent())
    }
}

impl IntoMachine<Service> for Part {
    type Machine = Recorded<Call<UploadPart>>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Self::Machine, Error> {
        let Self { upload, number, auth } = self;
        let (length, rewindable) = match upload_source(start.source)? {
            UploadSource::Seekable(length) => (length, true),
            UploadSource::Stream(Some(length)) => (length, false),
            UploadSource::Stream(None) => {
                return Err(Error::invalid_input(
                    "a part needs a source whose length is known: use `Upload` for a stream",
                ));
            }
        };
        let create = &upload.0.create;
        let body = Body::Source { range: 0..length, rewindable };
        let id = upload.upload_id();
        let mut part = UploadPart::from_body(&create.bucket, &create.key, id, number, body);
        part.checksum.algorithm = create.checksum_algorithm;
        part.checksum.overrides = create.overrides;
        part.customer_key.clone_from(&create.properties.encryption.customer_key);
        part.common.clone_from(&create.common);
        let call = Call::new(part, Arc::clone(start.service), start.seed).with_auth(auth);
        let algorithm = create.checksum_algorithm;
        let upload = upload.clone();
        Ok(Recorded::new(call, move |call: &Call<UploadPart>, stored: &Stored| {
            let mut part = stored.completed(number);
            let sent = call.computed().iter().filter(|sum| Some(sum.algorithm()) == algorithm);
            if part.checksums.is_empty() {
                part.checksums.extend(sent.copied());
            }
            upload.lock().parts.insert(number, (part, Some(length)));
        }))
    }
}

impl IntoMachine<Service> for PartCopy {
    type Machine = Recorded<Call<UploadPartCopy>>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Self::Machine, Error> {
        let Self { upload, copy, auth } = self;
        let number = copy.part_number;
        let size = copy.source_range.as_ref().map(|range| range.end.saturating_sub(range.start));
        let call = Call::new(copy, Arc::clone(start.service), start.seed).with_auth(auth);
        Ok(Recorded::new(
            call,
            move |_: &Call<UploadPartCopy>, copied: &crate::s3::UploadPartCopyOutput| {
                let part = copied.stored.completed(number);
                upload.lock().parts.insert(number, (part, size));
            },
        ))
    }
}

impl IntoMachine<Service> for Complete {
    type Machine = Recorded<Call<CompleteMultipartUpload>>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Self::Machine, Error> {
        let Self { upload, conditions, auth } = self;
        let complete = upload.completion(conditions)?;
        let call = Call::new(complete, Arc::clone(start.service), start.seed).with_auth(auth);
        Ok(Recorded::new(call, move |_: &Call<_>, _: &_| upload.lock().ended = true))
    }
}

impl IntoMachine<Service> for Abort {
    type Machine = Recorded<S3AbortUpload>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Self::Machine, Error> {
        let Self { upload, once, auth } = self;
        let mut abort = upload.removal(start.service, start.seed).with_auth(auth);
        if once {
            abort = abort.once();
        }
        Ok(Recorded::new(abort, move |_: &_, ()| upload.lock().ended = true))
    }
}

type Record<M> = Box<dyn FnOnce(&M, &<M as Machine>::Output) + Send>;

/// A machine whose success is recorded.
pub struct Recorded<M: Machine> {
    machine: Box<M>,
    record: Option<Record<M>>,
}

impl<M: Machine> Recorded<M> {
    fn new(machine: M, record: impl FnOnce(&M, &M::Output) + Send + 'static) -> Self {
        Self { machine: Box::new(machine), record: Some(Box::new(record)) }
    }
}

impl<M: Machine> Machine for Recorded<M> {
    type Output = M::Output;

    fn poll(&mut self, now: Now) -> Step<M::Output> {
        let step = self.machine.poll(now);
        if let Step::Done(Ok(output)) = &step
            && let Some(record) = self.record.take()
        {
            record(&self.machine, output);
        }
        step
    }

    fn complete(&mut self, now: Now, done: Completion) {
        self.machine.complete(now, done);
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.machine.cancel(now, on_failure);
    }

    fn is_long(&self) -> bool {
        self.machine.is_long()
    }

    fn needs(&self) -> Needs {
        self.machine.needs()
    }

    fn leftovers(&self) -> Vec<Leftover> {
        self.machine.leftovers()
    }
}

impl<M: Machine> fmt::Debug for Recorded<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").finish_non_exhaustive()
    }
}

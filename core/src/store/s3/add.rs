//! The upload of an image into a bucket.
//!
//! ```text
//!            ┌─ the server supports If-None-Match ───────────────────────┐
//!            │                                                           ▼
//!  Begin ────┴─▶ Look (HEAD) ─ 404, or 403 ─────────────────────────▶ Upload ──────────────▶ Over
//!                   │                                                 ▲    │  │           ▲
//!                   └─ 200: Duplicate                                 │    │  │ after a   │
//!                                                                     │    │  │ 404: Check (HEAD)
//!                       NoSuchBucket, creating is allowed ─▶ Create ──┘◀───┘  └─ wrong bytes on the
//!                                                                                server ─▶ Remove
//! ```
//!
//! Without a condition, another client may store an object with the same key while this one is
//! uploaded, and replace it. A HEAD after the upload shows that (Check), by the size, a checksum or
//! an MD5 of the other object; what proves nothing is no failure. A replacement after that HEAD is
//! not noticed.
//!
//! The bucket is created only after the upload failed with `NoSuchBucket`. Without permission to
//! list or read the bucket, HEAD is answered by 403 whether or not the object exists: the image is
//! then uploaded, because a new image has a new id. The upload machine leaves nothing behind when
//! it fails. An object with wrong bytes is removed.

use std::ops::ControlFlow;
use std::sync::Arc;

use http::StatusCode;

use crate::contract::{Machine, Needs, OnFailure, Operation as _, Proof, Step, StreamWindow};
use crate::error::{Error, ExchangeError, Kind, Leftover};
use crate::http::Completion;
use crate::machine::compose::{nest, seed};
use crate::machine::{Call, S3Upload, Uploaded};
use crate::now::Now;
use crate::s3::{CreateBucket, DeleteObject, Evidence, HeadObject, ObjectHead, Service, is_md5};

/// Uploads an image that must not exist yet.
#[derive(Debug)]
pub(super) struct Adding {
    place: Target,
    service: Arc<Service>,
    seed: u64,
    upload: Box<S3Upload>,
    phase: Phase,
    /// Whether a missing bucket is created.
    creates: bool,
    /// Whether the creation of the bucket was requested already.
    created: bool,
    /// Whether the HEAD before the upload found no object, so that one after it can be compared.
    checks: bool,
    /// Set once the upload was cancelled.
    cancelled: Option<OnFailure>,
}

/// The bucket and key of an image.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) bucket: String,
    pub(super) key: String,
}

#[derive(Debug)]
enum Phase {
    Look(Box<Call<HeadObject>>),
    Upload,
    Create(Box<Call<CreateBucket>>),
    Check(Box<Call<HeadObject>>, Box<Uploaded>),
    Remove(Box<Call<DeleteObject>>, Error),
    Over,
}

impl Adding {
    /// Runs `upload`, after a HEAD of the object if `looks`. `creates` allows creating a missing
    /// bucket.
    pub(super) fn new(
        place: Target,
        upload: S3Upload,
        service: Arc<Service>,
        looks: bool,
        creates: bool,
        seed: u64,
    ) -> Self {
        let phase = Phase::Upload;
        let upload = Box::new(upload);
        let (created, checks, cancelled) = (false, false, None);
        let mut this =
            Self { place, service, seed, upload, phase, creates, created, checks, cancelled };
        if looks {
            this.phase = Phase::Look(this.head(LOOK));
        }
        this
    }

    fn head(&self, slot: u32) -> Box<Call<HeadObject>> {
        Box::new(self.call(HeadObject::new(&self.place.bucket, &self.place.key), slot))
    }

    fn call<O>(&self, operation: O, slot: u32) -> Call<O>
    where
        O: crate::contract::Operation<Service = Service>,
    {
        Call::new(operation, Arc::clone(&self.service), seed(self.seed, slot))
    }

    /// Handles the response to the HEAD.
    fn looked(&mut self, found: Result<(), Error>) -> Result<Phase, Error> {
        match found {
            Ok(()) => Err(Error::new(Kind::Refused, "an object with this key already exists")
                .in_operation(HeadObject::NAME)
                .with_status(StatusCode::OK)),
            Err(error) if error.is_not_found() || error.status() == Some(StatusCode::FORBIDDEN) => {
                self.checks = error.is_not_found();
                Ok(Phase::Upload)
            }
            Err(error) => Err(error),
        }
    }

    /// Handles the response to the HEAD after the upload, which was successful.
    fn checked(&self, uploaded: Uploaded, found: Result<ObjectHead, Error>) -> Step<Uploaded> {
        let replaced = found.is_ok_and(|head| {
            let evidence = Evidence {
                size: Some(uploaded.size),
                etag: Some(uploaded.etag.opaque().to_owned()).filter(|etag| is_md5(etag)),
                checksums: uploaded.checksums.clone(),
                ..Evidence::default()
            };
            evidence.weigh(&head, &self.service.config().quirks) == Proof::Another
        });
        if !replaced {
            return Step::Done(Ok(uploaded));
        }
        let error = Error::new(
            Kind::Refused,
            "another client has stored an object with this key during the upload, and replaced the \
             uploaded one",
        );
        let error = error.in_operation(HeadObject::NAME).with_status(StatusCode::OK);
        Step::Done(Err(uploaded.leftovers.into_iter().fold(error, Error::with_leftover)))
    }

    /// Handles the failure of the upload.
    fn failed(&mut self, error: Error) -> Result<Phase, Error> {
        let is_stored = error.kind() == Kind::Integrity
            && matches!(error.operation(), Some("PutObject" | "CompleteMultipartUpload"));
        if is_stored {
            let delete = DeleteObject::new(&self.place.bucket, &self.place.key);
            return Ok(Phase::Remove(Box::new(self.call(delete, REMOVE)), error));
        }
        if error.code() != Some("NoSuchBucket") || self.cancelled.is_some() {
            return Err(error);
        }
        if self.creates && !std::mem::replace(&mut self.created, true) {
            let create = CreateBucket::new(&self.place.bucket);
            return Ok(Phase::Create(Box::new(self.call(create, CREATE))));
        }
        Err(match self.creates {
            true => error,
            false => error.with_hint("to create the bucket, set s3_store_create_bucket_on_put"),
        })
    }

    /// Handles the response to the creation of the bucket.
    fn made(&mut self, made: Result<(), Error>) -> Result<Phase, Error> {
        match made {
            // The bucket exists meanwhile. The upload fails if another account owns it.
            Err(error) if !error.is_conflict() => return Err(error),
            _ => {}
        }
        if self.cancelled.is_some() {
            return Err(ExchangeError::cancelled().into());
        }
        self.upload.restart();
        Ok(Phase::Upload)
    }
}

impl Machine for Adding {
    type Output = Uploaded;

    fn poll(&mut self, now: Now) -> Step<Uploaded> {
        loop {
            let next = match &mut self.phase {
                Phase::Look(call) => match nest(call.poll(now), LOOK) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(found) => self.looked(found.map(drop)),
                },
                Phase::Upload => match nest(self.upload.poll(now), UPLOAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(uploaded)) if self.checks => {
                        Ok(Phase::Check(self.head(CHECK), Box::new(uploaded)))
                    }
                    ControlFlow::Continue(Ok(uploaded)) => {
                        self.phase = Phase::Over;
                        return Step::Done(Ok(uploaded));
                    }
                    ControlFlow::Continue(Err(error)) => self.failed(error),
                },
                Phase::Check(call, uploaded) => match nest(call.poll(now), CHECK) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(found) => {
                        let uploaded = std::mem::take(&mut **uploaded);
                        self.phase = Phase::Over;
                        return self.checked(uploaded, found);
                    }
                },
                Phase::Create(call) => match nest(call.poll(now), CREATE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(made) => self.made(made.map(drop)),
                },
                Phase::Remove(call, error) => match nest(call.poll(now), REMOVE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(removed) => {
                        let Target { bucket, key } = self.place.clone();
                        let object = Leftover::Object { bucket, key };
                        Err(match removed {
                            Err(why) if !why.is_not_found() => error.clone().with_leftover(object),
                            _ => error.clone().without_leftover(&object),
                        })
                    }
                },
                Phase::Over => return Step::Wait(None),
            };
            match next {
                Ok(phase) => self.phase = phase,
                Err(error) => {
                    self.phase = Phase::Over;
                    return Step::Done(Err(error));
                }
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(LOOK), Phase::Look(call)) => call.complete(now, done),
            (Some(UPLOAD), Phase::Upload) => self.upload.complete(now, done),
            (Some(CREATE), Phase::Create(call)) => call.complete(now, done),
            (Some(CHECK), Phase::Check(call, _)) => call.complete(now, done),
            (Some(REMOVE), Phase::Remove(call, _)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = Some(on_failure);
        match &mut self.phase {
            // The upload that would follow does not start.
            Phase::Look(call) => {
                call.cancel(now, on_failure);
                self.upload.cancel(now, on_failure);
            }
            Phase::Upload => self.upload.cancel(now, on_failure),
            Phase::Create(call) => call.cancel(now, on_failure),
            // The upload has succeeded already.
            Phase::Check(call, _) => call.cancel(now, on_failure),
            // The upload has failed already; the clean-up continues.
            Phase::Remove(..) | Phase::Over => {}
        }
    }

    fn concurrency(&self) -> usize {
        self.upload.concurrency()
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        self.upload.stream_window()
    }

    fn needs(&self) -> Needs {
        self.upload.needs()
    }

    fn leftovers(&self) -> Vec<Leftover> {
        match &self.phase {
            Phase::Remove(delete, _) => {
                let (bucket, key) = (&delete.operation().bucket, &delete.operation().key);
                vec![Leftover::Object { bucket: bucket.clone(), key: key.clone() }]
            }
            Phase::Check(..) | Phase::Over => Vec::new(),
            _ => self.upload.leftovers(),
        }
    }
}

const LOOK: u32 = 0;
const UPLOAD: u32 = 1;
const CREATE: u32 = 2;
const REMOVE: u32 = 3;
const CHECK: u32 = 4;

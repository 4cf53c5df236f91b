//! The upload of an image into a container.
//!
//! ```text
//!  Look (HEAD of the container) ─ it exists, or 403 ─────────▶ Upload ─▶ Over
//!     │                                                         ▲  │
//!     └─ 404, and creating is allowed ─▶ Create ────────────────┘  │ failed, and the container
//!                                                                  ▼ was created for this image
//!                                                                Remove ─▶ Over
//! ```
//!
//! The upload machine makes sure that the image does not exist yet, by a HEAD and by
//! `If-None-Match: *`, and leaves nothing behind when it fails.

use std::ops::ControlFlow;
use std::sync::Arc;

use http::StatusCode;

use crate::contract::{Machine, Needs, OnFailure, Operation, Step, StreamWindow};
use crate::error::{Error, ExchangeError, Leftover};
use crate::http::Completion;
use crate::machine::compose::{nest, seed};
use crate::machine::{Call, SwiftUpload, SwiftUploaded};
use crate::now::Now;
use crate::swift::{DeleteContainer, HeadContainer, PutContainer, Service};

/// Uploads an image into a container, which is created if it is absent.
#[derive(Debug)]
pub(super) struct Adding {
    container: String,
    service: Arc<Service>,
    seed: u64,
    upload: Box<SwiftUpload>,
    phase: Phase,
    /// Whether a missing container is created.
    creates: bool,
    /// Whether the container is for this image alone.
    for_each: bool,
    /// Whether this machine has created the container.
    made: bool,
    cancelled: bool,
}

#[derive(Debug)]
enum Phase {
    Look(Box<Call<HeadContainer>>),
    Create(Box<Call<PutContainer>>),
    Upload,
    Remove(Box<Call<DeleteContainer>>, Error),
    Over,
}

impl Adding {
    pub(super) fn new(
        container: String,
        upload: SwiftUpload,
        service: Arc<Service>,
        creates: bool,
        for_each: bool,
        seed_of_all: u64,
    ) -> Self {
        let head = HeadContainer::new(&container);
        let look = Call::new(head, Arc::clone(&service), seed(seed_of_all, LOOK));
        Self {
            container,
            service,
            seed: seed_of_all,
            upload: Box::new(upload),
            phase: Phase::Look(Box::new(look)),
            creates,
            for_each,
            made: false,
            cancelled: false,
        }
    }

    fn call<O: Operation<Service = Service>>(&self, operation: O, slot: u32) -> Box<Call<O>> {
        Box::new(Call::new(operation, Arc::clone(&self.service), seed(self.seed, slot)))
    }

    fn looked(&self, found: Result<(), Error>) -> Result<Phase, Error> {
        match found {
            Ok(()) => self.upload(),
            // The permission to write an object does not include a HEAD of its container.
            Err(error) if error.status() == Some(StatusCode::FORBIDDEN) => self.upload(),
            Err(error) if error.is_not_found() && self.creates => {
                Ok(Phase::Create(self.call(PutContainer::new(&self.container), CREATE)))
            }
            Err(error) if error.is_not_found() => {
                Err(error
                    .with_hint("to create the container, set swift_store_create_container_on_put"))
            }
            Err(error) => Err(error),
        }
    }

    fn upload(&self) -> Result<Phase, Error> {
        if self.cancelled { Err(ExchangeError::cancelled().into()) } else { Ok(Phase::Upload) }
    }

    /// Removes the container if it was created for this image.
    fn failed(&mut self, error: Error) -> Result<Phase, Error> {
        if !(self.for_each && std::mem::replace(&mut self.made, false)) {
            return Err(error);
        }
        let remove = DeleteContainer::new(&self.container);
        Ok(Phase::Remove(self.call(remove, REMOVE), error))
    }
}

impl Machine for Adding {
    type Output = SwiftUploaded;

    fn poll(&mut self, now: Now) -> Step<SwiftUploaded> {
        loop {
            let next = match &mut self.phase {
                Phase::Look(call) => match nest(call.poll(now), LOOK) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(found) => self.looked(found.map(drop)),
                },
                Phase::Create(call) => match nest(call.poll(now), CREATE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(made) => {
                        // The HEAD did not find it: an attempt whose response was lost may have
                        // created it.
                        let doubtful = call.outcome_unknown();
                        self.made = made.as_ref().is_ok_and(|made| made.created || doubtful);
                        let next = made.and_then(|_| self.upload());
                        next.or_else(|error| self.failed(error))
                    }
                },
                Phase::Upload => match nest(self.upload.poll(now), UPLOAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(uploaded)) => {
                        self.phase = Phase::Over;
                        return Step::Done(Ok(uploaded));
                    }
                    ControlFlow::Continue(Err(error)) => self.failed(error),
                },
                Phase::Remove(call, error) => match nest(call.poll(now), REMOVE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(removed) => {
                        let container = self.container.clone();
                        Err(match removed {
                            Ok(()) => error.clone(),
                            Err(_) => {
                                error.clone().with_leftover(Leftover::Container { container })
                            }
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
            (Some(CREATE), Phase::Create(call)) => call.complete(now, done),
            (Some(UPLOAD), Phase::Upload) => self.upload.complete(now, done),
            (Some(REMOVE), Phase::Remove(call, _)) => call.complete(now, done),
            _ => {}
        }
    }

    /// Waits for a container that is being created, so that it can be removed.
    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Look(call) => call.cancel(now, on_failure),
            Phase::Create(call) => call.cancel(now, on_failure),
            Phase::Upload => self.upload.cancel(now, on_failure),
            Phase::Remove(..) | Phase::Over => {}
        }
    }

    fn concurrency(&self) -> usize {
        self.upload.concurrency()
    }

    fn is_long(&self) -> bool {
        matches!(self.phase, Phase::Upload) && self.upload.is_long()
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        self.upload.stream_window()
    }

    fn needs(&self) -> Needs {
        self.upload.needs()
    }

    fn leftovers(&self) -> Vec<Leftover> {
        if matches!(self.phase, Phase::Over) {
            return Vec::new();
        }
        let removing = matches!(self.phase, Phase::Create(_) | Phase::Remove(..));
        let made = self.for_each && (self.made || removing);
        let container = made.then(|| Leftover::Container { container: self.container.clone() });
        self.upload.leftovers().into_iter().chain(container).collect()
    }
}

const LOOK: u32 = 0;
const CREATE: u32 = 1;
const UPLOAD: u32 = 2;
const REMOVE: u32 = 3;

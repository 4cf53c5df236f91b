//! The removal of an image: the object with its segments, and the container for it alone.
//!
//! ```text
//!  Object ─ removed, or 404 ─▶ Container ─ removed, 404, or not empty ─▶ Over
//!     │ another failure
//!     └──▶ Over
//! ```
//!
//! A repeated removal, after one that failed half way, removes the container although the object
//! does not exist any more.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::contract::{Machine, OnFailure, Step};
use crate::error::{Error, Leftover};
use crate::http::Completion;
use crate::machine::compose::{nest, seed};
use crate::machine::{Call, SwiftDelete};
use crate::now::Now;
use crate::swift::{DeleteContainer, Service};

/// Removes an object, and afterwards its container.
#[derive(Debug)]
pub(super) struct Removing {
    container: String,
    service: Arc<Service>,
    seed: u64,
    phase: Phase,
    cancelled: bool,
}

#[derive(Debug)]
enum Phase {
    Object(Box<SwiftDelete>),
    /// With the result of the removal of the object.
    Container(Box<Call<DeleteContainer>>, Result<(), Error>),
    Over,
}

impl Removing {
    pub(super) fn new(
        container: String,
        object: SwiftDelete,
        service: Arc<Service>,
        seed: u64,
    ) -> Self {
        Self { container, service, seed, phase: Phase::Object(Box::new(object)), cancelled: false }
    }

    /// Handles the result of the removal of the object.
    fn removed(&self, object: Result<(), Error>) -> Result<Phase, Error> {
        match object {
            Err(error) if !error.is_not_found() => Err(error),
            object if self.cancelled => object.map(|()| Phase::Over),
            object => {
                let delete = DeleteContainer::new(&self.container);
                let service = Arc::clone(&self.service);
                let call = Call::new(delete, service, seed(self.seed, CONTAINER));
                Ok(Phase::Container(Box::new(call), object))
            }
        }
    }
}

impl Machine for Removing {
    type Output = ();

    fn poll(&mut self, now: Now) -> Step<()> {
        loop {
            let next = match &mut self.phase {
                Phase::Object(delete) => match nest(delete.poll(now), OBJECT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(object) => self.removed(object.map(drop)),
                },
                Phase::Container(call, object) => match nest(call.poll(now), CONTAINER) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(container) => match (object.clone(), container) {
                        (Ok(()), Err(error)) if !error.is_not_found() && !error.is_conflict() => {
                            let container = self.container.clone();
                            Err(error.with_leftover(Leftover::Container { container }))
                        }
                        (object, _) => object.map(|()| Phase::Over),
                    },
                },
                Phase::Over => return Step::Wait(None),
            };
            let result = match next {
                Ok(Phase::Over) => Ok(()),
                Ok(phase) => {
                    self.phase = phase;
                    continue;
                }
                Err(error) => Err(error),
            };
            self.phase = Phase::Over;
            return Step::Done(result);
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(OBJECT), Phase::Object(delete)) => delete.complete(now, done),
            (Some(CONTAINER), Phase::Container(call, _)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Object(delete) => delete.cancel(now, on_failure),
            Phase::Container(call, _) => call.cancel(now, on_failure),
            Phase::Over => {}
        }
    }

    fn concurrency(&self) -> usize {
        match &self.phase {
            Phase::Object(delete) => delete.concurrency(),
            Phase::Container(..) | Phase::Over => 1,
        }
    }

    fn is_long(&self) -> bool {
        false
    }
}

const OBJECT: u32 = 0;
const CONTAINER: u32 = 1;

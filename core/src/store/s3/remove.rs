//! The removal of an image from a bucket.
//!
//! ```text
//!  Look (HEAD) ─ 404 ─▶ not found
//!      │
//!      ├─ 200 ─▶ DELETE ─▶ removed
//!      │
//!      └─ 403 ─▶ DELETE, If-Match: * where conditions are supported ─▶ removed, or not found
//! ```
//!
//! S3 answers a DELETE of a missing object with success, so a HEAD precedes it. If the HEAD is
//! forbidden and the server does not support conditions, a missing image counts as removed.

use std::ops::ControlFlow;
use std::sync::Arc;

use http::StatusCode;

use super::add::Target;
use crate::contract::{Machine, OnFailure, Step};
use crate::error::Error;
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::now::Now;
use crate::s3::{DeleteObject, ETag, HeadObject, Service};

/// Removes an image that must exist.
#[derive(Debug)]
pub(super) struct Removing {
    place: Target,
    service: Arc<Service>,
    seed: u64,
    phase: Phase,
    cancelled: bool,
}

#[derive(Debug)]
enum Phase {
    Look(Box<Call<HeadObject>>),
    Remove(Box<Call<DeleteObject>>),
    Over,
}

impl Removing {
    pub(super) fn new(place: Target, service: Arc<Service>, seed_of_all: u64) -> Self {
        let head = HeadObject::new(&place.bucket, &place.key);
        let call = Call::new(head, Arc::clone(&service), seed(seed_of_all, LOOK));
        let phase = Phase::Look(Box::new(call));
        Self { place, service, seed: seed_of_all, phase, cancelled: false }
    }

    fn remove(&self, if_there: bool) -> Phase {
        let mut delete = DeleteObject::new(&self.place.bucket, &self.place.key);
        delete.if_match = if_there.then(|| ETag::from("*"));
        let service = Arc::clone(&self.service);
        Phase::Remove(Box::new(Call::new(delete, service, seed(self.seed, REMOVE))))
    }

    fn over(&mut self, result: Result<(), Error>) -> Step<()> {
        self.phase = Phase::Over;
        Step::Done(result)
    }
}

impl Machine for Removing {
    type Output = ();

    fn poll(&mut self, now: Now) -> Step<()> {
        loop {
            match &mut self.phase {
                Phase::Look(call) => match nest(call.poll(now), LOOK) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(_)) => self.phase = self.remove(false),
                    ControlFlow::Continue(Err(error))
                        if error.status() == Some(StatusCode::FORBIDDEN) =>
                    {
                        self.phase = self.remove(self.service.config().quirks.conditional_delete);
                    }
                    ControlFlow::Continue(Err(error)) => return self.over(Err(error)),
                },
                Phase::Remove(call) => {
                    if self.cancelled && call.attempts() == 0 {
                        call.cancel(now, OnFailure::Abort);
                    }
                    return match nest(call.poll(now), REMOVE) {
                        ControlFlow::Break(step) => step,
                        ControlFlow::Continue(Err(error))
                            if call.outcome_unknown() && is_absent(&error) =>
                        {
                            // The attempt whose response was lost has removed it.
                            self.over(Ok(()))
                        }
                        ControlFlow::Continue(result) => self.over(result.map(drop)),
                    };
                }
                Phase::Over => return Step::Wait(None),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(LOOK), Phase::Look(call)) => call.complete(now, done),
            (Some(REMOVE), Phase::Remove(call)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Look(call) => call.cancel(now, on_failure),
            Phase::Remove(call) => call.cancel(now, on_failure),
            Phase::Over => {}
        }
    }

    fn is_long(&self) -> bool {
        false
    }
}

fn is_absent(error: &Error) -> bool {
    error.is_not_found() || error.is_precondition_failed()
}

const LOOK: u32 = 0;
const REMOVE: u32 = 1;

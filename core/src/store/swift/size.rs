//! The size of an image.
//!
//! ```text
//!  HEAD ──▶ it states the size
//!    └────▶ a dynamic large object with more segments than a page of a listing, for which HEAD
//!           states 0 bytes: the sum over its listing
//! ```

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::contract::{Machine, OnFailure, Operation as _, Step};
use crate::error::Error;
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::machine::segments::Listed;
use crate::now::Now;
use crate::swift::{HeadObject, ObjectHead, Service};

/// Determines the size of an object in bytes.
#[derive(Debug)]
pub(super) struct Sizing {
    service: Arc<Service>,
    seed: u64,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Head(Box<Call<HeadObject>>),
    List(Box<Listed>),
    Over,
}

impl Sizing {
    pub(super) fn new(head: HeadObject, service: Arc<Service>, seed_of_all: u64) -> Self {
        let call = Call::new(head, Arc::clone(&service), seed(seed_of_all, HEAD));
        Self { service, seed: seed_of_all, phase: Phase::Head(Box::new(call)) }
    }

    /// Returns the size, or the listing that determines it.
    fn headed(&self, head: ObjectHead) -> Result<ControlFlow<u64, Phase>, Error> {
        match (head.size, head.dlo) {
            (Some(size), _) => Ok(ControlFlow::Break(size)),
            (None, Some(prefix)) => {
                let seed = seed(self.seed, LIST);
                let listed = Listed::new(prefix, Arc::clone(&self.service), seed);
                Ok(ControlFlow::Continue(Phase::List(Box::new(listed))))
            }
            (None, None) => {
                Err(Error::invalid_response("the response to HEAD has no Content-Length")
                    .in_operation(HeadObject::NAME))
            }
        }
    }
}

impl Machine for Sizing {
    type Output = u64;

    fn poll(&mut self, now: Now) -> Step<u64> {
        loop {
            let next = match &mut self.phase {
                Phase::Head(call) => match nest(call.poll(now), HEAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => head.and_then(|head| self.headed(head)),
                },
                Phase::List(listed) => match nest(listed.poll(now), LIST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(segments) => segments.map(|segments| {
                        let sizes = segments.iter().filter_map(|segment| segment.bytes);
                        ControlFlow::Break(sizes.fold(0, u64::saturating_add))
                    }),
                },
                Phase::Over => return Step::Wait(None),
            };
            let result = match next {
                Ok(ControlFlow::Continue(phase)) => {
                    self.phase = phase;
                    continue;
                }
                Ok(ControlFlow::Break(size)) => Ok(size),
                Err(error) => Err(error),
            };
            self.phase = Phase::Over;
            return Step::Done(result);
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(HEAD), Phase::Head(call)) => call.complete(now, done),
            (Some(LIST), Phase::List(listed)) => listed.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.phase {
            Phase::Head(call) => call.cancel(now, on_failure),
            Phase::List(listed) => listed.cancel(now, on_failure),
            Phase::Over => {}
        }
    }

    fn is_long(&self) -> bool {
        false
    }
}

const HEAD: u32 = 0;
const LIST: u32 = 1;

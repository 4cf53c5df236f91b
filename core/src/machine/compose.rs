//! Nested machines: how a machine is made of others, in this crate and outside of it.
//!
//! The outer machine gives each inner machine a slot. [`nest`] marks the drafts of an inner machine
//! with its slot, and [`Completion::route`](crate::http::Completion::route) returns the slot that a
//! completion belongs to.
//!
//! ```
//! use std::ops::ControlFlow;
//! use std::sync::Arc;
//!
//! use apus_core::contract::{Machine, OnFailure, Step};
//! use apus_core::http::Completion;
//! use apus_core::machine::Call;
//! use apus_core::machine::compose::{nest, seed};
//! use apus_core::s3::{GetObject, ObjectHead, HeadObject, Service};
//! use apus_core::{Error, Now};
//!
//! /// Reads a small object, and nothing of a large one: HEAD, and then GET.
//! struct Small {
//!     get: GetObject,
//!     service: Arc<Service>,
//!     seed: u64,
//!     phase: Phase,
//! }
//!
//! enum Phase {
//!     Head(Call<HeadObject>),
//!     Get(Call<GetObject>),
//!     Over,
//! }
//!
//! const HEAD: u32 = 0;
//! const GET: u32 = 1;
//!
//! impl Small {
//!     fn new(get: GetObject, service: Arc<Service>, outer: u64) -> Self {
//!         let head = HeadObject::new(&get.bucket, &get.key);
//!         let head = Call::new(head, Arc::clone(&service), seed(outer, HEAD));
//!         Self { get, service, seed: outer, phase: Phase::Head(head) }
//!     }
//!
//!     fn told(&mut self, head: Result<ObjectHead, Error>) -> Result<Phase, Error> {
//!         match head?.size {
//!             Some(size) if size <= 1 << 20 => {
//!                 let service = Arc::clone(&self.service);
//!                 Ok(Phase::Get(Call::new(self.get.clone(), service, seed(self.seed, GET))))
//!             }
//!             _ => Err(Error::invalid_input("the object has more than 1 MiB")),
//!         }
//!     }
//! }
//!
//! impl Machine for Small {
//!     type Output = bytes::Bytes;
//!
//!     fn poll(&mut self, now: Now) -> Step<Self::Output> {
//!         loop {
//!             let next = match &mut self.phase {
//!                 Phase::Head(call) => match nest(call.poll(now), HEAD) {
//!                     ControlFlow::Break(step) => return step,
//!                     ControlFlow::Continue(head) => self.told(head),
//!                 },
//!                 Phase::Get(call) => match nest(call.poll(now), GET) {
//!                     ControlFlow::Break(step) => return step,
//!                     ControlFlow::Continue(got) => {
//!                         self.phase = Phase::Over;
//!                         return Step::Done(got.map(|got| got.body));
//!                     }
//!                 },
//!                 Phase::Over => return Step::Wait(None),
//!             };
//!             match next {
//!                 Ok(phase) => self.phase = phase,
//!                 Err(error) => {
//!                     self.phase = Phase::Over;
//!                     return Step::Done(Err(error));
//!                 }
//!             }
//!         }
//!     }
//!
//!     fn complete(&mut self, now: Now, mut done: Completion) {
//!         match (done.route(), &mut self.phase) {
//!             (Some(HEAD), Phase::Head(call)) => call.complete(now, done),
//!             (Some(GET), Phase::Get(call)) => call.complete(now, done),
//!             _ => {} // Late or unknown: ignored.
//!         }
//!     }
//!
//!     fn cancel(&mut self, now: Now, on_failure: OnFailure) {
//!         match &mut self.phase {
//!             Phase::Head(call) => call.cancel(now, on_failure),
//!             Phase::Get(call) => call.cancel(now, on_failure),
//!             Phase::Over => {}
//!         }
//!     }
//! }
//! ```

use std::ops::ControlFlow;

use crate::contract::Step;
use crate::error::Error;

/// Handles a step of the inner machine in `slot`: returns its step, to be passed on by the outer
/// machine, or its result.
pub fn nest<T, U>(step: Step<T>, slot: u32) -> ControlFlow<Step<U>, Result<T, Error>> {
    match step {
        Step::Send(mut draft) => {
            draft.ticket = draft.ticket.nested(slot);
            ControlFlow::Break(Step::Send(draft))
        }
        Step::Wait(wait) => ControlFlow::Break(Step::Wait(wait)),
        Step::Done(result) => ControlFlow::Continue(result),
    }
}

/// Converts the output of a machine's last step.
pub fn done<T, U>(step: Step<T>, turn: impl FnOnce(T) -> U) -> Step<U> {
    match step {
        Step::Send(draft) => Step::Send(draft),
        Step::Wait(wait) => Step::Wait(wait),
        Step::Done(result) => Step::Done(result.map(turn)),
    }
}

/// Returns a seed for the inner machine in `slot`.
pub fn seed(outer: u64, slot: u32) -> u64 {
    (outer ^ u64::from(slot)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

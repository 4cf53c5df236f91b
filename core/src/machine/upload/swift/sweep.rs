//! Concurrent removal of objects: segments of a failed upload, or of an object that was replaced.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::contract::{Machine, OnFailure, Step};
use crate::error::Leftover;
use crate::http::Completion;
use crate::machine::{
    Call,
    compose::{nest, seed},
};
use crate::now::{Now, Wait};
use crate::swift::{DeleteObject, Service};

/// Removes objects and returns those that it could not remove. An object that does not exist counts
/// as removed.
///
/// After 16 failures the remaining objects are not tried: the server is probably unreachable.
#[derive(Debug)]
pub(super) struct Sweep {
    objects: VecDeque<DeleteObject>,
    with: With,
    slots: Vec<(u32, Call<DeleteObject>)>,
    next: u32,
    left: Vec<Leftover>,
    found: Vec<String>,
}

/// What all calls share.
#[derive(Clone, Debug)]
pub(super) struct With {
    pub(super) service: Arc<Service>,
    pub(super) auth: usize,
    pub(super) seed: u64,
    pub(super) concurrency: usize,
}

impl Sweep {
    pub(super) fn new(objects: impl IntoIterator<Item = DeleteObject>, with: With) -> Self {
        let objects = objects.into_iter().collect();
        Self { objects, with, slots: Vec::new(), next: FIRST, left: Vec::new(), found: Vec::new() }
    }

    /// Names these too, which it does not remove.
    pub(super) fn with_left(mut self, left: impl IntoIterator<Item = Leftover>) -> Self {
        self.left.extend(left);
        self
    }

    /// Returns the names of the objects that existed and were removed.
    pub(super) fn found(&self) -> &[String] {
        &self.found
    }

    fn launch(&mut self, object: DeleteObject) {
        let With { service, auth, seed: outer, .. } = &self.with;
        let call = Call::new(object, Arc::clone(service), seed(*outer, self.next));
        self.slots.push((self.next, call.with_auth(*auth)));
        self.next = self.next.wrapping_add(1).max(FIRST);
    }

    fn remains(&mut self, object: &DeleteObject) {
        self.left.push(leftover(object));
        if self.left.len() >= ENOUGH {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.left.extend(self.objects.drain(..).map(|object| leftover(&object)));
    }
}

impl Machine for Sweep {
    type Output = Vec<Leftover>;

    fn leftovers(&self) -> Vec<Leftover> {
        let flying = self.slots.iter().map(|(_, call)| call.operation());
        let there = flying.chain(&self.objects).map(leftover);
        self.left.iter().cloned().chain(there).collect()
    }

    fn poll(&mut self, now: Now) -> Step<Vec<Leftover>> {
        loop {
            let mut wait = None;
            let mut at = 0;
            while let Some((slot, call)) = self.slots.get_mut(at) {
                match nest(call.poll(now), *slot) {
                    ControlFlow::Break(Step::Wait(until)) => {
                        wait = Wait::earlier(wait, until);
                        at += 1;
                    }
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(result) => {
                        let (_, call) = self.slots.swap_remove(at);
                        match result {
                            Ok(_) => self.found.push(call.operation().object.clone()),
                            Err(error) if error.is_not_found() => {}
                            Err(_) => self.remains(call.operation()),
                        }
                    }
                }
            }
            if self.slots.len() >= self.with.concurrency {
                return Step::Wait(wait);
            }
            match self.objects.pop_front() {
                Some(object) => self.launch(object),
                None if self.slots.is_empty() => {
                    return Step::Done(Ok(std::mem::take(&mut self.left)));
                }
                None => return Step::Wait(wait),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        let slot = done.route();
        if let Some((_, call)) = self.slots.iter_mut().find(|(number, _)| Some(*number) == slot) {
            call.complete(now, done);
        }
    }

    /// Waits for exchanges in flight; the remaining objects stay.
    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.slots.iter_mut().for_each(|(_, call)| call.cancel(now, on_failure));
        self.give_up();
    }
}

pub(super) fn leftover(object: &DeleteObject) -> Leftover {
    Leftover::Object { bucket: object.container.clone(), key: object.object.clone() }
}

/// The slots below this are for other calls of the owner.
const FIRST: u32 = 16;

/// The number of failures after which the rest is not tried.
const ENOUGH: usize = 16;

//! What the object that is about to be replaced is made of, so that nothing of it stays behind.
//!
//! ```text
//!  Head ──┬─ no large object, or none at all ────────────────────────────────▶ nothing
//!         ├─ static ──▶ GetManifest ──────────────┐
//!         └─ dynamic ─▶ its listing ──────────────┴─▶ those made for this object
//! ```
//!
//! What can't be found out is left alone: the upload does not fail for it. And so is what a manifest
//! names without having been made for the object, for other objects may be made of it too.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::layout::belongs;
use super::sweep::With;
use crate::contract::{Leave, Machine, Operation, Step};
use crate::error::Error;
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::nest::{nest, seed};
use crate::machine::segments::Listed;
use crate::now::Now;
use crate::swift::{DeleteObject, GetManifest, HeadObject, ObjectHead, Segment, Service};

/// Finds the segments of an object.
#[derive(Debug)]
pub(super) struct Replaced {
    container: String,
    object: String,
    with: With,
    phase: Phase,
    found: Vec<DeleteObject>,
    cancelled: bool,
}

#[derive(Debug)]
enum Phase {
    Head(Box<Call<HeadObject>>),
    Manifest(Box<Call<GetManifest>>),
    List(String, Listed),
    Over,
}

impl Replaced {
    pub(super) fn new(container: &str, object: &str, with: With) -> Self {
        let head = HeadObject::new(container, object);
        let phase = Phase::Head(Box::new(call(&with, head)));
        let (container, object) = (container.to_owned(), object.to_owned());
        Self { container, object, with, phase, found: Vec::new(), cancelled: false }
    }

    /// Whether it was told to stop.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    fn seen(&self, head: Result<ObjectHead, Error>) -> Phase {
        match head {
            _ if self.cancelled => Phase::Over,
            Ok(head) if head.is_slo => {
                let manifest = GetManifest::new(&self.container, &self.object);
                Phase::Manifest(Box::new(call(&self.with, manifest)))
            }
            Ok(ObjectHead { dlo: Some(prefix), .. }) if belongs(&self.object, &prefix.prefix) => {
                let With { service, party, seed: outer, .. } = &self.with;
                let container = prefix.container.clone();
                let listed = Listed::new(prefix, Arc::clone(service), seed(*outer, LIST));
                Phase::List(container, listed.under(*party))
            }
            _ => Phase::Over,
        }
    }

    fn add(&mut self, container: &str, object: &str) {
        let itself = container == self.container && object == self.object;
        if !itself && belongs(&self.object, object) {
            self.found.push(DeleteObject::new(container, object));
        }
    }
}

impl Machine for Replaced {
    type Output = Vec<DeleteObject>;

    fn poll(&mut self, now: Now) -> Step<Vec<DeleteObject>> {
        loop {
            match &mut self.phase {
                Phase::Head(call) => match nest(call.poll(now), HEAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => self.phase = self.seen(head),
                },
                Phase::Manifest(call) => match nest(call.poll(now), MANIFEST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(manifest) => {
                        self.phase = Phase::Over;
                        for segment in
                            manifest.map(|manifest| manifest.segments).unwrap_or_default()
                        {
                            // What is large itself has segments of its own.
                            if let Segment::Object(one) = segment
                                && !one.is_slo
                            {
                                self.add(&one.container, &one.object);
                            }
                        }
                    }
                },
                Phase::List(container, listed) => match listed.poll(now) {
                    Step::Send(_) if self.cancelled => self.phase = Phase::Over,
                    Step::Send(draft) => return Step::Send(draft),
                    Step::Wait(wait) => return Step::Wait(wait),
                    Step::Done(objects) => {
                        let container = std::mem::take(container);
                        self.phase = Phase::Over;
                        for object in objects.unwrap_or_default() {
                            self.add(&container, &object.name);
                        }
                    }
                },
                Phase::Over => return Step::Done(Ok(std::mem::take(&mut self.found))),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        if let Phase::List(_, listed) = &mut self.phase {
            return listed.complete(now, done);
        }
        match (&mut self.phase, done.route()) {
            (Phase::Head(call), Some(HEAD)) => call.complete(now, done),
            (Phase::Manifest(call), Some(MANIFEST)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, leave: Leave) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Head(call) => call.cancel(now, leave),
            Phase::Manifest(call) => call.cancel(now, leave),
            Phase::List(_, listed) => listed.cancel(now, leave),
            Phase::Over => {}
        }
    }
}

fn call<O: Operation<Service = Service>>(with: &With, operation: O) -> Call<O> {
    Call::new(operation, Arc::clone(&with.service), seed(with.seed, HEAD)).under(with.party)
}

const HEAD: u32 = 0;
const MANIFEST: u32 = 1;
const LIST: u32 = 2;

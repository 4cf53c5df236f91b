//! The removal of a Swift object with its segments.
//!
//! ```text
//!         plain ──────────────────────────────────────────────────────────────┐
//!  HEAD ─┼─ static ──▶ manifests ──▶ the server removes all of it ── all ─────┼──▶ Over
//!        │                              │ it cannot, or not all               │
//!        └─ dynamic ──▶ listing ──┐     │                                     │
//!                                 ▼     ▼                                     ▼
//!                               segments, one by one or in bulk ──────────▶ manifests
//! ```
//!
//! The segments are removed first, and the manifest after all of them, because it lists them. A
//! reader of the object gets an error meanwhile. A repeated removal, after one that failed half
//! way, finds the rest. In the other order, a failure would leave segments that nothing lists, but
//! that are paid for. The server removes the manifest of a static large object in any case, so this
//! machine reads it before. Each object that the server could not remove is tried once more by
//! itself, and named in the error if that fails too.

mod many;
mod removal;
mod steps;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

pub use self::many::{SwiftDeleteMany, SwiftDeletedMany};
use self::removal::{Name, Removal};
use crate::contract::{Machine, OnFailure, Step};
use crate::error::{Error, ExchangeError};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::nest;
use crate::machine::segments::Listed;
use crate::now::Now;
use crate::swift::{DeleteSlo, GetInfo, GetManifest, HeadObject, ObjectHead, Service};

/// Removes an object and the segments of a large object. "Delete object", Object Storage API;
/// "Large objects", Swift.
///
/// An object that does not exist is an error ([`Error::is_not_found`]). A missing segment is not an
/// error. The error lists [what could not be removed](Error::leftovers): the object
/// itself, which is kept because its manifest lists the rest, and the segments that are known to be
/// left.
///
/// Objects that share segments with this one lose them.
#[derive(Debug)]
pub struct SwiftDelete {
    object: Name,
    service: Arc<Service>,
    options: SwiftDeleteOptions,
    auth: usize,
    seed: u64,
    phase: Phase,
    steps: u32,
    head: ObjectHead,
    /// The segments to remove.
    segments: BTreeSet<Name>,
    /// The manifests that are still to be read.
    unread: Vec<Name>,
    /// The manifests to remove after the segments, the last one first.
    manifests: Vec<Name>,
    /// Whether the manifest may not be read, so that its segments are not known.
    unreadable: bool,
    /// Whether some of the objects may have been removed already.
    asked_server: bool,
    /// What the server reports as not removed, although no manifest lists it; and the error.
    left: Vec<Name>,
    told: Option<Error>,
    deleted: u64,
    missing: u64,
    cancelled: bool,
}

/// The options of a [`SwiftDelete`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwiftDeleteOptions {
    /// The concurrency: how many requests are in flight at once.
    pub concurrency: usize,
    /// Whether the segments of a large object are removed too. If false, only the manifest is.
    pub segments: bool,
    /// Whether many segments are removed by one request, if the cluster supports bulk deletes.
    pub bulk: bool,
}

impl Default for SwiftDeleteOptions {
    /// With segments, a concurrency of 4, and bulk deletes if supported.
    fn default() -> Self {
        Self { concurrency: 4, segments: true, bulk: true }
    }
}

/// The result of a [`SwiftDelete`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SwiftDeleted {
    /// The metadata of the object before its removal.
    pub head: ObjectHead,
    /// How many objects were removed: segments, and the object itself.
    pub deleted: u64,
    /// How many objects did not exist any more: removed by others, or by an attempt whose response
    /// was lost.
    pub missing: u64,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Asking(Box<Call<HeadObject>>),
    /// The server removes the object with its segments.
    Whole(Box<Call<DeleteSlo>>),
    Manifest(Box<Call<GetManifest>>),
    Listing(Box<Listed>),
    Info(Box<Call<GetInfo>>),
    Segments(Box<Removal>),
    Manifests(Box<Removal>),
    Over,
}

impl SwiftDelete {
    /// Makes a removal of this object. `seed` determines the jitter of retry delays.
    pub fn new(
        container: impl Into<String>,
        object: impl Into<String>,
        service: Arc<Service>,
        options: SwiftDeleteOptions,
        seed: u64,
    ) -> Self {
        Self {
            object: Name { container: container.into(), object: object.into() },
            service,
            options,
            auth: 0,
            seed,
            phase: Phase::Begin,
            steps: 0,
            head: ObjectHead::default(),
            segments: BTreeSet::new(),
            unread: Vec::new(),
            manifests: Vec::new(),
            unreadable: false,
            asked_server: false,
            left: Vec::new(),
            told: None,
            deleted: 0,
            missing: 0,
            cancelled: false,
        }
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    #[must_use]
    pub fn with_auth(mut self, auth: usize) -> Self {
        self.auth = auth;
        self
    }

    fn over(&mut self, result: Result<(), Error>) -> Step<SwiftDeleted> {
        self.phase = Phase::Over;
        let result = match self.told.take() {
            Some(told) => result.and(Err(told)),
            None => result,
        };
        Step::Done(match result {
            Ok(()) => Ok(SwiftDeleted {
                head: std::mem::take(&mut self.head),
                deleted: self.deleted,
                missing: self.missing,
            }),
            Err(error) => Err(self.leaving(error)),
        })
    }
}

impl Machine for SwiftDelete {
    type Output = SwiftDeleted;

    fn poll(&mut self, now: Now) -> Step<SwiftDeleted> {
        loop {
            let removes = matches!(self.phase, Phase::Segments(_));
            let step = match &mut self.phase {
                Phase::Begin => {
                    self.begin();
                    Ok(())
                }
                Phase::Asking(call) => match nest(call.poll(now), HEAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => head.map(|head| self.asked(head)),
                },
                Phase::Whole(call) => match nest(call.poll(now), WHOLE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(answer) => self.whole(answer),
                },
                Phase::Manifest(call) => match nest(call.poll(now), MANIFEST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(manifest) => self.manifest(manifest),
                },
                Phase::Listing(listed) => match nest(listed.poll(now), LISTING) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(objects) => objects.map(|objects| self.listed(objects)),
                },
                Phase::Info(call) => match nest(call.poll(now), INFO) {
                    ControlFlow::Break(step) => return step,
                    // Without the limits, segments are removed one by one.
                    ControlFlow::Continue(info) => {
                        self.remove_segments(info.ok().as_ref());
                        Ok(())
                    }
                },
                Phase::Segments(removal) => match nest(removal.poll(now), SEGMENTS) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(removed) => {
                        let removed = removed.and_then(|removed| self.removed(removed));
                        removed.map(|()| self.remove_manifests())
                    }
                },
                Phase::Manifests(removal) => match nest(removal.poll(now), MANIFESTS) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(removed) => {
                        let removed = removed.and_then(|removed| self.removed(removed));
                        return self.over(removed);
                    }
                },
                Phase::Over => return Step::Wait(None),
            };
            if let Err(error) = step {
                return self.over(Err(error));
            }
            // A removal that has begun ends by itself; a cancelled machine begins none.
            if self.cancelled && !removes {
                return self.over(Err(ExchangeError::cancelled().into()));
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(HEAD), Phase::Asking(call)) => call.complete(now, done),
            (Some(WHOLE), Phase::Whole(call)) => call.complete(now, done),
            (Some(MANIFEST), Phase::Manifest(call)) => call.complete(now, done),
            (Some(LISTING), Phase::Listing(listed)) => listed.complete(now, done),
            (Some(INFO), Phase::Info(call)) => call.complete(now, done),
            (Some(SEGMENTS), Phase::Segments(removal))
            | (Some(MANIFESTS), Phase::Manifests(removal)) => removal.complete(now, done),
            _ => {}
        }
    }

    /// Sends no more requests, and waits for what is in flight.
    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Begin | Phase::Over => {}
            Phase::Asking(call) => call.cancel(now, on_failure),
            Phase::Whole(call) => call.cancel(now, on_failure),
            Phase::Manifest(call) => call.cancel(now, on_failure),
            Phase::Listing(listed) => listed.cancel(now, on_failure),
            Phase::Info(call) => call.cancel(now, on_failure),
            Phase::Segments(removal) | Phase::Manifests(removal) => removal.cancel(now, on_failure),
        }
    }

    fn concurrency(&self) -> usize {
        self.options.concurrency.max(1)
    }

    fn is_long(&self) -> bool {
        false
    }
}

/// The outermost numbers of the tickets.
const HEAD: u32 = 0;
const WHOLE: u32 = 1;
const MANIFEST: u32 = 2;
const LISTING: u32 = 3;
const INFO: u32 = 4;
const SEGMENTS: u32 = 5;
const MANIFESTS: u32 = 6;

//! An object of Swift, removed with its segments.
//!
//! ```text
//!         plain ──────────────────────────────────────────────────────────────┐
//!  HEAD ─┼─ static ──▶ manifests ──▶ the server removes all of it ── all ─────┼──▶ Over
//!        │                              │ can't, or not all                   │
//!        └─ dynamic ──▶ listing ──┐     │                                     │
//!                                 ▼     ▼                                     ▼
//!                               segments, one by one or in bulk ──────────▶ manifests
//! ```
//!
//! Segments go first, and the manifest last, once all of them are gone: it is what leads to them.
//! Whoever reads the object meanwhile gets an error; whoever repeats a deletion that failed half
//! way finds what is left. The other way round the object would be gone at once, and what a failure
//! leaves would have to be paid for by somebody who can't find it. Where the server removes a static
//! large object it takes the manifest in any case, which is why it is read before: what the server
//! could not remove is tried once more by itself, and else told by name.

mod removal;
mod steps;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use self::removal::{Name, Removal};
use crate::contract::{Leave, Machine, Step};
use crate::error::{Error, Failure};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::nest::nest;
use crate::machine::segments::Listed;
use crate::now::Now;
use crate::swift::{DeleteSlo, GetInfo, GetManifest, HeadObject, ObjectHead, Service};

/// Removes an object and, where it is a large one, its segments. "Delete object", Object Storage
/// API; "Large objects", Swift.
///
/// An object that is not there is an error that says [so](Error::is_not_found). A segment that is
/// not there is none. What could not be removed [stands in the error](Error::leftovers): the object
/// itself, which is then kept, for its manifest is what leads to the rest, and the segments that are
/// known to be left.
///
/// Beware of objects that share segments: those of the other one are gone too.
#[derive(Debug)]
pub struct SwiftDelete {
    object: Name,
    service: Arc<Service>,
    options: SwiftDeleteOptions,
    party: usize,
    seed: u64,
    phase: Phase,
    steps: u32,
    head: ObjectHead,
    /// Segments to be removed.
    segments: BTreeSet<Name>,
    /// Manifests that are still to be read.
    unread: Vec<Name>,
    /// To be removed after the segments, the last one first.
    manifests: Vec<Name>,
    /// The manifest may not be read, so that its segments are not known.
    unreadable: bool,
    /// The server may have removed some of it by itself.
    asked_server: bool,
    /// What the server says that it could not remove, and that no manifest leads to; and why.
    left: Vec<Name>,
    told: Option<Error>,
    deleted: u64,
    missing: u64,
    cancelled: bool,
}

/// How an object of Swift is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwiftDeleteOptions {
    /// How many requests are in flight at once.
    pub width: usize,
    /// Whether the segments of a large object go too. Without it, only the manifest does.
    pub segments: bool,
    /// Whether many segments are removed by one request, where the cluster can do that.
    pub bulk: bool,
}

impl Default for SwiftDeleteOptions {
    /// With its segments, four requests at once, in bulk where there is that.
    fn default() -> Self {
        Self { width: 4, segments: true, bulk: true }
    }
}

/// What a [`SwiftDelete`] comes to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SwiftDeleted {
    /// What the object was.
    pub head: ObjectHead,
    /// How many objects were removed: segments, and the object itself.
    pub deleted: u64,
    /// How many of them were not there any more: others had removed them, or an attempt whose answer
    /// was lost.
    pub missing: u64,
}

#[derive(Debug)]
enum Phase {
    Begin,
    Asking(Box<Call<HeadObject>>),
    /// The server removes all of it.
    Whole(Box<Call<DeleteSlo>>),
    Manifest(Box<Call<GetManifest>>),
    Listing(Box<Listed>),
    Info(Box<Call<GetInfo>>),
    Segments(Box<Removal>),
    Manifests(Box<Removal>),
    Over,
}

impl SwiftDelete {
    /// Removes this object; `seed` decides the jitter of the delays.
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
            party: 0,
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

    /// Goes under this one of the pump's authorities.
    #[must_use]
    pub fn under(mut self, party: usize) -> Self {
        self.party = party;
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
                    // Without it, they go one by one.
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
            if self.cancelled && !matches!(self.phase, Phase::Segments(_) | Phase::Manifests(_)) {
                return self.over(Err(Failure::cancelled().into()));
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

    /// What is in flight is waited for, and nothing more is asked for.
    fn cancel(&mut self, now: Now, leave: Leave) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Begin | Phase::Over => {}
            Phase::Asking(call) => call.cancel(now, leave),
            Phase::Whole(call) => call.cancel(now, leave),
            Phase::Manifest(call) => call.cancel(now, leave),
            Phase::Listing(listed) => listed.cancel(now, leave),
            Phase::Info(call) => call.cancel(now, leave),
            Phase::Segments(removal) | Phase::Manifests(removal) => removal.cancel(now, leave),
        }
    }

    fn width(&self) -> usize {
        self.options.width.max(1)
    }

    fn is_long(&self) -> bool {
        false
    }
}

/// The outermost numbers of tickets.
const HEAD: u32 = 0;
const WHOLE: u32 = 1;
const MANIFEST: u32 = 2;
const LISTING: u32 = 3;
const INFO: u32 = 4;
const SEGMENTS: u32 = 5;
const MANIFESTS: u32 = 6;

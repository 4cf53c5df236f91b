//! An object of Swift, removed with its segments.
//!
//! ```text
//!                plain ──────────────────────────────────────────────┐
//!  HEAD ─┬───────────────────────────────────────────────────────────┤
//!        ├─ static ──▶ the server removes all of it ── not all ──┐   │
//!        │                  │ can't                              │   │
//!        │                  ▼                                    ▼   ▼
//!        │             its manifests ──▶ segments ─────▶ Removing ──▶ manifests ──▶ Over
//!        └─ dynamic ──▶ its listing ───▶ segments ─────▶    │
//!                                                           └─ by bulk delete where /info has it,
//!                                                              else up to `width` at once
//! ```
//!
//! Segments go first, and the manifest last, once all of them are gone: it is what leads to them.
//! Whoever reads the object meanwhile gets an error; whoever repeats a deletion that failed half
//! way finds what is left. The other way round the object would be gone at once, and what a failure
//! leaves would have to be paid for by somebody who can't find it. Where the server removes a static
//! large object it takes the manifest in any case; what it could not remove is then tried once more,
//! one by one, and else told by name.

mod removal;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use self::removal::{Name, Removal, Removed};
use crate::contract::{Leave, Machine, Step};
use crate::error::{Error, Failure, Kind};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::nest::{nest, seed};
use crate::machine::segments::Listed;
use crate::now::Now;
use crate::swift::{
    DeleteSlo, Deleted, GetInfo, GetManifest, HeadObject, Info, ListedObject, Manifest, ObjectHead,
    Segment, Service,
};

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
    /// Why the server does not remove a static large object by itself.
    refusal: Option<Error>,
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
    /// How many of them were not there any more.
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
            refusal: None,
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

    fn seed(&mut self) -> u64 {
        self.steps = self.steps.wrapping_add(1);
        seed(self.seed, self.steps)
    }

    fn call<O>(&mut self, operation: O) -> Box<Call<O>>
    where
        O: crate::contract::Operation<Service = Service>,
    {
        let seed = self.seed();
        Box::new(Call::new(operation, Arc::clone(&self.service), seed).under(self.party))
    }

    fn begin(&mut self) {
        let Name { container, object } = self.object.clone();
        // An older manifest would lead to segments that belong to somebody else by now.
        let head = HeadObject { newest: true, ..HeadObject::new(container, object) };
        self.phase = Phase::Asking(self.call(head));
    }

    fn asked(&mut self, head: ObjectHead) {
        self.head = head;
        self.manifests.push(self.object.clone());
        if !self.options.segments {
            self.remove_manifests();
        } else if self.head.is_slo {
            let Name { container, object } = self.object.clone();
            self.phase = Phase::Whole(self.call(DeleteSlo::new(container, object)));
        } else if let Some(prefix) = self.head.dlo.clone() {
            let seed = self.seed();
            let listed = Listed::new(prefix, Arc::clone(&self.service), seed).under(self.party);
            self.phase = Phase::Listing(Box::new(listed));
        } else {
            self.remove_manifests();
        }
    }

    /// The server has removed a static large object, or not all of it.
    fn whole(&mut self, answer: Result<Deleted, Error>) -> Result<(), Error> {
        let report = match answer {
            Ok(report) => report,
            Err(error) if matches!(error.kind(), Kind::Refused | Kind::Broken) => {
                self.refusal = Some(error);
                self.unread.push(self.object.clone());
                self.read_manifest();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.deleted += report.deleted;
        self.missing += report.not_found;
        self.manifests.clear();
        for failed in &report.failed {
            let (container, object) = failed.names();
            let name = Name::new(container, object.unwrap_or_default());
            if name == self.object {
                self.manifests.push(name);
            } else {
                self.segments.insert(name);
            }
        }
        self.remove_segments(None);
        Ok(())
    }

    /// Reads the next manifest, or goes on to the segments.
    fn read_manifest(&mut self) {
        match self.unread.pop() {
            Some(Name { container, object }) => {
                self.phase = Phase::Manifest(self.call(GetManifest::new(container, object)));
            }
            None => self.ask_info(),
        }
    }

    fn manifest(&mut self, answer: Result<Manifest, Error>) -> Result<(), Error> {
        let segments = match answer {
            Ok(manifest) => manifest.segments,
            // One inside another that is gone, or no manifest any more.
            Err(error) if self.manifests.len() > 1 && error.failure().is_none() => Vec::new(),
            Err(error) => {
                if error.is_not_found() {
                    // The server has removed it all the same, and did not say what else.
                    self.manifests.clear();
                }
                return Err(self.refusal.take().unwrap_or(error));
            }
        };
        for segment in &segments {
            let Segment::Object(segment) = segment else { continue };
            let name = Name::new(&segment.container, &segment.object);
            if self.manifests.contains(&name) || !segment.is_slo {
                self.segments.insert(name);
            } else if self.manifests.len() < MOST_MANIFESTS {
                self.manifests.push(name.clone());
                self.unread.push(name);
            } else {
                return Err(Error::broken(format!(
                    "the object has more than {MOST_MANIFESTS} manifests inside each other"
                )));
            }
        }
        self.read_manifest();
        Ok(())
    }

    fn listed(&mut self, objects: Vec<ListedObject>) {
        let container = self.head.dlo.as_ref().map_or("", |prefix| prefix.container.as_str());
        self.segments = objects.iter().map(|object| Name::new(container, &object.name)).collect();
        self.ask_info();
    }

    /// Asks what the cluster can do, where that could save requests.
    fn ask_info(&mut self) {
        for manifest in &self.manifests {
            self.segments.remove(manifest);
        }
        if self.options.bulk && self.segments.len() > self.options.width.max(1) {
            self.phase = Phase::Info(self.call(GetInfo::default()));
        } else {
            self.remove_segments(None);
        }
    }

    fn remove_segments(&mut self, info: Option<&Info>) {
        let limits = info.and_then(|info| info.bulk_delete.as_ref());
        let bulk = limits.map(|limits| {
            let most = limits.max_deletes_per_request.unwrap_or(BATCH).min(BATCH);
            usize::try_from(most).unwrap_or(1)
        });
        let names = std::mem::take(&mut self.segments);
        let width = self.options.width;
        self.phase = Phase::Segments(self.removal(names, width, bulk));
    }

    /// Inner ones before those that lead to them.
    fn remove_manifests(&mut self) {
        let names: Vec<Name> = self.manifests.iter().rev().cloned().collect();
        self.phase = Phase::Manifests(self.removal(names, 1, None));
    }

    fn removal(
        &mut self,
        names: impl IntoIterator<Item = Name>,
        width: usize,
        bulk: Option<usize>,
    ) -> Box<Removal> {
        let seed = self.seed();
        let service = Arc::clone(&self.service);
        Box::new(Removal::new(names, service, width, bulk, seed).under(self.party))
    }

    /// Segments or manifests were removed.
    fn removed(&mut self, removed: Removed) -> Result<(), Error> {
        self.deleted += removed.deleted;
        self.missing += removed.missing;
        let Some(error) = removed.error else { return Ok(()) };
        let left = self.manifests.iter().filter(|name| !removed.left.contains(name));
        let left = left.chain(&removed.left).map(Name::leftover);
        Err(left.fold(error, Error::with_leftover))
    }

    /// What is left if it stops here: the object, wherever it led to.
    fn left(&self, error: Error) -> Error {
        if self.manifests.is_empty() || !error.leftovers().is_empty() {
            return error;
        }
        error.with_leftover(self.object.leftover())
    }

    fn over(&mut self, result: Result<(), Error>) -> Step<SwiftDeleted> {
        self.phase = Phase::Over;
        Step::Done(match result {
            Ok(()) => Ok(SwiftDeleted {
                head: std::mem::take(&mut self.head),
                deleted: self.deleted,
                missing: self.missing,
            }),
            Err(error) => Err(self.left(error)),
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
}

/// The outermost numbers of tickets.
const HEAD: u32 = 0;
const WHOLE: u32 = 1;
const MANIFEST: u32 = 2;
const LISTING: u32 = 3;
const INFO: u32 = 4;
const SEGMENTS: u32 = 5;
const MANIFESTS: u32 = 6;
/// Objects of one bulk delete, which Swift removes two at a time.
const BATCH: u64 = 1000;
/// Manifests of one object, in each other.
const MOST_MANIFESTS: usize = 1000;

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

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use http::StatusCode;

use self::removal::{Name, Removal, Removed};
use crate::contract::{Leave, Machine, Operation, Step};
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
    /// Why the manifest could not be read.
    unreadable: Option<Error>,
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
            unreadable: None,
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

    fn seed(&mut self) -> u64 {
        self.steps = self.steps.wrapping_add(1);
        seed(self.seed, self.steps)
    }

    fn call<O>(&mut self, operation: O) -> Box<Call<O>>
    where
        O: Operation<Service = Service>,
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
            self.unread.push(self.object.clone());
            self.read_manifest();
        } else if let Some(prefix) = self.head.dlo.clone() {
            let seed = self.seed();
            let listed = Listed::new(prefix, Arc::clone(&self.service), seed).under(self.party);
            self.phase = Phase::Listing(Box::new(listed));
        } else {
            self.remove_manifests();
        }
    }

    /// Reads the next manifest, or goes on.
    fn read_manifest(&mut self) {
        match self.unread.pop() {
            Some(Name { container, object }) => {
                self.phase = Phase::Manifest(self.call(GetManifest::new(container, object)));
            }
            None => self.ask_server(),
        }
    }

    fn manifest(&mut self, answer: Result<Manifest, Error>) -> Result<(), Error> {
        let segments = match answer {
            Ok(manifest) => manifest.segments,
            Err(error) if matches!(error.kind(), Kind::Wire | Kind::Authority) => {
                return Err(error);
            }
            // One inside another that is gone, or no manifest any more.
            Err(_) if self.manifests.len() > 1 => Vec::new(),
            Err(error) if error.is_not_found() => {
                self.manifests.clear();
                return Err(error);
            }
            // Not everybody who may delete may read.
            Err(error) => {
                self.unreadable = Some(error);
                Vec::new()
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

    /// Has the server remove all of it.
    fn ask_server(&mut self) {
        let Name { container, object } = self.object.clone();
        self.asked_server = true;
        self.phase = Phase::Whole(self.call(DeleteSlo::new(container, object)));
    }

    /// It has, or not all of it.
    fn whole(&mut self, answer: Result<Deleted, Error>) -> Result<(), Error> {
        let report = match answer {
            Ok(report) => report,
            Err(error) if matches!(error.kind(), Kind::Refused | Kind::Broken) => {
                if self.unreadable.is_some() {
                    return Err(error);
                }
                self.ask_info();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut failed = BTreeSet::new();
        for one in report.failed {
            let (container, object) = one.names();
            let name = Name::new(container, object.unwrap_or_default());
            if self.manifests.contains(&name) || self.segments.contains(&name) {
                failed.insert(name);
            } else {
                // Not to be touched on the word of a report alone.
                let status = one.status().unwrap_or(StatusCode::BAD_REQUEST);
                let error = Error::refused(status, None, Some(one.why));
                self.told.get_or_insert(error.in_operation(DeleteSlo::NAME));
                self.left.push(name);
            }
        }
        let told = report.deleted.saturating_add(report.not_found);
        let told = told.saturating_add((failed.len() + self.left.len()) as u64);
        if told < (self.segments.len() + self.manifests.len()) as u64 {
            // An earlier attempt, whose answer was lost, may have left any of them.
            self.ask_info();
            return Ok(());
        }
        self.deleted += report.deleted;
        self.missing += report.not_found;
        self.segments.retain(|name| failed.contains(name));
        self.manifests.retain(|name| failed.contains(name));
        self.remove_segments(None);
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
        self.manifests.retain(|name| !removed.left.contains(name));
        self.segments = removed.left.into_iter().collect();
        self.asked_server = true;
        Err(error)
    }

    /// With what is left if it stops here: the manifests, and what they may not lead to any more.
    fn leaving(&mut self, error: Error) -> Error {
        let mut left = std::mem::take(&mut self.manifests);
        if self.asked_server {
            left.extend(std::mem::take(&mut self.segments));
        }
        left.append(&mut self.left);
        left.iter().map(Name::leftover).fold(error, Error::with_leftover)
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

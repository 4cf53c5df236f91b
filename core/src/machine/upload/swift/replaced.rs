//! The existing object under the name of an upload: whether there is one, and which segments it
//! has, so that none of them is left behind.
//!
//! ```text
//!  Head ──┬─ no large object, or no object ───────────────────────────────────▶ no segments
//!         ├─ static ──▶ GetManifest ────────────────┐
//!         │                 └─ empty ────▶ Search ──┼─▶ those made for this object
//!         └─ dynamic ─▶ its listing ────────────────┘
//! ```
//!
//! What cannot be determined is left alone, and the upload does not fail: its result names where
//! segments may be left. Segments that a manifest names but that were not made for the object are
//! also left alone, because other objects may consist of them too.
//!
//! Ceph does not show its manifests. Of the segments under the object's name, those belong to the
//! object whose ETags and sizes together match the object's.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::job::Job;
use super::layout::{all_of, belongs};
use super::sweep::{Sweep, With, leftover};
use crate::contract::{Machine, OnFailure, Operation, Proof, Step};
use crate::error::{Error, Leftover};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::machine::segments::Listed;
use crate::now::Now;
use crate::swift::{
    DeleteObject, Evidence, GetManifest, HeadObject, ListedObject, ObjectHead, ObjectSegment,
    Prefix, Segment, Service,
};

/// Looks at an object that is about to be replaced, or that must not exist.
#[derive(Debug)]
pub(super) struct Replaced {
    container: String,
    object: String,
    /// The prefix of its segments, if the manifest is not shown.
    own: Prefix,
    /// The prefix of the new upload's segments.
    ours: Option<Prefix>,
    /// Whether its segments are looked for.
    with_segments: bool,
    with: With,
    phase: Phase,
    found: Found,
    cancelled: bool,
}

/// The result.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The head of the object, if it exists.
    pub(super) head: Option<ObjectHead>,
    /// Why it is unknown whether it exists: the look failed.
    pub(super) unknown: Option<Error>,
    /// Its segments.
    pub(super) segments: OldSegments,
}

/// The segments of the object that is replaced.
#[derive(Debug, Default)]
pub(super) struct OldSegments {
    known: Vec<DeleteObject>,
    /// Where segments may be that a failed look did not show.
    unseen: Option<Leftover>,
}

impl OldSegments {
    /// Removes those that are known. The result names the others.
    pub(super) fn remove(self, with: With) -> Sweep {
        Sweep::new(self.known, with).with_left(self.unseen)
    }

    /// Names where they are, if it is unknown whether the object was replaced.
    pub(super) fn perhaps(self) -> Option<Leftover> {
        // Their names end with a number, after `/` or, as other clients name them, after `-`.
        let first = self.known.first().map(|one| {
            let end = one.object.rfind(['/', '-']).map_or(one.object.len(), |at| at + 1);
            perhaps(&one.container, one.object.get(..end).unwrap_or_default())
        });
        first.or(self.unseen)
    }

    /// Names all of them.
    pub(super) fn leftovers(self) -> Vec<Leftover> {
        self.known.iter().map(leftover).chain(self.unseen).collect()
    }
}

impl Found {
    /// Returns why an upload that must replace nothing does not go on. `sent` says whether its
    /// manifest may have been applied already.
    pub(super) fn obstacle(&self, sent: bool) -> Option<Error> {
        match (&self.head, &self.unknown) {
            (Some(_), _) => Some(Job::exists()),
            // A client without read permission is refused; the server's own check decides then. It
            // decides nothing where another client has replaced what was applied, and the server
            // ignores conditions.
            (None, Some(error)) if !sent && error.is_lasting_refusal() => None,
            (None, unknown) => unknown.clone(),
        }
    }
}

#[derive(Debug)]
enum Phase {
    Head(Box<Call<HeadObject>>),
    Manifest(Box<Call<GetManifest>>),
    List(Prefix, Listed),
    Search(Listed),
    Over,
}

impl Replaced {
    /// Looks at the object that this upload replaces; `ours` is the prefix of the upload's own
    /// segments.
    pub(super) fn new(job: &Job, ours: Option<Prefix>) -> Self {
        let with = job.with();
        let head = call(&with, job.head());
        let head = if job.options.if_absent { head.keeping_place() } else { head };
        let phase = Phase::Head(Box::new(head));
        Self {
            container: job.container.clone(),
            object: job.object.clone(),
            own: Prefix::new(job.segments_in(), all_of(&job.object)),
            ours,
            with_segments: job.options.remove_replaced && !job.options.if_absent,
            with,
            phase,
            found: Found::default(),
            cancelled: false,
        }
    }

    /// Returns whether it was cancelled.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    fn seen(&mut self, head: Result<ObjectHead, Error>) -> Phase {
        match head {
            Ok(head) => self.found.head = Some(head),
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                self.unseen(&self.own.clone());
                self.found.unknown = Some(error);
            }
        }
        match &self.found.head {
            Some(_) if self.cancelled || !self.with_segments => Phase::Over,
            Some(head) if head.is_slo => {
                let manifest = GetManifest::new(&self.container, &self.object);
                Phase::Manifest(Box::new(call(&self.with, manifest)))
            }
            Some(ObjectHead { dlo: Some(prefix), .. }) if belongs(&self.object, &prefix.prefix) => {
                Phase::List(prefix.clone(), self.list(prefix.clone()))
            }
            _ => Phase::Over,
        }
    }

    /// Records that segments may be under this prefix, and that they could not be looked for.
    fn unseen(&mut self, prefix: &Prefix) {
        if self.with_segments {
            self.found.segments.unseen = Some(perhaps(&prefix.container, &prefix.prefix));
        }
    }

    fn list(&self, prefix: Prefix) -> Listed {
        let With { service, auth, seed: outer, .. } = &self.with;
        Listed::new(prefix, Arc::clone(service), seed(*outer, LIST)).with_auth(*auth)
    }

    /// Records the segments that the manifest names.
    fn told(&mut self, segments: Vec<Segment>) -> Phase {
        let is_empty = self.found.head.as_ref().is_none_or(|head| head.size == Some(0));
        if segments.is_empty() && !is_empty && !self.cancelled {
            return Phase::Search(self.list(self.own.clone()));
        }
        for segment in segments {
            // A segment that is itself a large object has its own segments.
            if let Segment::Object(one) = segment
                && !one.is_slo
            {
                self.add(&one.container, &one.object);
            }
        }
        Phase::Over
    }

    /// Records the one upload whose segments match the object.
    fn searched(&mut self, objects: Vec<ListedObject>) {
        let mut uploads: BTreeMap<String, Vec<Segment>> = BTreeMap::new();
        for object in objects {
            if self.is_ours(&self.own.container, &object.name) {
                continue;
            }
            let upload = object.name.rsplit_once('/').map(|(upload, _)| upload.to_owned());
            let facts = upload.zip(object.hash).zip(object.bytes);
            let Some(((upload, hash), bytes)) = facts else { continue };
            let one = ObjectSegment::stored(&self.own.container, object.name, hash, bytes);
            uploads.entry(upload).or_default().push(Segment::Object(one));
        }
        let Some(head) = &self.found.head else { return };
        uploads.retain(|_, segments| Evidence::of_slo(&*segments).weigh(head) == Proof::Ours);
        match uploads.len() {
            0 => {}
            1 => {
                self.found.segments.unseen = None;
                let segments = uploads.into_values().flatten().collect();
                self.told(segments);
            }
            // Two uploads of the same content are indistinguishable.
            _ => self.unseen(&self.own.clone()),
        }
    }

    /// Returns whether it is a segment of the new upload: a listed prefix may contain those too.
    fn is_ours(&self, container: &str, object: &str) -> bool {
        let ours = self.ours.as_ref();
        ours.is_some_and(|ours| container == ours.container && object.starts_with(&ours.prefix))
    }

    fn add(&mut self, container: &str, object: &str) {
        let itself = container == self.container && object == self.object;
        if !itself && !self.is_ours(container, object) && belongs(&self.object, object) {
            self.found.segments.known.push(DeleteObject::new(container, object));
        }
    }
}

impl Machine for Replaced {
    type Output = Found;

    fn poll(&mut self, now: Now) -> Step<Found> {
        loop {
            match &mut self.phase {
                Phase::Head(call) => match nest(call.poll(now), HEAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => self.phase = self.seen(head),
                },
                Phase::Manifest(call) => match nest(call.poll(now), MANIFEST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(manifest) => {
                        self.phase = match manifest {
                            Ok(manifest) => self.told(manifest.segments),
                            Err(error) if error.is_not_found() => Phase::Over,
                            // A search may still find them.
                            Err(_) => {
                                self.unseen(&self.own.clone());
                                self.told(Vec::new())
                            }
                        };
                    }
                },
                Phase::List(_, listed) | Phase::Search(listed) => match listed.poll(now) {
                    Step::Send(draft) => return Step::Send(draft),
                    Step::Wait(wait) => return Step::Wait(wait),
                    Step::Done(objects) => {
                        match (objects, std::mem::replace(&mut self.phase, Phase::Over)) {
                            (Ok(objects), Phase::List(prefix, _)) => {
                                objects
                                    .iter()
                                    .for_each(|one| self.add(&prefix.container, &one.name));
                            }
                            (Ok(objects), _) => self.searched(objects),
                            (Err(error), _) if error.is_not_found() => {}
                            (Err(_), Phase::List(prefix, _)) => self.unseen(&prefix),
                            (Err(_), _) => self.unseen(&self.own.clone()),
                        }
                    }
                },
                Phase::Over => return Step::Done(Ok(std::mem::take(&mut self.found))),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        if let Phase::List(_, listed) | Phase::Search(listed) = &mut self.phase {
            return listed.complete(now, done);
        }
        match (&mut self.phase, done.route()) {
            (Phase::Head(call), Some(HEAD)) => call.complete(now, done),
            (Phase::Manifest(call), Some(MANIFEST)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Head(call) => call.cancel(now, on_failure),
            Phase::Manifest(call) => call.cancel(now, on_failure),
            Phase::List(_, listed) | Phase::Search(listed) => listed.cancel(now, on_failure),
            Phase::Over => {}
        }
    }
}

fn perhaps(container: &str, prefix: &str) -> Leftover {
    let look_at = format!(
        "segments of the replaced object in container {container}, under the prefix {prefix}"
    );
    Leftover::Perhaps { look_at }
}

fn call<O: Operation<Service = Service>>(with: &With, operation: O) -> Call<O> {
    Call::new(operation, Arc::clone(&with.service), seed(with.seed, HEAD)).with_auth(with.auth)
}

const HEAD: u32 = 0;
const MANIFEST: u32 = 1;
const LIST: u32 = 2;

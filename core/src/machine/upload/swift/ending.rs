//! How a large object ends: made, or removed, or with its leftovers in the error.

use std::collections::BTreeMap;

use super::earlier::{self, Earlier, Verdict};
use super::job::Job;
use super::large_object::LargeObject;
use super::manifest::Manifest;
use super::options::SwiftUploaded;
use super::replaced::{Found, Replaced};
use super::segmented::{MANIFEST, Phase, Segmented};
use super::settle::Settle;
use super::sweep::Sweep;
use crate::contract::OnFailure;
use crate::error::{Error, Kind, Leftover};
use crate::http::ETag;
use crate::machine::upload::checkpoint::Entry;
use crate::machine::upload::flight::{StoredPart, WATCHES};
use crate::now::{Now, Wait, WaitReason};
use crate::swift::{DeleteObject, Expiry, ObjectSegment, Properties, PutDlo, PutSlo, Segment};

impl Segmented {
    /// Looks at the existing object after all segments are stored.
    pub(super) fn look(&self) -> Phase {
        if self.job.looks_first() {
            Phase::Replaced(Box::new(Replaced::new(&self.job, Some(self.layout.all()))))
        } else {
            self.manifest()
        }
    }

    /// Goes on, unless there is an object that must not be replaced. A process before this one may
    /// have made it of these segments, which the clean-up finds out.
    pub(super) fn seen(&mut self, now: Now, found: Found) {
        let obstacle = found.obstacle(self.manifest_sent);
        if let Some(error) = obstacle.filter(|_| self.job.options.if_absent)
            && self.failure.is_none()
        {
            self.fail(now, error);
        }
        self.replaced = found.segments;
        self.go(self.manifest());
    }

    fn manifest(&self) -> Phase {
        let job = &self.job;
        let (container, object) = (&job.container, &job.object);
        let expiry = self.delete_at.map(Expiry::At);
        let properties = Properties { expiry, ..job.options.properties.clone() };
        let manifest = match self.large_object {
            LargeObject::Static => {
                let mut put = PutSlo::new(container, object, self.segments());
                put.properties = properties;
                put.if_absent = job.options.if_absent;
                put.heartbeat = self.heartbeat;
                Manifest::Static(job.guarded(job.call(put, MANIFEST).persisting()))
            }
            LargeObject::Dynamic => {
                let mut put = PutDlo::new(container, object, self.layout.all());
                put.properties = properties;
                put.if_absent = job.options.if_absent;
                Manifest::Dynamic(job.guarded(job.call(put, MANIFEST).persisting()))
            }
        };
        Phase::Manifest(Box::new(manifest))
    }

    /// Returns the entries of the manifest.
    fn segments(&self) -> Vec<Segment> {
        let stored = self.flight.stored.iter();
        stored
            .map(|(number, part)| {
                let (container, name) = (&self.layout.container, self.layout.name(*number));
                let mut one = ObjectSegment::stored(container, name, part.etag.clone(), part.size);
                // The server compares only what the manifest contains.
                one.etag = one.etag.filter(|etag| !etag.is_empty());
                Segment::Object(one)
            })
            .collect()
    }

    /// Handles the confirmed manifest. A dynamic large object must still become complete.
    pub(super) fn made(&mut self, etag: ETag, recovered: bool) {
        match self.large_object {
            LargeObject::Static => self.whole(etag, recovered),
            LargeObject::Dynamic => {
                let mut settle = Settle::new(
                    self.job.head(),
                    self.layout.all(),
                    self.segments(),
                    self.flight.size(),
                    self.job.options.listing_lag,
                    self.job.with(),
                );
                // A cancellation after the manifest has no effect, if the object is complete.
                if self.failure.is_some() {
                    settle = settle.at_once();
                }
                self.phase = Phase::Settle(Box::new(settle), recovered);
            }
        }
    }

    /// Handles an object that is not complete as far as was seen. It may become so, and must keep
    /// its segments; the object that it replaced is lost in any case.
    pub(super) fn unsettled(&mut self, now: Now, error: Error) {
        if self.made_before {
            // It may still become complete.
            return self.untold();
        }
        if self.failure.is_some() {
            self.spoilt = self.job.options.on_failure == OnFailure::Abort;
            self.phase = self.cleanup();
            return;
        }
        self.spoilt = true;
        self.fail(now, error);
        self.name_all();
        let replaced = std::mem::take(&mut self.replaced);
        self.leave(replaced.leftovers());
    }

    /// Handles an object that is complete.
    pub(super) fn whole(&mut self, etag: ETag, recovered: bool) {
        // A cancellation after the manifest has no effect.
        self.failure = None;
        self.job.checkpoints.end();
        let segments = u32::try_from(self.flight.stored.len()).unwrap_or(u32::MAX);
        let done = SwiftUploaded {
            etag,
            size: self.flight.size(),
            segments,
            large_object: Some(self.large_object),
            prefix: Some(self.layout.all()),
            recovered,
            ..SwiftUploaded::default()
        };
        let replaced = std::mem::take(&mut self.replaced);
        self.phase = Phase::Remove(replaced.remove(self.job.with()), Some(Box::new(done)));
    }

    /// Handles a manifest that was refused, or whose response was lost.
    pub(super) fn refused(&mut self, now: Now, error: Error) {
        // The server stored the object with another ETag, unless it refused the request for that
        // reason.
        self.spoilt = error.kind() == Kind::Integrity && error.status().is_none();
        let unknown = error.outcome_unknown();
        self.fail(now, error);
        if unknown && !self.spoilt {
            // The manifest may exist, and then its segments must stay, and those of the object that
            // it replaced belong to nothing.
            self.name_all();
            let replaced = std::mem::take(&mut self.replaced);
            self.leave(replaced.perhaps().into_iter().collect());
        } else {
            if self.spoilt {
                let replaced = std::mem::take(&mut self.replaced);
                self.leave(replaced.leftovers());
            }
            let before = self.manifest_sent;
            self.job.checkpoints.note(Entry::Manifest(before), |checkpoint| {
                checkpoint.manifest_sent = before;
            });
            self.phase = self.cleanup();
        }
    }

    /// Looks at what the process before this one has made.
    fn earlier(&self) -> Earlier {
        let known = self.known.iter().map(|(number, one)| {
            let (etag, size) = (one.etag.clone(), one.size);
            (*number, StoredPart { etag, size, checksum: None })
        });
        let mut segments: BTreeMap<u32, StoredPart> = known.collect();
        segments.extend(self.flight.stored.clone());
        let length = self.flight.plan.length();
        Earlier::new(&self.job, self.large_object, &self.layout, segments, length)
    }

    /// Handles what it has made.
    pub(super) fn weighed(&mut self, verdict: Verdict) {
        match verdict {
            // A source of other bytes has replaced segments, or is not what the object was made of.
            Verdict::Ours(etag, segments)
                if earlier::is_whole(&segments, self.flight.plan.length())
                    && !self.failure.as_ref().is_some_and(is_of_the_bytes)
                    && self.flight.stored.iter().all(|(number, part)| {
                        segments.get(number).is_some_and(|one| earlier::is_alike(one, part))
                    }) =>
            {
                self.flight.stored = segments;
                self.made_before = self.large_object == LargeObject::Dynamic;
                self.made(etag, true);
            }
            Verdict::Another if !self.manifest_sent && self.unlisted => match self.keeps() {
                true => self.phase = Phase::Over,
                false => self.name_all(),
            },
            Verdict::Another if !self.manifest_sent => self.phase = self.remove(),
            _ => self.untold(),
        }
    }

    /// Ends the upload where the object may be made of its segments: they stay.
    fn untold(&mut self) {
        let Job { container, object, .. } = &self.job;
        let look_at = format!("the object {container}/{object}");
        self.failure = self.failure.take().map(|error| error.with_outcome_unknown(look_at));
        match self.keeps() {
            true => self.phase = Phase::Over,
            false => self.name_all(),
        }
    }

    fn keeps(&self) -> bool {
        self.job.options.on_failure == OnFailure::Keep
    }

    pub(super) fn fail(&mut self, now: Now, error: Error) {
        Error::keep_first(&mut self.failure, error);
        self.flight.stop(now);
    }

    /// Returns the next phase when nothing is in flight any more.
    pub(super) fn cleanup(&mut self) -> Phase {
        if self.resumes && !self.spoilt && !std::mem::replace(&mut self.judged, true) {
            return Phase::Earlier(Box::new(self.earlier()));
        }
        self.remove()
    }

    /// Returns the phase that removes what was sent.
    fn remove(&self) -> Phase {
        if self.job.options.on_failure == OnFailure::Keep && !self.spoilt {
            return Phase::Over;
        }
        Phase::Remove(Sweep::new(self.sent(), self.job.with()), None)
    }

    /// Returns the manifest, if it exists and is wrong, and all segments.
    fn sent(&self) -> Vec<DeleteObject> {
        let manifest =
            self.spoilt.then(|| DeleteObject::new(&self.job.container, &self.job.object));
        let segment = |number| DeleteObject::new(&self.layout.container, self.layout.name(number));
        manifest.into_iter().chain(self.numbers().into_iter().map(segment)).collect()
    }

    /// Names everything that was sent as leftovers, and removes nothing.
    pub(super) fn name_all(&mut self) {
        self.leave(self.everything());
        self.phase = Phase::Over;
    }

    /// Returns everything that was sent, as leftovers.
    pub(super) fn everything(&self) -> Vec<Leftover> {
        let sent = self.sent().into_iter();
        sent.map(|one| Leftover::Object { bucket: one.container, key: one.object }).collect()
    }

    fn leave(&mut self, left: Vec<Leftover>) {
        let failure = self.failure.take();
        self.failure = failure.map(|failure| left.into_iter().fold(failure, Error::with_leftover));
    }

    /// Handles the end of the removal; `left` could not be removed.
    pub(super) fn removed(&mut self, now: Now, left: Vec<Leftover>) -> Option<SwiftUploaded> {
        self.job.checkpoints.end();
        let Phase::Remove(sweep, done) = std::mem::replace(&mut self.phase, Phase::Over) else {
            return None;
        };
        if done.is_none() {
            self.leave(left);
            self.watch(now, sweep.found());
            return None;
        }
        done.map(|done| SwiftUploaded { leftovers: left, ..*done })
    }

    /// Waits for segments whose attempts had no response: the server may store them after it was
    /// asked to remove them. `found` were removed. They are removed again, twice.
    fn watch(&mut self, now: Now, found: &[String]) {
        for number in found.iter().filter_map(|name| self.layout.number(name)) {
            // A stored segment is that of another attempt.
            if self.watches > 0 || !self.flight.stored.contains_key(&number) {
                self.flight.came(number);
            }
        }
        if self.flight.late() == 0 {
            return;
        }
        if let Some(delay) = WATCHES.get(self.watches) {
            self.watches += 1;
            let reason = WaitReason::Pacing;
            self.phase = Phase::Watch(Wait { until: now.tick + *delay, reason });
        }
    }

    /// Removes the segments again that may have been stored meanwhile.
    pub(super) fn remove_late(&self) -> Phase {
        Phase::Remove(Sweep::new(self.late(), self.job.with()), None)
    }

    /// Returns the segments that the server may still store.
    pub(super) fn late(&self) -> Vec<DeleteObject> {
        let segment = |number| DeleteObject::new(&self.layout.container, self.layout.name(number));
        self.flight.late_numbers().map(segment).collect()
    }
}

/// Returns whether the error says that the source or a segment has other bytes.
fn is_of_the_bytes(error: &Error) -> bool {
    matches!(error.kind(), Kind::Integrity | Kind::InvalidInput)
}

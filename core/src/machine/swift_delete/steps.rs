//! The step after each response.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::StatusCode;

use super::removal::{Name, Removal, Removed};
use super::{Phase, SwiftDelete};
use crate::contract::Operation;
use crate::error::{Error, Kind};
use crate::machine::Call;
use crate::machine::compose::seed;
use crate::machine::segments::Listed;
use crate::swift::{
    DeleteSlo, Deleted, GetInfo, GetManifest, HeadObject, Info, ListedObject, Manifest, ObjectHead,
    Segment, Service,
};

impl SwiftDelete {
    pub(super) fn begin(&mut self) {
        let Name { container, object } = self.object.clone();
        // An older manifest may list segments that belong to another object by now.
        let head = HeadObject { newest: true, ..HeadObject::new(container, object) };
        self.phase = Phase::Asking(self.call(head));
    }

    pub(super) fn asked(&mut self, head: ObjectHead) {
        self.head = head;
        self.manifests.push(self.object.clone());
        if !self.options.segments {
            self.remove_manifests();
        } else if self.head.is_slo {
            self.unread.push(self.object.clone());
            self.read_manifest();
        } else if let Some(prefix) = self.head.dlo.clone() {
            let seed = self.seed();
            let listed = Listed::new(prefix, Arc::clone(&self.service), seed).with_auth(self.auth);
            self.phase = Phase::Listing(Box::new(listed));
        } else {
            self.remove_manifests();
        }
    }

    /// Reads the next manifest, or starts the removal after the last one.
    fn read_manifest(&mut self) {
        match self.unread.pop() {
            Some(Name { container, object }) => {
                self.phase = Phase::Manifest(self.call(GetManifest::new(container, object)));
            }
            None => self.ask_server(),
        }
    }

    pub(super) fn manifest(&mut self, answer: Result<Manifest, Error>) -> Result<(), Error> {
        let segments = match answer {
            Ok(manifest) => manifest.segments,
            Err(error) if matches!(error.kind(), Kind::Transport | Kind::Auth) => {
                return Err(error);
            }
            // A nested manifest that does not exist, or is not a manifest any more.
            Err(_) if self.manifests.len() > 1 => Vec::new(),
            Err(error) if error.is_not_found() => {
                self.manifests.clear();
                return Err(error);
            }
            // The permission to delete does not include that to read.
            Err(_) => {
                self.unreadable = true;
                Vec::new()
            }
        };
        for segment in &segments {
            let Segment::Object(segment) = segment else { continue };
            let name = Name::new(&segment.container, &segment.object);
            if !segment.is_slo {
                self.segments.insert(name);
            } else if !self.manifests.contains(&name) {
                self.manifests.push(name.clone());
                self.unread.push(name);
            }
            if self.segments.len() > MOST_SEGMENTS || self.manifests.len() > MOST_MANIFESTS {
                return Err(Error::invalid_response(format!(
                    "the object has more than {MOST_SEGMENTS} segments or {MOST_MANIFESTS} manifests"
                )));
            }
        }
        self.read_manifest();
        Ok(())
    }

    /// Requests the server to remove the object with its segments.
    fn ask_server(&mut self) {
        let Name { container, object } = self.object.clone();
        self.asked_server = true;
        self.phase = Phase::Whole(self.call(DeleteSlo::new(container, object)));
    }

    /// Handles the server's report of the removal.
    pub(super) fn whole(&mut self, answer: Result<Deleted, Error>) -> Result<(), Error> {
        let report = match answer {
            Ok(report) => report,
            Err(error)
                if matches!(error.kind(), Kind::Refused | Kind::InvalidResponse)
                    || error.status().is_some_and(|status| status.is_success()) =>
            {
                if self.unreadable {
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
                // The manifests do not list it: a report alone is no reason to remove it.
                let status = one.status().unwrap_or(StatusCode::BAD_REQUEST);
                let error = Error::refused(status, None, Some(one.why));
                self.told.get_or_insert(error.in_operation(DeleteSlo::NAME));
                self.left.push(name);
            }
        }
        let told = report.deleted.saturating_add(report.not_found);
        let told = told.saturating_add((failed.len() + self.left.len()) as u64);
        if told < (self.segments.len() + self.manifests.len()) as u64 {
            // An earlier attempt, whose response was lost, may have left any of them.
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

    pub(super) fn listed(&mut self, objects: Vec<ListedObject>) {
        let container = self.head.dlo.as_ref().map_or("", |prefix| prefix.container.as_str());
        self.segments = objects.iter().map(|object| Name::new(container, &object.name)).collect();
        self.ask_info();
    }

    /// Requests the limits of the cluster, if bulk deletes could save requests.
    fn ask_info(&mut self) {
        for manifest in &self.manifests {
            self.segments.remove(manifest);
        }
        if self.options.bulk && self.segments.len() > self.options.concurrency.max(1) {
            self.phase = Phase::Info(self.call(GetInfo::default()));
        } else {
            self.remove_segments(None);
        }
    }

    pub(super) fn remove_segments(&mut self, info: Option<&Info>) {
        let limits = info.and_then(|info| info.bulk_delete.as_ref());
        let bulk = limits.map(|limits| {
            let most = limits.max_deletes_per_request.unwrap_or(BATCH).min(BATCH);
            usize::try_from(most).unwrap_or(1)
        });
        let names = std::mem::take(&mut self.segments);
        let concurrency = self.options.concurrency;
        self.phase = Phase::Segments(self.removal(names, concurrency, bulk));
    }

    /// Removes nested manifests before those that list them.
    pub(super) fn remove_manifests(&mut self) {
        let names: Vec<Name> = std::mem::take(&mut self.manifests).into_iter().rev().collect();
        self.phase = Phase::Manifests(self.removal(names, 1, None));
    }

    fn removal(
        &mut self,
        names: impl IntoIterator<Item = Name>,
        concurrency: usize,
        bulk: Option<usize>,
    ) -> Box<Removal> {
        let seed = self.seed();
        let service = Arc::clone(&self.service);
        Box::new(Removal::new(names, service, concurrency, bulk, seed).with_auth(self.auth))
    }

    /// Handles the result of the removal of segments or manifests.
    pub(super) fn removed(&mut self, removed: Removed) -> Result<(), Error> {
        self.deleted += removed.deleted;
        self.missing += removed.missing;
        let Some(error) = removed.error else { return Ok(()) };
        self.segments = removed.left.into_iter().collect();
        self.asked_server = true;
        Err(error)
    }

    /// Adds the leftovers to the error: the manifests, and what they may not list any more.
    pub(super) fn leaving(&mut self, error: Error) -> Error {
        let mut left = std::mem::take(&mut self.manifests);
        if self.asked_server {
            left.extend(std::mem::take(&mut self.segments));
        }
        left.append(&mut self.left);
        left.iter().map(Name::leftover).fold(error, Error::with_leftover)
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
        Box::new(Call::new(operation, Arc::clone(&self.service), seed).with_auth(self.auth))
    }
}

/// The maximum number of objects in one bulk delete. Swift removes two of them at a time.
const BATCH: u64 = 1000;
/// The maximum number of segments of one object, which are kept in memory.
const MOST_SEGMENTS: usize = 1_000_000;
/// The maximum number of manifests of one object, including nested ones.
const MOST_MANIFESTS: usize = 1000;

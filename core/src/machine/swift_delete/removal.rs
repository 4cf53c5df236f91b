//! The removal of Swift objects by name.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use http::StatusCode;

use crate::contract::{Machine, OnFailure, Step};
use crate::error::{Error, ExchangeError, Kind, Leftover};
use crate::http::Completion;
use crate::machine::{
    Call,
    compose::{nest, seed},
};
use crate::now::{Now, Wait};
use crate::swift::{BulkDelete, BulkPath, DeleteObject, Deleted, Service};

/// The name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) container: String,
    pub(super) object: String,
}

impl Name {
    pub(super) fn new(container: impl Into<String>, object: impl Into<String>) -> Self {
        Self { container: container.into(), object: object.into() }
    }

    pub(super) fn leftover(&self) -> Leftover {
        Leftover::Object { bucket: self.container.clone(), key: self.object.clone() }
    }
}

/// Removes objects, in bulk if allowed, and continues after those that the server refuses to
/// remove. It never fails: the result lists what was not removed.
#[derive(Debug)]
pub(super) struct Removal {
    /// To be removed in bulk.
    many: VecDeque<Name>,
    /// To be removed one by one.
    ones: VecDeque<Name>,
    service: Arc<Service>,
    auth: usize,
    seed: u64,
    concurrency: usize,
    /// The maximum number of objects in one request; `None` without bulk deletes.
    bulk: Option<usize>,
    jobs: Vec<Job>,
    number: u32,
    removed: Removed,
    /// Whether no more requests are started.
    stopped: bool,
    over: bool,
}

/// The result of a [`Removal`].
#[derive(Debug, Default)]
pub(super) struct Removed {
    pub(super) deleted: u64,
    /// How many objects did not exist.
    pub(super) missing: u64,
    /// The objects that still exist, as far as is known.
    pub(super) left: Vec<Name>,
    /// The first error.
    pub(super) error: Option<Error>,
}

#[derive(Debug)]
struct Job {
    number: u32,
    work: Work,
}

#[derive(Debug)]
enum Work {
    One(Name, Box<Call<DeleteObject>>),
    Many(Vec<Name>, Box<Call<BulkDelete>>),
}

impl Removal {
    pub(super) fn new(
        names: impl IntoIterator<Item = Name>,
        service: Arc<Service>,
        concurrency: usize,
        bulk: Option<usize>,
        seed: u64,
    ) -> Self {
        Self {
            many: names.into_iter().collect(),
            ones: VecDeque::new(),
            service,
            auth: 0,
            seed,
            concurrency: concurrency.max(1),
            bulk,
            jobs: Vec::new(),
            number: 0,
            removed: Removed::default(),
            stopped: false,
            over: false,
        }
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    pub(super) fn with_auth(mut self, auth: usize) -> Self {
        self.auth = auth;
        self
    }

    /// Starts one more request. Returns false if no request can be started.
    fn begin(&mut self) -> bool {
        if self.stopped || self.jobs.len() >= self.concurrency {
            return false;
        }
        self.number = self.number.wrapping_add(1);
        let (number, seed) = (self.number, seed(self.seed, self.number));
        let service = Arc::clone(&self.service);
        let work = if let (Some(most), false) = (self.bulk, self.many.is_empty()) {
            let names: Vec<Name> = self.many.drain(..most.max(1).min(self.many.len())).collect();
            let paths = names.iter().map(|name| BulkPath::object(&name.container, &name.object));
            let operation = BulkDelete::new(paths.collect());
            Work::Many(names, Box::new(Call::new(operation, service, seed).with_auth(self.auth)))
        } else if let Some(name) = self.ones.pop_front().or_else(|| self.many.pop_front()) {
            let operation = DeleteObject::new(&name.container, &name.object);
            Work::One(name, Box::new(Call::new(operation, service, seed).with_auth(self.auth)))
        } else {
            return false;
        };
        self.jobs.push(Job { number, work });
        true
    }

    /// Handles the result for one object.
    fn one(&mut self, now: Now, name: Name, answer: Result<(), Error>) {
        match answer {
            Ok(()) => self.removed.deleted += 1,
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                self.removed.missing += 1
            }
            Err(error) => {
                self.removed.left.push(name);
                // The requests for other objects would fail too.
                if error.kind() != Kind::Refused || error.is_denied() {
                    self.stop(now);
                }
                Error::keep_first(&mut self.removed.error, error);
            }
        }
    }

    /// Handles the result of a bulk delete.
    fn many(&mut self, now: Now, names: Vec<Name>, answer: Result<Deleted, Error>) {
        let report = match answer {
            Ok(report) => report,
            // Bulk deletes are refused, or this one was aborted, or its response was cut.
            Err(error)
                if matches!(error.kind(), Kind::Refused | Kind::InvalidResponse)
                    || error.status().is_some_and(|status| status.is_success()) =>
            {
                if error.status() != Some(StatusCode::OK) {
                    self.bulk = None;
                }
                self.ones.extend(names);
                return;
            }
            Err(error) => {
                self.removed.left.extend(names);
                Error::keep_first(&mut self.removed.error, error);
                return self.stop(now);
            }
        };
        let failed: Vec<Name> = report
            .failed
            .iter()
            .map(|failed| {
                let (container, object) = failed.names();
                Name::new(container, object.unwrap_or_default())
            })
            .filter(|name| names.contains(name))
            .collect();
        let told = report.deleted.saturating_add(report.not_found);
        if told.saturating_add(failed.len() as u64) == names.len() as u64 {
            self.removed.deleted += report.deleted;
            self.removed.missing += report.not_found;
            // Once more, one by one: the responses state the reasons.
            self.ones.extend(failed);
        } else {
            // The report does not state which of them were removed.
            self.ones.extend(names);
        }
    }

    /// Starts and repeats no more requests.
    fn stop(&mut self, now: Now) {
        self.stopped = true;
        for job in &mut self.jobs {
            match &mut job.work {
                Work::One(_, call) => call.cancel(now, OnFailure::Abort),
                Work::Many(_, call) => call.cancel(now, OnFailure::Abort),
            }
        }
    }
}

impl Machine for Removal {
    type Output = Removed;

    fn poll(&mut self, now: Now) -> Step<Removed> {
        if self.over {
            return Step::Wait(None);
        }
        let mut wait = None;
        let mut at = 0;
        loop {
            let Some(job) = self.jobs.get_mut(at) else {
                if self.begin() {
                    continue;
                }
                break;
            };
            let number = job.number;
            let ended = match &mut job.work {
                Work::One(_, call) => ended(nest(call.poll(now), number), Ended::One),
                Work::Many(_, call) => ended(nest(call.poll(now), number), Ended::Many),
            };
            match ended {
                ControlFlow::Break(Step::Wait(until)) => wait = Wait::earlier(wait, until),
                ControlFlow::Break(step) => return step,
                ControlFlow::Continue(ended) => {
                    match (self.jobs.swap_remove(at).work, ended) {
                        (Work::One(name, _), Ended::One(answer)) => self.one(now, name, answer),
                        (Work::Many(names, _), Ended::Many(answer)) => {
                            self.many(now, names, answer)
                        }
                        _ => {}
                    }
                    // Requests before this one may have been cancelled.
                    at = 0;
                    wait = None;
                    continue;
                }
            }
            at += 1;
        }
        if !self.jobs.is_empty() {
            return Step::Wait(wait);
        }
        self.over = true;
        let mut removed = std::mem::take(&mut self.removed);
        removed.left.extend(self.ones.drain(..).chain(self.many.drain(..)));
        Step::Done(Ok(removed))
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        let Some(number) = done.route() else { return };
        let Some(job) = self.jobs.iter_mut().find(|job| job.number == number) else { return };
        match &mut job.work {
            Work::One(_, call) => call.complete(now, done),
            Work::Many(_, call) => call.complete(now, done),
        }
    }

    fn cancel(&mut self, now: Now, _: OnFailure) {
        self.removed.error.get_or_insert_with(|| ExchangeError::cancelled().into());
        self.stop(now);
    }
}

enum Ended {
    One(Result<(), Error>),
    Many(Result<Deleted, Error>),
}

fn ended<T>(
    flow: ControlFlow<Step<Removed>, Result<T, Error>>,
    how: impl FnOnce(Result<T, Error>) -> Ended,
) -> ControlFlow<Step<Removed>, Ended> {
    match flow {
        ControlFlow::Break(step) => ControlFlow::Break(step),
        ControlFlow::Continue(answer) => ControlFlow::Continue(how(answer)),
    }
}

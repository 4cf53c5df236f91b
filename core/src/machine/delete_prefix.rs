//! The removal of all objects whose keys begin with a prefix.
//!
//! ```text
//!         ┌──────────── next page ────────────┐
//!         ▼                                   │
//!       Listing ── keys of the page ──▶ Removing ── last page ──▶ over
//! ```
//!
//! A page is listed after the objects of the page before are removed, from where that page ended:
//! at most one page is in memory, and keys that appear meanwhile are not chased.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::vec;

use super::delete_many::{DeleteManyOptions, DeletedMany, S3DeleteMany};
use crate::contract::{Machine, OnFailure, Pages, Step};
use crate::error::{Error, ExchangeError};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::now::Now;
use crate::s3::{ListObjectVersions, ListObjectsV2, ObjectIdentifier, Service};

/// Lists the objects whose keys begin with a prefix, and removes them.
#[derive(Debug)]
pub struct S3DeletePrefix {
    bucket: String,
    prefix: String,
    service: Arc<Service>,
    options: DeleteManyOptions,
    auth: usize,
    seed: u64,
    pages: Kind,
    phase: Phase,
    step: u32,
    done: DeletedMany,
    cancelled: bool,
}

/// What is listed.
#[derive(Debug)]
enum Kind {
    Objects(Pages<ListObjectsV2>),
    Versions(Pages<ListObjectVersions>),
}

#[derive(Debug)]
enum Phase {
    Next,
    Objects(Box<Call<ListObjectsV2>>),
    Versions(Box<Call<ListObjectVersions>>),
    Removing(Box<S3DeleteMany<vec::IntoIter<ObjectIdentifier>>>),
    Over,
}

impl S3DeletePrefix {
    /// Makes a removal. `versions`: all versions and delete markers are removed. `seed` decides the
    /// jitter of delays.
    pub fn new(
        bucket: impl Into<String>,
        prefix: impl Into<String>,
        versions: bool,
        service: Arc<Service>,
        options: DeleteManyOptions,
        seed: u64,
    ) -> Self {
        let (bucket, wanted) = (bucket.into(), prefix.into());
        let prefix = Some(wanted.clone());
        let common = options.common.clone();
        let pages = match versions {
            false => Kind::Objects(Pages::new(ListObjectsV2 {
                prefix,
                common,
                ..ListObjectsV2::new(&bucket)
            })),
            true => Kind::Versions(Pages::new(ListObjectVersions {
                prefix,
                common,
                ..ListObjectVersions::new(&bucket)
            })),
        };
        Self {
            bucket,
            prefix: wanted,
            service,
            options,
            auth: 0,
            seed,
            pages,
            phase: Phase::Next,
            step: 0,
            done: DeletedMany::default(),
            cancelled: false,
        }
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    #[must_use]
    pub fn with_auth(mut self, auth: usize) -> Self {
        self.auth = auth;
        self
    }

    /// Lists the next page, or ends.
    fn next(&mut self) -> Phase {
        self.step = self.step.wrapping_add(1);
        let (service, seed) = (Arc::clone(&self.service), seed(self.seed, self.step));
        match &self.pages {
            Kind::Objects(pages) => pages.request().map(|list| {
                let call = Call::new(list.clone(), service, seed);
                Phase::Objects(Box::new(call.with_auth(self.auth)))
            }),
            Kind::Versions(pages) => pages.request().map(|list| {
                let call = Call::new(list.clone(), service, seed);
                Phase::Versions(Box::new(call.with_auth(self.auth)))
            }),
        }
        .unwrap_or(Phase::Over)
    }

    /// Returns an error if the server listed an object that was not asked for: nothing of such a
    /// list is removed.
    fn check(&self, objects: &[ObjectIdentifier]) -> Result<(), Error> {
        match objects.iter().find(|object| !object.key.starts_with(&self.prefix)) {
            None => Ok(()),
            Some(other) => Err(Error::invalid_response(format!(
                "the list of bucket {} contains {:?}, which does not begin with the prefix {:?}: \
                 nothing of this page was removed",
                self.bucket, other.key, self.prefix
            ))),
        }
    }

    fn remove(&mut self, objects: Vec<ObjectIdentifier>) -> Phase {
        self.step = self.step.wrapping_add(1);
        let (bucket, service) = (self.bucket.clone(), Arc::clone(&self.service));
        let (options, seed) = (self.options.clone(), seed(self.seed, self.step));
        let delete = S3DeleteMany::new(bucket, objects, service, options, seed);
        Phase::Removing(Box::new(delete.with_auth(self.auth)))
    }

    fn finish(&mut self, error: Option<Error>) -> Step<DeletedMany> {
        self.phase = Phase::Over;
        Step::Done(match error {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut self.done)),
        })
    }
}

impl Machine for S3DeletePrefix {
    type Output = DeletedMany;

    fn poll(&mut self, now: Now) -> Step<DeletedMany> {
        loop {
            let listed = match &mut self.phase {
                Phase::Next if self.cancelled => {
                    return self.finish(Some(ExchangeError::cancelled().into()));
                }
                Phase::Next => {
                    self.phase = self.next();
                    if matches!(self.phase, Phase::Over) {
                        return self.finish(None);
                    }
                    continue;
                }
                Phase::Objects(call) => match nest(call.poll(now), LIST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(page) => page.and_then(|page| {
                        let Kind::Objects(pages) = &mut self.pages else { return Ok(Vec::new()) };
                        pages.advance(&page)?;
                        Ok(page.contents.into_iter().map(|object| object.key.into()).collect())
                    }),
                },
                Phase::Versions(call) => match nest(call.poll(now), LIST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(page) => page.and_then(|page| {
                        let Kind::Versions(pages) = &mut self.pages else { return Ok(Vec::new()) };
                        pages.advance(&page)?;
                        let versions = page.versions.into_iter();
                        let versions = versions.map(|one| (one.object.key, one.version_id));
                        let markers = page.delete_markers.into_iter();
                        let markers = markers.map(|one| (one.key, one.version_id));
                        let named = |(key, version_id): (String, _)| ObjectIdentifier {
                            version_id,
                            ..ObjectIdentifier::new(key)
                        };
                        Ok(versions.chain(markers).map(named).collect())
                    }),
                },
                Phase::Removing(delete) => match nest(delete.poll(now), REMOVE) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(removed)) => {
                        self.done.deleted += removed.deleted;
                        self.done.errors.extend(removed.errors);
                        self.phase = Phase::Next;
                        continue;
                    }
                    ControlFlow::Continue(Err(error)) => return self.finish(Some(error)),
                },
                Phase::Over => return Step::Wait(None),
            };
            match listed.and_then(|objects| self.check(&objects).map(|()| objects)) {
                Err(error) => return self.finish(Some(error)),
                Ok(objects) if objects.is_empty() || self.cancelled => self.phase = Phase::Next,
                Ok(objects) => self.phase = self.remove(objects),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(LIST), Phase::Objects(call)) => call.complete(now, done),
            (Some(LIST), Phase::Versions(call)) => call.complete(now, done),
            (Some(REMOVE), Phase::Removing(delete)) => delete.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Objects(call) => call.cancel(now, on_failure),
            Phase::Versions(call) => call.cancel(now, on_failure),
            Phase::Removing(delete) => delete.cancel(now, on_failure),
            Phase::Next | Phase::Over => {}
        }
    }

    fn concurrency(&self) -> usize {
        self.options.concurrency.max(1)
    }
}

const LIST: u32 = 0;
const REMOVE: u32 = 1;

//! The removal of many Swift objects, with their segments.
//!
//! ```text
//!         ┌──────────── next page ────────────┐
//!         ▼                                   │
//!       Listing ── names of the page ──▶ Removing ── last page ──▶ over
//!                                         up to `concurrency` objects at once
//! ```
//!
//! An object that the server refuses to remove is reported, and the others are removed. Any other
//! failure ends the removal after the objects in progress.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{SwiftDelete, SwiftDeleteOptions};
use crate::contract::{Machine, OnFailure, Pages, Step};
use crate::error::{Error, ExchangeError, Kind};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::now::{Now, Wait};
use crate::swift::{GetContainer, Service};

/// Removes the named objects of a container, or all objects whose names begin with a prefix, each
/// with its segments.
#[derive(Debug)]
pub struct SwiftDeleteMany {
    container: String,
    /// What the names of listed objects begin with.
    prefix: String,
    service: Arc<Service>,
    options: SwiftDeleteOptions,
    auth: usize,
    seed: u64,
    /// The pages that are still to be listed.
    pages: Option<Pages<GetContainer>>,
    phase: Phase,
    /// The number of requests and objects begun so far.
    begun: u32,
    done: SwiftDeletedMany,
    error: Option<Error>,
}

/// The result of a [`SwiftDeleteMany`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SwiftDeletedMany {
    /// How many objects were removed, segments included.
    pub deleted: u64,
    /// How many of the objects did not exist any more.
    pub missing: u64,
    /// The objects that were not removed, and why.
    pub errors: Vec<(String, Error)>,
}

#[derive(Debug)]
enum Phase {
    Next,
    Listing(Box<Call<GetContainer>>),
    Removing { names: VecDeque<String>, slots: Vec<Slot> },
    Over,
}

/// An object in progress.
#[derive(Debug)]
struct Slot {
    number: u32,
    name: String,
    machine: Box<SwiftDelete>,
}

impl SwiftDeleteMany {
    /// Makes a removal of these objects. `seed` decides the jitter of delays.
    pub fn new(
        container: impl Into<String>,
        names: impl IntoIterator<Item: Into<String>>,
        service: Arc<Service>,
        options: SwiftDeleteOptions,
        seed: u64,
    ) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        let phase = Phase::Removing { names, slots: Vec::new() };
        Self::of((container.into(), String::new()), None, phase, service, options, seed)
    }

    /// Makes a removal of all objects whose names begin with `prefix`, as they are listed now.
    pub fn prefix(
        container: impl Into<String>,
        prefix: impl Into<String>,
        service: Arc<Service>,
        options: SwiftDeleteOptions,
        seed: u64,
    ) -> Self {
        let (container, prefix) = (container.into(), prefix.into());
        let list = GetContainer { prefix: Some(prefix.clone()), ..GetContainer::new(&container) };
        Self::of((container, prefix), Some(Pages::new(list)), Phase::Next, service, options, seed)
    }

    fn of(
        (container, prefix): (String, String),
        pages: Option<Pages<GetContainer>>,
        phase: Phase,
        service: Arc<Service>,
        options: SwiftDeleteOptions,
        seed: u64,
    ) -> Self {
        let (done, error) = (SwiftDeletedMany::default(), None);
        Self {
            container,
            prefix,
            service,
            options,
            auth: 0,
            seed,
            pages,
            phase,
            begun: 0,
            done,
            error,
        }
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    #[must_use]
    pub fn with_auth(mut self, auth: usize) -> Self {
        self.auth = auth;
        self
    }

    /// Lists the next page, if there is one.
    fn next(&mut self) -> Option<Phase> {
        let list = self.pages.as_ref()?.request()?.clone();
        self.begun = self.begun.wrapping_add(1);
        let call = Call::new(list, Arc::clone(&self.service), seed(self.seed, self.begun));
        Some(Phase::Listing(Box::new(call.with_auth(self.auth))))
    }

    fn listed(&mut self, page: Result<crate::swift::GetContainerOutput, Error>) {
        let names = page.and_then(|page| {
            if let Some(pages) = &mut self.pages {
                pages.advance(&page)?;
            }
            let other = page.entries.iter().find(|entry| !entry.name().starts_with(&self.prefix));
            if let Some(other) = other {
                return Err(Error::invalid_response(format!(
                    "the listing of container {} contains {:?}, which does not begin with the \
                     prefix {:?}: nothing of this page was removed",
                    self.container,
                    other.name(),
                    self.prefix
                )));
            }
            Ok(page.objects().map(|object| object.name.clone()).collect())
        });
        self.phase = match names {
            Ok(names) => Phase::Removing { names, slots: Vec::new() },
            Err(error) => {
                self.error.get_or_insert(error);
                Phase::Next
            }
        };
    }

    /// Begins the removal of more objects, as far as there is room.
    fn fill(&mut self) {
        let Phase::Removing { names, slots } = &mut self.phase else { return };
        if self.error.is_some() {
            names.clear();
        }
        while slots.len() < self.options.concurrency.max(1)
            && let Some(name) = names.pop_front()
        {
            self.begun = self.begun.wrapping_add(1).max(1);
            // The objects share the concurrency, so that each has one request in flight.
            let options = SwiftDeleteOptions { concurrency: 1, ..self.options };
            let seed = seed(self.seed, self.begun);
            let service = Arc::clone(&self.service);
            let machine = SwiftDelete::new(&self.container, &name, service, options, seed);
            let machine = Box::new(machine.with_auth(self.auth));
            slots.push(Slot { number: self.begun, name, machine });
        }
    }

    fn removed(&mut self, name: String, result: Result<super::SwiftDeleted, Error>) {
        match result {
            Ok(one) => self.done.deleted += one.deleted,
            Err(error) if error.is_not_found() && error.leftovers().is_empty() => {
                self.done.missing += 1;
            }
            Err(error) if matches!(error.kind(), Kind::Refused | Kind::Integrity) => {
                self.done.errors.push((name, error));
            }
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
    }
}

impl Machine for SwiftDeleteMany {
    type Output = SwiftDeletedMany;

    fn poll(&mut self, now: Now) -> Step<SwiftDeletedMany> {
        loop {
            self.fill();
            match &mut self.phase {
                Phase::Next => match self.next().filter(|_| self.error.is_none()) {
                    Some(phase) => self.phase = phase,
                    None => {
                        self.phase = Phase::Over;
                        let done = std::mem::take(&mut self.done);
                        return Step::Done(self.error.take().map_or(Ok(done), Err));
                    }
                },
                Phase::Listing(call) => match nest(call.poll(now), LIST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(page) => self.listed(page),
                },
                Phase::Removing { slots, .. } => {
                    let (mut wait, mut ended) = (None, None);
                    for (at, slot) in slots.iter_mut().enumerate() {
                        match nest(slot.machine.poll(now), slot.number) {
                            ControlFlow::Break(Step::Wait(until)) => {
                                wait = Wait::earlier(wait, until);
                            }
                            ControlFlow::Break(step) => return step,
                            ControlFlow::Continue(result) => {
                                ended = Some((at, result));
                                break;
                            }
                        }
                    }
                    match ended {
                        Some((at, result)) => {
                            let slot = slots.swap_remove(at);
                            self.removed(slot.name, result);
                        }
                        None if slots.is_empty() => self.phase = Phase::Next,
                        None => return Step::Wait(wait),
                    }
                }
                Phase::Over => return Step::Wait(None),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(LIST), Phase::Listing(call)) => call.complete(now, done),
            (Some(number), Phase::Removing { slots, .. }) => {
                if let Some(slot) = slots.iter_mut().find(|slot| slot.number == number) {
                    slot.machine.complete(now, done);
                }
            }
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.error.get_or_insert_with(|| ExchangeError::cancelled().into());
        match &mut self.phase {
            Phase::Listing(call) => call.cancel(now, on_failure),
            Phase::Removing { names, slots } => {
                names.clear();
                slots.iter_mut().for_each(|slot| slot.machine.cancel(now, on_failure));
            }
            Phase::Next | Phase::Over => {}
        }
    }

    fn concurrency(&self) -> usize {
        self.options.concurrency.max(1)
    }
}

/// The ticket of the listing; objects have tickets from 1.
const LIST: u32 = 0;

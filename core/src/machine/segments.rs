//! The segments of a dynamic large object: all pages of a listing.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::contract::{Machine, OnFailure, Step};
use crate::error::{Error, ExchangeError};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::nest;
use crate::now::Now;
use crate::swift::{Entry, GetContainer, GetContainerOutput, ListedObject, Prefix, Service};

/// Lists the objects of a container whose names begin with a prefix, all pages.
#[derive(Debug)]
pub(crate) struct Listed {
    prefix: Prefix,
    service: Arc<Service>,
    auth: usize,
    seed: u64,
    call: Option<Box<Call<GetContainer>>>,
    page: u32,
    objects: Vec<ListedObject>,
    cancelled: bool,
}

impl Listed {
    /// Creates a listing of the segments that `X-Object-Manifest` names.
    pub(crate) fn new(prefix: Prefix, service: Arc<Service>, seed: u64) -> Self {
        let (call, objects) = (None, Vec::new());
        Self { prefix, service, auth: 0, seed, call, page: 0, objects, cancelled: false }
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    pub(crate) fn with_auth(mut self, auth: usize) -> Self {
        self.auth = auth;
        self
    }

    /// Returns how many pages were requested.
    pub(crate) fn pages(&self) -> u32 {
        self.page
    }

    /// Starts the call for the next page.
    fn ask(&mut self, get: GetContainer) {
        self.page = self.page.wrapping_add(1);
        let seed = self.seed.wrapping_add(u64::from(self.page));
        let call = Call::new(get, Arc::clone(&self.service), seed).with_auth(self.auth);
        self.call = Some(Box::new(call));
    }

    fn first(&self) -> Result<GetContainer, Error> {
        if self.prefix.prefix.is_empty() {
            // A whole container is not a large object; no server treats it as one.
            return Err(Error::invalid_response(
                "X-Object-Manifest names a container without a prefix",
            ));
        }
        let mut get = GetContainer::new(&self.prefix.container);
        get.prefix = Some(self.prefix.prefix.clone());
        // A stale replica would leave out segments.
        get.newest = true;
        Ok(get)
    }

    /// Takes a page; returns the request for the next one, if there is one.
    fn take(
        &mut self,
        get: &GetContainer,
        page: GetContainerOutput,
    ) -> Result<Option<GetContainer>, Error> {
        let next = get.next(&page)?;
        for entry in page.entries {
            let Entry::Object(object) = entry else { continue };
            let after = self.objects.last().is_none_or(|last| last.name < object.name);
            if !after || !object.name.starts_with(&self.prefix.prefix) {
                let (name, container) = (object.name.escape_debug(), &self.prefix.container);
                let why = if after { "does not begin with the prefix" } else { "is listed twice" };
                let container = container.escape_debug();
                return Err(Error::invalid_response(format!(
                    "the listing of container `{container}` is invalid: `{name}` {why}"
                )));
            }
            if self.objects.len() >= MOST {
                return Err(Error::invalid_response(format!(
                    "the object has more than {MOST} segments"
                )));
            }
            self.objects.push(object);
        }
        Ok(next)
    }
}

impl Machine for Listed {
    type Output = Vec<ListedObject>;

    fn poll(&mut self, now: Now) -> Step<Vec<ListedObject>> {
        loop {
            // A page in flight is waited for; the next one is not requested.
            if self.cancelled && !self.call.as_ref().is_some_and(|call| call.is_in_flight()) {
                return Step::Done(Err(ExchangeError::cancelled().into()));
            }
            let Some(call) = &mut self.call else {
                match self.first() {
                    Ok(get) => self.ask(get),
                    Err(error) => return Step::Done(Err(error)),
                }
                continue;
            };
            let page = match nest(call.poll(now), self.page) {
                ControlFlow::Break(step) => return step,
                ControlFlow::Continue(Ok(page)) => page,
                ControlFlow::Continue(Err(error)) => return Step::Done(Err(error)),
            };
            let get = call.operation().clone();
            match self.take(&get, page) {
                Ok(Some(next)) => self.ask(next),
                Ok(None) => return Step::Done(Ok(std::mem::take(&mut self.objects))),
                Err(error) => return Step::Done(Err(error)),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        if let (Some(number), Some(call)) = (done.route(), &mut self.call)
            && number == self.page
        {
            call.complete(now, done);
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        if let Some(call) = &mut self.call {
            call.cancel(now, on_failure);
        }
    }
}

/// The maximum number of segments of one object in memory: a hundred pages.
const MOST: usize = 1_000_000;

//! Copies the annotations of a source to the finished copy, one after the other.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::gather::source_common;
use crate::contract::{Machine, OnFailure, Operation, Step};
use crate::error::{Error, ExchangeError};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::machine::upload::Uploaded;
use crate::now::Now;
use crate::s3::{
    CopyObject, GetObjectAnnotation, GetObjectAnnotationOutput, PutObjectAnnotation, Service,
};

/// Copies annotations. The copy exists already: a failure leaves it with some of them.
#[derive(Debug)]
pub(super) struct Attach {
    copy: Box<CopyObject>,
    names: VecDeque<String>,
    uploaded: Uploaded,
    service: Arc<Service>,
    auth: usize,
    seed: u64,
    slot: u32,
    phase: Phase,
    cancelled: bool,
}

#[derive(Debug)]
enum Phase {
    Next,
    Get(Box<Call<GetObjectAnnotation>>),
    Put(Box<Call<PutObjectAnnotation>>),
}

impl Attach {
    pub(super) fn new(
        copy: Box<CopyObject>,
        names: Vec<String>,
        uploaded: Uploaded,
        service: Arc<Service>,
        auth: usize,
        seed: u64,
    ) -> Self {
        let (names, phase) = (names.into(), Phase::Next);
        Self { copy, names, uploaded, service, auth, seed, slot: 0, phase, cancelled: false }
    }

    fn call<O: Operation<Service = Service>>(&mut self, operation: O) -> Box<Call<O>> {
        self.slot += 1;
        let seed = seed(self.seed, self.slot);
        Box::new(Call::new(operation, Arc::clone(&self.service), seed).with_auth(self.auth))
    }

    fn get(&mut self, name: String) -> Phase {
        let source = &self.copy.source;
        let mut get = GetObjectAnnotation::new(&source.bucket, &source.key, name);
        get.version_id.clone_from(&source.version_id);
        get.common = source_common(&self.copy);
        Phase::Get(self.call(get))
    }

    fn put(&mut self, name: String, got: GetObjectAnnotationOutput) -> Phase {
        let payload = got.annotation_payload;
        let mut put = PutObjectAnnotation::new(&self.copy.bucket, &self.copy.key, name, payload);
        // Not to an object that another client has stored in the meantime.
        put.object_if_match = Some(self.uploaded.etag.clone()).filter(|etag| !etag.is_empty());
        put.common.clone_from(&self.copy.common);
        Phase::Put(self.call(put))
    }
}

impl Machine for Attach {
    type Output = Uploaded;

    fn poll(&mut self, now: Now) -> Step<Uploaded> {
        loop {
            let result = match &mut self.phase {
                Phase::Next if self.cancelled && !self.names.is_empty() => {
                    Err(ExchangeError::cancelled().into())
                }
                Phase::Next => match self.names.front().cloned() {
                    Some(name) => Ok(self.get(name)),
                    None => return Step::Done(Ok(std::mem::take(&mut self.uploaded))),
                },
                Phase::Get(call) => match nest(call.poll(now), SLOT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(got) => match (got, self.names.pop_front()) {
                        (Ok(got), Some(name)) => Ok(self.put(name, got)),
                        // It was deleted since it was listed.
                        (Err(error), _) if error.code() == Some("NoSuchAnnotation") => {
                            Ok(Phase::Next)
                        }
                        (Err(error), _) => Err(error),
                        (Ok(_), None) => Ok(Phase::Next),
                    },
                },
                Phase::Put(call) => match nest(call.poll(now), SLOT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(put) => put.map(|_| Phase::Next),
                },
            };
            match result {
                Ok(phase) => self.phase = phase,
                Err(error) => return Step::Done(Err(partial(error))),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(SLOT), Phase::Get(call)) => call.complete(now, done),
            (Some(SLOT), Phase::Put(call)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Get(call) => call.cancel(now, on_failure),
            Phase::Put(call) => call.cancel(now, on_failure),
            Phase::Next => {}
        }
    }
}

fn partial(error: Error) -> Error {
    error.with_hint(
        "the object is copied, but not all of its annotations: copy it again, attach them by \
         `PutObjectAnnotation`, or set `annotation_directive` to `Exclude`",
    )
}

const SLOT: u32 = 0;

//! The removal of any number of objects.
//!
//! ```text
//!  keys ──1,000 at a time──▶ Batch ─┐   up to `concurrency` of them
//!                                   ▼
//!          ┌──────────────────── Ready ◀──────── delay elapsed ────────┐
//!          │                       │                                   │
//!          │ nothing left          ▼                                   │
//!          ▼                     Many ──some keys are retried───────▶ Backoff
//!        counted                   │
//!                                  └──501, a key that XML can't hold or that the response leaves out
//!                                     ──▶ One, one after another
//! ```
//!
//! The response to DeleteObjects names each object that was removed, and each that was not
//! ([`Objects`]). What it leaves out is removed by a request of its own: nothing says what became
//! of it.
//!
//! A failed request ends the removal: [`deleted`](S3DeleteMany::deleted) and
//! [`errors`](S3DeleteMany::errors) return what was removed until then, and what was not. An object
//! that the server does not remove counts as an error, and the others are removed.

mod objects;

use std::iter::Fuse;
use std::ops::ControlFlow;
use std::sync::Arc;

use http::StatusCode;

use self::objects::{Objects, is_conditional};
use crate::contract::{Machine, OnFailure, Service as _, Step};
use crate::error::{Error, ExchangeError, Kind};
use crate::http::Completion;
use crate::machine::{
    Call,
    compose::{nest, seed},
};
use crate::now::{Now, Wait};
use crate::retry::{Attempts, Idempotency, RetryDecision};
use crate::s3::{
    ChecksumOptions, CommonParams, DeleteError, DeleteObject, DeleteObjects, DeleteObjectsOutput,
    ObjectIdentifier, Service,
};
use crate::secret::Secret;
use crate::xml;

/// Removes the objects that an iterator names: by DeleteObjects, up to 1,000 in one request, or by
/// DeleteObject where the server does not support that.
#[derive(Debug)]
pub struct S3DeleteMany<I> {
    bucket: String,
    keys: Fuse<I>,
    service: Arc<Service>,
    options: DeleteManyOptions,
    auth: usize,
    seed: u64,
    batches: Vec<Batch>,
    number: u32,
    /// The server does not support DeleteObjects.
    one_by_one: bool,
    /// The refusal of DeleteObjects, until a DeleteObject shows that it was about the operation.
    unproven: Option<Error>,
    deleted: u64,
    errors: Vec<DeleteError>,
    error: Option<Error>,
    over: bool,
}

/// The options of a [`S3DeleteMany`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteManyOptions {
    /// The maximum number of requests in flight.
    pub concurrency: usize,
    /// The number of objects per request, 1 to 1,000.
    pub batch: usize,
    /// Whether a lock of mode `GOVERNANCE` is bypassed.
    pub bypass_governance_retention: Option<bool>,
    /// The serial number of an authentication device, a space, and the code that the device shows.
    pub mfa: Option<Secret>,
    /// Checksum options of the requests.
    pub checksum: ChecksumOptions,
    /// Common request parameters.
    pub common: CommonParams,
}

impl Default for DeleteManyOptions {
    /// Returns the defaults: four requests in flight, of 1,000 objects each.
    fn default() -> Self {
        Self {
            concurrency: 4,
            batch: MOST,
            bypass_governance_retention: None,
            mfa: None,
            checksum: ChecksumOptions::default(),
            common: CommonParams::default(),
        }
    }
}

/// The result of a [`S3DeleteMany`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeletedMany {
    /// The number of objects that were removed or did not exist.
    pub deleted: u64,
    /// The objects that were not removed, and why.
    pub errors: Vec<DeleteError>,
}

/// Objects that are removed by the same requests.
#[derive(Debug)]
struct Batch {
    number: u32,
    /// To be removed by one request.
    many: Vec<ObjectIdentifier>,
    /// To be removed one by one.
    ones: Vec<ObjectIdentifier>,
    /// Objects that the server failed to remove, and may have removed.
    doubtful: Vec<ObjectIdentifier>,
    attempts: Attempts,
    state: State,
}

#[derive(Debug)]
enum State {
    Ready,
    Many(Box<Call<DeleteObjects>>),
    One(Box<Call<DeleteObject>>),
    Backoff(Wait),
}

impl<I> S3DeleteMany<I>
where
    I: Iterator<Item: Into<ObjectIdentifier>>,
{
    /// Removes `keys` from `bucket`; `seed` decides the jitter of the delays. Keys are taken from
    /// the iterator only as they are removed.
    pub fn new(
        bucket: impl Into<String>,
        keys: impl IntoIterator<IntoIter = I>,
        service: Arc<Service>,
        options: DeleteManyOptions,
        seed: u64,
    ) -> Self {
        Self {
            bucket: bucket.into(),
            keys: keys.into_iter().fuse(),
            service,
            options,
            auth: 0,
            seed,
            batches: Vec::new(),
            number: 0,
            one_by_one: false,
            unproven: None,
            deleted: 0,
            errors: Vec::new(),
            error: None,
            over: false,
        }
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    #[must_use]
    pub fn with_auth(mut self, auth: usize) -> Self {
        self.auth = auth;
        self
    }

    /// Returns how many objects have been removed so far.
    pub fn deleted(&self) -> u64 {
        self.deleted
    }

    /// Returns what could not be removed so far, and why.
    pub fn errors(&self) -> &[DeleteError] {
        &self.errors
    }

    /// Takes keys for one more batch. Returns false if there are none.
    fn fill(&mut self) -> bool {
        let most = self.options.batch.clamp(1, MOST);
        let objects = self.keys.by_ref().take(most).map(Into::into);
        // A document with a key that XML cannot hold would fail for all of its keys.
        let (many, ones): (Vec<ObjectIdentifier>, Vec<_>) =
            objects.partition(|object| !object.key.is_empty() && xml::can_hold(&object.key));
        if many.is_empty() && ones.is_empty() {
            return false;
        }
        self.number = self.number.wrapping_add(1);
        let attempts = Attempts::new(seed(self.seed, self.number));
        let state = State::Ready;
        let (number, doubtful) = (self.number, Vec::new());
        self.batches.push(Batch { number, many, ones, doubtful, attempts, state });
        true
    }

    /// Starts the next request of the batch at index `at`. Returns false if the batch is empty.
    fn begin(&mut self, at: usize) -> bool {
        let Some(batch) = self.batches.get_mut(at) else { return false };
        if self.one_by_one || self.service.forgoes_delete_objects() {
            batch.ones.append(&mut batch.many);
        }
        let options = &self.options;
        let seed = seed(self.seed, batch.number).wrapping_add(1);
        if !batch.many.is_empty() {
            batch.attempts.sent();
            let operation = DeleteObjects {
                mfa: options.mfa.clone(),
                bypass_governance_retention: options.bypass_governance_retention,
                checksum: options.checksum.clone(),
                common: options.common.clone(),
                ..DeleteObjects::new(&self.bucket, batch.many.iter().cloned())
            };
            let call = Call::new(operation, Arc::clone(&self.service), seed).with_auth(self.auth);
            batch.state = State::Many(Box::new(call));
        } else if let Some(object) = batch.ones.pop() {
            let operation = DeleteObject {
                version_id: object.version_id,
                mfa: options.mfa.clone(),
                bypass_governance_retention: options.bypass_governance_retention,
                if_match: object.etag,
                if_match_last_modified_time: object.last_modified,
                if_match_size: object.size,
                common: options.common.clone(),
                ..DeleteObject::new(&self.bucket, object.key)
            };
            let call = Call::new(operation, Arc::clone(&self.service), seed).with_auth(self.auth);
            batch.state = State::One(Box::new(call));
        } else {
            return false;
        }
        true
    }

    /// Handles the response to a request for many objects.
    fn settle(&mut self, now: Now, at: usize, answer: Result<DeleteObjectsOutput, Error>) {
        let Some(batch) = self.batches.get_mut(at) else { return };
        batch.state = State::Ready;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if is_unsupported(&error) => {
                self.one_by_one = true;
                if self.deleted == 0 && !is_missing(&error) {
                    self.unproven.get_or_insert(error);
                }
                return;
            }
            Err(error) => return self.fail(now, error),
        };
        let mut left = Objects::new(std::mem::take(&mut batch.many));
        let doubtful = std::mem::take(&mut batch.doubtful);
        let mut delay: Option<Wait> = None;
        let is_silent = answer.errors.is_empty() && answer.deleted.is_empty();
        let (failed, others) = left.failed(answer.errors);
        self.deleted += left.deleted(&answer.deleted);
        let mut failed_others = Vec::new();
        for error in others {
            // An error for a key that was not requested counts for one that was: the server changed
            // the key.
            match left.any() {
                Some(object) => failed_others.push((error, object)),
                None => self.errors.push(error),
            }
        }
        for (mut failed, object) in failed.into_iter().chain(failed_others) {
            if doubtful.contains(&object) {
                match failed.code.as_deref() {
                    Some("NoSuchKey" | "NoSuchVersion") => {
                        self.deleted += 1;
                        continue;
                    }
                    Some("PreconditionFailed") => failed.outcome_unknown = true,
                    _ => {}
                }
            }
            let same = object.key == failed.key;
            // The status is a placeholder: the decision depends on the code alone.
            let error = Error::refused(StatusCode::BAD_REQUEST, failed.code.clone(), None);
            let decision = self.service.judge(&error, Idempotency::Idempotent);
            let again = match decision {
                RetryDecision::Transient | RetryDecision::Throttled
                    if same && self.error.is_none() =>
                {
                    delay.or_else(|| {
                        let retry_policy = self.service.retry_policy();
                        batch.attempts.next(now, retry_policy, decision, &error)
                    })
                }
                _ => None,
            };
            match again {
                Some(wait) => {
                    delay = Some(wait);
                    if failed.outcome_unknown {
                        batch.doubtful.push(object.clone());
                    }
                    batch.many.push(object);
                }
                None => self.errors.push(failed),
            }
        }
        let left = left.rest();
        // A server that names none of them never does.
        self.one_by_one |= is_silent && !left.is_empty();
        batch.doubtful.extend(left.iter().filter(|object| is_conditional(object)).cloned());
        batch.ones.extend(left);
        if let Some(wait) = delay {
            batch.state = State::Backoff(wait);
        } else {
            batch.attempts.succeeded(self.service.retry_policy());
        }
    }

    /// Handles the response to a request for one object.
    fn settle_one(&mut self, now: Now, at: usize, answer: Result<(), Error>) {
        let Some(batch) = self.batches.get_mut(at) else { return };
        let state = std::mem::replace(&mut batch.state, State::Ready);
        let State::One(call) = state else { return };
        if let Err(error) = &answer
            && self.unproven.as_ref().is_some_and(|first| first.code() == error.code())
        {
            // It was not the operation that the server refused.
            let first = self.unproven.take().unwrap_or_else(|| error.clone());
            return self.fail(now, first);
        }
        if self.unproven.take().is_some() || self.one_by_one {
            self.service.forgo_delete_objects();
        }
        match answer {
            Ok(()) => self.deleted += 1,
            // A few servers respond so for an object that does not exist.
            Err(error) if error.code() == Some("NoSuchKey") => self.deleted += 1,
            Err(error) if matches!(error.kind(), Kind::Refused | Kind::InvalidInput) => {
                let DeleteObject { key, version_id, .. } = call.operation().clone();
                let code = error.code().map(str::to_owned);
                let message = error.server_message().unwrap_or(error.message()).to_owned();
                let is_it = |object: &ObjectIdentifier| {
                    (&object.key, &object.version_id) == (&key, &version_id)
                };
                // The request for many of them may have removed it.
                let refused = error.is_precondition_failed();
                let outcome_unknown =
                    error.outcome_unknown() || refused && batch.doubtful.iter().any(is_it);
                let message = Some(message);
                let failed = DeleteError { key, version_id, code, message, outcome_unknown };
                self.errors.push(failed);
            }
            Err(error) => self.fail(now, error),
        }
    }

    /// Ends the removal: no further request is sent, and exchanges in flight are waited for.
    fn fail(&mut self, now: Now, error: Error) {
        Error::keep_first(&mut self.error, error);
        for batch in &mut self.batches {
            match &mut batch.state {
                State::Many(call) => call.cancel(now, OnFailure::Abort),
                State::One(call) => call.cancel(now, OnFailure::Abort),
                State::Ready | State::Backoff(_) => {}
            }
        }
    }
}

impl<I> Machine for S3DeleteMany<I>
where
    I: Iterator<Item: Into<ObjectIdentifier>>,
{
    type Output = DeletedMany;

    fn poll(&mut self, now: Now) -> Step<DeletedMany> {
        let mut wait = None;
        let mut at = 0;
        while !self.over {
            let full = self.batches.len() >= self.options.concurrency.max(1);
            let Some(batch) = self.batches.get_mut(at) else {
                if self.error.is_none() && !full && self.fill() {
                    continue;
                }
                break;
            };
            let number = batch.number;
            match &mut batch.state {
                State::Many(call) => match nest(call.poll(now), number) {
                    ControlFlow::Break(Step::Wait(until)) => wait = Wait::earlier(wait, until),
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(answer) => {
                        self.settle(now, at, answer);
                        continue;
                    }
                },
                State::One(call) => match nest(call.poll(now), number) {
                    ControlFlow::Break(Step::Wait(until)) => wait = Wait::earlier(wait, until),
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(answer) => {
                        self.settle_one(now, at, answer.map(|_| ()));
                        continue;
                    }
                },
                State::Backoff(until) if now.tick < until.until && self.error.is_none() => {
                    wait = Wait::earlier(wait, Some(*until));
                }
                State::Ready | State::Backoff(_) => {
                    if self.error.is_some() || !self.begin(at) {
                        self.batches.swap_remove(at);
                    }
                    continue;
                }
            }
            at += 1;
        }
        if self.over || !self.batches.is_empty() {
            return Step::Wait(wait);
        }
        self.over = true;
        Step::Done(match self.error.take() {
            Some(error) => Err(error),
            None => {
                Ok(DeletedMany { deleted: self.deleted, errors: std::mem::take(&mut self.errors) })
            }
        })
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        let Some(number) = done.route() else { return };
        let Some(batch) = self.batches.iter_mut().find(|batch| batch.number == number) else {
            return;
        };
        match &mut batch.state {
            State::Many(call) => call.complete(now, done),
            State::One(call) => call.complete(now, done),
            State::Ready | State::Backoff(_) => {}
        }
    }

    /// Waits for exchanges in flight, and sends no further request.
    fn cancel(&mut self, now: Now, _: OnFailure) {
        if !self.over {
            self.fail(now, Error::from(ExchangeError::cancelled()).in_operation("DeleteObjects"));
        }
    }

    fn concurrency(&self) -> usize {
        self.options.concurrency.max(1)
    }
}

/// Returns whether the server may not support the operation, and DeleteObject may work. Servers
/// without DeleteObjects take the request for another one, and say of that what is wrong with it.
fn is_unsupported(error: &Error) -> bool {
    let status = error.status().map(|status| status.as_u16());
    is_missing(error)
        || error.kind() == Kind::Refused
            && match (status, error.code()) {
                (Some(405 | 411 | 415), _) => true,
                (Some(400 | 404), None) => true,
                (Some(400 | 404 | 412), Some(code)) => OTHERS.contains(&code),
                _ => false,
            }
}

/// Returns whether the server says that it does not support the operation.
fn is_missing(error: &Error) -> bool {
    error.status() == Some(StatusCode::NOT_IMPLEMENTED) || error.code() == Some("NotImplemented")
}

/// Codes of servers that take DeleteObjects for another request: a form, or one without its digest.
const OTHERS: [&str; 12] = [
    "BadRequest",
    "InvalidArgument",
    "InvalidRequest",
    "InvalidURI",
    "MalformedPOSTRequest",
    "MethodNotAllowed",
    "MissingContentMD5",
    "NotFound",
    "NotSupported",
    "PreconditionFailed",
    "UnsupportedMethod",
    "UnsupportedOperation",
];
/// The maximum number of objects in one request.
const MOST: usize = 1000;

//! The removal of one multipart upload.
//!
//! ```text
//!  Aborting ─▶ Listing ── it does not exist ──────────────────────▶ over
//!     ▲           │
//!     └ it exists ┴─ three times, or refused ─▶ Comparing ─────────▶ over
//! ```
//!
//! A part that was in flight during the abort may be stored after it ("AbortMultipartUpload", S3 API
//! reference), so that an abort counts only when the upload can't be listed any more. s3s-fs lists
//! any upload, without parts, and refuses to abort one that it has aborted: there the list of an
//! upload that does not exist is the same, and the acknowledged abort is all that can be known.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::contract::{Machine, OnFailure, Step};
use crate::error::{Error, ExchangeError, Leftover};
use crate::http::Completion;
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::now::Now;
use crate::s3::{AbortMultipartUpload, CustomerKey, ListParts, ListPartsOutput, Service};

/// Removes a multipart upload and its parts, and checks that it does not exist any more.
#[derive(Debug)]
pub struct S3AbortUpload {
    abort: AbortMultipartUpload,
    customer_key: Option<CustomerKey>,
    service: Arc<Service>,
    auth: usize,
    seed: u64,
    aborts: u32,
    /// After the acknowledged aborts the upload was listed without parts.
    empty: bool,
    /// Only one attempt, without a check.
    once: bool,
    cancelled: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Next,
    Aborting(Box<Call<AbortMultipartUpload>>),
    Listing(Box<Call<ListParts>>),
    /// Lists an upload that does not exist; the error is returned if that can't be listed.
    Comparing(Box<Call<ListParts>>, Error),
    Over,
}

impl S3AbortUpload {
    /// Makes the removal. `customer_key` is that of an upload with SSE-C, for servers that require
    /// it in ListParts. `seed` decides the jitter of delays.
    pub fn new(
        abort: AbortMultipartUpload,
        customer_key: Option<CustomerKey>,
        service: Arc<Service>,
        seed: u64,
    ) -> Self {
        Self {
            abort,
            customer_key,
            service,
            auth: 0,
            seed,
            aborts: 0,
            empty: false,
            once: false,
            cancelled: false,
            phase: Phase::Next,
        }
    }

    /// Makes one attempt, and does not check it: for a process that must not wait.
    #[must_use]
    pub fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    #[must_use]
    pub fn with_auth(self, auth: usize) -> Self {
        Self { auth, ..self }
    }

    fn abort(&mut self) -> Phase {
        self.aborts += 1;
        let (service, seed) = (Arc::clone(&self.service), seed(self.seed, ABORT + self.aborts));
        let call = Call::new(self.abort.clone(), service, seed);
        Phase::Aborting(Box::new(call.with_auth(self.auth)))
    }

    fn list(&self, upload_id: &str) -> Box<Call<ListParts>> {
        let AbortMultipartUpload { bucket, key, common, .. } = &self.abort;
        let mut list = ListParts::new(bucket, key, upload_id);
        list.customer_key.clone_from(&self.customer_key);
        list.common.clone_from(common);
        let (service, seed) = (Arc::clone(&self.service), seed(self.seed, LIST));
        Box::new(Call::new(list, service, seed).with_auth(self.auth))
    }

    /// Handles the end of the aborts while the upload seems to exist.
    fn contradicted(&mut self, error: Error) -> ControlFlow<Step<()>> {
        match another_id(&self.abort.upload_id).filter(|_| self.empty) {
            Some(id) => self.phase = Phase::Comparing(self.list(&id), error),
            None => return ControlFlow::Break(self.over(Err(error))),
        }
        ControlFlow::Continue(())
    }

    /// Handles a list that shows the upload after an acknowledged abort.
    fn listed(&mut self, page: &ListPartsOutput) -> ControlFlow<Step<()>> {
        let is_empty = page.parts.is_empty() && page.is_truncated != Some(true);
        self.empty = is_empty && (self.empty || self.aborts == 1);
        if self.aborts < ABORTS {
            self.phase = self.abort();
            return ControlFlow::Continue(());
        }
        self.contradicted(self.remains())
    }

    fn over(&mut self, result: Result<(), Error>) -> Step<()> {
        let left = self.leftovers();
        self.phase = Phase::Over;
        Step::Done(result.map_err(|error| left.into_iter().fold(error, Error::with_leftover)))
    }

    fn remains(&self) -> Error {
        let AbortMultipartUpload { bucket, key, .. } = &self.abort;
        Error::invalid_response(format!(
            "the server confirmed {} times that it has aborted the multipart upload of \
             {bucket}/{key}, but still lists it",
            self.aborts
        ))
    }
}

impl Machine for S3AbortUpload {
    type Output = ();

    fn poll(&mut self, now: Now) -> Step<()> {
        loop {
            match &mut self.phase {
                Phase::Next if self.cancelled => {
                    return self.over(Err(ExchangeError::cancelled().into()));
                }
                Phase::Next => self.phase = self.abort(),
                Phase::Aborting(call) => {
                    let (made, waits) = (call.attempts(), call.is_in_flight());
                    match nest(call.poll(now), ABORT) {
                        // The only attempt has failed, and would be repeated.
                        ControlFlow::Break(_) if self.once && made > 0 && !waits => {
                            return self.over(Err(ExchangeError::cancelled().into()));
                        }
                        ControlFlow::Break(step) => return step,
                        ControlFlow::Continue(Err(error)) if !is_gone(&error) => {
                            if let ControlFlow::Break(step) = self.contradicted(error) {
                                return step;
                            }
                        }
                        ControlFlow::Continue(_) if self.once => return self.over(Ok(())),
                        ControlFlow::Continue(_) => {
                            self.phase = Phase::Listing(self.list(&self.abort.upload_id));
                        }
                    }
                }
                Phase::Listing(call) => match nest(call.poll(now), LIST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(page)) => {
                        if let ControlFlow::Break(step) = self.listed(&page) {
                            return step;
                        }
                    }
                    // Where the client may not list, an acknowledged abort is all that can be known.
                    ControlFlow::Continue(Err(error)) if is_gone(&error) || error.is_denied() => {
                        return self.over(Ok(()));
                    }
                    ControlFlow::Continue(Err(error)) => return self.over(Err(error)),
                },
                Phase::Comparing(call, _) => match nest(call.poll(now), LIST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(_)) => return self.over(Ok(())),
                    ControlFlow::Continue(Err(_)) => {
                        let error = match std::mem::replace(&mut self.phase, Phase::Next) {
                            Phase::Comparing(_, error) => error,
                            _ => self.remains(),
                        };
                        return self.over(Err(error));
                    }
                },
                Phase::Over => return Step::Wait(None),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(ABORT), Phase::Aborting(call)) => call.complete(now, done),
            (Some(LIST), Phase::Listing(call) | Phase::Comparing(call, _)) => {
                call.complete(now, done)
            }
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.phase {
            Phase::Aborting(call) => call.cancel(now, on_failure),
            Phase::Listing(call) | Phase::Comparing(call, _) => call.cancel(now, on_failure),
            Phase::Next => self.cancelled = true,
            Phase::Over => {}
        }
    }

    fn is_long(&self) -> bool {
        false
    }

    fn leftovers(&self) -> Vec<Leftover> {
        let AbortMultipartUpload { bucket, key, upload_id, .. } = self.abort.clone();
        match self.phase {
            Phase::Over => Vec::new(),
            _ => vec![Leftover::MultipartUpload { bucket, key, upload_id }],
        }
    }
}

/// Returns whether the upload does not exist any more.
pub(crate) fn is_gone(error: &Error) -> bool {
    error.is_not_found() || error.code() == Some("NoSuchUpload")
}

/// Returns an upload ID of the same form that no upload has: another last letter or digit.
pub(crate) fn another_id(id: &str) -> Option<String> {
    let at = id.rfind(|last: char| last.is_ascii_alphanumeric())?;
    let (before, rest) = id.split_at_checked(at)?;
    let other = if rest.starts_with('0') { "1" } else { "0" };
    Some(format!("{before}{other}{}", rest.get(1..)?))
}

const ABORT: u32 = 0;
const LIST: u32 = 1;

/// The number of aborts, repeated while the upload is still listed.
const ABORTS: u32 = 3;

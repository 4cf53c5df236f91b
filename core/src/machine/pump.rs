//! The pump: connects a machine to the authenticators of its drafts.
//!
//! It holds all loop logic. The loop of a transport is: call [`turn`](Pump::turn); on
//! [`Turn::Launch`] perform the exchange; on [`Turn::Park`] wait for a completion or until the
//! given time; call [`complete`](Pump::complete); repeat until [`Turn::Done`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use http::StatusCode;

use crate::contract::{
    AuthOutcome, Authenticator, Lease, LeaseRequest, Machine, Notice, OnFailure, PresignKey, Step,
    StreamWindow,
};
use crate::credentials::Credentials;
use crate::error::{Error, ExchangeError};
use crate::few::Few;
use crate::http::{Completion, Draft, Exchange, Opened, Sealing, Sent, Ticket};
use crate::machine::rate_limit::{Admit, Line, RateLimits};
use crate::now::{Now, Wait, WaitReason};
use crate::sign::{Keys, Presigned};
use crate::waiters::Positions;

/// An authenticator, shared by all machines that use it.
#[derive(Clone)]
pub struct Auth(Arc<Mutex<dyn Authenticator>>);

impl Auth {
    /// Shares this authenticator.
    pub fn new(authority: impl Authenticator + 'static) -> Self {
        Self(Arc::new(Mutex::new(authority)))
    }

    /// Shares an authenticator that the caller also keeps.
    pub fn from_shared(authority: Arc<Mutex<dyn Authenticator>>) -> Self {
        Self(authority)
    }

    /// Makes a presigned URL, as [`Authenticator::presign`] does.
    ///
    /// # Errors
    ///
    /// As [`Authenticator::presign`].
    pub fn presign(
        &self,
        draft: Box<Draft>,
        key: Option<&PresignKey>,
        expires: Duration,
        now: Now,
    ) -> Result<Presigned, Error> {
        self.lock().presign(draft, key, expires, now)
    }

    /// Whether [`presign`](Self::presign) needs a key that the server has: see
    /// [`PresignKeys`](crate::machine::PresignKeys).
    pub fn needs_presign_key(&self) -> bool {
        self.lock().needs_presign_key()
    }

    fn lock(&self) -> MutexGuard<'_, dyn Authenticator + 'static> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Authenticator + 'static> From<A> for Auth {
    fn from(authenticator: A) -> Self {
        Self::new(authenticator)
    }
}

impl From<Keys> for Auth {
    /// Signs with these keys, which are never renewed.
    fn from(keys: Keys) -> Self {
        Self::new(Credentials::new(keys))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth(..)")
    }
}

/// Runs a machine: seals its drafts with their authenticators, renews credentials, sends a request
/// once more whose credentials were refused, and enforces the limits of the client.
pub struct Pump<M: Machine> {
    machine: M,
    auths: Arc<[Auth]>,
    waker: Waker,
    rate_limits: Option<Arc<RateLimits>>,
    /// How far this pump has got in the queue of `rate_limits`.
    line: Line,
    observer: Option<Arc<dyn Observer>>,
    parked: VecDeque<Box<Draft>>,
    flying: Few<InFlight>,
    last: Option<Now>,
    /// The end of the last wait that was reported.
    told: Duration,
    /// The result of the machine, kept while a renewal is in flight that others may wait for.
    result: Option<Result<M::Output, Error>>,
}

/// What the transport does next.
#[derive(Debug)]
pub enum Turn<T> {
    /// Send this exchange, and complete it exactly once.
    Launch(Exchange),
    /// Wait for a completion, for the waker, or until this time.
    Park(Option<Wait>),
    /// The machine has ended with this result.
    Done(Result<T, Error>),
}

impl<M: Machine> Pump<M> {
    /// Connects `machine` to `auths`; a draft names one of them by its position. `waker` is woken
    /// when a parked pump is to be turned again.
    pub fn new(machine: M, auths: impl Into<Arc<[Auth]>>, waker: Waker) -> Self {
        Self {
            machine,
            auths: auths.into(),
            waker,
            rate_limits: None,
            line: Line::Out,
            observer: None,
            parked: VecDeque::new(),
            flying: Few::new(),
            last: None,
            told: Duration::ZERO,
            result: None,
        }
    }

    /// Enforces these limits, which may be shared with other pumps.
    #[must_use]
    pub fn with_rate_limits(mut self, rate_limits: Arc<RateLimits>) -> Self {
        self.rate_limits = Some(rate_limits);
        self
    }

    /// Reports events to this observer.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Returns the machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Returns the machine, for changes.
    pub fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Returns the machine's stream window, where its source is a stream.
    pub fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        self.machine.stream_window()
    }

    /// Returns how many exchanges are in flight.
    pub fn in_flight(&self) -> usize {
        self.flying.len()
    }

    /// Returns whether the pump waits for a place of the [`RateLimits`], or holds one. A transport
    /// that does other long work meanwhile keeps others from that place.
    pub fn is_in_line(&self) -> bool {
        self.line != Line::Out
    }

    /// Returns what to do next. Call again until the result is not [`Turn::Launch`].
    pub fn turn(&mut self, now: Now) -> Turn<M::Output> {
        let turn = self.next(now);
        if let Turn::Park(Some(Wait { until, reason })) = &turn {
            let length = until.saturating_sub(now.tick);
            if length > LONG && *until != self.told {
                self.told = *until;
                self.tell(now, &Event::Waiting { reason: *reason, length });
            }
        }
        // Only a pump with a request to send keeps its place.
        let waits = matches!(turn, Turn::Park(_)) && !self.parked.is_empty();
        if !waits || self.line == Line::Held {
            self.leave_line();
        }
        turn
    }

    fn next(&mut self, now: Now) -> Turn<M::Output> {
        self.last = Some(now);
        let mut wait = None;
        for _ in 0..self.parked.len() {
            let Some(draft) = self.parked.pop_front() else { break };
            match self.admit(now, draft) {
                Admission::Launch(exchange) => return Turn::Launch(exchange),
                Admission::Park(draft, until) => {
                    self.parked.push_back(draft);
                    wait = Wait::earlier(wait, until);
                }
                Admission::Settled => {}
            }
        }
        if let Some(result) = self.result.take() {
            return self.done(result);
        }
        loop {
            // The machine is polled only for what the limits let through.
            if !self.parked.is_empty() {
                return Turn::Park(wait);
            }
            let step = self.machine.poll(now);
            let observer = self.observer.as_deref();
            tell_notices(observer, now, || self.machine.notice());
            match step {
                Step::Send(draft) => match self.admit(now, draft) {
                    Admission::Launch(exchange) => return Turn::Launch(exchange),
                    Admission::Park(draft, until) => {
                        self.parked.push_back(draft);
                        wait = Wait::earlier(wait, until);
                    }
                    Admission::Settled => {}
                },
                Step::Wait(until) => return Turn::Park(Wait::earlier(wait, until)),
                Step::Done(result) => return self.done(result),
            }
        }
    }

    fn done(&mut self, result: Result<M::Output, Error>) -> Turn<M::Output> {
        if self.flying.is_empty() {
            return Turn::Done(result);
        }
        self.result = Some(result);
        Turn::Park(None)
    }

    /// Handles the end of an exchange that was launched.
    pub fn complete(&mut self, now: Now, done: Completion) {
        let at = self.flying.iter().position(|flight| done.is_of(&flight.identity));
        let Some(flight) = at.and_then(|at| self.flying.swap_remove(at)) else { return };
        self.tell(now, &Event::ended(now, &done));
        if let Some(rate_limits) = &self.rate_limits {
            let status = done.outcome().ok().map(|reply| reply.status());
            match status.map(is_throttled) {
                Some(true) => rate_limits.answered(now, true),
                told if done.draft().keeps_place => {
                    rate_limits.passed_on(now, told.is_some(), &mut self.line);
                }
                Some(false) => rate_limits.answered(now, false),
                None => rate_limits.unanswered(),
            }
        }
        let auth = done.draft().auth;
        let Some(authority) = self.auths.get(auth) else {
            return self.machine.complete(now, done);
        };
        if done.is_renewal() {
            let given_up = done.outcome().is_err_and(Error::is_cancelled);
            let mut authority = authority.lock();
            authority.renewed(now, done);
            tell_notices(self.observer.as_deref(), now, || authority.notice());
            drop(authority);
            // A transport that cancelled this renewal would cancel the next one too. The draft that
            // needed it fails; the renewal is left to the other machines that wait for it.
            if given_up {
                self.give_up(now, |draft| draft.ticket == flight.wanted);
            }
            return;
        }
        let standing = authority.lock().judge(now, &done);
        let replays = flight.replays && done.can_resend() && !done.draft().replayed;
        if standing == AuthOutcome::Refused && replays && done.draft().after_look {
            self.tell(now, &Event::Replayed { operation: done.draft().operation });
            self.machine.complete(now, done.into_outdated());
        } else if standing == AuthOutcome::Refused && replays {
            let (mut draft, _) = done.into_parts();
            self.tell(now, &Event::Replayed { operation: draft.operation });
            draft.replayed = true;
            self.parked.push_back(draft);
        } else {
            self.machine.complete(now, done);
        }
    }

    /// Handles the head of an exchange that was launched, before its body.
    pub fn opened(&mut self, now: Now, opened: Opened) {
        if self.flying.iter().any(|flight| opened.is_of(&flight.identity)) {
            self.machine.opened(now, opened);
        }
    }

    /// Stops early. Exchanges in flight are waited for: go on until [`Turn::Done`].
    pub fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        if self.result.is_none() {
            self.machine.cancel(now, on_failure);
        }
        self.flying.iter_mut().for_each(|flight| flight.replays = false);
        self.give_up(now, |_| true);
    }

    /// Ends the selected parked drafts as cancelled.
    fn give_up(&mut self, now: Now, which: impl Fn(&Draft) -> bool) {
        for draft in std::mem::take(&mut self.parked) {
            if !which(&draft) {
                self.parked.push_back(draft);
                continue;
            }
            self.leave(&draft);
            let cancelled = Error::from(ExchangeError::cancelled()).in_operation(draft.operation);
            self.machine.complete(now, Completion::denied(draft, now, cancelled));
        }
    }

    fn admit(&mut self, now: Now, mut draft: Box<Draft>) -> Admission {
        if let Some(rate_limits) = &self.rate_limits {
            let is_new = self.line == Line::Out;
            let admit = rate_limits.ask(now, &self.waker, &mut self.line);
            if let Admit::Later(until) = admit {
                if is_new && let Some(observer) = &self.observer {
                    let queued = matches!(self.line, Line::Queued(_));
                    let (at_once, waiting) =
                        (rate_limits.at_once(), if queued { rate_limits.waiting() } else { 0 });
                    let operation = draft.operation;
                    observer.event(now, &Event::Queued { operation, at_once, waiting });
                }
                draft.waited = true;
                return Admission::Park(draft, until);
            }
        }
        let admission = self.seal(now, draft);
        if matches!(admission, Admission::Launch(_)) {
            self.line = Line::Out;
        }
        admission
    }

    fn leave_line(&mut self) {
        if let Some(rate_limits) = &self.rate_limits {
            rate_limits.leave(&mut self.line);
        }
    }

    fn seal(&mut self, now: Now, mut draft: Box<Draft>) -> Admission {
        let Some(authority) = self.auths.get(draft.auth) else {
            let error = Error::invalid_input(format!(
                "no authenticator is configured at position {}",
                draft.auth
            ));
            return self.settle(now, denied(draft, now, error));
        };
        let mut authority = authority.lock();
        let wanted = draft.ticket;
        let Draft { stale, places, retry_policy, .. } = &mut *draft;
        let retry_policy = retry_policy.as_ref();
        let mut wish = LeaseRequest { waker: &self.waker, stale, places, retry_policy };
        let sealed = match authority.lease(now, &mut wish) {
            Lease::Granted(grant) if draft.sealing == Sealing::GrantOnly => {
                Err(Completion::granted(draft, now, grant.generation))
            }
            Lease::Granted(_) if draft.after_look && draft.waited => {
                Err(Completion::denied(draft, now, ExchangeError::cancelled().into())
                    .into_outdated())
            }
            Lease::Granted(grant) => {
                draft.stale = None;
                // Sealing consumes the draft; the error needs only its ticket.
                let (operation, ticket, auth) = (draft.operation, draft.ticket, draft.auth);
                authority.seal(grant, draft, now).map_err(|error| {
                    let mut rest = Draft::new(operation, http::Method::GET, http::Uri::default());
                    (rest.ticket, rest.auth) = (ticket, auth);
                    denied(rest, now, error)
                })
            }
            Lease::Renew(mut renewal) => {
                renewal.auth = draft.auth;
                renewal.ticket = Ticket::default();
                draft.waited = true;
                self.parked.push_front(draft);
                Ok(Exchange::open(renewal, now, 0).into_renewal())
            }
            Lease::Wait(until) => {
                draft.waited = true;
                return Admission::Park(draft, until);
            }
            Lease::Denied(error) => Err(denied(draft, now, error)),
        };
        tell_notices(self.observer.as_deref(), now, || authority.notice());
        drop(authority);
        match sealed {
            Ok(mut exchange) => {
                let renews = exchange.is_renewal().then(|| exchange.draft().auth);
                let identity = exchange.identity();
                self.flying.push(InFlight { identity, renews, wanted, replays: true });
                self.tell(now, &Event::Launched { draft: exchange.draft() });
                Admission::Launch(exchange)
            }
            Err(done) => self.settle(now, done),
        }
    }

    /// Gives up a parked draft: it leaves the queues of its authenticator.
    fn leave(&self, draft: &Draft) {
        if draft.places != Positions::default()
            && let Some(authority) = self.auths.get(draft.auth)
        {
            authority.lock().leave(draft.places);
        }
    }

    /// Completes a draft that ended without being sent.
    fn settle(&mut self, now: Now, done: Completion) -> Admission {
        self.machine.complete(now, done);
        Admission::Settled
    }

    fn tell(&self, now: Now, event: &Event<'_>) {
        if let Some(observer) = &self.observer {
            observer.event(now, event);
        }
    }
}

impl<M: Machine> Drop for Pump<M> {
    /// Leaves renewals that will never complete to the next machine that needs them, and frees the
    /// places in flight and in the queue.
    fn drop(&mut self) {
        self.leave_line();
        self.parked.iter().for_each(|draft| self.leave(draft));
        let Some(now) = self.last else { return };
        for flight in std::mem::take(&mut self.flying) {
            if let Some(rate_limits) = &self.rate_limits {
                rate_limits.unanswered();
            }
            if let Some(authority) = flight.renews.and_then(|auth| self.auths.get(auth)) {
                let uri = http::Uri::from_static("/");
                let draft = Draft::new("renewal", http::Method::GET, uri);
                let cancelled = ExchangeError::cancelled().into();
                authority.lock().renewed(now, Completion::denied(draft, now, cancelled));
            }
        }
    }
}

/// An exchange in flight.
struct InFlight {
    identity: Arc<Sent>,
    /// The authenticator whose credentials the exchange renews.
    renews: Option<usize>,
    /// The draft that the exchange is for: its own, or the one that waits for the renewal.
    wanted: Ticket,
    /// Whether the request is sent again if its credentials are refused; false after a
    /// cancellation.
    replays: bool,
}

enum Admission {
    Launch(Exchange),
    Park(Box<Draft>, Option<Wait>),
    Settled,
}

fn denied(draft: Box<Draft>, now: Now, error: Error) -> Completion {
    let error = error.in_operation(draft.operation);
    Completion::denied(draft, now, error)
}

/// Passes on all pending notices. Without an observer they are dropped.
fn tell_notices(
    observer: Option<&dyn Observer>,
    now: Now,
    mut notice: impl FnMut() -> Option<Notice>,
) {
    while let Some(notice) = notice() {
        if let Some(observer) = observer {
            observer.event(now, &Event::Noticed(&notice));
        }
    }
}

/// Longer waits are reported.
const LONG: Duration = Duration::from_secs(2);

fn is_throttled(status: StatusCode) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
}

/// Receives events as they happen: for progress bars, logs, metrics and tests. No event holds a
/// secret.
pub trait Observer: Send + Sync {
    /// Handles an event. Runs on the thread where the event happened; it should return soon.
    fn event(&self, now: Now, event: &Event<'_>);
}

/// Returns an observer that passes every event to `first`, if there is one, and then to `second`.
pub fn observe_both(
    first: Option<Arc<dyn Observer>>,
    second: Arc<dyn Observer>,
) -> Arc<dyn Observer> {
    match first {
        Some(first) => Arc::new(Both(first, second)),
        None => second,
    }
}

struct Both(Arc<dyn Observer>, Arc<dyn Observer>);

impl Observer for Both {
    fn event(&self, now: Now, event: &Event<'_>) {
        self.0.event(now, event);
        self.1.event(now, event);
    }
}

/// An event of a pump or a transport.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An exchange is sent.
    Launched {
        /// Its draft: the operation, and the checksums to compute over its body.
        draft: &'a Draft,
    },
    /// An exchange waits because of the client's limits ([`RateLimits`]). Reported once for each wait.
    Queued {
        /// The operation.
        operation: &'static str,
        /// How many requests may be in flight at present.
        at_once: u32,
        /// How many exchanges wait for a place, this one included; 0 if the exchange waits for the
        /// limit of requests per second.
        waiting: usize,
    },
    /// The run waits for more than 2 s before it does something else. Reported once for each wait.
    Waiting {
        /// The reason.
        reason: WaitReason,
        /// The length of the wait.
        length: Duration,
    },
    /// An exchange ended.
    Ended {
        /// The operation.
        operation: &'static str,
        /// The status of the response.
        status: Option<StatusCode>,
        /// Why there is no response.
        error: Option<&'a Error>,
        /// The time since the exchange was sealed.
        elapsed: Duration,
    },
    /// The credentials of an exchange were refused; the request is sent again with new ones.
    Replayed {
        /// The operation.
        operation: &'static str,
    },
    /// A notice of a machine or an authenticator.
    Noticed(&'a Notice),
    /// Payload bytes were handed to the network.
    Sent {
        /// Bytes since the last event of this kind of the exchange.
        bytes: u64,
    },
    /// Payload bytes were handed to the caller's sink.
    Received {
        /// Bytes since the last event of this kind of the exchange.
        bytes: u64,
    },
}

impl<'a> Event<'a> {
    fn ended(now: Now, done: &'a Completion) -> Self {
        let elapsed = now.tick.saturating_sub(done.sealed_at().tick);
        let (status, error) = match done.outcome() {
            Ok(reply) => (Some(reply.status()), None),
            Err(error) => (None, Some(error)),
        };
        Self::Ended { operation: done.draft().operation, status, error, elapsed }
    }
}

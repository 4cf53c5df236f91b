//! The pump: joins a machine to the authorities that its drafts go under.
//!
//! It is the only loop logic there is. A driver's whole loop is: [`turn`](Pump::turn); on
//! [`Turn::Launch`] perform the exchange; on [`Turn::Park`] wait for a completion or until the time
//! given; [`complete`](Pump::complete); until [`Turn::Done`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use http::StatusCode;

use crate::contract::{Authority, Intake, Lease, Leave, Machine, Notice, Standing, Step, Wish};
use crate::error::{Error, Failure};
use crate::http::{Completion, Draft, Exchange, Sealing, Sent, Ticket};
use crate::machine::traffic::{Admit, Line, Traffic};
use crate::now::{Now, Wait};
use crate::sign::Presigned;
use crate::waiters::Positions;

/// An authority, shared by all machines that go under it.
#[derive(Clone)]
pub struct Party(Arc<Mutex<dyn Authority>>);

impl Party {
    /// Shares this authority.
    pub fn new(authority: impl Authority + 'static) -> Self {
        Self(Arc::new(Mutex::new(authority)))
    }

    /// Shares an authority that is kept elsewhere too.
    pub fn from_shared(authority: Arc<Mutex<dyn Authority>>) -> Self {
        Self(authority)
    }

    /// A URL that carries its own proof, as [`Authority::presign`] makes it.
    ///
    /// # Errors
    ///
    /// As [`Authority::presign`].
    pub fn presign(
        &self,
        draft: Box<Draft>,
        expires: Duration,
        now: Now,
    ) -> Result<Presigned, Error> {
        self.lock().presign(draft, expires, now)
    }

    fn lock(&self) -> MutexGuard<'_, dyn Authority + 'static> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Party(..)")
    }
}

/// Runs a machine: seals its drafts under their authorities, renews grants, replays once what was
/// refused for a grant's sake, and keeps the client's limits.
pub struct Pump<M: Machine> {
    machine: M,
    parties: Arc<[Party]>,
    waker: Waker,
    traffic: Option<Arc<Traffic>>,
    /// How far this pump has come with the traffic.
    line: Line,
    observer: Option<Arc<dyn Observer>>,
    parked: VecDeque<Box<Draft>>,
    flying: Vec<Flight>,
    last: Option<Now>,
    /// What the machine came to, while a renewal is in flight yet that others may wait for.
    result: Option<Result<M::Output, Error>>,
}

/// What a driver has to do.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "an exchange is launched at once, never stored so")]
pub enum Turn<T> {
    /// Send this; exactly one completion must come of it.
    Launch(Exchange),
    /// Wait for a completion, for the waker, or until this time.
    Park(Option<Wait>),
    /// It is over.
    Done(Result<T, Error>),
}

impl<M: Machine> Pump<M> {
    /// Joins `machine` to `parties`, which its drafts name by position. `waker` is woken when a
    /// parked pump should be turned again.
    pub fn new(machine: M, parties: impl Into<Arc<[Party]>>, waker: Waker) -> Self {
        Self {
            machine,
            parties: parties.into(),
            waker,
            traffic: None,
            line: Line::Out,
            observer: None,
            parked: VecDeque::new(),
            flying: Vec::new(),
            last: None,
            result: None,
        }
    }

    /// Keeps these limits, which other pumps share.
    #[must_use]
    pub fn with_traffic(mut self, traffic: Arc<Traffic>) -> Self {
        self.traffic = Some(traffic);
        self
    }

    /// Tells this observer what happens.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// The machine, to be told something.
    pub fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// The machine's view of a source of unknown length.
    pub fn intake(&mut self) -> Option<&mut Intake> {
        self.machine.intake()
    }

    /// How many exchanges are in flight.
    pub fn in_flight(&self) -> usize {
        self.flying.len()
    }

    /// Whether it has asked the [`Traffic`] for a place, or has been given one. A driver that does
    /// something else meanwhile that takes long keeps others from that place.
    pub fn is_in_line(&self) -> bool {
        self.line != Line::Out
    }

    /// What to do next. Call again until it is not [`Turn::Launch`].
    pub fn turn(&mut self, now: Now) -> Turn<M::Output> {
        let turn = self.next(now);
        // A place is kept by what has something to send in it, and by nothing else.
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
            // A machine is not asked for more than the limits let through.
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

    /// An exchange that was launched has ended.
    pub fn complete(&mut self, now: Now, done: Completion) {
        let Some(at) = self.flying.iter().position(|flight| done.is_of(&flight.identity)) else {
            return;
        };
        let flight = self.flying.swap_remove(at);
        self.tell(now, &Event::ended(now, &done));
        if let Some(traffic) = &self.traffic {
            let status = done.outcome().ok().map(|reply| reply.status());
            traffic.ended(now, status.is_some_and(is_throttled));
        }
        let party = done.draft().party;
        let Some(authority) = self.parties.get(party) else {
            return self.machine.complete(now, done);
        };
        if done.is_renewal() {
            let given_up = done.outcome().is_err_and(Error::is_cancelled);
            let mut authority = authority.lock();
            authority.renewed(now, done);
            tell_notices(self.observer.as_deref(), now, || authority.notice());
            drop(authority);
            // Who gave up the renewal would give up the next one too. It fails what it was for, and
            // is left to whoever waits for it beside.
            if given_up {
                self.give_up(now, |draft| draft.ticket == flight.wanted);
            }
            return;
        }
        let standing = authority.lock().judge(now, &done);
        let replays = flight.replays && done.can_resend() && !done.draft().replayed;
        if standing == Standing::Refused && replays {
            let (mut draft, _) = done.into_parts();
            self.tell(now, &Event::Replayed { operation: draft.operation });
            draft.replayed = true;
            self.parked.push_back(draft);
        } else {
            self.machine.complete(now, done);
        }
    }

    /// Stops early. What is in flight is waited for; go on driving until [`Turn::Done`].
    pub fn cancel(&mut self, now: Now, leave: Leave) {
        if self.result.is_none() {
            self.machine.cancel(now, leave);
        }
        self.flying.iter_mut().for_each(|flight| flight.replays = false);
        self.give_up(now, |_| true);
    }

    /// Ends those of the parked drafts as cancelled.
    fn give_up(&mut self, now: Now, which: impl Fn(&Draft) -> bool) {
        for draft in std::mem::take(&mut self.parked) {
            if !which(&draft) {
                self.parked.push_back(draft);
                continue;
            }
            self.leave(&draft);
            let cancelled = Error::from(Failure::cancelled()).in_operation(draft.operation);
            self.machine.complete(now, Completion::denied(draft, now, cancelled));
        }
    }

    fn admit(&mut self, now: Now, draft: Box<Draft>) -> Admission {
        if let Some(traffic) = &self.traffic {
            let is_new = self.line == Line::Out;
            let admit = traffic.ask(now, &self.waker, &mut self.line);
            if let Admit::Later(until) = admit {
                if is_new && let Some(observer) = &self.observer {
                    let queued = matches!(self.line, Line::Queued(_));
                    let (at_once, waiting) =
                        (traffic.at_once(), if queued { traffic.waiting() } else { 0 });
                    let operation = draft.operation;
                    observer.event(now, &Event::Queued { operation, at_once, waiting });
                }
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
        if let Some(traffic) = &self.traffic {
            traffic.leave(&mut self.line);
        }
    }

    fn seal(&mut self, now: Now, mut draft: Box<Draft>) -> Admission {
        let Some(authority) = self.parties.get(draft.party) else {
            let error = Error::caller(format!("there is no authority number {}", draft.party));
            return self.settle(now, denied(draft, now, error));
        };
        let mut authority = authority.lock();
        let wanted = draft.ticket;
        let Draft { stale, places, retry_policy, .. } = &mut *draft;
        let retry_policy = retry_policy.as_ref();
        let mut wish = Wish { waker: &self.waker, stale, places, retry_policy };
        let sealed = match authority.lease(now, &mut wish) {
            Lease::Granted(grant) if draft.sealing == Sealing::GrantOnly => {
                Err(Completion::granted(draft, now, grant.generation))
            }
            Lease::Granted(grant) => {
                draft.stale = None;
                // Sealing consumes the draft; an error of it needs the draft's ticket only.
                let (operation, ticket, party) = (draft.operation, draft.ticket, draft.party);
                authority.seal(grant, draft, now).map_err(|error| {
                    let mut rest = Draft::new(operation, http::Method::GET, http::Uri::default());
                    (rest.ticket, rest.party) = (ticket, party);
                    denied(rest, now, error)
                })
            }
            Lease::Renew(mut renewal) => {
                renewal.party = draft.party;
                renewal.ticket = Ticket::default();
                self.parked.push_front(draft);
                Ok(Exchange::open(renewal, now, 0).into_renewal())
            }
            Lease::Wait(until) => return Admission::Park(draft, until),
            Lease::Denied(error) => Err(denied(draft, now, error)),
        };
        tell_notices(self.observer.as_deref(), now, || authority.notice());
        drop(authority);
        match sealed {
            Ok(mut exchange) => {
                let renews = exchange.is_renewal().then(|| exchange.draft().party);
                let identity = exchange.identity();
                self.flying.push(Flight { identity, renews, wanted, replays: true });
                self.tell(now, &Event::Launched { draft: exchange.draft() });
                Admission::Launch(exchange)
            }
            Err(done) => self.settle(now, done),
        }
    }

    /// A parked draft is given up: it waits no longer.
    fn leave(&self, draft: &Draft) {
        if draft.places != Positions::default()
            && let Some(authority) = self.parties.get(draft.party)
        {
            authority.lock().leave(draft.places);
        }
    }

    /// What ended without being sent.
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
    /// A renewal that will never be completed is given to the next who asks, and what is still in
    /// flight makes room for others, as does a place in the line.
    fn drop(&mut self) {
        self.leave_line();
        self.parked.iter().for_each(|draft| self.leave(draft));
        let Some(now) = self.last else { return };
        for flight in self.flying.drain(..) {
            if let Some(traffic) = &self.traffic {
                traffic.abandoned();
            }
            if let Some(authority) = flight.renews.and_then(|party| self.parties.get(party)) {
                let uri = http::Uri::from_static("/");
                let draft = Draft::new("renewal", http::Method::GET, uri);
                let cancelled = Failure::cancelled().into();
                authority.lock().renewed(now, Completion::denied(draft, now, cancelled));
            }
        }
    }
}

/// An exchange in flight.
struct Flight {
    identity: Arc<Sent>,
    /// The party whose grant it renews.
    renews: Option<usize>,
    /// The draft that it is for: itself, or what waits for the grant.
    wanted: Ticket,
    /// It is sent again should its proof be refused; no longer after a cancellation.
    replays: bool,
}

#[expect(clippy::large_enum_variant, reason = "lives for one match")]
enum Admission {
    Launch(Exchange),
    Park(Box<Draft>, Option<Wait>),
    Settled,
}

fn denied(draft: Box<Draft>, now: Now, error: Error) -> Completion {
    let error = error.in_operation(draft.operation);
    Completion::denied(draft, now, error)
}

/// Passes on everything there is to tell. Nothing is kept where nobody listens.
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

fn is_throttled(status: StatusCode) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
}

/// Told what happens, as it happens: for progress bars, logs, metrics and tests. No event holds a
/// secret.
pub trait Observer: Send + Sync {
    /// Something happened. Called by the thread it happened on; it should return soon.
    fn event(&self, now: Now, event: &Event<'_>);
}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An exchange goes out.
    Launched {
        /// What it is made of: its operation, and what is computed over its body.
        draft: &'a Draft,
    },
    /// An exchange can't go out yet, for the limits of the client ([`Traffic`]). Told once for each wait.
    Queued {
        /// Its operation.
        operation: &'static str,
        /// How many requests may be in flight at this moment.
        at_once: u32,
        /// How many exchanges wait for one of these to end, this one included; 0 where it waits for the
        /// limit of requests a second.
        waiting: usize,
    },
    /// An exchange ended.
    Ended {
        /// Its operation.
        operation: &'static str,
        /// The status of the answer.
        status: Option<StatusCode>,
        /// Why there is no answer.
        error: Option<&'a Error>,
        /// From when it was sealed until now.
        elapsed: Duration,
    },
    /// The proof of an exchange was refused; it goes out again with a new one.
    Replayed {
        /// Its operation.
        operation: &'static str,
    },
    /// A machine or an authority has something to tell.
    Noticed(&'a Notice),
    /// Payload bytes were handed to the network.
    Sent {
        /// How many since the last such event of the exchange.
        bytes: u64,
    },
    /// Payload bytes were handed to the caller's sink.
    Received {
        /// How many since the last such event of the exchange.
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

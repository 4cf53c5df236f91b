//! One operation with its retries.

mod boxed;
mod guard;
mod outcome;

use std::sync::Arc;

use http::StatusCode;

pub use self::boxed::BoxedCall;
use self::guard::Guard;
pub(in crate::machine) use self::outcome::Permit;
use self::outcome::{Failed, Looking, Repeat};
use crate::checksum::Value;
use crate::contract::{Machine, OnFailure, Operation, Service, Step};
use crate::error::{Error, ExchangeError, ExchangeErrorKind, Kind};
use crate::http::{Completion, Draft, Reply, Ticket};
use crate::now::{Now, Wait};
use crate::retry::{Attempts, Idempotency, RetryDecision};

/// One [`Operation`] with retries. A transient or throttled failure is retried after a delay, a
/// redirect to another region is followed once, and an error inside a response of 200 counts as an
/// error.
///
/// ```text
///          ┌───────────── delay has elapsed ────────────┐
///          ▼                                            │
///   Ready ──send──▶ Sent ──failed, and is retried───▶ Backoff
///    ▲               │                                  ▲
///    │               ├──success, or final error──▶ Over
///    │               ├──to be verified─────▶ Asked ──▶ Over, or Backoff
///    └── a look ─────┘                                  │ not applied, and is retried
///         failed, and may have been applied ────────────┘
/// ```
///
/// A write is not retried because the body of its 2xx response is unreadable or was cut off. If the
/// write failed and an attempt may have been applied, the operation checks what was stored
/// ([`Operation::recover`]). If nothing proves the outcome, the error says that the [outcome is
/// unknown](Error::outcome_unknown). The exception is a part of a multipart upload
/// ([`Operation::REPLACES_UNSEEN`]).
#[derive(Debug)]
pub struct Call<O: Operation> {
    operation: O,
    service: Arc<O::Service>,
    auth: usize,
    attempts: Attempts,
    state: State<O::Output>,
    looking: Option<Looking>,
    guard: Option<Guard>,
    sequence: u32,
    seed: u64,
    redirected: bool,
    /// How often the request was drafted otherwise after a refusal of something in it.
    redrafted: u32,
    /// Whether the credentials of the last attempt were refused, and the next one has others.
    replays: bool,
    /// How often a look was out of date before the request was sent.
    outdated: u32,
    /// The failure before the last look.
    failure: Option<Error>,
    doubtful: bool,
    /// Attempts without a response, or with one of a gateway that timed out: the server may still
    /// apply them.
    under_way: UnderWay,
    recovered: bool,
    cancelled: bool,
    /// Whether the outcome is determined even after a cancellation.
    persists: bool,
    /// Whether the next request of the pump gets the place of this one.
    keeps_place: bool,
    /// Whether the body was read again, to be hashed.
    hashed: bool,
    computed: Vec<Value>,
    /// The checksums of the body, of all attempts.
    all_computed: Vec<Value>,
    /// The follow-up request, to be sent next.
    question: Option<Box<Draft>>,
}

#[derive(Debug)]
enum State<T> {
    Ready,
    Sent(Ticket),
    /// The response may be incomplete or differ from what is stored: a follow-up request is in
    /// flight.
    Asked(Ticket, Box<T>, Box<Reply>),
    Backoff(Wait),
    /// The output is boxed from here on, because it is moved through many functions.
    Over(Option<Result<Box<T>, Error>>),
}

/// An output, and the follow-up request that it needs.
type Parsed<O> = (Box<<O as Operation>::Output>, Option<Box<Draft>>);

/// Attempts that the server may still apply.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnderWay {
    /// All of them.
    pub(super) attempts: u32,
    /// Those that a cancellation ended, rather than a failure of the server or of the network.
    pub(super) cancelled: u32,
}

impl UnderWay {
    fn add(&mut self, may_apply: bool, cancelled: bool) {
        self.attempts += u32::from(may_apply);
        self.cancelled += u32::from(may_apply && cancelled);
    }
}

impl<O: Operation> Call<O> {
    /// Creates a call of `operation` at `service`; `seed` decides the jitter of the delays.
    #[inline]
    pub fn new(operation: O, service: Arc<O::Service>, seed: u64) -> Self {
        Self {
            operation,
            service,
            auth: 0,
            attempts: Attempts::new(seed),
            state: State::Ready,
            looking: None,
            guard: None,
            sequence: 0,
            seed,
            redirected: false,
            redrafted: 0,
            replays: false,
            outdated: 0,
            failure: None,
            doubtful: false,
            under_way: UnderWay::default(),
            recovered: false,
            cancelled: false,
            persists: false,
            keeps_place: false,
            hashed: false,
            computed: Vec::new(),
            all_computed: Vec::new(),
            question: None,
        }
    }

    /// Uses the authenticator at position `auth` of the pump's list. The default is the first, 0.
    #[must_use]
    pub fn with_auth(mut self, auth: usize) -> Self {
        self.auth = auth;
        self
    }

    /// Determines the outcome even after a cancellation.
    #[cfg(feature = "swift")]
    pub(super) fn persisting(mut self) -> Self {
        self.persists = true;
        self
    }

    /// Lets the next request of the pump have the place that this one had under the client's limits:
    /// a write that depends on what this one shows.
    pub(super) fn keeping_place(mut self) -> Self {
        self.keeps_place = true;
        self
    }

    /// Returns the operation.
    pub fn operation(&self) -> &O {
        &self.operation
    }

    /// Returns how many times the operation was sent.
    pub fn attempts(&self) -> u32 {
        self.attempts.made()
    }

    /// Returns whether the server may have applied an attempt that failed: its response was lost,
    /// unreadable or a server error.
    pub fn outcome_unknown(&self) -> bool {
        self.doubtful
    }

    /// Returns how many attempts the server may still apply: they have no response, or one of a
    /// gateway that timed out (502, 504).
    pub(super) fn under_way(&self) -> UnderWay {
        self.under_way
    }

    /// Returns whether a check proved the success of an operation whose response was lost.
    pub fn is_recovered(&self) -> bool {
        self.recovered
    }

    /// Returns the checksums that were computed over the body of the last attempt.
    pub fn computed(&self) -> &[Value] {
        &self.computed
    }

    /// Returns whether an exchange is in flight.
    pub fn is_in_flight(&self) -> bool {
        matches!(self.state, State::Sent(_) | State::Asked(..))
    }

    fn send(&mut self) -> Result<Box<Draft>, Error> {
        let mut draft = match &mut self.looking {
            Some(looking) => {
                looking.attempts.sent();
                let mut draft = looking.draft.clone();
                draft.keeps_place = looking.decides();
                draft
            }
            None => {
                let draft = self.operation.draft(&self.service);
                let mut draft = draft.map_err(|error| error.in_operation(O::NAME))?;
                let looks = self.guard.is_some() || self.looks_before_repeating();
                draft.after_look = looks && self.outdated < MOST_OUTDATED;
                draft.replayed = std::mem::take(&mut self.replays);
                draft.keeps_place = self.keeps_place;
                self.attempts.sent();
                draft
            }
        };
        self.sequence += 1;
        draft.auth = self.auth;
        draft.ticket = Ticket::new(self.sequence);
        self.state = State::Sent(draft.ticket);
        Ok(draft)
    }

    fn read(&self, reply: &Reply) -> Result<Parsed<O>, Error> {
        let output = self.operation.parse_boxed(&self.service, reply)?;
        self.operation.confirm(&output, &self.computed)?;
        let question = self.operation.question(&self.service, reply, &output)?;
        Ok((output, question))
    }

    fn ask(&mut self, output: Box<O::Output>, reply: Reply, mut question: Box<Draft>) {
        self.sequence += 1;
        question.auth = self.auth;
        question.ticket = Ticket::new(self.sequence);
        self.state = State::Asked(question.ticket, output, Box::new(reply));
        self.question = Some(question);
    }

    /// Handles the response to the follow-up request.
    fn settled(&mut self, now: Now, done: Completion) {
        let state = std::mem::replace(&mut self.state, State::Over(None));
        let State::Asked(_, output, first) = state else { return };
        let settled = done.into_parts().1.and_then(|told| match &told.cut {
            Some(cut) => Err(Error::from(cut.clone()).with_status(told.status())),
            None => self.operation.settle(&first, &told),
        });
        match settled {
            Ok(()) => self.succeed(output),
            Err(error) => self.failed(now, error, true, false),
        }
    }

    fn succeed(&mut self, output: Box<O::Output>) {
        self.attempts.succeeded(self.service.retry_policy());
        self.state = State::Over(Some(Ok(output)));
    }

    /// Handles the end of an attempt.
    fn attempted(&mut self, now: Now, done: Completion) {
        let can_resend = done.can_resend();
        let sent = done.sent();
        let unexpected = done.refuses_expectation();
        if done.is_outdated() {
            return self.outdated(now, done);
        }
        // A server that has received only a part of the body has not applied the request. A count
        // of 0 means that it is unknown how much was sent.
        let whole = sent == 0 || sent >= done.draft().body.len();
        self.computed = done.computed().to_vec();
        self.keep_computed();
        match done.into_parts().1 {
            Ok(reply) if unexpected && can_resend && self.redrafted < MOST_REDRAFTS => {
                // The server takes the request without the expectation, which is not sent again.
                self.redrafted += 1;
                let error = Error::refused(reply.status(), None, None);
                let retry_policy = self.service.retry_policy();
                let next = self.attempts.next(now, retry_policy, RetryDecision::Otherwise, &error);
                match next.filter(|_| !self.cancelled) {
                    Some(wait) => self.repeat_after(now, wait, error),
                    None => self.answered(now, reply, can_resend, whole),
                }
            }
            Ok(reply) => self.answered(now, reply, can_resend, whole),
            Err(error) => {
                // A success that arrived too early means that the server did something with a part
                // of the body.
                let early = error
                    .exchange_error()
                    .is_some_and(|why| why.kind() == ExchangeErrorKind::Unsent);
                let acted = (whole || early) && may_have_acted(&error);
                self.doubtful |= acted;
                self.under_way.add(acted, error.is_cancelled());
                let error = if can_resend { error } else { error.with_sent_once(sent) };
                self.failed(now, error, can_resend, acted);
            }
        }
    }

    /// Looks again before the request is sent with other credentials, or after a wait for them.
    fn outdated(&mut self, now: Now, done: Completion) {
        self.outdated += 1;
        let error = match done.into_parts().1 {
            Ok(reply) => {
                self.replays = true;
                Error::refused(reply.status(), None, None)
            }
            Err(error) => self.failure.take().unwrap_or(error),
        };
        let failed = Failed { error: self.named(error), repeat: Repeat::Decided(None) };
        match self.looks_before_repeating() {
            true => self.conclude(now, failed, Vec::new()),
            false => self.look_first(failed),
        }
    }

    fn keep_computed(&mut self) {
        for value in &self.computed {
            if !self.all_computed.contains(value) {
                self.all_computed.push(*value);
            }
        }
    }

    fn answered(&mut self, now: Now, reply: Reply, can_resend: bool, whole: bool) {
        let writes = self.operation.idempotency() != Idempotency::Read;
        let accepted = reply.status().is_success();
        let error = match &reply.cut {
            None => match self.read(&reply) {
                Ok((output, Some(question))) => return self.ask(output, reply, question),
                Ok((output, None)) => {
                    let output = match self.doubtful {
                        true => Box::new(self.operation.repeated(*output)),
                        false => output,
                    };
                    return self.succeed(output);
                }
                Err(error) => error,
            },
            Some(cut) => {
                let output = accepted.then(|| self.operation.parse_head(&reply)).flatten();
                match output.map(|it| self.operation.confirm(&it, &self.computed).map(|()| it)) {
                    Some(Ok(output)) => return self.succeed(Box::new(output)),
                    Some(Err(error)) => error,
                    None => Error::from(cut.clone()).with_status(reply.status()),
                }
            }
        };
        let unreadable = reply.cut.is_some()
            || reply.rejected.is_some()
            || error.kind() == Kind::InvalidResponse;
        if writes && accepted && unreadable {
            // The server said that it has applied the request, or that it will.
            self.doubtful = true;
            let may_follow = reply.cut.is_some() || reply.status() == StatusCode::ACCEPTED;
            self.under_way.add(may_follow, false);
            // A sink that refused the body once would refuse it again.
            let repeats = can_resend && self.decision(&error) != RetryDecision::Final;
            let repeat = match reply.cut.is_some() && O::REPLACES_UNSEEN {
                _ if !repeats => Repeat::No,
                true => Repeat::Anyway,
                false => Repeat::Proven,
            };
            let failed = Failed { error: self.named(error), repeat };
            return self.conclude(now, failed, Vec::new());
        }
        let acted = whole && self.may_have_acted(reply.status(), &error);
        self.doubtful |= acted;
        self.under_way.add(acted && matches!(reply.status().as_u16(), 502 | 504), false);
        self.failed(now, error, can_resend, acted);
    }

    /// Returns whether the server may have applied the request, or a part of it, before it
    /// responded with this error: yes for a server error, except throttling, 501 and 505, and for a
    /// 2xx response whose error code is that of a server error.
    fn may_have_acted(&self, status: StatusCode, error: &Error) -> bool {
        let decision = self.service.judge(error, Idempotency::Once);
        match status.as_u16() {
            200..=299 => decision == RetryDecision::Transient,
            501 | 505 => false,
            status => status >= 500 && decision != RetryDecision::Throttled,
        }
    }

    fn named(&self, error: Error) -> Error {
        let error = error.in_operation(O::NAME).with_attempts(self.attempts.made());
        self.service.advise(error)
    }

    /// Handles a failed attempt; `acted` says whether the attempt may have been applied.
    fn failed(&mut self, now: Now, error: Error, can_resend: bool, acted: bool) {
        let error = self.named(error);
        let once = acted && self.operation.idempotency() == Idempotency::Once;
        match self.again(now, &error, can_resend && !once) {
            Some(wait) => self.repeat_after(now, wait, error),
            None => self.conclude(now, Failed { error, repeat: Repeat::No }, Vec::new()),
        }
    }

    /// Retries after the delay. If an attempt may have been applied, and the server may ignore the
    /// operation's condition, a look decides after the delay whether the operation is sent.
    fn repeat_after(&mut self, now: Now, wait: Wait, error: Error) {
        let repeat = Repeat::Decided(Some(wait));
        if self.looks_before_repeating() {
            self.conclude(now, Failed { error, repeat }, Vec::new());
        } else if self.guard.is_some() {
            self.look_first(Failed { error, repeat });
        } else {
            self.state = State::Backoff(wait);
        }
    }

    fn looks_before_repeating(&self) -> bool {
        self.doubtful && self.operation.looks_before_repeating(&self.service)
    }

    fn decision(&self, error: &Error) -> RetryDecision {
        let idempotency = self.operation.idempotency();
        decision(error).unwrap_or_else(|| self.service.judge(error, idempotency))
    }

    fn again(&mut self, now: Now, error: &Error, can_resend: bool) -> Option<Wait> {
        if self.cancelled || !can_resend {
            return None;
        }
        let decision = self.decision(error);
        if decision == RetryDecision::Elsewhere {
            let resource = self.operation.resource()?;
            if std::mem::replace(&mut self.redirected, true) || !self.service.learn(resource, error)
            {
                return None;
            }
        }
        if decision == RetryDecision::Otherwise {
            let resource = self.operation.resource()?;
            self.redrafted += 1;
            if self.redrafted > MOST_REDRAFTS || !self.service.learn(resource, error) {
                return None;
            }
        }
        self.attempts.next(now, self.service.retry_policy(), decision, error)
    }

    /// Does what [`Machine::poll`] does, and leaves the output in its box.
    fn step(&mut self, now: Now) -> Step<Box<O::Output>> {
        if let State::Backoff(wait) = self.state {
            if now.tick < wait.until {
                return Step::Wait(Some(wait));
            }
            self.state = State::Ready;
        }
        if let Some(draft) = self.question.take() {
            return Step::Send(draft);
        }
        match &mut self.state {
            State::Ready => match self.send() {
                Ok(draft) => Step::Send(draft),
                Err(error) => {
                    self.state = State::Over(None);
                    Step::Done(Err(error))
                }
            },
            State::Over(result) => match result.take() {
                Some(result) => Step::Done(result),
                None => Step::Wait(None),
            },
            State::Sent(_) | State::Asked(..) | State::Backoff(_) => Step::Wait(None),
        }
    }
}

impl<O: Operation> Machine for Call<O> {
    type Output = O::Output;

    fn poll(&mut self, now: Now) -> Step<O::Output> {
        match self.step(now) {
            Step::Send(draft) => Step::Send(draft),
            Step::Wait(wait) => Step::Wait(wait),
            Step::Done(result) => Step::Done(result.map(|output| *output)),
        }
    }

    fn complete(&mut self, now: Now, done: Completion) {
        match &self.state {
            State::Sent(ticket) if *ticket == done.draft().ticket => {}
            State::Asked(ticket, ..) if *ticket == done.draft().ticket => {
                return self.settled(now, done);
            }
            _ => return,
        }
        match self.looking {
            Some(_) => self.looked(now, done),
            None => self.attempted(now, done),
        }
    }

    /// Waits for an attempt in flight; if the attempt succeeds, so does the call.
    fn cancel(&mut self, now: Now, _: OnFailure) {
        self.cancelled = true;
        let asks = self.question.take().is_some();
        if !asks && !matches!(self.state, State::Ready | State::Backoff(_)) {
            return;
        }
        if self.persists && self.doubtful && self.looking.is_some() {
            return;
        }
        if let Some(looking) = self.looking.take()
            && self.doubtful
        {
            return self.unknown(looking.failed.error);
        }
        let error = Error::from(ExchangeError::cancelled()).in_operation(O::NAME);
        let error = error.with_attempts(self.attempts.made());
        if self.persists {
            let failed = Failed { error, repeat: Repeat::No };
            self.conclude(now, failed, Vec::new());
        } else if self.doubtful && self.operation.idempotency() != Idempotency::Read {
            self.unknown(error);
        } else {
            self.state = State::Over(Some(Err(error)));
        }
    }

    fn is_long(&self) -> bool {
        false
    }
}

/// How often a call is drafted otherwise at most.
const MOST_REDRAFTS: u32 = 2;
/// How many looks are repeated at most because their request had to wait.
const MOST_OUTDATED: u32 = 8;

/// Decides as [`RetryDecision::of_failure`], but never retries an error of the caller or of an
/// authenticator.
pub(super) fn decision(error: &Error) -> Option<RetryDecision> {
    if error.kind() == Kind::InvalidInput || error.kind() == Kind::Auth {
        return Some(RetryDecision::Final);
    }
    RetryDecision::of_failure(error)
}

/// Returns whether the server may have received a request that has no response.
pub(super) fn may_have_acted(error: &Error) -> bool {
    error.exchange_error().is_some_and(|failure| {
        !failure.is_before_request()
            && matches!(
                failure.kind(),
                ExchangeErrorKind::Timeout
                    | ExchangeErrorKind::Closed
                    | ExchangeErrorKind::Cut
                    | ExchangeErrorKind::Unsent
                    | ExchangeErrorKind::Cancelled
                    | ExchangeErrorKind::Protocol
            )
    })
}

//! One operation, sent until it is answered.

use std::sync::Arc;

use crate::checksum::Value;
use crate::contract::{Class, Leave, Machine, Operation, Service, Step, Verdict, Wait};
use crate::error::{Cause, Error, Failure, Kind};
use crate::http::{Completion, Draft, Reply, Ticket};
use crate::machine::Attempts;
use crate::now::Now;

/// One [`Operation`] with retries: transient and throttled answers are repeated after a delay, a
/// redirect to another region is followed once, an error inside an answer of 200 counts as an error.
///
/// ```text
///          ┌────────────── back-off over ───────────────┐
///          ▼                                            │
///   Ready ──send──▶ Sent ──failed, worth repeating──▶ Backoff
///                    │
///                    ├──answered, or nothing helps──▶ Over
///                    └──answered in doubt──▶ Asked ──▶ Over, or Backoff
/// ```
#[derive(Debug)]
pub struct Call<O: Operation> {
    operation: O,
    service: Arc<O::Service>,
    party: usize,
    attempts: Attempts,
    state: State<O::Output>,
    sequence: u32,
    redirected: bool,
    doubtful: bool,
    cancelled: bool,
    stamped: Vec<Value>,
    /// To be sent next.
    question: Option<Box<Draft>>,
}

#[derive(Debug)]
enum State<T> {
    Ready,
    Sent(Ticket),
    /// What came may not be whole, or not as it is stored: a question about it is in flight.
    Asked(Ticket, T, Box<Reply>),
    Backoff(Wait),
    Over(Option<Result<T, Error>>),
}

impl<O: Operation> Call<O> {
    /// Calls `operation` at `service`; `seed` decides the jitter of the delays.
    pub fn new(operation: O, service: Arc<O::Service>, seed: u64) -> Self {
        Self {
            operation,
            service,
            party: 0,
            attempts: Attempts::new(seed),
            state: State::Ready,
            sequence: 0,
            redirected: false,
            doubtful: false,
            cancelled: false,
            stamped: Vec::new(),
            question: None,
        }
    }

    /// Goes under this one of the pump's authorities.
    #[must_use]
    pub fn under(mut self, party: usize) -> Self {
        self.party = party;
        self
    }

    /// The operation.
    pub fn operation(&self) -> &O {
        &self.operation
    }

    /// How many times it was sent.
    pub fn attempts(&self) -> u32 {
        self.attempts.made()
    }

    /// Whether the server may have acted on an attempt whose answer was lost.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// What was computed over the body of the last attempt.
    pub fn stamped(&self) -> &[Value] {
        &self.stamped
    }

    /// Whether an exchange is in flight.
    pub fn is_in_flight(&self) -> bool {
        matches!(self.state, State::Sent(_) | State::Asked(..))
    }

    fn send(&mut self) -> Result<Box<Draft>, Error> {
        let mut draft =
            self.operation.draft(&self.service).map_err(|error| error.in_operation(O::NAME))?;
        self.sequence += 1;
        draft.party = self.party;
        draft.ticket = Ticket::new(self.sequence);
        self.attempts.sent();
        self.state = State::Sent(draft.ticket);
        Ok(draft)
    }

    fn read(&self, reply: &Reply) -> Result<(O::Output, Option<Box<Draft>>), Error> {
        let output = self.operation.parse(&self.service, reply)?;
        self.operation.confirm(&output, &self.stamped)?;
        let question = self.operation.question(&self.service, reply, &output)?;
        Ok((output, question))
    }

    fn succeeded(&mut self, output: O::Output) {
        self.attempts.succeeded(self.service.patience());
        self.state = State::Over(Some(Ok(output)));
    }

    fn ask(&mut self, output: O::Output, reply: Reply, mut question: Box<Draft>) {
        self.sequence += 1;
        question.party = self.party;
        question.ticket = Ticket::new(self.sequence);
        self.state = State::Asked(question.ticket, output, Box::new(reply));
        self.question = Some(question);
    }

    /// The answer to the question.
    fn answered(&mut self, now: Now, done: Completion) {
        let state = std::mem::replace(&mut self.state, State::Over(None));
        let State::Asked(_, output, first) = state else { return };
        let settled = done.into_parts().1.and_then(|told| match &told.cut {
            Some(cut) => Err(Error::from(cut.clone()).with_status(told.status())),
            None => self.operation.settle(&first, &told),
        });
        match settled {
            Ok(()) => self.succeeded(output),
            Err(error) => self.failed(now, error, true),
        }
    }

    fn failed(&mut self, now: Now, error: Error, can_resend: bool) {
        let error = error.in_operation(O::NAME).with_attempts(self.attempts.made());
        self.state = match self.again(now, &error, can_resend) {
            Some(wait) => State::Backoff(wait),
            None => State::Over(Some(Err(error))),
        };
    }

    fn again(&mut self, now: Now, error: &Error, can_resend: bool) -> Option<Wait> {
        if self.cancelled || !can_resend {
            return None;
        }
        let class = self.operation.class();
        let verdict = match verdict(error, class) {
            Some(verdict) => verdict,
            None => self.service.judge(error, class),
        };
        if verdict == Verdict::Elsewhere {
            let resource = self.operation.resource()?;
            if std::mem::replace(&mut self.redirected, true) || !self.service.learn(resource, error)
            {
                return None;
            }
        }
        self.attempts.next(now, self.service.patience(), verdict, error)
    }
}

impl<O: Operation> Machine for Call<O> {
    type Output = O::Output;

    fn poll(&mut self, now: Now) -> Step<O::Output> {
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

    fn complete(&mut self, now: Now, done: Completion) {
        match &self.state {
            State::Sent(ticket) if *ticket == done.draft().ticket => {}
            State::Asked(ticket, ..) if *ticket == done.draft().ticket => {
                return self.answered(now, done);
            }
            _ => return,
        }
        let can_resend = done.can_resend();
        let sent = done.sent();
        self.stamped = done.stamped().to_vec();
        match done.into_parts().1 {
            Ok(reply) if reply.cut.is_none() => match self.read(&reply) {
                Ok((output, None)) => self.succeeded(output),
                Ok((output, Some(question))) => self.ask(output, reply, question),
                Err(error) => {
                    // An error of the server's own tells nothing of what it did before.
                    self.doubtful |=
                        reply.status().is_server_error() || reply.status().is_success();
                    self.failed(now, error, can_resend);
                }
            },
            Ok(reply) => {
                self.doubtful = true;
                let cut = reply.cut.clone().unwrap_or_else(Failure::cancelled);
                self.failed(now, Error::from(cut).with_status(reply.status()), can_resend);
            }
            Err(error) => {
                self.doubtful |= may_have_acted(&error);
                let error = if can_resend { error } else { error.with_sent_once(sent) };
                self.failed(now, error, can_resend);
            }
        }
    }

    /// An attempt in flight is waited for, and if it succeeds, so does the call.
    fn cancel(&mut self, _: Now, _: Leave) {
        self.cancelled = true;
        if matches!(self.state, State::Ready | State::Backoff(_)) || self.question.take().is_some()
        {
            let error = Error::from(Failure::cancelled()).in_operation(O::NAME);
            self.state = State::Over(Some(Err(error.with_attempts(self.attempts.made()))));
        }
    }

    fn is_long(&self) -> bool {
        false
    }
}

/// What is to be done about a failure on the wire; `None` when the server answered.
pub(super) fn verdict(error: &Error, class: Class) -> Option<Verdict> {
    if error.kind() == Kind::Caller || error.kind() == Kind::Authority {
        return Some(Verdict::Final);
    }
    let failure = error.failure()?;
    Some(match failure.cause() {
        _ if failure.is_lasting() => Verdict::Final,
        Cause::Resolve | Cause::Connect | Cause::Proxy => Verdict::Transient,
        Cause::Timeout | Cause::Closed | Cause::Cut | Cause::Unsent if class != Class::Once => {
            Verdict::Transient
        }
        _ => Verdict::Final,
    })
}

/// Whether the server may have got the request although it did not answer.
pub(super) fn may_have_acted(error: &Error) -> bool {
    error.failure().is_some_and(|failure| {
        matches!(
            failure.cause(),
            Cause::Timeout
                | Cause::Closed
                | Cause::Cut
                | Cause::Unsent
                | Cause::Cancelled
                | Cause::Protocol
        )
    })
}

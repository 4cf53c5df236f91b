//! Connections that give ureq substitutes for what is said over them.
//!
//! ```text
//!            ureq                                    here                          on the wire
//!   PUT / HTTP/1.1, length 9   ─────────▶  dropped; the true head instead  ─────▶  PUT /bucket/key?…
//!   9 bytes of body            ─────────▶  as they are                     ─────▶  9 bytes
//!   100 Continue               ◀─────────  the first, where it is asked for  ◀───  100, 102, 103, …
//!   200 OK, length 1           ◀─────────  read, kept for the exchange     ◀─────  206, x-amz-…
//!   1 byte                     ◀─────────  the exchange has read the body  ◀─────  1,000,000 bytes
//! ```
//!
//! ureq writes all it sends as a head, and all it receives, to the log at the level `TRACE`: tokens,
//! signatures, answers to logins. What it never gets, it can't write. So it makes connections, keeps
//! them and sends bodies, which it does not write; heads and answers are told apart from it, through a
//! [`Conversation`].
//!
//! Other reasons to read answers here: ureq takes an answer whose connection was reset for complete;
//! it has one limit for each read, whether of a head or of a body, and none for the whole of either;
//! it takes a `100 Continue` with header fields for no HTTP, though they are allowed (RFC 9110,
//! section 15.2); and while it waits for one, it does not see a final answer that is in its buffer.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use apus_core::error::{Cause, Failure};
use apus_core::http::{AnswerBody, Limits, MOST_INFORMATIONAL, Pace, TOO_SLOW, read_head};
use http::{Method, StatusCode, response};
use ureq::unversioned::transport::time::Duration as Wait;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, Timeout};

use crate::proxy::transmit;

/// The head of an answer, its body, and the connection where that is still to be read.
type Answered = (response::Parts, AnswerBody, Option<Box<dyn Transport>>);

/// What an exchange and the connection it goes over tell each other past ureq.
pub(crate) struct Conversation(Mutex<State>);

struct State {
    /// The head as it goes on the wire.
    request: Vec<u8>,
    method: Method,
    /// From the last byte sent to the head of the answer.
    first_byte: Option<Duration>,
    /// What the body of the request is held to, by times since `begun`.
    pace: Pace,
    window: Option<Wait>,
    begun: Instant,
    answer: Option<(response::Parts, AnswerBody)>,
    /// The connection, while the exchange reads the body of the answer.
    line: Option<Box<dyn Transport>>,
}

thread_local! {
    /// What the next head that ureq sends on this thread belongs to. ureq has no way for it: a
    /// connection knows nothing of the request that it is used for.
    static NEXT: RefCell<Option<Arc<Conversation>>> = const { RefCell::new(None) };
}

impl Conversation {
    pub(crate) fn new(request: Vec<u8>, method: Method, limits: &Limits) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            request,
            method,
            first_byte: limits.first_byte,
            pace: Pace::new(limits.rate),
            window: limits.rate.map(|rate| rate.over.into()),
            begun: Instant::now(),
            answer: None,
            line: None,
        })))
    }

    /// Runs `send`, in which ureq sends one head: this conversation's.
    pub(crate) fn hold<T>(self: &Arc<Self>, send: impl FnOnce() -> T) -> T {
        /// Takes back what nobody took, also when a caller's source panics.
        struct Taken;
        impl Drop for Taken {
            fn drop(&mut self) {
                NEXT.take();
            }
        }
        NEXT.set(Some(Arc::clone(self)));
        let _taken = Taken;
        send()
    }

    /// Whether anything of the request may have left.
    pub(crate) fn has_begun(&self) -> bool {
        self.state().request.is_empty()
    }

    /// The true answer, and the connection where a body follows.
    pub(crate) fn take_answer(&self) -> Option<Answered> {
        let mut state = self.state();
        let (head, body) = state.answer.take()?;
        Some((head, body, state.line.take()))
    }

    /// The body was read to its end, and the connection may be used again.
    pub(crate) fn give_back(&self, line: Box<dyn Transport>) {
        self.state().line = Some(line);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conversation")
    }
}

/// Wraps what another connector made.
#[derive(Debug)]
pub(crate) struct Substitute;

impl<T: Transport> Connector<T> for Substitute {
    type Out = Substituted;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<T>,
    ) -> Result<Option<Substituted>, Error> {
        Ok(chained.map(|line| Substituted {
            line: Some(Box::new(line)),
            conversation: None,
            told: Vec::new(),
            since: None,
            informational: 0,
            asked: false,
        }))
    }
}

/// A connection as ureq sees it.
#[derive(Debug)]
pub(crate) struct Substituted {
    /// Gone while the exchange reads the body of an answer from it.
    line: Option<Box<dyn Transport>>,
    conversation: Option<Arc<Conversation>>,
    /// What ureq reads.
    told: Vec<u8>,
    /// Since when an answer is waited for, all having been sent.
    since: Option<Instant>,
    /// Informational answers so far.
    informational: usize,
    /// The head is sent, and nothing of the body: ureq may wait for a `100 Continue`.
    asked: bool,
}

impl Substituted {
    fn line(&mut self) -> Result<&mut Box<dyn Transport>, Error> {
        self.line.as_mut().ok_or_else(|| Error::Io(std::io::ErrorKind::NotConnected.into()))
    }

    /// Reads on until there is something to tell ureq. False when the connection ended.
    fn await_head(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let Some(conversation) = self.conversation.clone() else { return Ok(false) };
        let since = *self.since.get_or_insert_with(Instant::now);
        let mut state = conversation.state();
        let (mut called, mut first) = (None, true);
        loop {
            let line = self.line()?;
            if let Some((length, head)) = read_head(line.buffers().input()).map_err(other)? {
                line.buffers().input_consume(length);
                let interim = head.status.is_informational()
                    && head.status != StatusCode::SWITCHING_PROTOCOLS;
                if !interim {
                    let body = AnswerBody::of(&state.method, &head);
                    self.tell(&body);
                    if !body.is_over() {
                        state.line = self.line.take();
                    }
                    state.answer = Some((head, body));
                    return Ok(true);
                }
                self.informational += 1;
                if self.informational > MOST_INFORMATIONAL {
                    let detail = format!("more than {MOST_INFORMATIONAL} informational answers");
                    return Err(other(Failure::new(Cause::Protocol, detail)));
                }
                if self.asked && head.status == StatusCode::CONTINUE {
                    self.told.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    return Ok(true);
                }
                continue;
            }
            // The first wait is as long as the limit, so that the system need not be told a new one
            // for each answer.
            let passed = |since: Instant| if first { Duration::ZERO } else { since.elapsed() };
            let mut wait = NextTimeout { per_read: None, ..timeout };
            if let Some(begun) = called {
                wait = shorter(wait, timeout.after, passed(begun), timeout.reason);
            }
            if let Some(limit) = state.first_byte {
                wait = shorter(wait, limit.into(), passed(since), Timeout::RecvResponse);
            }
            if wait.after.is_zero() {
                return Err(Error::Timeout(wait.reason));
            }
            (called, first) = (Some(*called.get_or_insert_with(Instant::now)), false);
            if !self.line()?.await_input(wait)? {
                return Ok(false);
            }
        }
    }

    /// Sends bytes of the body. What the caller's source takes in between is not the peer's time.
    fn transmit_body(&mut self, amount: usize, mut timeout: NextTimeout) -> Result<(), Error> {
        let Some(conversation) = self.conversation.clone() else {
            return self.line()?.transmit_output(amount, timeout);
        };
        let mut state = conversation.state();
        let begun = state.begun;
        state.pace.wait(begun.elapsed());
        // Of what is handed over, something must be taken in each window, and enough of it in all.
        if let Some(window) = state.window
            && timeout.per_write.is_none_or(|write| write > window)
        {
            timeout.per_write = Some(window);
        }
        self.line()?.transmit_output(amount, timeout)?;
        let now = begun.elapsed();
        if !state.pace.moved(now, amount as u64) {
            return Err(other(Failure::new(Cause::Timeout, TOO_SLOW)));
        }
        state.pace.rest(now);
        Ok(())
    }

    /// Tells ureq of an answer that is like the true one in what ureq has to know: whether it has a
    /// body, and whether another may follow.
    fn tell(&mut self, body: &AnswerBody) {
        self.told.clear();
        self.told.extend_from_slice(match (body.is_over(), body.keeps_alive()) {
            (false, _) => b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n",
            (true, true) => b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            (true, false) => b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
        });
    }
}

impl Transport for Substituted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.since = None;
        self.asked = false;
        let Some(conversation) = NEXT.take() else {
            return self.transmit_body(amount, timeout);
        };
        let request = std::mem::take(&mut conversation.state().request);
        self.conversation = Some(conversation);
        (self.informational, self.asked) = (0, true);
        self.told.clear();
        transmit(&mut **self.line()?, &request, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if self.line.is_some() {
            return self.await_head(timeout);
        }
        // The exchange has read the body, and wants ureq to keep the connection.
        let line = self.conversation.as_ref().and_then(|told| told.state().line.take());
        self.line = line;
        self.line()?;
        self.told.push(b'.');
        Ok(true)
    }

    fn is_open(&mut self) -> bool {
        // Bytes that nobody asked for belong to no answer.
        self.line.as_mut().is_some_and(|line| line.buffers().input().is_empty() && line.is_open())
    }

    fn is_tls(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.is_tls())
    }
}

/// What is sent goes into the buffer of the connection; what is read is what was told.
impl Buffers for Substituted {
    fn output(&mut self) -> &mut [u8] {
        self.line.as_mut().map_or_else(Default::default, |line| line.buffers().output())
    }

    fn input(&self) -> &[u8] {
        &self.told
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input_appended(&mut self, _: usize) {}

    fn input_consume(&mut self, amount: usize) {
        self.told.drain(..amount.min(self.told.len()));
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        // ureq uses the first for bodies without a length, of which we send none.
        (&mut [], self.output())
    }

    fn can_use_input(&self) -> bool {
        // Only what is complete is told.
        !self.told.is_empty()
    }
}

/// `wait`, or what is left of `limit` after `passed` where that is less.
fn shorter(wait: NextTimeout, limit: Wait, passed: Duration, reason: Timeout) -> NextTimeout {
    let left = match limit {
        Wait::Exact(limit) => Wait::Exact(limit.saturating_sub(passed)),
        Wait::NotHappening => return wait,
    };
    if left < wait.after { NextTimeout { after: left, reason, ..wait } } else { wait }
}

fn other(failure: Failure) -> Error {
    Error::Other(Box::new(failure))
}

//! Connections that show ureq substitutes instead of the real heads and responses.
//!
//! ```text
//!             ureq                                  here                            server
//!   PUT / HTTP/1.1, length 9 ───────▶  dropped; the real head is sent  ─────▶  PUT /bucket/key?…
//!   9 bytes of body          ───────▶  unchanged                       ─────▶  9 bytes
//!   100 Continue             ◀───────  the first, if requested         ◀─────  100, 102, 103, …
//!   200 OK, length 1         ◀───────  parsed, kept for the exchange   ◀─────  206, x-amz-…
//!   1 byte                   ◀───────  the exchange has read the body  ◀─────  1,000,000 bytes
//! ```
//!
//! At the level `TRACE`, ureq logs all heads that it sends and everything that it receives: tokens,
//! signatures, responses to logins. It can't log what it does not get. So ureq makes and keeps
//! connections and sends bodies, which it does not log; heads and responses bypass it, through a
//! [`Conversation`].
//!
//! There are other reasons to read responses here. ureq takes a response whose connection was reset
//! for complete. It has one limit for each read, whether of a head or of a body, and none for the
//! whole of either. It rejects a `100 Continue` with header fields as invalid, although they are
//! allowed (RFC 9110, section 15.2). And while it waits for one, it does not see a final response
//! that is in its buffer.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{
    AnswerBody, Hedged, MOST_INFORMATIONAL, Pace, TOO_SLOW, Timeouts, read_head,
};
use http::{Method, StatusCode, response};
use ureq::unversioned::transport::time::Duration as Wait;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, Timeout};

use crate::proxy::transmit;

/// The head of a response, its body, and the connection if the body is still to be read.
type Answered = (response::Parts, AnswerBody, Option<Box<dyn Transport>>);

/// What an exchange and its connection tell each other without ureq.
pub(crate) struct Conversation(Mutex<State>);

struct State {
    /// The head as it is sent; empty once it was taken.
    request: Vec<u8>,
    method: Method,
    /// The limit from the last byte sent to the head of the response.
    first_byte: Option<Duration>,
    /// The minimum rate of the request's body, by times since `begun`, when the body began.
    pace: Pace,
    window: Option<Wait>,
    begun: Option<Instant>,
    /// Whether `100 Continue` arrived.
    continued: bool,
    answer: Option<(response::Parts, AnswerBody)>,
    /// Which of two requests for the same bytes this is.
    hedged: Option<Hedged>,
    /// The connection, while the exchange reads the body of the response.
    line: Option<Box<dyn Transport>>,
}

thread_local! {
    /// The conversation of the next head that ureq sends on this thread. ureq has no other way to
    /// pass it: a connection does not know the request that it is used for.
    static NEXT: RefCell<Option<Arc<Conversation>>> = const { RefCell::new(None) };
}

impl Conversation {
    pub(crate) fn new(
        request: Vec<u8>,
        method: Method,
        limits: &Timeouts,
        hedged: Option<Hedged>,
    ) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            request,
            method,
            first_byte: limits.first_byte,
            pace: Pace::new(limits.rate),
            window: limits.rate.map(|rate| rate.over.into()),
            begun: None,
            continued: false,
            answer: None,
            hedged,
            line: None,
        })))
    }

    /// Calls `send`, in which ureq sends one head: that of this conversation.
    pub(crate) fn hold<T>(self: &Arc<Self>, send: impl FnOnce() -> T) -> T {
        /// Clears the conversation if no connection took it, also when a caller's source panics.
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

    /// Whether a part of the request may have been sent.
    pub(crate) fn has_begun(&self) -> bool {
        self.state().request.is_empty()
    }

    /// Whether the server sent `100 Continue`.
    pub(crate) fn has_continued(&self) -> bool {
        self.state().continued
    }

    /// Takes the real response, and the connection if a body follows.
    pub(crate) fn take_answer(&self) -> Option<Answered> {
        let mut state = self.state();
        let (head, body) = state.answer.take()?;
        Some((head, body, state.line.take()))
    }

    /// Returns the connection after the body was read to its end.
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

/// Wraps the connections of another connector.
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
    /// Absent while the exchange reads the body of a response from it.
    line: Option<Box<dyn Transport>>,
    conversation: Option<Arc<Conversation>>,
    /// The bytes that ureq reads.
    told: Vec<u8>,
    /// When the wait for a response began, after everything was sent.
    since: Option<Instant>,
    /// Informational responses so far.
    informational: usize,
    /// The head is sent, and nothing of the body: ureq may wait for a `100 Continue`.
    asked: bool,
}

impl Substituted {
    fn line(&mut self) -> Result<&mut Box<dyn Transport>, Error> {
        self.line.as_mut().ok_or_else(|| Error::Io(std::io::ErrorKind::NotConnected.into()))
    }

    /// Reads until there is something to tell ureq. False if the connection ended.
    fn await_head(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let Some(conversation) = self.conversation.clone() else { return Ok(false) };
        let begins = self.since.is_none();
        let since = *self.since.get_or_insert_with(Instant::now);
        let now = || if begins { since } else { Instant::now() };
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
                    let detail = format!("more than {MOST_INFORMATIONAL} informational responses");
                    return Err(other(ExchangeError::new(ExchangeErrorKind::Protocol, detail)));
                }
                if self.asked && head.status == StatusCode::CONTINUE {
                    state.continued = true;
                    self.told.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    return Ok(true);
                }
                continue;
            }
            // The first wait is the whole limit, so that the socket's timeout need not change for
            // each response.
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
            (called, first) = (Some(*called.get_or_insert_with(now)), false);
            let look = NextTimeout { after: LOOK.into(), ..wait };
            let hedged = state.hedged.as_ref().filter(|_| look.after < wait.after);
            match (self.line()?.await_input(hedged.map_or(wait, |_| look)), hedged) {
                (Ok(true), _) => {}
                (Ok(false), _) => return Ok(false),
                (Err(Error::Timeout(_)), Some(hedged)) if !hedged.is_overtaken() => {}
                (Err(Error::Timeout(_)), Some(_)) => return Err(other(ExchangeError::cancelled())),
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// Sends bytes of the body. Time that the caller's source takes in between does not count.
    fn transmit_body(&mut self, amount: usize, mut timeout: NextTimeout) -> Result<(), Error> {
        let Some(conversation) = self.conversation.clone() else {
            return self.line()?.transmit_output(amount, timeout);
        };
        let mut state = conversation.state();
        let begun = *state.begun.get_or_insert_with(Instant::now);
        state.pace.wait(begun.elapsed());
        // In each window, the peer must take some of the bytes, and over time enough of them.
        if let Some(window) = state.window
            && timeout.per_write.is_none_or(|write| write > window)
        {
            timeout.per_write = Some(window);
        }
        self.line()?.transmit_output(amount, timeout)?;
        let now = begun.elapsed();
        if !state.pace.moved(now, amount as u64) {
            return Err(other(ExchangeError::new(ExchangeErrorKind::Timeout, TOO_SLOW)));
        }
        state.pace.rest(now);
        Ok(())
    }

    /// Tells ureq a response that has what ureq must know of the real one: whether it has a body,
    /// and whether the connection stays open.
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
        // The exchange has read the body; ureq keeps the connection.
        let line = self.conversation.as_ref().and_then(|told| told.state().line.take());
        self.line = line;
        self.line()?;
        self.told.push(b'.');
        Ok(true)
    }

    fn is_open(&mut self) -> bool {
        // Unsolicited bytes belong to no response.
        self.line.as_mut().is_some_and(|line| line.buffers().input().is_empty() && line.is_open())
    }

    fn is_tls(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.is_tls())
    }
}

/// Sent bytes go to the buffer of the connection; ureq reads the substitutes.
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
        // ureq uses the first buffer for bodies without a length, which are never sent here.
        (&mut [], self.output())
    }

    fn can_use_input(&self) -> bool {
        // Substitutes are always complete.
        !self.told.is_empty()
    }
}

/// Returns `wait`, or what is left of `limit` after `passed` if that is less.
fn shorter(wait: NextTimeout, limit: Wait, passed: Duration, reason: Timeout) -> NextTimeout {
    let left = match limit {
        Wait::Exact(limit) => Wait::Exact(limit.saturating_sub(passed)),
        Wait::NotHappening => return wait,
    };
    if left < wait.after { NextTimeout { after: left, reason, ..wait } } else { wait }
}

/// How often a request looks whether another for the same bytes was answered first: a thread that
/// waits for a connection can't be woken.
const LOOK: Duration = Duration::from_millis(10);

fn other(failure: ExchangeError) -> Error {
    Error::Other(Box::new(failure))
}

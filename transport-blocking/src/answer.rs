//! The body of a response, read from the connection without ureq.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{AnswerBody, Pace, Receiving, TOO_SLOW, Timeouts};
use ureq::unversioned::transport::{NextTimeout, Transport};
use ureq::{Error, Timeout};

use crate::failure;
use crate::substitute::Conversation;

/// What remains of an exchange after the head of its response.
pub(crate) struct Answer {
    pub(crate) conversation: Arc<Conversation>,
    pub(crate) body: AnswerBody,
    /// `None` if there is no body.
    pub(crate) line: Option<Box<dyn Transport>>,
    /// The body that ureq sees.
    pub(crate) told: ureq::Body,
    pub(crate) deadlines: Deadlines,
}

/// The time limits of a response's body.
pub(crate) struct Deadlines {
    begun: Instant,
    idle: Option<Duration>,
    pace: Pace,
    /// When the body must have ended, and the error if it has not.
    end: Option<(Instant, &'static str)>,
}

impl Deadlines {
    /// Returns the limits of a response whose head has arrived now, in an exchange that must end by
    /// `whole`.
    pub(crate) fn new(receiving: &Receiving, limits: &Timeouts, whole: Option<Instant>) -> Self {
        let begun = Instant::now();
        let end = receiving.time().and_then(|time| begun.checked_add(time));
        let end = end.map(|end| (end, "the time limit of the response body was exceeded"));
        let whole = whole.map(|end| (end, "the time limit of the whole exchange was exceeded"));
        let end = [end, whole].into_iter().flatten().min_by_key(|(end, _)| *end);
        Self { begun, idle: limits.idle, pace: receiving.pace(), end }
    }

    /// Returns how long to wait for more bytes, from now on.
    fn wait(&mut self) -> Result<NextTimeout, ExchangeError> {
        let mut timeout = NextTimeout { reason: Timeout::RecvBody, ..NextTimeout::default() };
        // The rate is checked when bytes arrive. So this timeout is the same for every read, and
        // need not be set on the socket for each.
        self.pace.wait(self.begun.elapsed());
        if let Some(idle) = self.idle {
            timeout.after = idle.into();
        }
        if let Some((end, why)) = self.end {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ExchangeError::new(ExchangeErrorKind::Timeout, why));
            }
            if timeout.after > left.into() {
                timeout.after = left.into();
            }
        }
        Ok(timeout)
    }

    fn arrived(&mut self, bytes: usize) -> Result<(), ExchangeError> {
        let now = self.begun.elapsed();
        if !self.pace.moved(now, bytes as u64) {
            return Err(ExchangeError::new(ExchangeErrorKind::Timeout, TOO_SLOW));
        }
        self.pace.rest(now);
        Ok(())
    }

    /// Returns the failure after a wait that timed out.
    fn over(&self) -> ExchangeError {
        let (end, why) = self.end.unzip();
        let ended = end.is_some_and(|end| end <= Instant::now());
        let idle = "no bytes were transferred within the idle timeout";
        ExchangeError::new(ExchangeErrorKind::Timeout, why.filter(|_| ended).unwrap_or(idle))
    }
}

impl Answer {
    /// Returns the next piece of the body, at most `most` bytes; `None` at its end.
    pub(crate) fn piece(&mut self, most: usize) -> Result<Option<Piece<'_>>, ExchangeError> {
        let Some(line) = &mut self.line else { return Ok(None) };
        loop {
            if self.body.is_over() {
                return Ok(None);
            }
            let step = self.body.step(line.buffers().input(), most)?;
            line.buffers().input_consume(step.skip);
            if step.take > 0 {
                break Ok(Some(Piece { line, length: step.take }));
            }
            if self.body.is_over() || step.skip > 0 && !line.buffers().input().is_empty() {
                continue;
            }
            let before = line.buffers().input().len();
            let timeout = self.deadlines.wait()?;
            match line.await_input(timeout) {
                Ok(true) => {
                    let came = line.buffers().input().len() - before;
                    self.deadlines.arrived(came)?;
                }
                Ok(false) => self.body.close()?,
                Err(Error::Timeout(_)) => return Err(self.deadlines.over()),
                Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut => {
                    return Err(self.deadlines.over());
                }
                Err(error) => return Err(failure::in_body(&error)),
            }
        }
    }

    /// Makes the connection available to the next request, if the body has ended and both sides
    /// keep it open.
    pub(crate) fn release(mut self) {
        let Some(line) = self.line.take() else { return };
        if !self.body.is_over() || !self.body.keeps_alive() {
            return;
        }
        self.conversation.give_back(line);
        // One byte, and then the end: then ureq keeps the connection.
        let mut told = self.told.into_reader();
        while told.read(&mut [0; 8]).is_ok_and(|read| read > 0) {}
    }
}

/// Bytes of a body, which are removed from the connection's buffer when this is dropped.
pub(crate) struct Piece<'a> {
    line: &'a mut Box<dyn Transport>,
    length: usize,
}

impl Piece<'_> {
    pub(crate) fn bytes(&mut self) -> &[u8] {
        self.line.buffers().input().get(..self.length).unwrap_or_default()
    }
}

impl Drop for Piece<'_> {
    fn drop(&mut self) {
        self.line.buffers().input_consume(self.length);
    }
}

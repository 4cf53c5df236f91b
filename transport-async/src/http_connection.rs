//! One HTTP/1.1 connection, driven by the task that uses it.
//!
//! ```text
//!   Pool::take ─▶ Link ── head ──▶ Response ── piece* ──▶ send_rest ──▶ Pool::put
//!                  │ every wait polls connection, response and alarm in the same task,
//!                  │ so that no other task is woken, and dropping the future drops the connection
//! ```

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Pace, Receiving, TOO_SLOW, Timeouts};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::Sleep;

use crate::connect::{Route, is_tls};
use crate::sending::Sending;
use crate::stream::{Pulse, Stream, Wire};

/// A connection, and what is needed to use it.
pub(crate) struct HttpConnection {
    pub(crate) route: Route,
    pub(crate) pulse: Arc<Pulse>,
    /// Bodies are boxed, because hyper moves a request several times before it is sent.
    sender: SendRequest<Box<Sending>>,
    /// Absent after it has ended.
    connection: Option<Connection<TokioIo<Wire>, Box<Sending>>>,
    alarm: Alarm,
    /// The minimum rate of the request's body, and the bytes of the body that were counted.
    pace: Pace,
    counted: u64,
}

/// The limits of one exchange, and when all of it must have ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) timeouts: Timeouts,
    pub(crate) whole: Option<Instant>,
}

impl Times {
    /// Returns the limits of an exchange that begins now.
    pub(crate) fn start(limits: &Timeouts) -> Self {
        let whole = limits.whole.map(|whole| Instant::now() + whole);
        Self { timeouts: *limits, whole }
    }

    /// Returns the earlier of `since` plus `after` and the end of the whole, and the name of that
    /// limit.
    pub(crate) fn deadline(
        &self,
        since: Instant,
        after: Option<Duration>,
        name: &'static str,
    ) -> Option<(Instant, &'static str)> {
        match (after.map(|after| since + after), self.whole) {
            (Some(at), Some(whole)) if whole < at => Some((whole, WHOLE)),
            (Some(at), _) => Some((at, name)),
            (None, whole) => whole.map(|whole| (whole, WHOLE)),
        }
    }
}

/// The time limits of a response's body.
pub(crate) struct BodyTimes {
    times: Times,
    pace: Pace,
    /// When the body must have ended.
    end: Option<(Instant, &'static str)>,
}

impl BodyTimes {
    /// Returns the limits of a response whose head arrived at `begun`.
    pub(crate) fn new(receiving: &Receiving, times: &Times, begun: Instant) -> Self {
        let end = receiving.time().and_then(|time| begun.checked_add(time));
        Self { times: *times, pace: receiving.pace(), end: end.map(|end| (end, BODY)) }
    }
}

impl HttpConnection {
    /// Starts HTTP/1.1 over `stream`.
    pub(crate) async fn open(route: Route, stream: Stream) -> Result<Self, ExchangeError> {
        let pulse = Arc::new(Pulse::new());
        let wire = Wire::new(stream, Arc::clone(&pulse));
        let handshake = Builder::new()
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(TokioIo::new(wire));
        let (sender, connection) =
            handshake.await.map_err(|error| failure(&error, ExchangeErrorKind::Connect))?;
        let (connection, alarm) = (Some(connection), Alarm::default());
        Ok(Self { route, pulse, sender, connection, alarm, pace: Pace::default(), counted: 0 })
    }

    /// Returns how long no byte has moved.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.pulse.last())
    }

    /// Whether nothing was received since the last exchange: neither the end of the connection nor
    /// unsolicited bytes.
    pub(crate) fn is_fresh(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.poll_connection(&mut cx).is_pending() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its response, which may arrive before the whole
    /// body is sent.
    pub(crate) async fn head(
        &mut self,
        request: Request<Box<Sending>>,
        times: &Times,
    ) -> Result<Response<Incoming>, ExchangeError> {
        let Self { sender, connection, alarm, pulse, pace, counted, .. } = self;
        (*pace, *counted) = (Pace::new(times.timeouts.rate), 0);
        let mut answer = pin!(sender.send_request(request));
        poll_fn(|cx| {
            // The connection passes the response on while it is polled, so the response is polled
            // afterwards.
            let over = poll_connection(connection, cx).is_ready();
            if let Some(failure) = pulse.head_failure() {
                return Poll::Ready(Err(failure));
            }
            match answer.as_mut().poll(cx) {
                Poll::Ready(Ok(mut response)) => {
                    for (name, value) in pulse.spare_fields().iter().flatten() {
                        response.headers_mut().append(name, value.clone());
                    }
                    return Poll::Ready(Ok(response));
                }
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(failure(&error, ExchangeErrorKind::Closed)));
                }
                Poll::Pending if over => {
                    return Poll::Ready(Err(ExchangeError::new(
                        ExchangeErrorKind::Closed,
                        String::new(),
                    )));
                }
                Poll::Pending => {}
            }
            // Bytes from the peer before its response extend no limit; only what it takes does.
            let deadline = match sending(pulse, pace, counted, times) {
                Ok(_) if pulse.is_given() => {
                    times.deadline(pulse.wrote(), times.timeouts.first_byte, FIRST_BYTE)
                }
                Ok(deadline) => deadline,
                Err(failure) => return Poll::Ready(Err(failure)),
            };
            alarm.poll(cx, deadline).map(Err)
        })
        .await
    }

    /// Returns the next piece of the response's body.
    pub(crate) async fn piece(
        &mut self,
        body: &mut Incoming,
        times: &mut BodyTimes,
    ) -> Option<Result<Bytes, ExchangeError>> {
        let mut asked = None;
        let mut driven = false;
        poll_fn(|cx| {
            loop {
                match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(piece) => {
                            let now = self.pulse.moved();
                            if !times.pace.moved(now, piece.len() as u64) {
                                return Poll::Ready(Some(Err(too_slow())));
                            }
                            times.pace.rest(now);
                            return Poll::Ready(Some(Ok(piece)));
                        }
                        // Trailers are not used.
                        Err(_) => continue,
                    },
                    Poll::Ready(Some(Err(error))) => {
                        return Poll::Ready(Some(Err(failure(&error, ExchangeErrorKind::Cut))));
                    }
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending if !driven => {
                        // The body gets its pieces while the connection is polled.
                        let _ = self.poll_connection(cx);
                        driven = true;
                    }
                    Poll::Pending if self.connection.is_none() => {
                        let cut = ExchangeError::new(ExchangeErrorKind::Cut, String::new());
                        return Poll::Ready(Some(Err(cut)));
                    }
                    Poll::Pending => break,
                }
            }
            driven = false;
            // Time that the sink takes does not count as the server's.
            let since = self.pulse.last().max(*asked.get_or_insert_with(Instant::now));
            let idle = times.times.deadline(since, times.times.timeouts.idle, IDLE);
            let least = times.pace.wait(self.pulse.tick()).and_then(|tick| self.pulse.at(tick));
            let least = least.map(|at| (at, TOO_SLOW));
            let deadline = earliest([idle, least, times.end]);
            self.alarm.poll(cx, deadline).map(|timeout| Some(Err(timeout)))
        })
        .await
    }

    /// Waits until the whole body is sent, after an early response.
    pub(crate) async fn send_rest(&mut self, times: &Times) -> Result<(), ExchangeError> {
        poll_fn(|cx| {
            let mut over = self.poll_connection(cx).is_ready();
            if self.pulse.is_given() {
                // Bytes that were passed on may still wait in the connection. It is ready after it
                // has written all of them, which it finds out when it is polled once more.
                over = over || self.poll_connection(cx).is_ready();
                if self.sender.is_ready() || over && self.pulse.is_off() {
                    return Poll::Ready(Ok(()));
                }
            }
            if over {
                return Poll::Ready(Err(ExchangeError::new(
                    ExchangeErrorKind::Closed,
                    String::new(),
                )));
            }
            let Self { pulse, pace, counted, alarm, .. } = self;
            match sending(pulse, pace, counted, times) {
                Ok(deadline) => alarm.poll(cx, deadline).map(Err),
                Err(failure) => Poll::Ready(Err(failure)),
            }
        })
        .await
    }

    /// Whether another exchange may follow: both sides have sent everything, and keep the
    /// connection open.
    pub(crate) fn is_free(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        poll_connection(&mut self.connection, cx)
    }
}

/// Counts what was sent of the body. Returns when more must be sent, if the peer is waited for.
fn sending(
    pulse: &Pulse,
    pace: &mut Pace,
    counted: &mut u64,
    times: &Times,
) -> Result<Option<(Instant, &'static str)>, ExchangeError> {
    let (now, sent) = (pulse.wrote_tick(), pulse.sent());
    if sent > *counted {
        if !pace.moved(now, sent - *counted) && !pulse.is_given() {
            return Err(too_slow());
        }
        *counted = sent;
    }
    if pulse.is_held() {
        pace.rest(now);
        return Ok(times.deadline(pulse.wrote(), None, IDLE));
    }
    let least = pace.wait(now).and_then(|tick| pulse.at(tick)).map(|at| (at, TOO_SLOW));
    let idle = times.deadline(pulse.wrote(), times.timeouts.idle, IDLE);
    Ok(earliest([idle, least, None]))
}

fn earliest(deadlines: [Option<(Instant, &'static str)>; 3]) -> Option<(Instant, &'static str)> {
    deadlines.into_iter().flatten().min_by_key(|(at, _)| *at)
}

fn too_slow() -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Timeout, TOO_SLOW)
}

/// Ready when the connection has ended. Its error is returned with the response or the body.
fn poll_connection(
    connection: &mut Option<Connection<TokioIo<Wire>, Box<Sending>>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let Some(running) = connection else { return Poll::Ready(()) };
    if Pin::new(running).poll(cx).is_pending() {
        return Poll::Pending;
    }
    *connection = None;
    Poll::Ready(())
}

/// A timer that is checked and set anew only when it fires, because its deadline moves with every
/// byte.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<(Instant, &'static str)>,
    ) -> Poll<ExchangeError> {
        let Some((at, name)) = deadline else { return Poll::Pending };
        let at = tokio::time::Instant::from_std(at);
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if tokio::time::Instant::now() >= at {
                return Poll::Ready(ExchangeError::new(ExchangeErrorKind::Timeout, name));
            }
            sleep.as_mut().reset(at);
        }
        Poll::Pending
    }
}

/// Translates hyper's error; `otherwise` is the cause if the connection just ended.
fn failure(error: &hyper::Error, otherwise: ExchangeErrorKind) -> ExchangeError {
    let mut detail = error.to_string();
    let mut source = error.source();
    let mut cause = if error.is_parse() { ExchangeErrorKind::Protocol } else { otherwise };
    while let Some(inner) = source {
        if inner.downcast_ref::<io::Error>().is_some_and(is_tls) {
            cause = ExchangeErrorKind::Tls;
        }
        let text = inner.to_string();
        if !detail.ends_with(&text) {
            detail = format!("{detail}: {text}");
        }
        source = inner.source();
    }
    ExchangeError::new(cause, detail)
}

const FIRST_BYTE: &str = "no response within the first-byte timeout";
const BODY: &str = "the time limit of the response body was exceeded";
const IDLE: &str = "no bytes were transferred within the idle timeout";
const WHOLE: &str = "the time limit of the whole exchange was exceeded";

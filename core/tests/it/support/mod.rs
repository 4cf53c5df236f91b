//! Runs a machine against a scripted server, with a simulated clock.
//!
//! ```text
//!  Pump::turn ── Launch ──▶ the script answers ──▶ in flight until its time has come ──┐
//!      ▲                                                                               │
//!      └───────── complete ◀── the body goes to the sink, all of it or up to the cut ──┘
//! ```
//!
//! The run fails if a machine waits with nothing in flight, ends with exchanges in flight, or
//! passes a byte to the sink twice.
#![allow(dead_code, reason = "each test uses what it needs of it")]

pub(crate) mod stored;
#[cfg(feature = "swift")]
pub(crate) mod swift;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apus_core::contract::{Machine, OnFailure};
use apus_core::credentials::Credentials;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{End, Exchange, Outgoing, Receiving};
use apus_core::machine::{Auth, Observer, Pump, Turn};
use apus_core::s3::{BaseUrl, Config, EndpointConfig, Service};
use apus_core::{Error, Now};
use bytes::Bytes;
use http::request;

/// What the script says to a request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// The connection dies after this many bytes of the body.
    pub(crate) cut_after: Option<usize>,
    /// Its end is that of the connection, in good order.
    pub(crate) closed: bool,
    /// There is no answer at all.
    pub(crate) lost: Option<ExchangeErrorKind>,
    /// How long it takes.
    pub(crate) takes: Duration,
}

impl Answer {
    /// This status and nothing else.
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            cut_after: None,
            closed: false,
            lost: None,
            takes: Duration::from_millis(10),
        }
    }

    /// No answer.
    pub(crate) fn lost(cause: ExchangeErrorKind) -> Self {
        Self { lost: Some(cause), ..Self::new(500) }
    }

    /// S3's error document.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body = format!("<Error><Code>{code}</Code><Message>said so</Message></Error>");
        Self::new(status).body(body)
    }

    /// With this header.
    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// With this body, and its length.
    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.headers.retain(|(name, _)| name != "content-length");
        let length = self.body.len();
        self.header("content-length", length)
    }

    /// Cut after this many bytes of the body.
    pub(crate) fn cut(mut self, after: usize) -> Self {
        self.cut_after = Some(after);
        self
    }

    /// Ended by the connection.
    pub(crate) fn closed(mut self) -> Self {
        self.closed = true;
        self
    }

    /// After this long.
    pub(crate) fn after(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }

    fn head(&self) -> http::response::Parts {
        let mut builder = http::Response::builder().status(self.status);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder.body(()).expect("the script writes valid heads").into_parts().0
    }
}

/// A machine, its server, its source and its sink.
pub(crate) struct Sim<M: Machine> {
    pump: Pump<M>,
    source: Bytes,
    later: Option<(usize, Bytes)>,
    streamed: bool,
    ordered: bool,
    cancel: Option<(Duration, OnFailure)>,
    now: Now,
    flights: Vec<Flight>,
    requests: Vec<String>,
    hashed: Vec<(&'static str, usize)>,
    peak: usize,
    dismissed: usize,
    sink: Vec<Option<u8>>,
}

struct Flight {
    due: Duration,
    fate: Fate,
}

enum Fate {
    Fails(Box<Exchange>, ExchangeErrorKind),
    Answers(Box<Receiving>, Answer),
}

/// How it went.
pub(crate) struct Run<M: Machine> {
    pub(crate) result: Result<M::Output, Error>,
    /// The machine, at its end.
    pub(crate) pump: Pump<M>,
    /// `METHOD target`, and the range where there was one, in the order they were sent.
    pub(crate) requests: Vec<String>,
    /// The bytes that were hashed for each request before it was sent, times the algorithms.
    pub(crate) hashed: Vec<(&'static str, usize)>,
    /// The most exchanges that were in flight at once.
    pub(crate) peak: usize,
    /// Exchanges that had to be broken off because the sink could never have taken their bytes.
    pub(crate) dismissed: usize,
    /// What the sink got, up to the first gap.
    pub(crate) sink: Vec<u8>,
    /// Bytes that it got beyond the first gap.
    pub(crate) beyond: usize,
    /// How long it took on the virtual clock.
    pub(crate) elapsed: Duration,
}

impl<M: Machine> Sim<M> {
    pub(crate) fn new(machine: M) -> Self {
        Self::with_auth(machine, Auth::new(Credentials::anonymous()))
    }

    /// Under this authority.
    pub(crate) fn with_auth(machine: M, auth: Auth) -> Self {
        Self::under_all(machine, vec![auth])
    }

    /// Under these authorities.
    pub(crate) fn under_all(machine: M, auths: Vec<Auth>) -> Self {
        Self {
            pump: Pump::new(machine, auths, Waker::noop().clone()),
            source: Bytes::new(),
            later: None,
            streamed: false,
            ordered: false,
            cancel: None,
            now: Now::new(START, Duration::from_secs(1_440_938_160)),
            flights: Vec::new(),
            requests: Vec::new(),
            hashed: Vec::new(),
            peak: 0,
            dismissed: 0,
            sink: Vec::new(),
        }
    }

    /// What bodies are ranges of.
    pub(crate) fn source(mut self, source: impl Into<Bytes>) -> Self {
        self.source = source.into();
        self
    }

    /// What they are ranges of after this many of them were sent.
    pub(crate) fn then_source(mut self, after: usize, source: impl Into<Bytes>) -> Self {
        self.later = Some((after, source.into()));
        self
    }

    /// With an observer.
    pub(crate) fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.pump = self.pump.with_observer(observer);
        self
    }

    /// The same, read once and in order, as far as the machine allows.
    pub(crate) fn stream(mut self, source: impl Into<Bytes>) -> Self {
        self.streamed = true;
        self.source(source)
    }

    /// The sink takes bytes in their order alone, as a pipe does: who comes early waits.
    pub(crate) fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Cancels at this time after the start.
    pub(crate) fn cancel_at(mut self, at: Duration, on_failure: OnFailure) -> Self {
        self.cancel = Some((START + at, on_failure));
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(
        mut self,
        mut script: impl FnMut(&request::Parts, &[u8]) -> Answer,
    ) -> Run<M> {
        for _ in 0..MOST_EVENTS {
            let wait = match self.pump.turn(self.now) {
                Turn::Launch(exchange) => {
                    self.launch(exchange, &mut script);
                    continue;
                }
                Turn::Done(result) => {
                    assert!(self.flights.is_empty(), "it ended with exchanges in flight");
                    return self.over(result);
                }
                Turn::Park(_) if self.read() => continue,
                Turn::Park(wait) => wait,
            };
            let next = self.next();
            let times = [
                next.map(|at| self.flights[at].due),
                wait.map(|wait| wait.until),
                self.cancel.map(|(at, _)| at),
            ];
            let Some(time) = times.into_iter().flatten().min() else {
                assert!(!self.flights.is_empty(), "it waits for nothing");
                self.dismiss();
                continue;
            };
            self.now = self.now.after(time.saturating_sub(self.now.tick));
            if let Some((_, on_failure)) = self.cancel.take_if(|(at, _)| *at <= self.now.tick) {
                self.pump.cancel(self.now, on_failure);
            } else if let Some(at) = next.filter(|at| self.flights[*at].due <= self.now.tick) {
                self.land(at);
            }
        }
        panic!("it does not end: {:?}", self.requests.last());
    }

    /// Reads the stream as far as it may be; whether there was anything to read. Its end is known
    /// to who reads beyond it.
    fn read(&mut self) -> bool {
        let length = self.source.len() as u64;
        let Some(window) = self.pump.stream_window().filter(|_| self.streamed) else {
            return false;
        };
        let before = (window.supplied(), window.has_ended());
        window.supply(window.high().min(length), window.high() > length);
        before != (window.supplied(), window.has_ended())
    }

    fn launch(
        &mut self,
        mut exchange: Exchange,
        script: &mut impl FnMut(&request::Parts, &[u8]) -> Answer,
    ) {
        let outgoing = exchange.outgoing().clone();
        let body = match &outgoing {
            Outgoing::Empty => Bytes::new(),
            Outgoing::Bytes(bytes) => bytes.clone(),
            Outgoing::Source { range } => {
                if let Some((left, later)) = &mut self.later {
                    match left.checked_sub(1) {
                        Some(less) => *left = less,
                        None => self.source = later.clone(),
                    }
                }
                self.source.slice(range.start as usize..range.end as usize)
            }
        };
        if exchange.measures() {
            exchange.load(body.clone()).unwrap();
        }
        let hashed = exchange.algorithms().len() * body.len();
        if let Err(error) = exchange.request() {
            // A body that is only hashed.
            let what = format!("{} {hashed}", exchange.operation());
            self.hashed.push((exchange.operation(), hashed));
            self.requests.push(what);
            return self.pump.complete(self.now, exchange.reject(error));
        }
        let head = exchange.request().unwrap().clone();
        self.hashed.push((exchange.operation(), hashed));
        let range = head.headers.get("range").map(|range| range.to_str().unwrap());
        let words = [head.method.as_str(), head.uri.path_and_query().unwrap().as_str()];
        self.requests.push(words.into_iter().chain(range).collect::<Vec<_>>().join(" "));
        let answer = script(&head, &body);
        let mut encoder = exchange.encoder().unwrap();
        for piece in body.chunks(encoder.frame_size().unwrap_or(usize::MAX)) {
            encoder.frame(piece).unwrap();
        }
        encoder.end().unwrap();
        let due = self.now.tick + answer.takes;
        let fate = match answer.lost {
            Some(cause) => Fate::Fails(Box::new(exchange), cause),
            None => Fate::Answers(Box::new(exchange.respond(answer.head())), answer),
        };
        self.flights.push(Flight { due, fate });
        self.peak = self.peak.max(self.flights.len());
    }

    /// The exchange that ends next.
    fn next(&self) -> Option<usize> {
        let written = self.sink.iter().take_while(|byte| byte.is_some()).count() as u64;
        let early = |flight: &Flight| match &flight.fate {
            Fate::Fails(..) => false,
            Fate::Answers(receiving, answer) => {
                let some = !answer.body.is_empty() && answer.cut_after != Some(0);
                some && receiving.position().is_some_and(|at| at > written)
            }
        };
        (0..self.flights.len())
            .filter(|at| !self.ordered || !early(&self.flights[*at]))
            .min_by_key(|at| self.flights[*at].due)
    }

    /// Breaks off the last of those that wait for their turn, for nothing comes before them any
    /// more: what a driver with such a sink does.
    fn dismiss(&mut self) {
        let due = |at: &usize| self.flights[*at].due;
        let last = (0..self.flights.len()).max_by_key(due).expect("there is one");
        if let Fate::Answers(_, answer) = &mut self.flights[last].fate {
            answer.cut_after = Some(0);
        }
        self.dismissed += 1;
    }

    fn land(&mut self, at: usize) {
        let done = match self.flights.remove(at).fate {
            Fate::Fails(exchange, cause) => exchange.fail(ExchangeError::new(cause, "")),
            Fate::Answers(mut receiving, answer) => {
                let cut = answer.cut_after.filter(|_| receiving.has_body());
                let cut = cut.map(|_| ExchangeError::new(ExchangeErrorKind::Cut, "by the script"));
                let sent = answer.cut_after.unwrap_or(usize::MAX).min(answer.body.len());
                let mut broken = None;
                if receiving.has_body() {
                    for piece in answer.body[..sent].chunks(PIECE) {
                        let position = receiving.position();
                        match receiving.push(piece) {
                            Ok(bytes) => write(&mut self.sink, position, bytes),
                            Err(failure) => broken = Some(failure),
                        }
                        if broken.is_some() {
                            break;
                        }
                    }
                }
                match broken.or(cut) {
                    Some(cut) => receiving.finish(cut),
                    None if answer.closed => receiving.finish(End::Regular),
                    None => receiving.finish(None),
                }
            }
        };
        self.pump.complete(self.now, done);
    }

    fn over(self, result: Result<M::Output, Error>) -> Run<M> {
        let sink: Vec<u8> = self.sink.iter().map_while(|byte| *byte).collect();
        let beyond = self.sink.iter().skip(sink.len()).flatten().count();
        let elapsed = self.now.tick - START;
        Run {
            result,
            pump: self.pump,
            requests: self.requests,
            hashed: self.hashed,
            peak: self.peak,
            dismissed: self.dismissed,
            sink,
            beyond,
            elapsed,
        }
    }
}

fn write(sink: &mut Vec<Option<u8>>, position: Option<u64>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let start = position.expect("bytes for the sink have a place") as usize;
    let end = start + bytes.len();
    if sink.len() < end {
        sink.resize(end, None);
    }
    for (place, byte) in sink[start..end].iter_mut().zip(bytes) {
        assert!(place.is_none(), "the sink gets a byte twice, after {start}");
        *place = Some(*byte);
    }
}

/// A service at a loopback address, with these settings.
pub(crate) fn service(set: impl FnOnce(&mut Config)) -> Arc<Service> {
    let url = BaseUrl::parse("http://127.0.0.1:9000").unwrap();
    let mut config = Config::new(EndpointConfig::custom(url, "us-east-1"));
    set(&mut config);
    Arc::new(Service::new(config).unwrap())
}

/// Bytes that are not all alike.
pub(crate) fn object(length: usize) -> Bytes {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

const START: Duration = Duration::from_secs(1000);
/// Bytes of a body that arrive at once.
const PIECE: usize = 13;
const MOST_EVENTS: usize = 100_000;

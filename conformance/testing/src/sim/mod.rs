//! Machines against simulated servers under a virtual clock.
//!
//! ```text
//!  Pump ──Launch──▶ in flight, until its head arrives ──▶ the model ──▶ refused at once, or
//!    ▲                                                        │         read on: its body takes time
//!    │                                                        ▼
//!    └────── complete, by the time at which it is read ◀── response or fault
//! ```
//!
//! Nothing sleeps: the clock jumps to the next event. Latencies come from a seed, so that equal
//! seeds give equal runs. The laws that a transport can observe are asserted. Several pumps that
//! share their authenticators are turned when they are woken, and not before.
//!
//! [`Sim`] does this for tests of single machines. [`simulate`] runs whole workloads under
//! schedules of faults:
//!
//! | file | what |
//! | --- | --- |
//! | `schedule.rs`, `faults.rs`, `chance.rs` | the faults, all of them from a seed |
//! | `workloads/` | the workloads, and what must hold after each |
//! | `world.rs`, `drive.rs`, `wire.rs` | the clock, the loop, the transport |
//! | `ends.rs`, `host.rs` | the caller's bytes, the server |
//! | `record.rs` | what happened in a run |
//! | `said.rs` | what each request must follow of what the server said before |
//! | `judge.rs` | what must hold after every workload |
//! | `simulate.rs` | many schedules, on all cores |
//! | `shrink.rs`, `trace.rs` | a failing schedule, reduced and printed |
//! | `report.rs`, `cells.rs` | the results, and which fault must have met which workload |

mod agenda;
mod cells;
mod chance;
mod drive;
mod ends;
mod faults;
mod host;
mod judge;
mod record;
mod report;
mod said;
mod schedule;
mod server;
mod shrink;
mod simulate;
mod trace;
mod wire;
mod workloads;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::{Machine, OnFailure};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Completion, Exchange, Outgoing};
use apus_core::machine::{Auth, Pump, RateLimits, Turn};
use apus_core::now::Now;
use bytes::Bytes;

use self::agenda::{Agenda, Event};
pub use self::faults::Phase;
pub use self::report::{Failure as FailedSchedule, Report};
pub use self::server::Simulated;
pub use self::simulate::{simulate, trace, workloads};
use crate::server::{Cut, Reply, Request, S3Model};

/// A simulated server, a source, a sink and a clock.
#[derive(Debug)]
pub struct Sim<S = S3Model> {
    /// The server.
    pub model: S,
    /// The bytes that machines read.
    pub source: Bytes,
    /// The bytes that machines wrote, by position.
    pub sink: Vec<u8>,
    /// The time.
    pub now: Now,
    /// How many seconds the server's clock is ahead of ours.
    pub skew: i64,
    /// The bytes of a request's body that arrive in a second; `None` where they take no time.
    pub rate: Option<u64>,
    /// The largest number of exchanges in flight at once.
    pub peak: usize,
    /// The number of launched exchanges.
    pub launched: u64,
    /// The largest number of bytes of a stream that were held at once.
    pub held: u64,
    /// The operation, time and outcome of each exchange.
    pub trace: Vec<(&'static str, Duration, String)>,
    /// When the machine is cancelled, and what it then leaves.
    pub cancel_at: Option<(Duration, OnFailure)>,
    /// The position at which the source fails.
    pub source_breaks_at: Option<u64>,
    rate_limits: Option<Arc<RateLimits>>,
    random: u64,
}

/// The state of a pump.
struct Place<T> {
    ready: bool,
    wait: Option<Duration>,
    result: Option<Result<T, Error>>,
}

/// Set when a pump is woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<S: Simulated> Sim<S> {
    /// Creates a simulation at noon of a day in 2015, with this source.
    pub fn new(model: S, source: impl Into<Bytes>, seed: u64) -> Self {
        Self {
            model,
            source: source.into(),
            sink: Vec::new(),
            now: Now::new(Duration::from_secs(1000), Duration::from_secs(1_440_936_000)),
            skew: 0,
            rate: None,
            peak: 0,
            launched: 0,
            held: 0,
            trace: Vec::new(),
            cancel_at: None,
            source_breaks_at: None,
            rate_limits: None,
            random: seed,
        }
    }

    /// Sets limits for the machines.
    #[must_use]
    pub fn with_rate_limits(mut self, rate_limits: RateLimits) -> Self {
        self.rate_limits = Some(Arc::new(rate_limits));
        self
    }

    /// Drives `machine` with these authenticators until it is done.
    ///
    /// # Errors
    ///
    /// The machine's error.
    ///
    /// # Panics
    ///
    /// A law was broken.
    pub fn run<M: Machine>(&mut self, machine: M, auths: Vec<Auth>) -> Result<M::Output, Error> {
        self.race(vec![machine], auths).pop().expect("one machine has one result")
    }

    /// Drives machines that share these authenticators until all are done.
    ///
    /// # Panics
    ///
    /// A law was broken.
    pub fn race<M: Machine>(
        &mut self,
        machines: Vec<M>,
        auths: Vec<Auth>,
    ) -> Vec<Result<M::Output, Error>> {
        let flags: Vec<Arc<Flag>> = machines.iter().map(|_| Arc::default()).collect();
        let pump = |(machine, flag): (M, &Arc<Flag>)| {
            Pump::new(machine, auths.clone(), Waker::from(Arc::clone(flag)))
        };
        let mut pumps: Vec<Pump<M>> = machines.into_iter().zip(&flags).map(pump).collect();
        self.drive_all(&mut pumps, &flags)
    }

    /// Does the same as [`run`](Self::run) with a pump that the caller keeps.
    ///
    /// # Errors
    ///
    /// The machine's error.
    ///
    /// # Panics
    ///
    /// A law was broken.
    pub fn drive<M: Machine>(&mut self, pump: &mut Pump<M>) -> Result<M::Output, Error> {
        let pumps = std::slice::from_mut(pump);
        self.drive_all(pumps, &[]).pop().expect("one pump has one result")
    }

    fn drive_all<M: Machine>(
        &mut self,
        pumps: &mut [Pump<M>],
        flags: &[Arc<Flag>],
    ) -> Vec<Result<M::Output, Error>> {
        let mut agenda = Agenda(BTreeMap::new());
        let mut places: Vec<Place<M::Output>> =
            pumps.iter().map(|_| Place { ready: true, wait: None, result: None }).collect();
        let mut cancelled = false;
        loop {
            for (index, (pump, place)) in pumps.iter_mut().zip(&mut places).enumerate() {
                let woken =
                    flags.get(index).is_some_and(|flag| flag.0.swap(false, Ordering::Relaxed));
                let due = place.wait.is_some_and(|until| until <= self.now.tick);
                if place.result.is_none() && (place.ready || woken || due) {
                    self.turn(index, pump, place, &mut agenda);
                }
            }
            if places.iter().all(|place| place.result.is_some()) {
                return places.into_iter().filter_map(|place| place.result).collect();
            }
            let waits = places.iter().filter(|place| place.result.is_none());
            let until = waits.filter_map(|place| place.wait).min();
            if flags.iter().any(|flag| flag.0.load(Ordering::Relaxed)) {
                continue;
            }
            let next = agenda.0.keys().next().map(|(at, _)| *at);
            let stop = self.cancel_at.filter(|_| !cancelled).map(|(at, _)| at);
            let at = [next, until, stop].into_iter().flatten().min();
            let at = at.expect("law 10: parked for ever with nothing in flight");
            self.now = self.now.after(at.saturating_sub(self.now.tick));
            if stop.is_some_and(|stop| stop <= self.now.tick) {
                let on_failure =
                    self.cancel_at.map_or(OnFailure::Abort, |(_, on_failure)| on_failure);
                for (pump, place) in pumps.iter_mut().zip(&mut places) {
                    pump.cancel(self.now, on_failure);
                    place.ready = true;
                }
                cancelled = true;
            } else if next == Some(at) {
                self.happen(pumps, &mut places, &mut agenda);
            }
        }
    }

    /// Turns one pump until it parks or is done.
    fn turn<M: Machine>(
        &mut self,
        index: usize,
        pump: &mut Pump<M>,
        place: &mut Place<M::Output>,
        agenda: &mut Agenda<S::Admitted>,
    ) {
        (place.ready, place.wait) = (false, None);
        for turns in 0u64.. {
            assert!(turns < 2_000_000, "the machine goes round in circles");
            match pump.turn(self.now) {
                Turn::Launch(exchange) => {
                    self.launched += 1;
                    let at = (self.now.tick + self.latency(), self.launched);
                    let event = self.depart(exchange);
                    agenda.0.insert(at, (index, event));
                    let own = agenda.of(index);
                    self.peak = self.peak.max(own);
                    assert_eq!(own, pump.in_flight(), "law 2: one completion each");
                    let concurrency = pump.machine().concurrency();
                    // A renewal is in flight beside requests with the old credentials.
                    let renews = |name: &&str| RENEWALS.contains(name);
                    let own = own - agenda.operations_of(index).filter(renews).count();
                    assert!(
                        own <= concurrency.max(1),
                        "more in flight than the concurrency {concurrency}"
                    );
                }
                Turn::Done(result) => {
                    // A renewal is not the machine's: other machines may wait for it.
                    let left: Vec<_> = agenda.operations_of(index).collect();
                    let renewals = left.iter().all(|name| RENEWALS.contains(name));
                    assert!(renewals, "law 3: done while {left:?} are in flight");
                    place.result = Some(result);
                    return;
                }
                Turn::Park(wait) => {
                    if self.supply(pump) {
                        continue;
                    }
                    place.wait = wait.map(|wait| wait.until);
                    return;
                }
            }
        }
    }

    fn happen<M: Machine>(
        &mut self,
        pumps: &mut [Pump<M>],
        places: &mut [Place<M::Output>],
        agenda: &mut Agenda<S::Admitted>,
    ) {
        let Some(((_, number), (index, event))) = agenda.0.pop_first() else { return };
        let (at, event) = match event {
            Event::Arrives(exchange, body) => self.arrive(exchange, body),
            Event::Read(exchange, admitted, request) => self.read(exchange, admitted, &request),
            Event::Answered(done) => {
                let how = match done.outcome() {
                    Ok(reply) => reply.status().as_u16().to_string(),
                    Err(error) => error.to_string(),
                };
                self.trace.push((done.draft().operation, self.now.tick, how));
                pumps[index].complete(self.now, done);
                places[index].ready = true;
                return;
            }
        };
        agenda.0.insert((at, number), (index, event));
    }

    /// Makes head and body as a transport does.
    fn depart(&mut self, mut exchange: Exchange) -> Event<S::Admitted> {
        let body = match exchange.outgoing().clone() {
            Outgoing::Empty => Bytes::new(),
            Outgoing::Bytes(bytes) => bytes,
            Outgoing::Source { range } => {
                let broken = self.source_breaks_at.is_some_and(|at| at < range.end);
                let (from, to) = (range.start as usize, range.end as usize);
                if broken || to > self.source.len() {
                    let failure =
                        ExchangeError::new(ExchangeErrorKind::Source, "the simulated source broke");
                    return Event::Answered(exchange.fail(failure));
                }
                let bytes = self.source.slice(from..to);
                if exchange.measures() {
                    exchange.load(bytes.clone()).expect("the range is as long as it says");
                }
                bytes
            }
        };
        if let Err(error) = exchange.request() {
            return Event::Answered(exchange.reject(error));
        }
        let mut encoder = exchange.encoder().expect("every algorithm is there");
        let size = encoder.frame_size().unwrap_or(usize::MAX).min(body.len().max(1));
        let mut wire = Vec::with_capacity(body.len());
        for piece in body.chunks(size) {
            let frame = encoder.frame(piece).expect("pieces are as announced");
            wire.extend_from_slice(&frame.before);
            wire.extend_from_slice(piece);
            wire.extend_from_slice(&frame.after);
        }
        wire.extend_from_slice(&encoder.end().expect("the body is whole"));
        Event::Arrives(exchange, wire.into())
    }

    /// Delivers a head: the model responds at once, or the body is read.
    fn arrive(&mut self, mut exchange: Exchange, body: Bytes) -> (Duration, Event<S::Admitted>) {
        self.tell_time();
        let parts = exchange.request().expect("it was sealed before").clone();
        let request = Request::from_parts(&parts, body);
        match self.model.head(&request) {
            Err(reply) => self.respond(exchange, &reply),
            Ok(admitted) => {
                let micros = |rate| request.body.len() as u64 * 1_000_000 / rate;
                match self.rate.map(micros).filter(|micros| *micros > 0) {
                    None => self.read(exchange, admitted, &request),
                    Some(micros) => {
                        let at = self.now.tick + Duration::from_micros(micros);
                        (at, Event::Read(exchange, admitted, request))
                    }
                }
            }
        }
    }

    /// Delivers a body.
    fn read(
        &mut self,
        exchange: Exchange,
        admitted: S::Admitted,
        request: &Request,
    ) -> (Duration, Event<S::Admitted>) {
        self.tell_time();
        let reply = self.model.body(admitted, request);
        self.respond(exchange, &reply)
    }

    /// Returns a response, or loses it.
    fn respond(&mut self, exchange: Exchange, reply: &Reply) -> (Duration, Event<S::Admitted>) {
        let limit = exchange.timeouts().first_byte.unwrap_or(Duration::MAX);
        let (done, after) = if reply.delay > limit {
            (
                exchange.fail(ExchangeError::new(ExchangeErrorKind::Timeout, "no answer in time")),
                limit,
            )
        } else if let Some(Cut::Head(_) | Cut::Within(..)) = reply.cut {
            let detail = "the simulated connection broke";
            (exchange.fail(ExchangeError::new(ExchangeErrorKind::Closed, detail)), reply.delay)
        } else {
            (self.receive(exchange, reply), reply.delay)
        };
        (self.now.tick + after + self.latency(), Event::Answered(done))
    }

    fn tell_time(&mut self) {
        let skew = Duration::from_secs(self.skew.unsigned_abs());
        let unix = match self.skew < 0 {
            true => self.now.unix.saturating_sub(skew),
            false => self.now.unix + skew,
        };
        self.model.set_now(unix);
    }

    fn receive(&mut self, exchange: Exchange, reply: &Reply) -> Completion {
        let mut receiving = exchange.respond(reply.parts());
        let sent = match reply.cut {
            Some(Cut::Body(after, _)) => reply.body.slice(..after.min(reply.body.len())),
            _ => reply.body.clone(),
        };
        if receiving.has_body() {
            for piece in sent.chunks(16 << 10) {
                let at = receiving.position();
                match receiving.push(piece) {
                    Ok(bytes) => self.write(at, bytes),
                    Err(failure) => return receiving.finish(Some(failure)),
                }
            }
        }
        let cut = matches!(reply.cut, Some(Cut::Body(..)))
            .then(|| ExchangeError::new(ExchangeErrorKind::Cut, "the simulated connection broke"));
        receiving.finish(cut)
    }

    fn write(&mut self, at: Option<u64>, bytes: &[u8]) {
        let Some(at) = at.map(|at| at as usize) else { return };
        let end = at + bytes.len();
        if self.sink.len() < end {
            self.sink.resize(end, 0);
        }
        self.sink[at..end].copy_from_slice(bytes);
    }

    /// Supplies a machine that reads a stream. Returns true when it got something.
    fn supply<M: Machine>(&mut self, pump: &mut Pump<M>) -> bool {
        let length = self.source.len() as u64;
        let Some(window) = pump.stream_window() else { return false };
        if window.has_ended() || window.supplied() >= window.high() {
            return false;
        }
        let until = window.high().min(length);
        window.supply(until, until == length && window.high() > length);
        self.held = self.held.max(until - window.low());
        true
    }

    fn latency(&mut self) -> Duration {
        // splitmix64
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Duration::from_micros(500 + (mixed >> 33) % 40_000)
    }
}

/// The operations with which sessions obtain their tokens.
const RENEWALS: [&str; 2] = ["Authenticate", "AuthenticateService"];

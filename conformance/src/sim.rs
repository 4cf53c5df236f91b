//! Machines against a simulated S3 under a virtual clock.
//!
//! ```text
//!  Pump ──Launch──▶ in flight, by the time at which it arrives ──▶ S3Model ──▶ answer or fault
//!    ▲                                                                            │
//!    └──────────────── complete, by the time at which the answer is read ◀────────┘
//! ```
//!
//! Nothing sleeps: the clock jumps to the next thing that happens. Latencies come from a seed, so
//! that equal seeds give equal runs. The laws that a driver can see are asserted on the way.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::{Leave, Machine};
use apus_core::error::{Cause, Failure};
use apus_core::http::{Completion, Exchange, Outgoing};
use apus_core::machine::{Party, Pump, Traffic, Turn};
use apus_core::now::Now;
use bytes::Bytes;

use crate::server::{Cut, Reply, Request, S3Model};

/// A simulated server, a source, a sink and a clock.
#[derive(Debug)]
pub struct Sim {
    /// The server.
    pub model: S3Model,
    /// What machines read ranges of.
    pub source: Bytes,
    /// What machines wrote, by position.
    pub sink: Vec<u8>,
    /// The time.
    pub now: Now,
    /// Exchanges that were in flight at once, at most.
    pub peak: usize,
    /// Exchanges that were launched.
    pub launched: u64,
    /// Bytes of a stream that were held at once, at most.
    pub held: u64,
    /// The operation, its time and how it ended, of each exchange.
    pub trace: Vec<(&'static str, Duration, String)>,
    /// When to cancel, and what is left then.
    pub cancel_at: Option<(Duration, Leave)>,
    /// The source breaks at this position.
    pub source_breaks_at: Option<u64>,
    traffic: Option<std::sync::Arc<Traffic>>,
    random: u64,
}

/// Something that happens at a time.
enum Event {
    Arrives(Exchange, Bytes),
    Answered(Completion),
}

impl Sim {
    /// At noon of a day in 2015, with this source.
    pub fn new(model: S3Model, source: impl Into<Bytes>, seed: u64) -> Self {
        Self {
            model,
            source: source.into(),
            sink: Vec::new(),
            now: Now::new(Duration::from_secs(1000), Duration::from_secs(1_440_936_000)),
            peak: 0,
            launched: 0,
            held: 0,
            trace: Vec::new(),
            cancel_at: None,
            source_breaks_at: None,
            traffic: None,
            random: seed,
        }
    }

    /// With limits that the machines keep.
    #[must_use]
    pub fn with_traffic(mut self, traffic: Traffic) -> Self {
        self.traffic = Some(std::sync::Arc::new(traffic));
        self
    }

    /// Drives `machine` under these authorities until it is done.
    ///
    /// # Errors
    ///
    /// The machine's.
    ///
    /// # Panics
    ///
    /// A law was broken.
    pub fn run<M: Machine>(&mut self, machine: M, parties: Vec<Party>) -> Result<M::Output, Error> {
        self.drive(&mut Pump::new(machine, parties, Waker::noop().clone()))
    }

    /// As [`run`](Self::run), for a pump that is looked at afterwards.
    ///
    /// # Errors
    ///
    /// The machine's.
    ///
    /// # Panics
    ///
    /// A law was broken.
    pub fn drive<M: Machine>(&mut self, pump: &mut Pump<M>) -> Result<M::Output, Error> {
        let mut agenda: BTreeMap<(Duration, u64), Event> = BTreeMap::new();
        let mut cancelled = false;
        for turns in 0u64.. {
            assert!(turns < 2_000_000, "the machine goes round in circles");
            match pump.turn(self.now) {
                Turn::Launch(exchange) => {
                    self.launched += 1;
                    let at = (self.now.tick + self.latency(), self.launched);
                    let event = self.depart(exchange);
                    agenda.insert(at, event);
                    self.peak = self.peak.max(agenda.len());
                    assert_eq!(agenda.len(), pump.in_flight(), "law 2: one completion each");
                    let width = pump.machine().width();
                    assert!(agenda.len() <= width.max(1), "more in flight than the width {width}");
                }
                Turn::Done(result) => {
                    assert!(agenda.is_empty(), "law 3: done while something is in flight");
                    return result;
                }
                Turn::Park(wait) => {
                    if self.supply(pump) {
                        continue;
                    }
                    let next = agenda.keys().next().map(|(at, _)| *at);
                    let until = wait.map(|wait| wait.until);
                    let stop = self.cancel_at.filter(|_| !cancelled).map(|(at, _)| at);
                    let at = [next, until, stop].into_iter().flatten().min();
                    let at = at.expect("law 10: parked for ever with nothing in flight");
                    self.now = self.now.after(at.saturating_sub(self.now.tick));
                    if stop.is_some_and(|stop| stop <= self.now.tick) {
                        let leave = self.cancel_at.map_or(Leave::Abort, |(_, leave)| leave);
                        pump.cancel(self.now, leave);
                        cancelled = true;
                    } else if next == Some(at) {
                        self.happen(pump, &mut agenda);
                    }
                }
            }
        }
        unreachable!("the loop ends by its assertion")
    }

    fn happen<M: Machine>(
        &mut self,
        pump: &mut Pump<M>,
        agenda: &mut BTreeMap<(Duration, u64), Event>,
    ) {
        let Some(((_, number), event)) = agenda.pop_first() else { return };
        match event {
            Event::Arrives(exchange, body) => {
                let (done, after) = self.answer(exchange, body);
                let at = self.now.tick + after + self.latency();
                agenda.insert((at, number), Event::Answered(done));
            }
            Event::Answered(done) => {
                let how = match done.outcome() {
                    Ok(reply) => reply.status().as_u16().to_string(),
                    Err(error) => error.to_string(),
                };
                self.trace.push((done.draft().operation, self.now.tick, how));
                pump.complete(self.now, done);
            }
        }
    }

    /// Makes head and body as a transport would.
    fn depart(&mut self, mut exchange: Exchange) -> Event {
        let body = match exchange.outgoing().clone() {
            Outgoing::Empty => Bytes::new(),
            Outgoing::Bytes(bytes) => bytes,
            Outgoing::Source { range } => {
                let broken = self.source_breaks_at.is_some_and(|at| at < range.end);
                let (from, to) = (range.start as usize, range.end as usize);
                if broken || to > self.source.len() {
                    let failure = Failure::new(Cause::Source, "the simulated source broke");
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

    /// What the model does with a request that arrives, and how long the answer takes.
    fn answer(&mut self, mut exchange: Exchange, body: Bytes) -> (Completion, Duration) {
        self.model.set_now(self.now.unix.as_secs());
        let parts = exchange.request().expect("it was sealed before").clone();
        let reply = self.model.handle(&Request::from_parts(&parts, body));
        let limit = exchange.limits().first_byte.unwrap_or(Duration::MAX);
        if reply.delay > limit {
            let detail = "no answer in time";
            return (exchange.fail(Failure::new(Cause::Timeout, detail)), limit);
        }
        if let Some(Cut::Head(_)) = reply.cut {
            let detail = "the simulated connection broke";
            return (exchange.fail(Failure::new(Cause::Closed, detail)), reply.delay);
        }
        (self.receive(exchange, &reply), reply.delay)
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
            .then(|| Failure::new(Cause::Cut, "the simulated connection broke"));
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

    /// Feeds a machine that reads a stream. True when it got something.
    fn supply<M: Machine>(&mut self, pump: &mut Pump<M>) -> bool {
        let length = self.source.len() as u64;
        let Some(intake) = pump.intake() else { return false };
        if intake.has_ended() || intake.supplied() >= intake.high() {
            return false;
        }
        let until = intake.high().min(length);
        intake.supply(until, until == length && intake.high() > length);
        self.held = self.held.max(until - intake.low());
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

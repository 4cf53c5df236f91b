//! Where a schedule happens: a server, a clock, the bytes of a caller, and what goes wrong between.
//!
//! ```text
//!  Pump ──Launch──▶ a fault of the schedule? ──▶ arrives ──▶ the model ──▶ what becomes of the answer
//!    ▲                                              │                          │
//!    │                                              └─ or later, or never      │
//!    └──────────────── complete, in the order of time ◀────────────────────────┘
//! ```
//!
//! Nothing sleeps: the clock jumps to the next thing that happens. What is wrong with a law is written
//! down and ends the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::{Leave, Machine};
use apus_core::error::Failure;
use apus_core::http::{Completion, Exchange};
use apus_core::machine::{self, Observer, Party, Pump, Traffic, Turn};
use apus_core::now::Now;
use bytes::Bytes;

use super::chance::Chance;
use super::faults::{Facing, Fault, NAMELESS, Phase, Whom};
use super::host::Host;
use super::schedule::{Ahead, How, Schedule, Stop};
use super::trace::Trace;
use crate::server::Request;

/// A server, a clock, a source and a sink, and what a schedule has for them.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) host: Host,
    pub(crate) source: Source,
    pub(crate) sink: Sink,
    pub(crate) now: Now,
    /// How many seconds the server's clock is ahead of ours.
    pub(crate) skew: i64,
    /// How many times longer everything takes than on a fast network.
    pub(crate) pace: u32,
    pub(crate) traffic: Option<Arc<Traffic>>,
    pub(crate) trace: Trace,
    /// What is in the place of the object when somebody else writes it.
    pub(crate) intruder: Option<Bytes>,
    /// Whether answers to GetObject are compared with the checksum that they declare.
    pub(crate) validates: bool,
    /// Whether the server's tokens or keys may be revoked.
    pub(crate) revocable: bool,
    /// Operations that remove what a failure leaves.
    pub(crate) cleanup: &'static [&'static str],
    pub(crate) ahead: Ahead,
    pub(crate) stop: Option<Stop>,
    /// Faults that took effect.
    pub(crate) met: Vec<(&'static str, Phase)>,
    pub(crate) record: Record,
    chance: Chance,
    agenda: BTreeMap<(Duration, u64), (usize, Happening)>,
    sequence: u64,
}

/// What a run came to, beside its result.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// What is against a law, or untrue.
    pub(crate) wrong: Vec<String>,
    pub(crate) launched: u64,
    pub(crate) events: u64,
    pub(crate) peak: usize,
    /// Bytes of a stream that were held at once, at most.
    pub(crate) held: u64,
    /// Uploads and trusts whose name was told to nobody.
    pub(crate) unnamed: BTreeSet<String>,
    /// Uploads that a late part brought back and that nobody looked at since.
    pub(crate) landed: BTreeSet<String>,
    /// Objects of Swift that were written by requests whose connection was long gone.
    pub(crate) landed_objects: BTreeSet<(String, String)>,
    /// Trusts that were made so.
    pub(crate) late: BTreeSet<String>,
    /// How many requests were carried out after their connection had ended.
    pub(crate) acted_late: u32,
    /// How often the server denied something without looking.
    pub(crate) lies: u32,
    /// Somebody else wrote in the place of the object.
    pub(crate) replaced: bool,
    /// The process died.
    pub(crate) deaths: u32,
    pub(crate) cancelled: bool,
    /// It was cancelled so that another process goes on with it.
    pub(crate) kept: bool,
    /// A question about what was there before was answered by a fault.
    pub(crate) looked_in_vain: bool,
}

/// The bytes of a caller.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) bytes: Bytes,
    /// They come once and in order; what was read of them is gone.
    pub(crate) once: bool,
    /// Reading beyond this position fails.
    pub(crate) breaks_at: Option<u64>,
    /// How much of a source that comes once was read.
    taken: u64,
}

/// What was delivered to a caller.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) bytes: Vec<u8>,
    /// A byte came twice.
    pub(crate) twice: bool,
    seen: Vec<bool>,
}

/// How a machine ended.
#[derive(Debug)]
pub(crate) enum End<T> {
    Done(Result<T, Error>),
    /// Its process died, or a law was broken.
    Died,
}

/// Something that happens at a time.
#[derive(Debug)]
enum Happening {
    Arrives {
        exchange: Box<Exchange>,
        request: Box<Request>,
        fault: Option<Fault>,
    },
    Answered(Box<Completion>),
    /// The server gets to a request whose connection is long gone.
    Acts(Box<Request>, &'static str),
}

struct Place<T> {
    ready: bool,
    wait: Option<Duration>,
    result: Option<Result<T, Error>>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes down what machines and authorities have to tell.
#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl Observer for Listener {
    fn event(&self, _: Now, event: &machine::Event<'_>) {
        if let machine::Event::Noticed(notice) = event {
            let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            told.push(format!("{notice:?}"));
        }
    }
}

impl World {
    /// At noon of a day in 2015.
    pub(crate) fn new(schedule: &Schedule, host: Host) -> Self {
        Self {
            host,
            source: Source::default(),
            sink: Sink::default(),
            now: Now::new(Duration::from_secs(1000), Duration::from_secs(1_440_936_000)),
            skew: 0,
            pace: 1,
            traffic: None,
            trace: Trace::default(),
            intruder: None,
            validates: false,
            revocable: false,
            cleanup: &[],
            ahead: Ahead::new(schedule),
            stop: schedule.stop,
            met: Vec::new(),
            record: Record::default(),
            chance: Chance::new(schedule.seed, "world"),
            agenda: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Something is wrong.
    pub(crate) fn wrong(&mut self, what: impl Into<String>) {
        self.record.wrong.push(what.into());
    }

    /// Drives one machine.
    pub(crate) fn run<M: Machine>(&mut self, machine: M, parties: Vec<Party>) -> End<M::Output> {
        self.race(vec![machine], parties).pop().unwrap_or(End::Died)
    }

    /// Drives machines that share these authorities until all are done.
    pub(crate) fn race<M: Machine>(
        &mut self,
        machines: Vec<M>,
        parties: Vec<Party>,
    ) -> Vec<End<M::Output>> {
        let listener = Arc::new(Listener::default());
        let flags: Vec<Arc<Flag>> = machines.iter().map(|_| Arc::default()).collect();
        let pumps = machines.into_iter().zip(&flags).map(|(machine, flag)| {
            let pump = Pump::new(machine, parties.clone(), Waker::from(Arc::clone(flag)));
            let pump = pump.with_observer(Arc::clone(&listener) as Arc<dyn Observer>);
            match &self.traffic {
                Some(traffic) => pump.with_traffic(Arc::clone(traffic)),
                None => pump,
            }
        });
        let mut pumps: Vec<Pump<M>> = pumps.collect();
        let mut places: Vec<Place<M::Output>> =
            pumps.iter().map(|_| Place { ready: true, wait: None, result: None }).collect();
        let died = self.drive(&mut pumps, &mut places, &flags, &listener);
        self.hear(&listener);
        if died {
            self.die();
        }
        // What was done before the process died was done.
        let end = |place: Place<M::Output>| place.result.map_or(End::Died, End::Done);
        places.into_iter().map(end).collect()
    }

    /// True when the process died or a law was broken.
    fn drive<M: Machine>(
        &mut self,
        pumps: &mut [Pump<M>],
        places: &mut [Place<M::Output>],
        flags: &[Arc<Flag>],
        listener: &Listener,
    ) -> bool {
        loop {
            for (index, (pump, place)) in pumps.iter_mut().zip(&mut *places).enumerate() {
                let woken = flags[index].0.swap(false, Ordering::Relaxed);
                let due = place.wait.is_some_and(|until| until <= self.now.tick);
                if place.result.is_none() && (place.ready || woken || due) {
                    self.turn(index, pump, place);
                    self.hear(listener);
                }
            }
            if !self.record.wrong.is_empty() {
                return true;
            }
            if places.iter().all(|place| place.result.is_some()) {
                return false;
            }
            if flags.iter().any(|flag| flag.0.load(Ordering::Relaxed)) {
                continue;
            }
            if let Some(stop) = self.stop.filter(|stop| self.record.events >= stop.after) {
                self.stop = None;
                match stop.how {
                    How::Die => {
                        self.record.deaths += 1;
                        self.trace.say(self.now, "the process dies");
                        return true;
                    }
                    How::Cancel(leave) => {
                        self.record.cancelled = true;
                        self.record.kept = leave == Leave::Keep;
                        self.trace.say(self.now, format!("cancelled: {leave:?}"));
                        for (pump, place) in pumps.iter_mut().zip(&mut *places) {
                            pump.cancel(self.now, leave);
                            place.ready = true;
                        }
                        continue;
                    }
                }
            }
            let waits = places.iter().filter(|place| place.result.is_none());
            let until = waits.filter_map(|place| place.wait).min();
            let next = self.agenda.keys().next().map(|(at, _)| *at);
            let Some(at) = [next, until].into_iter().flatten().min() else {
                self.wrong("law 10: parked for ever with nothing in flight");
                return true;
            };
            self.now = self.now.after(at.saturating_sub(self.now.tick));
            self.record.events += 1;
            if self.record.events > MOST_EVENTS {
                self.wrong(format!("no end after {MOST_EVENTS} events"));
                return true;
            }
            if next == Some(at)
                && let Some((index, done)) = self.happen()
                && let (Some(pump), Some(place)) = (pumps.get_mut(index), places.get_mut(index))
            {
                pump.complete(self.now, *done);
                place.ready = true;
            }
        }
    }

    /// Turns one pump until it parks or is done.
    fn turn<M: Machine>(&mut self, index: usize, pump: &mut Pump<M>, place: &mut Place<M::Output>) {
        (place.ready, place.wait) = (false, None);
        for _ in 0..MOST_EVENTS {
            match pump.turn(self.now) {
                Turn::Launch(exchange) => {
                    self.launch(index, exchange, pump.intake().map(|intake| intake.low()));
                    let own = self.in_flight(index).count();
                    self.record.peak = self.record.peak.max(own);
                    if own != pump.in_flight() {
                        self.wrong("law 2: not one completion for each exchange");
                    }
                    let renewals =
                        self.in_flight(index).filter(|name| RENEWALS.contains(name)).count();
                    let width = pump.machine().width().max(1);
                    if own - renewals > width {
                        self.wrong(format!("{own} exchanges in flight, with a width of {width}"));
                    }
                }
                Turn::Done(result) => {
                    let left: Vec<_> =
                        self.in_flight(index).filter(|name| !RENEWALS.contains(name)).collect();
                    if !left.is_empty() {
                        self.wrong(format!("law 3: done while {left:?} are in flight"));
                    }
                    if !matches!(pump.turn(self.now), Turn::Park(None)) {
                        self.wrong("law 3: done, and then something else");
                    }
                    let how = match &result {
                        Ok(_) => "done".to_owned(),
                        Err(error) => format!("failed: {error}"),
                    };
                    self.trace.say(self.now, format!("[{index}] {how}"));
                    if let Err(error) = &result {
                        self.trace.heard.push(format!("{error:?}"));
                    }
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
            if !self.record.wrong.is_empty() {
                return;
            }
        }
        self.wrong("the machine goes round in circles");
    }

    fn hear(&mut self, listener: &Listener) {
        let mut told = listener.0.lock().unwrap_or_else(PoisonError::into_inner);
        for notice in told.drain(..) {
            self.trace.say(self.now, format!("notice: {notice}"));
        }
    }

    /// The exchanges of one pump that have not ended.
    fn in_flight(&self, index: usize) -> impl Iterator<Item = &'static str> {
        self.agenda.values().filter(move |(of, _)| *of == index).filter_map(
            |(_, event)| match event {
                Happening::Arrives { exchange, .. } => Some(exchange.operation()),
                Happening::Answered(done) => Some(done.draft().operation),
                Happening::Acts(..) => None,
            },
        )
    }

    fn plan(&mut self, at: Duration, index: usize, event: Happening) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), (index, event));
    }

    /// Sends an exchange off.
    fn launch(&mut self, index: usize, mut exchange: Exchange, low: Option<u64>) {
        self.record.launched += 1;
        let facing = self.facing(&exchange);
        let fault = self.ahead.meet(&facing);
        if let Some(Fault::ClockJumps(by)) = fault {
            self.meet(Fault::ClockJumps(by), facing.operation);
            self.jump(by);
        }
        self.trace.launch(self.now, index, self.record.launched, &exchange, fault);
        let limits = *exchange.limits();
        let soon = self.now.tick + self.latency();
        let early = match fault {
            Some(Fault::Refused) => Some((refused(), soon)),
            Some(Fault::ConnectStalls) => {
                let limit = limits.connect.unwrap_or(A_WHILE);
                Some((timeout("connecting"), self.now.tick + limit))
            }
            Some(Fault::ResetInHead) => Some((closed(), soon)),
            _ => None,
        };
        if let (Some((failure, at)), Some(fault)) = (early, fault) {
            self.meet(fault, facing.operation);
            let done = Happening::Answered(Box::new(exchange.fail(failure)));
            return self.plan(at, index, done);
        }
        let share = match fault {
            Some(
                Fault::ResetInBody(share)
                | Fault::StallsInBody(share)
                | Fault::EarlyRefusal(share, _)
                | Fault::EarlySuccess(share),
            ) => Some(share),
            _ => None,
        };
        match super::wire::depart(&mut self.source, &mut exchange, share, low) {
            Err(super::wire::Undone::Law(what)) => self.wrong(what),
            Err(super::wire::Undone::Ended(failure)) => {
                let done = Box::new(exchange.fail(failure));
                self.plan(soon, index, Happening::Answered(done));
            }
            Err(super::wire::Undone::Rejected(error)) => {
                let done = Box::new(exchange.reject(error));
                self.plan(soon, index, Happening::Answered(done));
            }
            Ok(request) => {
                let exchange = Box::new(exchange);
                let request = Box::new(request);
                self.plan(soon, index, Happening::Arrives { exchange, request, fault });
            }
        }
    }

    /// The next thing happens; what comes home is for this pump.
    fn happen(&mut self) -> Option<(usize, Box<Completion>)> {
        let (_, (index, event)) = self.agenda.pop_first()?;
        match event {
            Happening::Answered(done) => {
                self.trace.answer(self.now, index, &done);
                return Some((index, done));
            }
            Happening::Acts(request, operation) => {
                self.trace.say(self.now, format!("the server carries out {operation} now"));
                self.act_late(&request, operation);
            }
            Happening::Arrives { exchange, request, fault } => {
                let (at, done) = self.arrive(*exchange, &request, fault);
                self.plan(at, index, Happening::Answered(Box::new(done)));
            }
        }
        None
    }

    /// A request arrives, or what there is of it.
    fn arrive(
        &mut self,
        exchange: Exchange,
        request: &Request,
        fault: Option<Fault>,
    ) -> (Duration, Completion) {
        let operation = exchange.operation();
        let soon = self.now.tick + self.latency();
        let limits = *exchange.limits();
        if let Some(fault) = fault
            && !matches!(fault, Fault::ClockJumps(_))
        {
            self.meet(fault, operation);
        }
        match fault {
            Some(Fault::Revoked) => self.host.revoke(),
            Some(Fault::Replaced) => {
                if let Some(other) = self.intruder.clone() {
                    self.record.replaced = true;
                    self.tell_time();
                    self.host.intrude(other);
                }
            }
            Some(Fault::ResetInBody(_) | Fault::Lost) => return (soon, exchange.fail(closed())),
            Some(Fault::StallsInBody(_)) => {
                let limit = limits.idle.unwrap_or(A_WHILE);
                return (self.now.tick + limit, exchange.fail(timeout("sending the body")));
            }
            Some(Fault::EarlySuccess(_)) => {
                let reply = super::wire::early_success(operation, request);
                return (soon, super::wire::receive(exchange, &reply, None, &mut self.sink));
            }
            Some(Fault::AnswerLost) => {
                self.act(request, operation, None, true);
                return (soon, exchange.fail(closed()));
            }
            Some(Fault::Garbage) => {
                self.act(request, operation, None, true);
                return (soon, exchange.fail(super::wire::garbage()));
            }
            Some(Fault::Late(by)) => {
                let at = self.now.tick + Duration::from_millis(by.into());
                let request = Box::new(request.clone());
                self.plan(at, usize::MAX, Happening::Acts(request, operation));
                return (soon, exchange.fail(closed()));
            }
            Some(Fault::Stalls(acted)) => {
                if acted {
                    self.act(request, operation, None, true);
                }
                let limit = limits.first_byte.unwrap_or(A_WHILE);
                return (self.now.tick + limit, exchange.fail(timeout("waiting for the answer")));
            }
            Some(Fault::Duplicated) => {
                let reply = self.act(request, operation, None, false);
                self.act(request, operation, None, true);
                return (soon, super::wire::receive(exchange, &reply, None, &mut self.sink));
            }
            _ => {}
        }
        let hidden = matches!(
            fault,
            Some(
                Fault::CutInAnswer(_)
                    | Fault::Truncated(_)
                    | Fault::StallsInAnswer(_)
                    | Fault::StatusAfter(_)
            )
        );
        let mut reply = self.act(request, operation, fault, hidden);
        if let Some(Fault::StatusAfter(status)) = fault {
            reply = self.host.refusal(request, status, "");
        }
        let at = match fault {
            Some(Fault::Slow(by)) => soon + Duration::from_secs(by.into()),
            _ => soon,
        };
        let (cut, at) = match fault {
            Some(Fault::CutInAnswer(share)) => (Some((share, Some(super::wire::cut()))), at),
            Some(Fault::Truncated(share)) => (Some((share, None)), at),
            Some(Fault::StallsInAnswer(share)) => {
                let limit = limits.idle.unwrap_or(A_WHILE);
                (Some((share, Some(timeout("reading the answer")))), at + limit)
            }
            _ => (None, at),
        };
        (at, super::wire::receive(exchange, &reply, cut, &mut self.sink))
    }

    /// The server carries a request out.
    fn act(
        &mut self,
        request: &Request,
        operation: &'static str,
        fault: Option<Fault>,
        hidden: bool,
    ) -> crate::server::Reply {
        self.tell_time();
        if matches!(operation, "ListParts" | "AbortMultipartUpload") {
            self.record.landed.retain(|id| !request.target.contains(id.as_str()));
        }
        let watched = hidden && NAMELESS.contains(&operation);
        let before = if watched { self.host.nameless() } else { BTreeSet::new() };
        if fault.is_some_and(Fault::may_lie) {
            self.record.lies += 1;
        }
        let reply = self.host.handle(request, fault);
        if watched {
            let after = self.host.nameless();
            self.record.unnamed.extend(after.difference(&before).cloned());
        }
        reply
    }

    /// The server gets to a request whose connection is long gone.
    fn act_late(&mut self, request: &Request, operation: &'static str) {
        self.tell_time();
        let before = self.host.nameless();
        self.record.acted_late += 1;
        self.record.landed_objects.extend(self.host.written(request));
        if let Some(id) = self.host.handle_late(request) {
            self.trace.say(self.now, format!("upload {id} is there again"));
            self.record.landed.insert(id);
        } else if NAMELESS.contains(&operation) {
            let after = self.host.nameless();
            let made: Vec<String> = after.difference(&before).cloned().collect();
            self.record.unnamed.extend(made.iter().cloned());
            self.record.late.extend(made);
        }
    }

    /// The process is gone: what it had sent may still be carried out, now or later, or never.
    fn die(&mut self) {
        for ((at, _), (_, event)) in std::mem::take(&mut self.agenda) {
            match event {
                Happening::Arrives { exchange, request, fault } => {
                    let whole = fault.is_none_or(|fault| fault.phase() != Phase::Body);
                    if whole && self.chance.percent(60) {
                        let later = Duration::from_millis(self.chance.pick(&[0, 0, 30, 3000]));
                        let event = Happening::Acts(request, exchange.operation());
                        self.plan(at + later, usize::MAX, event);
                    }
                }
                event @ Happening::Acts(..) => self.plan(at, usize::MAX, event),
                Happening::Answered(_) => {}
            }
        }
        self.now = self.now.after(Duration::from_millis(self.chance.pick(&[1, 50, 20_000])));
    }

    /// Lets everything happen that the server has yet to get to.
    pub(crate) fn settle(&mut self) {
        while let Some((at, _)) = self.agenda.keys().next().copied() {
            self.now = self.now.after(at.saturating_sub(self.now.tick));
            self.happen();
        }
        self.tell_time();
        self.host.settle();
    }

    /// Feeds a machine that reads a stream. True when it got something.
    fn supply<M: Machine>(&mut self, pump: &mut Pump<M>) -> bool {
        let length = self.source.bytes.len() as u64;
        let Some(intake) = pump.intake() else { return false };
        if intake.has_ended() || intake.supplied() >= intake.high() {
            return false;
        }
        let most = intake.high().min(length);
        let until = match most - intake.supplied().min(most) {
            0 | 1 => most,
            room => intake.supplied() + 1 + self.chance.below(room),
        };
        let until = if self.chance.percent(50) { most } else { until };
        intake.supply(until, until == length && intake.high() > length);
        self.record.held = self.record.held.max(until.saturating_sub(intake.low()));
        true
    }

    fn facing(&self, exchange: &Exchange) -> Facing {
        let draft = exchange.draft();
        Facing {
            operation: exchange.operation(),
            whom: self.host.whom(&draft.head.uri),
            body: draft.body.len(),
            ranged: draft.head.headers.contains_key(http::header::RANGE),
            validated: self.validates,
            replaceable: self.intruder.is_some(),
            revocable: self.revocable,
        }
    }

    fn meet(&mut self, fault: Fault, operation: &str) {
        let phase = match self.cleanup.contains(&operation) {
            true => Phase::Cleanup,
            false => fault.phase(),
        };
        self.record.looked_in_vain |= LOOKS.contains(&operation);
        self.met.push((fault.name(), phase));
    }

    fn jump(&mut self, by: i32) {
        let far = Duration::from_secs(by.unsigned_abs().into());
        self.now.unix = match by < 0 {
            true => self.now.unix.saturating_sub(far),
            false => self.now.unix + far,
        };
        // The server's clock does not follow.
        self.skew -= i64::from(by);
    }

    pub(crate) fn tell_time(&mut self) {
        let skew = Duration::from_secs(self.skew.unsigned_abs());
        let unix = match self.skew < 0 {
            true => self.now.unix.saturating_sub(skew),
            false => self.now.unix + skew,
        };
        self.host.set_now(unix);
    }

    fn latency(&mut self) -> Duration {
        Duration::from_micros(500 + self.chance.below(40_000)) * self.pace
    }
}

impl Source {
    /// As often and wherever one likes.
    pub(crate) fn seekable(bytes: Bytes) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// These bytes of it, if it has them still, and what was read instead where it has not.
    pub(crate) fn read(&mut self, from: u64, to: u64) -> Result<Bytes, Failure> {
        let start = if self.once { self.taken } else { from };
        let end = start + (to - from);
        let length = self.bytes.len() as u64;
        if self.breaks_at.is_some_and(|at| at < end) {
            let what = "the simulated source broke";
            return Err(Failure::new(apus_core::error::Cause::Source, what));
        }
        Ok(self.bytes.slice(start.min(length) as usize..end.min(length) as usize))
    }

    /// So much of it has left.
    pub(crate) fn take(&mut self, bytes: u64) {
        self.taken += bytes;
    }
}

impl Sink {
    /// Takes bytes at this position, each once.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) -> bool {
        let at = at as usize;
        let end = at + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
            self.seen.resize(end, false);
        }
        self.bytes[at..end].copy_from_slice(bytes);
        self.seen[at..end].iter_mut().all(|seen| !std::mem::replace(seen, true))
    }

    /// Whether there is no gap.
    pub(crate) fn is_whole(&self) -> bool {
        self.seen.iter().all(|seen| *seen)
    }
}

fn refused() -> Failure {
    Failure::new(apus_core::error::Cause::Connect, "the simulated server refused the connection")
}

fn closed() -> Failure {
    Failure::new(apus_core::error::Cause::Closed, "the simulated connection was reset")
}

fn timeout(what: &str) -> Failure {
    Failure::new(apus_core::error::Cause::Timeout, format!("nothing happened in time: {what}"))
}

impl Whom {
    /// Whom a path is for.
    pub(crate) fn of_cloud(authority: Option<&str>) -> Self {
        match authority {
            Some(host) if host.starts_with("keystone") => Self::Keystone,
            _ => Self::Swift,
        }
    }
}

/// The operations by which authorities get their tokens and keys.
const RENEWALS: [&str; 4] =
    ["Authenticate", "AuthenticateService", "DiscoverVersions", "RenewKeys"];
/// The operations by which is asked what is there.
const LOOKS: [&str; 3] = ["HeadObject", "GetManifest", "GetContainer"];
/// Longer than any schedule takes.
const MOST_EVENTS: u64 = 20_000;
/// Where an exchange has no limit.
const A_WHILE: Duration = Duration::from_secs(600);

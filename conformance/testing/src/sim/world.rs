//! The environment of a schedule: a server, a clock, the bytes of a caller, and the faults.
//!
//! ```text
//!  Pump ──Launch──▶ a fault of the schedule? ──▶ arrives ──▶ the model ──▶ a fault of the response?
//!    ▲                                              │                          │
//!    │                                              └─ or later, or never      │
//!    └──────────────── complete, in the order of time ◀────────────────────────┘
//! ```
//!
//! Nothing sleeps: the clock jumps to the next event. The loop is in `drive.rs`, sending and
//! receiving in `wire.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Completion, Exchange, Hedged};
use apus_core::machine::RateLimits;
use apus_core::now::Now;
use bytes::Bytes;

use super::chance::Chance;
use super::ends::{Sink, Source};
use super::faults::{Facing, Fault, NAMELESS, Phase, Whom};
use super::host::Host;
use super::record::{LOOK, Record};
use super::said::Said;
use super::schedule::{Ahead, Schedule, Stop};
use super::trace::Trace;
use crate::server::{Reply, Request};

/// A server, a clock, a source and a sink, and the faults of a schedule.
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
    pub(crate) rate_limits: Option<Arc<RateLimits>>,
    pub(crate) trace: Trace,
    /// The object that another client writes.
    pub(crate) intruder: Option<Bytes>,
    /// Whether the server ignores the condition of a PUT that must replace nothing.
    pub(crate) heedless: bool,
    /// Whether responses to GetObject are compared with the checksum that they declare.
    pub(crate) validates: bool,
    /// Whether an upload knows the checksum of its whole object, and compares it.
    pub(crate) assembles: bool,
    /// Whether a manifest with another ETag is removed.
    pub(crate) tagged: bool,
    /// With a shorter remaining life, in seconds, a token has been renewed.
    pub(crate) renews_before: Option<u64>,
    /// Whether the limits are of requests at once alone, and not of their rate.
    pub(crate) counts_places: bool,
    /// Whether the first machine that renews a token is dropped by its caller meanwhile.
    pub(crate) drops_renewal: bool,
    /// What the server said that later requests have to follow.
    pub(super) said: Said,
    /// Whether the server's tokens or keys may be revoked.
    pub(crate) revocable: bool,
    /// Operations that remove what a failure leaves.
    pub(crate) cleanup: &'static [&'static str],
    pub(crate) ahead: Ahead,
    pub(crate) stop: Option<Stop>,
    /// Faults that took effect.
    pub(crate) met: Vec<(&'static str, Phase)>,
    pub(crate) record: Record,
    pub(super) chance: Chance,
    /// Whether the transport passes on heads before their bodies.
    pub(crate) asks_for_heads: bool,
    pub(super) agenda: BTreeMap<(Duration, u64), (usize, Happening)>,
    sequence: u64,
}

/// An event.
#[derive(Debug)]
pub(super) enum Happening {
    Arrives {
        exchange: Box<Exchange>,
        request: Box<Request>,
        fault: Option<Fault>,
    },
    /// The response to one of two requests for the same bytes arrives.
    Responds {
        exchange: Box<Exchange>,
        answer: Answer,
    },
    Answered(Box<Completion>),
    /// The server applies a request after its connection has ended.
    Acts(Box<Request>, &'static str),
    /// Another process completes an upload.
    Completes(Other),
    /// Another client overwrites the object.
    Intrudes,
}

/// What a transport receives.
#[derive(Debug)]
pub(super) enum Answer {
    Fails(ExchangeError),
    /// A response, and where it is cut.
    Replies(Reply, Option<(u16, Option<ExchangeError>)>),
}

/// An upload that another process completes.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) id: String,
    pub(crate) object: Bytes,
    pub(crate) part_size: usize,
}

impl World {
    /// Creates the world at noon of a day in 2015.
    pub(crate) fn new(schedule: &Schedule, host: Host) -> Self {
        Self {
            host,
            source: Source::default(),
            sink: Sink::default(),
            now: Now::new(Duration::from_secs(1000), Duration::from_secs(1_440_936_000)),
            skew: 0,
            pace: 1,
            rate_limits: None,
            trace: Trace::default(),
            intruder: None,
            heedless: false,
            validates: false,
            assembles: false,
            tagged: false,
            renews_before: None,
            counts_places: false,
            drops_renewal: false,
            said: Said::default(),
            revocable: false,
            cleanup: &[],
            ahead: Ahead::new(schedule),
            stop: schedule.stop,
            met: Vec::new(),
            record: Record::default(),
            chance: Chance::new(schedule.seed, "world"),
            asks_for_heads: schedule.seed.is_multiple_of(2),
            agenda: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Records a fault.
    pub(crate) fn wrong(&mut self, what: impl Into<String>) {
        self.record.wrong.push(what.into());
    }

    /// Returns the exchanges of one pump that have not ended.
    pub(super) fn in_flight(&self, index: usize) -> impl Iterator<Item = &'static str> {
        self.agenda.values().filter(move |(of, _)| *of == index).filter_map(
            |(_, event)| match event {
                Happening::Arrives { exchange, .. } | Happening::Responds { exchange, .. } => {
                    Some(exchange.operation())
                }
                Happening::Answered(done) => Some(done.draft().operation),
                Happening::Acts(..) | Happening::Completes(..) | Happening::Intrudes => None,
            },
        )
    }

    fn plan(&mut self, at: Duration, index: usize, event: Happening) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), (index, event));
    }

    /// Sends an exchange.
    pub(super) fn launch(&mut self, index: usize, mut exchange: Exchange, low: Option<u64>) {
        self.record.launched += 1;
        let facing = self.facing(&exchange);
        let fault = self.ahead.meet(&facing);
        if let Some(Fault::ClockJumps(by)) = fault {
            self.meet(Fault::ClockJumps(by), facing.operation);
            self.jump(by);
        }
        self.trace.launch(self.now, index, self.record.launched, &exchange, fault);
        if self.record.sent(self.now.tick, &exchange, self.heedless) {
            self.wrong("a write that must replace nothing is sent again over another's object");
        }
        let limits = *exchange.timeouts();
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
                self.follows(index, &exchange, &request);
                let exchange = Box::new(exchange);
                let request = Box::new(request);
                self.plan(soon, index, Happening::Arrives { exchange, request, fault });
            }
        }
    }

    /// Runs the next event; returns a completion with the pump that it is for.
    pub(super) fn happen(&mut self) -> Option<(usize, Box<Completion>)> {
        let (_, (index, event)) = self.agenda.pop_first()?;
        match event {
            Happening::Answered(done) => {
                self.trace.answer(self.now, index, &done);
                self.says_end(&done);
                if let (LOOK, Some((_, end))) = (done.draft().operation, &mut self.record.look) {
                    *end = Some(self.now.tick);
                }
                return Some((index, done));
            }
            Happening::Acts(request, operation) => {
                self.trace.say(self.now, format!("the server carries out {operation} now"));
                self.act_late(&request, operation);
            }
            Happening::Completes(upload) => {
                self.tell_time();
                if self.host.complete_of_another(&upload) {
                    self.record.completed_late = true;
                    let what = format!("another process completes upload {}", upload.id);
                    self.trace.say(self.now, what);
                }
            }
            Happening::Intrudes => {
                self.trace.say(self.now, "another client writes the object");
                self.intrude();
            }
            Happening::Arrives { exchange, request, fault } => {
                let (at, answer) = self.arrive(&exchange, &request, fault);
                self.says(index, &exchange, &request, fault, at, &answer);
                let event = match exchange.hedged() {
                    // Which of two requests is answered first is known when it is.
                    Some(_) => Happening::Responds { exchange, answer },
                    None => Happening::Answered(Box::new(self.answer(*exchange, answer))),
                };
                self.plan(at, index, event);
            }
            Happening::Responds { exchange, answer } => {
                let done = self.answer(*exchange, answer);
                self.plan(self.now.tick, index, Happening::Answered(Box::new(done)));
                self.cancel_overtaken();
            }
        }
        None
    }

    /// Delivers a request, or the part of it that was sent.
    fn arrive(
        &mut self,
        exchange: &Exchange,
        request: &Request,
        fault: Option<Fault>,
    ) -> (Duration, Answer) {
        let operation = exchange.operation();
        let soon = self.now.tick + self.latency();
        let limits = *exchange.timeouts();
        if let Some(fault) = fault
            && !matches!(fault, Fault::ClockJumps(_))
        {
            self.meet(fault, operation);
        }
        self.record.put_in_doubt |=
            exchange.draft().head.headers.contains_key(http::header::IF_NONE_MATCH)
                && fault.is_some_and(Fault::is_ambiguous);
        match fault {
            Some(Fault::Revoked) => self.host.revoke(),
            Some(Fault::Replaced) => self.intrude(),
            Some(Fault::ResetInBody(_) | Fault::Lost) => return (soon, Answer::Fails(closed())),
            Some(Fault::StallsInBody(_)) => {
                let limit = limits.idle.unwrap_or(A_WHILE);
                return (self.now.tick + limit, Answer::Fails(timeout("sending the body")));
            }
            Some(Fault::EarlySuccess(share)) => {
                let reply = super::wire::early_success(operation, request);
                // Every second one is cut off.
                let cut = (share % 2 == 1).then(|| (share, Some(super::wire::cut())));
                return (soon, Answer::Replies(reply, cut));
            }
            Some(Fault::AnswerLost) => {
                self.act(request, operation, None, true);
                return (soon, Answer::Fails(closed()));
            }
            Some(Fault::Garbage) => {
                self.act(request, operation, None, true);
                return (soon, Answer::Fails(super::wire::garbage()));
            }
            Some(Fault::Late(by)) => {
                let at = self.now.tick + Duration::from_millis(by.into());
                let request = Box::new(request.clone());
                self.plan(at, usize::MAX, Happening::Acts(request, operation));
                return (soon, Answer::Fails(closed()));
            }
            Some(Fault::Stalls(acted)) => {
                if acted {
                    self.act(request, operation, None, true);
                }
                let limit = limits.first_byte.unwrap_or(A_WHILE);
                return (self.now.tick + limit, Answer::Fails(timeout("waiting for the answer")));
            }
            Some(Fault::Duplicated) => {
                let reply = self.act(request, operation, None, false);
                self.act(request, operation, None, true);
                return (soon, Answer::Replies(reply, None));
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
        (at, Answer::Replies(reply, cut))
    }

    /// Ends an exchange, and passes its body on.
    fn answer(&mut self, exchange: Exchange, answer: Answer) -> Completion {
        match answer {
            Answer::Fails(failure) => exchange.fail(failure),
            Answer::Replies(reply, cut) => {
                super::wire::receive(exchange, &reply, cut, &mut self.sink)
            }
        }
    }

    /// Cancels the requests that are overtaken, as a transport does.
    fn cancel_overtaken(&mut self) {
        let overtaken = |event: &Happening| match event {
            Happening::Arrives { exchange, .. } | Happening::Responds { exchange, .. } => {
                exchange.hedged().is_some_and(Hedged::is_overtaken)
            }
            _ => false,
        };
        let events = self.agenda.iter().filter(|(_, (_, event))| overtaken(event));
        let keys: Vec<_> = events.map(|(key, _)| *key).collect();
        for (index, event) in
            keys.iter().filter_map(|key| self.agenda.remove(key)).collect::<Vec<_>>()
        {
            if let Happening::Arrives { exchange, .. } | Happening::Responds { exchange, .. } =
                event
            {
                let done = exchange.fail(ExchangeError::cancelled());
                self.plan(self.now.tick, index, Happening::Answered(Box::new(done)));
            }
        }
    }

    /// Applies a request.
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
            self.record.denied |= operation == LOOK;
        }
        let reply = self.host.handle(request, fault);
        if !hidden && reply.status == 404 && OF_UPLOADS.contains(&operation) {
            self.record.completed_late = false;
        }
        let refused_in_200 = matches!(fault, Some(Fault::ErrorIn200(_)));
        if (200..300).contains(&reply.status) && !refused_in_200 {
            self.record.carried_out.insert(operation);
        }
        if watched {
            let after = self.host.nameless();
            self.record.unnamed.extend(after.difference(&before).cloned());
        }
        reply
    }

    /// The server applies a request after its connection has ended.
    fn act_late(&mut self, request: &Request, operation: &'static str) {
        self.tell_time();
        let before = self.host.nameless();
        let completes = operation == "CompleteMultipartUpload";
        self.record.acted_late += u32::from(!completes);
        self.record.landed_objects.extend(self.host.written(request));
        if let Some(id) = self.host.handle_late(request) {
            self.trace.say(self.now, format!("upload {id} is there again"));
            self.record.landed.insert(id);
        } else if completes {
            self.record.completed_late |= !before.is_subset(&self.host.nameless());
        } else if NAMELESS.contains(&operation) {
            let after = self.host.nameless();
            let made: Vec<String> = after.difference(&before).cloned().collect();
            self.record.unnamed.extend(made.iter().cloned());
            self.record.late.extend(made);
        }
    }

    /// Lets the process before this one, which is not dead, complete its upload after this time.
    pub(crate) fn completes_later(&mut self, upload: Other, after: Duration) {
        self.plan(self.now.tick + after, usize::MAX, Happening::Completes(upload));
    }

    /// Lets another client overwrite the object after this time.
    pub(crate) fn intrudes_later(&mut self, after: Duration) {
        self.plan(self.now.tick + after, usize::MAX, Happening::Intrudes);
    }

    fn intrude(&mut self) {
        if let Some(other) = self.intruder.clone() {
            self.record.replaced = true;
            self.record.replaced_at.get_or_insert(self.now.tick);
            self.tell_time();
            self.host.intrude(other);
        }
    }

    /// Ends the exchanges of one machine whose caller dropped it: the server applies what has arrived.
    pub(super) fn abandon(&mut self, index: usize) {
        let own = self.agenda.iter().filter(|(_, (of, _))| *of == index);
        let keys: Vec<_> = own.map(|(key, _)| *key).collect();
        for key in keys {
            if let Some((_, Happening::Arrives { exchange, request, fault: None })) =
                self.agenda.remove(&key)
            {
                self.plan(key.0, usize::MAX, Happening::Acts(request, exchange.operation()));
            }
        }
    }

    /// Ends the process. What it had sent may be applied now, later, or never.
    pub(super) fn die(&mut self) {
        self.forgets();
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
                event @ (Happening::Acts(..) | Happening::Completes(..) | Happening::Intrudes) => {
                    self.plan(at, usize::MAX, event)
                }
                Happening::Answered(_) | Happening::Responds { .. } => {}
            }
        }
        self.now = self.now.after(Duration::from_millis(self.chance.pick(&[1, 50, 20_000])));
    }

    /// Lets the server apply everything that is still waiting.
    pub(crate) fn settle(&mut self) {
        while let Some((at, _)) = self.agenda.keys().next().copied() {
            self.now = self.now.after(at.saturating_sub(self.now.tick));
            self.happen();
        }
        self.tell_time();
        self.host.settle();
    }

    fn facing(&self, exchange: &Exchange) -> Facing {
        let draft = exchange.draft();
        Facing {
            operation: exchange.operation(),
            whom: self.host.whom(&draft.head.uri),
            body: draft.body.len(),
            ranged: draft.head.headers.contains_key(http::header::RANGE),
            validated: self.validates,
            assembled: self.assembles,
            tagged: self.tagged,
            replaceable: self.intruder.is_some(),
            cleans: self.cleanup.contains(&exchange.operation()),
            revocable: self.revocable,
        }
    }

    fn meet(&mut self, fault: Fault, operation: &str) {
        let phase = match self.cleanup.contains(&operation) {
            true => Phase::Cleanup,
            false => fault.phase(),
        };
        self.record.looked_in_vain |= LOOKS.contains(&operation);
        self.record.listed_in_vain |= operation == "ListParts";
        self.record.aborted_in_vain |= fault == Fault::PartsLeft;
        self.met.push((fault.name(), phase));
    }

    fn jump(&mut self, by: i32) {
        let before = self.now.unix.as_secs();
        let far = u64::from(by.unsigned_abs());
        // Whole seconds, as those of the skew.
        self.now.unix = match by < 0 {
            true => self.now.unix - Duration::from_secs(far.min(before)),
            false => self.now.unix + Duration::from_secs(far),
        };
        // The server's clock does not jump. Ours does not go back beyond 1970.
        let seconds = |unix: u64| i64::try_from(unix).unwrap_or(i64::MAX);
        self.skew += seconds(before) - seconds(self.now.unix.as_secs());
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

fn refused() -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Connect, "the simulated server refused the connection")
}

fn closed() -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Closed, "the simulated connection was reset")
}

fn timeout(what: &str) -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Timeout, format!("nothing happened in time: {what}"))
}

impl Whom {
    /// Returns the service of a request to the cloud.
    pub(crate) fn of_cloud(authority: Option<&str>) -> Self {
        match authority {
            Some(host) if host.starts_with("keystone") => Self::Keystone,
            _ => Self::Swift,
        }
    }
}

/// The operations that are refused with 404 where an upload does not exist.
const OF_UPLOADS: [&str; 4] =
    ["AbortMultipartUpload", "CompleteMultipartUpload", "ListParts", "UploadPart"];
/// The operations that look at what is stored.
const LOOKS: [&str; 3] = ["HeadObject", "GetManifest", "GetContainer"];
/// The timeout of an exchange that has none.
const A_WHILE: Duration = Duration::from_secs(600);

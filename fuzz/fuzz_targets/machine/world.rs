//! Drives a machine through a list of events, and asserts the laws that a driver can see.
//!
//! | law | asserted |
//! | --- | --- |
//! | 2 | as many exchanges are in flight as were launched and not completed, `concurrency` at most |
//! | 3 | `Done` is said once, with nothing in flight; what was begun on the server is removed or told |
//! | 4 | an equal script makes an equal [`End`] (by `main.rs`) |
//! | 5 | completions of another pump, and late ones, change nothing |
//! | 6 | no [`SECRET`] is in what is launched, in the result, or in the machine |
//! | 7 | nothing is read of a stream that was not supplied, or was let go |
//! | 10 | nothing waits without an event to wait for, or for a time that has passed |
//!
//! Beside the laws: the sink gets each byte once and without a gap, the parts of an upload cover it,
//! and after a cancellation nothing new is begun.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use apus_core::contract::{Machine, OnFailure};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Body, Completion, Exchange};
use apus_core::machine::{Pump, RateLimits, Turn};
use apus_core::now::Wait;
use apus_core::{Error, Now};
use arbitrary::Arbitrary;
use bytes::Bytes;

use crate::Setup;
use crate::answer::{Answer, LONGEST, Outcome};
use crate::server::{BEGINNINGS, PART, Remains};

/// How it went: what was sent and how it ended.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct End {
    trace: Vec<(&'static str, Duration)>,
    result: String,
}

pub(crate) struct World<'a, M: Machine, F> {
    setup: &'a Setup,
    fresh: F,
    pump: Pump<M>,
    /// Bytes that the source has.
    source: u64,
    flights: Vec<Exchange>,
    now: Now,
    until: Option<Wait>,
    sink: Vec<bool>,
    /// Bytes of parts that were sent.
    parts: Vec<std::ops::Range<u64>>,
    remains: Remains,
    cancelled: bool,
    end: End,
}

/// Something that happens.
#[derive(Arbitrary, Debug)]
pub(crate) enum Event {
    /// One of the exchanges in flight ends so.
    Ends {
        which: u8,
        sent: bool,
        answer: Answer,
    },
    /// One of the exchanges in flight is dropped by its driver.
    Dropped {
        which: u8,
    },
    /// The source gives some bytes.
    Supplied {
        bytes: u8,
        ends: bool,
    },
    /// Time passes, in milliseconds.
    Passes(u16),
    /// What was waited for comes.
    Waited,
    /// The clock on the wall is set, in seconds.
    Set(i16),
    Cancelled {
        keeps: bool,
    },
    /// The exchange of another pump ends here.
    Foreign(Answer),
}

/// A number of bytes, seldom one that no memory holds.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Length {
    Few(u8),
    Some(u8),
    Any(u64),
}

impl Length {
    pub(crate) fn get(self) -> u64 {
        match self {
            Self::Few(length) | Self::Some(length) => length.into(),
            Self::Any(length) => length,
        }
    }
}

impl<'a, M, F> World<'a, M, F>
where
    M: Machine + Debug,
    M::Output: Debug,
    F: Fn() -> Pump<M>,
{
    pub(crate) fn new(setup: &'a Setup, source: u64, fresh: F) -> Self {
        let mut pump = fresh();
        if let Some(most) = setup.at_once {
            pump = pump.with_rate_limits(Arc::new(RateLimits::new(most.into())));
        }
        Self {
            setup,
            fresh,
            pump,
            source,
            flights: Vec::new(),
            now: Now::new(Duration::from_secs(1000), Duration::from_secs(1_440_938_160)),
            until: None,
            sink: Vec::new(),
            parts: Vec::new(),
            remains: Remains::new(setup.on_failure() == OnFailure::Keep),
            cancelled: false,
            end: End::default(),
        }
    }

    pub(crate) fn run(mut self, events: &[Event], ending: &Answer) -> End {
        for event in events {
            if let Some(result) = self.settle() {
                return self.over(result, ending);
            }
            self.happen(event);
        }
        for _ in 0..MOST_STEPS {
            if let Some(result) = self.settle() {
                return self.over(result, ending);
            }
            self.step(ending);
        }
        panic!("it does not end: {:?}", self.end.trace.last());
    }

    /// Turns the pump until it waits; returns the result when the machine is done.
    fn settle(&mut self) -> Option<Result<M::Output, Error>> {
        for _ in 0..MOST_STEPS {
            match self.pump.turn(self.now) {
                Turn::Launch(exchange) => self.launched(exchange),
                Turn::Done(result) => return Some(result),
                Turn::Park(wait) => {
                    match wait {
                        Some(wait) => assert!(wait.until > self.now.tick, "it waits for the past"),
                        None => assert!(
                            !self.flights.is_empty() || self.is_hungry(),
                            "law 10: it waits for nothing"
                        ),
                    }
                    self.until = wait;
                    return None;
                }
            }
        }
        panic!("it launches for ever");
    }

    fn launched(&mut self, exchange: Exchange) {
        let operation = exchange.operation();
        self.end.trace.push((operation, self.now.tick));
        assert!(!self.cancelled || !BEGINNINGS.contains(&operation), "{operation} after the end");
        if let Body::Source { range, .. } = &exchange.draft().body {
            match self.pump.stream_window() {
                Some(window) => {
                    assert!(window.low() <= range.start, "law 7: it was let go");
                    assert!(range.end <= window.supplied(), "law 7: it was not supplied");
                }
                None => assert!(range.end <= self.source, "beyond the source"),
            }
            if operation == PART {
                self.parts.push(range.clone());
            }
        }
        self.remains.launched(exchange.draft());
        keeps_secrets(&exchange);
        self.flights.push(exchange);
        assert_eq!(self.flights.len(), self.pump.in_flight(), "law 2: one completion each");
        let concurrency = self.pump.machine().concurrency();
        let own = |exchange: &&Exchange| !RENEWALS.contains(&exchange.operation());
        let wide = self.flights.iter().filter(own).count();
        assert!(wide <= concurrency.max(1), "law 2: wider than {concurrency}");
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Ends { which, sent, answer } => self.ends((*which).into(), *sent, answer),
            Event::Dropped { which } => {
                if let Some(at) = usize::from(*which).checked_rem(self.flights.len()) {
                    let exchange = self.flights.swap_remove(at);
                    self.complete(exchange.fail(ExchangeError::cancelled()));
                }
            }
            Event::Supplied { bytes, ends } => self.supply((*bytes).into(), *ends),
            Event::Passes(millis) => {
                self.now = self.now.after(Duration::from_millis((*millis).into()));
            }
            Event::Waited => self.wait(),
            Event::Set(seconds) => {
                let seconds = Duration::from_secs(seconds.unsigned_abs().into());
                self.now.unix = self.now.unix.saturating_add(seconds);
            }
            Event::Cancelled { keeps } => {
                let on_failure = if *keeps { OnFailure::Keep } else { OnFailure::Abort };
                self.pump.cancel(self.now, on_failure);
                self.cancelled = true;
                if *keeps {
                    self.remains.keep();
                }
            }
            Event::Foreign(answer) => self.foreign(answer),
        }
    }

    /// Whatever is needed next, in the end.
    fn step(&mut self, ending: &Answer) {
        // A server that serves a huge object would do so for ever.
        let fits = self.setup.object.get() <= LONGEST && self.source <= LONGEST;
        let ending = match ending {
            Answer::Good(_) if fits => &Answer::Good(0),
            Answer::Good(_) | Answer::Odd { .. } | Answer::Cut(..) => &NOT_FOUND,
            ending => ending,
        };
        if !self.flights.is_empty() {
            self.ends(0, true, ending);
        } else if self.is_hungry() && self.until.is_none() {
            self.supply(u64::MAX, true);
        } else {
            self.wait();
        }
    }

    fn ends(&mut self, which: usize, sent: bool, answer: &Answer) {
        let Some(at) = which.checked_rem(self.flights.len()) else { return };
        let exchange = self.flights.swap_remove(at);
        let (done, sunk) = perform(exchange, sent, answer, self.setup, self.now);
        if let Some((position, length)) = sunk {
            self.sink(position, length);
        }
        let whole = done.outcome().is_ok_and(|reply| reply.cut.is_none());
        self.remains.ended(&done, whole && matches!(answer, Answer::Good(_)));
        self.complete(done);
    }

    fn complete(&mut self, done: Completion) {
        self.pump.complete(self.now, done);
        assert_eq!(self.flights.len(), self.pump.in_flight(), "law 2: one completion each");
    }

    /// Another pump of the same kind of machine has launched something, and its completion comes
    /// here.
    fn foreign(&mut self, answer: &Answer) {
        let mut other = (self.fresh)();
        if let Some(window) = other.stream_window() {
            window.supply(1, true);
        }
        if let Turn::Launch(exchange) = other.turn(self.now) {
            let (done, _) = perform(exchange, false, answer, self.setup, self.now);
            self.complete(done);
        }
    }

    fn is_hungry(&mut self) -> bool {
        let wants = |window: &mut apus_core::contract::StreamWindow| {
            !window.has_ended() && window.supplied() < window.high()
        };
        self.pump.stream_window().is_some_and(wants)
    }

    fn supply(&mut self, bytes: u64, ends: bool) {
        let Some(window) = self.pump.stream_window() else { return };
        let end = window.high().min(self.source);
        let until = window.supplied().saturating_add(bytes).min(end);
        let at_end = until == self.source && window.high() > self.source;
        window.supply(until.max(window.supplied()), ends && at_end);
    }

    fn wait(&mut self) {
        if let Some(wait) = self.until {
            self.now = self.now.after(wait.until.saturating_sub(self.now.tick));
        }
    }

    fn sink(&mut self, position: u64, length: u64) {
        let (Ok(start), Ok(length)) = (usize::try_from(position), usize::try_from(length)) else {
            return;
        };
        if start > 16 * LONGEST as usize || length == 0 {
            return;
        }
        if self.sink.len() < start + length {
            self.sink.resize(start + length, false);
        }
        for byte in &mut self.sink[start..start + length] {
            assert!(!std::mem::replace(byte, true), "the sink gets a byte twice, after {start}");
        }
    }

    fn over(mut self, result: Result<M::Output, Error>, late: &Answer) -> End {
        assert!(self.flights.is_empty(), "law 3: done while something is in flight");
        assert_eq!(self.pump.in_flight(), 0, "law 3: done while something is in flight");
        match &result {
            Ok(_) => {
                assert!(self.sink.iter().all(|byte| *byte), "a gap in what was delivered");
                self.parts.sort_by_key(|part| (part.start, part.end));
                let mut end = self.parts.first().map_or(0, |part| part.start);
                for part in &self.parts {
                    assert!(part.start <= end, "a gap between parts, at {end}");
                    end = end.max(part.end);
                }
            }
            Err(error) => assert!(!error.to_string().contains(SECRET), "law 6: {error}"),
        }
        self.remains.check(&result);
        keeps_secrets(&result);
        keeps_secrets(self.pump.machine());
        self.end.result = format!("{result:?}");
        for _ in 0..3 {
            self.foreign(late);
            self.now = self.now.after(Duration::from_secs(3600));
            assert!(matches!(self.pump.turn(self.now), Turn::Park(None)), "law 3: done twice");
            self.pump.cancel(self.now, OnFailure::Abort);
        }
        self.end
    }
}

fn keeps_secrets(thing: &impl Debug) {
    let text = format!("{thing:?}");
    assert!(!text.contains(SECRET), "law 6: {text}");
}

/// Does what a driver does, and what the sink got of it: a position and a length.
fn perform(
    mut exchange: Exchange,
    sent: bool,
    answer: &Answer,
    setup: &Setup,
    now: Now,
) -> (Completion, Option<(u64, u64)>) {
    let outcome = answer.to(exchange.draft(), setup, now.unix.as_secs());
    let length = exchange.draft().body.len();
    if length <= LONGEST {
        let body = Bytes::from(vec![0; usize::try_from(length).expect("it is short")]);
        if exchange.measures() {
            exchange.load(body.clone()).expect("it is as long as its range");
        }
        if let Err(error) = exchange.request().map(drop) {
            return (exchange.reject(error), None);
        }
        if sent {
            let mut encoder = exchange.encoder().expect("all algorithms are built in");
            for piece in body.chunks(encoder.frame_size().unwrap_or(usize::MAX)) {
                encoder.frame(piece).expect("pieces are as announced");
            }
            encoder.end().expect("the body is whole");
        }
    }
    let (head, body, cut) = match outcome {
        Outcome::Lost(cause) => return (exchange.fail(ExchangeError::new(cause, "lost")), None),
        Outcome::Head { head, body, cut } => (head, body, cut),
    };
    let mut receiving = exchange.respond(head);
    let at = receiving.position();
    let mut cut = cut.then(|| ExchangeError::new(ExchangeErrorKind::Cut, "cut"));
    let mut passed = 0;
    if receiving.has_body() {
        for piece in body.chunks(PIECE) {
            match receiving.push(piece) {
                Ok(bytes) => passed += bytes.len() as u64,
                Err(failure) => {
                    cut = Some(failure);
                    break;
                }
            }
        }
    }
    (receiving.finish(cut), at.map(|at| (at, passed)))
}

const NOT_FOUND: Answer = Answer::Refused { which: 0, after: None, dated: None, document: true };

/// Every password, key and token has this in it.
pub(crate) const SECRET: &str = "hunter2";

/// What an authority sends, beside the machine's concurrency.
const RENEWALS: [&str; 2] = ["Authenticate", "DiscoverVersions"];

/// Bytes of a body that arrive at once.
const PIECE: usize = 13;
const MOST_STEPS: usize = 20_000;

//! The loop of a transport, and the laws that it can observe. A violation is recorded and ends the
//! run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::{Machine, OnFailure};
use apus_core::machine::{self, Auth, Observer, Pump, Turn};
use apus_core::now::{Now, WaitReason};

use super::faults::Phase;
use super::schedule::How;
use super::world::World;

/// How a machine ended.
#[derive(Debug)]
pub(crate) enum End<T> {
    Done(Result<T, Error>),
    /// Its process died, or a law was broken.
    Died,
}

struct Place<T> {
    ready: bool,
    wait: Option<Duration>,
    /// It waits for a time at which the limits let it send.
    paced: bool,
    result: Option<Result<T, Error>>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Records the events and notices of machines and authenticators.
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
    /// Drives one machine.
    pub(crate) fn run<M: Machine>(&mut self, machine: M, auths: Vec<Auth>) -> End<M::Output> {
        self.race(vec![machine], auths).pop().unwrap_or(End::Died)
    }

    /// Drives machines that share these authenticators until all are done.
    pub(crate) fn race<M: Machine>(
        &mut self,
        machines: Vec<M>,
        auths: Vec<Auth>,
    ) -> Vec<End<M::Output>> {
        let listener = Arc::new(Listener::default());
        let flags: Vec<Arc<Flag>> = machines.iter().map(|_| Arc::default()).collect();
        let pumps = machines.into_iter().zip(&flags).map(|(machine, flag)| {
            let pump = Pump::new(machine, auths.clone(), Waker::from(Arc::clone(flag)));
            let pump = pump.with_observer(Arc::clone(&listener) as Arc<dyn Observer>);
            match &self.rate_limits {
                Some(rate_limits) => pump.with_rate_limits(Arc::clone(rate_limits)),
                None => pump,
            }
        });
        let mut pumps: Vec<Option<Pump<M>>> = pumps.map(Some).collect();
        let mut places: Vec<Place<M::Output>> = pumps
            .iter()
            .map(|_| Place { ready: true, wait: None, paced: false, result: None })
            .collect();
        let died = self.drive(&mut pumps, &mut places, &flags, &listener);
        self.hear(&listener);
        if died {
            self.die();
        }
        // A result from before the death of the process counts.
        let end = |place: Place<M::Output>| place.result.map_or(End::Died, End::Done);
        places.into_iter().map(end).collect()
    }

    /// Returns true when the process died or a law was broken.
    fn drive<M: Machine>(
        &mut self,
        pumps: &mut [Option<Pump<M>>],
        places: &mut [Place<M::Output>],
        flags: &[Arc<Flag>],
        listener: &Listener,
    ) -> bool {
        loop {
            self.drop_renewal(pumps);
            for (index, (pump, place)) in pumps.iter_mut().zip(&mut *places).enumerate() {
                let woken = flags[index].0.swap(false, Ordering::Relaxed);
                let due = place.wait.is_some_and(|until| until <= self.now.tick);
                let Some(pump) = pump else { continue };
                if place.result.is_none() && (place.ready || woken || due) {
                    self.turn(index, pump, place);
                    self.hear(listener);
                }
            }
            if !self.record.wrong.is_empty() {
                return true;
            }
            let ended =
                |(pump, place): (&Option<_>, &Place<_>)| pump.is_none() || place.result.is_some();
            if pumps.iter().zip(&*places).all(ended) {
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
                        self.met.push(("process dies", Phase::Head));
                        self.trace.say(self.now, "the process dies");
                        return true;
                    }
                    How::Cancel(on_failure) => {
                        self.record.cancelled = true;
                        self.record.kept = on_failure == OnFailure::Keep;
                        let name = match on_failure {
                            OnFailure::Abort => "cancelled",
                            OnFailure::Keep => "cancelled, to be gone on with",
                        };
                        self.met.push((name, Phase::Head));
                        self.trace.say(self.now, format!("cancelled: {on_failure:?}"));
                        for (pump, place) in pumps.iter_mut().zip(&mut *places) {
                            let Some(pump) = pump else { continue };
                            pump.cancel(self.now, on_failure);
                            place.ready = true;
                        }
                        continue;
                    }
                }
            }
            self.has_no_idle_place(pumps, places);
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
            // Before the completion, as in a transport. Every second schedule has a transport that
            // was not asked for heads.
            for head in std::mem::take(&mut self.sink.heads) {
                for pump in pumps.iter_mut().flatten().filter(|_| self.asks_for_heads) {
                    pump.opened(self.now, head.clone());
                }
            }
            if next == Some(at)
                && let Some((index, done)) = self.happen()
                && let (Some(Some(pump)), Some(place)) =
                    (pumps.get_mut(index), places.get_mut(index))
            {
                pump.complete(self.now, *done);
                place.ready = true;
            }
        }
    }

    /// Drops the first machine that renews a token, with its requests, as a caller drops a future.
    fn drop_renewal<M: Machine>(&mut self, pumps: &mut [Option<Pump<M>>]) {
        let renews = |(index, pump): (usize, &Option<Pump<M>>)| {
            let renews = self.in_flight(index).any(|name| RENEWALS.contains(&name));
            (pump.is_some() && renews).then_some(index)
        };
        if !self.drops_renewal || pumps.len() < 2 {
            return;
        }
        if let Some(index) = pumps.iter().enumerate().find_map(renews) {
            self.drops_renewal = false;
            self.trace.say(self.now, format!("[{index}] is dropped while it renews a token"));
            // Its connections end with it, before others are told.
            self.abandon(index);
            pumps[index] = None;
        }
    }

    /// Checks that none waits for a place of the limit while one is free. What has a place, and
    /// waits for its time to send, has taken it.
    fn has_no_idle_place<M: Machine>(
        &mut self,
        pumps: &[Option<Pump<M>>],
        stages: &[Place<M::Output>],
    ) {
        let Some(limits) = self.rate_limits.as_ref().filter(|_| self.counts_places) else { return };
        let places = limits.at_once() as usize;
        let (mut taken, mut waiting) = (0, 0);
        for (pump, stage) in pumps.iter().zip(stages) {
            let Some(pump) = pump else { continue };
            let is_paced = pump.is_in_line() && stage.paced;
            taken += pump.in_flight() + usize::from(is_paced);
            waiting += usize::from(pump.in_flight() == 0 && pump.is_in_line() && !is_paced);
        }
        if waiting > 0 && taken < places {
            self.wrong(format!(
                "{waiting} requests wait for a place, and {taken} of {places} are taken"
            ));
        }
    }

    /// Turns one pump until it parks or is done.
    fn turn<M: Machine>(&mut self, index: usize, pump: &mut Pump<M>, place: &mut Place<M::Output>) {
        (place.ready, place.wait, place.paced) = (false, None, false);
        for _ in 0..MOST_EVENTS {
            match pump.turn(self.now) {
                Turn::Launch(exchange) => {
                    self.launch(index, exchange, pump.stream_window().map(|window| window.low()));
                    let own = self.in_flight(index).count();
                    self.record.peak = self.record.peak.max(own);
                    if own != pump.in_flight() {
                        self.wrong("law 2: not one completion for each exchange");
                    }
                    let renewals =
                        self.in_flight(index).filter(|name| RENEWALS.contains(name)).count();
                    let concurrency = pump.machine().concurrency().max(1);
                    if own - renewals > concurrency {
                        self.wrong(format!(
                            "{own} exchanges in flight, with a concurrency of {concurrency}"
                        ));
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
                    place.paced = wait.is_some_and(|wait| wait.reason == WaitReason::Pacing);
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

    /// Supplies a machine that reads a stream. Returns true when it got something.
    fn supply<M: Machine>(&mut self, pump: &mut Pump<M>) -> bool {
        let length = self.source.bytes.len() as u64;
        let Some(window) = pump.stream_window() else { return false };
        if window.has_ended() || window.supplied() >= window.high() {
            return false;
        }
        let most = window.high().min(length);
        let until = match most - window.supplied().min(most) {
            0 | 1 => most,
            room => window.supplied() + 1 + self.chance.below(room),
        };
        let until = if self.chance.percent(50) { most } else { until };
        window.supply(until, until == length && window.high() > length);
        self.record.held = self.record.held.max(until.saturating_sub(window.low()));
        true
    }
}

/// The operations with which authenticators obtain tokens and keys.
const RENEWALS: [&str; 4] =
    ["Authenticate", "AuthenticateService", "DiscoverVersions", "RenewKeys"];
/// More than any schedule takes.
const MOST_EVENTS: u64 = 20_000;

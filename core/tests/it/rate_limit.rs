//! Many pumps under one limit: which one is next, which one is woken, and how often.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use apus_core::Now;
use apus_core::contract::{
    AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest, OnFailure,
};
use apus_core::credentials::Credentials;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Completion, Draft, Exchange};
use apus_core::machine::{Auth, Call, Event, Observer, Pump, RateLimits, Turn};
use apus_core::s3::HeadBucket;
use apus_core::sign::Keys;

use crate::support::service;

type Head = Pump<Call<HeadBucket>>;

/// Whose wakers were woken, in order.
#[derive(Default)]
struct Woken(Mutex<VecDeque<usize>>);

impl Woken {
    fn take(&self) -> Vec<usize> {
        self.0.lock().unwrap().drain(..).collect()
    }
}

struct Bell(usize, Arc<Woken>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.1.0.lock().unwrap().push_back(self.0);
    }
}

/// Pumps under one limit, each with a waker of its own.
struct Crowd {
    rate_limits: Arc<RateLimits>,
    auth: Auth,
    woken: Arc<Woken>,
    made: usize,
}

impl Crowd {
    fn new(rate_limits: RateLimits) -> Self {
        let auth = Auth::new(Credentials::new(Keys::new("AKID", "secret")));
        Self { rate_limits: Arc::new(rate_limits), auth, woken: Arc::default(), made: 0 }
    }

    fn pump(&mut self) -> Head {
        let call = Call::new(HeadBucket::new("bucket"), service(|_| {}), 1);
        let waker = Waker::from(Arc::new(Bell(self.made, Arc::clone(&self.woken))));
        self.made += 1;
        let pump = Pump::new(call, [self.auth.clone()], waker);
        pump.with_rate_limits(Arc::clone(&self.rate_limits))
    }
}

fn launched(pump: &mut Head) -> Exchange {
    match pump.turn(NOON) {
        Turn::Launch(exchange) => exchange,
        turn => panic!("not launched: {turn:?}"),
    }
}

fn parked(pump: &mut Head) {
    assert!(matches!(pump.turn(NOON), Turn::Park(None)), "it is not parked without a time");
}

fn answered(mut exchange: Exchange, status: u16) -> Completion {
    exchange.request().unwrap();
    let head = http::Response::builder().status(status).body(()).unwrap();
    exchange.respond(head.into_parts().0).finish(None)
}

#[test]
fn ten_thousand_go_in_their_order_and_each_is_woken_once() {
    const ALL: usize = 10_000;
    let mut crowd = Crowd::new(RateLimits::new(64));
    let mut pumps: Vec<Head> = (0..ALL).map(|_| crowd.pump()).collect();
    let mut flying = VecDeque::new();
    let mut turns = 0;
    for (index, pump) in pumps.iter_mut().enumerate() {
        turns += 1;
        match pump.turn(NOON) {
            Turn::Launch(exchange) => flying.push_back((index, exchange)),
            Turn::Park(wait) => assert_eq!(wait, None),
            Turn::Done(_) => panic!("it was not sent"),
        }
    }
    assert_eq!((flying.len(), crowd.rate_limits.waiting()), (64, ALL - 64));
    let mut expected = 64;
    while let Some((index, exchange)) = flying.pop_front() {
        pumps[index].complete(NOON, answered(exchange, 200));
        turns += 1;
        assert!(matches!(pumps[index].turn(NOON), Turn::Done(Ok(_))));
        for woken in crowd.woken.take() {
            assert_eq!(woken, expected, "not the one that waited longest");
            expected += 1;
            turns += 1;
            flying.push_back((woken, launched(&mut pumps[woken])));
        }
        assert!(flying.len() <= 64);
    }
    assert_eq!(expected, ALL, "somebody was forgotten");
    assert_eq!(turns, 2 * ALL + (ALL - 64), "somebody was turned in vain");
    assert_eq!(crowd.rate_limits.waiting(), 0);
}

#[test]
fn places_that_are_freed_together_wake_as_many() {
    let mut crowd = Crowd::new(RateLimits::new(3));
    let mut first: Vec<Head> = (0..3).map(|_| crowd.pump()).collect();
    let exchanges: Vec<Exchange> = first.iter_mut().map(launched).collect();
    let mut waiting: Vec<Head> = (0..5).map(|_| crowd.pump()).collect();
    waiting.iter_mut().for_each(parked);
    for (pump, exchange) in first.iter_mut().zip(exchanges) {
        pump.complete(NOON, answered(exchange, 200));
    }
    assert_eq!(crowd.woken.take(), [3, 4, 5]);
    // In whatever order they are turned.
    for index in [2, 0, 1] {
        launched(&mut waiting[index]);
    }
    waiting[3..].iter_mut().for_each(parked);
}

#[test]
fn a_newcomer_does_not_overtake_who_was_woken() {
    let mut crowd = Crowd::new(RateLimits::new(1));
    let (mut one, mut other, mut newcomer) = (crowd.pump(), crowd.pump(), crowd.pump());
    let exchange = launched(&mut one);
    parked(&mut other);
    one.complete(NOON, answered(exchange, 200));
    assert_eq!(crowd.woken.take(), [1]);
    parked(&mut newcomer);
    let exchange = launched(&mut other);
    assert!(crowd.woken.take().is_empty());
    other.complete(NOON, answered(exchange, 200));
    assert_eq!(crowd.woken.take(), [2]);
    launched(&mut newcomer);
}

#[test]
fn who_is_dropped_passes_its_place_on() {
    let mut crowd = Crowd::new(RateLimits::new(1));
    let mut one = crowd.pump();
    let exchange = launched(&mut one);
    let mut waiting: Vec<Option<Head>> = (0..4).map(|_| Some(crowd.pump())).collect();
    waiting.iter_mut().flatten().for_each(parked);
    // The second in line gives up before, the first when it has been woken.
    drop(waiting[1].take());
    assert_eq!((crowd.woken.take(), crowd.rate_limits.waiting()), (vec![], 3));
    one.complete(NOON, answered(exchange, 200));
    assert_eq!(crowd.woken.take(), [1]);
    drop(waiting[0].take());
    assert_eq!(crowd.woken.take(), [3]);
    let mut third = waiting[2].take().unwrap();
    launched(&mut third);
    // What is in flight is given up with its pump.
    drop(third);
    assert_eq!(crowd.woken.take(), [4]);
    launched(waiting[3].as_mut().unwrap());
    drop(waiting);
    launched(&mut crowd.pump());
}

#[test]
fn who_is_cancelled_passes_its_place_on() {
    let mut crowd = Crowd::new(RateLimits::new(1));
    let (mut one, mut other, mut third) = (crowd.pump(), crowd.pump(), crowd.pump());
    let exchange = launched(&mut one);
    parked(&mut other);
    parked(&mut third);
    one.complete(NOON, answered(exchange, 200));
    assert_eq!(crowd.woken.take(), [1]);
    other.cancel(NOON, OnFailure::Abort);
    let Turn::Done(Err(error)) = other.turn(NOON) else { panic!("it is not over") };
    assert!(error.is_cancelled());
    assert_eq!(crowd.woken.take(), [2]);
    launched(&mut third);
}

#[test]
fn who_is_turned_for_another_reason_keeps_its_turn_and_takes_one_place_only() {
    let mut crowd = Crowd::new(RateLimits::new(1));
    let (mut one, mut other, mut third) = (crowd.pump(), crowd.pump(), crowd.pump());
    let exchange = launched(&mut one);
    for _ in 0..10 {
        parked(&mut other);
        parked(&mut third);
    }
    assert_eq!(crowd.rate_limits.waiting(), 2);
    one.complete(NOON, answered(exchange, 200));
    assert_eq!(crowd.woken.take(), [1]);
    parked(&mut third);
    launched(&mut other);
}

#[test]
fn connections_that_fail_give_no_places_back_to_a_server_that_is_too_busy() {
    let mut crowd = Crowd::new(RateLimits::new(16));
    let mut pumps: Vec<Head> = (0..16).map(|_| crowd.pump()).collect();
    let mut flying: Vec<Exchange> = pumps.iter_mut().map(launched).collect();
    for pump in pumps.iter_mut().skip(4).rev() {
        pump.complete(NOON, answered(flying.pop().unwrap(), 503));
    }
    assert_eq!(crowd.rate_limits.at_once(), 4);
    for (pump, exchange) in pumps.iter_mut().zip(flying) {
        let failure = ExchangeError::new(ExchangeErrorKind::Connect, "refused");
        pump.complete(NOON, exchange.fail(failure));
    }
    assert_eq!(crowd.rate_limits.at_once(), 4);
}

#[test]
fn a_server_that_is_too_busy_is_given_fewer_and_then_more_again() {
    let mut crowd = Crowd::new(RateLimits::new(4));
    let mut busy: Vec<Head> = (0..4).map(|_| crowd.pump()).collect();
    let mut flying: VecDeque<(usize, Exchange)> =
        busy.iter_mut().map(launched).enumerate().collect();
    let mut waiting: Vec<Head> = (0..20).map(|_| crowd.pump()).collect();
    waiting.iter_mut().for_each(parked);
    for _ in 0..2 {
        let (index, exchange) = flying.pop_front().unwrap();
        busy[index].complete(NOON, answered(exchange, 503));
    }
    // Two may go at once from now on, and two are in flight.
    assert_eq!((crowd.rate_limits.at_once(), crowd.woken.take()), (2, vec![]));
    let mut served = 0;
    let mut flying: VecDeque<(Option<usize>, usize, Exchange)> =
        flying.into_iter().map(|(index, exchange)| (None, index, exchange)).collect();
    let mut most = 0;
    while let Some((waited, index, exchange)) = flying.pop_front() {
        let pump = match waited {
            Some(waited) => &mut waiting[waited],
            None => &mut busy[index],
        };
        pump.complete(NOON, answered(exchange, 200));
        for woken in crowd.woken.take() {
            let waited = woken - 4;
            assert_eq!(waited, served);
            served += 1;
            flying.push_back((Some(waited), 0, launched(&mut waiting[waited])));
        }
        most = most.max(flying.len());
    }
    assert_eq!((served, most, crowd.rate_limits.at_once()), (20, 4, 4));
}

/// Has no grant for anybody yet.
struct Waits;

impl Authenticator for Waits {
    fn lease(&mut self, _: Now, _: &mut LeaseRequest<'_>) -> Lease {
        Lease::Wait(None)
    }

    fn seal(
        &mut self,
        _: LeaseGeneration,
        draft: Box<Draft>,
        now: Now,
    ) -> Result<Exchange, apus_core::Error> {
        Ok(Exchange::open(draft, now, 0))
    }

    fn judge(&mut self, _: Now, _: &Completion) -> AuthOutcome {
        AuthOutcome::Accepted
    }

    fn renewed(&mut self, _: Now, _: Completion) {}
}

#[test]
fn who_waits_for_a_grant_takes_no_place() {
    let mut crowd = Crowd::new(RateLimits::new(1));
    let known = std::mem::replace(&mut crowd.auth, Auth::new(Waits));
    let mut without = crowd.pump();
    crowd.auth = known;
    let (mut one, mut other) = (crowd.pump(), crowd.pump());
    parked(&mut without);
    let exchange = launched(&mut one);
    parked(&mut without);
    parked(&mut other);
    one.complete(NOON, answered(exchange, 200));
    // The place is offered to it, and goes to the next when it can't use it.
    assert_eq!(crowd.woken.take(), [0]);
    parked(&mut without);
    assert_eq!(crowd.woken.take(), [2]);
    launched(&mut other);
}

#[derive(Default)]
struct Told(Mutex<Vec<(usize, u32)>>, AtomicUsize);

impl Observer for Told {
    fn event(&self, _: Now, event: &Event<'_>) {
        match event {
            Event::Queued { operation, at_once, waiting } => {
                assert_eq!(*operation, "HeadBucket");
                self.0.lock().unwrap().push((*waiting, *at_once));
            }
            _ => drop(self.1.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

#[test]
fn an_observer_is_told_once_of_each_wait() {
    let mut crowd = Crowd::new(RateLimits::new(1));
    let told = Arc::new(Told::default());
    let mut one = crowd.pump().with_observer(Arc::clone(&told) as Arc<dyn Observer>);
    let mut other = crowd.pump().with_observer(Arc::clone(&told) as Arc<dyn Observer>);
    let mut third = crowd.pump().with_observer(Arc::clone(&told) as Arc<dyn Observer>);
    let exchange = launched(&mut one);
    for _ in 0..3 {
        parked(&mut other);
        parked(&mut third);
    }
    one.complete(NOON, answered(exchange, 200));
    launched(&mut other);
    assert_eq!(*told.0.lock().unwrap(), [(1, 1), (2, 1)]);
}

#[test]
fn a_pump_that_fails_on_the_way_frees_its_place() {
    let mut crowd = Crowd::new(RateLimits::new(1));
    let (mut one, mut other) = (crowd.pump(), crowd.pump());
    let exchange = launched(&mut one);
    parked(&mut other);
    one.complete(NOON, exchange.fail(ExchangeError::cancelled()));
    assert_eq!(crowd.woken.take(), [1]);
    launched(&mut other);
}

const NOON: Now = Now { tick: Duration::from_secs(5), unix: Duration::from_secs(1_440_938_160) };

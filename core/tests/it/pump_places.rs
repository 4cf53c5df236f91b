//! The order of exchanges that wait to be sent, and exchanges that are no longer sent.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apus_core::Now;
use apus_core::contract::{Machine, OnFailure, Step};
use apus_core::credentials::Credentials;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Completion, Exchange};
use apus_core::keystone::{Domain, Identity, Login, Scope, Session, SessionOptions, User};
use apus_core::machine::{Auth, Call, GrantOnly, Pump, RateLimits, Turn};
use apus_core::s3::{HeadBucket, PutObject};

use crate::support::service;

fn session() -> Auth {
    let identity = Identity::password(User::named("demo", Domain::default_id()), "secret");
    let scope = Scope::project_named("demo", Domain::default_id());
    let login = Login::new("http://keystone:5000/v3", identity, scope).unwrap();
    Auth::new(Session::new(login, SessionOptions::default()))
}

#[test]
fn what_waits_for_a_token_takes_no_place_from_those_that_do_not() {
    let (rate_limits, auth) = (Arc::new(RateLimits::new(2)), session());
    let asks = || {
        let call = Call::new(GrantOnly::new(), service(|_| {}), 1);
        let pump = Pump::new(call, [auth.clone()], Waker::noop().clone());
        pump.with_rate_limits(Arc::clone(&rate_limits))
    };
    let mut renews = asks();
    let Turn::Launch(renewal) = renews.turn(NOON) else { panic!("it does not renew") };
    let mut waiting: Vec<_> = (0..5).map(|_| asks()).collect();
    for pump in &mut waiting {
        assert!(matches!(pump.turn(NOON), Turn::Park(None)));
    }
    let call = Call::new(HeadBucket::new("bucket"), service(|_| {}), 1);
    let nobody = Auth::new(Credentials::anonymous());
    let mut other = Pump::new(call, [nobody], Waker::noop().clone()).with_rate_limits(rate_limits);
    assert!(matches!(other.turn(NOON), Turn::Launch(_)), "both places are taken");
    drop(renewal);
}

#[test]
fn what_is_cancelled_in_flight_is_not_sent_again() {
    for cause in [
        ExchangeErrorKind::Closed,
        ExchangeErrorKind::Timeout,
        ExchangeErrorKind::Connect,
        ExchangeErrorKind::Cut,
    ] {
        let call = Call::new(HeadBucket::new("bucket"), service(|_| {}), 1);
        let nobody = Auth::new(Credentials::anonymous());
        let mut pump = Pump::new(call, [nobody], Waker::noop().clone());
        let Turn::Launch(exchange) = pump.turn(NOON) else { panic!("it sends nothing") };
        pump.cancel(NOON, OnFailure::Abort);
        pump.complete(NOON, exchange.fail(ExchangeError::new(cause, "by the test")));
        let Turn::Done(result) = pump.turn(NOON) else { panic!("{cause:?}: it goes on") };
        assert_eq!(result.unwrap_err().exchange_error().map(ExchangeError::kind), Some(cause));
    }
}

/// Another client may write the object while a request waits for a place: a look that is older than
/// such a wait decides nothing.
#[test]
fn a_repetition_follows_its_look_although_others_wait_for_a_place() {
    let limits = Arc::new(RateLimits::new(1));
    let (mut writer, mut others) = (writes(&limits), [asks(&limits), asks(&limits)]);
    let first = launched(&mut writer, NOON);
    parked(&mut others[0], NOON);
    writer.complete(NOON, answered(first, 500));
    let Turn::Park(Some(delay)) = writer.turn(NOON) else { panic!("it has no delay") };
    let between = launched(&mut others[0], NOON);
    let now = NOON.after(delay.until.saturating_sub(NOON.tick));
    parked(&mut writer, now);
    others[0].complete(now, answered(between, 200));
    let look = launched(&mut writer, now);
    assert_eq!(look.operation(), "HeadObject");
    parked(&mut others[1], now);
    writer.complete(now, answered(look, 404));
    let again = launched(&mut writer, now);
    assert_eq!(again.operation(), "PutObject");
    parked(&mut others[1], now);
    writer.complete(now, answered(again, 200));
    assert!(matches!(writer.turn(now), Turn::Done(Ok(_))));
    launched(&mut others[1], now);
}

#[test]
fn a_repetition_follows_its_look_and_later_requests_wait_for_the_second_of_both() {
    let limits = Arc::new(RateLimits::new(10).requests_per_second(1));
    let mut writer = writes(&limits);
    let first = launched(&mut writer, NOON);
    writer.complete(NOON, answered(first, 500));
    let now = NOON.after(Duration::from_secs(1));
    assert!(matches!(writer.turn(NOON), Turn::Park(Some(_))));
    let look = launched(&mut writer, now);
    writer.complete(now, answered(look, 404));
    assert_eq!(launched(&mut writer, now).operation(), "PutObject");
    let Turn::Park(Some(wait)) = asks(&limits).turn(now) else { panic!("it does not wait") };
    assert_eq!(wait.until, now.tick + Duration::from_secs(2));
}

#[test]
fn a_look_after_which_nothing_is_sent_keeps_no_place() {
    let limits = Arc::new(RateLimits::new(1).requests_per_second(2));
    let mut writer = writes(&limits);
    let first = launched(&mut writer, NOON);
    writer.complete(NOON, answered(first, 500));
    assert!(matches!(writer.turn(NOON), Turn::Park(Some(_))));
    let now = NOON.after(Duration::from_secs(1));
    let look = launched(&mut writer, now);
    writer.complete(now, answered(look, 200));
    // Somebody else's object is there, and nothing proves what came of ours.
    let Turn::Done(Err(error)) = writer.turn(now) else { panic!("it goes on") };
    assert!(error.outcome_unknown(), "{error}");
    launched(&mut asks(&limits), now);
}

/// Where another request of the same pump takes the place of the look, there is another look.
#[test]
fn a_repetition_that_waited_for_a_place_has_another_look() {
    let limits = Arc::new(RateLimits::new(2));
    let (mut outside, mut both) = (asks(&limits), pump(Both::new(), &limits));
    let held = launched(&mut outside, NOON);
    let first = launched(&mut both, NOON);
    both.complete(NOON, answered(first, 500));
    let Turn::Park(Some(delay)) = both.turn(NOON) else { panic!("it has no delay") };
    let now = NOON.after(delay.until.saturating_sub(NOON.tick));
    let look = launched(&mut both, now);
    both.machine_mut().asks = true;
    parked(&mut both, now);
    both.complete(now, answered(look, 404));
    let other = launched(&mut both, now);
    assert_eq!(other.operation(), "HeadBucket");
    parked(&mut both, now);
    outside.complete(now, answered(held, 200));
    let look = launched(&mut both, now);
    assert_eq!(look.operation(), "HeadObject");
    both.complete(now, answered(look, 404));
    assert_eq!(launched(&mut both, now).operation(), "PutObject");
    drop(other);
}

/// A write, and a request for which nothing waits.
struct Both {
    write: Call<PutObject>,
    ask: Call<HeadBucket>,
    asks: bool,
}

impl Both {
    fn new() -> Self {
        let ask = Call::new(HeadBucket::new("bucket"), service(|_| {}), 1);
        Self { write: write(), ask, asks: false }
    }
}

impl Machine for Both {
    type Output = ();

    fn poll(&mut self, now: Now) -> Step<()> {
        if let Some(Step::Send(draft)) = self.asks.then(|| self.ask.poll(now)) {
            return Step::Send(draft);
        }
        match self.write.poll(now) {
            Step::Send(draft) => Step::Send(draft),
            Step::Wait(wait) => Step::Wait(wait),
            Step::Done(result) => Step::Done(result.map(drop)),
        }
    }

    fn complete(&mut self, now: Now, done: Completion) {
        match done.draft().operation {
            "HeadBucket" => self.ask.complete(now, done),
            _ => self.write.complete(now, done),
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.write.cancel(now, on_failure);
    }
}

fn write() -> Call<PutObject> {
    let mut put = PutObject::new("bucket", "key", "hello");
    put.conditions.if_none_match = Some("*".into());
    Call::new(put, service(|_| {}), 1)
}

fn writes(limits: &Arc<RateLimits>) -> Pump<Call<PutObject>> {
    pump(write(), limits)
}

fn asks(limits: &Arc<RateLimits>) -> Pump<Call<HeadBucket>> {
    pump(Call::new(HeadBucket::new("bucket"), service(|_| {}), 1), limits)
}

fn pump<M: Machine>(machine: M, limits: &Arc<RateLimits>) -> Pump<M> {
    let nobody = Auth::new(Credentials::anonymous());
    Pump::new(machine, [nobody], Waker::noop().clone()).with_rate_limits(Arc::clone(limits))
}

fn launched<M: Machine>(pump: &mut Pump<M>, now: Now) -> Exchange {
    match pump.turn(now) {
        Turn::Launch(exchange) => exchange,
        Turn::Park(wait) => panic!("it waits: {wait:?}"),
        Turn::Done(_) => panic!("it has ended"),
    }
}

fn parked<M: Machine>(pump: &mut Pump<M>, now: Now) {
    assert!(matches!(pump.turn(now), Turn::Park(None)), "it does not wait for a place");
}

fn answered(mut exchange: Exchange, status: u16) -> Completion {
    exchange.request().unwrap();
    if exchange.operation() == "PutObject" {
        let mut encoder = exchange.encoder().unwrap();
        encoder.frame(b"hello").unwrap();
        encoder.end().unwrap();
    }
    let head = http::Response::builder().status(status).body(()).unwrap();
    exchange.respond(head.into_parts().0).finish(None)
}

const NOON: Now = Now { tick: Duration::from_secs(5), unix: Duration::from_secs(1_440_938_160) };

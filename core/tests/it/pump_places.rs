//! The order of exchanges that wait to be sent, and exchanges that are no longer sent.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apus_core::Now;
use apus_core::contract::OnFailure;
use apus_core::credentials::Credentials;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::keystone::{Domain, Identity, Login, Scope, Session, SessionOptions, User};
use apus_core::machine::{Auth, Call, GrantOnly, Pump, RateLimits, Turn};
use apus_core::s3::HeadBucket;

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

const NOON: Now = Now { tick: Duration::from_secs(5), unix: Duration::from_secs(1_440_938_160) };

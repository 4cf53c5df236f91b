//! How a pump treats completions that it does not expect.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apus_core::contract::OnFailure;
use apus_core::credentials::Credentials;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Completion, Draft, Exchange};
use apus_core::machine::{Auth, Call, GrantOnly, Pump, RateLimits, Turn};
use apus_core::now::Timestamp;
use apus_core::s3::HeadBucket;
use apus_core::sign::Keys;
use apus_core::{Error, Now};

use crate::support::service;

type Head = Pump<Call<HeadBucket>>;

fn pump() -> Head {
    let call = Call::new(HeadBucket::new("bucket"), service(|_| {}), 1);
    let auth = Auth::new(Credentials::new(Keys::new("AKID", "secret")));
    Pump::new(call, vec![auth], Waker::noop().clone())
}

fn launch(pump: &mut Head) -> Exchange {
    match pump.turn(NOON) {
        Turn::Launch(mut exchange) => {
            exchange.request().unwrap();
            exchange
        }
        turn => panic!("{turn:?}"),
    }
}

/// The answer of a server whose clock is an hour ahead.
fn skewed(exchange: Exchange) -> Completion {
    let date = Timestamp::from_duration(NOON.unix + Duration::from_secs(3600)).http_date();
    let head = http::Response::builder().status(403).header("date", date).body(()).unwrap();
    exchange.respond(head.into_parts().0).finish(None)
}

#[test]
fn the_completion_of_another_pump_is_ignored() {
    let (mut one, mut other) = (pump(), pump());
    let (ours, theirs) = (launch(&mut one), launch(&mut other));
    one.complete(NOON, theirs.fail(ExchangeError::new(ExchangeErrorKind::Tls, "another's")));
    assert_eq!(one.in_flight(), 1);
    one.complete(NOON, ours.fail(ExchangeError::new(ExchangeErrorKind::Tls, "our own")));
    let Turn::Done(Err(error)) = one.turn(NOON) else { panic!("it is not done") };
    assert_eq!(error.exchange_error().map(ExchangeError::detail), Some("our own"));
    // Nor does a late one count.
    one.complete(NOON, launch(&mut pump()).fail(ExchangeError::cancelled()));
    assert!(matches!(one.turn(NOON), Turn::Park(None)));
}

#[test]
fn what_is_refused_for_its_time_is_sent_again_but_not_after_a_cancellation() {
    let mut pump_on = pump();
    let exchange = launch(&mut pump_on);
    pump_on.complete(NOON, skewed(exchange));
    launch(&mut pump_on);

    let mut cancelled = pump();
    let exchange = launch(&mut cancelled);
    cancelled.cancel(NOON, OnFailure::Abort);
    cancelled.complete(NOON, skewed(exchange));
    let Turn::Done(result) = cancelled.turn(NOON) else { panic!("it is not done") };
    assert!(result.is_err_and(|error: Error| error.is_denied()));
}

#[test]
fn a_grant_alone_is_had_without_sending_anything() {
    let rate_limits = Arc::new(RateLimits::new(1));
    let auth = Auth::new(Credentials::new(Keys::new("AKID", "secret")));
    for _ in 0..3 {
        let call = Call::new(GrantOnly::new(), service(|_| {}), 1);
        let mut pump = Pump::new(call, [auth.clone()], Waker::noop().clone());
        pump = pump.with_rate_limits(Arc::clone(&rate_limits));
        assert!(matches!(pump.turn(NOON), Turn::Done(Ok(()))));
        assert_eq!(pump.in_flight(), 0);
    }
    let uri = http::Uri::from_static("http://h/b/k");
    let draft = Draft::new("GetObject", http::Method::GET, uri);
    let minute = Duration::from_secs(60);
    let nobody = Auth::new(Credentials::anonymous());
    let error = nobody.presign(draft.clone(), None, minute, NOON).unwrap_err();
    assert!(error.to_string().contains("anonymous"), "{error}");
}

const NOON: Now = Now { tick: Duration::from_secs(5), unix: Duration::from_secs(1_440_938_160) };

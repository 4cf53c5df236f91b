//! A second request for a range whose first byte is late ("The Tail at Scale", Communications of the
//! ACM, 2013), on a virtual clock.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use apus_core::credentials::Credentials;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{End, Exchange, Hedged};
use apus_core::machine::{Auth, DownloadOptions, Pump, S3Download, Turn};
use apus_core::{Kind, Now};

use crate::support::Answer;
use crate::support::stored::{Stored, download, wide};

/// What a server does with a request, by its number.
type Script<'a> = &'a dyn Fn(usize, Answer) -> Answer;

/// The end of a download, and what was sent for it.
struct Outcome {
    result: Result<u64, apus_core::Error>,
    /// Requests in the order they were sent.
    requests: Vec<String>,
    /// The time from the first request for each range to its first byte, sorted.
    times: Vec<Duration>,
    sink: Vec<u8>,
    /// The most exchanges in flight at once.
    peak: usize,
    cancelled: usize,
}

struct Flight {
    exchange: Exchange,
    answer: Answer,
    range: String,
}

/// Runs a download on a transport that reports heads and cancels what is overtaken.
fn run(machine: S3Download, stored: &Stored, script: Script<'_>) -> Outcome {
    let auth = Auth::new(Credentials::anonymous());
    let mut pump = Pump::new(machine, vec![auth], Waker::noop().clone());
    let mut now = Now::new(Duration::from_secs(9), Duration::from_secs(1_440_938_160));
    let mut flights: BTreeMap<(Duration, usize), Flight> = BTreeMap::new();
    let (mut begun, mut times) = (BTreeMap::new(), BTreeMap::new());
    let mut outcome = Outcome {
        result: Ok(0),
        requests: Vec::new(),
        times: Vec::new(),
        sink: Vec::new(),
        peak: 0,
        cancelled: 0,
    };
    let mut written = vec![false; stored.bytes.len()];
    outcome.sink = vec![0; stored.bytes.len()];
    loop {
        let wait = match pump.turn(now) {
            Turn::Launch(mut exchange) => {
                let head = exchange.request().unwrap().clone();
                let range = head.headers.get("range").map_or("", |range| range.to_str().unwrap());
                outcome.requests.push(range.to_owned());
                let number = outcome.requests.len();
                let answer = script(number, stored.answer(&head));
                let range = range.split('-').next().unwrap_or_default().to_owned();
                begun.entry(range.clone()).or_insert(now.tick);
                let flight = Flight { exchange, range, answer };
                flights.insert((now.tick + flight.answer.takes, number), flight);
                outcome.peak = outcome.peak.max(flights.len());
                continue;
            }
            Turn::Done(result) => {
                assert!(flights.is_empty(), "done with exchanges in flight");
                outcome.times = times.into_values().collect();
                outcome.times.sort();
                outcome.result = result.map(|done| done.bytes);
                return outcome;
            }
            Turn::Park(wait) => wait,
        };
        let next = flights.keys().next().copied();
        let due = [next.map(|(at, _)| at), wait.map(|wait| wait.until)];
        let due = due.into_iter().flatten().min().expect("it waits for nothing");
        now = now.after(due.saturating_sub(now.tick));
        let Some((at, number)) = next.filter(|(at, _)| *at <= now.tick) else { continue };
        let Flight { exchange, answer, range } = flights.remove(&(at, number)).unwrap();
        if let Some(kind) = answer.lost {
            pump.complete(now, exchange.fail(ExchangeError::new(kind, "")));
            continue;
        }
        let mut head = http::Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            head = head.header(name, value);
        }
        let mut receiving = exchange.respond(head.body(()).unwrap().into_parts().0);
        if let Some(opened) = receiving.opened() {
            times.entry(range.clone()).or_insert(now.tick - begun[&range]);
            pump.opened(now, opened);
        }
        let length = answer.cut_after.unwrap_or(answer.body.len());
        let position = receiving.position();
        let bytes = receiving.push(&answer.body[..length]).unwrap();
        for (at, byte) in (position.unwrap_or(0) as usize..).zip(bytes) {
            assert!(!std::mem::replace(&mut written[at], true), "byte {at} was delivered twice");
            outcome.sink[at] = *byte;
        }
        let cut = ExchangeError::new(ExchangeErrorKind::Cut, "");
        let end = if answer.cut_after.is_some() { End::Cut(cut) } else { End::Regular };
        pump.complete(now, receiving.finish(end));
        let overtaken =
            |flight: &Flight| flight.exchange.hedged().is_some_and(Hedged::is_overtaken);
        let keys = flights.iter().filter(|(_, flight)| overtaken(flight)).map(|(key, _)| *key);
        for key in keys.collect::<Vec<_>>() {
            let flight = flights.remove(&key).unwrap();
            outcome.cancelled += 1;
            pump.complete(now, flight.exchange.fail(ExchangeError::cancelled()));
        }
    }
}

/// Numbers in the order of a generator of Lehmer's (Park and Miller, 1988): the same each time.
fn chance(number: usize) -> u64 {
    let mut state = 7 + number as u64;
    for _ in 0..5 {
        state = state * 48_271 % 0x7FFF_FFFF;
    }
    state % 1000
}

/// 20 to 40 ms, and one request in fifty a second.
fn slow_tail(number: usize, answer: Answer) -> Answer {
    let millis = match chance(number) {
        0..20 => 1000,
        other => 20 + other % 20,
    };
    answer.after(Duration::from_millis(millis))
}

fn hedged(hedged: bool) -> DownloadOptions {
    DownloadOptions { hedged, ..wide(4, 10) }
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() * percent).div_ceil(100) - 1]
}

#[test]
fn a_slow_tail_is_cut_off_with_one_request_more_in_twenty() {
    let stored = Stored::new(20_000);
    let plain = run(download(hedged(false)), &stored, &slow_tail);
    let fast = run(download(hedged(true)), &stored, &slow_tail);
    for outcome in [&plain, &fast] {
        assert_eq!(*outcome.result.as_ref().unwrap(), 20_000);
        assert!(outcome.sink == stored.bytes);
    }
    assert_eq!((plain.requests.len(), plain.cancelled), (2000, 0));
    let more = fast.requests.len() - 2000;
    assert!((20..=100).contains(&more), "{more} requests more");
    assert!(fast.cancelled > 0 && fast.cancelled <= more);
    let (before, after) = (percentile(&plain.times, 99), percentile(&fast.times, 99));
    assert_eq!(before, Duration::from_secs(1));
    assert!(after * 2 <= before, "{after:?} instead of {before:?}");
    assert!(fast.peak <= 8);
    // The same again, event by event.
    assert_eq!(run(download(hedged(true)), &stored, &slow_tail).requests, fast.requests);
}

#[test]
fn no_second_request_is_sent_for_the_first_twenty_ranges_or_where_none_is_late() {
    let stored = Stored::new(5000);
    let outcome = run(download(hedged(true)), &stored, &|_, answer| answer);
    assert_eq!((outcome.requests.len(), outcome.cancelled), (500, 0));
    let stored = Stored::new(200);
    let outcome = run(download(hedged(true)), &stored, &slow_tail);
    assert_eq!((outcome.requests.len(), outcome.cancelled), (20, 0));
}

#[test]
fn a_range_is_complete_whichever_of_its_requests_fails_or_is_cut() {
    let stored = Stored::new(10_000);
    let fails: [Script<'_>; 4] = [
        // A late one is refused, or lost, or cut; or each tenth response is cut.
        &|number, answer| match slow_tail(number, answer.clone()).takes.as_secs() {
            1 => Answer::error(503, "SlowDown").after(Duration::from_millis(70)),
            _ => slow_tail(number, answer),
        },
        &|number, answer| match slow_tail(number, answer.clone()).takes.as_secs() {
            1 => Answer::lost(ExchangeErrorKind::Closed).after(Duration::from_millis(41)),
            _ => slow_tail(number, answer),
        },
        &|number, answer| match slow_tail(number, answer.clone()).takes.as_secs() {
            1 => answer.cut(5).after(Duration::from_millis(50)),
            _ => slow_tail(number, answer),
        },
        &|number, answer| match number % 10 {
            3 => slow_tail(number, answer).cut(4),
            _ => slow_tail(number, answer),
        },
    ];
    for (at, script) in fails.into_iter().enumerate() {
        let outcome = run(download(hedged(true)), &stored, script);
        assert_eq!(outcome.result.unwrap(), 10_000, "{at}");
        assert!(outcome.sink == stored.bytes, "{at}");
    }
}

/// The head of a response told the length, and its body never came: a refusal is no end, and a HEAD
/// that tells the same length again decides nothing.
#[test]
fn a_range_that_is_refused_after_a_head_without_a_body_ends_the_download() {
    let stored = Stored::new(350);
    for told in [true, false] {
        let script = |number: usize, mut answer: Answer| {
            assert!(number < 20, "it ends");
            if !told && number == 1 {
                answer.headers.retain(|(name, _)| name != "content-length");
            }
            match number {
                1 => answer.cut(0),
                // The requests between them are HEADs, if there are any.
                number if number % 2 == 0 => Answer::error(416, "InvalidRange"),
                _ => answer,
            }
        };
        let outcome = run(download(hedged(true)), &stored, &script);
        assert!(outcome.result.is_err());
        let options = DownloadOptions { hedged: true, ..wide(1, 100) };
        let outcome = run(download(options), &stored, &script);
        assert_eq!(outcome.result.unwrap_err().kind(), Kind::Integrity, "{told}");
        assert!(outcome.requests.len() <= 4, "{:?}", outcome.requests);
    }
}

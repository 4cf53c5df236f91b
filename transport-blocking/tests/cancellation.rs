//! Stopping early, and what is left of it.

mod support;

use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use apus_blocking::{CancelToken, Sink, Source, TransportConfig};
use apus_core::machine::{Event, Patience};
use support::machines::{Parts, Ranges};
use support::server::{Server, Then};
use support::{Ask, Plain, client, client_with, told};

#[test]
fn a_cancelled_upload_cleans_up() {
    let token = CancelToken::new();
    let trigger = token.clone();
    let server = Server::start(move |seen, peer| {
        if seen.line.starts_with("PUT /upload/200000 ") {
            trigger.cancel();
        }
        peer.answer("200 OK", &[], "");
        Then::Keep
    });
    for width in [1, 3] {
        let machine = Parts::new(Plain::new(server.base()), 100_000, width);
        let source = Source::stream(std::io::repeat(1));
        let run = client(server.base()).run(machine).from(source).cancel_on(token.clone());
        let error = run.go().unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        assert_eq!(server.seen().last().unwrap().line, "DELETE /upload HTTP/1.1");
    }
}

#[test]
fn a_body_on_its_way_is_broken_off() {
    let token = CancelToken::new();
    let trigger = token.clone();
    // An endless answer: nothing but the token ends it.
    let server = Server::start(move |_, peer| {
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n");
        peer.send(vec![0; 1 << 20]);
        trigger.cancel();
        for _ in 0..1_000 {
            peer.send([0; 1024]);
            std::thread::sleep(Duration::from_millis(10));
        }
        Then::Close
    });
    let machine = Ranges::new(Plain::new(server.base()), 1_000_000_000_000, 1 << 50, 1);
    let run = client(server.base()).run(machine).into_sink(Sink::none()).cancel_on(token);
    let error = run.go().unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}

#[test]
fn a_wait_is_cut_short() {
    let token = CancelToken::new();
    let trigger = token.clone();
    let server = Server::start(move |_, peer| {
        peer.answer("500 Internal Server Error", &[], "");
        let trigger = trigger.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            trigger.cancel();
        });
        Then::Keep
    });
    let hour = Duration::from_secs(3600 * 24 * 365);
    let patience = Patience { base: hour, longest: hour, ..Patience::default() };
    let service = Arc::new(Plain { patience, ..Plain::new(server.base()) });
    let machine = apus_core::machine::Call::new(Ask::get("/"), service, 7);
    let error = client(server.base()).run(machine).cancel_on(token).go().unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}

#[test]
fn a_token_that_is_cancelled_before_lets_nothing_start() {
    let server = Server::start(|_, _| Then::Close);
    let token = CancelToken::new();
    token.cancel();
    let machine = Ranges::new(Plain::new(server.base()), 10, 10, 1);
    let error = client(server.base()).run(machine).cancel_on(token).go().unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert!(server.seen().is_empty());
}

/// Panics after some bytes.
struct Panics;

impl Read for Panics {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("the reader is out of order");
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<&str>().unwrap()
}

#[test]
fn a_panic_on_a_worker_comes_back_after_cleaning_up() {
    let server = Server::start(|_, peer| {
        peer.answer("200 OK", &[], "");
        Then::Keep
    });
    let once = AtomicBool::new(false);
    let observer = told(move |event| {
        if matches!(event, Event::Sent { .. }) && !once.swap(true, Ordering::SeqCst) {
            panic!("the observer is out of order");
        }
    });
    for width in [1, 3] {
        let machine = Parts::new(Plain::new(server.base()), 100_000, width);
        let source = Source::stream(Cursor::new(vec![1; 1_000_000]));
        let run = client(server.base()).run(machine).from(source).observed(Arc::clone(&observer));
        let result = catch_unwind(AssertUnwindSafe(|| run.go()));
        if width == 1 {
            assert_eq!(message(&*result.unwrap_err()), "the observer is out of order");
            assert_eq!(server.seen().last().unwrap().line, "DELETE /upload HTTP/1.1");
        } else {
            result.unwrap().unwrap();
        }
    }
}

#[test]
fn a_panic_of_a_reader_passes_through() {
    let server = Server::start(|_, peer| {
        peer.answer("200 OK", &[], "");
        Then::Keep
    });
    let client = client(server.base());
    let source = Source::reader(Panics, 10);
    let call = || client.call_from(Ask::put_source("/", 10), source);
    let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(message(&*panic), "the reader is out of order");
    let machine = Parts::new(Plain::new(server.base()), 100_000, 3);
    let source = Source::stream(Cursor::new(vec![1; 300_000]).chain(Panics));
    let run = client.run(machine).from(source);
    let panic = catch_unwind(AssertUnwindSafe(|| run.go())).unwrap_err();
    assert_eq!(message(&*panic), "the reader is out of order");
    assert_eq!(server.seen().last().unwrap().line, "DELETE /upload HTTP/1.1");
}

#[test]
fn progress_adds_up() {
    let server = Server::start(|seen, peer| {
        peer.answer("200 OK", &[], &seen.body);
        Then::Keep
    });
    let (sender, told_bytes) = mpsc::channel();
    let observer = told(move |event| match event {
        Event::Sent { bytes } => sender.send((*bytes, 0)).unwrap(),
        Event::Received { bytes } => sender.send((0, *bytes)).unwrap(),
        _ => {}
    });
    let service = Plain::new(server.base());
    let client = client_with(TransportConfig::new(), service).with_observer(observer);
    let ask = Ask::put("/", vec![1; 1_000_000]).streamed();
    client.call_into(ask, Sink::none()).unwrap();
    drop(client);
    let told: Vec<_> = told_bytes.iter().collect();
    let (sent, received) = told.iter().fold((0, 0), |sum, new| (sum.0 + new.0, sum.1 + new.1));
    assert_eq!((sent, received), (1_000_000, 1_000_000));
    // Of each direction, only the last may be short.
    assert!(told.iter().filter(|(sent, received)| sent + received < 64 << 10).count() <= 2);
}

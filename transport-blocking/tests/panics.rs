//! Panics in the caller's code.

mod support;

use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use apus_blocking::Source;
use apus_core::machine::Event;
use support::machines::Parts;
use support::server::{Server, Then};
use support::{Ask, Plain, client, told};

/// Panics when it is read.
struct Panics;

impl Read for Panics {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("the reader is out of order");
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<&str>().unwrap()
}

/// The server may see a broken-off request after the clean-up, which uses another connection.
fn cleaned_up(server: &Server) -> bool {
    server.seen().iter().any(|one| one.line == "DELETE /upload HTTP/1.1")
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
    for concurrency in [1, 3] {
        let machine = Parts::new(Plain::new(server.base()), 100_000, concurrency);
        let source = Source::stream(Cursor::new(vec![1; 1_000_000]));
        let run =
            client(server.base()).run(machine).body(source).with_observer(Arc::clone(&observer));
        let result = catch_unwind(AssertUnwindSafe(|| run.send()));
        if concurrency == 1 {
            assert_eq!(message(&*result.unwrap_err()), "the observer is out of order");
            assert!(cleaned_up(&server));
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
    let run = client.run(machine).body(source);
    let panic = catch_unwind(AssertUnwindSafe(|| run.send())).unwrap_err();
    assert_eq!(message(&*panic), "the reader is out of order");
    assert!(cleaned_up(&server));
}

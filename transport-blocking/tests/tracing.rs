//! What is traced, and what is not.
#![cfg(feature = "tracing")]

mod support;

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use apus_core::machine::RateLimits;
use http::header::{AUTHORIZATION, HeaderValue};
use support::server::{Server, Then};
use support::{Ask, client};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Records all events.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<String>>);

impl Visit for Notes {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0.lock().unwrap(), " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("apus")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        write!(self.0.lock().unwrap(), "{}", span.metadata().name()).unwrap();
        span.record(&mut self.clone());
        self.0.lock().unwrap().push('\n');
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
        self.0.lock().unwrap().push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn attempts_are_told_without_addresses_and_headers() {
    let server = Server::start(|seen, peer| {
        if seen.target() == "/cut" {
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\nx-secret: sesame\r\n\r\nhello");
            return Then::Close;
        }
        peer.answer("200 OK", &["x-secret: sesame"], "hello");
        Then::Keep
    });
    let notes = Notes::default();
    tracing::subscriber::with_default(notes.clone(), || {
        let client = client(server.base());
        let mut ask = Ask::put("/path?signature=sesame", "abc");
        ask.headers.insert(AUTHORIZATION, HeaderValue::from_static("sesame"));
        client.call(ask).unwrap();
        client.call(Ask::get("/cut")).unwrap_err();
        drop(server);
        let _ = support::client("http://127.0.0.1:1").call(Ask::get("/")).unwrap_err();
    });
    let notes = notes.0.lock().unwrap();
    let lines: Vec<_> = notes.lines().collect();
    assert_eq!(lines.len(), 6, "{notes}");
    assert_eq!(lines[0], "apus rpc.method=\"Ask\"");
    for part in [
        "rpc.method=\"Ask\"",
        "http.request.method=\"PUT\"",
        "http.response.status_code=200",
        "http.request.body.size=3",
        "http.response.body.size=5",
        "elapsed_ms=",
    ] {
        assert!(lines[1].contains(part), "{notes}");
    }
    assert!(lines[3].contains("error.type=\"Cut\""), "{notes}");
    assert!(lines[5].contains("error.type=\"Connect\""), "{notes}");
    for word in ["sesame", "path", "127.0.0.1"] {
        assert!(!notes.contains(word), "{notes}");
    }
}

#[test]
fn a_wait_for_the_limits_is_told() {
    let server = Server::start(|_, peer| {
        peer.answer("200 OK", &[], "");
        Then::Keep
    });
    let notes = Notes::default();
    tracing::subscriber::with_default(notes.clone(), || {
        let limits = RateLimits::new(8).requests_per_second(20);
        let client = client(server.base()).with_rate_limits(limits);
        (0..40).for_each(|_| drop(client.call(Ask::get("/")).unwrap()));
    });
    let notes = notes.0.lock().unwrap();
    let queued = notes.lines().find(|line| line.contains("message=queued")).expect(&notes);
    for part in ["rpc.method=\"Ask\"", "at_once=8", "waiting=0"] {
        assert!(queued.contains(part), "{queued}");
    }
}

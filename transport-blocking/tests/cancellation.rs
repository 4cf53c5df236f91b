//! Stopping a run, and what remains of it.

mod support;

use std::sync::Arc;
use std::time::Duration;

use apus_blocking::{CancelToken, Sink, Source};
use apus_core::retry::RetryPolicy;
use support::machines::{Parts, Ranges};
use support::server::{Server, Then};
use support::{Ask, Plain, client};

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
    for (before, concurrency) in [1, 3].into_iter().enumerate() {
        let machine = Parts::new(Plain::new(server.base()), 100_000, concurrency);
        let source = Source::stream(std::io::repeat(1));
        let run = client(server.base()).run(machine).body(source).cancel_on(token.clone());
        let error = run.send().unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        // The server may see a broken-off request after the clean-up, which uses another
        // connection.
        let seen = server.seen();
        let deletions = seen.iter().filter(|one| one.line == "DELETE /upload HTTP/1.1");
        assert_eq!(deletions.count(), before + 1, "{seen:?}");
    }
}

#[test]
fn a_body_on_its_way_is_broken_off() {
    let token = CancelToken::new();
    let trigger = token.clone();
    // An endless response: only the token ends it.
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
    let run = client(server.base()).run(machine).write_to(Sink::discard()).cancel_on(token);
    let error = run.send().unwrap_err();
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
    let retry_policy = RetryPolicy { base: hour, longest: hour, ..RetryPolicy::default() };
    let service = Arc::new(Plain { retry_policy, ..Plain::new(server.base()) });
    let machine = apus_core::machine::Call::new(Ask::get("/"), service, 7);
    let error = client(server.base()).run(machine).cancel_on(token).send().unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}

#[test]
fn a_token_that_is_cancelled_before_lets_nothing_start() {
    let server = Server::start(|_, _| Then::Close);
    let token = CancelToken::new();
    token.cancel();
    let machine = Ranges::new(Plain::new(server.base()), 10, 10, 1);
    let error = client(server.base()).run(machine).cancel_on(token).send().unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert!(server.seen().is_empty());
}

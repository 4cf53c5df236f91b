//! Faults of servers, and how they are reported.

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apus_async::{Sink, Source, TransportConfig};
use apus_core::Kind;
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::Call;
use common::{Ask, Place, Server, answer, client, client_with, header, noise, ok, once};

fn cause(error: &apus_core::Error) -> ExchangeErrorKind {
    error.exchange_error().unwrap_or_else(|| panic!("{error}")).kind()
}

#[tokio::test]
async fn an_end_before_the_head_is_closed() {
    for goodbye in ["", "HTTP/1.1 2"] {
        let server = Server::start(move |peer| {
            peer.request();
            peer.say(goodbye);
        });
        let error = once(server.url()).call(Ask::get("/a")).await.unwrap_err();
        assert_eq!(cause(&error), ExchangeErrorKind::Closed, "{error}");
    }
}

#[tokio::test]
async fn a_reset_before_the_head_is_closed_and_tried_again() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |peer| {
        peer.head();
        if tries.fetch_add(1, Ordering::SeqCst) == 0 {
            // The body was not read: closing sends a reset.
            return peer.reset();
        }
        peer.read(100_000);
        peer.say(ok("done"));
    });
    let bytes = noise(100_000);
    let reply = client(server.url()).call(Ask::put("/a", bytes.clone())).await.unwrap();
    assert_eq!(reply.body, "done");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_cut_body_is_cut_and_what_came_is_delivered() {
    let server = Server::start(|peer| {
        peer.request();
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
    });
    let sink = Sink::memory();
    let ask = Ask { streams: true, ..Ask::get("/a") };
    let client = once(server.url());
    let call = Call::new(ask, client.service().clone(), 1);
    let error = client.run(call).write_to(&sink).send().await.unwrap_err();
    assert_eq!(cause(&error), ExchangeErrorKind::Cut);
    assert_eq!(sink.take(), b"12345");
}

#[tokio::test]
async fn what_is_no_http_is_broken() {
    for nonsense in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 two hundred\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n12345",
    ] {
        let server = Server::start(move |peer| {
            peer.request();
            peer.say(nonsense);
            peer.wait_for_end();
        });
        let error = once(server.url()).call(Ask::get("/a")).await.unwrap_err();
        assert!(
            matches!(cause(&error), ExchangeErrorKind::Protocol | ExchangeErrorKind::Cut),
            "{nonsense:?}: {error}"
        );
        assert_ne!(error.kind(), Kind::InvalidInput);
    }
}

#[tokio::test]
async fn an_early_refusal_ends_the_sending() {
    let length = 256 << 20;
    let (read, seen) = std::sync::mpsc::channel();
    let read = Mutex::new(read);
    let server = Server::start(move |peer| {
        if peer.head().is_some_and(|head| head.starts_with("GET")) {
            return peer.say(ok(""));
        }
        peer.read(100_000);
        peer.say(answer("403 Forbidden", "not you"));
        read.lock().unwrap().send(peer.wait_for_end()).unwrap();
    });
    let client = once(server.url());
    let source = Source::reader(tokio::io::repeat(7), length);
    let error = client.call_from(Ask::put_source("/a", length, false), source).await.unwrap_err();
    assert!(error.is_denied(), "{error}");
    assert_eq!(error.server_message(), Some("not you"));
    // Not on this thread: the runtime that the connection belongs to closes it.
    let seen = tokio::task::spawn_blocking(move || seen.recv_timeout(Duration::from_secs(10)));
    let seen = seen.await.unwrap().unwrap();
    assert!((seen as u64) < length / 2, "{seen} bytes were sent after the refusal");
    assert_eq!(server.connections(), 1);
    // That connection is in the middle of a body and must not be used again.
    client.call(Ask::get("/a")).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_early_refusal_is_heard_when_the_server_hangs_up_after_it() {
    for _ in 0..20 {
        let server = Server::start(|peer| {
            peer.head();
            peer.say(answer("503 Service Unavailable", "busy"));
            // Closed with bytes unread: the client's writes fail.
        });
        let source = Source::bytes(noise(8 << 20));
        let ask = Ask::put_source("/a", 8 << 20, true);
        let error = once(server.url()).call_from(ask, source).await.unwrap_err();
        // A reset may overtake the response; it must be reported as a reset.
        match error.status() {
            Some(status) => assert_eq!(status, 503, "{error}"),
            None => assert_eq!(cause(&error), ExchangeErrorKind::Closed, "{error}"),
        }
    }
}

#[tokio::test]
async fn an_early_success_does_not_end_the_sending() {
    // For some, the sockets hold all but the end, which hyper has and can't write when the response
    // arrives.
    let lengths = [3_000_000, 20_000_000].into_iter().chain((1..=10).map(|size| size << 20));
    for length in lengths {
        let server = Server::start(move |peer| {
            peer.head();
            let soon = std::time::Duration::from_millis(30);
            std::thread::sleep(soon);
            peer.say(ok("fine"));
            std::thread::sleep(soon);
            let body = peer.read(length);
            assert_eq!(body.len(), length);
            while peer.request().is_some() {
                peer.say(ok("next"));
            }
        });
        let client = once(server.url());
        let ask = Ask::put_source("/a", length as u64, true);
        let reply = client.call_from(ask, noise(length)).await.unwrap();
        assert_eq!(reply.body, "fine");
        assert_eq!(client.call(Ask::get("/b")).await.unwrap().body, "next");
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn a_body_waits_for_100_where_it_is_asked_to() {
    let server = Server::start(|peer| {
        while let Some(head) = peer.head() {
            if head.starts_with("PUT /refused") {
                peer.say(answer("403 Forbidden", "no"));
                assert_eq!(peer.wait_for_end(), 0, "no byte of the body was asked for");
                return;
            }
            let length = header(&head, "content-length").unwrap().parse().unwrap();
            if header(&head, "expect").is_some() {
                peer.say("HTTP/1.1 100 Continue\r\n\r\n");
            }
            peer.read(length);
            peer.say(ok("stored"));
        }
    });
    let config = TransportConfig::new().expect_continue_above(Some(10));
    let client = client_with(config, Place::at(server.url()).with_attempts(1));
    client.call(Ask::put("/small", noise(10))).await.unwrap();
    client.call(Ask::put("/large", noise(100_000))).await.unwrap();
    let error = client.call(Ask::put("/refused", noise(100_000))).await.unwrap_err();
    assert!(error.is_denied());
    let expects: Vec<_> =
        server.heads().iter().map(|head| header(head, "expect").map(str::to_owned)).collect();
    let yes = Some("100-continue".to_owned());
    assert_eq!(expects, [None, yes.clone(), yes]);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_server_that_never_says_100_gets_the_body_all_the_same() {
    let server = Server::start(|peer| {
        peer.request();
        peer.say(ok("stored"));
    });
    let config = TransportConfig::new().expect_continue_above(Some(10));
    let client = client_with(config, Place::at(server.url()).with_attempts(1));
    let reply = client.call(Ask::put("/a", noise(1000))).await.unwrap();
    assert_eq!(reply.body, "stored");
}

#[tokio::test]
async fn throttled_answers_are_tried_again_on_the_same_connection() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |peer| {
        while peer.request().is_some() {
            match tries.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => peer.say(answer("503 Slow Down", "later")),
                _ => peer.say(ok("now")),
            }
        }
    });
    let reply = client(server.url()).call(Ask::put("/a", "bytes")).await.unwrap();
    assert_eq!(reply.body, "now");
    assert_eq!((server.connections(), server.heads().len()), (1, 3));
}

#[tokio::test]
async fn an_endless_error_document_is_hung_up_on() {
    let server = Server::start(|peer| {
        peer.request();
        peer.say("HTTP/1.1 500 Internal Server Error\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        for _ in 0..10_000 {
            peer.say(&chunk);
        }
    });
    let error = once(server.url()).call(Ask::get("/a")).await.unwrap_err();
    assert_eq!(error.status().unwrap(), 500);
}

#[tokio::test]
async fn a_source_that_fails_is_the_callers_matter() {
    let server = Server::start(|peer| {
        peer.request();
        peer.wait_for_end();
    });
    let client = client(server.url());
    let ask = || Ask::put_source("/a", 100, false);
    let short = Source::reader(&b"too short"[..], 100);
    let beyond = Source::bytes("too short");
    let none = Source::none();
    let stream = Source::stream(&b"too short"[..]);
    for (source, expected) in [
        (short, ExchangeErrorKind::Length),
        (beyond, ExchangeErrorKind::Source),
        (none, ExchangeErrorKind::Source),
        (stream, ExchangeErrorKind::Source),
    ] {
        let error = client.call_from(ask(), &source).await.unwrap_err();
        assert_eq!((error.kind(), cause(&error)), (Kind::InvalidInput, expected), "{source:?}");
    }
    let path = std::env::temp_dir().join(format!("apus-async-short-{}", std::process::id()));
    std::fs::write(&path, "too short").unwrap();
    let file = Source::file(std::fs::File::open(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    let error = client.call_from(Ask::put_source("/a", 100, true), file).await.unwrap_err();
    assert_eq!(cause(&error), ExchangeErrorKind::Source);
    assert!(error.to_string().contains("its length is 9"), "{error}");
}

#[tokio::test]
async fn a_sink_that_fails_is_the_callers_matter() {
    let server = Server::always(ok(noise(1_000_000)));
    let (sink, reader) = tokio::io::duplex(100);
    drop(reader);
    let ask = Ask { streams: true, ..Ask::get("/a") };
    let client = client(server.url());
    let call = Call::new(ask, client.service().clone(), 1);
    let error = client.run(call).write_to(Sink::writer(sink)).send().await.unwrap_err();
    assert_eq!((error.kind(), cause(&error)), (Kind::InvalidInput, ExchangeErrorKind::Sink));
    assert_eq!(server.heads().len(), 1, "what a sink refused is not fetched again");
}

//! A response that arrives before the body was sent.

mod support;

use std::io::Cursor;

use apus_blocking::{Source, TransportConfig};
use http::StatusCode;
use support::server::{Server, Then};
use support::{Ask, Plain, client, client_with};

const LARGE: usize = (1 << 20) + 1;

#[test]
fn a_large_body_waits_to_be_asked_for() {
    let server = Server::start(|_, peer| {
        peer.answer("200 OK", &[], "");
        Then::Keep
    });
    let client = client(server.base());
    client.call(Ask::put("/large", vec![1; LARGE])).unwrap();
    client.call(Ask::put("/small", vec![1; LARGE - 1])).unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("expect"), Some("100-continue"));
    assert_eq!(seen[0].body.len(), LARGE);
    assert_eq!(seen[1].header("expect"), None);
}

#[test]
fn a_refusal_spares_the_body() {
    for status in ["401 Unauthorized", "403 Forbidden", "411 Length Required", "503 Slow Down"] {
        // The connection stays open: only the response itself says that it is complete.
        let server = Server::at_head(move |_, peer| {
            peer.answer(status, &[], "<Error/>");
            Then::Keep
        });
        let source = Source::reader(Cursor::new(vec![1; LARGE]), LARGE as u64);
        let ask = Ask::put_source("/", LARGE as u64);
        let error = client(server.base()).call_from(ask, &source).unwrap_err();
        let expected = status.split(' ').next().unwrap();
        assert_eq!(error.status().map(|status| status.as_u16().to_string()).unwrap(), expected);
        // The reader was not read.
        let again = Server::start(|_, peer| {
            peer.answer("200 OK", &[], "");
            Then::Keep
        });
        client(again.base()).call_from(Ask::put_source("/", LARGE as u64), &source).unwrap();
        assert_eq!(again.seen()[0].body.len(), LARGE);
    }
}

#[test]
fn a_redirect_spares_the_body_too() {
    let server = Server::at_head(|_, peer| {
        peer.answer("307 Temporary Redirect", &["x-region: eu-1"], "");
        Then::Close
    });
    let reply = client(server.base()).call(Ask::put("/", vec![1; LARGE])).unwrap();
    assert_eq!(reply.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(reply.head.headers["x-region"], "eu-1");
}

#[test]
fn a_server_that_does_not_know_the_question_gets_the_body_all_the_same() {
    let server = Server::at_head(|_, peer| {
        let length = peer.read_body().len();
        peer.answer("200 OK", &[], length.to_string());
        Then::Keep
    });
    let reply = client(server.base()).call(Ask::put("/", vec![1; LARGE])).unwrap();
    assert_eq!(reply.body, LARGE.to_string());
}

#[test]
fn the_question_can_be_switched_off() {
    let server = Server::at_head(|_, peer| {
        peer.read_body();
        peer.answer("403 Forbidden", &[], "");
        Then::Keep
    });
    let config = TransportConfig::new().expect_continue_above(None);
    let client = client_with(config, Plain::new(server.base()));
    let error = client.call(Ask::put("/", vec![1; LARGE])).unwrap_err();
    assert!(error.is_denied());
    assert_eq!(server.seen()[0].header("expect"), None);
}

#[test]
fn header_fields_beside_the_word_to_go_on_change_nothing() {
    let server = Server::at_head(|seen, peer| {
        // In pieces, as a network may deliver them.
        peer.send("HTTP/1.1 100 Contin");
        std::thread::sleep(std::time::Duration::from_millis(20));
        peer.send("ue\r\nVia: 1.1 proxy");
        std::thread::sleep(std::time::Duration::from_millis(20));
        let late = seen.target() == "/late";
        let rest = if late { "\r\n" } else { "\r\nConnection: keep-alive\r\n\r\n" };
        peer.send(rest);
        if late {
            // After the second that the client waits for it.
            std::thread::sleep(std::time::Duration::from_millis(1200));
            peer.send("\r\n");
        }
        let length = peer.read_body().len();
        peer.answer("200 OK", &["x-kept: yes"], length.to_string());
        Then::Keep
    });
    let client = client(server.base());
    for target in ["/", "/late", "/"] {
        let reply = client.call(Ask::put(target, vec![1; LARGE])).unwrap();
        assert_eq!(reply.body, LARGE.to_string());
        assert_eq!(reply.head.headers["x-kept"], "yes");
    }
}

#[test]
fn a_body_may_look_like_it() {
    let body = "HTTP/1.1 100 Continue\r\nVia: 1.1 proxy\r\n\r\nand more";
    let server = Server::start(move |_, peer| {
        peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()));
        std::thread::sleep(std::time::Duration::from_millis(20));
        peer.send(body);
        Then::Keep
    });
    let client = client(server.base());
    for _ in 0..2 {
        assert_eq!(client.call(Ask::get("/")).unwrap().body, body);
    }
}

//! Each kind of failure of an exchange has its own cause.

mod support;

use std::net::TcpListener;

use apus_blocking::Sink;
use apus_core::error::{ExchangeErrorKind, Kind};
use apus_core::machine::Call;
use apus_core::retry::RetryPolicy;
use support::server::{Server, Then};
use support::{Ask, Plain, cause, client, client_with};

fn failure_of(answer: &'static str) -> (Option<ExchangeErrorKind>, Kind) {
    let server = Server::start(move |_, peer| {
        peer.send(answer);
        Then::Close
    });
    let error = client(server.base()).call(Ask::get("/")).unwrap_err();
    (cause(&error), error.kind())
}

#[test]
fn a_name_without_an_address() {
    let error = client("http://apus.invalid").call(Ask::get("/")).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Resolve), "{error}");
}

#[test]
fn a_port_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(base).call(Ask::get("/")).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Connect), "{error}");
}

#[test]
fn a_connection_that_closes_before_the_head() {
    assert_eq!(failure_of(""), (Some(ExchangeErrorKind::Closed), Kind::Transport));
    assert_eq!(
        failure_of("HTTP/1.1 200 OK\r\ncontent-"),
        (Some(ExchangeErrorKind::Closed), Kind::Transport)
    );
}

#[test]
fn a_connection_that_was_used_before_and_closes() {
    let server = Server::start(|seen, peer| {
        if seen.target() == "/first" {
            peer.answer("200 OK", &[], "");
            return Then::Keep;
        }
        Then::Close
    });
    let client = client(server.base());
    client.call(Ask::get("/first")).unwrap();
    let error = client.call(Ask::get("/second")).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Closed), "{error}");
    // It was the same connection, and the request was not repeated.
    assert_eq!(server.seen().iter().map(|seen| seen.connection).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn a_reset_before_the_head() {
    // A socket that is closed with unread bytes resets its connection.
    let server = Server::at_head(|_, _| Then::Close);
    let config = apus_blocking::TransportConfig::new().expect_continue_above(None);
    let client = client_with(config, Plain::new(server.base()));
    let error = client.call(Ask::put("/", vec![0; 8 << 20])).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Closed), "{error}");
}

#[test]
fn a_body_that_is_cut() {
    let cut = (Some(ExchangeErrorKind::Cut), Kind::Transport);
    assert_eq!(failure_of("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello"), cut);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel";
    assert_eq!(failure_of(chunked), cut);
}

#[test]
fn a_cut_body_has_given_what_came_to_the_sink() {
    let server = Server::start(|_, peer| {
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
        Then::Close
    });
    let sink = Sink::memory();
    let client = client(server.base());
    let call = Call::new(Ask::get("/").streamed(), client.service().clone(), 1);
    let error = client.run(call).write_to(&sink).send().unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Cut), "{error}");
    assert_eq!(sink.take(), b"hello");
}

#[test]
fn what_is_no_http() {
    let protocol = (Some(ExchangeErrorKind::Protocol), Kind::InvalidResponse);
    assert_eq!(failure_of("SSH-2.0-OpenSSH_9.2\r\n\r\n"), protocol);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello";
    assert_eq!(failure_of(chunked), protocol);
}

#[test]
fn a_lost_connection_is_tried_again_by_the_machine() {
    let server = Server::start(|seen, peer| {
        if seen.connection == 0 {
            return Then::Close;
        }
        peer.answer("200 OK", &[], "at last");
        Then::Keep
    });
    let service = Plain { retry_policy: RetryPolicy::default(), ..Plain::new(server.base()) };
    let client = client_with(apus_blocking::TransportConfig::new(), service);
    assert_eq!(client.call(Ask::get("/")).unwrap().body, "at last");
    assert_eq!(server.seen().len(), 2);
}

#[test]
#[cfg(not(feature = "tls"))]
fn https_without_tls_is_said_to_be_impossible() {
    let server = Server::start(|_, _| Then::Close);
    let error = client(format!("https://{}", server.address)).call(Ask::get("/")).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Tls), "{error}");
    assert!(server.seen().is_empty());
}

#[test]
fn a_uri_without_a_host_is_the_callers_fault() {
    let error = client("gopher://localhost").call(Ask::get("/")).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput, "{error}");
}

//! Each of the four limits of an exchange ends it, with a timeout, or with a failure to connect if
//! there was no connection yet.

mod support;

use std::io::Read;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use apus_core::error::ExchangeErrorKind;
use apus_core::http::Timeouts;
use support::server::{Server, Then};
use support::{Ask, cause, client};

/// Long enough for a loopback response.
const SHORT: Option<Duration> = Some(Duration::from_millis(200));
const NONE: Timeouts = Timeouts::NONE;

#[test]
#[cfg(feature = "tls")]
fn a_connection_that_does_not_stand() {
    // A listener that accepts and does not do the handshake makes TLS wait.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(format!("https://{}", listener.local_addr().unwrap()));
    let ask = Ask { limits: Timeouts { connect: SHORT, ..NONE }, ..Ask::get("/") };
    let error = client.call(ask).unwrap_err();
    // A timeout leaves the outcome unknown, except for a request that was never sent.
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Connect), "{error}");
    assert!(error.to_string().contains("the connect timeout"), "{error}");
}

#[test]
#[cfg(feature = "tls")]
fn a_connection_may_take_longer_than_a_body_may_pause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(format!("https://{}", listener.local_addr().unwrap()));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::sleep(Duration::from_millis(600));
            std::io::Write::write_all(&mut stream, b"This is not TLS at all.").unwrap();
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    let limits = Timeouts { connect: Some(Duration::from_secs(30)), idle: SHORT, ..NONE };
    let error = client.call(Ask { limits, ..Ask::get("/") }).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Tls), "{error}");
}

#[test]
fn a_head_that_does_not_come() {
    let server = Server::start(|_, peer| {
        peer.send("HTTP/1.1 20");
        peer.read_body();
        thread::sleep(Duration::from_secs(10));
        Then::Close
    });
    let ask = Ask { limits: Timeouts { first_byte: SHORT, ..NONE }, ..Ask::get("/") };
    let error = client(server.base()).call(ask).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Timeout), "{error}");
}

#[test]
fn a_body_that_stands_still() {
    let server = Server::start(|_, peer| {
        // The head may arrive slowly.
        thread::sleep(Duration::from_millis(600));
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
        thread::sleep(Duration::from_secs(10));
        Then::Close
    });
    for first_byte in [None, Some(Duration::from_secs(30))] {
        let ask = Ask { limits: Timeouts { first_byte, idle: SHORT, ..NONE }, ..Ask::get("/") };
        let error = client(server.base()).call(ask).unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Timeout), "{error}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(200));
    }
}

#[test]
fn a_body_that_nobody_takes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 16]).unwrap();
        stream
    });
    // More than the buffers of both sockets hold.
    let ask = Ask { limits: Timeouts { idle: SHORT, ..NONE }, ..Ask::put("/", vec![0; 64 << 20]) };
    let config = apus_blocking::TransportConfig::new().expect_continue_above(None);
    let client = support::client_with(config, support::Plain::new(base));
    let error = client.call(ask).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Timeout), "{error}");
    drop(server.join().unwrap());
}

#[test]
fn an_exchange_that_takes_too_long_as_a_whole() {
    let server = Server::start(|_, peer| {
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        for _ in 0..1000 {
            thread::sleep(Duration::from_millis(50));
            peer.send("x");
        }
        Then::Close
    });
    let ask = Ask { limits: Timeouts { whole: SHORT, ..NONE }, ..Ask::get("/") };
    let error = client(server.base()).call(ask).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Timeout), "{error}");
}

//! Each of the four timeouts ends its exchange, and the error names the limit.

mod common;

use std::time::Duration;

use apus_async::{Sink, Source};
use apus_core::Error;
use apus_core::error::ExchangeErrorKind;
use apus_core::http::Timeouts;
use apus_core::machine::Call;
use common::{Ask, Server, noise, ok, once};

const SHORT: Option<Duration> = Some(Duration::from_millis(60));
const NONE: Timeouts = Timeouts::NONE;

fn timed_out(error: &Error, which: &str) {
    assert!(error.is_timeout(), "{error}");
    let detail = error.exchange_error().unwrap().detail();
    assert!(detail.contains(which), "{detail}");
}

fn ask(limits: Timeouts) -> Ask {
    Ask { limits, ..Ask::get("/a") }
}

#[tokio::test]
async fn connect() {
    // A listener that accepts nothing leaves connections beyond its backlog without a response.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address))
            .await
    {
        filling.push(connected.unwrap());
        assert!(filling.len() < 100, "the backlog never fills");
    }
    let limits = Timeouts { connect: SHORT, ..NONE };
    let error = once(format!("http://{address}")).call(ask(limits)).await.unwrap_err();
    // A timeout leaves the outcome unknown, except for a request that was never sent.
    let failure = error.exchange_error().unwrap();
    assert_eq!(failure.kind(), ExchangeErrorKind::Connect, "{error}");
    assert!(failure.detail().contains("the connect timeout"), "{error}");
}

#[tokio::test]
async fn first_byte() {
    let server = Server::start(|peer| {
        peer.request();
        peer.wait_for_end();
    });
    let limits = Timeouts { first_byte: SHORT, ..NONE };
    let error = once(server.url()).call(ask(limits)).await.unwrap_err();
    timed_out(&error, "first-byte");
}

#[tokio::test]
async fn idle_while_receiving_tells_what_came() {
    let server = Server::start(|peer| {
        peer.request();
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
        peer.wait_for_end();
    });
    let sink = Sink::memory();
    let limits = Timeouts { idle: SHORT, ..NONE };
    let ask = Ask { streams: true, ..ask(limits) };
    let client = once(server.url());
    let call = Call::new(ask, client.service().clone(), 1);
    let error = client.run(call).write_to(&sink).send().await.unwrap_err();
    timed_out(&error, "idle");
    assert_eq!(error.status().unwrap(), 200);
    assert_eq!(sink.take(), b"12345");
}

#[tokio::test]
async fn idle_while_sending() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = Server::start(move |peer| {
        peer.head();
        // Nothing is read, so that buffers fill.
        let _ = held.lock().unwrap().recv();
    });
    let limits = Timeouts { idle: SHORT, ..NONE };
    let ask = Ask { limits, ..Ask::put_source("/a", 64 << 20, true) };
    let source = Source::bytes(noise(64 << 20));
    let error = once(server.url()).call_from(ask, source).await.unwrap_err();
    timed_out(&error, "idle");
    drop(hold);
}

#[tokio::test]
async fn whole() {
    let server = Server::start(|peer| {
        peer.request();
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
        loop {
            peer.say("x");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let limits = Timeouts { whole: SHORT, idle: Some(Duration::from_secs(60)), ..NONE };
    let error = once(server.url()).call(ask(limits)).await.unwrap_err();
    timed_out(&error, "whole");
}

#[tokio::test]
async fn a_slow_source_is_not_the_networks_silence() {
    let server = Server::start(|peer| {
        let (_, body) = peer.request().unwrap();
        peer.say(ok(body));
    });
    let (mut into, from) = tokio::io::duplex(64);
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        for piece in ["sl", "ow", "ly"] {
            tokio::time::sleep(Duration::from_millis(90)).await;
            into.write_all(piece.as_bytes()).await.unwrap();
        }
    });
    let limits = Timeouts { idle: SHORT, first_byte: Some(Duration::from_secs(20)), ..NONE };
    let ask = Ask { limits, ..Ask::put_source("/a", 6, false) };
    let reply = once(server.url()).call_from(ask, Source::reader(from, 6)).await.unwrap();
    assert_eq!(reply.body, "slowly");
}

#[tokio::test]
async fn nobody_there_is_no_timeout() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = once(format!("http://{address}")).call(Ask::get("/a")).await.unwrap_err();
    assert_eq!(error.exchange_error().unwrap().kind(), ExchangeErrorKind::Connect);
    let error = once("http://no.such.host.invalid").call(Ask::get("/a")).await.unwrap_err();
    assert_eq!(error.exchange_error().unwrap().kind(), ExchangeErrorKind::Resolve);
}

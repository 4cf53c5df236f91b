//! The test servers themselves, used with plain sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use apus_conformance::server::{
    AtHead, BodyReading, Cut, EmbeddedS3, Ending, FaultyS3, Framing, Options, Reply, Request,
    S3Model, Scripted,
};
use apus_conformance::server::{Fault, Operation, Plan};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

#[test]
fn a_request_is_recorded_as_it_was_sent() {
    let server = Scripted::start(|_: &Request| Reply::new(204)).unwrap();
    let head = "PUT /b/a%2Fb/../c?x=%20 HTTP/1.1\r\nhost: h\r\nX-Amz-Date:  d \r\nETag: \"e\"\r\n\
                Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let body = "5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nX-Trailer: t\r\n\r\n";
    let answer = exchange(server.address(), &format!("{head}{body}"));
    assert_eq!(answer, "HTTP/1.1 204 No Content\r\n\r\n");

    let requests = server.requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(request.method, "PUT");
    assert_eq!(request.target, "/b/a%2Fb/../c?x=%20");
    assert_eq!(request.raw_head, head.as_bytes());
    let names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["host", "X-Amz-Date", "ETag", "Transfer-Encoding", "Connection"]);
    assert_eq!(request.header("x-amz-date"), Some("d"));
    assert_eq!(request.body, "hello!");
    assert_eq!(request.raw_body.as_deref(), Some(body.as_bytes()));
    assert!(request.complete && !request.expects_continue());
}

#[test]
fn connections_and_their_requests_are_numbered() {
    let server = Scripted::replay(vec![Reply::new(200); 3]).unwrap();
    let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    exchange(server.address(), &format!("{get}{last}"));
    exchange(server.address(), last);
    let numbers: Vec<_> =
        server.requests().iter().map(|request| (request.connection, request.sequence)).collect();
    assert_eq!(numbers, [(1, 1), (1, 2), (2, 1)]);
    assert_eq!((server.connections(), server.peak_concurrency()), (2, 1));
    assert!(exchange(server.address(), last).contains("ScriptExhausted"));
}

#[test]
fn a_hundred_continue_is_sent_only_where_it_is_due() {
    let head = "PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let closing = |intake| Reply::new(200).intake(intake).header("Connection", "close");
    let first_line = |intake, body: &str| {
        let server = Scripted::replay(vec![closing(intake)]).unwrap();
        let answer = exchange(server.address(), &format!("{head}{body}"));
        (answer, server.requests().remove(0))
    };

    let (answer, request) = first_line(BodyReading::Whole, "ok");
    assert!(answer.starts_with(&format!("{interim}HTTP/1.1 200 OK\r\n")), "{answer}");
    assert!(request.expects_continue() && request.body == "ok");

    let (answer, request) = first_line(BodyReading::Unasked, "ok");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(request.body, "ok");

    let (answer, request) = first_line(BodyReading::Refuse(Ending::Close), "");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(!request.complete && request.body.is_empty());
}

#[test]
fn an_early_answer_comes_before_the_body_and_leaves_the_connection() {
    let early = Reply::new(403).intake(BodyReading::Drain);
    let server = Scripted::replay(vec![early, Reply::new(200)]).unwrap();
    let mut client = connect(server.address());
    client.write_all(b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n").unwrap();
    let head = read_until(&mut client, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
    let next = "helloGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    client.write_all(next.as_bytes()).unwrap();
    assert!(read_until(&mut client, "\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    let requests = server.requests();
    assert_eq!(requests[0].body, "hello");
    assert_eq!((requests[1].connection, requests[1].sequence), (1, 2));
}

#[test]
fn a_closure_may_answer_at_the_head() {
    let script = AtHead(|request: &Request| {
        assert!(request.body.is_empty());
        Reply::new(411).intake(BodyReading::Refuse(Ending::Close))
    });
    let server = Scripted::start(script).unwrap();
    let answer =
        exchange(server.address(), "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 411 Length Required\r\n"), "{answer}");
}

#[test]
fn a_connection_can_end_within_the_requests_body() {
    let reply = Reply::new(200).intake(BodyReading::Part(3, Ending::Close));
    let server = Scripted::replay(vec![reply]).unwrap();
    let answer =
        exchange(server.address(), "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n123");
    assert_eq!(answer, "");
    let request = server.requests().remove(0);
    assert_eq!(request.body, "123");
    assert!(!request.complete);
}

#[test]
fn a_cut_body_ends_in_order_or_by_reset() {
    let cut = |ending| Reply::new(200).body("0123456789").cut(Cut::Body(4, ending));
    let server = Scripted::replay(vec![cut(Ending::Close), cut(Ending::Reset)]).unwrap();
    let answer = exchange(server.address(), GET);
    assert!(answer.ends_with("Content-Length: 10\r\n\r\n0123"), "{answer}");

    let mut client = connect(server.address());
    client.write_all(GET.as_bytes()).unwrap();
    let error = client.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_connection_can_end_before_the_head() {
    let server =
        Scripted::replay(vec![Reply::none(Ending::Close), Reply::none(Ending::Reset)]).unwrap();
    assert_eq!(exchange(server.address(), GET), "");

    let mut client = connect(server.address());
    client.write_all(GET.as_bytes()).unwrap();
    let error = client.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_hanging_server_lets_go_when_it_is_dropped() {
    let server = Scripted::replay(vec![Reply::none(Ending::Hang)]).unwrap();
    let mut client = connect(server.address());
    client.write_all(GET.as_bytes()).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = client.read(&mut [0]).unwrap_err();
    let silent = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];
    assert!(silent.contains(&error.kind()), "{error}");
    drop(server);
    client.set_read_timeout(None).unwrap();
    assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
}

#[test]
fn a_body_is_framed_as_told() {
    let body = || Reply::new(200).body("hello");
    let server = Scripted::replay(vec![
        body().framing(Framing::Chunked(3)),
        body().framing(Framing::Close),
        body().header("Content-Length", "7").then_close(),
        body().pace(2, Duration::from_millis(1)).then_close(),
        body().then_close(),
    ])
    .unwrap();
    let ask = |request| {
        let answer = exchange(server.address(), request);
        answer.strip_prefix("HTTP/1.1 200 OK\r\n").unwrap().to_owned()
    };
    let close = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(close), "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    assert_eq!(ask(GET), "Connection: close\r\n\r\nhello");
    assert_eq!(ask(GET), "Content-Length: 7\r\n\r\nhello");
    assert_eq!(ask(GET), "Content-Length: 5\r\n\r\nhello");
    assert_eq!(ask("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"), "Content-Length: 5\r\n\r\n");
}

#[test]
fn a_scripted_server_speaks_tls() {
    let server = Scripted::replay_tls(vec![Reply::new(200).body("hello").then_close()]).unwrap();
    assert!(server.endpoint().starts_with("https://localhost:"));
    let answer = exchange_tls(server.address(), server.ca_pem().unwrap(), GET);
    assert_eq!(answer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

#[test]
fn a_lost_answer_was_carried_out() {
    let plan = Plan::new().on(Operation::PutObject, 1, Fault::AnswerLost(Ending::Close));
    let server = FaultyS3::start(S3Model::new().with_bucket("b").with_plan(plan)).unwrap();
    let put = "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    assert_eq!(exchange(server.address(), put), "");
    assert_eq!(server.model().object("b", "k").unwrap().body, "ok");
    assert!(exchange(server.address(), put).starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(server.model().count(Operation::PutObject), 2);
}

#[test]
fn an_early_refusal_leaves_the_body_unstored() {
    let plan = Plan::new().on(Operation::PutObject, 1, Fault::RefuseEarly(403, "AccessDenied"));
    let server = FaultyS3::start_tls(S3Model::new().with_bucket("b").with_plan(plan)).unwrap();
    let put = "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    let answer = exchange_tls(server.address(), server.ca_pem().unwrap(), put);
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(answer.contains("<Code>AccessDenied</Code>"), "{answer}");
    assert!(server.model().object("b", "k").is_none());
    assert_eq!(server.model().count(Operation::PutObject), 1);
}

#[test]
fn the_embedded_server_refuses_whom_it_does_not_know() {
    let server = EmbeddedS3::start(Options::new().bucket("bucket")).unwrap();
    assert!(server.endpoint().starts_with("http://127.0.0.1:"));
    let get = format!(
        "GET /bucket?list-type=2 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.address()
    );
    let answer = exchange(server.address(), &get);
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(answer.contains("<Code>AccessDenied</Code>"), "{answer}");

    let address = server.address();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_embedded_server_speaks_tls() {
    let server = EmbeddedS3::start(Options::new().tls(true)).unwrap();
    let get = format!(
        "GET / HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
        server.address().port()
    );
    let answer = exchange_tls(server.address(), server.ca_pem().unwrap(), &get);
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
}

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

/// Sends `request` and gives all that comes back.
fn exchange(address: SocketAddr, request: &str) -> String {
    let mut client = connect(address);
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

fn exchange_tls(address: SocketAddr, ca_pem: &str, request: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut client = StreamOwned::new(connection, connect(address));
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

fn read_until(client: &mut TcpStream, end: &str) -> String {
    let mut read = String::new();
    let mut byte = [0];
    while !read.ends_with(end) {
        client.read_exact(&mut byte).unwrap();
        read.push(char::from(byte[0]));
    }
    read
}

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

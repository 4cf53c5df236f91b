//! The bytes that are sent, and the bytes that are passed on unchanged.

mod support;

use apus_core::http::Body;
use http::{Method, StatusCode};
use support::server::{Server, Then};
use support::{Ask, client};

fn echo() -> Server {
    Server::start(|_, peer| {
        peer.answer("200 OK", &[], "hello");
        Then::Keep
    })
}

#[test]
fn a_call_is_answered() {
    let server = echo();
    let reply = client(server.base()).call(Ask::get("/a?b=c")).unwrap();
    assert_eq!(reply.body, "hello");
    assert_eq!(server.seen()[0].line, "GET /a?b=c HTTP/1.1");
}

#[test]
fn a_connection_is_used_again() {
    let server = Server::start(|seen, peer| {
        match seen.line.starts_with("HEAD") {
            true => peer.send("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"),
            false => peer.answer("200 OK", &[], "hello"),
        }
        Then::Keep
    });
    let client = client(server.base());
    for _ in 0..3 {
        client.call(Ask::get("/")).unwrap();
        client.call(Ask::put("/", "body")).unwrap();
        let reply = client.call(Ask::new(Method::HEAD, "/")).unwrap();
        assert_eq!(reply.content_length(), Some(7));
    }
    assert!(server.seen().iter().all(|seen| seen.connection == 0));
}

#[test]
fn an_empty_post_says_that_it_is_empty() {
    let server = echo();
    client(server.base()).call(Ask::new(Method::POST, "/?uploads")).unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.header("content-length"), Some("0"));
    assert_eq!(seen.header("transfer-encoding"), None);
}

#[test]
fn a_get_has_no_length_and_nothing_is_added_but_host_agent_and_no_coding() {
    let server = echo();
    client(server.base()).call(Ask::get("/")).unwrap();
    let mut names: Vec<_> = server.seen()[0].headers.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    assert_eq!(names, ["accept-encoding", "host", "user-agent"]);
}

#[test]
fn a_delete_may_have_a_body() {
    let server = echo();
    let body = Body::Bytes("<Delete/>".into());
    client(server.base()).call(Ask { body, ..Ask::new(Method::DELETE, "/") }).unwrap();
    assert_eq!(server.seen()[0].body, b"<Delete/>");
    assert_eq!(server.seen()[0].header("content-length"), Some("9"));
}

#[test]
fn a_method_of_webdav_is_sent() {
    let server = echo();
    client(server.base()).call(Ask::new(Method::from_bytes(b"COPY").unwrap(), "/c/o")).unwrap();
    assert_eq!(server.seen()[0].line, "COPY /c/o HTTP/1.1");
}

#[test]
fn a_path_stays_as_it_is() {
    let server = echo();
    let target = "/b/a/../c/./d//e%2F+~?x=%2F&y";
    client(server.base()).call(Ask::get(target)).unwrap();
    assert_eq!(server.seen()[0].target(), target);
}

#[test]
fn a_redirect_is_an_answer_like_others() {
    let server = Server::start(|_, peer| {
        peer.answer("307 Temporary Redirect", &["location: /elsewhere"], "over there");
        Then::Keep
    });
    let client = client(server.base());
    for ask in [Ask::get("/"), Ask::put("/", "x")] {
        let reply = client.call(ask).unwrap();
        assert_eq!(reply.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(reply.body, "over there");
    }
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn a_compressed_body_stays_compressed() {
    let body = b"\x1f\x8b\x08\x00 not even really gzip";
    let server = Server::start(move |_, peer| {
        peer.answer("200 OK", &["content-encoding: gzip"], body);
        Then::Keep
    });
    let reply = client(server.base()).call(Ask::get("/")).unwrap();
    assert_eq!(reply.body, &body[..]);
    assert_eq!(reply.header(&http::header::CONTENT_ENCODING), Some("gzip"));
    assert_eq!(reply.content_length(), Some(body.len() as u64));
}

#[test]
fn a_large_body_comes_and_goes_whole() {
    let body: Vec<u8> = (0..3_000_000u32).map(|at| (at % 249) as u8).collect();
    let server = Server::start(|seen, peer| {
        peer.answer("200 OK", &[], &seen.body);
        Then::Keep
    });
    let sink = apus_blocking::Sink::memory();
    let client = client(server.base());
    let ask = Ask { body: Body::Bytes(body.clone().into()), ..Ask::put("/", "").streamed() };
    let call = apus_core::machine::Call::new(ask, client.service().clone(), 1);
    let reply = client.run(call).write_to(&sink).send().unwrap();
    assert_eq!(reply.streamed, body.len() as u64);
    assert!(sink.take() == body);
}

#[test]
fn a_chunked_answer_is_read_to_its_end() {
    let server = Server::start(|_, peer| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        peer.send(format!("{head}5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n"));
        Then::Keep
    });
    let client = client(server.base());
    assert_eq!(client.call(Ask::get("/")).unwrap().body, "hello!");
    assert_eq!(client.call(Ask::get("/")).unwrap().body, "hello!");
    assert_eq!(server.seen()[1].connection, 0);
}

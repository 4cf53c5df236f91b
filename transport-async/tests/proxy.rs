//! Requests through an HTTP proxy: the bytes that are sent. What both transports have in common is
//! tested over both, with the embedded servers.

mod common;

use std::net::TcpListener;

use apus_async::{Proxy, Transport, TransportConfig};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::{Error, Kind, Secret};
use common::{Ask, Place, Server, answer, client_with, header, ok};

fn at(server: &Server) -> Proxy {
    Proxy::at("127.0.0.1", server.address.port()).unwrap()
}

/// A proxy that gives this response to every request, and closes.
fn saying(answer: &'static str) -> (Server, Proxy) {
    let server = Server::start(move |peer| {
        if peer.head().is_some() {
            peer.say(answer);
        }
    });
    let proxy = at(&server);
    (server, proxy)
}

async fn ask(proxy: Proxy, base: &str) -> Result<(), Error> {
    let place = Place::at(base).with_attempts(1);
    let client = client_with(TransportConfig::new().proxy(proxy), place);
    client.call(Ask::get("/")).await.map(drop)
}

fn cause(error: &Error) -> Option<ExchangeErrorKind> {
    error.exchange_error().map(ExchangeError::kind)
}

#[tokio::test]
async fn http_is_asked_of_the_proxy_byte_for_byte_on_one_connection() {
    let server = Server::start(|peer| {
        while let Some((_, body)) = peer.request() {
            peer.say(ok(body));
        }
    });
    let proxy = at(&server).credentials("lab@user", Secret::new("p@ss:w/rd%")).unwrap();
    let config = TransportConfig::new().proxy(proxy);
    let shown = format!("{config:?}");
    assert!(!shown.contains("p@ss") && !shown.contains("bGFi"), "{shown}");
    let client = client_with(config, Place::at("http://no.such.host.invalid:8080"));
    let targets = ["/b/a/../c/./d//e?x=%2F", "//", "/%25%2E%2E/", "/a%20b?c=d&e"];
    for target in targets {
        let body = vec![b'x'; 300_000];
        assert_eq!(client.call(Ask::put(target, body.clone())).await.unwrap().body, body);
        client.call(Ask::get(target)).await.unwrap();
    }
    let heads = server.heads();
    assert_eq!((heads.len(), server.connections()), (2 * targets.len(), 1));
    for (pair, target) in heads.chunks(2).zip(targets) {
        let uri = format!("http://no.such.host.invalid:8080{target}");
        assert!(pair[0].starts_with(&format!("PUT {uri} HTTP/1.1\r\n")), "{}", pair[0]);
        assert!(pair[1].starts_with(&format!("GET {uri} HTTP/1.1\r\n")), "{}", pair[1]);
        for head in pair {
            assert_eq!(header(head, "host"), Some("no.such.host.invalid:8080"));
            // `lab@user:p@ss:w/rd%` in base64.
            let basic = "Basic bGFiQHVzZXI6cEBzczp3L3JkJQ==";
            assert_eq!(header(head, "proxy-authorization"), Some(basic));
        }
    }
}

#[tokio::test]
async fn a_body_waits_for_the_proxys_word_and_an_early_answer_is_seen() {
    let server = Server::start(|peer| {
        while let Some(head) = peer.head() {
            assert_eq!(header(&head, "expect"), Some("100-continue"));
            if head.contains("/refused") {
                return peer.say(answer("403 Forbidden", "no"));
            }
            peer.say("HTTP/1.1 100 Continue\r\nVia: 1.1 proxy\r\n\r\n");
            let length = header(&head, "content-length").unwrap().parse().unwrap();
            let read = peer.read(length).len();
            peer.say(ok(read.to_string()));
        }
    });
    let config = TransportConfig::new().proxy(at(&server)).expect_continue_above(Some(1000));
    let client = client_with(config, Place::at("http://apus.invalid").with_attempts(1));
    let body = vec![0; 4 << 20];
    assert_eq!(client.call(Ask::put("/", body.clone())).await.unwrap().body, "4194304");
    let error = client.call(Ask::put("/refused", body)).await.unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(403), "{error}");
    assert_eq!(cause(&error), None);
}

#[tokio::test]
async fn what_the_proxy_refuses_is_its_own_and_final() {
    let refused = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    for base in ["http://127.0.0.1:9", "https://127.0.0.1:9"] {
        let (_server, proxy) = saying(refused);
        let name = proxy.to_string();
        let error = ask(proxy.clone(), base).await.unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Proxy), "{error}");
        let text = error.to_string();
        assert!(text.contains(&name) && text.contains("none are set"), "{text}");
        let known = proxy.credentials("user", Secret::new("hunter2")).unwrap();
        let error = ask(known, base).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("refuses the user or the password (407"), "{text}");
        assert!(
            !text.contains("hunter2") && error.exchange_error().unwrap().is_lasting(),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_tunnel_that_is_not_made_says_why() {
    let denied = "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\r\nsee policy";
    let error = ask(saying(denied).1, "https://127.0.0.1:9").await.unwrap_err();
    assert_eq!((error.status(), cause(&error)), (None, Some(ExchangeErrorKind::Proxy)), "{error}");
    assert!(error.to_string().contains("403 Forbidden, ERR_ACCESS_DENIED"), "{error}");
    for nonsense in ["SSH-2.0-OpenSSH_9.2\r\n", "", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\n\r\nmore"] {
        let error = ask(saying(nonsense).1, "https://127.0.0.1:9").await.unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Proxy), "{nonsense:?}: {error}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for base in ["http://127.0.0.1:9", "https://127.0.0.1:9"] {
        for (host, port) in [("127.0.0.1", port), ("apus.invalid", 8080)] {
            let error = ask(Proxy::at(host, port).unwrap(), base).await.unwrap_err();
            assert_eq!(cause(&error), Some(ExchangeErrorKind::Proxy), "{error}");
            assert!(error.to_string().contains(&format!("{host}:{port}")), "{error}");
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn certificates_that_are_none_are_refused_when_the_transport_is_made() {
    let proxy = Proxy::new("https://localhost:3128").unwrap().ca_bundle("no PEM");
    let error = Transport::new(TransportConfig::new().proxy(proxy)).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput, "{error}");
    assert!(error.to_string().contains("the proxy's certificates"), "{error}");
}

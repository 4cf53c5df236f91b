//! Requests through an HTTP proxy: the bytes that are sent. What both transports have in common is
//! tested over both, with the embedded servers.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use apus_blocking::{Proxy, Transport, TransportConfig};
use apus_core::error::ExchangeErrorKind;
use apus_core::{Error, Kind, Secret};
use support::server::{Server, Then};
use support::{Ask, Plain, cause, client_with};

/// A proxy that responds for every endpoint.
fn forwarding(status: &'static str, headers: &'static [&'static str]) -> Server {
    Server::start(move |seen, peer| {
        peer.answer(status, headers, &seen.body);
        Then::Keep
    })
}

fn at(server: &Server) -> Proxy {
    Proxy::at("127.0.0.1", server.address.port()).unwrap()
}

/// A proxy that gives this response to every request.
fn saying(answer: &'static str) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = BufReader::new(client.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && client.read_line(&mut head).unwrap_or(0) > 0 {}
            let _ = client.get_mut().write_all(answer.as_bytes());
        }
    });
    Proxy::at("127.0.0.1", port).unwrap()
}

fn ask(proxy: Proxy, base: &str) -> Result<(), Error> {
    let client = client_with(TransportConfig::new().proxy(proxy), Plain::new(base));
    client.call(Ask::get("/")).map(drop)
}

#[test]
fn http_is_asked_of_the_proxy_byte_for_byte_on_one_connection() {
    let server = forwarding("200 OK", &[]);
    let proxy = at(&server).credentials("lab@user", Secret::new("p@ss:w/rd%")).unwrap();
    let config = TransportConfig::new().proxy(proxy);
    let client = client_with(config, Plain::new("http://no.such.host.invalid:8080"));
    let shown = format!("{:?}", client.transport());
    assert!(!shown.contains("p@ss") && !shown.contains("bGFi"), "{shown}");
    let targets = ["/b/a/../c/./d//e?x=%2F", "//", "/%25%2E%2E/", "/a%20b?c=d&e"];
    for target in targets {
        let body = vec![b'x'; 300_000];
        assert_eq!(client.call(Ask::put(target, body.clone())).unwrap().body, body);
        client.call(Ask::get(target)).unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 2 * targets.len());
    for (pair, target) in seen.chunks(2).zip(targets) {
        let uri = format!("http://no.such.host.invalid:8080{target}");
        assert_eq!(pair[0].line, format!("PUT {uri} HTTP/1.1"));
        assert_eq!(pair[1].line, format!("GET {uri} HTTP/1.1"));
        for seen in pair {
            assert_eq!(seen.connection, 0);
            assert_eq!(seen.header("host"), Some("no.such.host.invalid:8080"));
            // `lab@user:p@ss:w/rd%` in base64.
            let basic = "Basic bGFiQHVzZXI6cEBzczp3L3JkJQ==";
            assert_eq!(seen.header("proxy-authorization"), Some(basic));
        }
    }
}

#[test]
fn a_body_waits_for_the_proxys_word_and_an_early_answer_is_seen() {
    let server = Server::at_head(|seen, peer| {
        assert_eq!(seen.header("expect"), Some("100-continue"));
        match seen.target().ends_with("/refused") {
            true => {
                peer.answer("403 Forbidden", &[], "no");
                Then::Close
            }
            false => {
                peer.send("HTTP/1.1 100 Continue\r\n\r\n");
                let length = peer.read_body().len();
                peer.answer("200 OK", &[], length.to_string());
                Then::Keep
            }
        }
    });
    let config = TransportConfig::new().proxy(at(&server)).expect_continue_above(Some(1000));
    let client = client_with(config, Plain::new("http://apus.invalid"));
    let body = vec![0; 4 << 20];
    assert_eq!(client.call(Ask::put("/", body.clone())).unwrap().body, "4194304");
    let error = client.call(Ask::put("/refused", body)).unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(403), "{error}");
    assert_eq!(cause(&error), None);
}

#[test]
fn what_the_proxy_refuses_is_its_own_and_final() {
    let refused = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    for base in ["http://127.0.0.1:9", "https://127.0.0.1:9"] {
        let proxy = saying(refused);
        let name = proxy.to_string();
        let error = ask(proxy.clone(), base).unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Proxy), "{error}");
        let text = error.to_string();
        assert!(text.contains(&name) && text.contains("none are set"), "{text}");
        let known = proxy.credentials("user", Secret::new("hunter2")).unwrap();
        let error = ask(known, base).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("refuses the user or the password (407"), "{text}");
        assert!(
            !text.contains("hunter2") && error.exchange_error().unwrap().is_lasting(),
            "{text}"
        );
    }
}

#[test]
fn a_tunnel_that_is_not_made_says_why() {
    let denied = "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\r\nsee policy";
    let error = ask(saying(denied), "https://127.0.0.1:9").unwrap_err();
    assert_eq!((error.status(), cause(&error)), (None, Some(ExchangeErrorKind::Proxy)), "{error}");
    assert!(error.to_string().contains("403 Forbidden, ERR_ACCESS_DENIED"), "{error}");
    for nonsense in ["SSH-2.0-OpenSSH_9.2\r\n", "", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\n\r\nmore"] {
        let error = ask(saying(nonsense), "https://127.0.0.1:9").unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Proxy), "{nonsense:?}: {error}");
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for base in ["http://127.0.0.1:9", "https://127.0.0.1:9"] {
        for (host, port) in [("127.0.0.1", port), ("apus.invalid", 8080)] {
            let error = ask(Proxy::at(host, port).unwrap(), base).unwrap_err();
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

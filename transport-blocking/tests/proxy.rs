//! Through an HTTP proxy.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use apus_blocking::{Proxy, TransportConfig};
use apus_core::Secret;
use apus_core::error::Cause;
use support::server::{Server, Then};
use support::{Ask, Plain, cause, client_with};

/// A proxy that knows CONNECT only, and keeps the heads it was told.
fn proxy(answer: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&heads);
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = BufReader::new(client.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if client.read_line(&mut head).unwrap() == 0 {
                    return;
                }
            }
            let target = head.split(' ').nth(1).unwrap().to_owned();
            kept.lock().unwrap().push(head);
            client.get_mut().write_all(answer.as_bytes()).unwrap();
            if answer.starts_with("HTTP/1.1 200") {
                let server = TcpStream::connect(target).unwrap();
                let (mut up, mut down) = (server.try_clone().unwrap(), server);
                let mut back = client.get_mut().try_clone().unwrap();
                thread::spawn(move || std::io::copy(&mut client, &mut up));
                thread::spawn(move || std::io::copy(&mut down, &mut back));
            }
        }
    });
    (port, heads)
}

#[test]
fn requests_go_through_with_credentials_of_any_characters() {
    let server = Server::start(|_, peer| {
        peer.answer("200 OK", &[], "hello");
        Then::Keep
    });
    let (port, heads) = proxy("HTTP/1.1 200 Connected\r\n\r\n");
    let password = Secret::new("p@ss:w/rd%".to_owned());
    let proxy = Proxy::new("127.0.0.1", port).with_credentials("lab@user", password);
    let config = TransportConfig::new().proxy(proxy);
    let shown = format!("{config:?}");
    assert!(!shown.contains("p@ss"), "{shown}");
    let client = client_with(config, Plain::new(server.base()));
    let shown = format!("{:?}", client.transport());
    assert!(!shown.contains("p@ss") && !shown.contains("p%40ss"), "{shown}");
    for _ in 0..2 {
        assert_eq!(client.call(Ask::get("/")).unwrap().body, "hello");
    }
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with(&format!("CONNECT {} HTTP/1.1\r\n", server.address)));
    // `lab@user:p@ss:w/rd%` in base64.
    assert!(heads[0].to_lowercase().contains("proxy-authorization: basic "), "{}", heads[0]);
    assert!(heads[0].contains("bGFiQHVzZXI6cEBzczp3L3JkJQ=="), "{}", heads[0]);
    assert!(server.seen().iter().all(|seen| seen.header("proxy-authorization").is_none()));
}

#[test]
fn a_proxy_that_refuses_is_named() {
    let (port, _) =
        proxy("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    let config = TransportConfig::new().proxy(Proxy::new("127.0.0.1", port));
    let error =
        client_with(config, Plain::new("http://127.0.0.1:9")).call(Ask::get("/")).unwrap_err();
    assert_eq!(cause(&error), Some(Cause::Proxy), "{error}");
    assert!(error.to_string().contains("407"), "{error}");
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for proxy in [Proxy::new("127.0.0.1", port), Proxy::new("apus.invalid", 8080)] {
        let config = TransportConfig::new().proxy(proxy);
        let client = client_with(config, Plain::new("http://127.0.0.1:9"));
        let error = client.call(Ask::get("/")).unwrap_err();
        assert_eq!(cause(&error), Some(Cause::Proxy), "{error}");
    }
}

#[test]
fn what_is_no_proxy_is_refused_when_it_is_given() {
    for proxy in [
        Proxy::new("not a host", 8080),
        Proxy::new("localhost", 1).with_credentials("a:b", Secret::new(String::new())),
    ] {
        let config = TransportConfig::new().proxy(proxy);
        let error = apus_blocking::Transport::new(config).unwrap_err();
        assert_eq!(error.kind(), apus_core::Kind::Caller, "{error}");
    }
}

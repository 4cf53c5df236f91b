//! What a call holds in memory while it waits for a response: little, also after a large body on
//! the same connection.

mod support;

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use apus_core::http::Body;
use http::Method;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{Ask, client};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CALLS: usize = 16;
/// The most that a call may hold while it waits, besides the stack of its thread.
const MOST: usize = 128 << 10;

fn held() -> usize {
    let counted = COUNTED.stats();
    counted.bytes_allocated.saturating_sub(counted.bytes_deallocated)
}

/// Reads a request with a body of so many bytes.
fn read(stream: &mut TcpStream, body: usize) {
    let (mut seen, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "the request ended");
        seen.extend_from_slice(&piece[..length]);
        let head = seen.windows(4).position(|four| four == b"\r\n\r\n");
        if head.is_some_and(|end| seen.len() >= end + 4 + body) {
            return;
        }
    }
}

/// Makes the calls, each on a connection that has passed `passed` bytes up and down, and returns
/// how much more they hold while they wait than before they began.
fn waiting(method: &Method, passed: usize, body: usize) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(format!("http://{}", listener.local_addr().unwrap()));
    let (ready, all_ready) = mpsc::channel();
    let before = held();
    let callers: Vec<_> = (0..CALLS)
        .map(|_| {
            let (client, method) = (client.clone(), method.clone());
            thread::spawn(move || {
                let ask = |method, length: usize| {
                    let body = Body::Bytes(vec![7; length].into());
                    client.call(Ask { method, body, ..Ask::get("/") }).unwrap()
                };
                if passed > 0 {
                    assert_eq!(ask(Method::PUT, passed).body.len(), passed);
                }
                ask(method, body);
            })
        })
        .collect();
    let mut peers = Vec::new();
    // No connection is free before all calls have one.
    let all = Arc::new(Barrier::new(CALLS));
    for _ in 0..CALLS {
        let (mut stream, _) = listener.accept().unwrap();
        let (ready, all) = (ready.clone(), Arc::clone(&all));
        peers.push(thread::spawn(move || {
            let answer = vec![b'x'; passed];
            if passed > 0 {
                read(&mut stream, passed);
                all.wait();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {passed}\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(&answer).unwrap();
            }
            drop(answer);
            read(&mut stream, body);
            ready.send(()).unwrap();
            stream
        }));
    }
    (0..CALLS).for_each(|_| all_ready.recv().unwrap());
    let streams: Vec<_> = peers.into_iter().map(|peer| peer.join().unwrap()).collect();
    let after = held();
    for mut stream in streams {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    after.saturating_sub(before) / CALLS
}

#[test]
fn a_call_that_waits_holds_little() {
    for (method, passed, body) in [
        (Method::GET, 0, 0),
        (Method::HEAD, 0, 0),
        (Method::PUT, 0, 1 << 10),
        (Method::GET, 1 << 20, 0),
        (Method::PUT, 0, 64 << 10),
    ] {
        let bytes = waiting(&method, passed, body);
        assert!(bytes < MOST + body, "{method} of {body} bytes after {passed} holds {bytes} bytes");
    }
}

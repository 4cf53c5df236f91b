//! What hyper and ureq cost more than their job: a GET and a PUT of 1 KiB by them, by HTTP/1 of 100
//! lines over the same sockets, and by the sockets alone: `sockets [ROUNDS] [COUNT]`.
//!
//! A trial, not shipped: it has no proxy, no TLS, no chunked bodies, no informational responses, no
//! timeouts and no pool. So it is the least that a transport of ours could cost without a library.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::mem::MaybeUninit;

use apus_benches::bare::{self, Hyper};
use apus_benches::machine::{Side, pin};
use apus_benches::race::{Racer, argument, load, print, race};
use apus_benches::server::{Server, serve_if_told};
use apus_core::s3::{GetObject, PutObject};
use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Builder;

fn main() {
    serve_if_told();
    pin(Side::Client);
    let (rounds, count) = (argument(1, 21), argument(2, 2_000));
    let server = Server::start("http", SIZE as u64);
    println!("sockets: {rounds} rounds of {count} operations of 1 KiB, load {}", load());
    let service = bare::service(&server);
    let (get, put) = (GetObject::new("bucket", "small"), PutObject::new("bucket", "small", BODY));
    let get =
        Task { title: "GET", head: bare::head(&get, &service), body: Bytes::new(), length: SIZE };
    let put = Task { title: "PUT", head: bare::head(&put, &service), body: BODY, length: 0 };
    for task in [get, put] {
        over_std(&server, &task, rounds, count);
        over_tokio(&server, &task, rounds, count);
    }
}

/// An operation, as it is sent.
struct Task {
    title: &'static str,
    head: request::Parts,
    body: Bytes,
    /// The length of the response's body.
    length: usize,
}

fn over_std(server: &Server, task: &Task, rounds: usize, count: usize) {
    let Task { title, head, body, length } = task;
    let length = *length;
    let agent = bare::ureq_agent(server, None);
    let connect = || {
        let stream = std::net::TcpStream::connect(server.authority()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    };
    let (ours, floor) = (RefCell::new(connect()), RefCell::new(connect()));
    let answer = RefCell::new(vec![0; 1 << 16]);
    let sent = [&encode(head)[..], body].concat();
    let mut buffer = BytesMut::new();
    let mut racers = [
        Racer::peer("std's sockets alone", |n| {
            let (mut stream, mut answer) = (floor.borrow_mut(), answer.borrow_mut());
            for _ in 0..n {
                stream.write_all(&sent).unwrap();
                let mut have = 0;
                while !is_whole(&answer[..have], length) {
                    have += stream.read(&mut answer[have..]).unwrap();
                }
            }
        }),
        Racer::peer("httparse over them", |n| {
            let mut stream = ours.borrow_mut();
            for _ in 0..n {
                let mut out = encode(head);
                out.extend_from_slice(body);
                stream.write_all(&out).unwrap();
                buffer.clear();
                let answered = loop {
                    let have = buffer.len();
                    buffer.resize(have + PIECE, 0);
                    let read = stream.read(&mut buffer[have..]).unwrap();
                    buffer.truncate(have + read);
                    if let Some(answered) = decode(&mut buffer) {
                        break answered;
                    }
                };
                assert_eq!(answered.1.len(), length);
            }
        }),
        Racer::ours("ureq", |n| {
            for _ in 0..n {
                let mut into = vec![0; SIZE];
                bare::ureq_ask(&agent, head, body, &mut into);
            }
        }),
    ];
    race(&mut racers, rounds, count);
    print(&format!("{title}, blocking"), &racers, 1e3, "µs");
}

fn over_tokio(server: &Server, task: &Task, rounds: usize, count: usize) {
    let Task { title, head, body, length } = task;
    let length = *length;
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let connect = async || {
        let stream = tokio::net::TcpStream::connect(server.authority()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    };
    let (ours, floor, hyper) = runtime.block_on(async {
        let (ours, floor) = (connect().await, connect().await);
        (RefCell::new(ours), RefCell::new(floor), RefCell::new(Hyper::connect(server).await))
    });
    let answer = RefCell::new(vec![0; 1 << 16]);
    let sent = [&encode(head)[..], body].concat();
    let mut buffer = BytesMut::new();
    let mut racers = [
        Racer::peer("tokio's sockets alone", |n| {
            let (mut stream, mut answer) = (floor.borrow_mut(), answer.borrow_mut());
            runtime.block_on(async {
                for _ in 0..n {
                    stream.write_all(&sent).await.unwrap();
                    let mut have = 0;
                    while !is_whole(&answer[..have], length) {
                        have += stream.read(&mut answer[have..]).await.unwrap();
                    }
                }
            });
        }),
        Racer::peer("httparse over them", |n| {
            let mut stream = ours.borrow_mut();
            runtime.block_on(async {
                for _ in 0..n {
                    let mut out = encode(head);
                    out.extend_from_slice(body);
                    stream.write_all(&out).await.unwrap();
                    buffer.clear();
                    let answered = loop {
                        buffer.reserve(PIECE);
                        stream.read_buf(&mut buffer).await.unwrap();
                        if let Some(answered) = decode(&mut buffer) {
                            break answered;
                        }
                    };
                    assert_eq!(answered.1.len(), length);
                }
            });
        }),
        Racer::ours("hyper", |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    hyper.borrow_mut().ask(head, body.clone()).await;
                }
            });
        }),
    ];
    race(&mut racers, rounds, count);
    print(&format!("{title}, async"), &racers, 1e3, "µs");
}

/// Writes the head of a request.
fn encode(head: &request::Parts) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * SIZE);
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in &head.headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Reads a response, if all of it is there: its header fields and its body.
fn decode(buffer: &mut BytesMut) -> Option<(HeaderMap, Bytes)> {
    let mut fields = [const { MaybeUninit::uninit() }; 256];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut response, buffer, &mut fields);
    let httparse::Status::Complete(length) = parsed.unwrap() else { return None };
    assert_eq!(response.code, Some(200));
    let mut headers = HeaderMap::with_capacity(response.headers.len());
    for field in response.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(field.value).unwrap());
    }
    let body = headers.get(http::header::CONTENT_LENGTH).unwrap();
    let body: usize = body.to_str().unwrap().parse().unwrap();
    if buffer.len() < length + body {
        return None;
    }
    buffer.advance(length);
    Some((headers, buffer.split_to(body).freeze()))
}

/// Whether a head and this many bytes were received: the least that has to be known.
fn is_whole(answer: &[u8], length: usize) -> bool {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    end.is_some_and(|end| answer.len() >= end + 4 + length)
}

const SIZE: usize = 1024;
const BODY: Bytes = Bytes::from_static(&[7; SIZE]);
const PIECE: usize = 8 << 10;

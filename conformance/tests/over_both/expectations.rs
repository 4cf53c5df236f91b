//! Servers and proxies that refuse `Expect: 100-continue`, or never answer it: they are not asked
//! again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apus_core::http::Body;
use apus_core::s3::PutObject;

use crate::client::{Client, Kind, Origin, Server, Setup, Via, pattern};

both! {
    a_refused_expectation_is_left_out_of_all_later_requests,
    a_refused_expectation_costs_a_stream_nothing,
    a_server_that_never_says_continue_is_not_waited_for_again,
    a_server_that_says_continue_is_asked_each_time,
}

/// How the server answers a request that expects `100 Continue`.
#[derive(Clone, Copy)]
enum Manner {
    /// With 417, as squid 3 and lighttpd 1.4 did (RFC 9110, section 15.5.18).
    Refuses,
    /// Not at all, until it has the body.
    Silent,
    /// With `100 Continue`.
    Continues,
}

struct Peer {
    url: String,
    /// For each request, whether it expected.
    seen: Arc<Mutex<Vec<bool>>>,
}

impl Peer {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, seen) = (stream.unwrap(), Arc::clone(&kept));
                thread::spawn(move || serve(&stream, manner, &seen));
            }
        });
        Self { url, seen }
    }

    fn client(&self, via: Via) -> Client {
        let mut setup = Setup::of(self);
        setup.expects_above = Some(100);
        setup.client(via)
    }

    fn seen(&self) -> Vec<bool> {
        self.seen.lock().unwrap().clone()
    }
}

impl Server for Peer {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn ca(&self) -> Option<&str> {
        None
    }
}

fn serve(stream: &TcpStream, manner: Manner, seen: &Mutex<Vec<bool>>) {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let (mut length, mut expects, mut line) = (0, false, String::new());
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            let text = line.to_lowercase();
            expects |= text.starts_with("expect: 100-continue");
            if let Some(value) = text.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        if line.is_empty() {
            return;
        }
        seen.lock().unwrap().push(expects);
        match manner {
            Manner::Refuses if expects => {
                let answer = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\
                              Connection: close\r\n\r\n";
                return writer.write_all(answer.as_bytes()).unwrap();
            }
            Manner::Continues if expects => {
                writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
            }
            _ => {}
        }
        if std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink()).is_err() {
            return;
        }
        let answer = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 0\r\n\r\n";
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn put(client: &Client) {
    let body = Body::Source { range: 0..100_000, rewindable: true };
    let put = PutObject::from_body("bucket", "key", body);
    client.call_from(put, Origin::new(Kind::File, pattern(100_000))).unwrap();
}

fn a_refused_expectation_is_left_out_of_all_later_requests(via: Via) {
    let peer = Peer::start(Manner::Refuses);
    let client = peer.client(via);
    for _ in 0..3 {
        put(&client);
    }
    assert_eq!(peer.seen(), [true, false, false, false]);
}

/// Nothing of the body was sent, so it can be sent now though it is read once.
fn a_refused_expectation_costs_a_stream_nothing(via: Via) {
    let peer = Peer::start(Manner::Refuses);
    let mut setup = Setup::of(&peer);
    setup.expects_above = Some(100);
    setup.config.payload = apus_core::s3::PayloadSigning::Unsigned;
    setup.config.max_buffered_body = 0;
    let body = Body::Source { range: 0..100_000, rewindable: false };
    let put = PutObject::from_body("bucket", "key", body);
    setup.client(via).call_from(put, Origin::new(Kind::Reader, pattern(100_000))).unwrap();
    assert_eq!(peer.seen(), [true, false]);
}

fn a_server_that_never_says_continue_is_not_waited_for_again(via: Via) {
    let peer = Peer::start(Manner::Silent);
    let client = peer.client(via);
    put(&client);
    put(&client);
    let begun = Instant::now();
    put(&client);
    assert_eq!(peer.seen(), [true, true, false]);
    assert!(begun.elapsed() < Duration::from_millis(900));
}

fn a_server_that_says_continue_is_asked_each_time(via: Via) {
    let peer = Peer::start(Manner::Continues);
    let client = peer.client(via);
    for _ in 0..4 {
        put(&client);
    }
    assert_eq!(peer.seen(), [true; 4]);
}

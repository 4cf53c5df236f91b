//! A forwarder on the loopback interface that delays, cuts and counts connections.

#![allow(dead_code, reason = "a suite takes of it what it needs")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The forwarder. Its thread ends with the process.
pub struct Proxy {
    /// Where it is, written like the server's own endpoint.
    pub endpoint: String,
    sent: Arc<AtomicU64>,
}

/// What it does to connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// So many connections, the first ones, are cut.
    pub cuts: usize,
    /// They are cut once so many bytes came back.
    pub after: usize,
    /// Bytes per second each way, all connections together.
    pub pace: Option<u64>,
}

impl Proxy {
    /// Starts one before the server at `endpoint`, whose path is kept.
    pub fn before(endpoint: &str, plan: Plan) -> Self {
        let (scheme, rest) = endpoint.split_once("://").expect("an endpoint is a URL");
        let (server, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let server = server.to_owned();
        let host = server.split(':').next().unwrap_or_default();
        let listener = TcpListener::bind((host, 0)).unwrap();
        let endpoint = format!("{scheme}://{host}:{}{path}", listener.local_addr().unwrap().port());
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        thread::spawn(move || {
            let ways = [0; 2].map(|_| Arc::new(Way::at(plan.pace)));
            for number in 0.. {
                let Ok((client, _)) = listener.accept() else { return };
                let limit = if number < plan.cuts { plan.after } else { usize::MAX };
                let upstream = TcpStream::connect(&server).unwrap();
                let (from, to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                let ([there, back], counter) = (ways.clone(), Arc::clone(&counter));
                thread::spawn(move || forward(from, to, &there, usize::MAX, &counter));
                thread::spawn(move || forward(upstream, client, &back, limit, &AtomicU64::new(0)));
            }
        });
        Self { endpoint, sent }
    }

    /// How many bytes came from clients.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

/// One direction of all connections.
struct Way {
    pace: Option<u64>,
    free: Mutex<Instant>,
}

impl Way {
    fn at(pace: Option<u64>) -> Self {
        Self { pace, free: Mutex::new(Instant::now()) }
    }

    fn pass(&self, bytes: usize) {
        if let Some(pace) = self.pace {
            let takes = Duration::from_secs_f64(bytes as f64 / pace as f64);
            let until = {
                let mut free = self.free.lock().unwrap();
                *free = (*free).max(Instant::now()) + takes;
                *free
            };
            thread::sleep(until.saturating_duration_since(Instant::now()));
        }
    }
}

fn forward(
    mut from: TcpStream,
    mut to: TcpStream,
    way: &Way,
    mut limit: usize,
    counter: &AtomicU64,
) {
    let mut buffer = [0; 1 << 14];
    while limit > 0 {
        let Ok(read @ 1..) = from.read(&mut buffer) else { break };
        counter.fetch_add(read as u64, Ordering::SeqCst);
        let read = read.min(limit);
        way.pass(read);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        limit -= read;
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

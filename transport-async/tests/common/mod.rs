//! A server that sends exactly the bytes of a test, and operations and machines to test with.
#![allow(dead_code, reason = "each test file uses a part of it")]

#[cfg(feature = "tls")]
pub(crate) mod authority;
pub(crate) mod machines;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use apus_async::{Client, Transport, TransportConfig};
use apus_core::contract::{
    AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest, Operation, Service,
};
use apus_core::http::{Body, Completion, Draft, Exchange, Expect, Incoming, Reply, Timeouts};
use apus_core::machine::Auth;
use apus_core::retry::{Idempotency, RetryDecision, RetryPolicy};
use apus_core::{Error, Now};
use http::Method;

/// A listener whose connections are each played by a script in a thread of their own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
}

/// Both directions of a connection.
pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// The server's side of one connection.
pub(crate) struct Peer {
    pub(crate) number: usize,
    stream: BufReader<Box<dyn Stream>>,
    socket: TcpStream,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        Self::start_over(|socket| Some(Box::new(socket)), script)
    }

    pub(crate) fn start_over(
        wrap: impl Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + Sync + 'static,
        script: impl Fn(&mut Peer) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let server =
            Self { address, connections: Arc::clone(&connections), heads: Arc::clone(&heads) };
        let (script, wrap) = (Arc::new(script), Arc::new(wrap));
        thread::spawn(move || {
            for socket in listener.incoming() {
                let socket = socket.unwrap();
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let (script, wrap) = (Arc::clone(&script), Arc::clone(&wrap));
                let heads = Arc::clone(&heads);
                thread::spawn(move || {
                    let copy = socket.try_clone().unwrap();
                    let Some(stream) = wrap(socket) else { return };
                    let stream = BufReader::new(stream);
                    script(&mut Peer { number, stream, socket: copy, heads });
                });
            }
        });
        server
    }

    /// Sends the same response to every request, on connections that are kept.
    pub(crate) fn always(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |peer| {
            while peer.request().is_some() {
                peer.say(&answer);
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Peer {
    /// Reads the head of the next request.
    pub(crate) fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                self.heads.lock().unwrap().push(head.clone());
                return Some(head);
            }
            head.push_str(&line);
        }
    }

    pub(crate) fn read(&mut self, length: usize) -> Vec<u8> {
        let mut body = vec![0; length];
        let mut have = 0;
        while have < length {
            match self.stream.read(&mut body[have..]) {
                Ok(0) | Err(_) => break,
                Ok(read) => have += read,
            }
        }
        body.truncate(have);
        body
    }

    /// Reads the next request with its whole body.
    pub(crate) fn request(&mut self) -> Option<(String, Vec<u8>)> {
        let head = self.head()?;
        let length = header(&head, "content-length").map_or(0, |text| text.parse().unwrap());
        let body = self.read(length);
        (body.len() == length).then_some((head, body))
    }

    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        // Some tests have a client that closes the connection.
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
        let _ = self.stream.get_mut().flush();
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(&mut self) {
        // Bytes that were not read make the kernel send a reset.
        let _ = self.socket.set_read_timeout(Some(Duration::from_millis(1)));
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    /// Passes bytes on in both directions, until one side closes.
    pub(crate) fn splice(&mut self, other: TcpStream) {
        let (mut from, mut to) = (self.socket.try_clone().unwrap(), other.try_clone().unwrap());
        let upward = thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut &other, &mut &self.socket);
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        let _ = upward.join();
    }

    /// Waits until the client closes.
    pub(crate) fn wait_for_end(&mut self) -> usize {
        let mut sink = [0; 65536];
        let mut total = 0;
        while let Ok(read @ 1..) = self.stream.read(&mut sink) {
            total += read;
        }
        total
    }
}

/// The value of a header.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// `HTTP/1.1 200 OK` with a body.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    answer("200 OK", body)
}

pub(crate) fn answer(status: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut out =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

/// A service with fast retries.
pub(crate) struct Place {
    pub(crate) url: String,
    retry_policy: RetryPolicy,
}

impl Place {
    pub(crate) fn at(url: impl Into<String>) -> Self {
        let quick = Duration::from_millis(1);
        let retry_policy = RetryPolicy { base: quick, throttled: quick, ..RetryPolicy::default() };
        Self { url: url.into(), retry_policy }
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.retry_policy.attempts = attempts;
        self
    }
}

impl Service for Place {
    fn judge(&self, error: &Error, _: Idempotency) -> RetryDecision {
        match error.status().map(|status| status.as_u16()) {
            Some(503) => RetryDecision::Throttled,
            Some(500) => RetryDecision::Transient,
            _ => RetryDecision::Final,
        }
    }

    fn learn(&self, _: &str, _: &Error) -> bool {
        false
    }

    fn retry_policy(&self) -> &RetryPolicy {
        &self.retry_policy
    }
}

/// Any request.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) body: Body,
    pub(crate) streams: bool,
    pub(crate) limits: Timeouts,
    pub(crate) change: fn(&mut Draft),
}

impl Ask {
    pub(crate) fn new(method: Method, target: &str) -> Self {
        Self {
            method,
            target: target.into(),
            body: Body::Empty,
            streams: false,
            limits: Timeouts::default(),
            change: |_| {},
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new(Method::GET, target)
    }

    pub(crate) fn put(target: &str, body: impl Into<bytes::Bytes>) -> Self {
        Self { body: Body::Bytes(body.into()), ..Self::new(Method::PUT, target) }
    }

    /// A PUT of the first `length` bytes of the source.
    pub(crate) fn put_source(target: &str, length: u64, rewindable: bool) -> Self {
        let body = Body::Source { range: 0..length, rewindable };
        Self { body, ..Self::new(Method::PUT, target) }
    }

    pub(crate) fn draft_at(&self, url: &str) -> Box<Draft> {
        let uri = format!("{url}{}", self.target).parse().unwrap();
        let mut draft = Draft::new("Ask", self.method.clone(), uri);
        draft.body = self.body.clone();
        draft.timeouts = self.limits;
        if self.streams {
            draft.incoming = stream_at(0);
        }
        (self.change)(&mut draft);
        draft
    }
}

pub(crate) fn stream_at(at: u64) -> Incoming {
    Incoming::Stream {
        at,
        hashers: Default::default(),
        declared: false,
        tag: false,
        expect: Expect::default(),
    }
}

impl Operation for Ask {
    type Service = Place;
    type Output = Reply;

    const NAME: &'static str = "Ask";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Place) -> Result<Box<Draft>, Error> {
        Ok(self.draft_at(&service.url))
    }

    fn parse(&self, _: &Place, reply: &Reply) -> Result<Reply, Error> {
        if reply.status().is_success() || reply.status().is_redirection() {
            Ok(reply.clone())
        } else {
            let message = String::from_utf8_lossy(&reply.body).into_owned();
            Err(Error::refused(reply.status(), None, Some(message)))
        }
    }
}

/// An authenticator without credentials.
pub(crate) struct Anyone;

impl Authenticator for Anyone {
    fn lease(&mut self, _: Now, _: &mut LeaseRequest<'_>) -> Lease {
        Lease::Granted(LeaseGeneration { generation: 1 })
    }

    fn seal(
        &mut self,
        grant: LeaseGeneration,
        draft: Box<Draft>,
        now: Now,
    ) -> Result<Exchange, Error> {
        Ok(Exchange::open(draft, now, grant.generation))
    }

    fn judge(&mut self, _: Now, _: &Completion) -> AuthOutcome {
        AuthOutcome::Accepted
    }

    fn renewed(&mut self, _: Now, _: Completion) {}
}

pub(crate) fn transport() -> Transport {
    Transport::new(TransportConfig::new()).unwrap()
}

pub(crate) fn client(url: impl Into<String>) -> Client<Place> {
    client_with(TransportConfig::new(), Place::at(url))
}

/// A client that makes one attempt.
pub(crate) fn once(url: impl Into<String>) -> Client<Place> {
    client_with(TransportConfig::new(), Place::at(url).with_attempts(1))
}

pub(crate) fn client_with(config: TransportConfig, place: Place) -> Client<Place> {
    Client::with_transport(Transport::new(config).unwrap(), place, Auth::new(Anyone))
}

/// Bytes whose period is long.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

//! A loopback server: reads and keeps requests, and leaves the response to the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it was received.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Number of the connection, from 0.
    pub connection: usize,
    /// `GET /path HTTP/1.1`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The range of a `Range: bytes=a-b` header, end exclusive.
    pub fn range(&self) -> std::ops::Range<usize> {
        let value = self.header("range").unwrap().strip_prefix("bytes=").unwrap();
        let (first, last) = value.split_once('-').unwrap();
        first.parse().unwrap()..last.parse::<usize>().unwrap() + 1
    }
}

/// What a connection can do: TCP, or TLS over it.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// A connection, as the code that responds sees it.
pub struct Peer<'a> {
    wire: &'a mut BufReader<Box<dyn Wire>>,
    left: usize,
}

impl Peer<'_> {
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have closed the connection; the test sees the effect at the client.
        let wire = self.wire.get_mut();
        let _ = wire.write_all(bytes.as_ref()).and_then(|()| wire.flush());
    }

    pub fn answer(&mut self, status: &str, headers: &[&str], body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|line| head.push_str(&format!("{line}\r\n")));
        head.push_str("\r\n");
        self.send([head.as_bytes(), body].concat());
    }

    /// Reads the rest of the body, as far as it arrives.
    pub fn read_body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        let _ = self.wire.by_ref().take(self.left as u64).read_to_end(&mut body);
        self.left = 0;
        body
    }
}

/// Whether a connection stays open after a response.
#[derive(PartialEq)]
pub enum Then {
    Keep,
    Close,
}

#[derive(Clone)]
pub struct Server {
    pub address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Reads each request completely, then calls `answer`.
    pub fn start(answer: impl Fn(&Seen, &mut Peer<'_>) -> Then + Send + Sync + 'static) -> Self {
        Self::with_wire(true, |stream| Some(Box::new(stream)), answer)
    }

    /// Leaves the body to `answer`.
    pub fn at_head(answer: impl Fn(&Seen, &mut Peer<'_>) -> Then + Send + Sync + 'static) -> Self {
        Self::with_wire(false, |stream| Some(Box::new(stream)), answer)
    }

    pub fn with_wire(
        whole: bool,
        wire: impl Fn(TcpStream) -> Option<Box<dyn Wire>> + Send + Sync + 'static,
        answer: impl Fn(&Seen, &mut Peer<'_>) -> Then + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let server = Self { address, seen: Arc::clone(&seen) };
        let shared = Arc::new((wire, answer));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                let (shared, seen) = (Arc::clone(&shared), Arc::clone(&seen));
                thread::spawn(move || {
                    let Some(wire) = (shared.0)(stream) else { return };
                    serve(connection, BufReader::new(wire), whole, &seen, &shared.1);
                });
            }
        });
        server
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far, in the order in which their heads arrived.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    connection: usize,
    mut wire: BufReader<Box<dyn Wire>>,
    whole: bool,
    all: &Mutex<Vec<Seen>>,
    answer: &dyn Fn(&Seen, &mut Peer<'_>) -> Then,
) {
    while let Some(mut seen) = read_head(&mut wire) {
        seen.connection = connection;
        let length = seen.header("content-length").map_or(0, |value| value.parse().unwrap());
        let at = {
            let mut all = all.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        let mut peer = Peer { wire: &mut wire, left: length };
        if whole {
            if seen.header("expect").is_some() {
                peer.send("HTTP/1.1 100 Continue\r\n\r\n");
            }
            seen.body = peer.read_body();
            all.lock().unwrap()[at].body = seen.body.clone();
        }
        if answer(&seen, &mut peer) == Then::Close {
            return;
        }
    }
}

fn read_head(wire: &mut impl BufRead) -> Option<Seen> {
    let mut seen = Seen::default();
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Some(seen);
        }
        match line.split_once(": ") {
            Some((name, value)) if !seen.line.is_empty() => {
                seen.headers.push((name.to_ascii_lowercase(), value.into()));
            }
            _ => seen.line = line.into(),
        }
    }
}

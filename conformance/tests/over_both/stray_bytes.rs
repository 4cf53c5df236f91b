//! Bytes that a server sends after a response are part of no other response: a connection with such
//! bytes is not used again.
//!
//! ```text
//!   GET a ─▶  200, length 5, hello │ 200, length 4, evil        in one go: one segment, one record or two
//!   GET b ─▶  over another connection, and never `evil`
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use apus_conformance::server::Identity;
use apus_core::s3::{DeleteObject, GetObject, HeadObject};
use rustls::ServerConnection;

use crate::client::{Server, Setup, Via};

both! {
    over_tcp_nothing_stray_is_an_answer,
    over_tls_nothing_stray_is_an_answer,
}

/// Answers the first request as it is told, byte for byte, and all others with [`RIGHT`].
struct Peer {
    address: SocketAddr,
    identity: Option<Identity>,
    /// The next bytes to send at once: a record for each item.
    first: Arc<Mutex<Option<Vec<Vec<u8>>>>>,
}

impl Peer {
    fn start(tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let identity = tls.then(Identity::generate);
        let config = identity.as_ref().map(Identity::config);
        let first = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&first);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let session = config.clone().map(|config| ServerConnection::new(config).unwrap());
                let shared = Arc::clone(&shared);
                // It ends when its client hangs up.
                thread::spawn(move || Line { stream, session }.serve(&shared));
            }
        });
        Self { address, identity, first }
    }
}

impl Server for Peer {
    fn url(&self) -> String {
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.address.port())
    }

    fn ca(&self) -> Option<&str> {
        self.identity.as_ref().map(Identity::ca_pem)
    }
}

struct Line {
    stream: TcpStream,
    session: Option<ServerConnection>,
}

impl Line {
    fn serve(mut self, first: &Mutex<Option<Vec<Vec<u8>>>>) -> std::io::Result<()> {
        self.stream.set_nodelay(true)?;
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match self.byte()? {
                    Some(byte) => head.push(byte),
                    None => return self.stream.shutdown(Shutdown::Both),
                }
            }
            let pieces = first.lock().unwrap().take();
            self.say(&pieces.unwrap_or_else(|| vec![answer(RIGHT)]))?;
        }
    }

    fn byte(&mut self) -> std::io::Result<Option<u8>> {
        let mut byte = [0];
        let read = match &mut self.session {
            None => self.stream.read(&mut byte)?,
            Some(session) => rustls::Stream::new(session, &mut self.stream).read(&mut byte)?,
        };
        Ok((read > 0).then_some(byte[0]))
    }

    fn say(&mut self, pieces: &[Vec<u8>]) -> std::io::Result<()> {
        let Some(session) = &mut self.session else {
            return self.stream.write_all(&pieces.concat());
        };
        let mut records = Vec::new();
        for piece in pieces {
            session.writer().write_all(piece)?;
            while session.wants_write() {
                session.write_tls(&mut records)?;
            }
        }
        self.stream.write_all(&records)
    }
}

fn answer(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn over_tcp_nothing_stray_is_an_answer(via: Via) {
    nothing_stray_is_an_answer(via, false);
}

fn over_tls_nothing_stray_is_an_answer(via: Via) {
    nothing_stray_is_an_answer(via, true);
}

fn nothing_stray_is_an_answer(via: Via, tls: bool) {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Ask {
        Get,
        Head,
        Delete,
    }

    let peer = Peer::start(tls);
    let chunked = |body: &[u8]| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        [format!("{head}{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
    };
    let long = vec![b'l'; 20_000];
    let no_content = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
    let answers = [
        (Ask::Get, answer(b"hello"), 5),
        (Ask::Get, chunked(b"hello"), 5),
        (Ask::Get, answer(&long), long.len()),
        (Ask::Get, chunked(&long), long.len()),
        (Ask::Get, answer(b""), 0),
        (Ask::Head, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n".to_vec(), 0),
        (Ask::Delete, no_content, 0),
        (Ask::Delete, answer(b""), 0),
    ];
    let strays = [answer(b"evil"), b"evil".to_vec(), b"\r\n".to_vec(), vec![b'x'; 30_000]];
    for (ask, answer, length) in &answers {
        for stray in &strays {
            for apart in [false, true] {
                let client =
                    Setup::of(&peer).with(|config| config.retry_policy.attempts = 1).client(via);
                let said = match apart {
                    true => vec![answer.clone(), stray.clone()],
                    false => vec![[answer.as_slice(), stray].concat()],
                };
                *peer.first.lock().unwrap() = Some(said);
                let what = format!("{ask:?} {length} {} {apart}", stray.len());
                match ask {
                    Ask::Get => {
                        let got = client.call(GetObject::new("bucket", "a"));
                        assert_eq!(got.expect(&what).body.len(), *length, "{what}");
                    }
                    Ask::Head => {
                        client.call(HeadObject::new("bucket", "a")).expect(&what);
                    }
                    Ask::Delete => {
                        client.call(DeleteObject::new("bucket", "a")).expect(&what);
                    }
                }
                let next = client.call(GetObject::new("bucket", "b")).expect(&what);
                assert_eq!(next.body, RIGHT, "{what}");
            }
        }
    }
}

const RIGHT: &[u8] = b"right";

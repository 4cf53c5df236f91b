//! A server that sends bytes as a test tells, whatever HTTP says of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use apus_core::sign::Keys;

use crate::client::Server;

/// Sends bytes to every client that has sent a head.
pub(crate) struct Peer {
    address: SocketAddr,
    /// The number of bytes sent.
    said: Arc<AtomicU64>,
    /// The number of requests.
    pub(crate) asked: Arc<AtomicU64>,
}

impl Peer {
    pub(crate) fn start(
        say: impl Fn(&mut Speech<'_>) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (said, asked) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counted = (Arc::clone(&said), Arc::clone(&asked));
        let say = Arc::new(say);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                socket2::SockRef::from(&stream).set_recv_buffer_size(16 << 10).unwrap();
                stream.set_nodelay(true).unwrap();
                let (said, asked) = counted.clone();
                let say = Arc::clone(&say);
                thread::spawn(move || {
                    let Some(head) = head(&mut stream) else { return };
                    asked.fetch_add(1, Ordering::SeqCst);
                    let mut speech = Speech { stream: &mut stream, head, said: &said };
                    // An error is a client that hung up, which most of these tests want to see.
                    if say(&mut speech).is_ok() {
                        let _ = stream.shutdown(std::net::Shutdown::Write);
                        while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
                    }
                });
            }
        });
        Self { address, said, asked }
    }

    pub(crate) fn said(&self) -> u64 {
        self.said.load(Ordering::SeqCst)
    }
}

impl Server for Peer {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn ca(&self) -> Option<&str> {
        None
    }

    fn keys(&self) -> Keys {
        Keys::new("KEY", "secret")
    }
}

/// The head of a request.
fn head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.extend(byte);
    }
    String::from_utf8(head).ok()
}

/// What is said to one client.
pub(crate) struct Speech<'a> {
    pub(crate) stream: &'a mut TcpStream,
    /// The head of its request.
    pub(crate) head: String,
    said: &'a AtomicU64,
}

impl Speech<'_> {
    pub(crate) fn say(&mut self, text: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(text.as_ref())?;
        self.said.fetch_add(text.as_ref().len() as u64, Ordering::SeqCst);
        Ok(())
    }

    /// Says it over and over, until nobody listens; but never more than anything may hold.
    pub(crate) fn repeat(&mut self, text: &str) -> std::io::Result<()> {
        let text = text.repeat(1 + 4096 / text.len());
        for _ in 0..(64 << 20) / text.len() {
            self.say(&text)?;
        }
        Ok(())
    }

    /// Says it piece by piece, for longer than any limit here.
    pub(crate) fn drip(&mut self, text: &str, pieces: usize) -> std::io::Result<()> {
        for _ in 0..pieces {
            self.say(text)?;
            thread::sleep(DRIP);
        }
        Ok(())
    }
}

/// The time between two pieces.
pub(crate) const DRIP: Duration = Duration::from_millis(20);

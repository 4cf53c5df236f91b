//! A server that sends exactly what its script says and records exactly what it received.
//!
//! ```text
//!   head arrives ── Script::head ──┬─ a response ─ its BodyReading says when ─ sent, or cut
//!                                  └─ None ─ body is read ─ Script::reply ─┘
//! ```

use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::message::{BodyReading, Cut, Ending, Framing, Reply, Request};
use super::tls::Identity;
use super::wire::{self, Stream};

/// The responses of a [`Scripted`] server. It is called for one request at a time, whatever the
/// number of connections.
///
/// A closure `FnMut(&Request) -> Reply` is a script. It is called when the whole body was read, so
/// that the [`BodyReading`] of its responses has no effect. [`AtHead`] calls a closure before that.
pub trait Script: Send + 'static {
    /// Returns a response to a head, before the body is read; the response's [`BodyReading`] states what
    /// is done with the body. With `None`, the body is read, and [`reply`](Self::reply) is called.
    fn head(&mut self, head: &Request) -> Option<Reply> {
        _ = head;
        None
    }

    /// Returns the response to a whole request.
    fn reply(&mut self, request: &Request) -> Reply;

    /// Returns the response to a request whose body ended too soon, before the connection ends.
    /// With `None`, it ends without a response.
    fn broken(&mut self, request: &Request) -> Option<Reply> {
        _ = request;
        None
    }
}

impl<F: FnMut(&Request) -> Reply + Send + 'static> Script for F {
    fn reply(&mut self, request: &Request) -> Reply {
        self(request)
    }
}

/// A script from a closure that is called when the head has arrived.
pub struct AtHead<F>(pub F);

impl<F: FnMut(&Request) -> Reply + Send + 'static> Script for AtHead<F> {
    fn head(&mut self, head: &Request) -> Option<Reply> {
        Some((self.0)(head))
    }

    fn reply(&mut self, request: &Request) -> Reply {
        (self.0)(request)
    }
}

/// A running scripted server; dropping it stops it and ends its connections.
pub struct Scripted {
    address: SocketAddr,
    identity: Option<Identity>,
    shared: Arc<Shared>,
    acceptor: Option<thread::JoinHandle<()>>,
}

impl Scripted {
    /// Starts a server over http.
    ///
    /// # Errors
    /// The port or the thread is not available.
    pub fn start(script: impl Script) -> io::Result<Self> {
        Self::launch(Box::new(script), None)
    }

    /// Starts a server over TLS, with a new certificate.
    ///
    /// # Errors
    /// The port or the thread is not available.
    pub fn start_tls(script: impl Script) -> io::Result<Self> {
        Self::launch(Box::new(script), Some(Identity::generate()))
    }

    /// Starts a server over TLS, with this certificate.
    ///
    /// # Errors
    /// The port or the thread is not available.
    pub fn start_with(script: impl Script, identity: Identity) -> io::Result<Self> {
        Self::launch(Box::new(script), Some(identity))
    }

    /// Starts a server over http that sends these responses, each once and in this order. The
    /// response to any later request is 400 with the code `ScriptExhausted`.
    ///
    /// # Errors
    /// The port or the thread is not available.
    pub fn replay(replies: Vec<Reply>) -> io::Result<Self> {
        Self::start(replay(replies))
    }

    /// Does the same as [`replay`](Self::replay), over TLS.
    ///
    /// # Errors
    /// The port or the thread is not available.
    pub fn replay_tls(replies: Vec<Reply>) -> io::Result<Self> {
        Self::start_tls(replay(replies))
    }

    /// Returns scheme, host and port, such as `http://127.0.0.1:40123`; over TLS the host is
    /// `localhost`.
    pub fn endpoint(&self) -> String {
        match self.identity {
            Some(_) => format!("https://localhost:{}", self.address.port()),
            None => format!("http://{}", self.address),
        }
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the certificate of the CA to trust, in PEM; `None` over http.
    pub fn ca_pem(&self) -> Option<&str> {
        self.identity.as_ref().map(Identity::ca_pem)
    }

    /// Closes connections from other addresses at once, from now on.
    pub fn only_from(&self, peer: IpAddr) {
        self.shared.lock().only_from = Some(peer);
    }

    /// Returns every request so far, in the order in which their bodies ended. A request is
    /// recorded before its response is sent.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// Returns how many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Returns the largest number of requests in progress at once, each counted from its head to
    /// the last write of its response.
    pub fn peak_concurrency(&self) -> usize {
        self.shared.lock().peak
    }

    /// Waits until no connection is open, for a minute at most. After that, the server has handled
    /// what came over connections that their clients have closed.
    pub fn settle(&self) {
        let limit = Duration::from_secs(60);
        let is_open = |state: &mut State| !state.open.is_empty() && !state.stopped;
        drop(self.shared.left.wait_timeout_while(self.shared.lock(), limit, is_open));
    }

    fn launch(script: Box<dyn Script>, identity: Option<Identity>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(script));
        let tls = identity.as_ref().map(Identity::config);
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name("scripted-server".into())
                .spawn(move || accept(&listener, tls.as_ref(), &shared))?
        };
        Ok(Self { address, identity, shared, acceptor: Some(acceptor) })
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.stopped = true;
            for socket in state.open.values() {
                _ = socket.shutdown(Shutdown::Both);
            }
        }
        self.shared.stopping.notify_all();
        // Wakes the accepting thread, so that it stops.
        _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            _ = acceptor.join();
        }
    }
}

/// A script with a list of responses.
struct Replay(std::vec::IntoIter<Reply>);

impl Script for Replay {
    fn head(&mut self, head: &Request) -> Option<Reply> {
        Some(self.reply(head))
    }

    fn reply(&mut self, _request: &Request) -> Reply {
        self.0.next().unwrap_or_else(|| {
            Reply::xml(400, "<Error><Code>ScriptExhausted</Code><Message></Message></Error>")
        })
    }
}

fn replay(replies: Vec<Reply>) -> Replay {
    Replay(replies.into_iter())
}

struct Shared {
    script: Mutex<Box<dyn Script>>,
    state: Mutex<State>,
    stopping: Condvar,
    /// Notified whenever a connection has ended.
    left: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    only_from: Option<IpAddr>,
    connections: usize,
    under_way: usize,
    peak: usize,
    requests: Vec<Request>,
    /// Copies of the sockets, so that stopping can end them.
    open: HashMap<usize, TcpStream>,
}

impl Shared {
    fn new(script: Box<dyn Script>) -> Self {
        let (stopping, left) = (Condvar::new(), Condvar::new());
        Self { script: Mutex::new(script), state: Mutex::default(), stopping, left }
    }

    // A script that panics fails its own test; the state stays usable for the others.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn script(&self) -> MutexGuard<'_, Box<dyn Script>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; returns whether the server still runs.
    fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.lock();
        while !state.stopped {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            state = self
                .stopping
                .wait_timeout(state, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        false
    }

    /// Waits until the server stops.
    fn hang(&self) {
        while self.pause(Duration::from_secs(3600)) {}
    }

    fn record(&self, request: &Request) -> usize {
        let mut state = self.lock();
        state.requests.push(request.clone());
        state.requests.len() - 1
    }
}

fn accept(listener: &TcpListener, tls: Option<&Arc<ServerConfig>>, shared: &Arc<Shared>) {
    for socket in listener.incoming() {
        let Ok(socket) = socket else { continue };
        _ = socket.set_nodelay(true);
        let Ok(copy) = socket.try_clone() else { continue };
        let number = {
            let mut state = shared.lock();
            if state.stopped {
                return;
            }
            let peer = socket.peer_addr().map(|peer| peer.ip()).ok();
            if state.only_from.is_some() && state.only_from != peer {
                continue;
            }
            state.connections += 1;
            let number = state.connections;
            state.open.insert(number, copy);
            number
        };
        let (tls, shared) = (tls.cloned(), Arc::clone(shared));
        thread::spawn(move || {
            let ending = stream(socket, tls).map(|stream| converse(stream, number, &shared));
            // The copy is dropped first: a socket resets only when its last owner drops it.
            shared.lock().open.remove(&number);
            shared.left.notify_all();
            match ending {
                Ok((stream, Ending::Close)) => stream.close(),
                Ok((stream, Ending::Drop)) => drop(stream),
                Ok((stream, Ending::Reset)) => stream.reset(),
                Ok((stream, Ending::Hang)) => {
                    shared.hang();
                    drop(stream);
                }
                Err(_) => {}
            }
        });
    }
}

fn stream(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Stream> {
    let Some(tls) = tls else { return Ok(Stream::Plain(socket)) };
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    Ok(Stream::Tls(Box::new(StreamOwned::new(connection, socket))))
}

/// Serves one connection until its end, or until the client closes it.
fn converse(stream: Stream, number: usize, shared: &Shared) -> (Stream, Ending) {
    let mut input = BufReader::new(stream);
    let mut sequence = 0;
    let ending = loop {
        // An invalid request and a closed connection are treated alike: there is nothing to respond
        // to.
        let Ok(Some(mut request)) = wire::read_head(&mut input) else { break Ending::Close };
        sequence += 1;
        (request.connection, request.sequence) = (number, sequence);
        match serve(&mut input, request, shared) {
            Ok(None) => {}
            Ok(Some(ending)) => break ending,
            Err(_) => break Ending::Close,
        }
    };
    (input.into_inner(), ending)
}

/// Serves one request; returns how the connection ends, if it does.
fn serve(
    input: &mut BufReader<Stream>,
    mut request: Request,
    shared: &Shared,
) -> io::Result<Option<Ending>> {
    let under_way = UnderWay::new(shared);
    let early = shared.script().head(&request);
    let intake = early.as_ref().map_or(BodyReading::Whole, |reply| reply.intake);
    let before = match intake {
        BodyReading::Whole | BodyReading::Unasked => None,
        BodyReading::Drain | BodyReading::Ignore | BodyReading::Refuse(_) => Some(0),
        BodyReading::Part(bytes, _) => Some(bytes),
    };
    if before != Some(0) && request.expects_continue() && intake != BodyReading::Unasked {
        input.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        input.get_mut().flush()?;
    }
    let outcome = match before {
        Some(0) => Ok(()),
        limit => wire::read_body(input, &mut request, limit),
    };
    let slot = shared.record(&request);
    outcome?;
    if let BodyReading::Part(_, ending) = intake {
        return Ok(Some(ending));
    }
    if before.is_none() && !request.complete {
        let broken = shared.script().broken(&request);
        if let Some(reply) = broken {
            answer(input.get_mut(), &reply, &request, under_way)?;
        }
        return Ok(Some(Ending::Close));
    }
    let reply = match early {
        Some(reply) => reply,
        None => shared.script().reply(&request),
    };
    if let Some(ending) = answer(input.get_mut(), &reply, &request, under_way)? {
        return Ok(Some(ending));
    }
    match intake {
        BodyReading::Drain => {
            let outcome = wire::read_body(input, &mut request, None);
            shared.lock().requests[slot] = request;
            outcome.map(|()| None)
        }
        BodyReading::Ignore => Ok(Some(Ending::Hang)),
        BodyReading::Refuse(ending) => Ok(Some(ending)),
        _ => Ok(None),
    }
}

/// Sends a response with its faults; returns how the connection ends, if it does.
fn answer(
    output: &mut Stream,
    reply: &Reply,
    request: &Request,
    under_way: UnderWay<'_>,
) -> io::Result<Option<Ending>> {
    let shared = under_way.0;
    if !shared.pause(reply.delay) {
        return Ok(Some(Ending::Close));
    }
    if let Some(Cut::Head(ending)) = reply.cut {
        return Ok(Some(ending));
    }
    if let Some(Cut::Within(bytes, ending)) = reply.cut {
        let head = wire::head_bytes(reply);
        output.write_all(head.get(..bytes).unwrap_or(&head))?;
        output.flush()?;
        return Ok(Some(ending));
    }
    let body = wire::body_bytes(reply, &request.method);
    let (sent, mut ending) = match reply.cut {
        Some(Cut::Body(bytes, ending)) => (&body[..bytes.min(body.len())], Some(ending)),
        _ => (&body[..], None),
    };
    let closes = reply.then_close
        || reply.framing == Framing::Close
        || said_close(request.header("connection"))
        || said_close(reply.find_header("connection"));
    if closes {
        ending = ending.or(Some(Ending::Close));
    }
    let mut unsent = wire::head_bytes(reply);
    match reply.pace {
        None => unsent.extend_from_slice(sent),
        Some(pace) => {
            for piece in sent.chunks(pace.bytes.max(1)) {
                output.write_all(&unsent)?;
                output.flush()?;
                if !shared.pause(pace.every) {
                    return Ok(Some(Ending::Close));
                }
                unsent = piece.to_vec();
            }
        }
    }
    // Before the last write: a client that has read it may send the next request at once.
    drop(under_way);
    output.write_all(&unsent)?;
    output.flush()?;
    Ok(ending)
}

fn said_close(connection: Option<&str>) -> bool {
    connection.is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

/// Counts a request while it is in progress.
struct UnderWay<'a>(&'a Shared);

impl<'a> UnderWay<'a> {
    fn new(shared: &'a Shared) -> Self {
        let mut state = shared.lock();
        state.under_way += 1;
        state.peak = state.peak.max(state.under_way);
        Self(shared)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
    }
}

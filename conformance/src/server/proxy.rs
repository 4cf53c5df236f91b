//! An HTTP proxy in this process: `CONNECT`, and http in absolute form, with a password if
//! configured.
//!
//! ```text
//!   client ── TCP or TLS ── head ─┬─ CONNECT host:port ── 200 ── bytes both ways
//!                                 ├─ METHOD http://host/path ── METHOD /path to the host, bytes back
//!                                 └─ no or a wrong password ── 407
//! ```
//!
//! It logs what squid logs under `conformance/live/proxy`, and connects from the same address, so
//! that one suite can use either.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, WriteHalf,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Identity;

/// A request as a proxy received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The user, where the password was right.
    pub user: Option<String>,
    /// `CONNECT`, or the method of the forwarded request.
    pub method: String,
    /// `host:port`, or the absolute form.
    pub target: String,
    /// The status of the proxy itself: 200 where it forwarded the request.
    pub status: u16,
    /// The endpoint's `Authorization`, where the proxy can read it.
    pub authorization: Option<String>,
}

/// A running proxy; dropping it stops it and ends its connections.
pub struct ScriptedProxy {
    address: SocketAddr,
    identity: Option<Identity>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    credentials: Option<(String, String)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connections: usize,
    log: Vec<Passed>,
}

impl ScriptedProxy {
    /// The address of its connections to servers, which no client uses by itself.
    pub const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));

    /// Starts a proxy that requires this user and password, if any, and uses TLS itself if
    /// configured.
    ///
    /// # Errors
    /// The port or the thread is not available.
    pub fn start(credentials: Option<(&str, &str)>, tls: bool) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let identity = tls.then(Identity::generate);
        let acceptor = identity.as_ref().map(|identity| TlsAcceptor::from(identity.config()));
        let credentials = credentials.map(|(user, password)| (user.into(), password.into()));
        let shared = Arc::new(Shared { credentials, state: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let thread = {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("scripted-proxy".into()).spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => {
                        runtime.block_on(serve(listener, acceptor, shared, stopped, ready));
                    }
                    Err(error) => _ = ready.send(Err(error)),
                }
            })?
        };
        started.recv().map_err(io::Error::other)??;
        Ok(Self { address, identity, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns scheme, host and port; over TLS the host is `localhost`.
    pub fn url(&self) -> String {
        match self.identity {
            Some(_) => format!("https://localhost:{}", self.address.port()),
            None => format!("http://{}", self.address),
        }
    }

    /// Returns the certificate of the CA to trust, in PEM; `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.identity.as_ref().map(Identity::ca_pem)
    }

    /// Returns how many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Returns every request so far.
    pub fn log(&self) -> Vec<Passed> {
        self.shared.state().log.clone()
    }
}

impl Drop for ScriptedProxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the proxy's thread was already printed.
            _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the user of a request, or an error where a valid one is required.
    fn admits(&self, head: &Head) -> Result<Option<String>, ()> {
        let Some((user, password)) = &self.credentials else { return Ok(None) };
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        match head.field("proxy-authorization") {
            Some(value) if value == basic => Ok(Some(user.clone())),
            _ => Err(()),
        }
    }
}

/// The head of a request.
struct Head {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
}

impl Head {
    async fn read(input: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            input.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut lines = lines.into_iter();
        let line = lines.next()?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let fields = lines
            .filter_map(|line| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_owned(), value.trim().to_owned()))
            })
            .collect();
        Some(Self { method, target, fields })
    }

    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(have, _)| have.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    fn length(&self) -> u64 {
        self.field("content-length").and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Returns the head for the server: the path alone, without the headers for the proxy.
    fn passed_on(&self, path: &str) -> String {
        let mut head = format!("{} {path} HTTP/1.1\r\n", self.method);
        for (name, value) in &self.fields {
            if !name.eq_ignore_ascii_case("proxy-authorization") {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head + "Via: 1.1 scripted-proxy\r\n\r\n"
    }
}

async fn serve(
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<()>,
    ready: mpsc::Sender<io::Result<()>>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            _ = ready.send(Err(error));
            return;
        }
    };
    _ = ready.send(Ok(()));
    // Dropping the set ends the connections that are still open.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = &mut stopped => return,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        _ = stream.set_nodelay(true);
        shared.state().connections += 1;
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        connections.spawn(async move {
            // A connection that is closed early is no fault of the proxy.
            _ = match tls {
                None => converse(stream, &shared).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => converse(stream, &shared).await,
                    Err(error) => Err(error),
                },
            };
        });
    }
}

/// Serves one connection of a client.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    shared: &Shared,
) -> io::Result<()> {
    let (input, mut output) = tokio::io::split(stream);
    let mut input = BufReader::new(input);
    let Some(mut head) = Head::read(&mut input).await else { return Ok(()) };
    let tunnel = head.method == "CONNECT";
    let (host, _) = split(&head, tunnel);
    let host = host.to_owned();
    let passed = |head: &Head, user: Option<String>, status| Passed {
        user,
        method: head.method.clone(),
        target: head.target.clone(),
        status,
        authorization: head.field("authorization").map(str::to_owned),
    };
    let refuse = |head: &Head, status: u16| {
        shared.state().log.push(passed(head, None, status));
        format!(
            "HTTP/1.1 {status} Refused\r\nX-Squid-Error: SCRIPTED 0\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let Ok(user) = shared.admits(&head) else {
        return output.write_all(refuse(&head, 407).as_bytes()).await;
    };
    if host.starts_with("forbidden.") {
        return output.write_all(refuse(&head, 403).as_bytes()).await;
    }
    let Ok(server) = connect(&host).await else {
        return output.write_all(refuse(&head, 503).as_bytes()).await;
    };
    let (mut down, mut up) = server.into_split();
    if tunnel {
        shared.state().log.push(passed(&head, user, 200));
        output.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        output.flush().await?;
        return both_ways(tokio::io::copy_buf(&mut input, &mut up), back(&mut down, output)).await;
    }
    let requests = async {
        loop {
            // A client uses one host on a connection; the server would have to refuse another one.
            let (_, path) = split(&head, false);
            shared.state().log.push(passed(&head, user.clone(), 200));
            up.write_all(head.passed_on(path).as_bytes()).await?;
            tokio::io::copy_buf(&mut (&mut input).take(head.length()), &mut up).await?;
            match Head::read(&mut input).await {
                Some(next) => head = next,
                None => return Ok(0),
            }
        }
    };
    both_ways(requests, back(&mut down, output)).await
}

/// Copies bytes in both directions, until either ends.
async fn both_ways(
    there: impl Future<Output = io::Result<u64>>,
    back: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    tokio::pin!(back);
    tokio::select! {
        result = &mut back => result,
        // A response to a request that the server did not read to its end is passed on.
        result = there => if result.is_ok() { Ok(()) } else { back.await },
    }
}

async fn back<S: AsyncRead + AsyncWrite>(
    from: &mut (impl AsyncRead + Unpin),
    mut to: WriteHalf<S>,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        // TLS buffers what was written until it is flushed.
        to.flush().await?;
    }
}

async fn connect(host: &str) -> io::Result<TcpStream> {
    let mut addresses = tokio::net::lookup_host(host).await?;
    let to = addresses.find(SocketAddr::is_ipv4).ok_or(io::ErrorKind::NotFound)?;
    let socket = TcpSocket::new_v4()?;
    // On other systems only 127.0.0.1 exists without configuration.
    if cfg!(target_os = "linux") {
        socket.bind(SocketAddr::new(ScriptedProxy::SOURCE, 0))?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Returns host and port, and path.
fn split(head: &Head, tunnel: bool) -> (&str, &str) {
    let target = head.target.as_str();
    if tunnel {
        return (target, "");
    }
    let rest = target.strip_prefix("http://").unwrap_or(target);
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

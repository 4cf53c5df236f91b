//! A proxy that disturbs the connections between a client and a server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::fault::{Fault, Kind, Way};
use super::random::Random;
use super::trace::Trace;

/// A running proxy on a loopback port of its own. Dropping it ends all connections.
pub(super) struct Proxy {
    address: SocketAddr,
    stop: watch::Sender<()>,
    acceptor: JoinHandle<()>,
}

/// The settings of its faults.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    pub(super) seed: u64,
    /// How many of a hundred connections have a fault.
    pub(super) share: u64,
    /// About how many bytes a connection transfers, up and down.
    pub(super) traffic: (u64, u64),
    /// The longest pause that the client allows.
    pub(super) idle: Duration,
    /// How long its port does not listen.
    pub(super) refuses: Option<Duration>,
}

impl Proxy {
    /// Starts a proxy before `upstream`, with this name in the trace.
    pub(super) fn start(
        handle: &Handle,
        name: &'static str,
        upstream: SocketAddr,
        weather: Weather,
        trace: Arc<Trace>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address =
            socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("no port"))?;
        socket.set_nonblocking(true)?;
        let (stop, stopped) = watch::channel(());
        // A socket that is bound and does not listen refuses every connection.
        if weather.refuses.is_none() {
            socket.listen(BACKLOG)?;
        } else {
            trace.met(Kind::Refused);
            trace.say(format!("{name}: refuses connections at first"));
        }
        let road = Arc::new(Road { name, upstream, weather, trace, stopped });
        let acceptor = handle.spawn(async move {
            if let Some(time) = road.weather.refuses {
                sleep(time).await;
                if socket.listen(BACKLOG).is_err() {
                    return;
                }
            }
            if let Ok(listener) = TcpListener::from_std(socket.into()) {
                accept(listener, road).await;
            }
        });
        Ok(Self { address, stop, acceptor })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
        _ = self.stop.send(());
    }
}

/// The state that all its connections share.
struct Road {
    name: &'static str,
    upstream: SocketAddr,
    weather: Weather,
    trace: Arc<Trace>,
    stopped: watch::Receiver<()>,
}

async fn accept(listener: TcpListener, road: Arc<Road>) {
    let mut number = 0;
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        number += 1;
        let Weather { seed, share, traffic, idle, .. } = road.weather;
        let fault = Fault::of(&mut Random::of(seed, number), share, traffic, idle);
        let (road, mut stopped) = (Arc::clone(&road), road.stopped.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = carry(client, number, fault, &road) => {}
                _ = stopped.changed() => {}
            }
        });
    }
}

/// Carries one connection from its beginning to its end.
async fn carry(mut client: TcpStream, number: u64, fault: Option<Fault>, road: &Road) {
    let says = |what: &str| road.trace.say(format!("{} connection {number}: {what}", road.name));
    let met = || {
        if let Some(fault) = fault {
            road.trace.met(fault.kind);
            says(&fault.to_string());
        }
    };
    if fault.is_some_and(|fault| fault.kind == Kind::Dropped) {
        met();
        return reset(client);
    }
    let Ok(mut server) = TcpStream::connect(road.upstream).await else {
        says("the server behind the proxy is not to be reached");
        return reset(client);
    };
    _ = client.set_nodelay(true);
    _ = server.set_nodelay(true);
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let of = |way| fault.filter(|fault| fault.way == way);
        let mut up = pin!(pump(from_client, to_server, of(Way::Up), &met));
        let mut down = pin!(pump(from_server, to_client, of(Way::Down), &met));
        let (mut up_is_over, mut down_is_over) = (false, false);
        loop {
            let end = tokio::select! {
                end = &mut up, if !up_is_over => {
                    up_is_over = true;
                    end
                }
                end = &mut down, if !down_is_over => {
                    down_is_over = true;
                    end
                }
            };
            match end {
                End::OfStream if up_is_over && down_is_over => break End::Close,
                End::OfStream => {}
                end => break end,
            }
        }
    };
    if matches!(end, End::Reset) {
        reset(client);
        reset(server);
    }
}

/// How a direction ended.
enum End {
    /// Properly, and the end was passed on.
    OfStream,
    /// Both connections are to be closed.
    Close,
    /// Both are to be reset.
    Reset,
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    fault: Option<Fault>,
    met: &impl Fn(),
) -> End {
    let mut buffer = vec![0; 64 << 10];
    let (mut passed, mut fault, mut piece) = (0u64, fault, None);
    loop {
        if let Some(Fault { kind, .. }) = fault.take_if(|fault| fault.at <= passed) {
            // A fault that has no effect is not counted: there have to be bytes to pass on.
            let length = match from.read(&mut buffer).await {
                Ok(0) => break,
                Ok(length) => length,
                Err(_) => return End::Reset,
            };
            met();
            match kind {
                Kind::Refused | Kind::Dropped | Kind::Reset => return End::Reset,
                Kind::Closed => return End::Close,
                Kind::Truncated => {
                    _ = to.shutdown().await;
                    swallow(&mut from, &mut buffer).await;
                    return End::OfStream;
                }
                Kind::Stalled => {
                    sleep(STALL).await;
                    return End::Close;
                }
                Kind::Delayed(time) => sleep(time).await,
                Kind::Split(bytes) => piece = Some((bytes, SPLIT)),
                Kind::Swallowed => {
                    swallow(&mut from, &mut buffer).await;
                    return End::Close;
                }
            }
            if write(&mut to, &buffer[..length], &mut piece).await.is_err() {
                return End::Reset;
            }
            passed += length as u64;
            continue;
        }
        let most = match fault {
            Some(fault) => usize::try_from(fault.at - passed).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let room = most.min(buffer.len());
        match from.read(&mut buffer[..room]).await {
            Ok(0) => break,
            Ok(length) => {
                if write(&mut to, &buffer[..length], &mut piece).await.is_err() {
                    return End::Reset;
                }
                passed += length as u64;
            }
            Err(_) => return End::Reset,
        }
    }
    _ = to.shutdown().await;
    End::OfStream
}

/// Writes all bytes, in small pieces while `piece` says so and for this many more bytes.
async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    piece: &mut Option<(u64, usize)>,
) -> io::Result<()> {
    while let Some((size, left)) = piece {
        if bytes.is_empty() {
            return Ok(());
        }
        if *left == 0 {
            break;
        }
        let size = usize::try_from(*size).unwrap_or(1).min(bytes.len()).min(*left);
        to.write_all(&bytes[..size]).await?;
        to.flush().await?;
        sleep(BETWEEN).await;
        *left -= size;
        bytes = &bytes[size..];
    }
    to.write_all(bytes).await
}

/// Reads until no more bytes come.
async fn swallow(from: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) {
    while !matches!(from.read(buffer).await, Ok(0) | Err(_)) {}
}

/// Resets a connection, so that the other end notices.
fn reset(stream: TcpStream) {
    _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

const BACKLOG: i32 = 128;
/// How long a connection stalls before it is closed.
const STALL: Duration = Duration::from_millis(300);
/// How many bytes are passed on in tiny pieces.
const SPLIT: usize = 4096;
/// The pause between two pieces.
const BETWEEN: Duration = Duration::from_micros(500);

//! Connections through a proxy, below ureq.
//!
//! ```text
//!   Toward ─▶ TCP ─▶ Through ────────────────────────────────▶ TLS with the endpoint ─▶ Substitute
//!   resolves         TLS with an https proxy;                  https
//!   the proxy's      then a tunnel by CONNECT: Tunnel,         https
//!   name             or requests to the proxy: Forwarding      http
//! ```
//!
//! ureq's own proxy support has two limits. It knows `CONNECT` only, which a proxy may refuse for
//! all ports but 443. And it verifies the proxy with the certificates that endpoints are trusted
//! by. The core decides what is sent to a proxy; this module sends it.

use std::sync::Arc;
use std::{fmt, io};

use apus_core::Error;
use apus_core::error::ExchangeError;
use apus_core::proxy::{Proxies, Proxy};
use http::Uri;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::{Duration, Instant};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::config::TransportConfig;
use crate::connecting::never_connected;
use crate::failure::is_tls;
#[cfg(feature = "tls")]
use crate::tls_stream::Secure;

/// The proxies of a transport, and how to connect to them.
#[derive(Default)]
pub(crate) struct ProxyRoutes {
    proxies: Proxies,
    user_agent: String,
    servers: Vec<ProxyServer>,
}

/// A proxy with its URI and TLS settings.
struct ProxyServer {
    proxy: Arc<Proxy>,
    uri: Uri,
    #[cfg(feature = "tls")]
    tls: Secure,
}

impl ProxyRoutes {
    pub(crate) fn new(config: &TransportConfig) -> Result<Self, Error> {
        let (proxies, user_agent) = (config.proxies.clone(), config.user_agent.clone());
        let servers = proxies.iter().map(|proxy| ProxyServer::new(proxy, config));
        let servers = servers.collect::<Result<_, _>>()?;
        Ok(Self { proxies, user_agent, servers })
    }

    /// Returns the proxy that requests to `uri` go through.
    pub(crate) fn proxy_for(&self, uri: &Uri) -> Option<&Arc<Proxy>> {
        self.proxies.proxy_for(uri)
    }

    fn server_for(&self, uri: &Uri) -> Option<&ProxyServer> {
        let proxy = self.proxy_for(uri)?;
        self.servers.iter().find(|server| Arc::ptr_eq(&server.proxy, proxy))
    }
}

impl ProxyServer {
    #[cfg_attr(not(feature = "tls"), allow(unused_variables))]
    fn new(proxy: &Arc<Proxy>, config: &TransportConfig) -> Result<Self, Error> {
        let uri = proxy.to_string().parse();
        let uri = uri.map_err(|_| Error::invalid_input("the proxy's URL is invalid"))?;
        #[cfg(not(feature = "tls"))]
        if proxy.is_tls() {
            return Err(Error::invalid_input("an https proxy requires the cargo feature `tls`"));
        }
        Ok(Self {
            proxy: Arc::clone(proxy),
            uri,
            #[cfg(feature = "tls")]
            tls: Secure(config.tls.of_proxy(proxy)?.config()?),
        })
    }

    /// Does the TLS handshake with the proxy, if it is an https proxy.
    #[cfg(feature = "tls")]
    fn connect_tls(
        &self,
        wire: Box<dyn Transport>,
        details: &ConnectionDetails<'_>,
    ) -> Result<Box<dyn Transport>, ureq::Error> {
        if !self.proxy.is_tls() {
            return Ok(wire);
        }
        let details = ConnectionDetails {
            uri: &self.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
        };
        let secured = self.tls.connect(&details, Some(wire))?;
        Ok(Box::new(secured.ok_or(ureq::Error::ConnectionFailed)?))
    }

    #[cfg(not(feature = "tls"))]
    fn connect_tls(
        &self,
        wire: Box<dyn Transport>,
        _: &ConnectionDetails<'_>,
    ) -> Result<Box<dyn Transport>, ureq::Error> {
        Ok(wire)
    }

    /// Requests a tunnel to the endpoint from the proxy.
    fn open_tunnel(
        &self,
        mut wire: Box<dyn Transport>,
        details: &ConnectionDetails<'_>,
        user_agent: &str,
    ) -> Result<Tunnel, ureq::Error> {
        let host = details.uri.host().unwrap_or_default();
        let port = details.uri.port_u16().unwrap_or(443);
        let request = self.proxy.connect(host, port, user_agent);
        transmit(&mut wire, request.expose().as_bytes(), remaining(details))?;
        loop {
            if !wire.await_input(remaining(details))? {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let input = wire.buffers().input();
            if self.proxy.connected(input).map_err(other)? {
                let length = input.len();
                wire.buffers().input_consume(length);
                return Ok(Tunnel(wire));
            }
        }
    }
}

impl fmt::Debug for ProxyRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.proxies.fmt(f)
    }
}

/// Resolves the host that the connection is made to: the endpoint or its proxy.
#[derive(Debug)]
pub(crate) struct Toward {
    routes: Arc<ProxyRoutes>,
    system: DefaultResolver,
}

impl Toward {
    pub(crate) fn new(routes: Arc<ProxyRoutes>) -> Self {
        Self { routes, system: DefaultResolver::default() }
    }
}

impl Resolver for Toward {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let uri = self.routes.server_for(uri).map_or(uri, |server| &server.uri);
        self.system.resolve(uri, config, timeout).map_err(never_connected)
    }
}

/// Turns a connection to a proxy into one to the endpoint.
#[derive(Debug)]
pub(crate) struct Through(pub(crate) Arc<ProxyRoutes>);

impl<T: Transport> Connector<T> for Through {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<T>,
    ) -> Result<Option<Box<dyn Transport>>, ureq::Error> {
        let Some(wire) = chained else { return Ok(None) };
        let wire: Box<dyn Transport> = Box::new(wire);
        let Some(server) = self.0.server_for(details.uri) else { return Ok(Some(wire)) };
        let blame = |error| match error {
            ureq::Error::Timeout(_) | ureq::Error::Other(_) => error,
            ureq::Error::Io(error) if is_tls(&error) => {
                other(server.proxy.failed(format_args!("TLS: {error}")).lasting())
            }
            error => other(server.proxy.failed(error)),
        };
        let wire = server.connect_tls(wire, details).map_err(blame)?;
        if details.needs_tls() {
            let tunnel = server.open_tunnel(wire, details, &self.0.user_agent).map_err(blame)?;
            return Ok(Some(Box::new(tunnel)));
        }
        Ok(Some(Box::new(Forwarding::new(wire, server, details.uri))))
    }
}

/// A tunnel to the endpoint, which does not see the proxy.
#[derive(Debug)]
struct Tunnel(Box<dyn Transport>);

impl Transport for Tunnel {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    // There is no TLS with the endpoint yet, even if there is TLS with the proxy.
    fn is_tls(&self) -> bool {
        false
    }
}

/// A connection to a proxy that forwards requests for `http://host/path` (RFC 9112, section 3.2.2)
/// and gets our credentials with each.
struct Forwarding {
    wire: Box<dyn Transport>,
    /// `http://host:port`.
    base: String,
    proxy: Arc<Proxy>,
    /// The next bytes sent are the head of a request.
    begins: bool,
}

impl Forwarding {
    fn new(wire: Box<dyn Transport>, server: &ProxyServer, uri: &Uri) -> Self {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        // A user in the endpoint's URI is not sent.
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let base = format!("http://{host}");
        Self { wire, base, proxy: Arc::clone(&server.proxy), begins: true }
    }
}

impl Transport for Forwarding {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.wire.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if !std::mem::take(&mut self.begins) {
            return self.wire.transmit_output(amount, timeout);
        }
        // ureq passes whole lines: METHOD SP /path SP HTTP/1.1 CRLF, and header fields.
        let output = self.wire.buffers().output();
        let written = output.get(..amount).unwrap_or_default();
        let target = written.iter().position(|&byte| byte == b' ').map_or(0, |at| at + 1);
        let fields = written.windows(2).position(|two| two == b"\r\n").map_or(amount, |at| at + 2);
        let mut head = Vec::with_capacity(amount + self.base.len() + 512);
        head.extend_from_slice(&written[..target]);
        head.extend_from_slice(self.base.as_bytes());
        head.extend_from_slice(&written[target..fields]);
        if let Some(value) = self.proxy.authorization() {
            head.extend_from_slice(b"proxy-authorization: ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(&written[fields..]);
        transmit(&mut self.wire, &head, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.wire.await_input(timeout)
    }

    /// ureq calls this between two requests, and at no other time.
    fn is_open(&mut self) -> bool {
        self.begins = true;
        self.wire.is_open()
    }

    fn is_tls(&self) -> bool {
        self.wire.is_tls()
    }
}

impl fmt::Debug for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarding").field("wire", &self.wire).finish_non_exhaustive()
    }
}

/// Sends bytes that are not in the buffer yet.
pub(crate) fn transmit(
    wire: &mut dyn Transport,
    bytes: &[u8],
    timeout: NextTimeout,
) -> Result<(), ureq::Error> {
    let room = wire.buffers().output().len().max(1);
    for piece in bytes.chunks(room) {
        let output = wire.buffers().output();
        output[..piece.len()].copy_from_slice(piece);
        wire.transmit_output(piece.len(), timeout)?;
    }
    Ok(())
}

/// Returns what is left of the time to connect, the only limit here: no body is sent yet.
pub(crate) fn remaining(details: &ConnectionDetails<'_>) -> NextTimeout {
    let connect = NextTimeout { per_read: None, per_write: None, ..details.timeout };
    left(connect, details.now, (details.current_time)())
}

/// Returns what is left of a timeout that began at `since`.
pub(crate) fn left(mut timeout: NextTimeout, since: Instant, now: Instant) -> NextTimeout {
    if let (Duration::Exact(limit), Instant::Exact(since), Instant::Exact(now)) =
        (timeout.after, since, now)
    {
        let passed = now.saturating_duration_since(since);
        timeout.after = Duration::Exact(limit.saturating_sub(passed));
    }
    timeout
}

fn other(failure: ExchangeError) -> ureq::Error {
    ureq::Error::Other(Box::new(failure))
}

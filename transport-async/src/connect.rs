//! From a URI to a stream: resolve, connect, go through the proxy, do the TLS handshake.

use std::cmp::Ordering;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use apus_core::Error;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::proxy::Proxy;
#[cfg(feature = "tls")]
use apus_host::tls::NO_PROVIDER;
use http::Uri;
use http::uri::Authority;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::TransportConfig;
use crate::proxy::ProxyRoutes;
use crate::stream::Stream;

/// Where a connection leads. Exchanges of the same route share connections.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) https: bool,
    /// The proxy that the connection goes through; the same for all routes that are equal
    /// otherwise.
    pub(crate) proxy: Option<Arc<Proxy>>,
    authority: Authority,
}

/// Compares the text: [`Authority`] compares letter by letter, without regard to case.
impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Route {}

impl Ord for Route {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Route {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Route {
    pub(crate) fn of(uri: &Uri, routes: &ProxyRoutes) -> Result<Self, Error> {
        let https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => {
                return Err(Error::invalid_input(
                    "the URI of the request has no host, or its scheme is neither http nor https",
                ));
            }
        };
        let Some(authority) = uri.authority().cloned() else {
            return Err(Error::invalid_input(
                "the URI of the request has no host, or its scheme is neither http nor https",
            ));
        };
        Ok(Self { https, proxy: routes.proxy_for(uri).cloned(), authority })
    }

    fn key(&self) -> (bool, &str) {
        (self.https, self.authority.as_str())
    }

    /// Returns the host, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.https { 443 } else { 80 })
    }

    /// Returns the proxy that forwards the requests of this route, if there is one.
    pub(crate) fn forwards(&self) -> Option<&Arc<Proxy>> {
        self.proxy.as_ref().filter(|_| !self.https)
    }

    /// Returns the value of `Host`: no user, no default port.
    pub(crate) fn host_header(&self) -> String {
        let default = if self.https { 443 } else { 80 };
        match self.authority.port_u16() {
            Some(port) if port != default => format!("{}:{port}", self.authority.host()),
            _ => self.authority.host().to_owned(),
        }
    }
}

/// Makes connections.
pub(crate) struct Connector {
    pub(crate) routes: ProxyRoutes,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsConnector>,
}

impl Connector {
    pub(crate) fn new(config: &TransportConfig) -> Result<Self, Error> {
        Ok(Self {
            routes: ProxyRoutes::new(config)?,
            #[cfg(feature = "tls")]
            tls: config.tls.config()?.map(tokio_rustls::TlsConnector::from),
        })
    }

    /// Returns a stream to the end of `route`, ready for HTTP.
    pub(crate) async fn connect(&self, route: &Route) -> Result<Stream, ExchangeError> {
        let stream = match &route.proxy {
            None => Stream::Plain(reach(route.host(), route.port()).await?),
            Some(proxy) => {
                let reached = reach(proxy.host(), proxy.port()).await;
                let stream = Stream::Plain(reached.map_err(|why| proxy.failed(why))?);
                self.routes.pass(proxy, stream, route).await?
            }
        };
        if route.https { self.secure(stream, route).await } else { Ok(stream) }
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, stream: Stream, route: &Route) -> Result<Stream, ExchangeError> {
        agree(self.tls.as_ref(), route.host(), stream).await.map_err(|error| {
            // A closed connection says nothing about trust, and a repetition may succeed.
            let cause =
                if is_tls(&error) { ExchangeErrorKind::Tls } else { ExchangeErrorKind::Connect };
            ExchangeError::new(cause, error.to_string())
        })
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, _: Stream, _: &Route) -> Result<Stream, ExchangeError> {
        Err(ExchangeError::new(
            ExchangeErrorKind::Tls,
            "https requires the cargo feature `tls` of apus-async",
        ))
    }
}

/// Does the TLS handshake with `host` over `stream`.
#[cfg(feature = "tls")]
pub(crate) async fn agree(
    tls: Option<&tokio_rustls::TlsConnector>,
    host: &str,
    stream: Stream,
) -> io::Result<Stream> {
    let no_provider = || io::Error::other(rustls::Error::General(NO_PROVIDER.into()));
    let tls = tls.ok_or_else(no_provider)?;
    let name = rustls_pki_types::ServerName::try_from(host.to_owned())
        .map_err(|_| io::Error::other(rustls::Error::UnsupportedNameType))?;
    Ok(Stream::Tls(Box::new(tls.connect(name, stream).await?)))
}

/// Whether TLS itself failed, and not the stream below.
#[cfg(feature = "tls")]
pub(crate) fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Whether TLS itself failed: never, without TLS.
#[cfg(not(feature = "tls"))]
pub(crate) fn is_tls(_: &io::Error) -> bool {
    false
}

async fn reach(host: &str, port: u16) -> Result<TcpStream, ExchangeError> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| ExchangeError::new(ExchangeErrorKind::Resolve, error.to_string()))?
        .collect();
    let stream = match addresses.as_slice() {
        [] => return Err(ExchangeError::new(ExchangeErrorKind::Resolve, "")),
        [address] => TcpStream::connect(address).await.map_err(|error| (*address, error)),
        _ => race(interleave(addresses)).await,
    };
    let stream = stream.map_err(|(address, error)| {
        ExchangeError::new(ExchangeErrorKind::Connect, format!("{address}: {error}"))
    })?;
    // A head must not wait for the acknowledgement of the previous body.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Returns the connection that is made first. Each next address is tried when the previous one
/// failed, or has not responded for a while (RFC 8305, section 5).
async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, (SocketAddr, io::Error)> {
    let mut racing = JoinSet::new();
    let mut waiting = addresses.into_iter();
    let mut next = waiting.next();
    let mut failed = None;
    loop {
        if let Some(address) = next.take() {
            racing.spawn(async move {
                TcpStream::connect(address).await.map_err(|error| (address, error))
            });
        }
        if racing.is_empty() {
            let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
            return Err(failed.unwrap_or((nowhere, io::ErrorKind::NotConnected.into())));
        }
        let finished = if waiting.len() > 0 {
            timeout(STAGGER, racing.join_next()).await.ok()
        } else {
            Some(racing.join_next().await)
        };
        match finished {
            Some(Some(Ok(Ok(stream)))) => return Ok(stream),
            Some(Some(Ok(Err(error)))) => failed = Some(error),
            _ => {}
        }
        next = waiting.next();
    }
}

/// Alternates between the address families, otherwise in the resolver's order.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (ours, others): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut ours, mut others) = (ours.into_iter(), others.into_iter());
    std::iter::from_fn(|| {
        let pair = [ours.next(), others.next()];
        pair.iter().any(Option::is_some).then_some(pair)
    })
    .flatten()
    .flatten()
    .collect()
}

/// How long an address has before the next one is tried in parallel.
const STAGGER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    fn route(uri: &'static str) -> Route {
        Route::of(&Uri::from_static(uri), &ProxyRoutes::default()).unwrap()
    }

    #[test]
    fn host_and_port_of_a_route() {
        let six = route("https://[::1]:8443/b/k");
        assert_eq!((six.host(), six.port()), ("::1", 8443));
        assert_eq!(six.host_header(), "[::1]:8443");
        let plain = route("http://user:secret@example.com:80/");
        assert_eq!((plain.host(), plain.port()), ("example.com", 80));
        assert_eq!(plain.host_header(), "example.com");
        assert!(Route::of(&Uri::from_static("/path"), &ProxyRoutes::default()).is_err());
    }

    #[test]
    fn address_families_take_turns() {
        let four = |n| SocketAddr::from(([10, 0, 0, n], 80));
        let six = |n| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, n], 80));
        let order = interleave(vec![six(1), six(2), six(3), four(1)]);
        assert_eq!(order, [six(1), four(1), six(2), six(3)]);
    }
}

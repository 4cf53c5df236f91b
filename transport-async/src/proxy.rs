//! Connections through a proxy. The core decides what is sent to a proxy; this module sends it.

use std::io;
use std::sync::Arc;

use apus_core::Error;
use apus_core::error::ExchangeError;
use apus_core::proxy::{Proxies, Proxy};
use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::config::TransportConfig;
use crate::connect::Route;
#[cfg(feature = "tls")]
use crate::connect::{agree, is_tls};
use crate::stream::Stream;

/// The proxies of a transport, and how to connect to them.
#[derive(Default)]
pub(crate) struct ProxyRoutes {
    proxies: Proxies,
    user_agent: String,
    /// The TLS settings of https proxies.
    #[cfg(feature = "tls")]
    tls: Vec<(Arc<Proxy>, Option<tokio_rustls::TlsConnector>)>,
}

impl ProxyRoutes {
    pub(crate) fn new(config: &TransportConfig) -> Result<Self, Error> {
        let proxies = config.proxies.clone();
        let user_agent = config.user_agent.clone();
        #[cfg(feature = "tls")]
        {
            let secure = proxies.iter().filter(|proxy| proxy.is_tls());
            let tls = secure.map(|proxy| {
                let tls = config.tls.of_proxy(proxy)?.config()?;
                Ok((Arc::clone(proxy), tls.map(tokio_rustls::TlsConnector::from)))
            });
            Ok(Self { tls: tls.collect::<Result<_, Error>>()?, proxies, user_agent })
        }
        #[cfg(not(feature = "tls"))]
        {
            if proxies.iter().any(|proxy| proxy.is_tls()) {
                return Err(Error::invalid_input(
                    "an https proxy requires the cargo feature `tls`",
                ));
            }
            Ok(Self { proxies, user_agent })
        }
    }

    /// Returns the proxy that requests to `uri` go through.
    pub(crate) fn proxy_for(&self, uri: &Uri) -> Option<&Arc<Proxy>> {
        self.proxies.proxy_for(uri)
    }

    /// Turns `stream`, which leads to the proxy, into what the route needs: a tunnel to its end for
    /// https, the stream unchanged for http.
    pub(crate) async fn pass(
        &self,
        proxy: &Arc<Proxy>,
        stream: Stream,
        route: &Route,
    ) -> Result<Stream, ExchangeError> {
        let mut stream = self.greet(proxy, stream).await?;
        if route.https {
            let request = proxy.connect(route.host(), route.port(), &self.user_agent);
            let sent = stream.write_all(request.expose().as_bytes()).await;
            sent.and(stream.flush().await).map_err(|error| proxy.failed(error))?;
            let mut answer = Vec::with_capacity(1 << 10);
            while !proxy.connected(&answer)? {
                match stream.read_buf(&mut answer).await {
                    Ok(0) => {
                        return Err(proxy.failed(io::Error::from(io::ErrorKind::UnexpectedEof)));
                    }
                    Ok(_) => {}
                    Err(error) => return Err(proxy.failed(error)),
                }
            }
        }
        Ok(stream)
    }

    /// Does the TLS handshake with the proxy, if it is an https proxy.
    #[cfg(feature = "tls")]
    async fn greet(&self, proxy: &Arc<Proxy>, stream: Stream) -> Result<Stream, ExchangeError> {
        let Some((_, tls)) = self.tls.iter().find(|(of, _)| Arc::ptr_eq(of, proxy)) else {
            return Ok(stream);
        };
        agree(tls.as_ref(), proxy.host(), stream).await.map_err(|error| match is_tls(&error) {
            true => proxy.failed(format_args!("TLS: {error}")).lasting(),
            false => proxy.failed(error),
        })
    }

    #[cfg(not(feature = "tls"))]
    async fn greet(&self, _: &Arc<Proxy>, stream: Stream) -> Result<Stream, ExchangeError> {
        Ok(stream)
    }
}

//! The configuration of a transport: connections, memory, TLS.

use std::fmt;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use apus_core::Error;
#[cfg(all(feature = "clouds", feature = "tls"))]
use apus_core::keystone::clouds::CloudTls;
use apus_core::machine::RateLimits;
use apus_core::proxy::Proxies;
#[cfg(feature = "store")]
use apus_core::store::Connection;
#[cfg(feature = "tls")]
use apus_host::tls::Tls;

/// How a [`Transport`](crate::Transport) connects and how much it keeps in memory. Timeouts are not
/// part of it: each exchange has its own limits.
///
/// Proxies are read from the environment only by
/// [`proxy_from_environment`](Self::proxy_from_environment).
#[derive(Clone)]
pub struct TransportConfig {
    pub(crate) idle_connection: Duration,
    pub(crate) idle_connections: usize,
    pub(crate) in_memory_part_limit: u64,
    pub(crate) reread: bool,
    pub(crate) expect_continue_above: Option<u64>,
    pub(crate) user_agent: String,
    pub(crate) proxies: Proxies,
    #[cfg(feature = "tls")]
    pub(crate) tls: Tls,
}

impl TransportConfig {
    /// Returns the defaults: idle connections are kept for 15 s, 256 for each host; the roots of
    /// Mozilla's list are trusted; parts of up to 64 MiB are read into memory; no proxy; no
    /// `Expect: 100-continue`, because a response that arrives while the body is being sent is read
    /// at once.
    pub fn new() -> Self {
        Self {
            idle_connection: Duration::from_secs(15),
            idle_connections: RateLimits::AT_ONCE as usize,
            in_memory_part_limit: 64 << 20,
            reread: false,
            expect_continue_above: None,
            user_agent: USER_AGENT.into(),
            proxies: Proxies::default(),
            #[cfg(feature = "tls")]
            tls: Tls::default(),
        }
    }

    /// Sets how long an idle connection is kept for another request. Default 15 s. Services close
    /// idle connections after 20 s or more; the default is shorter, so that no request is sent on a
    /// connection that is being closed.
    #[must_use]
    pub fn idle_connection_timeout(mut self, timeout: Duration) -> Self {
        self.idle_connection = timeout;
        self
    }

    /// Sets how many idle connections are kept for each host. Default 256, as many as the requests
    /// that may be in flight by default ([`RateLimits`](crate::RateLimits)). Raise both together: with
    /// fewer, connections are closed that the next requests need.
    #[must_use]
    pub fn idle_connections(mut self, most: usize) -> Self {
        self.idle_connections = most;
        self
    }

    /// Sets the length in bytes up to which a range of a file that must be hashed before it is sent
    /// is read once, into memory; longer ranges are read twice. Default 64 MiB.
    #[must_use]
    pub fn in_memory_part_limit(mut self, bytes: u64) -> Self {
        self.in_memory_part_limit = bytes;
        self
    }

    /// Reads every range of a file that must be hashed first twice, and keeps none in memory. At most
    /// 8 MiB wait for their turn in the digests of the whole file; what is read ahead of more is read
    /// once more. Default false.
    ///
    /// ```
    /// use apus_async::TransportConfig;
    ///
    /// // A program that uploads many large parts at once, on a machine with little memory:
    /// let config = TransportConfig::new().reread(true);
    /// ```
    #[must_use]
    pub fn reread(mut self, reread: bool) -> Self {
        self.reread = reread;
        self
    }

    /// Sets the length in bytes above which a body is sent only after the server has responded `100
    /// Continue`, or has not responded for a second (RFC 9110, section 10.1.1), so that a refusal
    /// arrives before the body is sent. A server that refuses this (417), or twice in a row does not
    /// respond, is not asked again. Default `None`, which never waits.
    #[must_use]
    pub fn expect_continue_above(mut self, bytes: Option<u64>) -> Self {
        self.expect_continue_above = bytes;
        self
    }

    /// Sets the `User-Agent` of requests that have none of their own. Default `apus/` and the
    /// version.
    #[must_use]
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Uses this [`Proxy`](crate::Proxy) for http and https endpoints, except for the hosts that it
    /// excludes. Default: no proxy.
    #[must_use]
    pub fn proxy(mut self, proxy: impl Into<Proxies>) -> Self {
        self.proxies = proxy.into();
        self
    }

    /// Uses the proxies that the environment names now, as [`Proxies::from_variables`] reads it.
    ///
    /// # Errors
    ///
    /// A variable can't be read; the error names it.
    pub fn proxy_from_environment(self) -> Result<Self, Error> {
        Ok(self.proxy(Proxies::from_variables(|name| std::env::var(name).ok())?))
    }

    #[cfg(all(feature = "tls", any(feature = "credentials", feature = "clouds")))]
    pub(crate) fn tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    /// Trusts the certificates of this PEM bundle, and no other certificates.
    ///
    /// # Errors
    ///
    /// The bundle holds no certificate, or one that can't be read; the error says which.
    #[cfg(feature = "tls")]
    pub fn ca_bundle(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.tls = self.tls.trust_only(pem)?;
        Ok(self)
    }

    /// Trusts the certificates of this PEM bundle in addition to those trusted already.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tls")]
    /// # mod example {
    /// use std::fs;
    /// use std::sync::Arc;
    ///
    /// use apus_async::TransportConfig;
    ///
    /// # fn example(
    /// #     own: Arc<rustls::ClientConfig>,
    /// #     provider: Arc<rustls::crypto::CryptoProvider>,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// // Mozilla's roots, and a certificate authority of our own:
    /// let config = TransportConfig::new().add_ca_bundle(&fs::read("ca.pem")?)?;
    /// // What the operating system trusts (feature `native-roots`):
    /// # #[cfg(feature = "native-roots")]
    /// let config = TransportConfig::new().native_roots()?;
    /// // Another cryptography than ring; or all of rustls's settings:
    /// let config = TransportConfig::new().crypto_provider(provider);
    /// let config = TransportConfig::new().rustls(own);
    /// // A server with a certificate of its own, in a test:
    /// let config = TransportConfig::new().danger_accept_invalid_certs(true);
    /// # drop(config);
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The bundle holds no certificate, or one that can't be read; the error says which.
    #[cfg(feature = "tls")]
    pub fn add_ca_bundle(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.tls = self.tls.trust(pem)?;
        Ok(self)
    }

    /// Trusts the certificates that the operating system trusts, and no others, for endpoints and
    /// for proxies that have no certificates of their own: of Linux and the BSDs the files where
    /// OpenSSL finds them, of macOS the keychains, of Windows the store of root certificates.
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` take their place. They are read now, and verified by
    /// rustls on every system.
    ///
    /// # Errors
    ///
    /// No certificate was found; the error says why.
    #[cfg(feature = "native-roots")]
    pub fn native_roots(mut self) -> Result<Self, Error> {
        self.tls = self.tls.native_roots()?;
        Ok(self)
    }

    /// Presents this client certificate to servers that request one: a PEM chain, the client's own
    /// certificate first, and its PEM key (PKCS #8, PKCS #1 or SEC 1, not encrypted).
    ///
    /// # Errors
    ///
    /// The chain or the key can't be read, or the key does not belong to the certificate. The error
    /// contains nothing of the key.
    #[cfg(feature = "tls")]
    pub fn client_certificate(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        self.tls = self.tls.client_certificate(chain, key)?;
        Ok(self)
    }

    /// Applies the TLS settings of a cloud: trusts its certificates and presents its client
    /// certificate. Reads the files that the settings name.
    ///
    /// ```no_run
    /// # #[cfg(all(feature = "clouds", feature = "tls"))]
    /// # mod example {
    /// use apus_async::TransportConfig;
    /// use apus_async::keystone::clouds::CloudTls;
    ///
    /// # fn example(of_the_cloud: &CloudTls) -> Result<(), apus_async::Error> {
    /// let config = TransportConfig::new().proxy_from_environment()?.cloud_tls(of_the_cloud)?;
    /// # drop(config);
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A file can't be read, or holds no certificate or key.
    #[cfg(all(feature = "clouds", feature = "tls"))]
    pub fn cloud_tls(mut self, tls: &CloudTls) -> Result<Self, Error> {
        self.tls = self.tls.with_cloud(tls)?;
        Ok(self)
    }

    /// Applies the connection options of a backend: reads the certificate files that they name.
    ///
    /// ```no_run
    /// # #[cfg(feature = "store")]
    /// # mod example {
    /// use apus_async::TransportConfig;
    /// use apus_async::store::Connection;
    ///
    /// # fn example(of_the_backend: &Connection) -> Result<(), apus_async::Error> {
    /// let config = TransportConfig::new().user_agent("images/1.0").connection(of_the_backend)?;
    /// # drop(config);
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A file can't be read, or the CA file holds no certificate.
    #[cfg(feature = "store")]
    pub fn connection(mut self, connection: &Connection) -> Result<Self, Error> {
        self.tls = self.tls.with_connection(connection)?;
        Ok(match apus_host::backends::proxy(connection)? {
            Some(proxy) => self.proxy(proxy),
            None => self,
        })
    }

    /// Disables certificate verification. Anyone between client and server can then read and change
    /// everything, credentials included. Default false.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.tls = self.tls.accept_any(accept);
        self
    }

    /// Uses this cryptography for TLS. Default: what the process installed with
    /// `CryptoProvider::install_default` before the [`Transport`](crate::Transport) is made, or
    /// else that of ring, with the cargo feature `ring`. With neither, requests over https fail.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn crypto_provider(mut self, provider: Arc<rustls::crypto::CryptoProvider>) -> Self {
        self.tls = self.tls.crypto_provider(provider);
        self
    }

    /// Uses this configuration of rustls unchanged, instead of all other TLS settings of endpoints;
    /// its cryptography also for proxies. It should offer no protocol but `http/1.1`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn rustls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = self.tls.rustls(config);
        self
    }
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TransportConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportConfig")
            .field("idle_connection", &self.idle_connection)
            .field("idle_connections", &self.idle_connections)
            .field("user_agent", &self.user_agent)
            .field("proxies", &self.proxies)
            .field("expect_continue_above", &self.expect_continue_above)
            .field("in_memory_part_limit", &self.in_memory_part_limit)
            .field("reread", &self.reread)
            .finish_non_exhaustive()
    }
}

const USER_AGENT: &str = concat!("apus/", env!("CARGO_PKG_VERSION"));

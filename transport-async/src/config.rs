//! What a transport is made with.

use std::fmt;
use std::time::Duration;

use apus_core::Error;
#[cfg(all(feature = "clouds", feature = "tls"))]
use apus_core::keystone::clouds::CloudTls;
use apus_core::proxy::Proxies;
#[cfg(feature = "store")]
use apus_core::store::Connection;
#[cfg(feature = "tls")]
use apus_host::tls::Tls;

/// How connections are made and kept. Timeouts are not here: each exchange brings its own.
///
/// Nothing is read from the environment unless asked for.
#[derive(Clone)]
pub struct TransportConfig {
    pub(crate) idle_age: Duration,
    pub(crate) idle_connections: usize,
    pub(crate) in_memory_part_limit: u64,
    pub(crate) reread: bool,
    pub(crate) expect_above: Option<u64>,
    pub(crate) user_agent: String,
    pub(crate) proxies: Proxies,
    #[cfg(feature = "tls")]
    pub(crate) tls: Tls,
}

impl TransportConfig {
    /// The defaults: idle connections are kept for 15 s, 64 of them to each host; ranges of up to
    /// 64 MiB are kept in memory between hashing and sending; no proxy; no `Expect: 100-continue`,
    /// because an answer that comes early is seen while the body is still being sent; Mozilla's
    /// certificate authorities.
    pub fn new() -> Self {
        Self {
            idle_age: Duration::from_secs(15),
            idle_connections: 64,
            in_memory_part_limit: 64 << 20,
            reread: false,
            expect_above: None,
            user_agent: USER_AGENT.into(),
            proxies: Proxies::default(),
            #[cfg(feature = "tls")]
            tls: Tls::default(),
        }
    }

    /// Closes connections that were idle for this long. S3 closes them after 20 s, and a request on a
    /// connection that is just being closed fails.
    #[must_use]
    pub fn idle_connection_timeout(mut self, timeout: Duration) -> Self {
        self.idle_age = timeout;
        self
    }

    /// Keeps at most this many idle connections to one host.
    #[must_use]
    pub fn idle_connections(mut self, most: usize) -> Self {
        self.idle_connections = most;
        self
    }

    /// A range of a file whose hash must be known before it is sent is kept in memory in between
    /// when it has at most this many bytes; a longer one is read twice.
    #[must_use]
    pub fn in_memory_part_limit(mut self, bytes: u64) -> Self {
        self.in_memory_part_limit = bytes;
        self
    }

    /// Reads every such range twice and keeps none in memory, whatever its length. Off by default.
    #[must_use]
    pub fn reread(mut self, reread: bool) -> Self {
        self.reread = reread;
        self
    }

    /// Sends `Expect: 100-continue` with bodies of more than this many bytes, and the body only after
    /// the server asked for it or was silent for a second. `None` never does.
    #[must_use]
    pub fn expect_continue_above(mut self, bytes: Option<u64>) -> Self {
        self.expect_above = bytes;
        self
    }

    /// The `User-Agent` of requests that bring none: `apus/` and the version by default.
    #[must_use]
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Goes through this [`Proxy`](crate::Proxy), to http and https endpoints, but for the hosts that
    /// it is not asked for. Default none.
    #[must_use]
    pub fn proxy(mut self, proxy: impl Into<Proxies>) -> Self {
        self.proxies = proxy.into();
        self
    }

    /// Goes through the proxies that the environment names now, as
    /// [`Proxies::from_variables`] reads it.
    ///
    /// # Errors
    ///
    /// A variable can't be read; the error names it.
    pub fn proxy_from_environment(self) -> Result<Self, Error> {
        Ok(self.proxy(Proxies::from_variables(|name| std::env::var(name).ok())?))
    }

    /// Trusts the certificates of this PEM bundle, and no others.
    ///
    /// # Errors
    ///
    /// There is none in it, or one that can't be read; the error says which.
    #[cfg(feature = "tls")]
    pub fn ca_bundle(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.tls = self.tls.trust_only(pem)?;
        Ok(self)
    }

    /// Trusts the certificates of this PEM bundle besides those that were trusted before.
    ///
    /// # Errors
    ///
    /// There is none in it, or one that can't be read; the error says which.
    #[cfg(feature = "tls")]
    pub fn add_ca_bundle(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.tls = self.tls.trust(pem)?;
        Ok(self)
    }

    /// Shows this certificate to servers that ask for one: a PEM chain, one's own certificate first,
    /// and its PEM key (PKCS #8, PKCS #1 or SEC 1, not encrypted).
    ///
    /// # Errors
    ///
    /// Either can't be read, or the key is not the certificate's; the error holds nothing of the key.
    #[cfg(feature = "tls")]
    pub fn client_certificate(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        self.tls = self.tls.client_certificate(chain, key)?;
        Ok(self)
    }

    /// Trusts what the TLS settings of a cloud trust, and shows the certificate that they name: reads
    /// their files.
    ///
    /// # Errors
    ///
    /// A file can't be read, or holds no certificate or key.
    #[cfg(all(feature = "clouds", feature = "tls"))]
    pub fn cloud_tls(mut self, tls: &CloudTls) -> Result<Self, Error> {
        self.tls = self.tls.with_cloud(tls)?;
        Ok(self)
    }

    /// Connects as the options of a backend say: reads the files of certificates that they name.
    ///
    /// # Errors
    ///
    /// A file can't be read, or holds no certificate.
    #[cfg(feature = "store")]
    pub fn connection(mut self, connection: &Connection) -> Result<Self, Error> {
        self.tls = self.tls.with_connection(connection)?;
        Ok(match apus_host::backends::proxy(connection)? {
            Some(proxy) => self.proxy(proxy),
            None => self,
        })
    }

    /// Takes any certificate, and so any server that comes between. For tests.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.tls = self.tls.accept_any(accept);
        self
    }

    /// Uses this configuration of rustls as it is, in place of all other TLS settings. It should
    /// offer no protocol but `http/1.1`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn rustls(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
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
            .field("idle_age", &self.idle_age)
            .field("idle_connections", &self.idle_connections)
            .field("in_memory_part_limit", &self.in_memory_part_limit)
            .field("reread", &self.reread)
            .field("expect_above", &self.expect_above)
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}

const USER_AGENT: &str = concat!("apus/", env!("CARGO_PKG_VERSION"));

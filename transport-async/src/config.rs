//! What a transport is made with.

use std::fmt;
use std::time::Duration;

#[cfg(feature = "tls")]
use apus_core::Error;
use apus_core::Secret;

#[cfg(feature = "tls")]
use crate::tls::Tls;

/// How connections are made and kept. Timeouts are not here: each exchange brings its own.
///
/// Nothing is read from the environment.
#[derive(Clone)]
pub struct TransportConfig {
    pub(crate) idle_age: Duration,
    pub(crate) idle_connections: usize,
    pub(crate) in_memory_part_limit: u64,
    pub(crate) reread: bool,
    pub(crate) expect_above: Option<u64>,
    pub(crate) user_agent: String,
    pub(crate) proxy: Option<Proxy>,
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
            proxy: None,
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

    /// Goes through this proxy, to http and https endpoints.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Trusts the certificates of this PEM bundle, and no others.
    ///
    /// # Errors
    ///
    /// There is none in it, or one that can't be read; the error says which.
    #[cfg(feature = "tls")]
    pub fn ca_bundle(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.tls.trust_only(pem)?;
        Ok(self)
    }

    /// Trusts the certificates of this PEM bundle besides those that were trusted before.
    ///
    /// # Errors
    ///
    /// There is none in it, or one that can't be read; the error says which.
    #[cfg(feature = "tls")]
    pub fn add_ca_bundle(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.tls.trust(pem)?;
        Ok(self)
    }

    /// Shows this certificate to servers that ask for one: a PEM chain, one's own certificate first,
    /// and its PEM key (PKCS #8, PKCS #1 or SEC 1, not encrypted).
    ///
    /// # Errors
    ///
    /// Either can't be read; the error holds nothing of the key. A key that is not the certificate's
    /// is an error of [`Transport::new`](crate::Transport::new).
    #[cfg(feature = "tls")]
    pub fn client_certificate(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        self.tls.identify(chain, key)?;
        Ok(self)
    }

    /// Takes any certificate, and so any server that comes between. For tests.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.tls.accept_any = accept;
        self
    }

    /// Uses this configuration of rustls as it is, in place of all other TLS settings. It should
    /// offer no protocol but `http/1.1`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn rustls(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.tls.ready = Some(config);
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
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

/// An HTTP proxy: requests to http endpoints are sent through it, connections to https endpoints
/// are made through it (`CONNECT`, RFC 9110 section 9.3.6).
#[derive(Clone, Debug)]
pub struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) credentials: Option<(String, Secret)>,
}

impl Proxy {
    /// A proxy that asks for no credentials. An IPv6 address comes without brackets.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, credentials: None }
    }

    /// Proves who we are by Basic authentication (RFC 7617); any characters may be in either, but
    /// no colon in the user.
    #[must_use]
    pub fn with_credentials(mut self, user: impl Into<String>, password: Secret) -> Self {
        self.credentials = Some((user.into(), password));
        self
    }
}

const USER_AGENT: &str = concat!("apus/", env!("CARGO_PKG_VERSION"));

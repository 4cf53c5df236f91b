//! What a transport does otherwise for a backend.

use std::fmt;
use std::net::Ipv6Addr;

use super::config::{S3Options, SwiftOptions};
use crate::error::Error;
use crate::proxy::Proxy;
use crate::secret::Secret;

/// How the servers of a backend are reached, as its options say. Timeouts are none of it: each
/// request brings its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// The path of a file of certificates that are trusted instead of the others.
    pub ca_file: Option<String>,
    /// Whether certificates are not looked at.
    pub insecure: bool,
    /// The proxy that requests go through.
    pub proxy: Option<StoreProxy>,
}

/// A proxy, as the options say.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreProxy {
    /// Its host; an IPv6 address has no brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection to the proxy itself is encrypted.
    pub tls: bool,
    /// Who we are to it.
    pub user: Option<String>,
    /// The password for that.
    pub password: Option<Secret>,
    /// The path of a file of certificates that the proxy's own is looked for in.
    pub ca_file: Option<String>,
    /// Hosts to which requests go without it.
    pub bypass: Vec<String>,
}

impl Connection {
    /// The way to a backend in S3.
    pub fn of_s3(options: &S3Options) -> Self {
        let proxy = options.s3_store_enable_proxy.then(|| StoreProxy {
            user: options.s3_store_proxy_user.clone(),
            password: options.s3_store_proxy_password.clone(),
            ca_file: file(&options.s3_store_proxy_cacert),
            bypass: options.s3_store_proxy_bypass.clone(),
            ..StoreProxy::new(&options.s3_store_proxy_host, options.s3_store_proxy_port)
        });
        Self { ca_file: file(&options.s3_store_cacert), insecure: false, proxy }
    }

    /// The way to a backend in Swift, and to its Keystone.
    pub fn of_swift(options: &SwiftOptions) -> Self {
        let proxy = options.swift_store_enable_proxy.then(|| StoreProxy {
            user: options.swift_store_proxy_user.clone(),
            password: options.swift_store_proxy_password.clone(),
            ca_file: file(&options.swift_store_proxy_cacert),
            bypass: options.swift_store_proxy_bypass.clone(),
            ..StoreProxy::new(&options.swift_store_proxy_host, options.swift_store_proxy_port)
        });
        let ca_file = file(&options.swift_store_cacert);
        Self { ca_file, insecure: options.swift_store_auth_insecure, proxy }
    }
}

impl StoreProxy {
    /// A host alone is spoken to in plain text; one that is written as a URL as its scheme says.
    fn new(host: &Option<String>, port: u64) -> Self {
        let host = host.as_deref().unwrap_or_default().trim();
        let (scheme, host) = host.split_once("://").unwrap_or(("http", host));
        let host = host.trim_end_matches('/').trim_start_matches('[').trim_end_matches(']');
        Self {
            host: host.to_owned(),
            port: u16::try_from(port).unwrap_or_default(),
            tls: scheme.eq_ignore_ascii_case("https"),
            user: None,
            password: None,
            ca_file: None,
            bypass: Vec::new(),
        }
    }

    /// The same as transports take it; `read` gives what is in a file.
    ///
    /// # Errors
    ///
    /// `read`'s; a host, user or list of hosts that is none.
    pub fn proxy(&self, read: impl FnOnce(&str) -> Result<Vec<u8>, Error>) -> Result<Proxy, Error> {
        let mut proxy = if self.tls {
            let host = match self.host.parse::<Ipv6Addr>() {
                Ok(address) => format!("[{address}]"),
                Err(_) => self.host.clone(),
            };
            Proxy::new(&format!("https://{host}:{}", self.port))?
        } else {
            Proxy::at(&self.host, self.port)?
        };
        if let Some(user) = &self.user {
            proxy = proxy.credentials(user, self.password.clone().unwrap_or_default())?;
        }
        if let Some(path) = &self.ca_file {
            proxy = proxy.ca_bundle(read(path)?);
        }
        proxy.bypass(&self.bypass)
    }
}

impl fmt::Debug for StoreProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreProxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("has_credentials", &self.user.is_some())
            .field("ca_file", &self.ca_file)
            .field("bypass", &self.bypass)
            .finish()
    }
}

fn file(path: &Option<String>) -> Option<String> {
    path.clone().filter(|path| !path.is_empty())
}

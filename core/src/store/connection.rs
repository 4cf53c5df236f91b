//! The transport settings of a backend.

use crate::error::Error;
use crate::proxy::Proxy;
use crate::secret::Secret;

/// The transport settings of a backend: each backend has its own transport.
///
/// Timeouts are not among them: each request has its own. Files are given by path, and the caller
/// reads them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Connection {
    /// The path of a file of CA certificates to trust instead of the default ones.
    pub ca_file: Option<String>,
    /// Disables certificate verification.
    pub insecure: bool,
    /// The proxy of the requests.
    pub proxy: Option<Proxy>,
    /// The path of a file of CA certificates to verify the proxy with instead of the default ones:
    /// see [`proxy_with`](Self::proxy_with).
    pub proxy_ca_file: Option<String>,
}

/// The options about a proxy.
pub(super) struct ProxyOptions<'a> {
    pub(super) host: &'a Option<String>,
    pub(super) port: u64,
    pub(super) user: &'a Option<String>,
    pub(super) password: &'a Option<Secret>,
    pub(super) bypass: &'a [String],
}

impl Connection {
    /// Returns the proxy, with the certificates of [`proxy_ca_file`](Self::proxy_ca_file).
    ///
    /// `read` returns the content of the file at a path.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub fn proxy_with(
        &self,
        read: impl FnOnce(&str) -> Result<Vec<u8>, Error>,
    ) -> Result<Option<Proxy>, Error> {
        match (&self.proxy, &self.proxy_ca_file) {
            (Some(proxy), Some(path)) => Ok(Some(proxy.clone().ca_bundle(read(path)?))),
            (proxy, _) => Ok(proxy.clone()),
        }
    }
}

impl ProxyOptions<'_> {
    /// Makes the proxy: a host alone is reached in plain text, a URL as its scheme says.
    pub(super) fn read(&self) -> Result<Proxy, Error> {
        let host = self.host.as_deref().unwrap_or_default().trim().trim_end_matches('/');
        let proxy = match host.contains("://") {
            true => Proxy::new(&format!("{host}:{}", self.port))?,
            false => Proxy::at(host, u16::try_from(self.port).unwrap_or_default())?,
        };
        let proxy = match self.user.as_deref().filter(|user| !user.is_empty()) {
            Some(user) => proxy.credentials(user, self.password.clone().unwrap_or_default())?,
            None => proxy,
        };
        proxy.bypass(self.bypass)
    }
}

/// Returns the path, unless it is empty.
pub(super) fn file(path: &Option<String>) -> Option<String> {
    path.clone().filter(|path| !path.is_empty())
}

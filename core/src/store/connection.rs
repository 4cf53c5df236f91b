//! What a transport does otherwise for a backend.

use crate::error::Error;
use crate::proxy::Proxy;
use crate::secret::Secret;

/// How the servers of a backend are reached, as its options say: a transport for each. Timeouts are
/// none of it: each request brings its own. Files are named, and the caller reads them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Connection {
    /// The path of a file of certificates that are trusted instead of the others.
    pub ca_file: Option<String>,
    /// Whether certificates are not looked at.
    pub insecure: bool,
    /// The proxy that requests go through.
    pub proxy: Option<Proxy>,
    /// The path of a file of certificates that the proxy's own is trusted by instead of the others:
    /// see [`proxy_with`](Self::proxy_with).
    pub proxy_ca_file: Option<String>,
}

/// The options that say what proxy there is.
pub(super) struct ProxyOptions<'a> {
    pub(super) host: &'a Option<String>,
    pub(super) port: u64,
    pub(super) user: &'a Option<String>,
    pub(super) password: &'a Option<Secret>,
    pub(super) bypass: &'a [String],
}

impl Connection {
    /// The proxy, with the file of certificates that it is trusted by; `read` gives what is in a file.
    ///
    /// # Errors
    ///
    /// `read`'s.
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
    /// A host alone is spoken to in plain text; one that is written as a URL, as its scheme says.
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

/// The path, unless it is empty.
pub(super) fn file(path: &Option<String>) -> Option<String> {
    path.clone().filter(|path| !path.is_empty())
}

//! What a transport does otherwise for a backend.

use super::config::{S3Options, SwiftOptions};
use crate::credentials::CredentialSource;
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
struct ProxyOptions<'a> {
    host: &'a Option<String>,
    port: u64,
    user: &'a Option<String>,
    password: &'a Option<Secret>,
    bypass: &'a [String],
}

impl Connection {
    /// The way to a backend in S3.
    ///
    /// # Errors
    ///
    /// What of its proxy can't be.
    pub fn of_s3(options: &S3Options) -> Result<Self, Error> {
        let proxy = ProxyOptions {
            host: &options.s3_store_proxy_host,
            port: options.s3_store_proxy_port,
            user: &options.s3_store_proxy_user,
            password: &options.s3_store_proxy_password,
            bypass: &bypass(options),
        };
        Ok(Self {
            ca_file: file(&options.s3_store_cacert),
            insecure: false,
            proxy: options.s3_store_enable_proxy.then(|| proxy.read()).transpose()?,
            proxy_ca_file: file(&options.s3_store_proxy_cacert),
        })
    }

    /// The way to a backend in Swift, and to its Keystone.
    ///
    /// # Errors
    ///
    /// As [`of_s3`](Self::of_s3).
    pub fn of_swift(options: &SwiftOptions) -> Result<Self, Error> {
        let proxy = ProxyOptions {
            host: &options.swift_store_proxy_host,
            port: options.swift_store_proxy_port,
            user: &options.swift_store_proxy_user,
            password: &options.swift_store_proxy_password,
            bypass: &options.swift_store_proxy_bypass,
        };
        Ok(Self {
            ca_file: file(&options.swift_store_cacert),
            insecure: options.swift_store_auth_insecure,
            proxy: options.swift_store_enable_proxy.then(|| proxy.read()).transpose()?,
            proxy_ca_file: file(&options.swift_store_proxy_cacert),
        })
    }

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
    fn read(&self) -> Result<Proxy, Error> {
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

/// The hosts that are reached without a proxy: those of the option, and the metadata services where keys
/// may come from one, as a proxy would ask its own.
fn bypass(options: &S3Options) -> Vec<String> {
    let mut hosts = options.s3_store_proxy_bypass.clone();
    let source = options.s3_store_credential_source;
    if !matches!(source, CredentialSource::Static | CredentialSource::Environment) {
        hosts.extend(METADATA.map(str::to_owned));
    }
    hosts
}

fn file(path: &Option<String>) -> Option<String> {
    path.clone().filter(|path| !path.is_empty())
}

/// Where a container or an instance has its metadata services.
const METADATA: [&str; 5] = ["169.254.0.0/16", "fd00:ec2::/32", "127.0.0.0/8", "::1", "localhost"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_not_asked_for_the_keys_of_this_instance() {
        let mut options = S3Options {
            s3_store_enable_proxy: true,
            s3_store_proxy_host: Some("proxy.example.com".to_owned()),
            s3_store_proxy_bypass: vec!["near.example.com".to_owned()],
            ..S3Options::default()
        };
        let bypassed = |options: &S3Options, url: &'static str| {
            let proxy = Connection::of_s3(options).unwrap().proxy.unwrap();
            proxy.is_bypassed(&http::Uri::from_static(url))
        };
        for url in [
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/x",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://127.0.0.1:1338/x",
            "http://near.example.com/",
        ] {
            options.s3_store_credential_source = CredentialSource::Static;
            assert_eq!(bypassed(&options, url), url.contains("near"), "{url}");
            options.s3_store_credential_source = CredentialSource::Instance;
            assert!(bypassed(&options, url), "{url}");
            assert!(!bypassed(&options, "https://s3.example.com/"));
        }
    }
}

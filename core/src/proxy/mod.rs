//! HTTP proxies: their URL and credentials, the hosts that bypass them, and the requests to them.
//!
//! ```text
//!   https://host   CONNECT host:443 ──▶ a tunnel ──▶ TLS with the host, which the proxy can't read
//!   http://host    GET http://host/path ──▶ the proxy forwards the request, and can read all of it
//!   bypassed       no proxy
//! ```
//!
//! A [`Proxy`] is one proxy; [`Proxies`] chooses the proxy for an endpoint. The transports use
//! both. Nothing is read from the environment unless a caller passes it in.

mod bypass;
mod tunnel;
mod variables;

use core::net::Ipv6Addr;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::VIA;
use http::{HeaderName, HeaderValue, StatusCode, Uri, response};

use self::bypass::Bypass;
use crate::base_url::BaseUrl;
use crate::error::{Error, ExchangeError, ExchangeErrorKind};
use crate::secret::Secret;

/// An HTTP proxy. `Display` and `Debug` show no credentials.
#[derive(Clone)]
pub struct Proxy {
    url: BaseUrl,
    /// The value of `Proxy-Authorization`.
    basic: Option<Secret>,
    bypass: Bypass,
    ca_bundle: Option<Bytes>,
}

impl Proxy {
    /// Creates the proxy at `http://host:port`, or at `https://host:port` if TLS is spoken with the
    /// proxy itself. The default port is the scheme's, 80 or 443.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) if it is not a URL of this form. A URL with a user is
    /// refused: [`credentials`](Self::credentials) takes user and password, not percent-encoded.
    /// The error shows nothing of the URL.
    pub fn new(url: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::invalid_input(format!("the proxy's URL {why}"));
        if url.contains('@') {
            return Err(wrong("contains `@`: set the proxy's user and password separately"));
        }
        match url.split_once("://") {
            Some((scheme, _)) if ["http", "https"].contains(&&*scheme.to_ascii_lowercase()) => {}
            Some(_) => return Err(wrong("has a scheme that is neither http nor https")),
            None => return Err(wrong("has no scheme: write http://HOST:PORT")),
        }
        let url = BaseUrl::parse(url)
            .map_err(|_| wrong("is not of the form http://HOST:PORT or https://HOST:PORT"))?;
        if !url.path().is_empty() {
            return Err(wrong("has a path, which is not allowed"));
        }
        Ok(Self { url, basic: None, bypass: Bypass::default(), ca_bundle: None })
    }

    /// Creates the proxy at this host and port, without TLS to it. An IPv6 address may have
    /// brackets.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) if the host is invalid or the port is 0.
    pub fn at(host: &str, port: u16) -> Result<Self, Error> {
        let url = match host.parse::<Ipv6Addr>() {
            Ok(address) => format!("http://[{address}]:{port}"),
            Err(_) if host.contains([':', '/', '@']) && !host.starts_with('[') => String::new(),
            Err(_) => format!("http://{host}:{port}"),
        };
        Self::new(&url)
            .map_err(|_| Error::invalid_input("the proxy's host is invalid, or its port is 0"))
    }

    /// Sets the credentials for Basic authentication (RFC 7617, in UTF-8). Control characters, and
    /// a colon in the user, are not allowed.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) if there are any.
    pub fn credentials(mut self, user: &str, password: Secret) -> Result<Self, Error> {
        if user.contains(':') {
            return Err(Error::invalid_input(
                "the proxy's user contains a colon, which Basic authentication does not support",
            ));
        }
        if user.chars().chain(password.expose().chars()).any(char::is_control) {
            return Err(Error::invalid_input(
                "the proxy's user or password contains a control character",
            ));
        }
        let pair = Secret::new(format!("{user}:{}", password.expose()));
        self.basic = Some(Secret::new(format!("Basic {}", STANDARD.encode(pair.expose()))));
        Ok(self)
    }

    /// Sets the hosts that are reached without the proxy. Each entry is, as in curl's `no_proxy`:
    ///
    /// - `example.org` or `.example.org`: the host and all below it; `*.example.org`: only those
    ///   below it,
    /// - an address, `10.1.2.3` or `::1`, or a network, `10.0.0.0/8` or `fd00::/8`, of hosts that
    ///   are written as addresses (names are not looked up),
    /// - a host or an address with a port, `example.org:8080` or `[::1]:8080`: on that port only,
    /// - `*`: every host.
    ///
    /// Commas and white space separate entries too. Replaces earlier entries.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) if an entry has none of these forms; the error names it.
    pub fn bypass<I>(mut self, hosts: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.bypass = Bypass::read(hosts)?;
        Ok(self)
    }

    /// Trusts only the certificates in this PEM bundle, instead of Mozilla's list, if TLS is spoken
    /// with the proxy itself. It has no effect on endpoints. It is read when a transport is
    /// created.
    #[must_use]
    pub fn ca_bundle(mut self, pem: impl Into<Bytes>) -> Self {
        self.ca_bundle = Some(pem.into());
        self
    }

    /// Returns whether TLS is spoken with the proxy itself.
    pub fn is_tls(&self) -> bool {
        self.url.is_tls()
    }

    /// Returns the proxy's host, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        self.url.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// Returns the proxy's port.
    pub fn port(&self) -> u16 {
        self.url.port_or_default()
    }

    /// Returns the bundle that [`ca_bundle`](Self::ca_bundle) has set.
    pub fn ca_pem(&self) -> Option<&[u8]> {
        self.ca_bundle.as_deref()
    }

    /// Returns whether `uri` is reached without the proxy.
    pub fn is_bypassed(&self, uri: &Uri) -> bool {
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        uri.host().is_some_and(|host| self.bypass.holds(host, port))
    }

    /// Returns the value of `Proxy-Authorization`, marked as sensitive. It belongs into requests to
    /// the proxy, never into a tunnel.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(self.basic.as_ref()?.expose()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Returns the failure if the response to a forwarded request (to an http endpoint) is the
    /// proxy's own refusal: a 407, which only proxies send, or a 4xx with squid's `X-Squid-Error`,
    /// unless `Via` has more than one hop, as a squid behind this proxy may have sent it then.
    ///
    /// Refusals of other proxies cannot be distinguished from those of the endpoint, and count as
    /// the endpoint's. So do responses of 500 and above, as the endpoint may have received the
    /// request.
    pub fn refusal(&self, head: &response::Parts) -> Option<ExchangeError> {
        let word = head.headers.get(&X_SQUID_ERROR).map(|value| value.to_str().unwrap_or_default());
        let vias = head.headers.get_all(VIA).iter();
        let hops: usize = vias.map(|via| via.as_bytes().split(|&byte| byte == b',').count()).sum();
        let own = match head.status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => true,
            status => status.is_client_error() && word.is_some() && hops <= 1,
        };
        own.then(|| self.refused("to forward the request", head.status, word))
    }

    /// Returns the failure of a proxy that could not be reached, or that breaks the protocol.
    pub fn failed(&self, why: impl fmt::Display) -> ExchangeError {
        ExchangeError::new(ExchangeErrorKind::Proxy, format!("{self}: {why}"))
    }

    /// Returns the failure of a proxy that responded with `status` instead of doing `what`.
    fn refused(&self, what: &str, status: StatusCode, word: Option<&str>) -> ExchangeError {
        let failure = if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            self.failed(match self.basic {
                Some(_) => format!("it refuses the user or the password ({status})"),
                None => format!("it requires a user and a password, but none are set ({status})"),
            })
        } else {
            let word = word.map(|word| format!(", {word}")).unwrap_or_default();
            self.failed(format!("it refuses {what} ({status}{word})"))
        };
        let failure = failure.with_status(status);
        // These may succeed later; the others fail again with the same configuration.
        match status.as_u16() {
            408 | 429 | 500 | 502..=504 => failure,
            _ => failure.lasting(),
        }
    }
}

/// Writes the URL.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("url", &format_args!("{}", self.url))
            .field("credentials", &self.basic)
            .field("bypass", &self.bypass)
            .field("ca_bundle", &self.ca_bundle.is_some())
            .finish()
    }
}

/// The proxies for endpoints: none, the default; one for all endpoints, from a [`Proxy`]; or one
/// for each scheme, from the variables of an environment.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
}

impl Proxies {
    /// Returns the proxy for `uri`, and `None` if it is reached directly.
    pub fn proxy_for(&self, uri: &Uri) -> Option<&Arc<Proxy>> {
        let https = uri.scheme_str() == Some("https");
        let proxy = if https { &self.https } else { &self.http };
        proxy.as_ref().filter(|proxy| !proxy.is_bypassed(uri))
    }

    /// Returns the proxies.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Proxy>> {
        self.http.iter().chain(&self.https)
    }
}

impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        let proxy = Arc::new(proxy);
        Self { http: Some(Arc::clone(&proxy)), https: Some(proxy) }
    }
}

/// The header that squid adds to its own errors, and forwards from a squid behind it.
const X_SQUID_ERROR: HeaderName = HeaderName::from_static("x-squid-error");

//! The URL of a server, as a user configures it or another server sends it:
//! `https://host:port/path`.

use core::net::Ipv6Addr;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use crate::error::Error;

/// An absolute http or https URL without a query, to which paths are appended: scheme, host, an
/// optional port and an optional path.
///
/// The host is lower-cased; slashes at the end are removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct BaseUrl {
    scheme: Scheme,
    /// The host, and the port if the URL contains one.
    authority: Authority,
    host_len: usize,
    port: Option<u16>,
    /// Without a slash at the end.
    path: String,
}

impl BaseUrl {
    /// Parses `scheme://host[:port][/path]`. The scheme is `http` or `https`. The host is a name in
    /// ASCII (an international name in its `xn--` form), an IPv4 address, or an IPv6 address in
    /// brackets. The path is kept as written, including escapes.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) for anything else: user information, a query, a
    /// fragment, dot segments, white space. The error does not contain the text, since people put
    /// credentials into endpoints.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.contains('@') {
            return Err(Error::invalid_input(
                "the endpoint contains `@`: credentials are not allowed in an endpoint",
            ));
        }
        let advice = if text.contains("://") { "" } else { ": write https://HOST or http://HOST" };
        Self::read(text).map_err(|why| Error::invalid_input(format!("the endpoint {why}{advice}")))
    }

    /// Parses a URL that errors call `what`, without leading and trailing white space. The path may
    /// contain an `@`.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse). The error contains the text up to its query, unless the text
    /// contains an `@`.
    pub fn parse_as(text: &str, what: &str) -> Result<Self, Error> {
        let text = text.trim();
        Self::read(text).map_err(|why| match text.contains('@') {
            // User information in a URL may contain a password.
            true => Error::invalid_input(format!("{what} {why}")),
            // The query of a presigned or temporary URL has its signature.
            false => {
                let shown = text.split(['?', '#']).next().unwrap_or_default();
                Error::invalid_input(format!("{what} {why}: {shown:?}"))
            }
        })
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("is not an http or https URL");
        };
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") => Scheme::HTTPS,
            _ if scheme.eq_ignore_ascii_case("http") => Scheme::HTTP,
            _ => return Err("has a scheme that is neither https nor http"),
        };
        if rest.contains('#') {
            return Err("has a fragment");
        }
        if rest.contains('?') {
            return Err("has a query");
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("contains a user");
        }
        let (host, port) = split_port(authority)?;
        check_host(host)?;
        let path = path.trim_end_matches('/');
        check_path(path)?;
        let mut authority = host.to_ascii_lowercase();
        if let Some(port) = port {
            authority.push(':');
            authority.push_str(&port.to_string());
        }
        let authority = Authority::try_from(authority).map_err(|_| "has no valid host name")?;
        Ok(Self { scheme, authority, host_len: host.len(), port, path: path.to_owned() })
    }

    /// Returns the scheme, `http` or `https`.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Whether the scheme is `https`.
    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Returns the host in lower case; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        self.authority().get(..self.host_len).unwrap_or(self.authority())
    }

    /// Returns the port, if the URL contains one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the port to connect to: that of the URL, or the default of its scheme.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(if self.is_tls() { 443 } else { 80 })
    }

    /// Returns the host, and the port if the URL contains one.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// Whether the host is an IP address.
    pub fn is_ip(&self) -> bool {
        self.host().starts_with('[') || is_ipv4(self.host())
    }

    /// Returns the escaped path: empty, or with a slash at the beginning and none at the end.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the URL without its path: scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> Self {
        Self { path: String::new(), ..self.clone() }
    }

    /// Returns the URL up to the API version in its path (`/v1`), without it; the whole URL if its
    /// path has none.
    #[must_use]
    pub fn unversioned(&self) -> Self {
        self.with_path(before_version(&self.path))
    }

    /// Returns the URL with another path.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        Self { path: path.trim_end_matches('/').to_owned(), ..self.clone() }
    }

    /// Returns this URL with `target` appended: a path that begins with a slash, and an optional
    /// query. The path `/` alone addresses this URL itself.
    ///
    /// # Errors
    ///
    /// The result is too long for a URL, or contains a space.
    pub fn join(&self, target: &str) -> Result<Uri, Error> {
        let target = match target.strip_prefix('/') {
            Some(rest) if rest.is_empty() || rest.starts_with('?') => rest,
            _ => target,
        };
        let mut path = String::with_capacity(self.path.len() + target.len() + 1);
        path.push_str(&self.path);
        if self.path.is_empty() && !target.starts_with('/') {
            path.push('/');
        }
        path.push_str(target);
        let path = PathAndQuery::from_maybe_shared(Bytes::from(path)).map_err(|_| {
            Error::invalid_input("the path is too long for a URL, or contains a space")
        })?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).map_err(|_| Error::invalid_input("the path is not valid in a URL"))
    }

    /// Returns the length in bytes of `:port` at the end of the authority, if it is the scheme's
    /// default port; otherwise 0.
    pub(crate) fn implied_port(&self) -> usize {
        match self.port {
            Some(443) if self.is_tls() => self.authority().len() - self.host_len,
            Some(80) if !self.is_tls() => self.authority().len() - self.host_len,
            _ => 0,
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

impl FromStr for BaseUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<BaseUrl> for String {
    fn from(url: BaseUrl) -> Self {
        url.to_string()
    }
}

#[cfg(feature = "url")]
impl TryFrom<&url::Url> for BaseUrl {
    type Error = Error;

    fn try_from(url: &url::Url) -> Result<Self, Error> {
        Self::parse(url.as_str())
    }
}

/// Whether the text has the form of an IPv4 address: four groups of one to three digits.
pub(crate) fn is_ipv4(text: &str) -> bool {
    let group = |group: &str| {
        (1..=3).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.split('.').count() == 4 && text.split('.').all(group)
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    // The colons of an IPv6 address are inside the brackets.
    let end = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None if authority.starts_with('[') => authority.len(),
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((host, None)),
        // Text after the bracket: `check_host` refuses it.
        None => Ok((authority, None)),
        Some("") => Ok((host, None)),
        Some(digits) if !digits.bytes().all(|byte| byte.is_ascii_digit()) => Err(BAD_PORT),
        Some(digits) => match digits.parse() {
            Ok(port) if port > 0 => Ok((host, Some(port))),
            _ => Err(BAD_PORT),
        },
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return match address {
            Some(_) => Ok(()),
            None => Err("has a host in brackets that is not an IPv6 address"),
        };
    }
    if !host.is_ascii() {
        return Err("has a host that is not ASCII: write its `xn--` form");
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // A dot at the end marks a fully qualified name.
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_name = labels.len() <= 253
        && labels
            .split('.')
            .all(|label| (1..=63).contains(&label.len()) && label.bytes().all(legal));
    match is_name {
        true => Ok(()),
        false => Err("has no valid host name"),
    }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let mut rest = path.as_bytes();
    loop {
        rest = match rest {
            [] => break,
            [b'%', high, low, tail @ ..] if is_hex(*high) && is_hex(*low) => tail,
            [byte, tail @ ..] if is_path_byte(*byte) => tail,
            _ => return Err("has a path that is not percent-encoded"),
        };
    }
    if path.split('/').any(is_dot_segment) {
        return Err("has a `.` or `..` segment in its path");
    }
    Ok(())
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

/// `pchar` of RFC 3986, and the slash.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte)
}

/// Escaped dots count, since some proxies decode them before they collapse dot segments.
fn is_dot_segment(segment: &str) -> bool {
    let plain = segment.replace("%2E", ".").replace("%2e", ".");
    matches!(plain.as_str(), "." | "..")
}

/// Returns the path up to its first segment like `v1` or `v1.0`.
fn before_version(path: &str) -> &str {
    let is_version = |segment: &str| {
        let number = segment.strip_prefix('v').unwrap_or_default();
        number.starts_with(|first: char| first.is_ascii_digit())
            && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let mut segments = path.split_inclusive('/').scan(0, |at, segment| {
        let start = *at;
        *at += segment.len();
        Some((start, segment))
    });
    let version = segments.find(|(_, segment)| is_version(segment.trim_end_matches('/')));
    let before = version.and_then(|(at, _)| path.get(..at));
    before.unwrap_or(path).trim_end_matches('/')
}

const BAD_PORT: &str = "has a port that is not a number from 1 to 65535";

#[cfg(test)]
mod tests {
    use super::*;

    fn join(base: &str, target: &str) -> String {
        BaseUrl::parse_as(base, "the URL").unwrap().join(target).unwrap().to_string()
    }

    #[test]
    fn what_a_name_holds_goes_out_as_it_is() {
        let base = "https://swift.example.com:8080/some/v1/AUTH_1/";
        let url = "https://swift.example.com:8080/some/v1/AUTH_1";
        for target in ["/c/../x", "/c/./dot", "/c//o", "/c/a+b", "/c/%2F%20%C3%A9", "/c/o?a=/../b"]
        {
            assert_eq!(join(base, target), format!("{url}{target}"));
        }
    }

    #[test]
    fn the_root_is_the_address_itself() {
        assert_eq!(join("http://h/v1/A", "/"), "http://h/v1/A");
        assert_eq!(join("http://h/v1/A", "/?format=json"), "http://h/v1/A?format=json");
        assert_eq!(join("http://h", "/"), "http://h/");
        assert_eq!(join("http://h", "/info"), "http://h/info");
    }

    #[test]
    fn what_stands_before_the_version() {
        for (path, before) in [
            ("/v1/AUTH_a", ""),
            ("/swift/v1", "/swift"),
            ("/swift/v1.0/AUTH_v2", "/swift"),
            ("/object/video/v", "/object/video/v"),
            ("/v1beta/x", "/v1beta/x"),
            ("", ""),
        ] {
            assert_eq!(before_version(path), before, "{path}");
        }
    }

    #[test]
    fn a_port_is_a_number_from_1_to_65535() {
        for port in ["99999", "65536", "0", "1808x", "-1", "+80", "80:80", "8 0"] {
            let error = BaseUrl::parse_as(&format!("http://h:{port}/v3"), "auth_url").unwrap_err();
            assert!(error.to_string().starts_with("auth_url "), "{port}: {error}");
        }
        for url in [
            "http://h:1/v3",
            "http://h:65535",
            "http://h:/v3",
            "https://[::1]:5000",
            "https://[::1]",
        ] {
            BaseUrl::parse_as(url, "auth_url").unwrap();
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_a_password() {
        for text in [
            "",
            "/v3",
            "ftp://h/",
            "http://",
            "h:5000",
            "http://h/v3?x",
            "http://h/#x",
            "http://h /",
        ] {
            assert!(BaseUrl::parse_as(text, "auth_url").is_err(), "{text}");
        }
        let error = BaseUrl::parse_as("http://u:hunter2@h/v3", "auth_url").unwrap_err().to_string();
        assert_eq!(error, "auth_url contains a user");
        let url = "http://h/v1/AUTH_a/c/o?temp_url_sig=hunter2&temp_url_expires=1440938160";
        let error = BaseUrl::parse_as(url, "the storage URL").unwrap_err().to_string();
        assert_eq!(error, "the storage URL has a query: \"http://h/v1/AUTH_a/c/o\"");
    }
}

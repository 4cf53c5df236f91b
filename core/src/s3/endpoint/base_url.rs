//! The URL of a server, as a user configures it: `https://host:port/prefix`.

use core::net::Ipv6Addr;
use std::fmt;
use std::str::FromStr;

use http::uri::Scheme;

use super::{bucket, partition};
use crate::error::Error;

/// The URL of a server: scheme, host, an optional port and an optional path prefix.
///
/// The host is lower-cased, a final slash is dropped. Nothing of what was refused is repeated in
/// an error, since people put credentials into endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct BaseUrl {
    scheme: Scheme,
    /// The host, and the port where one was written.
    authority: String,
    host_len: usize,
    port: Option<u16>,
    prefix: String,
}

impl BaseUrl {
    /// Reads `scheme://host[:port][/prefix]`. The scheme is `http` or `https`; the host a name in
    /// ASCII (an international one in its `xn--` form), an IPv4 address, or an IPv6 address in
    /// brackets. The prefix is kept as it is written, escapes included.
    ///
    /// # Errors
    ///
    /// [`Kind::Caller`](crate::Kind::Caller) for anything else: user information, a query, a
    /// fragment, dot segments, white space.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why: &'static str| Err(Error::caller(why));
        if text.contains('@') {
            return wrong("the endpoint holds an `@`: credentials do not belong in an endpoint");
        }
        if text.contains(['?', '#']) {
            return wrong("the endpoint holds a query or a fragment, which it can't have");
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("the endpoint has no scheme: write https://HOST or http://HOST");
        };
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") => Scheme::HTTPS,
            _ if scheme.eq_ignore_ascii_case("http") => Scheme::HTTP,
            _ => return wrong("the endpoint's scheme is neither https nor http"),
        };
        let (authority, prefix) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (host, port) = split_port(authority)?;
        check_host(host)?;
        let prefix = prefix.trim_end_matches('/');
        check_prefix(prefix)?;
        let mut authority = host.to_ascii_lowercase();
        if let Some(port) = port {
            authority.push(':');
            authority.push_str(&port.to_string());
        }
        Ok(Self { scheme, authority, host_len: host.len(), port, prefix: prefix.to_owned() })
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Whether the scheme is `https`.
    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The host, lower-cased; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.authority.get(..self.host_len).unwrap_or(&self.authority)
    }

    /// The port, where one was written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The port that connections go to: the one written, or the scheme's.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(if self.is_tls() { 443 } else { 80 })
    }

    /// The host, and the port where one was written.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path before everything else: empty, or begins with a slash and ends without one.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the host is an address instead of a name.
    pub fn is_ip(&self) -> bool {
        self.host().starts_with('[') || bucket::is_ipv4(self.host())
    }

    /// Whether the host is one of Amazon's, in any partition.
    pub fn is_aws(&self) -> bool {
        partition::is_aws_host(self.host())
    }

    /// The region that one of Amazon's hosts is of: `s3.eu-west-1.amazonaws.com`, and the old form
    /// `s3-eu-west-1.amazonaws.com`. None for the host that is of no region, and for others.
    pub fn aws_region(&self) -> Option<String> {
        if !self.is_aws() {
            return None;
        }
        let name = self.host().strip_prefix("s3.").or_else(|| self.host().strip_prefix("s3-"))?;
        let name = name.strip_prefix("dualstack.").unwrap_or(name);
        let (region, rest) = name.split_once('.')?;
        rest.starts_with("amazonaws.").then(|| region.to_owned())
    }

    /// How many bytes at the end of the authority are a port that the scheme implies.
    pub(super) fn implied_port(&self) -> usize {
        match self.port {
            Some(443) if self.is_tls() => self.authority.len() - self.host_len,
            Some(80) if !self.is_tls() => self.authority.len() - self.host_len,
            _ => 0,
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.prefix)
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

fn split_port(authority: &str) -> Result<(&str, Option<u16>), Error> {
    // The colons of an IPv6 address are inside its brackets.
    let end = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None if authority.starts_with('[') => authority.len(),
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((host, None)),
        // Something behind a bracket: no host, as will be said.
        None => Ok((authority, None)),
        Some("") => Ok((host, None)),
        Some(digits) if !digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Error::caller("the endpoint's port is no number"))
        }
        Some(digits) => match digits.parse() {
            Ok(port) if port > 0 => Ok((host, Some(port))),
            _ => Err(Error::caller("the endpoint's port is not between 1 and 65535")),
        },
    }
}

fn check_host(host: &str) -> Result<(), Error> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return match address {
            Some(_) => Ok(()),
            None => Err(Error::caller("the endpoint's host in brackets is no IPv6 address")),
        };
    }
    if !host.is_ascii() {
        return Err(Error::caller("the endpoint's host is not ASCII: write its `xn--` form"));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // One final dot says that the name is complete.
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_name = labels.len() <= 253
        && labels
            .split('.')
            .all(|label| (1..=63).contains(&label.len()) && label.bytes().all(legal));
    match is_name {
        true => Ok(()),
        false => Err(Error::caller("the endpoint's host is missing or no host name")),
    }
}

fn check_prefix(prefix: &str) -> Result<(), Error> {
    let mut rest = prefix.as_bytes();
    loop {
        rest = match rest {
            [] => break,
            [b'%', high, low, tail @ ..] if is_hex(*high) && is_hex(*low) => tail,
            [byte, tail @ ..] if is_path_byte(*byte) => tail,
            _ => return Err(Error::caller("the endpoint's path is not percent-encoded")),
        };
    }
    if prefix.split('/').any(is_dot_segment) {
        return Err(Error::caller("the endpoint's path holds a `.` or `..` segment"));
    }
    Ok(())
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

/// RFC 3986's `pchar` without `@`, which has been refused before, and the slash.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:".contains(&byte)
}

/// Escaped dots count: there are proxies that decode before they collapse.
fn is_dot_segment(segment: &str) -> bool {
    let plain = segment.replace("%2E", ".").replace("%2e", ".");
    matches!(plain.as_str(), "." | "..")
}

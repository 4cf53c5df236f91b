//! A host with its port and path prefix.

use std::fmt;

use super::error::{LocationError, Problem};

/// The server of a location: a host, an optional port and an optional path prefix. Places are
/// compared component by component, never as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    host: String,
    port: Option<u16>,
    prefix: String,
}

impl Place {
    /// Creates a place. `host` is a name, an IPv4 address, or an IPv6 address in brackets; `port`
    /// is `None` if none is written. Slashes at both ends of the prefix are removed.
    pub fn new(host: impl Into<String>, port: Option<u16>, prefix: impl Into<String>) -> Self {
        let prefix: String = prefix.into();
        Self { host: host.into(), port, prefix: prefix.trim_matches('/').to_owned() }
    }

    /// Returns the host as it is written.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, if one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the path prefix, without slashes at its ends. It is usually empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Reads `host[:port]`. `at` is the position of the text in the location.
    pub(super) fn read(text: &str, at: usize) -> Result<Self, LocationError> {
        let wrong = |problem, from| Err(LocationError::new(problem, at + from));
        let host_end = match text.strip_prefix('[') {
            Some(_) => match text.find(']') {
                Some(end) => end + 1,
                None => return wrong(Problem::BadHost, 0),
            },
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, port) = text.split_at(host_end);
        if host.is_empty() {
            return wrong(Problem::NoHost, 0);
        }
        if let Some(bad) = bad_host(host) {
            return wrong(Problem::BadHost, bad);
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                match digits.parse::<u16>() {
                    Ok(port) if port > 0 => Some(port),
                    _ => return wrong(Problem::BadPort, host_end),
                }
            }
            Some(_) => return wrong(Problem::BadPort, host_end),
            None => return wrong(Problem::BadHost, host_end),
        };
        Ok(Self { host: host.to_owned(), port, prefix: String::new() })
    }

    /// Returns whether both are on one server. `implied` is the default port.
    pub(super) fn is_host_of(&self, other: &Self, implied: u16) -> bool {
        self.host.eq_ignore_ascii_case(&other.host)
            && self.port.unwrap_or(implied) == other.port.unwrap_or(implied)
    }

    /// Returns the rest of `path` after this prefix. `path` begins after the host's slash.
    pub(super) fn strip_prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.prefix.is_empty() {
            return Some(path);
        }
        path.strip_prefix(self.prefix.as_str())?.strip_prefix('/')
    }
}

impl fmt::Display for Place {
    /// Writes `host[:port][/prefix]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

/// Returns the position of the first character that is invalid in a host.
fn bad_host(host: &str) -> Option<usize> {
    let inner = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    match inner {
        Some(address) => address.parse::<core::net::Ipv6Addr>().is_err().then_some(0),
        None => host.bytes().position(|byte| {
            !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') || byte >= 0x80)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        let read = |text| Place::read(text, 0).map(|place| (place.host.clone(), place.port));
        assert_eq!(read("host"), Ok(("host".into(), None)));
        assert_eq!(read("Host.example:9000"), Ok(("Host.example".into(), Some(9000))));
        assert_eq!(read("[::1]:9000"), Ok(("[::1]".into(), Some(9000))));
        let problem = |text| read(text).unwrap_err().problem();
        assert_eq!(problem(""), Problem::NoHost);
        assert_eq!(problem("[::1"), Problem::BadHost);
        assert_eq!(problem("[::1]x"), Problem::BadHost);
        assert_eq!(problem("a b"), Problem::BadHost);
        assert_eq!(problem("host:"), Problem::BadPort);
        assert_eq!(problem("host:0"), Problem::BadPort);
        assert_eq!(problem("host:65536"), Problem::BadPort);
        assert_eq!(problem("host:+80"), Problem::BadPort);
    }
}

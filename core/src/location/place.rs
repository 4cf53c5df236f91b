//! A host, its port and a path before everything else.

use std::fmt;

use super::error::{LocationError, Problem};

/// Where a location points to: a host, an optional port and an optional path prefix. Two places are
/// compared component by component, never as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    host: String,
    port: Option<u16>,
    prefix: String,
}

impl Place {
    /// A host (a name, an IPv4 address, an IPv6 address in brackets) and the port where one was
    /// written. The prefix has no slash at either end.
    pub fn new(host: impl Into<String>, port: Option<u16>, prefix: impl Into<String>) -> Self {
        let prefix: String = prefix.into();
        Self { host: host.into(), port, prefix: prefix.trim_matches('/').to_owned() }
    }

    /// The host as it was written.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port where one was written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path before everything else, without slashes at its ends; mostly empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Reads `host[:port]`; `at` is where the text stands.
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

    /// Whether both name one server, where `implied` is the port of a place that names none.
    pub(super) fn is_host_of(&self, other: &Self, implied: u16) -> bool {
        self.host.eq_ignore_ascii_case(&other.host)
            && self.port.unwrap_or(implied) == other.port.unwrap_or(implied)
    }

    /// What follows this place's prefix in `path`, which begins after the host's slash.
    pub(super) fn strip_prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.prefix.is_empty() {
            return Some(path);
        }
        path.strip_prefix(self.prefix.as_str())?.strip_prefix('/')
    }
}

impl fmt::Display for Place {
    /// `host[:port][/prefix]`.
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

/// Where a host has a character that it can't have.
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

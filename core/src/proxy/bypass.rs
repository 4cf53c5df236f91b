//! The hosts that are reached without the proxy, in the notation of curl's `no_proxy`.

use core::net::IpAddr;

use crate::error::Error;

/// A list of hosts.
#[derive(Clone, Debug, Default)]
pub(super) struct Bypass(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    hosts: Hosts,
    /// The only port that matches, if any.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq)]
enum Hosts {
    All,
    /// In lower case, without a dot at either end.
    Name {
        name: String,
        itself: bool,
    },
    Network {
        address: IpAddr,
        bits: u8,
    },
}

impl Bypass {
    pub(super) fn read<I>(list: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut entries = Vec::new();
        for item in list {
            let words = item.as_ref().split(|char: char| char == ',' || char.is_whitespace());
            for word in words.filter(|word| !word.is_empty()) {
                entries.push(Entry::read(word).ok_or_else(|| {
                    Error::invalid_input(format!(
                        "the proxy's bypass list: {word:?} is not a host, .domain, address or \
                         network"
                    ))
                })?);
            }
        }
        Ok(Self(entries))
    }

    /// Returns whether a host, written as in a URI, is on the list.
    pub(super) fn holds(&self, host: &str, port: u16) -> bool {
        self.0
            .iter()
            .any(|entry| entry.port.is_none_or(|only| only == port) && entry.hosts.hold(host))
    }
}

impl Entry {
    fn read(word: &str) -> Option<Self> {
        let whole = |hosts| Some(Self { hosts, port: None });
        if let Some(network) = Hosts::network(word) {
            return whole(network);
        }
        // An address without brackets, and a network, have no port.
        let (host, port) = match word.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().ok().filter(|port| *port != 0)?))
            }
            Some(_) => return None,
            None => (word, None),
        };
        let hosts = match Hosts::network(host) {
            Some(Hosts::Network { .. }) if host.contains('/') => return None,
            Some(network) => network,
            None => Hosts::name(host)?,
        };
        Some(Self { hosts, port })
    }
}

impl Hosts {
    fn network(word: &str) -> Option<Self> {
        let (address, bits) = match word.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (word, None),
        };
        let address = address_of(address)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self::Network { address, bits })
    }

    fn name(word: &str) -> Option<Self> {
        if word == "*" {
            return Some(Self::All);
        }
        let (name, itself) = match word.strip_prefix("*.") {
            Some(name) => (name, false),
            None => (word.strip_prefix('.').unwrap_or(word), true),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let labels = name.split('.').all(|label| !label.is_empty() && label.bytes().all(fits));
        labels.then(|| Self::Name { name: name.to_ascii_lowercase(), itself })
    }

    fn hold(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Name { name, itself } => {
                let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
                match host.strip_suffix(name.as_str()) {
                    Some("") => *itself,
                    Some(above) => above.ends_with('.'),
                    None => false,
                }
            }
            Self::Network { address, bits } => {
                address_of(host).is_some_and(|host| match (host, *address) {
                    (IpAddr::V4(host), IpAddr::V4(network)) => {
                        let differs = u32::from(host) ^ u32::from(network);
                        differs.checked_shr(32 - u32::from(*bits)).unwrap_or(0) == 0
                    }
                    (IpAddr::V6(host), IpAddr::V6(network)) => {
                        let differs = u128::from(host) ^ u128::from(network);
                        differs.checked_shr(128 - u32::from(*bits)).unwrap_or(0) == 0
                    }
                    _ => false,
                })
            }
        }
    }
}

/// Reads an address with or without brackets.
fn address_of(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

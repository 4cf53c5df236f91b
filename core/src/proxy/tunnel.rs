//! `CONNECT`: a tunnel through the proxy to an endpoint, which the proxy cannot read.

use http::StatusCode;

use super::Proxy;
use crate::error::ExchangeError;
use crate::secret::Secret;

impl Proxy {
    /// Returns the request for a tunnel to `host` and `port` (RFC 9110, section 9.3.6), to be sent
    /// to the proxy as it is. An IPv6 address may have brackets.
    pub fn connect(&self, host: &str, port: u16, user_agent: &str) -> Secret {
        let to = match host.contains(':') && !host.starts_with('[') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let mut head = format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n");
        if !user_agent.is_empty() {
            head.push_str("user-agent: ");
            head.push_str(user_agent);
            head.push_str("\r\n");
        }
        // Room for the credentials, so that no copy of them is left in freed memory.
        head.reserve(256 + self.basic.as_ref().map_or(0, |basic| basic.expose().len()));
        if let Some(basic) = &self.basic {
            head.push_str("proxy-authorization: ");
            head.push_str(basic.expose());
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        Secret::new(head)
    }

    /// Reads the proxy's response so far. Returns true if the tunnel is open, and false if more has
    /// to be received. Then TLS with the endpoint begins.
    ///
    /// # Errors
    ///
    /// The proxy refuses, its response is not HTTP, its head is longer than 16 KiB, or bytes follow
    /// the head.
    pub fn connected(&self, answer: &[u8]) -> Result<bool, ExchangeError> {
        let mut rest = answer;
        loop {
            let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") else {
                if !b"HTTP/1.".starts_with(rest.get(..7).unwrap_or(rest)) {
                    return Err(self.failed("its response is not HTTP/1.1"));
                }
                if answer.len() > LONGEST {
                    return Err(self.failed("the head of its response is too long"));
                }
                return Ok(false);
            };
            let (head, after) = rest.split_at(end + 4);
            let (status, squid) =
                read(head).ok_or_else(|| self.failed("its response is not HTTP/1.1"))?;
            if status.is_informational() {
                rest = after;
            } else if !status.is_success() {
                return Err(self.refused("to connect to the endpoint", status, squid));
            } else if !after.is_empty() {
                return Err(self.failed("it sent bytes after its response to CONNECT"));
            } else {
                return Ok(true);
            }
        }
    }
}

/// Reads the status, and the value of squid's header.
fn read(head: &[u8]) -> Option<(StatusCode, Option<&str>)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.splitn(3, ' ');
    if !matches!(words.next()?, "HTTP/1.0" | "HTTP/1.1") {
        return None;
    }
    let status = StatusCode::from_bytes(words.next()?.as_bytes()).ok()?;
    let squid = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(super::X_SQUID_ERROR.as_str()).then(|| value.trim())
    });
    Some((status, squid))
}

/// The largest head of a response to `CONNECT`, in bytes.
const LONGEST: usize = 16 << 10;

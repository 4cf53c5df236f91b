//! What an HTTP proxy is told.

use apus_core::error::{Cause, Failure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Proxy;
use crate::connect::Route;

/// Makes `stream`, which leads to the proxy, lead to the end of the route.
pub(crate) async fn tunnel(
    stream: &mut TcpStream,
    proxy: &Proxy,
    route: &Route,
) -> Result<(), Failure> {
    let broken = |error: std::io::Error| Failure::new(Cause::Proxy, error.to_string());
    let host = if route.host().contains(':') {
        format!("[{}]:{}", route.host(), route.port())
    } else {
        format!("{}:{}", route.host(), route.port())
    };
    let mut request = format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\n").into_bytes();
    if let Some(value) = authorization(proxy) {
        request.extend_from_slice(b"proxy-authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(broken)?;
    // Byte by byte: what follows the head belongs to the tunnel.
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST {
            return Err(Failure::new(Cause::Proxy, "the head of its answer is too long"));
        }
        head.push(stream.read_u8().await.map_err(broken)?);
    }
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let version = words.next().unwrap_or_default();
    match words.next() {
        Some([b'2', _, _]) if version.starts_with(b"HTTP/1.") => Ok(()),
        _ => {
            let line = String::from_utf8_lossy(line);
            Err(Failure::new(Cause::Proxy, format!("it answered {line:?}")))
        }
    }
}

/// The value of `Proxy-Authorization`, marked as sensitive.
pub(crate) fn authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let (user, password) = proxy.credentials.as_ref()?;
    let pair = apus_core::Secret::new(format!("{user}:{}", password.expose()));
    let value = format!("Basic {}", STANDARD.encode(pair.expose()));
    let mut value = HeaderValue::try_from(value).expect("base64 is made of visible characters");
    value.set_sensitive(true);
    Some(value)
}

/// Bytes of the head of an answer to CONNECT.
const LONGEST: usize = 8 << 10;

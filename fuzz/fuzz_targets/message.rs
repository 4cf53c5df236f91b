//! An answer as HTTP/1 would write it, without the version and with bare line feeds.

use apus_core::http::Reply;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

/// The answer; none where no HTTP library would let it through.
pub fn reply(message: &[u8]) -> Option<Reply> {
    let end = message.windows(2).position(|two| two == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&message[..end], &message[end + 2..]),
        None => (message, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines.next()?.split(|byte| *byte == b' ').next()?;
    let status = StatusCode::from_bytes(status).ok()?;
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let name = HeaderName::from_bytes(name).ok()?;
        parts.headers.append(name, HeaderValue::from_bytes(value.trim_ascii()).ok()?);
    }
    Some(Reply::new(parts, Bytes::copy_from_slice(body)))
}

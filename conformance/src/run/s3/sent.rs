//! A request as it is sent.

use apus_core::error::Error;
use apus_core::http::{Exchange, Outgoing};
use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT_ENCODING, HOST};

use crate::run::compare::Header;

/// The head and body that an exchange sent.
pub(in crate::run) struct Sent {
    pub(in crate::run) method: Method,
    pub(in crate::run) url: String,
    pub(in crate::run) headers: Vec<Header>,
    pub(in crate::run) body: Vec<u8>,
}

impl Sent {
    /// Returns the value of a header, or an empty text.
    pub(in crate::run) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Does the work of a transport up to the response; `source` has the bytes of the caller's source.
pub(in crate::run) fn send(mut exchange: Exchange, source: Option<&[u8]>) -> Result<Sent, Error> {
    let source = source.unwrap_or_default();
    if exchange.measures() {
        exchange.load(Bytes::copy_from_slice(source))?;
    }
    let head = exchange.request()?;
    let (method, url) = (head.method.clone(), head.uri.to_string());
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value.as_bytes())));
    let own = [HOST.as_str(), ACCEPT_ENCODING.as_str()];
    // Headers that every HTTP client adds, and no vector records.
    let headers = headers.filter(|(name, _)| !own.contains(&&**name)).collect();
    let outgoing = exchange.outgoing().clone();
    let mut encoder = exchange.encoder()?;
    let data = match &outgoing {
        Outgoing::Empty => &[][..],
        Outgoing::Bytes(bytes) => bytes,
        Outgoing::Source { .. } => source,
    };
    let mut body = Vec::new();
    for piece in data.chunks(encoder.frame_size().unwrap_or(PIECE)) {
        let frame = encoder.frame(piece)?;
        body.extend_from_slice(&frame.before);
        body.extend_from_slice(piece);
        body.extend_from_slice(&frame.after);
    }
    body.extend_from_slice(&encoder.end()?);
    Ok(Sent { method, url, headers, body })
}

/// The number of bytes that are sent at once without frames.
const PIECE: usize = 1000;

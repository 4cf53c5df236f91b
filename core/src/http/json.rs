//! JSON as servers send it.

use serde::de::DeserializeOwned;
use serde_json::{Error, Value};

/// Reads a document.
///
/// Two things that are no errors of the document as a whole are read nevertheless: half a surrogate
/// pair in a text becomes U+FFFD, and of a member that is there twice the last one counts.
///
/// # Errors
///
/// It is not valid JSON, or not of this type.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let read = serde_json::from_slice(body);
    let leniently = || serde_json::from_value(serde_json::from_slice::<Value>(&whole(body))?);
    read.or_else(|why| leniently().map_err(|_: Error| why))
}

/// Replaces escapes of half a character (`\ud800` without its other half) by U+FFFD. Names of Swift
/// may have them, and no text of Rust's can.
fn whole(body: &[u8]) -> Vec<u8> {
    let half = |at: usize| {
        let escape = body.get(at..at + 6)?;
        let digits = std::str::from_utf8(escape.strip_prefix(b"\\u")?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (mut out, mut at) = (Vec::with_capacity(body.len()), 0);
    while let Some(byte) = body.get(at) {
        let length = match (half(at), half(at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                out.extend(br"\ufffd");
                at += 6;
                continue;
            }
            _ if *byte == b'\\' => 2,
            _ => 1,
        };
        out.extend(body.iter().skip(at).take(length));
        at += length;
    }
    out
}

//! Percent-encoding: the two character sets that S3 and Swift use, and query strings.
//!
//! All characters except RFC 3986's unreserved ones are escaped, with upper-case hex digits, for
//! each byte of the UTF-8. The `/` between segments of a path is kept. A key is escaped only once,
//! in this module, and is not passed through a URL parser afterwards: a URL parser collapses `..`,
//! so that a key could address another bucket.

use std::borrow::Cow;

/// Appends `text` for use in a path: `/` and the unreserved characters are kept.
pub fn path_into(out: &mut String, text: &str) {
    escape_into(out, text, &PATH);
}

/// Appends `text` for use as the name or the value of a query parameter: only the unreserved
/// characters are kept.
pub fn query_into(out: &mut String, text: &str) {
    escape_into(out, text, &UNRESERVED);
}

/// Appends a number in decimal digits.
pub(crate) fn decimal_into(out: &mut String, number: u64) {
    if number >= 10 {
        decimal_into(out, number / 10);
    }
    out.push(char::from(b'0' + (number % 10) as u8));
}

/// Returns `text` as [`path_into`] writes it.
pub fn path(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    path_into(&mut out, text);
    out
}

/// Returns `text` as [`query_into`] writes it.
pub fn query(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    query_into(&mut out, text);
    out
}

/// Decodes percent-encoding; a `%` that is not followed by two hex digits is kept.
///
/// # Errors
///
/// `None` if the decoded bytes are not UTF-8.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf8(decode_bytes(text.as_bytes())).ok().map(Cow::Owned)
}

/// Decodes percent-encoding of a form-encoded query value, in which `+` is a space too.
///
/// # Errors
///
/// `None` if the decoded bytes are not UTF-8.
pub fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf8(decode_bytes(text.replace('+', " ").as_bytes())).ok().map(Cow::Owned)
}

fn decode_bytes(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rest.len());
    loop {
        match rest {
            [b'%', high, low, tail @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                out.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = tail;
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                rest = tail;
            }
            [] => return out,
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn escape_into(out: &mut String, text: &str, keep: &[bool; 256]) {
    let bytes = text.as_bytes();
    let mut clean = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if keep[usize::from(byte)] {
            continue;
        }
        // The kept bytes are ASCII, so that a run that is not empty begins and ends between
        // characters.
        if clean < at {
            out.push_str(&text[clean..at]);
        }
        out.push('%');
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
        clean = at + 1;
    }
    out.push_str(&text[clean..]);
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

const UNRESERVED: [bool; 256] = table(b"-._~");
const PATH: [bool; 256] = table(b"-._~/");

const fn table(marks: &[u8]) -> [bool; 256] {
    let mut keep = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        keep[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut mark = 0;
    while mark < marks.len() {
        keep[marks[mark] as usize] = true;
        mark += 1;
    }
    keep
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_kept_or_escaped_as_rfc_3986_says() {
        for byte in 0..128u8 {
            let text = char::from(byte).to_string();
            let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            let escaped = format!("%{byte:02X}");
            assert_eq!(query(&text), if unreserved { text.clone() } else { escaped.clone() });
            let stays = unreserved || byte == b'/';
            assert_eq!(path(&text), if stays { text } else { escaped });
        }
    }

    #[test]
    fn the_utf8_of_a_key_is_escaped_byte_by_byte() {
        assert_eq!(path("a b/é+~=&"), "a%20b/%C3%A9%2B~%3D%26");
        assert_eq!(query("é/🦆"), "%C3%A9%2F%F0%9F%A6%86");
    }

    #[test]
    fn dots_and_double_slashes_stay() {
        assert_eq!(path("/lead//a/../b/./c"), "/lead//a/../b/./c");
    }

    #[test]
    fn decoding_leaves_what_is_no_escape() {
        assert_eq!(decode("a%20b%2").unwrap(), "a b%2");
        assert_eq!(decode("%zz+").unwrap(), "%zz+");
        assert_eq!(decode_form("a+b%2B").unwrap(), "a b+");
        assert_eq!(decode("%ff"), None);
    }

    proptest::proptest! {
        #[test]
        fn decoding_undoes_escaping(text: String) {
            let (in_path, in_query) = (path(&text), query(&text));
            proptest::prop_assert_eq!(decode(&in_path).unwrap(), text.as_str());
            proptest::prop_assert_eq!(decode_form(&in_query).unwrap(), text.as_str());
        }
    }
}

//! The head of a response, for transports that parse it themselves (RFC 9112, sections 2 to 5).

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{StatusCode, Version, response};

use crate::error::{ExchangeError, ExchangeErrorKind};

/// Parses the head at the beginning of `input`. Returns the head and its length in bytes, or `None`
/// if it is not complete yet.
///
/// # Errors
///
/// The bytes are not the beginning of a response of HTTP/1.0 or 1.1; the head is longer than
/// [`MOST_BYTES`], or has more than [`MOST_FIELDS`].
pub fn read_head(input: &[u8]) -> Result<Option<(usize, response::Parts)>, ExchangeError> {
    let known = input.len().min(PROTOCOL.len());
    if input.get(..known) != PROTOCOL.get(..known) {
        return Err(broken("it does not begin with HTTP/1"));
    }
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let mut parser = httparse::ParserConfig::default();
    parser.allow_obsolete_multiline_headers_in_responses(true);
    let longest = input.get(..MOST_BYTES).unwrap_or(input);
    let length = match parser.parse_response_with_uninit_headers(&mut parsed, longest, &mut fields)
    {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if longest.len() == MOST_BYTES => return Err(too_long()),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(explained(error, longest)),
    };
    let (mut head, ()) = http::Response::new(()).into_parts();
    (head.version, head.status) = status(&parsed).ok_or_else(|| broken(STATUS_LINE))?;
    // All values share one allocation.
    let shared = Bytes::copy_from_slice(input.get(..length).unwrap_or_default());
    head.headers.reserve(parsed.headers.len());
    for field in &*parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| broken(FIELD))?;
        // A value that continues on further lines has their line ends.
        let value = HeaderValue::from_maybe_shared(slice(&shared, input, field.value))
            .or_else(|_| HeaderValue::from_maybe_shared(unfolded(field.value)))
            .map_err(|_| control_character(name.as_str()))?;
        head.headers.append(name, value);
    }
    Ok(Some((length, head)))
}

fn status(parsed: &httparse::Response<'_, '_>) -> Option<(Version, StatusCode)> {
    let version = match parsed.version? {
        0 => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    Some((version, StatusCode::from_u16(parsed.code?).ok()?))
}

/// Returns the bytes of `shared`, a copy of the beginning of `input`, where `input` has `part`.
fn slice(shared: &Bytes, input: &[u8], part: &[u8]) -> Bytes {
    let start = part.as_ptr().addr().wrapping_sub(input.as_ptr().addr());
    match start.checked_add(part.len()) {
        Some(end) if end <= shared.len() => shared.slice(start..end),
        // An empty value may be anywhere.
        _ => Bytes::copy_from_slice(part),
    }
}

/// Returns a value that continues on further lines as one line. RFC 9112, section 5.2: spaces
/// replace the fold. One, as in hyper.
fn unfolded(value: &[u8]) -> Bytes {
    let lines: Vec<&[u8]> = value.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).collect();
    lines.join(&b' ').trim_ascii().to_vec().into()
}

/// Returns the error for a head that the parser refuses.
fn explained(error: httparse::Error, head: &[u8]) -> ExchangeError {
    match error {
        httparse::Error::TooManyHeaders => too_many(),
        httparse::Error::Status | httparse::Error::Version => broken(STATUS_LINE),
        httparse::Error::HeaderValue => control_character(&first_controlled(head)),
        _ => broken(FIELD),
    }
}

/// Returns the name of the first field whose value contains a control character.
fn first_controlled(head: &[u8]) -> String {
    let controlled = |value: &[u8]| {
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        value.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t')
    };
    let mut fields = head.split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        line.split_at_checked(colon)
    });
    let name = fields.find(|(_, value)| controlled(value)).map_or(&b""[..], |(name, _)| name);
    String::from_utf8_lossy(name).to_lowercase()
}

fn control_character(name: &str) -> ExchangeError {
    broken(format!("the value of header {name} contains a control character"))
}

pub(super) fn too_long() -> ExchangeError {
    broken(format!("the head exceeds {MOST_BYTES} bytes"))
}

pub(super) fn too_many() -> ExchangeError {
    broken(format!("the head has more than {MOST_FIELDS} header fields"))
}

pub(super) fn broken(detail: impl Into<String>) -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Protocol, detail)
}

const PROTOCOL: &[u8] = b"HTTP/1.";
const STATUS_LINE: &str = "the status line is malformed";
const FIELD: &str = "a line of the head is not a header field";

/// The most header fields of a response. Swift allows 90 metadata fields for an object.
pub const MOST_FIELDS: usize = 256;
/// The most bytes of a response's head.
pub const MOST_BYTES: usize = 64 << 10;
/// The most informational responses (100 to 199) before the final one.
pub const MOST_INFORMATIONAL: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<(usize, response::Parts)>, String> {
        read_head(text.as_bytes()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_head_and_where_it_ends() {
        let text = "HTTP/1.1 206 Partial Content\r\nA:1\r\nb: \t 2 2 \r\na:\r\n\r\nbody";
        let (length, head) = read(text).unwrap().unwrap();
        assert_eq!(&text[length..], "body");
        assert_eq!((head.status.as_u16(), head.version), (206, Version::HTTP_11));
        assert_eq!(head.headers.get_all("a").iter().collect::<Vec<_>>(), ["1", ""]);
        assert_eq!(head.headers["b"], "2 2");
        for cut in 0..length {
            assert!(read(&text[..cut]).unwrap().is_none(), "{cut}");
        }
    }

    #[test]
    fn what_servers_write_of_a_status_line() {
        for (line, status) in [
            ("HTTP/1.1 200", 200),
            ("HTTP/1.1 200 ", 200),
            ("HTTP/1.0 404 N\u{e9}ant", 404),
            ("HTTP/1.1 999 x", 999),
        ] {
            let (_, head) = read(&format!("{line}\r\n\r\n")).unwrap().unwrap();
            assert_eq!(head.status.as_u16(), status, "{line}");
        }
        for line in [
            "HTTP/1.1 2000 OK",
            "HTTP/1.1 20",
            "HTTP/1.1 099 OK",
            "HTTP/1.1  200 OK",
            "HTTP/2.0 200 OK",
            "HTTP/1.2 200 OK",
            "SSH-2.0-OpenSSH",
        ] {
            read(&format!("{line}\r\n\r\n")).unwrap_err();
        }
    }

    #[test]
    fn bare_line_feeds_are_ends_of_lines() {
        let (_, head) = read("HTTP/1.1 200 OK\na: 1\n\n").unwrap().unwrap();
        assert_eq!(head.headers["a"], "1");
    }

    #[test]
    fn lines_that_are_no_fields() {
        for line in
            ["no colon", ": no name", "na me: 1", "na\0me: 1", "a : 1", "a: \u{1}", "a: b\rc"]
        {
            read(&format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n")).expect_err(line);
        }
        read("HTTP/1.1 200 OK\r\n a: 1\r\n\r\n").unwrap_err();
    }

    // RFC 9112, section 5.2: a user agent replaces each fold with spaces.
    #[test]
    fn a_field_may_continue_on_the_next_lines() {
        let text = "HTTP/1.1 200 OK\r\nA: 1\r\n 2\r\n\t 3 \r\nb:\n x\r\n\r\n";
        let (length, head) = read(text).unwrap().unwrap();
        assert_eq!(length, text.len());
        assert_eq!(head.headers["a"], "1 2 3");
        assert_eq!(head.headers["b"], "x");
        for cut in 0..length {
            assert!(read(&text[..cut]).unwrap().is_none(), "{cut}");
        }
        // A length that a fold cuts in two is no length.
        let (_, head) =
            read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 0\r\n\r\n").unwrap().unwrap();
        assert!(head.headers["content-length"].to_str().unwrap().parse::<u64>().is_err());
    }

    #[test]
    fn a_head_has_its_limits() {
        let of = |fields: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: 1\r\n".repeat(fields));
        read(&of(MOST_FIELDS)).unwrap().unwrap();
        let error = read(&of(MOST_FIELDS + 1)).unwrap_err();
        assert!(error.contains("more than 256 header fields"), "{error}");
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "a".repeat(MOST_BYTES));
        let error = read(&long).unwrap_err();
        assert!(error.contains("exceeds 65536 bytes"), "{error}");
        assert!(read(&format!("{long}\r\n\r\n")).is_err());
    }
}

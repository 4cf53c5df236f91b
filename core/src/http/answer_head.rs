//! The head of a response, for transports that parse it themselves (RFC 9112, sections 2 to 5).

use std::borrow::Cow;
use std::ops::Range;

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
    let mut lines = Lines { input, at: 0 };
    let Some(status_line) = lines.next()? else { return unfinished(input) };
    let (mut head, ()) = http::Response::new(()).into_parts();
    (head.version, head.status) = status(status_line)?;
    // All values share one allocation.
    let shared = lines.end().and_then(|end| input.get(..end)).map(Bytes::copy_from_slice);
    head.headers.reserve(if shared.is_some() { USUAL_FIELDS } else { 0 });
    let mut fields = 0;
    loop {
        let start = lines.at;
        let Some(mut line) = lines.next()?.map(Cow::Borrowed) else { return unfinished(input) };
        if line.is_empty() {
            return Ok(Some((lines.at, head)));
        }
        while lines.continues() {
            let Some(more) = lines.next()? else { return unfinished(input) };
            // RFC 9112, section 5.2: spaces replace the fold. One, as in hyper.
            let end = line.trim_ascii_end().len();
            line.to_mut().truncate(end);
            line.to_mut().push(b' ');
            line.to_mut().extend_from_slice(more.trim_ascii());
        }
        fields += 1;
        if fields > MOST_FIELDS {
            return Err(too_many());
        }
        let (name, range) = field(&line)?;
        let value = match (&shared, &line) {
            (Some(shared), Cow::Borrowed(_)) => {
                HeaderValue::from_maybe_shared(shared.slice(start + range.start..start + range.end))
            }
            _ => HeaderValue::from_bytes(line.get(range).unwrap_or_default()),
        };
        let value = value.map_err(|_| {
            broken(format!("the value of header {name} contains a control character"))
        })?;
        head.headers.append(name, value);
    }
}

/// The lines of the input, without their line ends.
struct Lines<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<Option<&'a [u8]>, ExchangeError> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let Some(end) = line_feed(rest) else { return Ok(None) };
        self.at += end + 1;
        if self.at > MOST_BYTES {
            return Err(too_long());
        }
        let line = rest.get(..end).unwrap_or_default();
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// Returns where the head ends, if all of it is there and it is not too long.
    fn end(&self) -> Option<usize> {
        let mut ahead = Lines { input: self.input, at: self.at };
        while !ahead.next().ok()??.is_empty() {}
        Some(ahead.at)
    }

    /// Returns whether the next line continues the last one.
    fn continues(&self) -> bool {
        matches!(self.input.get(self.at), Some(b' ' | b'\t'))
    }
}

fn unfinished<T>(input: &[u8]) -> Result<Option<T>, ExchangeError> {
    if input.len() >= MOST_BYTES { Err(too_long()) } else { Ok(None) }
}

fn status(line: &[u8]) -> Result<(Version, StatusCode), ExchangeError> {
    let wrong = || broken("the status line is malformed");
    let (version, rest) = match line.strip_prefix(PROTOCOL).ok_or_else(wrong)? {
        [b'0', b' ', rest @ ..] => (Version::HTTP_10, rest),
        [b'1', b' ', rest @ ..] => (Version::HTTP_11, rest),
        _ => return Err(wrong()),
    };
    let (code, reason) = rest.split_at_checked(3).ok_or_else(wrong)?;
    if reason.first().is_some_and(|&byte| byte != b' ') {
        return Err(wrong());
    }
    Ok((version, StatusCode::from_bytes(code).map_err(|_| wrong())?))
}

/// Returns the name, and where the value is.
fn field(line: &[u8]) -> Result<(HeaderName, Range<usize>), ExchangeError> {
    let colon = line.iter().position(|&byte| byte == b':');
    let (name, value) = colon.and_then(|at| line.split_at_checked(at)).unwrap_or((line, b""));
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(broken("the first header field begins with a space"));
    }
    let name = colon.and_then(|_| HeaderName::from_bytes(name).ok());
    let name = name.ok_or_else(|| broken("a line of the head is not a header field"))?;
    let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii_start();
    let start = line.len() - value.len();
    Ok((name, start..start + value.trim_ascii_end().len()))
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

/// Returns where the first line feed is. Looks at 16 bytes at a time, which compilers turn into one
/// comparison.
fn line_feed(input: &[u8]) -> Option<usize> {
    let block = |block: &&[u8]| block.iter().fold(false, |has, &byte| has | (byte == b'\n'));
    let before = input.chunks(BLOCK).take_while(|bytes| !block(bytes)).count() * BLOCK;
    let at = input.get(before..)?.iter().position(|&byte| byte == b'\n')?;
    Some(before + at)
}

const PROTOCOL: &[u8] = b"HTTP/1.";
/// Header fields for which there is room from the start.
const USUAL_FIELDS: usize = 12;
/// Bytes that are searched at a time for a line feed.
const BLOCK: usize = 16;

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
    fn line_feeds_are_found_wherever_they_are() {
        for length in 0..70 {
            let mut text = vec![b'a'; length];
            assert_eq!(line_feed(&text), None);
            for at in (0..length).rev() {
                text[at] = b'\n';
                assert_eq!(line_feed(&text), Some(at));
            }
        }
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

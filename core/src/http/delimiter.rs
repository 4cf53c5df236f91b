//! The end of a response's body: RFC 9112, section 6.3.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING};
use http::{Method, StatusCode, Version, response};

use super::content_range::ContentRange;
use crate::error::{Error, ExchangeError};

/// What marks the end of a response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// No body: the response to HEAD, and 1xx, 204 and 304, whatever their headers contain.
    NoBody,
    /// The length in `Content-Length`.
    Length(u64),
    /// The last chunk of `Transfer-Encoding: chunked`; the end of the stream in HTTP/2 and later.
    Framing,
    /// The end of the connection. On plain TCP, a server that fails causes it too.
    Close,
}

impl Delimiter {
    /// Returns what marks the end of the response with this head to a request with this method.
    ///
    /// # Errors
    ///
    /// The head contradicts itself, so that two readers may find two different ends (request
    /// smuggling, response splitting), or has a transfer coding that was not requested. The body
    /// must not be read.
    pub(super) fn of(method: &Method, head: &response::Parts) -> Result<Self, Error> {
        if *method == Method::HEAD
            || head.status.is_informational()
            || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        {
            return Ok(Self::NoBody);
        }
        let unclear = |what: &str| {
            Err(Error::invalid_response(format!(
                "the length of the response body is ambiguous: {what}"
            ))
            .with_status(head.status))
        };
        let length = match length(head) {
            Ok(length) => length,
            Err(()) => {
                return unclear("Content-Length is not a number, or has two different values");
            }
        };
        let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
        if let Some(coding) = codings.next() {
            let chunked = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
            return match (length, chunked && codings.next().is_none()) {
                (Some(_), _) => unclear("the head has both Content-Length and Transfer-Encoding"),
                (None, false) => unclear("Transfer-Encoding is not `chunked`"),
                (None, true) if head.version <= Version::HTTP_10 => {
                    unclear("the head has Transfer-Encoding, which HTTP/1.0 does not define")
                }
                (None, true) => Ok(Self::Framing),
            };
        }
        Ok(match length {
            Some(length) => Self::Length(length),
            None if head.version >= Version::HTTP_2 => Self::Framing,
            None => Self::Close,
        })
    }
}

/// Returns the length if all `Content-Length` fields agree.
pub(super) fn length(head: &response::Parts) -> Result<Option<u64>, ()> {
    let mut length = None;
    for field in head.headers.get_all(CONTENT_LENGTH) {
        // Nearly all servers send one number, and it is read several times.
        if length.is_none()
            && let Some(number) = number(field.as_bytes())
        {
            length = Some(number);
            continue;
        }
        for value in field.as_bytes().split(|byte| *byte == b',') {
            let number = number(value.trim_ascii()).ok_or(())?;
            if length.replace(number).is_some_and(|other| other != number) {
                return Err(());
            }
        }
    }
    Ok(length)
}

/// Reads decimal digits, and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, add))?
}

/// Returns how many bytes of body the head announces. A range in chunks announces it only by
/// `Content-Range`.
pub(super) fn announced(head: &response::Parts) -> Option<u64> {
    length(head).ok().flatten().or_else(|| {
        let text = head.headers.get(CONTENT_RANGE)?.to_str().ok()?;
        let range = ContentRange::parse(text)?.range?;
        (head.status == StatusCode::PARTIAL_CONTENT).then(|| range.end - range.start)
    })
}

/// How the body of a response ended, as reported by the transport.
#[derive(Clone, Debug)]
pub enum End {
    /// The transport guarantees that the body is complete, whatever its head contains: the
    /// transport does not implement HTTP/1 itself, or it created the response.
    Whole,
    /// In good order: `Content-Length` was reached, the last chunk and its trailers were read, or,
    /// if the head has neither, the peer closed the connection as its protocol requires: TLS with
    /// `close_notify`, TCP with FIN. Any other end is a cut: a reset, TLS without `close_notify`.
    /// The head decides what this end proves.
    Regular,
    /// The body ended, and the transport can't distinguish a close in good order from a broken
    /// connection.
    Unclear,
    /// It was cut, for this reason.
    Cut(ExchangeError),
}

impl From<Option<ExchangeError>> for End {
    fn from(cut: Option<ExchangeError>) -> Self {
        cut.map_or(Self::Whole, Self::Cut)
    }
}

impl From<ExchangeError> for End {
    fn from(cut: ExchangeError) -> Self {
        Self::Cut(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, version: Version, headers: &[(&str, &str)]) -> Option<Delimiter> {
        let mut answer = http::Response::builder().status(status).version(version);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        Delimiter::of(&Method::GET, &answer.body(()).unwrap().into_parts().0).ok()
    }

    // The list of RFC 9112, section 6.3, and the last paragraph of section 6.1.
    #[test]
    fn bodies_end_as_rfc_9112_says() {
        let length = ("content-length", "3");
        let chunked = ("transfer-encoding", "Chunked");
        let http = |headers: &[_]| of(200, Version::HTTP_11, headers);
        assert_eq!(http(&[length]), Some(Delimiter::Length(3)));
        assert_eq!(http(&[chunked]), Some(Delimiter::Framing));
        assert_eq!(http(&[]), Some(Delimiter::Close));
        assert_eq!(of(200, Version::HTTP_10, &[]), Some(Delimiter::Close));
        assert_eq!(of(200, Version::HTTP_2, &[]), Some(Delimiter::Framing));
        for status in [204, 304] {
            assert_eq!(of(status, Version::HTTP_11, &[length]), Some(Delimiter::NoBody));
        }
        assert_eq!(http(&[length, length]), Some(Delimiter::Length(3)));
        assert_eq!(http(&[("content-length", "3, 3")]), Some(Delimiter::Length(3)));
        for broken in [
            &[length, chunked][..],
            &[length, ("content-length", "4")],
            &[("content-length", "3, 4")],
            &[("content-length", "")],
            &[("content-length", "+3")],
            &[("content-length", "18446744073709551616")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "identity")],
            &[chunked, chunked],
        ] {
            assert_eq!(http(broken), None, "{broken:?}");
        }
        assert_eq!(of(200, Version::HTTP_10, &[chunked]), None);
    }
}

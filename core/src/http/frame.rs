//! The aws-chunked content coding, as "Signature Calculations for the Authorization Header:
//! Transferring Payload in Multiple Chunks" of the S3 API reference describes it.
//!
//! ```text
//! 10000;chunk-signature=ad80c7…\r\n      the length in hex, the signature where chunks are signed
//! …65,536 bytes…\r\n
//! 0;chunk-signature=b6c6ea…\r\n
//! x-amz-checksum-crc32:NhCmhg==\r\n      trailers, if any
//! x-amz-trailer-signature:d81f82…\r\n    where chunks are signed
//! \r\n
//! ```

use bytes::Bytes;

use crate::error::Error;

/// Returns the length in bytes of `payload` bytes in frames of `chunk_size` bytes, signed or not.
/// `trailer` is the length of a trailer's line (`name:value`) in bytes, without its line end.
pub fn framed_length(payload: u64, chunk_size: u64, trailer: Option<u64>, signed: bool) -> u64 {
    let chunk_size = chunk_size.max(1);
    let signature = if signed { CHUNK_SIGNATURE } else { 0 };
    let chunk = |length: u64| hex_digits(length) + signature + 2 + length + 2;
    let full = (payload / chunk_size).saturating_mul(chunk(chunk_size));
    let rest = match payload % chunk_size {
        0 => 0,
        rest => chunk(rest),
    };
    let trailers = match trailer {
        Some(line) => line + 2 + if signed { TRAILER_SIGNATURE } else { 0 },
        None => 0,
    };
    full.saturating_add(rest + 1 + signature + 2 + trailers + 2)
}

/// Returns the line before a chunk of `length` bytes.
pub(super) fn chunk_line(length: usize, signature: Option<&str>) -> String {
    match signature {
        Some(signature) => format!("{length:x};chunk-signature={signature}\r\n"),
        None => format!("{length:x}\r\n"),
    }
}

/// Decodes an aws-chunked body. Returns the payload, and the trailers in their order, names in
/// lower case. For servers, tests and captured traffic; signatures are not checked.
///
/// # Errors
///
/// The coding is broken; the error says what is wrong near which byte.
pub fn decode(framed: &[u8]) -> Result<(Bytes, Vec<(String, String)>), Error> {
    let mut payload = Vec::new();
    let mut rest = framed;
    let at = |rest: &[u8]| framed.len() - rest.len();
    loop {
        let line = take_line(&mut rest)
            .ok_or_else(|| broken("the length of a chunk is not terminated", at(rest)))?;
        let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
        let length = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| usize::from_str_radix(digits, 16).ok())
            .ok_or_else(|| broken("the length of a chunk is not a hexadecimal number", at(rest)))?;
        if length == 0 {
            break;
        }
        let (chunk, tail) = rest
            .split_at_checked(length)
            .ok_or_else(|| broken("a chunk is shorter than its declared length", at(rest)))?;
        payload.extend_from_slice(chunk);
        rest = tail
            .strip_prefix(b"\r\n")
            .ok_or_else(|| broken("a chunk does not end at its declared length", at(tail)))?;
    }
    let mut trailers = Vec::new();
    loop {
        let line = take_line(&mut rest)
            .ok_or_else(|| broken("the trailers are not terminated", at(rest)))?;
        if line.is_empty() {
            break;
        }
        let text =
            std::str::from_utf8(line).map_err(|_| broken("a trailer is not UTF-8", at(rest)))?;
        let (name, value) =
            text.split_once(':').ok_or_else(|| broken("a trailer has no colon", at(rest)))?;
        trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    if !rest.is_empty() {
        return Err(broken("bytes follow the last trailer", at(rest)));
    }
    Ok((payload.into(), trailers))
}

fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, tail) = rest.split_at_checked(end)?;
    *rest = tail.get(2..)?;
    Some(line)
}

fn broken(what: &str, at: usize) -> Error {
    Error::invalid_response(format!("aws-chunked: {what}, near byte {at}"))
}

fn hex_digits(length: u64) -> u64 {
    u64::from(length.max(1).ilog2() / 4 + 1)
}

/// `;chunk-signature=` and 64 hex digits.
const CHUNK_SIGNATURE: u64 = 17 + 64;
/// `x-amz-trailer-signature:`, 64 hex digits and the line end.
const TRAILER_SIGNATURE: u64 = 24 + 64 + 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_has_its_published_length() {
        // 66,560 bytes in chunks of 64 KiB, signed: the example says Content-Length 66824.
        assert_eq!(framed_length(66_560, 65_536, None, true), 66_824);
    }

    #[test]
    fn the_captured_body_of_a_small_upload() {
        // boto3 over https sends this for `hello`.
        let framed = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
        let (payload, trailers) = decode(framed).unwrap();
        assert_eq!(payload, "hello");
        assert_eq!(trailers, [("x-amz-checksum-crc32".into(), "NhCmhg==".into())]);
        let line = "x-amz-checksum-crc32:NhCmhg==".len() as u64;
        assert_eq!(framed_length(5, 65_536, Some(line), false), framed.len() as u64);
    }

    #[test]
    fn broken_frames_say_where() {
        for framed in [
            &b""[..],
            b"5\r\nhel",
            b"5\r\nhello0\r\n\r\n",
            b"z\r\n",
            b"0\r\n",
            b"0\r\n\r\nmore",
            b"ffffffffffffffffff\r\n",
            b"0\r\nno colon\r\n\r\n",
        ] {
            let error = decode(framed).unwrap_err().to_string();
            assert!(error.starts_with("aws-chunked: ") && error.contains("byte"), "{error}");
        }
    }
}

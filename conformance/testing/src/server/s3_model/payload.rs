//! The payload of a request: unframed and verified.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::super::digest::{self, Algorithm};
use super::super::message::Request;
use super::Manners;
use super::refusal::{self, Refusal};

/// A request's payload.
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    /// The checksum of the request, verified.
    pub(super) checksum: Option<(Algorithm, String)>,
}

impl Payload {
    /// Removes `aws-chunked` frames and verifies every digest of the request. Signatures of chunks
    /// are not verified.
    pub(super) fn read(request: &Request, manners: &Manners) -> Result<Self, Refusal> {
        let hash = request.header("x-amz-content-sha256").unwrap_or("UNSIGNED-PAYLOAD");
        let framed = hash.starts_with("STREAMING-");
        let chunked = request.header("transfer-encoding").is_some();
        if !manners.trailers && hash.ends_with("-TRAILER") && !chunked {
            return Err(sha256_mismatch());
        }
        if chunked && (!framed || (!manners.trailers && hash.ends_with("-TRAILER"))) {
            return Err(match manners.trailers {
                true => refusal::not_implemented(),
                false => missing_length(),
            });
        }
        let mut headers = request.headers.clone();
        let bytes = match framed {
            false => request.body.clone(),
            true => {
                let (bytes, trailers) = unframe(&request.body)?;
                let announced = request.header("x-amz-decoded-content-length");
                let announced = announced.ok_or_else(missing_length)?;
                if announced.parse() != Ok(bytes.len()) {
                    return Err(incomplete_body());
                }
                if let Some(wanted) = request.header("x-amz-trailer")
                    && !trailers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted))
                {
                    return Err(malformed_trailer());
                }
                headers.extend(trailers);
                bytes
            }
        };
        if !framed
            && hash != "UNSIGNED-PAYLOAD"
            && hash != digest::hex(&Algorithm::Sha256.digest(&bytes))
        {
            return Err(sha256_mismatch());
        }
        if let Some(md5) = request.header("content-md5") {
            let md5 = STANDARD.decode(md5).ok().filter(|md5| md5.len() == 16);
            let md5 = md5.ok_or_else(|| {
                Refusal::new(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
            })?;
            if md5 != Algorithm::Md5.digest(&bytes) {
                return Err(refusal::bad_digest());
            }
        }
        let checksum = if manners.checksums { checksum(&headers, &bytes)? } else { None };
        Ok(Self { bytes, checksum })
    }
}

/// Returns the one checksum of the headers and trailers, verified.
fn checksum(
    headers: &[(String, String)],
    bytes: &[u8],
) -> Result<Option<(Algorithm, String)>, Refusal> {
    let mut found = Algorithm::ALL.into_iter().filter_map(|algorithm| {
        let wanted = algorithm.header();
        let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(&wanted))?;
        Some((algorithm, value.trim()))
    });
    let Some((algorithm, value)) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(refusal::invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ));
    }
    let raw = STANDARD.decode(value).ok();
    if raw.is_none_or(|raw| raw.len() != algorithm.digest(&[]).len()) {
        return Err(refusal::invalid_request("Value for x-amz-checksum- header is invalid."));
    }
    if value != algorithm.value(bytes) {
        return Err(refusal::bad_digest());
    }
    Ok(Some((algorithm, value.to_owned())))
}

/// Removes the frames of `aws-chunked`; returns the bytes and the trailers.
fn unframe(mut rest: &[u8]) -> Result<(Bytes, Vec<(String, String)>), Refusal> {
    let mut bytes = Vec::new();
    loop {
        let line = take_line(&mut rest)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| incomplete_body())?;
        if size == 0 {
            break;
        }
        let (chunk, after) = rest.split_at_checked(size).ok_or_else(incomplete_body)?;
        bytes.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").ok_or_else(incomplete_body)?;
    }
    let mut trailers = Vec::new();
    loop {
        let line = take_line(&mut rest)?;
        match line.split_once(':') {
            Some((name, value)) => trailers.push((name.to_owned(), value.trim().to_owned())),
            None if line.is_empty() && rest.is_empty() => return Ok((bytes.into(), trailers)),
            None => return Err(malformed_trailer()),
        }
    }
}

fn take_line(rest: &mut &[u8]) -> Result<String, Refusal> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or_else(incomplete_body)?;
    let line = String::from_utf8_lossy(&rest[..end]).into_owned();
    *rest = &rest[end + 2..];
    Ok(line)
}

fn incomplete_body() -> Refusal {
    Refusal::new(
        400,
        "IncompleteBody",
        "The request body terminated unexpectedly, or its length is not what was announced",
    )
}

fn malformed_trailer() -> Refusal {
    Refusal::new(
        400,
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our \
         published schema.",
    )
}

fn missing_length() -> Refusal {
    Refusal::new(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
}

fn sha256_mismatch() -> Refusal {
    Refusal::new(
        400,
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
}

//! Bodies in frames, with the checksum of the whole body in the trailer ("Signature Calculations
//! for the Authorization Header: Transferring Payload in Multiple Chunks", Amazon S3 API
//! reference).

use std::time::Duration;

use apus_core::Now;
use apus_core::checksum::Algorithm;
use apus_core::http::{Body, BodyChecksum, Draft, Encoding, Exchange, Framing, decode_aws_chunked};
use http::{HeaderName, Method, Uri};

/// The frames of `payload`, as they go out.
fn framed(payload: &'static [u8], chunk_size: usize) -> Vec<u8> {
    let mut draft = Draft::new("PutObject", Method::PUT, Uri::from_static("http://h/b/k"));
    draft.body = Body::Source { range: 0..payload.len() as u64, rewindable: true };
    let name = HeaderName::from_static("x-amz-checksum-crc32");
    let stamp = BodyChecksum { algorithm: Algorithm::Crc32, name, encoding: Encoding::Base64 };
    draft.framing = Some(Framing { chunk_size, trailer: Some(stamp) });
    let mut exchange = Exchange::open(draft, NOW, 0);
    exchange.request().unwrap();
    let length = exchange.content_length();
    let mut encoder = exchange.encoder().unwrap();
    let mut out = Vec::new();
    for piece in payload.chunks(chunk_size) {
        let frame = encoder.frame(piece).unwrap();
        out.extend_from_slice(&frame.before);
        out.extend_from_slice(piece);
        out.extend_from_slice(&frame.after);
    }
    out.extend_from_slice(&encoder.end().unwrap());
    assert_eq!(out.len() as u64, length, "Content-Length");
    out
}

#[test]
fn the_trailer_has_the_checksum_of_all_frames() {
    // The check value of CRC-32/ISO-HDLC, in base64.
    let check = ("x-amz-checksum-crc32".to_owned(), "y/Q5Jg==".to_owned());
    for chunk_size in [1, 2, 4, 8, 9, 100] {
        let (payload, trailers) = decode_aws_chunked(&framed(b"123456789", chunk_size)).unwrap();
        assert_eq!(payload, &b"123456789"[..], "{chunk_size}");
        assert_eq!(trailers, std::slice::from_ref(&check), "{chunk_size}");
    }
}

const NOW: Now = Now { tick: Duration::ZERO, unix: Duration::from_secs(1_440_938_160) };

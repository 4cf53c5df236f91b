//! Any bytes are frames or an error; what is framed comes back as it was, at the length foretold.
#![no_main]

use std::time::Duration;

use apus_core::Now;
use apus_core::checksum::Algorithm;
use apus_core::credentials::Credentials;
use apus_core::http::{
    Body, BodyChecksum, Draft, Encoding, Framing, Payload, Sealing, decode_aws_chunked,
};
use apus_core::sign::Keys;
use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    raw: &'a [u8],
    payload: &'a [u8],
    chunk_size: u16,
    signed: bool,
    trailer: Option<u8>,
}

fuzz_target!(|input: Input<'_>| {
    let _ = decode_aws_chunked(input.raw);

    let chunk_size = usize::from(input.chunk_size).max(1);
    let trailer = input.trailer.map(|n| {
        let algorithm = Algorithm::ALL[usize::from(n) % Algorithm::ALL.len()];
        BodyChecksum { algorithm, name: algorithm.header().clone(), encoding: Encoding::Base64 }
    });
    let uri = http::Uri::from_static("https://example.com/bucket/key");
    let mut draft = Draft::new("PutObject", http::Method::PUT, uri);
    draft.header(http::header::HOST, "example.com").unwrap();
    draft.body = Body::Bytes(Bytes::copy_from_slice(input.payload));
    draft.payload = if input.signed { Payload::Hashed } else { Payload::Unsigned };
    draft.framing = Some(Framing { chunk_size, trailer: trailer.clone() });
    draft.sealing = Sealing::SigV4 { region: "us-east-1".into(), service: "s3" };
    let now = Now::new(Duration::ZERO, Duration::from_secs(1_700_000_000));
    let credentials = Credentials::new(Keys::new("AKID", "secret"));
    let mut exchange = credentials.sign(draft, now).unwrap();
    let announced: usize = {
        let headers = &exchange.request().unwrap().headers;
        headers["content-length"].to_str().unwrap().parse().unwrap()
    };
    let mut encoder = exchange.encoder().unwrap();
    let mut wire = Vec::new();
    for piece in input.payload.chunks(chunk_size) {
        let frame = encoder.frame(piece).unwrap();
        wire.extend_from_slice(&frame.before);
        wire.extend_from_slice(piece);
        wire.extend_from_slice(&frame.after);
    }
    wire.extend_from_slice(&encoder.end().unwrap());
    assert_eq!(wire.len(), announced);
    let (payload, trailers) = decode_aws_chunked(&wire).unwrap();
    assert_eq!(payload, input.payload);
    if let Some(stamp) = trailer {
        let value = stamp.algorithm.digest(input.payload).unwrap().base64();
        assert_eq!(trailers.first(), Some(&(stamp.name.as_str().to_owned(), value)));
    }
});

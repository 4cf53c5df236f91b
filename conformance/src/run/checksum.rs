//! `checksum`, `checksum-parts` and `aws-chunked`.

use apus_core::checksum::{Algorithm, Composite, Hasher, Value, combine};
use apus_core::error::Error;
use apus_core::http::{
    Body, BodyChecksum, Draft, Encoding, Exchange, Framing, Payload, decode_aws_chunked,
};
use http::{Method, Uri};

use super::compare::Check;
use super::s3::send;
use super::value::{Data, Fields, Time};

pub(super) fn checksum(
    mut input: Fields,
    mut expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (algorithm, data): (Algorithm, Data) =
        (input.required("algorithm")?, input.required("data")?);
    let base64: String = expect.required("base64")?;
    input.end()?;
    expect.end()?;
    match computed(algorithm, &data.0) {
        Ok((whole, pieces)) => {
            check.same("base64", &base64, &whole.base64());
            check.same("base64 in pieces", &base64, &pieces.base64());
        }
        Err(error) => check.differs("base64", base64, error),
    }
    Ok(())
}

pub(super) fn parts(
    mut input: Fields,
    mut expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (algorithm, parts): (Algorithm, Vec<Data>) =
        (input.required("algorithm")?, input.required("parts")?);
    let kind: apus_core::checksum::Type = input.required("type")?;
    let base64: String = expect.required("base64")?;
    input.end()?;
    expect.end()?;
    let values: Result<Vec<(Value, u64)>, Error> = parts
        .iter()
        .map(|part| algorithm.digest(&part.0).map(|value| (value, part.0.len() as u64)))
        .collect();
    let got = values.and_then(|values| match kind {
        apus_core::checksum::Type::FullObject => combine(values).map(|value| value.base64()),
        apus_core::checksum::Type::Composite => {
            Composite::of(values.into_iter().map(|(value, _)| value)).map(|value| value.to_string())
        }
    });
    match got {
        Ok(got) => check.same("base64", &base64, &got),
        Err(error) => check.differs("base64", base64, error),
    }
    Ok(())
}

pub(super) fn aws_chunked(
    mut input: Fields,
    mut expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (data, chunk_size): (Data, usize) =
        (input.required("data")?, input.required("chunk_size")?);
    let algorithm: Option<Algorithm> = input.optional("trailer_algorithm")?;
    let (body, length): (Data, u64) =
        (expect.required("body")?, expect.required("content_length")?);
    input.end()?;
    expect.end()?;
    let mut draft = Draft::new("", Method::PUT, Uri::from_static("https://s3.example.com/b/k"));
    draft.body = Body::Bytes(data.0.clone().into());
    draft.payload = Payload::Unsigned;
    let trailer = algorithm.map(|algorithm| BodyChecksum {
        algorithm,
        name: algorithm.header().clone(),
        encoding: Encoding::Base64,
    });
    draft.framing = Some(Framing { chunk_size, trailer });
    let now = Time::try_from("20260102T030405Z".to_owned())?.now();
    match send(Exchange::open(draft, now, 0), None) {
        Ok(sent) => {
            check.bytes("body", &body.0, &sent.body);
            check.same("content_length", &length.to_string(), sent.header("content-length"));
        }
        Err(error) => check.differs("body", "one that can be sent", error),
    }
    match decode_aws_chunked(&body.0) {
        Ok((payload, _)) => check.bytes("body, decoded", &data.0, &payload),
        Err(error) => check.differs("body, decoded", "the data", error),
    }
    Ok(())
}

/// Computes a checksum over the whole at once, and in pieces of growing length.
fn computed(algorithm: Algorithm, data: &[u8]) -> Result<(Value, Value), Error> {
    let mut hasher = Hasher::new(algorithm)?;
    let (mut rest, mut length) = (data, 1);
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(length.min(rest.len()));
        hasher.update(piece);
        (rest, length) = (more, length * 2 + 1);
    }
    Ok((algorithm.digest(data)?, hasher.finish()))
}

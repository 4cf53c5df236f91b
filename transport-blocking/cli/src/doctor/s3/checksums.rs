//! Checks checksums: accepted, compared, kept, for each algorithm and place.

use apus_blocking::{Client, Sink, Source};
use apus_core::Error;
use apus_core::checksum::{Algorithm, Need, Placement, RequestChecksumCalculation, Value};
use apus_core::contract::Operation as _;
use apus_core::credentials::Source as KeySource;
use apus_core::http::{Body, Draft, Exchange, Sealing};
use apus_core::now::Timestamp;
use apus_core::s3::{ChecksumOptions, HeadObject, PutObject, Raw, Service};
use apus_core::sign::{Keys, Payload, Rule, Signing};
use apus_host::credentials::Ambient;
use bytes::Bytes;
use http::HeaderValue;
use http::header::HOST;

use super::super::reach::short;
use super::super::trial::bytes;
use super::super::{Answer, Report};
use super::BucketCheck;
use super::advice::Found;
use super::objects::{Kept, name_of, told};

pub(super) fn examine(check: &BucketCheck<'_>, report: &mut Report, found: &mut Found) {
    if !found.stores {
        return;
    }
    content_md5(check, report, found);
    for placement in [Placement::Header, Placement::Trailer] {
        for algorithm in ALGORITHMS {
            if check.open.interrupt.came() {
                return;
            }
            try_one(check, report, found, placement, algorithm);
        }
    }
}

/// Whether a wrong `Content-MD5` is refused.
fn content_md5(check: &BucketCheck<'_>, report: &mut Report, found: &mut Found) {
    let body = bytes(3_000);
    let put = |name: &str, of: &[u8]| -> Result<(), Error> {
        let value = Algorithm::Md5.digest(of)?.base64();
        let mut put =
            Raw::new(http::Method::PUT).bucket(&check.bucket.name).key(check.trial.name(name));
        put.headers.insert("content-md5", HeaderValue::from_str(&value).map_err(odd)?);
        put.body = Body::Bytes(body.clone().into());
        check.call(&impatient(check, found)?, put).map(drop)
    };
    match (put("md5", &body), put("md5 wrong", b"other bytes")) {
        (Err(error), _) => report.tell("checksums", "MD5 (Content-MD5)", Answer::No, short(&error)),
        (Ok(()), Ok(())) => {
            let detail = "ignored: a wrong checksum was accepted";
            report.tell("checksums", "MD5 (Content-MD5)", Answer::Beware, detail);
        }
        (Ok(()), Err(error)) => {
            found.content_md5 = true;
            let detail = format!("a wrong checksum is refused: {}", short(&error));
            report.tell("checksums", "MD5 (Content-MD5)", Answer::Yes, detail);
        }
    }
}

fn try_one(
    check: &BucketCheck<'_>,
    report: &mut Report,
    found: &mut Found,
    placement: Placement,
    algorithm: Algorithm,
) {
    let place = name_of(placement);
    let what = format!("{algorithm} in a {place}");
    let client = check.variant(|config| {
        found.address(config);
        config.checksum.enable_data_integrity_protection = true;
        config.checksum.request = RequestChecksumCalculation::WhenSupported;
        config.checksum.algorithm = algorithm;
        config.checksum.placement = placement;
    });
    let key = check.trial.name(&what);
    let body = bytes(3_000);
    let stored = client.and_then(|client| {
        let checksum = ChecksumOptions::algorithm(algorithm);
        let put = PutObject { checksum, ..PutObject::new(&check.bucket.name, &*key, body.clone()) };
        check.call(&client, put)?;
        let kept = check.kept(&key, &body)?;
        Ok((kept, is_told(check, &client, &key, algorithm)))
    });
    let (kept, is_told) = match stored {
        Ok((kept, is_told)) => (kept, is_told),
        Err(error) => return report.tell("checksums", what, Answer::No, short(&error)),
    };
    if !matches!(kept, Kept::Same) {
        let (answer, mut detail) = told(&Ok(kept));
        if placement == Placement::Header {
            detail = "the returned bytes differ".to_owned();
        }
        return report.tell("checksums", what, answer, detail);
    }
    let wrong = match (placement, keys(check)) {
        (Placement::Trailer, Ok(keys)) => wrong_trailer(check, found, algorithm, &keys),
        (Placement::Trailer, Err(why)) => {
            let detail = format!("accepted; a wrong checksum was not tried: {why}");
            return report.tell("checksums", what, Answer::Untried, detail);
        }
        _ => wrong_header(check, found, algorithm),
    };
    let kept = if is_told { ", kept" } else { "" };
    match wrong {
        Err(error) if error.status().is_some() => {
            let detail = format!("a wrong checksum is refused: {}{kept}", short(&error));
            report.tell("checksums", what, Answer::Yes, detail);
            found.verified.push((placement, algorithm));
            found.told |= is_told;
        }
        Err(error) => report.tell("checksums", what, Answer::Beware, short(&error)),
        Ok(()) => {
            let detail = format!("ignored: a wrong checksum was accepted{kept}");
            report.tell("checksums", what, Answer::Beware, detail);
        }
    }
}

/// Whether the server returns the checksum on request.
fn is_told(
    check: &BucketCheck<'_>,
    client: &Client<Service>,
    key: &str,
    algorithm: Algorithm,
) -> bool {
    let head = HeadObject { checksum_mode: true, ..HeadObject::new(&check.bucket.name, key) };
    let head = check.call(client, head);
    head.is_ok_and(|head| head.checksums.iter().any(|have| have.algorithm() == algorithm))
}

/// Sends a header with the checksum of other bytes.
fn wrong_header(check: &BucketCheck<'_>, found: &Found, algorithm: Algorithm) -> Result<(), Error> {
    let value = wrong(algorithm)?;
    let key = check.trial.name(&format!("{algorithm} wrong in a header"));
    let mut put = Raw::new(http::Method::PUT).bucket(&check.bucket.name).key(key);
    put.body = Body::Bytes(bytes(3_000).into());
    put.need = Need::None;
    put.headers.insert(algorithm.header(), HeaderValue::from_str(&value.base64()).map_err(odd)?);
    let name = HeaderValue::from_str(&algorithm.to_string()).map_err(odd)?;
    put.headers.insert("x-amz-sdk-checksum-algorithm", name);
    check.call(&impatient(check, found)?, put).map(drop)
}

/// Returns the keys to sign a request with that no client can send; or why there are none here.
fn keys(check: &BucketCheck<'_>) -> Result<Keys, String> {
    let options = check.store.options();
    if let Some(keys) = options.keys() {
        return Ok(keys);
    }
    let from = options.s3_store_credential_source;
    let ambient = Ambient::read().map_err(|error| error.to_string())?;
    match ambient.resolver().named(from, options.s3_store_profile.as_deref()) {
        Ok(KeySource::Static(keys)) => Ok((*keys).clone()),
        Ok(_) => Err(format!("the keys of {from} are known to the client alone")),
        Err(error) => Err(error.to_string()),
    }
}

/// Sends a framed body followed by the checksum of other bytes. No client can send this request, so
/// it is written here.
fn wrong_trailer(
    check: &BucketCheck<'_>,
    found: &Found,
    algorithm: Algorithm,
    keys: &Keys,
) -> Result<(), Error> {
    let key = check.trial.name(&format!("{algorithm} wrong in a trailer"));
    let client = impatient(check, found)?;
    let plain = PutObject::new(&check.bucket.name, &*key, Bytes::new()).draft(client.service())?;
    let Sealing::SigV4 { region, service } = &plain.sealing else {
        return Err(Error::invalid_input("the request is not signed"));
    };
    let now = apus_blocking::now();
    let at = Timestamp::from_duration(now.unix);
    let signing = Signing::new(&keys.clone().into(), at, region, service, Rule::S3)?;

    let body = bytes(3_000);
    let name = algorithm.header();
    let mut framed = format!("{:x}\r\n", body.len()).into_bytes();
    framed.extend_from_slice(&body);
    let end = format!("\r\n0\r\n{name}:{}\r\n\r\n", wrong(algorithm)?.base64());
    framed.extend_from_slice(end.as_bytes());

    let mut draft = Draft::new("PutObject", http::Method::PUT, plain.head.uri.clone());
    let headers = &mut draft.head.headers;
    if let Some(host) = plain.head.headers.get(HOST) {
        headers.insert(HOST, host.clone());
    }
    headers.insert("x-amz-decoded-content-length", body.len().into());
    headers.insert("x-amz-trailer", HeaderValue::from_str(name.as_str()).map_err(odd)?);
    let algorithm = HeaderValue::from_str(&algorithm.to_string()).map_err(odd)?;
    headers.insert("x-amz-sdk-checksum-algorithm", algorithm);
    let target = draft.target().to_owned();
    let payload = Payload::StreamingUnsignedTrailer;
    signing.sign(&http::Method::PUT, &target, &mut draft.head.headers, &payload)?;
    draft.body = Body::Bytes(framed.into());
    draft.timeouts = plain.timeouts;
    let exchange = Exchange::open(draft, now, 0);
    let done = client.transport().perform(exchange, &Source::none(), &Sink::none());
    let reply = done.into_parts().1?;
    PutObject::new("", "", "").parse(client.service(), &reply).map(drop)
}

fn wrong(algorithm: Algorithm) -> Result<Value, Error> {
    algorithm.digest(b"other bytes")
}

/// Returns a client that does not retry.
fn impatient(check: &BucketCheck<'_>, found: &Found) -> Result<Client<Service>, Error> {
    check.variant(|config| {
        found.address(config);
        config.retry_policy.attempts = 1;
    })
}

fn odd(_: http::header::InvalidHeaderValue) -> Error {
    Error::invalid_input("the checksum value is not valid in a header")
}

/// The algorithms that have a header, and that at least one server is known to accept.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::Crc64Nvme,
    Algorithm::Crc32c,
    Algorithm::Crc32,
    Algorithm::Sha256,
    Algorithm::Sha1,
    Algorithm::Sha512,
    Algorithm::XxHash64,
    Algorithm::XxHash3,
    Algorithm::XxHash128,
];

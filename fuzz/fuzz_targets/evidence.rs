//! A multipart upload whose completion was carried out or not: the answer is lost, the repetition is
//! refused, and HEAD shows whatever object there is. It may say that the object is its own only where
//! something proves it: a tag or a checksum that no other bytes have.
#![no_main]

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apus_core::Error;
use apus_core::Now;
use apus_core::checksum::{Algorithm, Composite};
use apus_core::credentials::Credentials;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Completion, Exchange, Outgoing};
use apus_core::machine::{
    Auth, PartLimits, Pump, S3Upload, Turn, UploadOptions, UploadSource, Uploaded,
};
use apus_core::s3::{BaseUrl, Conditions, Config, EndpointConfig, Service};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Case {
    conditional: bool,
    /// The tags of parts are MD5s.
    tags: bool,
    refusal: Refusal,
    etag: Tag,
    length: Length,
    crc: Option<Sum>,
    /// Its checksum is said to be over the whole.
    full: Option<bool>,
    head: u8,
}

#[derive(Arbitrary, Debug)]
enum Refusal {
    NoSuchUpload,
    AccessDenied,
    InvalidPart,
    PreconditionFailed,
    /// It answers 200, and the body is this.
    Unreadable(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Tag {
    None,
    Ours,
    OfOneRequest,
    OtherParts,
    Text(String),
}

#[derive(Arbitrary, Debug)]
enum Length {
    None,
    Ours,
    Other(u8),
}

#[derive(Arbitrary, Debug)]
enum Sum {
    Ours,
    OursOfParts,
    Text(String),
}

const NOW: Now = Now { tick: Duration::from_secs(9), unix: Duration::from_secs(1_767_322_800) };
const BYTES: &[u8] = b"twenty-four bytes of us.";
const PART: usize = 8;

fuzz_target!(|case: Case| {
    let mut attempts = 0;
    let (result, proof) = run(&case, &mut attempts);
    if let Ok(done) = result {
        assert_eq!(done.size, BYTES.len() as u64);
        assert!(proof, "it says yes: {case:?}");
    }
});

fn run(case: &Case, completions: &mut u32) -> (Result<Uploaded, Error>, bool) {
    let url = BaseUrl::parse("http://127.0.0.1:9000").unwrap();
    let config = Config::new(EndpointConfig::custom(url, "us-east-1"));
    let service = Arc::new(Service::new(config).unwrap());
    let mut options = UploadOptions {
        threshold: 0,
        part_size: PART as u64,
        limits: PartLimits { smallest: 1, ..PartLimits::default() },
        ..UploadOptions::default()
    };
    options.checksum.algorithm = Some(Algorithm::Crc32);
    if case.conditional {
        options.conditions = Conditions { if_none_match: Some("*".into()), ..options.conditions };
    }
    let source = UploadSource::Seekable(BYTES.len() as u64);
    let upload = S3Upload::new("b", "k", source, options, service, 1).unwrap();
    let auth = Auth::new(Credentials::anonymous());
    let mut pump = Pump::new(upload, vec![auth], Waker::noop().clone());
    let (headers, proof) = shown(case);
    let mut now = NOW;
    for _ in 0..500 {
        match pump.turn(now) {
            Turn::Launch(exchange) => {
                let done = answer(case, exchange, completions, &headers);
                pump.complete(now, done);
            }
            Turn::Park(Some(wait)) => now = now.after(wait.until.saturating_sub(now.tick)),
            Turn::Park(None) => panic!("it waits for nothing"),
            Turn::Done(result) => return (result, proof),
        }
    }
    panic!("it does not end");
}

/// What HEAD shows, and whether it proves anything.
fn shown(case: &Case) -> (Vec<(&'static str, String)>, bool) {
    let md5 = |bytes: &[u8]| Algorithm::Md5.digest(bytes).unwrap();
    let of_parts = |algorithm: Algorithm| {
        Composite::of(BYTES.chunks(PART).map(|part| algorithm.digest(part).unwrap())).unwrap()
    };
    let ours = of_parts(Algorithm::Md5).etag();
    let mut headers = Vec::new();
    let mut proof = false;
    let etag = match &case.etag {
        Tag::None => None,
        Tag::Ours => Some(ours.clone()),
        Tag::OfOneRequest => Some(md5(BYTES).hex()),
        Tag::OtherParts => Some("d41d8cd98f00b204e9800998ecf8427e-3".into()),
        Tag::Text(text) => Some(text.clone()),
    };
    if let Some(etag) = etag {
        proof |= case.tags && etag.trim_matches('"').eq_ignore_ascii_case(&ours);
        headers.push(("etag", format!("\"{etag}\"")));
    }
    match case.length {
        Length::None => {}
        Length::Ours => headers.push(("content-length", BYTES.len().to_string())),
        Length::Other(length) => {
            proof &= usize::from(length) == BYTES.len();
            headers.push(("content-length", length.to_string()));
        }
    }
    let fits = !matches!(case.length, Length::Other(length) if usize::from(length) != BYTES.len());
    let whole = Algorithm::Crc32.digest(BYTES).unwrap().base64();
    let parts = of_parts(Algorithm::Crc32).to_string();
    let sum = case.crc.as_ref().map(|sum| match sum {
        Sum::Ours => whole.clone(),
        Sum::OursOfParts => parts.clone(),
        Sum::Text(text) => text.clone(),
    });
    if let Some(sum) = sum {
        proof |= fits && (sum == whole || parts.contains(&*sum) && !sum.is_empty());
        headers.push(("x-amz-checksum-crc32", sum));
    }
    if let Some(full) = case.full {
        let told = if full { "FULL_OBJECT" } else { "COMPOSITE" };
        headers.push(("x-amz-checksum-type", told.into()));
    }
    (headers, proof)
}

fn answer(
    case: &Case,
    mut exchange: Exchange,
    completions: &mut u32,
    head: &[(&'static str, String)],
) -> Completion {
    let operation = exchange.operation();
    let body = match exchange.outgoing() {
        Outgoing::Source { range } => BYTES[range.start as usize..range.end as usize].to_vec(),
        Outgoing::Bytes(bytes) => bytes.to_vec(),
        Outgoing::Empty => Vec::new(),
    };
    if exchange.measures() {
        exchange.load(body.clone().into()).unwrap();
    }
    exchange.request().unwrap();
    let mut encoder = exchange.encoder().unwrap();
    for piece in body.chunks(encoder.frame_size().unwrap_or(usize::MAX)) {
        encoder.frame(piece).unwrap();
    }
    encoder.end().unwrap();
    match operation {
        "CreateMultipartUpload" => reply(exchange, 200, &[], CREATED.as_bytes()),
        "UploadPart" => {
            let md5 = Algorithm::Md5.digest(&body).unwrap().hex();
            let tag = if case.tags { format!("\"{md5}\"") } else { "\"random\"".into() };
            reply(exchange, 200, &[("etag", tag)], b"")
        }
        "CompleteMultipartUpload" => {
            *completions += 1;
            match &case.refusal {
                _ if *completions == 1 => {
                    let lost = ExchangeError::new(ExchangeErrorKind::Closed, "the answer is lost");
                    exchange.fail(lost)
                }
                Refusal::NoSuchUpload => refused(exchange, 404, "NoSuchUpload"),
                Refusal::AccessDenied => refused(exchange, 403, "AccessDenied"),
                Refusal::InvalidPart => refused(exchange, 400, "InvalidPart"),
                Refusal::PreconditionFailed => refused(exchange, 412, "PreconditionFailed"),
                // It is carried out, and nobody can read so.
                Refusal::Unreadable(body) => reply(exchange, 500, &[], body),
            }
        }
        "HeadObject" if case.head % 8 == 7 => refused(exchange, 404, ""),
        "HeadObject" => reply(exchange, 200, head, b""),
        "ListParts" => refused(exchange, 404, "NoSuchUpload"),
        _ => reply(exchange, 204, &[], b""),
    }
}

fn refused(exchange: Exchange, status: u16, code: &str) -> Completion {
    let body = format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
    reply(exchange, status, &[], body.as_bytes())
}

fn reply(
    exchange: Exchange,
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
) -> Completion {
    let mut parts = ::http::Response::builder().status(status).body(()).unwrap().into_parts().0;
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            parts.headers.insert(*name, value);
        }
    }
    let mut receiving = exchange.respond(parts);
    if receiving.has_body() {
        _ = receiving.push(body);
    }
    receiving.finish(None)
}

const CREATED: &str =
    "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";

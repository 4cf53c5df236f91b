//! Sources with another length than was announced, or than at the start of the upload.

use apus_core::contract::OnFailure;
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::{Checkpoint, PartLimits, S3Upload, UploadOptions, UploadSource};
use apus_core::{Error, Kind};

use crate::support::{Answer, Run, Sim, object, service};

fn options() -> UploadOptions {
    let limits = PartLimits { parts: 100, smallest: 1, largest: 1 << 20, object: 1 << 20 };
    UploadOptions { threshold: 0, part_size: 8, concurrency: 1, limits, ..UploadOptions::default() }
}

/// Takes everything, and says that these parts of eight bytes are there.
fn server(parts: u32) -> impl FnMut(&http::request::Parts, &[u8]) -> Answer {
    move |head, _| {
        let query = head.uri.query().unwrap_or_default();
        let body = match head.method.as_str() {
            "POST" if query.starts_with("uploads") => {
                "<InitiateMultipartUploadResult><UploadId>u</UploadId>\
                 </InitiateMultipartUploadResult>"
                    .to_owned()
            }
            "POST" => "<CompleteMultipartUploadResult><ETag>tag</ETag>\
                       </CompleteMultipartUploadResult>"
                .to_owned(),
            "GET" if parts == 0 => return Answer::error(404, "NoSuchUpload"),
            "GET" => {
                let part = |number| {
                    format!(
                        "<Part><PartNumber>{number}</PartNumber><ETag>tag</ETag><Size>8</Size></Part>"
                    )
                };
                let parts: String = (1..=parts).map(part).collect();
                format!(
                    "<ListPartsResult><IsTruncated>false</IsTruncated>{parts}</ListPartsResult>"
                )
            }
            "DELETE" => return Answer::new(204),
            _ => return Answer::new(200).header("etag", "\"tag\""),
        };
        Answer::new(200).body(body)
    }
}

fn upload(announced: u64, sent: usize) -> Run<S3Upload> {
    let source = UploadSource::Stream(Some(announced));
    let service = service(|config| config.checksum = no_checksums());
    let upload = S3Upload::new("bucket", "key", source, options(), service, 1).unwrap();
    Sim::new(upload).stream(object(sent)).run(server(0))
}

fn no_checksums() -> apus_core::checksum::Policy {
    apus_core::checksum::Policy {
        request: apus_core::checksum::RequestChecksumCalculation::Never,
        ..apus_core::checksum::Policy::default()
    }
}

#[track_caller]
fn is_of_length(error: &Error, what: &str) {
    assert_eq!(
        error.exchange_error().map(|failure| failure.kind()),
        Some(ExchangeErrorKind::Length),
        "{error}"
    );
    assert!(error.to_string().contains(what), "{error}");
}

#[test]
fn a_stream_that_ends_before_its_announced_length_is_removed() {
    let run = upload(40, 27);
    is_of_length(&run.result.unwrap_err(), "27 of 40 announced bytes");
    assert!(run.requests.iter().any(|one| one.starts_with("DELETE ")), "{:?}", run.requests);
    let completed = |one: &String| one.starts_with("POST ") && one.contains("uploadId=");
    assert!(!run.requests.iter().any(completed), "{:?}", run.requests);
}

#[test]
fn a_stream_that_goes_on_after_its_announced_length_is_removed() {
    let run = upload(40, 41);
    is_of_length(&run.result.unwrap_err(), "more than the 40 announced bytes");
    assert!(run.requests.iter().any(|one| one.starts_with("DELETE ")), "{:?}", run.requests);
}

#[test]
fn a_stream_of_its_announced_length_is_stored() {
    assert_eq!(upload(40, 40).result.unwrap().size, 40);
}

/// A checkpoint of a stream of which three parts were stored.
fn checkpoint() -> Checkpoint {
    let source = UploadSource::Stream(None);
    let service = service(|config| config.checksum = no_checksums());
    let options = UploadOptions { on_failure: OnFailure::Keep, ..options() };
    let upload = S3Upload::new("bucket", "key", source, options, service, 1).unwrap();
    let mut answer = server(0);
    let run = Sim::new(upload).stream(object(40)).run(|head, body| {
        match head.uri.query().is_some_and(|query| query.contains("partNumber=4")) {
            true => Answer::error(403, "AccessDenied"),
            false => answer(head, body),
        }
    });
    assert_eq!(run.result.unwrap_err().kind(), Kind::Refused);
    let checkpoint = run.pump.machine().checkpoint().unwrap();
    assert_eq!(checkpoint.acknowledged(), 24);
    checkpoint
}

#[test]
fn an_upload_does_not_go_on_with_a_source_that_is_shorter_than_what_is_stored() {
    for (length, fits) in [(40, true), (24, true), (17, false)] {
        let service = service(|config| config.checksum = no_checksums());
        let source = UploadSource::Stream(None);
        let resumed = S3Upload::resume(checkpoint(), source, options(), service, 2).unwrap();
        let run = Sim::new(resumed).stream(object(length)).run(server(3));
        match run.result {
            Ok(done) => assert!(fits && done.size == length as u64, "{length}: {done:?}"),
            Err(error) => assert!(!fits && error.kind() == Kind::InvalidInput, "{length}: {error}"),
        }
    }
}

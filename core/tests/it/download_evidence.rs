//! What a download is compared with if the server declares no checksum: the ETag, if it is an MD5,
//! and values from the caller.

use apus_core::Kind;
use apus_core::checksum::{Algorithm, NotValidatedReason, Validation, Value};
use apus_core::machine::DownloadOptions;
use http::request;

use crate::support::stored::{Stored, checked, cutting, failure, get, serve, wide};
use crate::support::{Run, Sim};

/// An object of so many bytes whose ETag is their MD5.
fn tagged(length: usize) -> Stored {
    let stored = Stored::new(length);
    let md5 = Algorithm::Md5.digest(&stored.bytes).unwrap().hex();
    Stored { etag: Some(Box::leak(format!("\"{md5}\"").into_boxed_str())), ..stored }
}

/// The same object with another byte in the middle.
fn spoilt(stored: &Stored) -> Stored {
    let mut bytes = stored.bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Stored { bytes: bytes.into(), ..stored.clone() }
}

fn verify(options: DownloadOptions) -> DownloadOptions {
    DownloadOptions { verify_etag: true, ..options }
}

fn knowing(options: DownloadOptions, expected: &[Value]) -> DownloadOptions {
    DownloadOptions { expected: expected.to_vec(), ..options }
}

#[test]
fn an_etag_that_is_an_md5_is_compared() {
    for (options, requests) in [
        (DownloadOptions::default(), &["GET /bucket/key"][..]),
        // In order, where it is the only evidence.
        (wide(4, 1000), &["HEAD /bucket/key", "GET /bucket/key"]),
    ] {
        let stored = tagged(5000);
        let run = serve(get(verify(options.clone()), |_| {}, |_| {}), &stored);
        assert_eq!(run.requests, requests);
        assert_eq!(run.result.unwrap().validation, Validation::Validated(Algorithm::Md5));
        assert_eq!(run.sink, stored.bytes);
        let run = serve(get(verify(options.clone()), |_| {}, |_| {}), &spoilt(&stored));
        let error = failure(run);
        assert_eq!(error.kind(), Kind::Integrity);
        assert!(error.to_string().contains("ETag"), "{error}");
        // Who did not ask for it is not told that it differs, and nothing is hashed.
        let done = serve(get(options, |_| {}, |_| {}), &stored).result.unwrap();
        assert_eq!(done.validation, Validation::NotValidated(NotValidatedReason::NotAsked));
        assert!(done.digests.is_empty());
    }
}

#[test]
fn what_is_cut_and_resumed_is_compared_as_a_whole() {
    let stored = tagged(5000);
    let machine = get(verify(DownloadOptions::default()), |_| {}, |_| {});
    let run = cutting(machine, &stored, &[0, 1700, 1]);
    assert_eq!(run.result.unwrap().validation, Validation::Validated(Algorithm::Md5));
    assert_eq!(run.sink, stored.bytes);
}

#[test]
fn an_etag_that_can_be_no_md5_proves_nothing() {
    let md5 = "5d41402abc4b2a76b9719d911017c592";
    for etag in ["v1".to_owned(), format!("\"{md5}-2\""), String::new()] {
        let etag = &*Box::leak(etag.into_boxed_str());
        let stored =
            Stored { etag: Some(etag).filter(|etag| !etag.is_empty()), ..Stored::new(5000) };
        for options in [DownloadOptions::default(), wide(4, 1000)] {
            let done = serve(get(verify(options), |_| {}, |_| {}), &stored).result.unwrap();
            assert!(!done.validation.is_validated(), "{etag}");
            assert_eq!(done.bytes, 5000);
            assert!(done.digests.is_empty(), "nothing was hashed for {etag}");
        }
    }
}

#[test]
fn the_etag_of_an_encrypted_object_is_not_its_md5() {
    for (name, value) in [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption", "aws:kms:dsse"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    ] {
        let stored = spoilt(&tagged(5000));
        for options in [DownloadOptions::default(), wide(4, 1000)] {
            let machine = get(verify(options), |_| {}, |_| {});
            let run = Sim::new(machine).run(|head, _| stored.answer(head).header(name, value));
            assert!(!run.result.unwrap().validation.is_validated(), "{value}");
        }
    }
    // With keys of S3 itself, it is.
    let stored = tagged(5000);
    let run = Sim::new(get(verify(DownloadOptions::default()), |_| {}, |_| {}))
        .run(|head, _| stored.answer(head).header("x-amz-server-side-encryption", "AES256"));
    assert!(run.result.unwrap().validation.is_validated());
}

#[test]
fn a_provider_whose_etags_are_no_md5s_is_not_believed() {
    let stored = spoilt(&tagged(5000));
    let machine = get(
        verify(wide(4, 1000)),
        |_| {},
        |config| {
            config.quirks.etag_is_md5 = false;
        },
    );
    let done = serve(machine, &stored).result.unwrap();
    assert_eq!(done.validation, Validation::NotValidated(NotValidatedReason::NotAsked));
}

#[test]
fn a_checksum_of_the_servers_goes_before_its_etag() {
    let stored = tagged(10_000).with(Algorithm::Crc32);
    let run = serve(get(verify(wide(4, 1000)), checked, |_| {}), &stored);
    assert!(run.peak > 1, "it combines");
    let done = run.result.unwrap();
    assert_eq!(done.validation, Validation::Validated(Algorithm::Crc32));
    assert_eq!(done.digests.value(Algorithm::Md5), None);
}

#[test]
fn a_range_is_not_compared_with_what_is_of_the_whole() {
    let stored = spoilt(&tagged(5000));
    let other = Algorithm::Sha256.digest(b"other").unwrap();
    let options = verify(knowing(DownloadOptions::default(), &[other]));
    let machine =
        get(options, |get| get.range = Some(apus_core::s3::ByteRange::Span(10..20)), |_| {});
    let done = serve(machine, &stored).result.unwrap();
    assert!(!done.validation.is_validated());
    assert_eq!(done.bytes, 10);
}

#[test]
fn what_the_caller_knows_is_compared() {
    let stored = Stored::new(5000);
    let digest = |algorithm: Algorithm| algorithm.digest(&stored.bytes).unwrap();
    let known = [digest(Algorithm::Sha512), digest(Algorithm::Md5)];
    for options in [DownloadOptions::default(), wide(4, 1000)] {
        let run = serve(get(knowing(options.clone(), &known), |_| {}, |_| {}), &stored);
        assert_eq!(run.result.unwrap().validation, Validation::Validated(Algorithm::Sha512));
        let run = serve(get(knowing(options.clone(), &known), |_| {}, |_| {}), &spoilt(&stored));
        assert_eq!(failure(run).kind(), Kind::Integrity);
        // The second of them differs.
        let other = [known[0], Algorithm::Md5.digest(b"other").unwrap()];
        let error = failure(serve(get(knowing(options, &other), |_| {}, |_| {}), &stored));
        assert!(error.message().contains("MD5"), "{error}");
    }
    // One that combines leaves ranges beside each other.
    let run =
        serve(get(knowing(wide(4, 1000), &[digest(Algorithm::Crc32)]), |_| {}, |_| {}), &stored);
    assert!(run.peak > 1);
    assert_eq!(run.result.unwrap().validation, Validation::Validated(Algorithm::Crc32));
}

#[test]
fn an_empty_object_is_compared_too() {
    let stored = Stored::new(0);
    let nothing = Algorithm::Sha256.digest(b"").unwrap();
    let other = Algorithm::Sha256.digest(b"other").unwrap();
    for options in [DownloadOptions::default(), wide(4, 1000)] {
        let done = serve(get(knowing(options.clone(), &[nothing]), |_| {}, |_| {}), &stored);
        assert!(done.result.unwrap().validation.is_validated());
        let error = failure(serve(get(knowing(options, &[other]), |_| {}, |_| {}), &stored));
        assert_eq!(error.kind(), Kind::Integrity);
    }
}

#[test]
fn another_length_than_is_known_is_refused_before_a_byte_is_delivered() {
    let refused = |run: Run<apus_core::machine::S3Download>| {
        assert_eq!(run.sink.len(), 0);
        let error = failure(run);
        assert_eq!(error.kind(), Kind::Integrity);
        assert!(error.to_string().contains("4999"), "{error}");
    };
    let stored = Stored::new(5000);
    let told = |head: &request::Parts| {
        let answer = stored.answer(head);
        let whole = answer.status == 200 && head.method == "GET";
        if whole { answer.header("content-length", 5000) } else { answer }
    };
    for options in [DownloadOptions::default(), wide(4, 1000), verify(wide(4, 1000))] {
        let options = DownloadOptions { size: Some(4999), ..options };
        refused(Sim::new(get(options.clone(), |_| {}, |_| {})).run(|head, _| told(head)));
        let right = DownloadOptions { size: Some(5000), ..options };
        assert_eq!(serve(get(right, |_| {}, |_| {}), &stored).result.unwrap().bytes, 5000);
    }
    // A server that does not tell the length: it is known at the end.
    let options = DownloadOptions { size: Some(4999), ..DownloadOptions::default() };
    let run = serve(get(options, |_| {}, |_| {}), &stored);
    assert_eq!(failure(run).kind(), Kind::Integrity);
}

/// "If the field would have been sent in a 200 (OK) response", a 206 has an ETag (RFC 9110, section
/// 15.3.7). A gateway that ignores `If-Match` and leaves it out may serve another object.
#[test]
fn a_range_without_the_etag_of_the_others_is_not_known_to_be_of_the_same_object() {
    let stored = Stored { conditional: false, ..Stored::new(5000) };
    let other = Stored { bytes: spoilt(&stored).bytes, etag: None, ..stored.clone() };
    for options in [wide(4, 1000), wide(1, 1000), DownloadOptions::default()] {
        // For a moment: what is requested again is of the object.
        for moment in [true, false] {
            let mut asked = 0;
            let run = Sim::new(get(options.clone(), |_| {}, |_| {})).run(|head, _| {
                asked += 1;
                let first = head.headers.get("range").is_none_or(|range| range == "bytes=0-999");
                match first || moment && asked > 3 {
                    true if asked == 1 => stored.answer(head).cut(700),
                    true => stored.answer(head),
                    false => other.answer(head),
                }
            });
            match moment {
                true => {
                    run.result.unwrap();
                    assert!(run.sink == stored.bytes);
                }
                false => {
                    let error = failure(run);
                    assert_eq!(error.kind(), Kind::InvalidResponse, "{error}");
                    assert!(error.to_string().contains("ETag"), "{error}");
                }
            }
        }
    }
}

//! How often the bytes of an upload are hashed, and what proves a write when a digest was not
//! computed while the bytes were sent.
//!
//! A signature over plain http covers the body by its SHA-256 ("Signature Calculations for the
//! Authorization Header", S3 API reference), and the server compares it. The MD5, which is the
//! ETag, is computed where nothing else covers the body, or when it alone can prove what a lost
//! response was.

use apus_core::checksum::Algorithm;
use apus_core::credentials::Credentials;
use apus_core::error::ExchangeErrorKind;
use apus_core::http::Body;
use apus_core::machine::{Auth, Call, S3Upload, UploadOptions, UploadSource};
use apus_core::quirks::Provider;
use apus_core::s3::{Conditions, Config, PayloadSigning, PutObject};
use apus_core::sign::Keys;
use bytes::Bytes;

use crate::support::{Answer, Run, Sim, object, service};

fn signed() -> Auth {
    Auth::new(Credentials::new(Keys::new("AKIDEXAMPLE", "SECRETEXAMPLE")))
}

fn heeds(config: &mut Config) {
    config.quirks.conditional_put = true;
    config.quirks.conditional_complete = true;
}

/// A server that stores whatever it is sent, and has MD5s as ETags.
fn stores(head: &http::request::Parts, body: &[u8]) -> Answer {
    let md5 = Algorithm::Md5.digest(body).unwrap().hex();
    match (head.method.as_str(), head.uri.query()) {
        ("POST", Some("uploads")) => Answer::new(200).body(
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        ),
        ("POST", _) => Answer::new(200)
            .body("<CompleteMultipartUploadResult><ETag>t</ETag></CompleteMultipartUploadResult>"),
        ("PUT", _) => Answer::new(200).header("etag", md5),
        other => panic!("{other:?}"),
    }
}

fn uploaded(length: usize, set: impl FnOnce(&mut Config), auth: Auth) -> usize {
    let options = UploadOptions {
        threshold: 100,
        part_size: 8 << 20,
        conditions: Conditions::absent(),
        verify_etag: true,
        ..UploadOptions::default()
    };
    let set = |config: &mut Config| {
        heeds(config);
        set(config);
    };
    let source = UploadSource::Seekable(length as u64);
    let upload = S3Upload::new("bucket", "key", source, options, service(set), 1).unwrap();
    let run = Sim::with_auth(upload, auth).source(object(length)).run(stores);
    run.result.unwrap();
    run.hashed.iter().filter(|(name, _)| !name.starts_with("C")).map(|(_, bytes)| bytes).sum()
}

#[test]
fn what_the_signature_covers_is_hashed_once() {
    // One request, and an upload in parts.
    for length in [100, (8 << 20) + 5] {
        let crcs = if length == 100 { length } else { 0 };
        assert_eq!(uploaded(length, |_| {}, signed()), length + crcs, "{length} bytes");
        let unsigned = |config: &mut Config| config.payload = PayloadSigning::Unsigned;
        assert_eq!(uploaded(length, unsigned, signed()), length + crcs, "{length} bytes, by MD5");
        // Nothing covers the bytes of an anonymous request.
        assert_eq!(uploaded(length, |_| {}, Auth::new(Credentials::anonymous())), length + crcs);
    }
}

#[test]
fn what_a_checksum_covers_is_hashed_once_where_the_server_compares_checksums() {
    let summed = |provider: Provider| {
        move |config: &mut Config| {
            config.quirks = provider.quirks();
            config.checksum.enable_data_integrity_protection = true;
            config.checksum.request =
                apus_core::checksum::RequestChecksumCalculation::WhenSupported;
            config.payload = PayloadSigning::Unsigned;
        }
    };
    assert_eq!(uploaded(100, summed(Provider::Aws), signed()), 100);
    // Ceph 16 and 18 ignore a checksum in a header: an MD5 is compared besides.
    assert_eq!(uploaded(100, summed(Provider::Ceph), signed()), 200);
}

/// Calls a PutObject of bytes of a source at a server that answers so, and another source from the
/// second reading on.
fn put(
    answers: &[Answer],
    set: impl FnOnce(&mut PutObject),
    provider: Provider,
) -> Run<Call<PutObject>> {
    let body = Body::Source { range: 0..5, rewindable: true };
    let mut put = PutObject::from_body("bucket", "key", body);
    put.conditions = Conditions::absent();
    set(&mut put);
    let at = service(|config| config.quirks = provider.quirks());
    let mut answers = answers.iter().cloned();
    Sim::with_auth(Call::new(put, at, 1), signed())
        .source(Bytes::from_static(b"hello"))
        .run(|head, _| answers.next().unwrap_or_else(|| panic!("too much is asked: {head:?}")))
}

fn lost() -> Answer {
    Answer::lost(ExchangeErrorKind::Closed)
}

fn refused() -> Answer {
    Answer::error(412, "PreconditionFailed")
}

fn shown(etag: &str) -> Answer {
    Answer::new(200).header("content-length", 5).header("etag", etag)
}

#[test]
fn a_lost_response_makes_the_md5_necessary_and_only_then_it_is_computed() {
    let run = put(&[Answer::new(200).header("etag", HELLO)], |_| {}, Provider::Aws);
    run.result.unwrap();
    assert_eq!(run.hashed, [("PutObject", 5)]);
    let run = put(&[lost(), refused(), shown(HELLO)], |_| {}, Provider::Aws);
    assert_eq!(run.result.unwrap().etag.opaque(), HELLO);
    assert!(run.pump.machine().is_recovered());
    let requests = ["PUT /bucket/key", "PUT /bucket/key", "HEAD /bucket/key", "HashBody 10"];
    assert_eq!(run.requests, requests);
    // Another object, and one that nothing proves.
    let error = put(&[lost(), refused(), shown(NOTHING)], |_| {}, Provider::Aws).result;
    let error = error.unwrap_err();
    assert!(!error.outcome_unknown() && error.is_precondition_failed(), "{error}");
    let run = put(&[lost(), refused(), shown("opaque")], |_| {}, Provider::Aws);
    assert!(run.result.unwrap_err().outcome_unknown());
    assert_eq!(run.hashed.len(), 3, "no digest would help");
}

#[test]
fn a_checksum_of_the_server_is_computed_over_the_body_after_a_lost_response() {
    let keyed = |bytes: &[u8]| {
        shown(NOTHING)
            .header("x-amz-server-side-encryption", "aws:kms")
            .header("x-amz-checksum-type", "FULL_OBJECT")
            .header("x-amz-checksum-crc64nvme", Algorithm::Crc64Nvme.digest(bytes).unwrap())
    };
    put(&[lost(), refused(), keyed(b"hello")], |_| {}, Provider::Aws).result.unwrap();
    let other = put(&[lost(), refused(), keyed(b"HELLO")], |_| {}, Provider::Aws);
    assert!(!other.result.unwrap_err().outcome_unknown());
}

#[test]
fn a_source_that_changed_since_it_was_sent_proves_nothing() {
    let body = Body::Source { range: 0..5, rewindable: true };
    let mut put = PutObject::from_body("bucket", "key", body);
    put.conditions = Conditions::absent();
    let at = service(|config| config.quirks = Provider::Aws.quirks());
    // The server has what was sent; what is read again is what another client stored meanwhile.
    for (there, again) in [(HELLO, "HELLO"), (UPPER, "HELLO")] {
        let mut answers = [lost(), refused(), shown(there)].into_iter();
        let run = Sim::with_auth(Call::new(put.clone(), at.clone(), 1), signed())
            .source(Bytes::from_static(b"hello"))
            .then_source(2, again)
            .run(|_, _| answers.next().unwrap());
        assert_eq!(run.hashed.last(), Some(&("HashBody", 10)));
        assert!(run.result.unwrap_err().outcome_unknown(), "{there}");
    }
}

#[test]
fn a_source_that_can_be_read_once_leaves_the_outcome_unknown() {
    let once = |put: &mut PutObject| put.body = Body::Source { range: 0..5, rewindable: false };
    let body = Answer::lost(ExchangeErrorKind::Closed);
    let run = put(&[body, shown(HELLO)], once, Provider::Aws);
    assert!(run.result.unwrap_err().outcome_unknown());
    assert!(run.hashed.iter().all(|(name, _)| *name != "HashBody"));
}

/// The MD5s of `hello`, of `HELLO` and of nothing, from RFC 1321's algorithm as hashlib has it.
const HELLO: &str = "5d41402abc4b2a76b9719d911017c592";
const UPPER: &str = "eb61eead90e3b899c6bcbe27ac581660";
const NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

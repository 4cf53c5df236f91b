//! What a server refuses in a request is left out or replaced, where the configuration leaves the
//! choice, and the server is not asked for it again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use apus_core::checksum::{
    Algorithm, Placement, RequestChecksumCalculation, ResponseChecksumValidation, Validation,
};
use apus_core::contract::{Notice, Operation};
use apus_core::credentials::Credentials;
use apus_core::machine::{
    Auth, Call, DeleteManyOptions, DownloadOptions, Event, Observer, PartLimits, Pump,
    S3DeleteMany, S3Download, S3Upload, Turn, UploadOptions, UploadSource,
};
use apus_core::quirks::Provider;
use apus_core::s3::{
    ChecksumOptions, Conditions, CreateMultipartUpload, DeleteObjects, GetObject, Lock, PutObject,
    Service, UploadPart,
};
use apus_core::{Error, Kind, Now};
use http::{HeaderMap, Method};

use crate::support::{Answer, Sim, object, service};

/// Calls it at a server that answers as `answer` says, and returns the heads of the requests too.
fn call<O: Operation<Service = Service>>(
    operation: O,
    service: &Arc<Service>,
    mut answer: impl FnMut(&HeaderMap) -> Answer,
) -> (Result<O::Output, Error>, Vec<HeaderMap>) {
    let mut heads = Vec::new();
    let run = Sim::new(Call::new(operation, Arc::clone(service), 1)).run(|head, _| {
        heads.push(head.headers.clone());
        answer(&head.headers)
    });
    (run.result, heads)
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Answer::new(status).body(body)
}

fn deleted() -> Answer {
    Answer::new(200).body("<DeleteResult/>")
}

/// The digests that a request carries.
fn digests(head: &HeaderMap) -> Vec<&str> {
    let is_digest = |name: &&str| *name == "content-md5" || name.starts_with("x-amz-checksum-");
    head.keys().map(|name| name.as_str()).filter(is_digest).collect()
}

/// A service whose clients ask for checksums.
fn protective() -> Arc<Service> {
    service(|config| {
        config.checksum.enable_data_integrity_protection = true;
        config.checksum.request = RequestChecksumCalculation::WhenSupported;
    })
}

fn delete_many(
    service: &Arc<Service>,
    keys: &[&'static str],
) -> S3DeleteMany<std::vec::IntoIter<&'static str>> {
    let options = DeleteManyOptions { concurrency: 1, ..DeleteManyOptions::default() };
    S3DeleteMany::new("bucket", keys.to_vec(), Arc::clone(service), options, 7)
}

// s3proxy issue 962, cubefs issue 3813, Oracle's release notes of July 17, 2026 and OVHcloud's
// roadmap 763: DeleteObjects with a CRC32 is refused. All take Content-MD5, which S3 required first.
#[test]
fn an_unknown_server_gets_the_digest_that_every_server_takes() {
    let delete = || DeleteObjects::new("bucket", ["a"]);
    let (result, heads) = call(delete(), &service(|_| {}), |_| deleted());
    result.unwrap();
    assert_eq!(digests(&heads[0]), ["content-md5"]);
    // Amazon, and who asks for checksums, gets what was asked for.
    let amazon = service(|config| config.quirks = Provider::Aws.quirks());
    for service in [protective(), amazon] {
        let (_, heads) = call(delete(), &service, |_| deleted());
        assert_eq!(digests(&heads[0]), ["x-amz-checksum-crc32"]);
    }
    for provider in [Provider::Oci, Provider::Ovh] {
        let service = service(|config| config.quirks = provider.quirks());
        let (_, heads) = call(delete(), &service, |_| deleted());
        assert_eq!(digests(&heads[0]), ["content-md5"], "{provider}");
    }
}

// Backblaze B2 in 2025 (vatesfr/xen-orchestra 8358, diced/zipline 746): reads that ask for the
// object's checksum are refused.
#[test]
fn a_refused_request_for_the_checksum_of_a_read_is_left_out_and_remembered() {
    let backblaze = |head: &HeaderMap| match head.contains_key("x-amz-checksum-mode") {
        true => refused(
            400,
            "InvalidArgument",
            "Unsupported header 'x-amz-checksum-mode' received for this API call.",
        ),
        false => Answer::new(200).header("etag", "\"v1\"").body(object(100)),
    };
    let validating = || {
        service(|config| {
            config.checksum.enable_data_integrity_protection = true;
            config.checksum.response = ResponseChecksumValidation::WhenSupported;
        })
    };
    let service = validating();
    let modes = |heads: &[HeaderMap]| -> Vec<bool> {
        heads.iter().map(|head| head.contains_key("x-amz-checksum-mode")).collect()
    };
    let read = || GetObject::new("bucket", "key");
    let (result, heads) = call(read(), &service, backblaze);
    assert_eq!((result.unwrap().body, modes(&heads)), (object(100), vec![true, false]));
    let (result, heads) = call(read(), &service, backblaze);
    result.unwrap();
    assert_eq!(modes(&heads), [false]);
    // A read that is refused shows nothing about documents.
    let (_, heads) = call(DeleteObjects::new("bucket", ["a"]), &service, |_| deleted());
    assert_eq!(digests(&heads[0]), ["content-md5"]);

    // A download does so too.
    let service = validating();
    let download = || {
        let options = DownloadOptions::default();
        S3Download::new(read(), Arc::clone(&service), options, 1)
    };
    for expected in [2, 1] {
        let run = Sim::new(download()).run(|head, _| backblaze(&head.headers));
        assert_eq!((run.requests.len(), run.sink), (expected, object(100).to_vec()));
        let validation = run.result.unwrap().validation;
        assert!(matches!(validation, Validation::NotValidated(_)), "{validation:?}");
    }

    // What the call asks for is not left out, and the refusal says what helps.
    let asked = || GetObject { checksum_mode: true, ..read() };
    for service in [validating(), protective()] {
        let (result, heads) = call(asked(), &service, backblaze);
        let error = result.unwrap_err();
        assert!(heads.len() <= 4 && modes(&heads).iter().all(|asks| *asks), "{}", heads.len());
        let hint = error.hint().unwrap();
        assert!(hint.contains("`s3_store_response_checksum_validation`"), "{error}");
    }
}

#[test]
fn a_refused_checksum_of_a_document_is_replaced_and_remembered() {
    // Oracle's words, in earth-mover/icechunk 2109.
    let oracle = || {
        let message = "Missing required header for this request: Content-MD5 or \
                       x-amz-checksum-sha256 or x-amz-checksum-crc32c";
        refused(400, "InvalidRequest", message)
    };
    let service = protective();
    let answer = |head: &HeaderMap| match head.contains_key("content-md5") {
        true => deleted(),
        false => oracle(),
    };
    let (result, heads) = call(DeleteObjects::new("bucket", ["a"]), &service, answer);
    result.unwrap();
    assert_eq!(
        heads.iter().map(digests).collect::<Vec<_>>(),
        [["x-amz-checksum-crc32"], ["content-md5"]]
    );
    let (result, heads) = call(DeleteObjects::new("other", ["a"]), &service, answer);
    result.unwrap();
    assert_eq!(heads.len(), 1);
    // What the call names is not replaced.
    let mut named = DeleteObjects::new("bucket", ["a"]);
    named.checksum = ChecksumOptions::algorithm(Algorithm::Crc32);
    let (result, _) = call(named, &protective(), answer);
    assert_eq!(result.unwrap_err().code(), Some("InvalidRequest"));
    let placed = service_with(Placement::Header);
    let (result, heads) = call(DeleteObjects::new("bucket", ["a"]), &placed, answer);
    assert_eq!((result.unwrap_err().kind(), heads.len()), (Kind::Refused, 1));
}

fn service_with(placement: Placement) -> Arc<Service> {
    service(|config| {
        config.checksum.placement = placement;
        config.quirks = Provider::Aws.quirks();
    })
}

// Cloudflare R2, aws/aws-sdk-js-v3 6810; Backblaze B2.
#[test]
fn a_refused_checksum_of_an_object_is_replaced_and_remembered() {
    let service = protective();
    let answer = |head: &HeaderMap| {
        let is_checksum = digests(head).iter().any(|name| name.starts_with("x-amz"));
        match is_checksum {
            true => refused(
                501,
                "NotImplemented",
                "Header &apos;x-amz-checksum-crc32&apos; with value &apos;AAAAAA==&apos; not implemented",
            ),
            false => Answer::new(200).header("etag", "tag"),
        }
    };
    let (result, heads) = call(PutObject::new("bucket", "key", "a"), &service, answer);
    result.unwrap();
    assert_eq!((heads.len(), digests(&heads[1])), (2, vec!["content-md5"]));
    let part = || UploadPart::new("bucket", "key", "id", 1, "a");
    let (result, heads) = call(part(), &service, answer);
    result.unwrap();
    assert_eq!((heads.len(), digests(&heads[0])), (1, vec!["content-md5"]));

    let service = protective();
    let answer = |head: &HeaderMap| match head.contains_key("x-amz-sdk-checksum-algorithm") {
        true => refused(
            400,
            "InvalidArgument",
            "Unsupported header &apos;x-amz-sdk-checksum-algorithm&apos; received for this API call.",
        ),
        false => Answer::new(200).header("etag", "tag"),
    };
    let (result, heads) = call(PutObject::new("bucket", "key", "a"), &service, answer);
    result.unwrap();
    assert_eq!((heads.len(), digests(&heads[1])), (2, vec!["x-amz-checksum-crc32"]));
    assert_eq!(call(part(), &service, answer).1.len(), 1);
}

// Amazon's words for a bucket with a default retention ("Uploading objects to an Object Lock enabled
// bucket").
#[test]
fn a_bucket_whose_objects_need_a_digest_gets_one() {
    let service = service(|_| {});
    let answer = |head: &HeaderMap| match digests(head).is_empty() {
        true => refused(
            400,
            "InvalidRequest",
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with \
             Object Lock parameters",
        ),
        false => Answer::new(200).header("etag", "tag"),
    };
    let (result, heads) = call(PutObject::new("bucket", "key", "a"), &service, answer);
    result.unwrap();
    assert_eq!(heads.len(), 2);
    let (result, heads) = call(UploadPart::new("bucket", "key", "id", 1, "a"), &service, answer);
    result.unwrap();
    assert_eq!(heads.len(), 1);
    let (_, heads) = call(PutObject::new("other", "key", "a"), &service, |_| Answer::new(200));
    assert!(digests(&heads[0]).is_empty());
}

#[test]
fn the_wrong_value_of_a_checksum_is_no_refusal_of_checksums() {
    // Amazon's words.
    let message = "Value for x-amz-checksum-crc32 header is invalid.";
    let wrong = |_: &HeaderMap| refused(400, "InvalidRequest", message);
    let (result, heads) = call(PutObject::new("bucket", "key", "a"), &protective(), wrong);
    assert_eq!((result.unwrap_err().server_message(), heads.len()), (Some(message), 1));
}

// Servers without DeleteObjects take it for another request on the bucket: for the upload of a
// form ("POST Object"), for a method that a bucket does not have, for a request without its digest.
#[test]
fn a_server_without_delete_objects_is_known_by_any_of_its_words() {
    for (status, code) in [
        (501, "NotImplemented"),
        (400, "NotImplemented"),
        (405, "MethodNotAllowed"),
        (405, ""),
        (400, ""),
        (404, ""),
        (400, "InvalidArgument"),
        (400, "InvalidRequest"),
        (400, "MalformedPOSTRequest"),
        (400, "UnsupportedOperation"),
        (412, "PreconditionFailed"),
        (411, "MissingContentLength"),
    ] {
        let service = service(|_| {});
        let no = || match code {
            "" => Answer::new(status),
            code => Answer::error(status, code),
        };
        let run = Sim::new(delete_many(&service, &["a", "b", "c"]))
            .run(|head, _| if head.method == Method::POST { no() } else { Answer::new(204) });
        let posts = run.requests.iter().filter(|request| request.starts_with("POST")).count();
        assert_eq!((posts, run.requests.len()), (1, 4), "{status} {code}");
        assert_eq!(run.result.unwrap().deleted, 3, "{status} {code}");
        // It is not asked again.
        let run = Sim::new(delete_many(&service, &["d", "e"])).run(|head, _| {
            assert_eq!(head.method, Method::DELETE);
            Answer::new(204)
        });
        assert_eq!(run.result.unwrap().deleted, 2);
    }
}

#[test]
fn a_refusal_that_is_not_about_delete_objects_ends_the_removal() {
    for (status, code) in [
        (403, "AccessDenied"),
        (404, "NoSuchBucket"),
        (400, "ExpiredToken"),
        (400, "InvalidBucketName"),
        (400, "MalformedXML"),
    ] {
        let run = Sim::new(delete_many(&service(|_| {}), &["a", "b"]))
            .run(|_, _| Answer::error(status, code));
        assert_eq!((run.result.unwrap_err().code(), run.requests.len()), (Some(code), 1));
    }
    // The first DeleteObject is refused with the same words: so it is not the operation.
    let run = Sim::new(delete_many(&service(|_| {}), &["a", "b", "c"]))
        .run(|_, _| Answer::error(400, "InvalidRequest"));
    assert_eq!(run.requests.len(), 2);
    assert_eq!(run.result.unwrap_err().operation(), Some("DeleteObjects"));
}

#[test]
fn the_objects_that_are_left_are_each_removed_once() {
    let mut left: BTreeSet<&str> = ["a", "b", "c"].into();
    let run = Sim::new(delete_many(&service(|_| {}), &["a", "b", "c"])).run(|head, _| {
        if head.method == Method::POST {
            return Answer::error(405, "MethodNotAllowed");
        }
        let key = head.uri.path().strip_prefix("/bucket/").unwrap();
        assert!(left.remove(key), "{key} twice");
        if key == "b" { Answer::error(403, "AccessDenied") } else { Answer::new(204) }
    });
    let done = run.result.unwrap();
    assert_eq!((done.deleted, done.errors.len(), left.len()), (2, 1, 0));
}

// "Uploading objects to an Object Lock enabled bucket", Amazon S3 User Guide.
#[test]
fn an_object_with_a_lock_has_a_digest_and_so_have_its_parts() {
    let lock = Lock { mode: Some("GOVERNANCE".into()), ..Lock::default() };
    let service = service(|_| {});
    let mut put = PutObject::new("bucket", "key", "a");
    put.properties.lock = lock.clone();
    let (_, heads) = call(put.clone(), &service, |_| Answer::new(200));
    assert_eq!(digests(&heads[0]), ["content-md5"]);
    put.checksum = ChecksumOptions::algorithm(Algorithm::Sha256);
    let (_, heads) = call(put, &service, |_| Answer::new(200));
    assert_eq!(digests(&heads[0]), ["x-amz-checksum-sha256"]);
    let part = || UploadPart::new("bucket", "key", "id", 1, "a");
    assert!(digests(&call(part(), &service, |_| Answer::new(200)).1[0]).is_empty());
    let mut create = CreateMultipartUpload::new("bucket", "key");
    create.properties.lock = lock;
    let id =
        "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>";
    call(create, &service, |_| Answer::new(200).body(id)).0.unwrap();
    assert_eq!(digests(&call(part(), &service, |_| Answer::new(200)).1[0]), ["content-md5"]);
}

// Alibaba's OSS (tobi/walgit 67); Amazon's former words.
#[test]
fn a_refused_condition_is_replaced_by_a_look_and_remembered() {
    let create = |service: &Arc<Service>, size: u64, put: (u16, &'static str), there: u16| {
        let options = UploadOptions {
            threshold: 8,
            part_size: 8,
            limits: PartLimits { smallest: 1, ..PartLimits::default() },
            conditions: Conditions { if_none_match: Some("*".into()), ..Conditions::default() },
            ..UploadOptions::default()
        };
        let source = UploadSource::Seekable(size);
        let service = Arc::clone(service);
        let upload = S3Upload::new("bucket", "key", source, options, service, 1).unwrap();
        Sim::new(upload).source(object(16)).run(move |head, _| {
            let query = head.uri.query().unwrap_or_default();
            let no = "A header you provided implies functionality that is not implemented";
            match head.method.as_str() {
                "HEAD" => Answer::new(there),
                "PUT" | "POST" if head.headers.contains_key("if-none-match") => {
                    refused(put.0, put.1, no)
                }
                "POST" if query == "uploads" => Answer::new(200).body(
                    "<InitiateMultipartUploadResult><UploadId>u</UploadId>\
                     </InitiateMultipartUploadResult>",
                ),
                "POST" => Answer::new(200).body(
                    "<CompleteMultipartUploadResult><ETag>t</ETag></CompleteMultipartUploadResult>",
                ),
                "PUT" => Answer::new(200).header("etag", "\"t\""),
                "DELETE" => Answer::new(204),
                _ => Answer::error(404, "NoSuchUpload"),
            }
        })
    };
    let count = |requests: &[String], method: &str| {
        requests.iter().filter(|request| request.starts_with(method)).count()
    };
    for words in [(501, "NotImplemented"), (400, "NotImplemented")] {
        let service = service(|config| config.quirks = Provider::Aws.quirks());
        // The request with its condition, the look, and the request without it.
        let run = create(&service, 4, words, 404);
        run.result.unwrap();
        assert_eq!(run.requests, ["PUT /bucket/key", "HEAD /bucket/key", "PUT /bucket/key"]);
        // Later it is not sent with its condition first.
        let run = create(&service, 4, words, 404);
        assert_eq!(run.requests, ["HEAD /bucket/key", "PUT /bucket/key"]);
        // An object that is there is never replaced, nor where nobody may look.
        let run = create(&service, 4, words, 200);
        assert_eq!(
            (run.result.unwrap_err().status().unwrap().as_u16(), run.requests.len()),
            (412, 1)
        );
        let run = create(&service, 4, words, 403);
        assert_eq!(
            (run.result.unwrap_err().status().unwrap().as_u16(), run.requests.len()),
            (403, 1)
        );
        // The same for parts: the completion is another operation.
        let run = create(&service, 16, words, 404);
        run.result.unwrap();
        assert_eq!((count(&run.requests, "POST"), count(&run.requests, "HEAD")), (3, 1));
        let run = create(&service, 16, words, 404);
        run.result.unwrap();
        assert_eq!((count(&run.requests, "POST"), count(&run.requests, "HEAD")), (2, 1));
        for there in [200, 403] {
            let run = create(&service, 16, words, there);
            assert!(run.result.is_err());
            assert_eq!((count(&run.requests, "POST"), count(&run.requests, "DELETE")), (1, 1));
        }
    }
    // A refusal for another reason stays, and is not remembered.
    let service = service(|config| config.quirks = Provider::Aws.quirks());
    let run = create(&service, 4, (403, "AccessDenied"), 404);
    assert_eq!((run.result.unwrap_err().code(), run.requests.len()), (Some("AccessDenied"), 1));
    let run = create(&service, 4, (412, "PreconditionFailed"), 404);
    assert_eq!(run.requests.len(), 1);
}

#[test]
fn an_upload_without_its_condition_is_told_to_the_observer() {
    let service = service(|config| config.quirks = Provider::Aws.quirks());
    let conditions = Conditions { if_none_match: Some("*".into()), ..Conditions::default() };
    let options = UploadOptions { conditions, ..UploadOptions::default() };
    let source = UploadSource::Seekable(4);
    let upload = S3Upload::new("bucket", "key", source, options, service, 1).unwrap();
    let notices = Arc::new(Heard::default());
    let (auth, waker) = (Auth::new(Credentials::anonymous()), Waker::noop().clone());
    let mut pump = Pump::new(upload, vec![auth], waker).with_observer(notices.clone());
    let now = Now::new(Duration::from_secs(1), Duration::from_secs(1_440_938_160));
    loop {
        match pump.turn(now) {
            Turn::Launch(mut exchange) => {
                if exchange.measures() {
                    exchange.load(vec![0; 4].into()).unwrap();
                }
                let head = exchange.request().unwrap().clone();
                let status =
                    match (head.method.as_str(), head.headers.contains_key("if-none-match")) {
                        ("HEAD", _) => 404,
                        (_, true) => 501,
                        (_, false) => 200,
                    };
                let mut encoder = exchange.encoder().unwrap();
                if head.method == Method::PUT {
                    encoder.frame(&[0; 4]).unwrap();
                }
                encoder.end().unwrap();
                let head = http::Response::builder().status(status).body(()).unwrap();
                let receiving = exchange.respond(head.into_parts().0);
                pump.complete(now, receiving.finish(None));
            }
            Turn::Done(result) => break drop(result.unwrap()),
            Turn::Park(wait) => panic!("it waits for {wait:?}"),
        }
    }
    assert_eq!(*notices.0.lock().unwrap(), ["PutObject"]);
}

/// The operations that were sent without their condition.
#[derive(Default)]
struct Heard(Mutex<Vec<&'static str>>);

impl Observer for Heard {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Noticed(Notice::Unconditional { operation }) = event {
            self.0.lock().unwrap().push(operation);
        }
    }
}

// HTTP says nothing about the characters of other bytes; Amazon refuses the signature of such a
// request.
#[test]
fn a_header_in_another_alphabet_is_refused_by_its_name() {
    type Set = fn(&mut PutObject, String);
    let set: [(&str, Set); 4] = [
        ("content-disposition", |put, text| put.properties.content_disposition = Some(text)),
        ("content-type", |put, text| put.properties.content_type = Some(text)),
        ("cache-control", |put, text| put.properties.cache_control = Some(text)),
        ("x-amz-website-redirect-location", |put, text| {
            put.properties.website_redirect_location = Some(text);
        }),
    ];
    for (name, set) in set {
        let mut put = PutObject::new("bucket", "key", "a");
        set(&mut put, "attachment; filename=\"é\"".into());
        let error = put.draft(&service(|_| {})).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput);
        assert!(error.to_string().contains(&format!("header {name} is not ASCII")), "{error}");
        let mut put = PutObject::new("bucket", "key", "a");
        set(&mut put, "attachment; filename*=UTF-8''%C3%A9".into());
        put.draft(&service(|_| {})).unwrap();
    }
}

//! The meaning of protocol errors for an image service, and their messages.

use std::error::Error as _;

use apus_core::Kind;
use apus_core::error::ExchangeErrorKind;
use apus_core::store::{Get, StoreErrorKind as Is, Verb};
use bytes::Bytes;

use crate::images::{add, fast, image, kind, run, settled};
use crate::support::Answer;

/// Statuses and codes of "Error responses", S3 API reference, and of the servers that are named.
#[test]
fn what_a_server_says_to_an_upload() {
    for (status, code, expected) in [
        (403, "AccessDenied", Is::Forbidden),
        (403, "SignatureDoesNotMatch", Is::Forbidden),
        (403, "InvalidAccessKeyId", Is::Forbidden),
        (412, "PreconditionFailed", Is::Duplicate),
        (404, "NoSuchBucket", Is::BadStoreConfiguration),
        (400, "EntityTooLarge", Is::StorageFull),
        // RFC 9110 and RFC 4918.
        (413, "", Is::StorageFull),
        (507, "", Is::StorageFull),
        // Ceph; MinIO.
        (403, "QuotaExceeded", Is::StorageFull),
        (507, "XMinioStorageFull", Is::StorageFull),
        (400, "XMinioAdminBucketQuotaExceeded", Is::StorageFull),
        (400, "AuthorizationHeaderMalformed", Is::BadStoreConfiguration),
        (301, "PermanentRedirect", Is::BadStoreConfiguration),
        (400, "InvalidBucketName", Is::BadStoreConfiguration),
        (501, "NotImplemented", Is::NotSupported),
        (503, "SlowDown", Is::BackendUnavailable),
        (500, "InternalError", Is::BackendUnavailable),
        (429, "TooManyRequests", Is::BackendUnavailable),
        (400, "KeyTooLongError", Is::Refused),
        (405, "MethodNotAllowed", Is::Refused),
    ] {
        let bytes = Bytes::from_static(b"hello");
        let (added, _) = add(&fast(""), &bytes, |head, _| match head.method.as_str() {
            "PUT" => Answer::error(status, code),
            // Was it ours, after an answer that tells nothing?
            _ => Answer::new(404),
        });
        assert_eq!(added.unwrap_err().kind(), expected, "{status} {code}");
    }
}

#[test]
fn what_a_server_says_to_a_download() {
    let get = |status, code: &str| {
        let job = settled(fast("").get(&image(), &Get::default(), 1));
        kind(Verb::Get, run(job, |_, _| Answer::error(status, code)).result)
    };
    for (status, code, expected) in [
        (404, "NoSuchKey", Is::NotFound),
        // Who may not list is told this of an absent object: "GetObject", S3 API reference.
        (403, "AccessDenied", Is::Forbidden),
        (403, "InvalidObjectState", Is::Forbidden),
        (416, "InvalidRange", Is::Invalid),
        (503, "ServiceUnavailable", Is::BackendUnavailable),
        // What says that there is no room does so of uploads alone.
        (507, "", Is::BackendUnavailable),
    ] {
        assert_eq!(get(status, code), expected, "{status} {code}");
    }
}

#[test]
fn what_happens_on_the_way() {
    for (cause, expected) in [
        (ExchangeErrorKind::Resolve, Is::BackendUnavailable),
        (ExchangeErrorKind::Connect, Is::BackendUnavailable),
        (ExchangeErrorKind::Tls, Is::BackendUnavailable),
        (ExchangeErrorKind::Proxy, Is::BackendUnavailable),
        (ExchangeErrorKind::Timeout, Is::BackendUnavailable),
        (ExchangeErrorKind::Source, Is::Invalid),
        (ExchangeErrorKind::Sink, Is::Invalid),
        (ExchangeErrorKind::Cancelled, Is::Cancelled),
    ] {
        let job = settled(fast("s3_store_retries = 0").get(&image(), &Get::default(), 1));
        let result = run(job, |_, _| Answer::lost(cause)).result;
        assert_eq!(kind(Verb::Get, result), expected, "{cause:?}");
    }
}

#[test]
fn an_error_is_one_line_with_the_id_of_the_request_and_keeps_what_was_seen() {
    let job = settled(fast("").get(&image(), &Get::default(), 1));
    let result = run(job, |_, _| {
        Answer::error(404, "NoSuchKey").header("x-amz-request-id", "4442587FB7D0A2F9")
    });
    let error = Verb::Get.error(result.result.unwrap_err());
    assert_eq!(
        error.to_string(),
        "image not found: GetObject: the server refused the request: 404 NoSuchKey: said so \
         [request 4442587FB7D0A2F9]"
    );
    let seen = error.source().unwrap().downcast_ref::<apus_core::Error>().unwrap();
    assert_eq!(seen.code(), Some("NoSuchKey"));
    assert_eq!(error.protocol().kind(), Kind::Refused);
    assert_eq!(apus_core::Error::from(error).request_id(), Some("4442587FB7D0A2F9"));
}

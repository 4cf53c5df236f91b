//! A refusal that a setting would help names the setting, as the library and the configuration of an
//! image service spell it. The words are those that the named servers sent.

use std::sync::Arc;

use apus_core::checksum::Placement;
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::Call;
use apus_core::quirks::Provider;
use apus_core::s3::{
    Addressing, BaseUrl, Config, DeleteObjects, EndpointConfig, GetObject, ListMultipartUploads,
    ListObjectVersions, PutObject, Service,
};
use apus_core::{Error, contract::Operation};

use crate::support::{Answer, Sim};

fn service(url: &str, set: impl FnOnce(&mut Config)) -> Arc<Service> {
    let url = BaseUrl::parse(url).unwrap();
    let mut config = Config::new(EndpointConfig::custom(url, "us-east-1"));
    config.quirks = Provider::Aws.quirks();
    // With `auto`, some of these are acted upon and seen by nobody.
    config.checksum.placement = Placement::Header;
    config.retry_policy.attempts = 1;
    set(&mut config);
    Arc::new(Service::new(config).unwrap())
}

fn fails<O: Operation<Service = Service>>(
    operation: O,
    service: Arc<Service>,
    answer: &Answer,
) -> Error
where
    O::Output: std::fmt::Debug,
{
    Sim::new(Call::new(operation, service, 1)).run(|_, _| answer.clone()).result.unwrap_err()
}

fn put() -> PutObject {
    PutObject::new("bucket", "key", "a")
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Answer::new(status).body(body)
}

#[test]
fn a_refusal_names_the_setting_that_helps() {
    for (status, code, message, settings) in [
        // Ceph 16.2 (seen): a body of unknown length, an aws-chunked one.
        (
            411,
            "MissingContentLength",
            "",
            &["`Policy::placement`", "s3_store_checksum_placement"][..],
        ),
        (400, "XAmzContentSHA256Mismatch", "", &["s3_store_checksum_placement", "Config::payload"]),
        // "Error responses", Amazon S3 API reference.
        (400, "InvalidTrailer", "", &["checksum placement to `header`"]),
        // MinIO (minio/minio 20849), Oracle (earth-mover/icechunk 2109), Amazon with Object Lock.
        (
            400,
            "MissingContentMD5",
            "Missing required header for this request: Content-Md5.",
            &["to `content-md5`"],
        ),
        (
            400,
            "InvalidRequest",
            "Missing required header for this request: Content-MD5 or x-amz-checksum-sha256",
            &["to `content-md5`", "s3_store_checksum_placement"],
        ),
        (
            400,
            "InvalidRequest",
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with \
             Object Lock parameters",
            &["to `content-md5`"],
        ),
        // Backblaze B2.
        (
            400,
            "InvalidArgument",
            "Unsupported header 'x-amz-sdk-checksum-algorithm' received for this API call.",
            &["Policy::sdk_algorithm_header", "s3_store_provider"],
        ),
        // Cloudflare R2 (aws/aws-sdk-js-v3 6810).
        (
            501,
            "NotImplemented",
            "Header 'x-amz-checksum-sha256' with value 'A' not implemented",
            &["checksum_algorithm", "s3_store_request_checksum_calculation"],
        ),
        (
            501,
            "NotImplemented",
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER not implemented",
            &["to `header`"],
        ),
        // OVHcloud (roadmap 700).
        (400, "InvalidArgument", "x-amz-trailer is not supported", &["to `header`"]),
        // Amazon's words, with the name of the header as Cloudflare writes it.
        (
            501,
            "NotImplemented",
            "Header 'If-None-Match' with value '*' not implemented",
            &["Conditions::if_none_match", "`Upload`"],
        ),
        (417, "", "", &["expect_continue_above"]),
        // Alibaba OSS (electron-userland/electron-builder 8674).
        (
            403,
            "SecondLevelDomainForbidden",
            "Please use virtual hosted style to access.",
            &["addressing to `virtual`", "s3_store_bucket_url_format"],
        ),
        // "Error responses", Amazon S3 API reference.
        (
            301,
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint.",
            &["s3_store_region_name", "s3_store_host"],
        ),
        // Garage 2.5 (seen).
        (
            400,
            "AuthorizationHeaderMalformed",
            "Authorization header malformed, unexpected scope: '20261122/eu/s3/aws4_request', \
             expected: '20261122/garage/s3/aws4_request'",
            &["`EndpointConfig::region`", "s3_store_region_name"],
        ),
        // Amazon.
        (
            400,
            "InvalidRequest",
            "Requests specifying Server Side Encryption with Customer provided keys must be made \
             over a secure connection.",
            &["https", "s3_store_host"],
        ),
        // MinIO (minio/minio 6367).
        (
            501,
            "NotImplemented",
            "Server side encryption specified but KMS is not configured",
            &["Encryption::kms_key_id"],
        ),
        (400, "KMS.NotFoundException", "Invalid keyId", &["Encryption::kms_key_id"]),
        // Amazon, and in two words (versity/versitygw 1751).
        (
            400,
            "InvalidRequest",
            "Bucket is missing ObjectLockConfiguration",
            &["object_lock_enabled"],
        ),
        (
            400,
            "InvalidRequest",
            "Bucket is missing Object Lock Configuration",
            &["Properties::lock"],
        ),
        // Amazon, Ceph.
        (
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            &["the clock of this machine"],
        ),
        // Google (MystenLabs/sui 15026).
        (
            400,
            "UserProjectMissing",
            "Bucket is a requester pays bucket but no user project provided.",
            &["CommonParams::request_payer"],
        ),
        // Amazon.
        (
            400,
            "InvalidRequest",
            "S3 Transfer Acceleration is not configured on this bucket",
            &["EndpointConfig::accelerate"],
        ),
        (400, "InvalidArgument", "Unsupported Authorization Type", &["version 2"]),
        (
            400,
            "InvalidStorageClass",
            "The storage class you specified is not valid",
            &["Properties::storage_class"],
        ),
        // Cloudflare R2.
        (
            400,
            "InvalidPart",
            "All non-trailing parts must have the same length.",
            &["provider to `r2`", "s3_store_provider"],
        ),
        (
            400,
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
            &["UploadOptions::part_size", "s3_store_large_object_chunk_size"],
        ),
        (
            400,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            &["s3_store_large_object_size"],
        ),
        (
            400,
            "InvalidArgument",
            "Part number must be an integer between 1 and 10000, inclusive",
            &["UploadOptions::part_size"],
        ),
        (413, "", "", &["s3_store_large_object_size"]),
        (
            501,
            "NotImplemented",
            "A header you provided implies functionality",
            &["does not support"],
        ),
    ] {
        let service = service("http://127.0.0.1:9000", |_| {});
        let error = fails(put(), service, &refusal(status, code, message)).to_string();
        for setting in settings {
            assert!(error.contains(setting), "{code}: {message}: {error}");
        }
    }
}

// s3proxy, GCS and others.
#[test]
fn a_server_without_delete_objects_is_named_the_task_that_does_without() {
    let delete = DeleteObjects::new("bucket", ["a"]);
    let service = service("http://127.0.0.1:9000", |_| {});
    let error = fails(delete, service, &refusal(405, "MethodNotAllowed", "not allowed"));
    assert!(error.hint().unwrap().contains("`DeleteMany`"), "{error}");
}

// Ceph and MinIO without their domain's setting take the whole host for their own, and the key's
// first part for the bucket.
// LeoFS ("S3 API Implementation Status"), lakeFS ("S3 Supported API") and s3proxy 152: no list of
// multipart uploads. Garage ("S3 Compatibility status": what is not in the table results in a 501) and
// Cloudflare R2 ("S3 API compatibility"): no list of versions.
#[test]
fn a_server_without_an_operation_is_named_what_does_without() {
    let service = || service("http://127.0.0.1:9000", |_| {});
    for (status, code) in [(501, "NotImplemented"), (405, "MethodNotAllowed"), (501, "")] {
        let answer = refusal(status, code, "A header you provided implies functionality");
        let error = fails(ListMultipartUploads::new("bucket"), service(), &answer);
        let hint = error.hint().unwrap();
        assert!(hint.contains("does not list multipart uploads"), "{error}");
        assert!(hint.contains("`apus uploads expire`"), "{error}");
        let error = fails(ListObjectVersions::new("bucket"), service(), &answer);
        assert!(error.hint().unwrap().contains("ListObjectsV2"), "{error}");
    }
}

#[test]
fn a_missing_bucket_in_the_host_may_be_one_of_addressing() {
    let answer = refusal(404, "NoSuchBucket", "The specified bucket does not exist");
    let get = || GetObject::new("bucket", "key");
    let hint = |addressing| {
        let service = service("http://s3.example.com", |config| {
            config.endpoint.addressing = addressing;
        });
        fails(get(), service, &answer).hint()
    };
    assert!(hint(Addressing::Virtual).unwrap().contains("s3_store_bucket_url_format"));
    assert_eq!(hint(Addressing::Path), None);
}

// nginx's, Apache's and Go's pages for a request in the clear; what rustls says of an answer in the
// clear.
#[test]
fn the_wrong_scheme_for_a_port_is_named() {
    for page in [
        "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
        "<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
        "Client sent an HTTP request to an HTTPS server.\n",
    ] {
        let service = service("http://127.0.0.1:9000", |_| {});
        let error = fails(put(), service, &Answer::new(400).body(page));
        assert!(error.hint().unwrap().contains("`https://"), "{error}");
    }
    let exchange = |url, kind| {
        let answer = Answer::lost(kind);
        fails(GetObject::new("bucket", "key"), service(url, |_| {}), &answer).hint()
    };
    let garbage = exchange("http://127.0.0.1:9000", ExchangeErrorKind::Protocol);
    assert!(garbage.unwrap().contains("`https://"));
    assert_eq!(exchange("https://127.0.0.1:9000", ExchangeErrorKind::Protocol), None);
}

//! The operations of the embedded server, over http and https: it verifies signatures and
//! checksums.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_conformance::server::{EmbeddedS3, FaultyS3, Options, S3Model};
use apus_core::checksum::{Algorithm, Placement, RequestChecksumCalculation};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Body, Draft, Exchange};
use apus_core::machine::{S3Upload, UploadOptions, UploadSource};
use apus_core::s3::*;
use apus_core::sign::{Keys, Presigned};
use apus_core::{Error, Kind as Fault};
use bytes::Bytes;

use crate::client::{Client, Kind, Origin, Setup, Via, pattern};

both! {
    buckets_are_made_found_and_removed,
    objects_are_put_read_copied_and_removed,
    keys_go_out_as_they_are,
    ranges_and_empty_objects_are_read,
    lists_page_and_group,
    parts_become_an_object_or_are_aborted,
    a_failed_upload_leaves_nothing_behind_and_says_so,
    presigned_urls_are_good_without_keys,
    checksums_of_every_kind_are_verified,
    bodies_are_signed_in_every_way,
    wrong_keys_are_refused,
    strange_certificates_are_refused,
}

const BUCKET: &str = "bucket";

/// The test against a server over http, and against one over https.
fn on_servers(via: Via, test: impl Fn(&EmbeddedS3, &Client)) {
    for tls in [false, true] {
        let server = EmbeddedS3::start(Options::new().tls(tls).bucket(BUCKET)).unwrap();
        let client = Setup::of(&server).client(via);
        test(&server, &client);
    }
}

#[track_caller]
fn put(client: &Client, key: &str, body: impl Into<Bytes>) -> Stored {
    client.call(PutObject::new(BUCKET, key, body)).unwrap()
}

#[track_caller]
fn get(client: &Client, key: &str) -> Bytes {
    client.call(GetObject::new(BUCKET, key)).unwrap().body
}

fn code(error: &Error) -> (u16, &str) {
    (error.status().map_or(0, |status| status.as_u16()), error.code().unwrap_or_default())
}

fn buckets_are_made_found_and_removed(via: Via) {
    on_servers(via, |_, client| {
        let missing = client.call(HeadBucket::new("made")).unwrap_err();
        assert!(missing.is_not_found(), "{missing}");
        client.call(CreateBucket::new("made")).unwrap();
        client.call(HeadBucket::new("made")).unwrap();
        let location = client.call(GetBucketLocation::new("made")).unwrap();
        assert_eq!(location.region(), "us-east-1");
        let buckets = client.call(ListBuckets::new()).unwrap().buckets;
        let names: Vec<_> = buckets.iter().map(|bucket| bucket.name.as_str()).collect();
        assert_eq!(names, [BUCKET, "made"]);
        let again = client.call(CreateBucket::new("made")).unwrap_err();
        assert_eq!((again.kind(), again.status().unwrap().as_u16()), (Fault::Refused, 409));
        client.call(DeleteBucket::new("made")).unwrap();
        assert!(client.call(HeadBucket::new("made")).unwrap_err().is_not_found());
    });
}

fn objects_are_put_read_copied_and_removed(via: Via) {
    on_servers(via, |_, client| {
        let mut request = PutObject::new(BUCKET, "cat.txt", "meow");
        request.properties = Properties::content_type("text/plain");
        request.properties.metadata.insert("colour".into(), "black and white".into());
        let stored = client.call(request).unwrap();
        // MD5 of "meow".
        assert_eq!(stored.etag.opaque(), "4a4be40c96ac6314e91d93f38043a634");

        let head = client.call(HeadObject::new(BUCKET, "cat.txt")).unwrap();
        assert_eq!((head.size, head.content_type.as_deref()), (Some(4), Some("text/plain")));
        assert_eq!(head.metadata["colour"], "black and white");
        let output = client.call(GetObject::new(BUCKET, "cat.txt")).unwrap();
        assert_eq!((&output.body[..], output.head.etag), (&b"meow"[..], Some(stored.etag.clone())));

        let source = CopySource::new(BUCKET, "cat.txt");
        let copied = client.call(CopyObject::new(BUCKET, "copy é.txt", source)).unwrap();
        assert_eq!(copied.stored.etag, stored.etag);
        assert_eq!(get(client, "copy é.txt"), "meow");

        client.call(DeleteObject::new(BUCKET, "cat.txt")).unwrap();
        let missing = client.call(GetObject::new(BUCKET, "cat.txt")).unwrap_err();
        assert_eq!(code(&missing), (404, "NoSuchKey"));
        assert!(client.call(HeadObject::new(BUCKET, "cat.txt")).unwrap_err().is_not_found());

        put(client, "one", "1");
        let keys = ["one", "copy é.txt", "never <there> & \"so\""].map(ObjectIdentifier::new);
        let gone = client.call(DeleteObjects::new(BUCKET, keys)).unwrap();
        assert!(gone.errors.is_empty(), "{:?}", gone.errors);
        let left = client.call(ListObjectsV2::new(BUCKET)).unwrap();
        assert!(left.contents.is_empty(), "{:?}", left.contents);
    });
}

fn keys_go_out_as_they_are(via: Via) {
    let held = [
        "a b/ü+%41",
        "?#&=;",
        "+plus plus+",
        "~tilde-_.!*'()",
        "%2F%2f",
        "日本/語",
        "dots...",
        "é\u{301}",
        "\"quote\"\\",
        "x:y@z,[]{}|^`<>",
    ];
    // No file system has these names, but a signature that covers them otherwise than they are
    // sent would be refused before that.
    let not_held = ["/leading", "//", "../../up", "a b/ü+%41//..", "./a", "a//./b/"];
    on_servers(via, |_, client| {
        for key in held {
            put(client, key, key);
            assert_eq!(get(client, key), key, "{key}");
            let source = CopySource::new(BUCKET, key);
            client.call(CopyObject::new(BUCKET, "copy", source)).unwrap();
            assert_eq!(get(client, "copy"), key, "a copy of {key}");
            client.call(DeleteObject::new(BUCKET, key)).unwrap();
            assert!(client.call(HeadObject::new(BUCKET, key)).unwrap_err().is_not_found());
        }
        for key in not_held {
            if let Err(error) = client.call(GetObject::new(BUCKET, key)) {
                assert!(!error.is_denied(), "{key}: {error}");
            }
        }
    });
    let server = FaultyS3::start(S3Model::new().with_bucket(BUCKET)).unwrap();
    let client = Setup::of(&server).client(via);
    for key in held.into_iter().chain(not_held) {
        put(&client, key, key);
        assert_eq!(server.model().keys(BUCKET), [key]);
        assert_eq!(get(&client, key), key, "{key}");
        client.call(DeleteObject::new(BUCKET, key)).unwrap();
        assert!(server.model().keys(BUCKET).is_empty(), "{key}");
    }
}

fn ranges_and_empty_objects_are_read(via: Via) {
    on_servers(via, |_, client| {
        put(client, "digits", "0123456789");
        let ranges = [
            (ByteRange::Span(0..1), "0", "bytes 0-0/10"),
            (ByteRange::Span(2..5), "234", "bytes 2-4/10"),
            (ByteRange::From(7), "789", "bytes 7-9/10"),
            (ByteRange::Last(4), "6789", "bytes 6-9/10"),
            (ByteRange::Span(8..99), "89", "bytes 8-9/10"),
        ];
        for (range, bytes, told) in ranges {
            let request = GetObject { range: Some(range), ..GetObject::new(BUCKET, "digits") };
            let output = client.call(request).unwrap();
            assert_eq!(output.body, bytes);
            assert_eq!(output.head.content_range.as_deref(), Some(told));
            assert_eq!(output.head.size, Some(10));
        }
        let beyond =
            GetObject { range: Some(ByteRange::From(10)), ..GetObject::new(BUCKET, "digits") };
        assert_eq!(code(&client.call(beyond).unwrap_err()), (416, "InvalidRange"));

        let stored = put(client, "empty", "");
        // MD5 of nothing.
        assert_eq!(stored.etag.opaque(), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(get(client, "empty"), "");
        assert_eq!(client.call(HeadObject::new(BUCKET, "empty")).unwrap().size, Some(0));
    });
}

fn lists_page_and_group(via: Via) {
    on_servers(via, |_, client| {
        let keys = ["a", "b/1", "b/2", "b/ü 3", "c"];
        keys.iter().for_each(|key| drop(put(client, key, *key)));

        let mut found = Vec::new();
        let mut page = Some(ListObjectsV2 { max_keys: Some(2), ..ListObjectsV2::new(BUCKET) });
        while let Some(request) = page {
            let output = client.call(request.clone()).unwrap();
            assert!(output.contents.len() <= 2);
            found.extend(output.contents.iter().map(|object| object.key.clone()));
            page = request.next(&output).unwrap();
        }
        assert_eq!(found, keys);

        let mut grouped = ListObjectsV2::new(BUCKET);
        grouped.delimiter = Some("/".into());
        let output = client.call(grouped).unwrap();
        let direct: Vec<_> = output.contents.iter().map(|object| object.key.as_str()).collect();
        assert_eq!((direct, output.common_prefixes), (vec!["a", "c"], vec!["b/".to_owned()]));

        let below = client.call(ListObjectsV2::new(BUCKET).prefix("b/ü")).unwrap();
        assert_eq!(below.contents[0].key, "b/ü 3");
        assert_eq!(below.contents[0].size, Some(6));
        let later = ListObjectsV2 { start_after: Some("b/2".into()), ..ListObjectsV2::new(BUCKET) };
        assert_eq!(client.call(later).unwrap().contents.len(), 2);

        let old = ListObjects { prefix: Some("b/".into()), ..ListObjects::new(BUCKET) };
        let old = client.call(old).unwrap();
        let keys: Vec<_> = old.contents.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["b/1", "b/2", "b/ü 3"]);
    });
}

fn parts_become_an_object_or_are_aborted(via: Via) {
    on_servers(via, |_, client| {
        let part = pattern(5 << 20);
        put(client, "source", part.clone());
        let begun = client.call(CreateMultipartUpload::new(BUCKET, "whole")).unwrap();
        let id = &begun.upload_id;
        let sent = UploadPart::new(BUCKET, "whole", id, 1, part.clone());
        let sent = client.call(sent).unwrap();
        let source = CopySource::new(BUCKET, "source");
        let mut copy = UploadPartCopy::new(BUCKET, "whole", id, 2, source);
        copy.source_range = Some(10..20);
        let copied = client.call(copy).unwrap();

        let listed = client.call(ListParts::new(BUCKET, "whole", id)).unwrap();
        let sizes = listed.parts.iter().map(|part| (part.part_number, part.size));
        // This server lists them in any order.
        let sizes: Vec<_> = sizes.collect::<BTreeMap<_, _>>().into_iter().collect();
        assert_eq!(sizes, [(1, Some(5 << 20)), (2, Some(10))]);

        let parts =
            vec![CompletedPart::new(1, sent.etag), CompletedPart::new(2, copied.stored.etag)];
        client.call(CompleteMultipartUpload::new(BUCKET, "whole", id, parts)).unwrap();
        let whole = get(client, "whole");
        assert!(whole[..part.len()] == part[..] && whole[part.len()..] == part[10..20]);

        let begun = client.call(CreateMultipartUpload::new(BUCKET, "never")).unwrap();
        client.call(AbortMultipartUpload::new(BUCKET, "never", &begun.upload_id)).unwrap();
        let again = AbortMultipartUpload::new(BUCKET, "never", &begun.upload_id);
        assert!(client.call(again).unwrap_err().is_denied(), "it knows the upload no more");
    });
}

// It lists any upload without parts, also one that does not exist, and refuses a second abort.
fn a_failed_upload_leaves_nothing_behind_and_says_so(via: Via) {
    on_servers(via, |_, client| {
        let bytes = pattern((6 << 20) + 1);
        let source = UploadSource::Stream(Some(bytes.len() as u64 + 1));
        let options = UploadOptions { part_size: 5 << 20, threshold: 0, ..Default::default() };
        let service = client.service.clone();
        let upload = S3Upload::new(BUCKET, "key", source, options, service, 7).unwrap();
        let error = client.run(upload, Origin::new(Kind::Stream, bytes)).unwrap_err();
        assert!(error.leftovers().is_empty(), "{error}");
        let missing = client.call(HeadObject::new(BUCKET, "key")).unwrap_err();
        assert!(missing.is_not_found(), "{missing}");
    });
}

fn presigned_urls_are_good_without_keys(via: Via) {
    on_servers(via, |_, client| {
        let (key, minute) = ("a b/ü+%41", Duration::from_secs(60));
        let mut put = PutObject::from_body(BUCKET, key, Body::Empty);
        put.properties = Properties::content_type("text/x-presigned");
        let url = client.presign(put, minute).unwrap();
        let done = client.perform(fetch(http::Method::PUT, &url, "presigned"));
        assert_eq!(done.outcome().unwrap().status(), 200, "{:?}", done.outcome());

        let url = client.presign(GetObject::new(BUCKET, key), minute).unwrap();
        let done = client.perform(fetch(http::Method::GET, &url, ""));
        let reply = done.outcome().unwrap();
        assert_eq!((reply.status().as_u16(), &reply.body[..]), (200, &b"presigned"[..]));
        assert_eq!(reply.header(&http::header::CONTENT_TYPE), Some("text/x-presigned"));

        let mut forged = url.clone();
        forged.url = url.url.replace("X-Amz-Expires=60", "X-Amz-Expires=61");
        let done = client.perform(fetch(http::Method::GET, &forged, ""));
        assert_eq!(done.outcome().unwrap().status(), 403);
    });
}

/// Sends a request without keys.
fn fetch(method: http::Method, url: &Presigned, body: &'static str) -> Exchange {
    let mut draft = Draft::new("presigned", method, url.url.parse().unwrap());
    draft.head.headers.extend(url.headers.clone());
    if !body.is_empty() {
        draft.body = Body::Bytes(body.into());
    }
    Exchange::open(draft, apus_blocking::now(), 0)
}

fn checksums_of_every_kind_are_verified(via: Via) {
    use Algorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};

    on_servers(via, |_, client| {
        for algorithm in [Crc32, Crc32c, Crc64Nvme, Sha1, Sha256] {
            for placement in [Placement::Header, Placement::Trailer] {
                let body = pattern(100_000);
                let mut put = PutObject::new(BUCKET, "sum", body.clone());
                put.checksum = ChecksumOptions::algorithm(algorithm);
                put.checksum.overrides.placement = Some(placement);
                let stored = client.call(put.clone()).unwrap();
                let what = format!("{algorithm} {placement:?}");
                assert_eq!(stored.checksum(algorithm), algorithm.digest(&body).ok(), "{what}");

                let get = GetObject { checksum_mode: true, ..GetObject::new(BUCKET, "sum") };
                let output = client.call(get).unwrap();
                assert!(output.body == body, "{what}");
                assert!(output.validation.is_validated(), "{what}: {:?}", output.validation);
            }
            let mut wrong = PutObject::new(BUCKET, "wrong", "body");
            wrong.checksum.values = vec![algorithm.digest(b"another").unwrap()];
            let refused = client.call(wrong).unwrap_err();
            assert_eq!(refused.kind(), Fault::Refused, "{algorithm}: {refused}");
            assert_eq!(refused.status().unwrap(), 400, "{algorithm}: {refused}");
        }
        let mut digest = PutObject::new(BUCKET, "md5", "body");
        digest.checksum = ChecksumOptions::algorithm(Crc32);
        digest.checksum.overrides.placement = Some(Placement::ContentMd5);
        client.call(digest).unwrap();
    });
}

fn bodies_are_signed_in_every_way(via: Via) {
    for tls in [false, true] {
        let server = EmbeddedS3::start(Options::new().tls(tls).bucket(BUCKET)).unwrap();
        for payload in [
            PayloadSigning::Auto,
            PayloadSigning::Signed,
            PayloadSigning::Unsigned,
            PayloadSigning::Chunked,
        ] {
            let setup = Setup::of(&server).with(|config| {
                config.payload = payload;
                config.chunk_size = 64 << 10;
                config.checksum.enable_data_integrity_protection = true;
                config.checksum.request = RequestChecksumCalculation::WhenSupported;
            });
            let client = setup.client(via);
            for (kind, length) in [Kind::Bytes, Kind::File, Kind::Reader]
                .into_iter()
                .flat_map(|kind| [0, 1, 200_000].map(|length| (kind, length)))
            {
                let body = pattern(length);
                let rewindable = kind != Kind::Reader;
                let source = Body::Source { range: 0..length as u64, rewindable };
                let put = PutObject::from_body(BUCKET, "body", source);
                let what = format!("{payload:?} of {length} bytes from {kind:?}, tls {tls}");
                let sent = client.call_from(put, Origin::new(kind, body.clone()));
                sent.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(get(&client, "body") == body, "{what}");
            }
        }
    }
}

fn wrong_keys_are_refused(via: Via) {
    on_servers(via, |server, _| {
        let keys = [
            (Keys::new(server.access_key(), "another"), "SignatureDoesNotMatch"),
            (Keys::new("NOBODY", server.secret_key()), "NotSignedUp"),
        ];
        for (keys, told) in keys {
            let mut setup = Setup::of(server);
            setup.keys = vec![keys];
            let client = setup.client(via);
            let refused = client.call(GetObject::new(BUCKET, "key")).unwrap_err();
            assert_eq!(code(&refused), (403, told));
            assert!(refused.is_denied());
            assert_eq!(refused.attempts(), 1);
        }
    });
}

fn strange_certificates_are_refused(via: Via) {
    let options = || Options::new().tls(true).bucket(BUCKET);
    let server = EmbeddedS3::start(options()).unwrap();
    let another = EmbeddedS3::start(options()).unwrap();
    // Those of Mozilla's list, and one that signed another certificate.
    for ca in [None, another.ca_pem().map(str::to_owned)] {
        let setup = Setup { ca, ..Setup::of(&server) };
        let error = setup.client(via).call(HeadBucket::new(BUCKET)).unwrap_err();
        assert_eq!(
            error.exchange_error().map(ExchangeError::kind),
            Some(ExchangeErrorKind::Tls),
            "{error}"
        );
        assert_eq!(error.attempts(), 1, "{error}");
    }
}

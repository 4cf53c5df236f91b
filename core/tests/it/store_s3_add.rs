//! Adding images to an S3 bucket: the requests, and the location that is stored.
//!
//! Responses are those of the S3 API reference; if a server is named, those seen on it.

use std::time::Duration;

use apus_core::checksum::Algorithm;
use apus_core::contract::OnFailure;
use apus_core::error::Leftover;
use apus_core::machine::UploadSource;
use apus_core::store::{Add, StoreErrorKind, Stores, Verb};
use bytes::Bytes;
use http::request;

use crate::images::{add, add_stream, fast, header, kind, sim, stores, unknown};
use crate::support::{Answer, object};

/// The digests of `hello`, from RFC 1321 and hashlib.
const MD5: &str = "5d41402abc4b2a76b9719d911017c592";
const SHA512: &str = "9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7\
                      2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043";

fn hello() -> Bytes {
    Bytes::from_static(b"hello")
}

fn is_put(head: &request::Parts) -> bool {
    head.method == "PUT" && head.uri.path() == "/images/id"
}

#[test]
fn an_image_is_stored_with_one_request_and_written_down() {
    let stores = fast("");
    let (added, requests) = add(&stores, &hello(), |head, body| {
        assert_eq!(header(head, "if-none-match"), Some("*"));
        assert_eq!(body, b"hello");
        Answer::new(200).header("etag", format!("\"{MD5}\""))
    });
    let added = added.unwrap();
    assert_eq!(requests, ["PUT /images/id"]);
    assert_eq!(added.url, "s3://127.0.0.1:9000/images/id");
    assert_eq!((added.size, &*added.md5, &*added.multihash), (5, MD5, SHA512));
    assert_eq!(added.metadata["store"], "fast");
    // Another algorithm, where one is asked for.
    let image = Add::new("id").with_hash(Algorithm::Sha256);
    let job = stores.add(Some("fast"), &image, UploadSource::Seekable(5), 1).unwrap();
    let mut hashers = job.hashers.clone();
    hashers.update(b"hello");
    let placed = sim(job).source(hello()).run(|_, _| Answer::new(200)).result.unwrap();
    let added = placed.with_digests(&hashers.finish()).unwrap();
    assert_eq!(added.multihash, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
}

#[test]
fn the_name_of_the_only_store_is_its_entry() {
    let stores = stores(
        "[glance_store]\nstores = s3\ndefault_store = s3\ns3_store_host = https://h:9000/gw\n\
         s3_store_bucket = images\ns3_store_access_key = A\ns3_store_secret_key = S\n",
    );
    let backend = stores.default_backend().unwrap();
    assert_eq!(backend.prefix().as_deref(), Some("s3+https://h:9000/gw/images/"));
    let (added, _) = add(&stores, &hello(), |head, _| match head.method.as_str() {
        "HEAD" => Answer::new(404),
        _ => Answer::new(200),
    });
    let added = added.unwrap();
    assert_eq!(added.metadata["store"], "s3");
    assert!(added.url.starts_with(&backend.prefix().unwrap()), "{}", added.url);
}

#[test]
fn who_heeds_conditions_decides_what_is_a_duplicate() {
    let (added, requests) =
        add(&fast(""), &hello(), |_, _| Answer::error(412, "PreconditionFailed"));
    assert_eq!(added.unwrap_err().kind(), StoreErrorKind::Duplicate);
    assert_eq!(requests, ["PUT /images/id"]);
    // In parts, the last request does.
    let large = object(6 << 20);
    let options = "s3_store_large_object_size = 0\ns3_store_large_object_chunk_size = 5\n";
    let (added, requests) = add(&fast(options), &large, |head, body| {
        if head.uri.query() == Some("uploadId=u") && head.method == "POST" {
            assert_eq!(header(head, "if-none-match"), Some("*"));
            return Answer::error(412, "PreconditionFailed");
        }
        multipart(head, body)
    });
    assert_eq!(added.unwrap_err().kind(), StoreErrorKind::Duplicate);
    assert_eq!(
        requests,
        [
            "POST /images/id?uploads",
            "PUT /images/id?partNumber=1&uploadId=u",
            "PUT /images/id?partNumber=2&uploadId=u",
            "POST /images/id?uploadId=u",
            "DELETE /images/id?uploadId=u",
            "GET /images/id?uploadId=u",
        ]
    );
}

#[test]
fn elsewhere_a_look_decides() {
    for (look, requests, kind) in [
        (200, vec!["HEAD /images/id"], Some(StoreErrorKind::Duplicate)),
        (404, vec!["HEAD /images/id", "PUT /images/id", "HEAD /images/id"], None),
        // Who may not list the bucket is told this of an absent object: Amazon S3 User Guide.
        (403, vec!["HEAD /images/id", "PUT /images/id"], None),
        (400, vec!["HEAD /images/id"], Some(StoreErrorKind::Refused)),
    ] {
        let (added, made) = add(&unknown(""), &hello(), |head, _| {
            assert_eq!(header(head, "if-none-match"), None);
            if is_put(head) { Answer::new(200) } else { Answer::new(look) }
        });
        assert_eq!(made, requests, "{look}");
        assert_eq!(added.err().map(|error| error.kind()), kind, "{look}");
    }
}

/// The answer to a HEAD of this object, or of none.
fn there(object: Option<&Bytes>) -> Answer {
    let Some(bytes) = object else { return Answer::new(404) };
    let md5 = Algorithm::Md5.digest(bytes).unwrap().hex();
    Answer::new(200).header("content-length", bytes.len()).header("etag", format!("\"{md5}\""))
}

/// One of two clients, which looked before the other one's object was there.
fn races(
    bytes: &Bytes,
    mut serve: impl FnMut(&request::Parts, &[u8]) -> Answer,
) -> Option<StoreErrorKind> {
    let mut looked = false;
    let (added, _) = add(&unknown(""), bytes, |head, body| {
        match head.method == "HEAD" && !std::mem::replace(&mut looked, true) {
            true => Answer::new(404),
            false => serve(head, body),
        }
    });
    added.err().map(|error| error.kind())
}

#[test]
fn of_two_clients_that_looked_together_the_one_whose_image_was_replaced_learns_it() {
    for other in ["world", "another length"] {
        let mut stored = None;
        let ours = races(&hello(), |head, body| {
            if head.method == "HEAD" {
                return there(stored.as_ref());
            }
            stored = Some(Bytes::copy_from_slice(body));
            let answer = there(stored.as_ref());
            let theirs = races(&Bytes::from(other), |head, body| {
                if head.method != "HEAD" {
                    stored = Some(Bytes::copy_from_slice(body));
                }
                there(stored.as_ref())
            });
            assert_eq!(theirs, None);
            answer
        });
        assert_eq!(ours, Some(StoreErrorKind::Duplicate), "{other}");
        assert_eq!(stored.unwrap(), other);
    }
}

#[test]
fn what_a_look_after_the_upload_does_not_show_is_no_failure() {
    let world = there(Some(&Bytes::from("world")));
    let keyed = world.clone().header("x-amz-server-side-encryption", "aws:kms");
    let tagged = Answer::new(200).header("content-length", 5).header("etag", "\"random\"");
    for after in [Answer::new(404), Answer::new(403), Answer::new(503), keyed, tagged] {
        let stored = there(Some(&hello()));
        let kind = races(&hello(), |head, _| match head.method.as_str() {
            "HEAD" => after.clone(),
            _ => stored.clone(),
        });
        assert_eq!(kind, None, "{after:?}");
    }
    // In parts, too.
    let large = object(6 << 20);
    let options = "s3_store_large_object_size = 0\ns3_store_large_object_chunk_size = 5\n";
    let mut looked = false;
    let (added, _) = add(&unknown(options), &large, |head, body| match head.method.as_str() {
        "HEAD" if !std::mem::replace(&mut looked, true) => Answer::new(404),
        "HEAD" => Answer::new(200).header("content-length", 7 << 20).header("etag", "\"e-2\""),
        _ => multipart(head, body),
    });
    assert_eq!(added.unwrap_err().kind(), StoreErrorKind::Duplicate);
}

/// S3 returns errors also under 200 and 400: the codes of its table of errors.
#[test]
fn an_error_within_a_success_is_no_duplicate() {
    for (status, code, kind) in [
        (200, "InternalError", StoreErrorKind::BackendUnavailable),
        (200, "SlowDown", StoreErrorKind::BackendUnavailable),
        (400, "RequestTimeout", StoreErrorKind::BackendUnavailable),
        (403, "RequestLimitExceeded", StoreErrorKind::BackendUnavailable),
        (200, "InvalidRequest", StoreErrorKind::Refused),
        (200, "QuotaExceeded", StoreErrorKind::StorageFull),
    ] {
        for options in ["", "s3_store_large_object_size = 0\n"] {
            let (added, _) =
                add(&unknown(options), &object(6 << 20), |head, body| match head.method.as_str() {
                    "HEAD" => Answer::new(404),
                    "PUT" => Answer::error(status, code),
                    _ => multipart(head, body),
                });
            assert_eq!(added.unwrap_err().kind(), kind, "{status} {code}");
        }
    }
}

/// Ceph 16 was seen to heed the condition on PutObject, and to ignore it on CompleteMultipartUpload.
#[test]
fn what_goes_in_parts_is_looked_for_where_only_single_requests_are_conditional() {
    let ceph = |options: &str| {
        stores(&format!(
            "[DEFAULT]\nenabled_backends = fast:s3\n[fast]\ns3_store_host = http://127.0.0.1:9000\n\
             s3_store_bucket = images\ns3_store_access_key = A\ns3_store_secret_key = S\n\
             s3_store_provider = ceph\n{options}"
        ))
    };
    let refused = |head: &request::Parts| match head.method.as_str() {
        "HEAD" => Answer::new(200).header("content-length", 1),
        _ => Answer::error(412, "PreconditionFailed"),
    };
    let (added, requests) = add(&ceph(""), &hello(), |head, _| refused(head));
    assert_eq!(added.unwrap_err().kind(), StoreErrorKind::Duplicate);
    assert_eq!(requests, ["PUT /images/id"]);
    let parts = "s3_store_large_object_size = 0\n";
    let (added, requests) = add(&ceph(parts), &hello(), |head, _| refused(head));
    assert_eq!(added.unwrap_err().kind(), StoreErrorKind::Duplicate);
    assert_eq!(requests, ["HEAD /images/id"]);
}

#[test]
fn a_lost_answer_is_no_duplicate() {
    let mut lost = Some(apus_core::error::ExchangeErrorKind::Closed);
    let (added, requests) = add(&fast(""), &hello(), |head, _| match lost.take() {
        Some(cause) => Answer::lost(cause),
        None if head.method == "PUT" => Answer::error(412, "PreconditionFailed"),
        None => Answer::new(200).header("etag", MD5).header("content-length", 5),
    });
    assert_eq!(added.unwrap().size, 5);
    // The MD5 and the SHA-256 to compare it by are computed when they are needed.
    assert_eq!(requests, ["PUT /images/id", "PUT /images/id", "HEAD /images/id", "HashBody 10"]);
}

/// A server that has no bucket until it is made.
fn without_bucket(location: &'static str) -> impl FnMut(&request::Parts, &[u8]) -> Answer {
    let mut made = false;
    move |head, body| {
        if head.method == "PUT" && matches!(head.uri.path(), "/images" | "/images/") {
            assert_eq!(
                String::from_utf8_lossy(body).contains("LocationConstraint"),
                !location.is_empty()
            );
            assert!(String::from_utf8_lossy(body).contains(location));
            made = true;
            return Answer::new(200);
        }
        if made { multipart(head, body) } else { Answer::error(404, "NoSuchBucket") }
    }
}

#[test]
fn the_bucket_is_made_where_it_may_be() {
    let creating = "s3_store_create_bucket_on_put = true\n";
    let (added, requests) = add(&fast(creating), &hello(), without_bucket(""));
    assert_eq!(added.unwrap().size, 5);
    assert_eq!(requests, ["PUT /images/id", "PUT /images", "PUT /images/id"]);
    // `us-east-1` is the one region that CreateBucket must not be told.
    let east = format!("{creating}s3_store_region_name = us-east-1\n");
    let (added, _) = add_stream(&fast(&east), &hello(), None, without_bucket(""));
    assert_eq!(added.unwrap().size, 5);
    let west = format!("{creating}s3_store_region_name = us-west-2\n");
    let (added, _) = add(&fast(&west), &hello(), without_bucket("us-west-2"));
    assert_eq!(added.unwrap().size, 5);
    // In parts, of a file and of a stream.
    let parts = format!("{creating}s3_store_large_object_size = 0\n");
    let (added, requests) = add(&fast(&parts), &hello(), without_bucket(""));
    assert_eq!(added.unwrap().size, 5);
    let expected = [
        "POST /images/id?uploads",
        "PUT /images",
        "POST /images/id?uploads",
        "PUT /images/id?partNumber=1&uploadId=u",
        "POST /images/id?uploadId=u",
    ];
    assert_eq!(requests, expected);
    let (added, requests) = add_stream(&fast(&parts), &hello(), None, without_bucket(""));
    assert_eq!(added.unwrap().md5, MD5);
    assert_eq!(requests, expected);
    // It is made once.
    let (added, requests) = add(&fast(creating), &hello(), |head, _| match is_put(head) {
        true => Answer::error(404, "NoSuchBucket"),
        false => Answer::error(409, "BucketAlreadyOwnedByYou"),
    });
    assert_eq!(added.unwrap_err().kind(), StoreErrorKind::BadStoreConfiguration);
    assert_eq!(requests, ["PUT /images/id", "PUT /images", "PUT /images/id"]);
}

#[test]
fn no_bucket_is_made_unasked() {
    let (added, requests) = add(&fast(""), &hello(), |_, _| Answer::error(404, "NoSuchBucket"));
    let error = added.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::BadStoreConfiguration);
    assert!(error.to_string().contains("s3_store_create_bucket_on_put"), "{error}");
    assert_eq!(requests, ["PUT /images/id"]);
}

#[test]
fn another_size_than_announced_leaves_nothing_behind() {
    let stores = fast("s3_store_large_object_size = 0\n");
    let image = Add::new("id").with_size(6);
    let error = stores.add(None, &image, UploadSource::Seekable(5), 1).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::InvalidSize);
    assert!(error.to_string().contains("5 bytes") && error.to_string().contains('6'), "{error}");
    // A stream that is longer or shorter, in parts: the upload is aborted.
    for announced in [4, 6] {
        let (added, requests) = add_stream(&stores, &hello(), Some(announced), multipart);
        assert_eq!(added.unwrap_err().kind(), StoreErrorKind::InvalidSize);
        let stored = requests.iter().filter(|request| request.starts_with("POST")).count();
        let aborted = requests.iter().filter(|request| request.starts_with("DELETE")).count();
        assert_eq!(stored, aborted, "{requests:?}");
        assert!(!requests.iter().any(|request| request == "POST /images/id?uploadId=u"));
    }
    // In one request: it is not even made.
    for announced in [4, 6] {
        let (added, requests) = add_stream(&fast(""), &hello(), Some(announced), multipart);
        assert_eq!(added.unwrap_err().kind(), StoreErrorKind::InvalidSize);
        assert!(requests.is_empty(), "{requests:?}");
    }
}

#[test]
fn sizes_are_in_mebibytes_and_the_width_is_that_of_the_pool() {
    let options = "s3_store_large_object_size = 1\ns3_store_large_object_chunk_size = 5\n\
                   s3_store_thread_pools = 3\n";
    let stores = fast(options);
    // Less than the option: one request. As much: parts.
    let (_, requests) = add(&stores, &object((1 << 20) - 1), multipart);
    assert_eq!(requests, ["PUT /images/id"]);
    let (_, requests) = add(&stores, &object(1 << 20), multipart);
    assert_eq!(requests[0], "POST /images/id?uploads");
    let large = object(22 << 20);
    let image = Add::new("id");
    let source = UploadSource::Seekable(large.len() as u64);
    let job = stores.add(None, &image, source, 1).unwrap();
    let mut sizes = Vec::new();
    let run = sim(job).source(large).run(|head, body| {
        if head.method == "PUT" {
            sizes.push(body.len() >> 20);
        }
        multipart(head, body)
    });
    assert_eq!(run.result.unwrap().size, 22 << 20);
    assert_eq!((sizes, run.peak), (vec![5, 5, 5, 5, 2], 3));
}

#[test]
fn a_stream_of_unknown_size_goes_in_parts_once_it_is_long() {
    let stores = fast("s3_store_large_object_size = 6\ns3_store_large_object_chunk_size = 5\n");
    let (added, requests) = add_stream(&stores, &object(1000), None, multipart);
    assert_eq!((added.unwrap().size, &*requests), (1000, &["PUT /images/id".to_owned()][..]));
    let (added, requests) = add_stream(&stores, &object(12 << 20), None, multipart);
    assert_eq!(added.unwrap().size, 12 << 20);
    assert_eq!(requests.len(), 5, "{requests:?}");
    // Nothing at all is an image too.
    let (added, requests) =
        add_stream(&fast("s3_store_large_object_size = 0"), &Bytes::new(), None, multipart);
    assert_eq!(added.unwrap().md5, "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(requests, ["PUT /images/id"]);
}

/// A server whose requests neither the signature nor a checksum that it compares covers: Ceph 16 and
/// 18 over https.
fn uncovered(options: &str) -> Stores {
    fast(&format!(
        "s3_store_host = https://127.0.0.1:9000\ns3_store_provider = ceph\n\
         s3_store_enable_data_integrity_protection = true\n\
         s3_store_request_checksum_calculation = when_supported\n{options}"
    ))
}

#[test]
fn other_bytes_than_were_sent_are_removed() {
    let other = "00000000000000000000000000000000";
    let (added, requests) = add(&uncovered(""), &hello(), |head, _| match is_put(head) {
        true => Answer::new(200).header("etag", other),
        false => Answer::new(204),
    });
    let error = added.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(error.protocol().leftovers().is_empty());
    assert_eq!(requests, ["PUT /images/id", "DELETE /images/id"]);
    // Where it can't be removed, that is told.
    let (added, _) = add(&uncovered(""), &hello(), |head, _| match is_put(head) {
        true => Answer::new(200).header("etag", other),
        false => Answer::error(403, "AccessDenied"),
    });
    let error = added.unwrap_err();
    let left = Leftover::Object { bucket: "images".into(), key: "id".into() };
    assert_eq!(error.protocol().leftovers(), [left]);
    // A part: the upload is aborted.
    let parts = uncovered("s3_store_large_object_size = 0\n");
    let (added, requests) = add(&parts, &hello(), |head, body| match head.method.as_str() {
        "HEAD" => Answer::new(404),
        "PUT" => Answer::new(200).header("etag", other),
        _ => multipart(head, body),
    });
    assert_eq!(added.unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert!(requests.contains(&"DELETE /images/id?uploadId=u".to_owned()), "{requests:?}");
    // The whole that was made of the parts.
    let (added, requests) = add(&fast("s3_store_large_object_size = 0"), &hello(), |head, body| {
        match (head.method.as_str(), head.uri.query()) {
            ("POST", Some("uploadId=u")) => completed(&format!("{other}-1")),
            ("DELETE", None) => Answer::new(204),
            _ => multipart(head, body),
        }
    });
    assert_eq!(added.unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(requests.last().unwrap(), "DELETE /images/id");
    // An ETag that is not an MD5 does not prove other bytes.
    let (added, _) =
        add(&uncovered(""), &hello(), |_, _| Answer::new(200).header("etag", "\"v1\""));
    assert_eq!(added.unwrap().md5, MD5);
}

#[test]
fn a_backend_must_be_there_and_have_keys() {
    let stores = fast("");
    let image = Add::new("id");
    let error = stores.add(Some("slow"), &image, UploadSource::Seekable(5), 1).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::UnknownStore);
    assert_eq!(error.to_string(), "unknown store: backend \"slow\" is not configured");
    let none = stores_of_nothing();
    let error = none.add(None, &image, UploadSource::Seekable(5), 1).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::BadStoreConfiguration);
    let nameless = Add::new("");
    assert_eq!(
        stores.add(None, &nameless, UploadSource::Seekable(5), 1).unwrap_err().kind(),
        StoreErrorKind::Invalid
    );
}

fn stores_of_nothing() -> Stores {
    let stores = stores("[DEFAULT]\n");
    assert_eq!(stores.ids().count(), 0);
    assert!(stores.default_backend().is_none());
    stores
}

#[test]
fn no_room_for_a_part_ends_the_upload_and_leaves_nothing() {
    let options = "s3_store_large_object_size = 0\ns3_store_large_object_chunk_size = 5\n";
    let (added, requests) = add(&fast(options), &object(6 << 20), |head, body| {
        match head.uri.query().is_some_and(|query| query.starts_with("partNumber=2")) {
            true => Answer::error(403, "QuotaExceeded"),
            false => multipart(head, body),
        }
    });
    let error = added.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::StorageFull);
    assert!(error.protocol().leftovers().is_empty());
    let end = ["DELETE /images/id?uploadId=u", "GET /images/id?uploadId=u"];
    assert!(requests.ends_with(&end.map(str::to_owned)), "{requests:?}");
}

#[test]
fn what_is_given_up_leaves_nothing_and_goes_no_further() {
    let cancelled = |stores: &Stores, at: u64, bytes: &Bytes| {
        let image = Add::new("id");
        let source = UploadSource::Seekable(bytes.len() as u64);
        let job = stores.add(None, &image, source, 1).unwrap();
        let run = sim(job)
            .source(bytes.clone())
            .cancel_at(Duration::from_millis(at), OnFailure::Abort)
            .run(|head, body| match (head.method.as_str(), head.uri.path()) {
                ("HEAD", _) => Answer::new(404),
                ("PUT", "/images") => Answer::new(200),
                ("PUT", "/images/id") if head.uri.query().is_none() => {
                    Answer::error(404, "NoSuchBucket")
                }
                _ => multipart(head, body),
            });
        assert_eq!(kind(Verb::Add, run.result), StoreErrorKind::Cancelled);
        run.requests
    };
    // Every answer takes 10 ms. While it looks, and while the bucket is made:
    assert_eq!(cancelled(&unknown(""), 5, &hello()), ["HEAD /images/id"]);
    let creating = fast("s3_store_create_bucket_on_put = true\n");
    assert_eq!(cancelled(&creating, 15, &hello()), ["PUT /images/id", "PUT /images"]);
    // And while parts are under way.
    let parts = fast("s3_store_large_object_size = 0\n");
    let requests = cancelled(&parts, 15, &hello());
    assert_eq!(requests.last().unwrap(), "GET /images/id?uploadId=u");
    assert!(requests.contains(&"DELETE /images/id?uploadId=u".to_owned()), "{requests:?}");
}

/// A server that takes uploads, in parts or whole, and tells digests as tags.
fn multipart(head: &request::Parts, body: &[u8]) -> Answer {
    let md5 = Algorithm::Md5.digest(body).unwrap().hex();
    match (head.method.as_str(), head.uri.query()) {
        ("POST", Some("uploads")) => Answer::new(200).body(
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        ),
        ("POST", Some("uploadId=u")) => completed(""),
        ("DELETE", Some("uploadId=u")) => Answer::new(204),
        ("GET", Some("uploadId=u")) => Answer::error(404, "NoSuchUpload"),
        ("PUT", _) => Answer::new(200).header("etag", format!("\"{md5}\"")),
        other => panic!("{other:?}"),
    }
}

fn completed(etag: &str) -> Answer {
    Answer::new(200).body(format!(
        "<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
    ))
}

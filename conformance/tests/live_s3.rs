//! All operations and machines against a real S3 server: Ceph's gateway of Debian 12 (16.2).
//!
//! ```text
//! conformance/live/ceph install && conformance/live/ceph up
//! eval "$(conformance/live/ceph env)"
//! APUS_LIVE_TABLE=table.md cargo test -p apus-conformance --test live_s3
//! ```
//!
//! Without these settings each test prints that it was not run, and passes. Each check runs over
//! http and https, both transports and every mode of the checksum policy, and has to succeed or to
//! be refused as stated beside it. The refusals are those of this version of Ceph.

#![expect(clippy::print_stderr, reason = "what was not run and the table are for people")]
#![expect(unreachable_pub, reason = "the modules are this test's alone")]

mod live;

use apus_core::http::Body;
use apus_core::machine::UploadOptions;
use apus_core::s3::{GetObject, PutObject};

use self::live::cases::transfers::upload;
use self::live::cases::{
    bodies, buckets, identity, keys, lists, objects, parts, payload, transfers, versions,
};
use self::live::site::Site;
use self::live::stage::{Setting, Stage};
use self::live::store::Feed;
use self::live::{places, run};

const DEFAULT: &[Setting] = &[Setting::DEFAULT];

#[test]
fn buckets_and_their_configurations() {
    run("buckets", "1. Buckets", DEFAULT, buckets::CASES);
}

#[test]
fn objects() {
    run("objects", "2. Objects", DEFAULT, objects::CASES);
}

#[test]
fn object_keys() {
    run("keys", "3. Keys", DEFAULT, keys::CASES);
}

#[test]
fn object_versions_and_locks() {
    run("versions", "4. Versions and locks", DEFAULT, versions::CASES);
}

#[test]
fn object_lists() {
    run("lists", "5. Lists", DEFAULT, lists::CASES);
}

#[test]
fn multipart_uploads_operation_by_operation() {
    run("parts", "6. Multipart uploads, operation by operation", DEFAULT, parts::CASES);
}

#[test]
fn transfers_by_machines() {
    run("transfers", "7. Machines", DEFAULT, transfers::CASES);
}

#[test]
fn keys_clocks_urls_and_forms() {
    run("identity", "8. Identities, clocks, URLs and forms", DEFAULT, identity::CASES);
}

#[test]
fn bodies_under_every_setting() {
    run("bodies", "9. Bodies under every setting", bodies::SETTINGS, bodies::CASES);
}

/// boto3 since 1.36 frames every body over https with a trailer and `Transfer-Encoding: chunked`,
/// and Ceph 16.2 answers 411 MissingContentLength. Here nothing is set but the mode.
#[test]
fn the_upload_that_boto3_loses_with_missing_content_length_succeeds_in_every_mode() {
    let Some(site) = Site::ceph("missing_content_length") else { return };
    for place in places(DEFAULT).filter(|place| place.https) {
        let stage = Stage::open(&site, place, "411");
        let bytes = payload((5 << 20) + 1000);
        let options =
            || UploadOptions { threshold: 1 << 20, part_size: 5 << 20, ..UploadOptions::default() };
        let compare = |key: &str, expected: &[u8]| {
            let answer = stage.call(GetObject::new(&stage.bucket, key)).unwrap();
            assert!(answer.body == expected, "{key}");
            assert_eq!(answer.head.content_encoding, None);
        };

        stage.call(PutObject::new(&stage.bucket, "bytes", bytes[..2200].to_vec())).unwrap();
        compare("bytes", &bytes[..2200]);
        stage.call(PutObject::new(&stage.bucket, "empty", "")).unwrap();
        compare("empty", &[]);
        let body = Body::Source { range: 0..2200, rewindable: false };
        let put = PutObject::from_body(&stage.bucket, "stream", body);
        stage.store.call_from(put, Feed::Known, &bytes[..2200]).unwrap();
        compare("stream", &bytes[..2200]);
        for feed in [Feed::Memory, Feed::Known, Feed::Unknown] {
            for (key, expected) in [("small", &bytes[..2200]), ("parts", &bytes[..])] {
                upload(&stage.store, &stage.bucket, key, feed, expected, options()).unwrap();
                compare(key, expected);
            }
        }
        stage.close();
    }
}

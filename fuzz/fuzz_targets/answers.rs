//! Any answer to any operation is an output or an error, and no list of pages runs in a circle.
//!
//! An input is a byte that picks the operation, and an answer as HTTP/1 would write it, without
//! the version and with bare line feeds:
//!
//! ```text
//! n200 OK
//! content-type: application/xml
//!
//! <ListBucketResult>…
//! ```
#![no_main]

mod message;

use apus_core::checksum::{Algorithm, Declared};
use apus_core::contract::{Operation, Service as _};
use apus_core::error::Kind;
use apus_core::http::Reply;
use apus_core::s3::*;
use bytes::Bytes;
use http::Method;
use libfuzzer_sys::fuzz_target;

use self::message::reply;

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, message)) = bytes.split_first() else { return };
    let Some(reply) = reply(message) else { return };
    // What a head declares is what is written again for it.
    if let Ok(Some(declared)) = Declared::in_headers(&reply.head.headers) {
        let again = Declared::parse(declared.algorithm(), &declared.to_string());
        assert_eq!(again.ok(), Some(declared));
    }
    ask(pick.wrapping_sub(b'A'), &Asked { service: service(), reply });
});

/// An answer, and where it comes from.
struct Asked {
    service: Service,
    reply: Reply,
}

fn ask(pick: u8, asked: &Asked) {
    let (b, k, u) = ("bucket", "key", "upload");
    let from = || CopySource::new(b, k);
    let Asked { reply, .. } = asked;
    // Of a list: the page after this one can't be followed by the same page again.
    macro_rules! pages {
        ($list:expr) => {{
            let list = $list;
            if let Some(page) = asked.parse(&list)
                && let Ok(Some(next)) = list.next(&page)
            {
                assert_ne!(next, list, "the next page is this one");
                if let Ok(Some(over)) = next.next(&page) {
                    assert_ne!(over, next, "the page after the next is the next");
                }
            }
        }};
    }
    match pick % 44 {
        0 => asked.check(&ListBuckets::new()),
        1 => pages!(ListBuckets::new()),
        2 => asked.check(&HeadBucket::new(b)),
        3 => asked.check(&CreateBucket::new(b)),
        4 => asked.check(&DeleteBucket::new(b)),
        5 => asked.check(&GetBucketLocation::new(b)),
        6 => asked.check(&GetBucketVersioning::new(b)),
        7 => asked.check(&PutBucketVersioning::new(b, BucketVersioning::default())),
        8 => asked.check(&GetBucketLifecycleConfiguration::new(b)),
        9 => asked.check(&PutBucketLifecycleConfiguration::new(b, Vec::new())),
        10 => asked.check(&DeleteBucketLifecycle::new(b)),
        11 => asked.check(&GetBucketTagging::new(b)),
        12 => asked.check(&PutBucketTagging::new(b, Tags::default())),
        13 => asked.check(&DeleteBucketTagging::new(b)),
        14 => asked.check(&GetBucketCors::new(b)),
        15 => asked.check(&PutBucketCors::new(b, Vec::new())),
        16 => asked.check(&DeleteBucketCors::new(b)),
        17 => asked.check(&GetBucketPolicy::new(b)),
        18 => asked.check(&PutBucketPolicy::new(b, "{}")),
        19 => asked.check(&DeleteBucketPolicy::new(b)),
        20 => asked.check(&HeadObject::new(b, k)),
        21 => asked.check(&GetObject::new(b, k)),
        22 => asked.check(&PutObject::new(b, k, Bytes::new())),
        23 => asked.check(&CopyObject::new(b, k, from())),
        24 => asked.check(&DeleteObject::new(b, k)),
        25 => asked.check(&DeleteObjects::new(b, [k])),
        26 => asked.check(&GetObjectTagging::new(b, k)),
        27 => asked.check(&PutObjectTagging::new(b, k, Tags::default())),
        28 => asked.check(&DeleteObjectTagging::new(b, k)),
        29 => pages!(GetObjectAttributes::new(b, k)),
        30 => asked.check(&GetObjectRetention::new(b, k)),
        31 => asked.check(&PutObjectRetention::new(b, k, Retention::default())),
        32 => asked.check(&GetObjectLegalHold::new(b, k)),
        33 => asked.check(&PutObjectLegalHold::new(b, k, true)),
        34 => pages!(ListObjectsV2::new(b)),
        35 => pages!(ListObjects::new(b)),
        36 => pages!(ListObjectVersions::new(b)),
        37 => asked.check(&CreateMultipartUpload::new(b, k)),
        38 => asked.check(&UploadPart::new(b, k, u, 1, Bytes::new())),
        39 => asked.check(&UploadPartCopy::new(b, k, u, 1, from())),
        40 => {
            let parts = vec![CompletedPart::new(1, "tag")];
            asked.check(&CompleteMultipartUpload::new(b, k, u, parts));
        }
        41 => asked.check(&AbortMultipartUpload::new(b, k, u)),
        42 => pages!(ListParts::new(b, k, u)),
        43 if reply.status().as_u16() % 2 == 0 => pages!(ListMultipartUploads::new(b)),
        _ => asked.check(&Raw::new(Method::GET).bucket(b)),
    }
}

impl Asked {
    fn check<O: Operation<Service = Service>>(&self, operation: &O) {
        self.parse(operation);
    }

    /// What the answer says to this operation.
    fn parse<O: Operation<Service = Service>>(&self, operation: &O) -> Option<O::Output> {
        match operation.parse(&self.service, &self.reply) {
            Ok(output) => {
                assert!(self.reply.status().is_success(), "an output of a refusal");
                let computed = Algorithm::Crc32.digest(b"payload").ok();
                let _ = operation.confirm(&output, computed.as_slice());
                Some(output)
            }
            Err(error) => {
                assert_ne!(
                    error.kind(),
                    Kind::InvalidInput,
                    "it is not the caller's fault: {error}"
                );
                let _ = format!("{error} {error:?}");
                self.service.judge(&error, operation.idempotency());
                if let Some(bucket) = operation.resource() {
                    self.service.learn(bucket, &error);
                    // Whatever was learnt, requests can still be made.
                    operation.draft(&self.service).map(drop).expect("a draft");
                }
                None
            }
        }
    }
}

fn service() -> Service {
    let url = BaseUrl::parse("https://s3.example.com").expect("a URL");
    Service::new(Config::new(EndpointConfig::custom(url, "us-east-1"))).expect("a service")
}

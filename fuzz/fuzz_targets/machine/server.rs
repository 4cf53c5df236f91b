//! What S3 says, and what must not be left on it.

use std::fmt::Write as _;

use apus_core::Error;
use apus_core::checksum::{Algorithm, Composite};
use apus_core::http::{Completion, Draft, Incoming};
use bytes::Bytes;
use http::HeaderValue;

use crate::answer::{LONGEST, Reply, ZEROS, asked};
use crate::{Setup, algorithm};

/// What is known of a multipart upload on the server.
#[derive(Debug)]
pub(crate) struct Remains {
    created: bool,
    completing: bool,
    aborted: bool,
    kept: bool,
}

impl Remains {
    /// Nothing yet.
    pub(crate) fn new(kept: bool) -> Self {
        Self { created: false, completing: false, aborted: false, kept }
    }

    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    pub(crate) fn launched(&mut self, draft: &Draft) {
        self.completing |= draft.operation == "CompleteMultipartUpload";
    }

    /// `well`: it was answered as is right, and whole.
    pub(crate) fn ended(&mut self, done: &Completion, well: bool) {
        let ok = done.outcome().is_ok();
        match done.draft().operation {
            "CreateMultipartUpload" => self.created |= ok && well,
            "AbortMultipartUpload" => self.aborted |= ok,
            _ => {}
        }
    }

    /// Nothing is left that the result does not tell.
    pub(crate) fn check<T>(&self, result: &Result<T, Error>) {
        if let Err(error) = result {
            let loose = self.created && !self.completing && !self.aborted && !self.kept;
            assert!(!loose || !error.leftovers().is_empty(), "law 3: an upload is left behind");
        }
    }
}

/// The document of an error.
pub(crate) fn refusal(_: u16, code: &str) -> String {
    format!("<Error><Code>{code}</Code><Region>eu-west-1</Region></Error>")
}

/// What is right for the operation, but for the twist's bits.
pub(crate) fn good(draft: &Draft, setup: &Setup, twist: u8, _: u64) -> Reply {
    let bit = |n: u8| twist & (1 << n) != 0;
    let mut reply = Reply::new(200);
    let tag = if bit(7) { "\"other\"" } else { "\"9e107d9d372bb6826bd81d3542a419d6\"" };
    match draft.operation {
        "GetObject" => object(&mut reply, draft, setup, twist, tag),
        "HeadObject" => {
            if !bit(0) {
                reply.header("content-length", setup.object.get());
            }
            reply.header("etag", tag);
            checksum(&mut reply, setup, twist);
        }
        "PutObject" | "UploadPart" if !bit(0) => reply.header("etag", tag),
        "CreateMultipartUpload" => reply.body(
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        ),
        "UploadPartCopy" => {
            reply.body(format!("<CopyPartResult><ETag>{tag}</ETag></CopyPartResult>"))
        }
        "CopyObject" => {
            reply.body(format!("<CopyObjectResult><ETag>{tag}</ETag></CopyObjectResult>"))
        }
        "CompleteMultipartUpload" if bit(0) => {
            reply.body("<Error><Code>InternalError</Code></Error>");
        }
        "CompleteMultipartUpload" => {
            let mut body = format!("<CompleteMultipartUploadResult><ETag>{tag}</ETag>");
            if bit(1) {
                body += "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>";
            }
            reply.body(body + "</CompleteMultipartUploadResult>");
        }
        "AbortMultipartUpload" | "DeleteObject" => reply = Reply::new(204),
        "ListParts" => {
            let mut body = "<ListPartsResult>".to_owned();
            for number in 1..=(twist & 3) {
                let size = setup.part_size.get();
                let _ = write!(
                    body,
                    "<Part><PartNumber>{number}</PartNumber><Size>{size}</Size>\
                     <ETag>p</ETag></Part>"
                );
            }
            if bit(2) {
                let next = twist >> 3;
                let _ = write!(
                    body,
                    "<IsTruncated>true</IsTruncated>\
                     <NextPartNumberMarker>{next}</NextPartNumberMarker>"
                );
            }
            reply.body(body + "</ListPartsResult>");
        }
        "GetObjectAttributes" => {
            let count = u64::from(twist & 3) + 1;
            let mut body = "<GetObjectAttributesOutput><ObjectParts>".to_owned();
            for number in 1..=count {
                let size = setup.object.get() / count;
                let _ = write!(
                    body,
                    "<Part><PartNumber>{number}</PartNumber><Size>{size}</Size></Part>"
                );
            }
            if bit(2) {
                body += "<IsTruncated>true</IsTruncated>\
                         <NextPartNumberMarker>2</NextPartNumberMarker>";
            }
            reply.body(body + "</ObjectParts></GetObjectAttributesOutput>");
        }
        "DeleteObjects" => {
            let mut body = "<DeleteResult>".to_owned();
            for key in (0..8).filter(|key| bit(*key)) {
                let code = ["InternalError", "SlowDown", "AccessDenied"][usize::from(key % 3)];
                let _ = write!(body, "<Error><Key>key{key}</Key><Code>{code}</Code></Error>");
            }
            reply.body(body + "</DeleteResult>");
        }
        "ListObjectsV2" => reply.body("<ListBucketResult/>"),
        _ => {}
    }
    reply
}

/// The bytes that were asked for; they are all zero.
fn object(reply: &mut Reply, draft: &Draft, setup: &Setup, twist: u8, tag: &'static str) {
    let bit = |n: u8| twist & (1 << n) != 0;
    let size = setup.object.get();
    let range = draft.head.headers.get("range").and_then(|range| asked(range, size));
    let told = if bit(0) { "*".to_owned() } else { size.to_string() };
    let length = match range.filter(|_| !bit(1)) {
        Some(range) if range.is_empty() => {
            *reply = Reply::new(416);
            return reply.header("content-range", format!("bytes */{size}"));
        }
        Some(range) => {
            *reply = Reply::new(206);
            let (start, last) = (range.start, range.end - 1);
            reply.header("content-range", format!("bytes {start}-{last}/{told}"));
            range.end - range.start
        }
        None => size,
    };
    reply.header("etag", tag);
    checksum(reply, setup, twist);
    let Ok(length) = usize::try_from(length.min(LONGEST)) else { return };
    debug_assert!(matches!(draft.incoming, Incoming::Stream { .. } | Incoming::Collect { .. }));
    if bit(2) {
        reply.body = Bytes::from_static(&ZEROS[..length]);
    } else {
        reply.body(&ZEROS[..length]);
    }
}

/// A checksum of the object: the right one, a wrong one, or one over parts.
fn checksum(reply: &mut Reply, setup: &Setup, twist: u8) {
    let Ok(size @ ..=LONGEST) = usize::try_from(setup.object.get()).map(|size| size as u64) else {
        return;
    };
    let kind = algorithm(twist >> 3);
    let bytes = &ZEROS[..size as usize];
    let value = match (twist >> 5) & 3 {
        0 => return,
        1 => kind.digest(bytes).expect("all are built in").base64(),
        2 => kind.digest(b"other").expect("all are built in").base64(),
        _ if kind == Algorithm::Crc64Nvme => return,
        _ => {
            let part = kind.digest(&bytes[..bytes.len() / 2]).expect("all are built in");
            Composite::of([part, part]).expect("two parts").to_string()
        }
    };
    if let Ok(value) = HeaderValue::from_str(&value) {
        reply.head.headers.insert(kind.header().clone(), value);
    }
}

/// What carries a part of the source.
pub(crate) const PART: &str = "UploadPart";

/// What begins something new, and is not for cleaning up.
pub(crate) const BEGINNINGS: [&str; 8] = [
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "PutObject",
    "CopyObject",
    "GetObject",
    "DeleteObjects",
    "DeleteObject",
];

pub(crate) const REFUSALS: [(u16, &str); 18] = [
    (404, "NoSuchKey"),
    (404, "NoSuchUpload"),
    (503, "SlowDown"),
    (500, "InternalError"),
    (403, "AccessDenied"),
    (403, "RequestTimeTooSkewed"),
    (412, "PreconditionFailed"),
    (409, "ConditionalRequestConflict"),
    (400, "InvalidPart"),
    (400, "RequestTimeout"),
    (301, "PermanentRedirect"),
    (400, "AuthorizationHeaderMalformed"),
    (416, "InvalidRange"),
    (429, "TooManyRequests"),
    (501, "NotImplemented"),
    (400, "ExpiredToken"),
    (304, "NotModified"),
    (200, "InternalError"),
];

pub(crate) const HEADERS: [&str; 12] = [
    "content-length",
    "content-range",
    "etag",
    "retry-after",
    "x-amz-retry-after",
    "date",
    "age",
    "x-amz-bucket-region",
    "x-amz-checksum-crc32",
    "x-amz-checksum-type",
    "location",
    "x-amz-mp-parts-count",
];

pub(crate) const WORDS: [&str; 8] = [
    "",
    "bytes 0-0/1",
    "bytes */0",
    "W/\"9e107d9d372bb6826bd81d3542a419d6\"",
    "eu-west-1",
    "AAAAAA==",
    "COMPOSITE",
    "AAAAAA==-2",
];

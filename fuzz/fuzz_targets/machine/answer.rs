//! What a server can say: what is right for the request, with a twist, an error, or nonsense.

use std::fmt::Write as _;

use apus_core::checksum::{Algorithm, Composite};
use apus_core::error::Cause;
use apus_core::http::{Draft, Incoming};
use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, response};

use crate::{Setup, algorithm};

/// How an exchange ends.
#[derive(Arbitrary, Debug)]
pub(crate) enum Answer {
    /// Well, in a way that the bits choose.
    Good(u8),
    /// Well, but the connection breaks after so many bytes of the body.
    Cut(u8, u8),
    /// By a refusal of these, with a `Retry-After` or a date.
    Refused { which: u8, after: Option<u8>, dated: Option<i16>, document: bool },
    /// By nonsense.
    Odd { status: u16, headers: Vec<(u8, Word)>, body: Vec<u8> },
    /// Without an answer.
    Lost(u8),
}

/// The value of a header.
#[derive(Arbitrary, Debug)]
pub(crate) enum Word {
    Known(u8),
    Number(u64),
    Any(Vec<u8>),
}

/// What comes of an answer.
pub(crate) enum Outcome {
    Lost(Cause),
    Head { head: response::Parts, body: Bytes, cut: bool },
}

impl Answer {
    /// What `draft` is answered at this time.
    pub(crate) fn to(&self, draft: &Draft, setup: &Setup, unix: u64) -> Outcome {
        match self {
            Self::Good(twist) => good(draft, setup, *twist).end(None),
            Self::Cut(twist, after) => good(draft, setup, *twist).end(Some((*after).into())),
            Self::Refused { which, after, dated, document } => {
                let (status, code) = REFUSALS[usize::from(*which) % REFUSALS.len()];
                let mut reply = Reply::new(status);
                if let Some(after) = after {
                    reply.header("retry-after", after);
                }
                if let Some(dated) = dated {
                    let at = unix.saturating_add_signed(i64::from(*dated) * 60);
                    let at = i64::try_from(at).unwrap_or(0);
                    let date = apus_core::now::Timestamp::from_unix(at).http_date();
                    reply.header("date", date);
                }
                if *document {
                    reply.body(format!(
                        "<Error><Code>{code}</Code><Region>eu-west-1</Region></Error>"
                    ));
                }
                reply.end(None)
            }
            Self::Odd { status, headers, body } => {
                let status = 100 + status % 500;
                let mut reply = Reply::new(status);
                for (name, value) in headers {
                    let name = HEADERS[usize::from(*name) % HEADERS.len()];
                    match value {
                        Word::Known(n) => reply.header(name, WORDS[usize::from(*n) % WORDS.len()]),
                        Word::Number(n) => reply.header(name, n),
                        Word::Any(bytes) => {
                            if let Ok(value) = HeaderValue::from_bytes(bytes) {
                                reply.head.headers.append(name, value);
                            }
                        }
                    }
                }
                reply.body = Bytes::copy_from_slice(body);
                reply.end(None)
            }
            Self::Lost(cause) => Outcome::Lost(CAUSES[usize::from(*cause) % CAUSES.len()]),
        }
    }
}

struct Reply {
    head: response::Parts,
    body: Bytes,
}

impl Reply {
    fn new(status: u16) -> Self {
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.status = StatusCode::from_u16(status).expect("a status");
        Self { head, body: Bytes::new() }
    }

    fn header(&mut self, name: &'static str, value: impl ToString) {
        if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
            self.head.headers.insert(HeaderName::from_static(name), value);
        }
    }

    fn body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
        self.header("content-length", self.body.len());
    }

    fn end(self, cut: Option<usize>) -> Outcome {
        let body = self.body.slice(..cut.unwrap_or(usize::MAX).min(self.body.len()));
        Outcome::Head { head: self.head, body, cut: cut.is_some() }
    }
}

/// What is right for the operation, but for the twist's bits.
fn good(draft: &Draft, setup: &Setup, twist: u8) -> Reply {
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

fn asked(range: &HeaderValue, size: u64) -> Option<std::ops::Range<u64>> {
    let (start, last) = range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    if start.is_empty() {
        return Some(size.saturating_sub(last.parse().ok()?)..size);
    }
    let end = last.parse().map_or(size, |last: u64| last.saturating_add(1).min(size));
    let start: u64 = start.parse().ok()?;
    Some(start.min(end)..end)
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

const REFUSALS: [(u16, &str); 18] = [
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

const CAUSES: [Cause; 11] = [
    Cause::Resolve,
    Cause::Connect,
    Cause::Tls,
    Cause::Proxy,
    Cause::Timeout,
    Cause::Closed,
    Cause::Cut,
    Cause::Cancelled,
    Cause::Source,
    Cause::Sink,
    Cause::Protocol,
];

const HEADERS: [&str; 12] = [
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

const WORDS: [&str; 8] = [
    "",
    "bytes 0-0/1",
    "bytes */0",
    "W/\"9e107d9d372bb6826bd81d3542a419d6\"",
    "eu-west-1",
    "AAAAAA==",
    "COMPOSITE",
    "AAAAAA==-2",
];

/// No object that is really sent is longer.
pub(crate) const LONGEST: u64 = 4096;
static ZEROS: [u8; LONGEST as usize] = [0; LONGEST as usize];

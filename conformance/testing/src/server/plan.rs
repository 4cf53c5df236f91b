//! Which requests fail and how, as data: a test can write it, and a simulator can make it from a
//! seed.

use std::time::Duration;

use super::message::{Cut, Ending, Reply};

/// The operations of S3 that an [`S3Model`](super::S3Model) supports, and all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names are those of the API reference
pub enum Operation {
    ListBuckets,
    HeadBucket,
    CreateBucket,
    DeleteBucket,
    GetBucketLocation,
    ListObjects,
    ListObjectsV2,
    ListMultipartUploads,
    DeleteObjects,
    HeadObject,
    GetObject,
    PutObject,
    CopyObject,
    DeleteObject,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    GetObjectTagging,
    PutObjectAnnotation,
    GetObjectAnnotation,
    DeleteObjectAnnotation,
    ListObjectAnnotations,
    /// Any request to which the model responds with 501.
    Other,
}

/// A fault of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 503 `SlowDown`, with `Retry-After` in seconds where given; the request is not applied.
    SlowDown(Option<u32>),
    /// 500 `InternalError`; the request is not applied.
    InternalError,
    /// This status and error code; the request is not applied.
    Refuse(u16, &'static str),
    /// As [`Refuse`](Self::Refuse), but before the request's body is read. The body is then read
    /// and dropped.
    RefuseEarly(u16, &'static str),
    /// 200 with an `<Error>` of this code, as CompleteMultipartUpload and CopyObject may send it;
    /// the request is not applied.
    ErrorIn200(&'static str),
    /// 409 `ConditionalRequestConflict`; the request is not applied.
    Conflict,
    /// 404 `NoSuchUpload`; the request is not applied, and the upload stays as it is.
    NoSuchUpload,
    /// 301 `PermanentRedirect` to this region; the request is not applied.
    Redirect(&'static str),
    /// 400 `AuthorizationHeaderMalformed`, naming this region; the request is not applied.
    WrongRegion(&'static str),
    /// 403 `RequestTimeTooSkewed`, with a `Date` this many seconds ahead of the model's clock.
    ClockSkewed(i64),
    /// This response instead of the model's; the request is not applied.
    Instead(Reply),
    /// The request is not applied, and the connection ends without a response.
    Lost(Ending),
    /// The request is applied, and the connection ends without a response.
    AnswerLost(Ending),
    /// The response ends after its head and this many bytes of the body.
    CutBody(usize, Ending),
    /// The last byte of the response's body is wrong.
    Corrupt,
    /// The checksum in the response's head is wrong.
    WrongChecksum,
    /// The `Content-Range` of the response is off by one.
    WrongContentRange,
    /// The response to a GET of a range has one byte fewer: the first one, where the value is true,
    /// or the last one.
    OtherRange(bool),
    /// CompleteMultipartUpload stores another byte than was sent, and returns the checksum of that.
    Misassembled,
    /// AbortMultipartUpload succeeds, and the upload still exists: parts that are in flight may
    /// be kept ("AbortMultipartUpload", S3 API reference).
    PartsLeft,
    /// The response to a GET of a range is 200 with the whole object.
    RangeIgnored,
    /// The response's body is sent this many bytes at a time, each time after a pause.
    Trickle(usize, Duration),
    /// The response comes after this time.
    Delay(Duration),
}

/// Faults by operation and occurrence, for operations of S3 or of another service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<O = Operation> {
    entries: Vec<Entry<O>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry<O> {
    operation: Option<O>,
    first: u64,
    last: u64,
    fault: Fault,
}

impl<O> Default for Plan<O> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<O: Copy + PartialEq> Plan<O> {
    /// Creates a plan without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds this fault to the `nth` request of this operation, counted from 1.
    pub fn on(self, operation: O, nth: u64, fault: Fault) -> Self {
        self.entry(Some(operation), nth, nth, fault)
    }

    /// Adds this fault to the `nth` request of this operation, counted from 1, and to all after it.
    pub fn from(self, operation: O, nth: u64, fault: Fault) -> Self {
        self.entry(Some(operation), nth, u64::MAX, fault)
    }

    /// Adds this fault to every request of this operation.
    pub fn always(self, operation: O, fault: Fault) -> Self {
        self.from(operation, 1, fault)
    }

    /// Adds this fault to the `nth` request of all operations, counted from 1.
    pub fn on_any(self, nth: u64, fault: Fault) -> Self {
        self.entry(None, nth, nth, fault)
    }

    /// Returns the fault of a request that is the `nth` of its operation and the `overall`-th of
    /// all. Where several entries match, the first one added counts.
    pub fn fault(&self, operation: O, nth: u64, overall: u64) -> Option<&Fault> {
        let hit = |entry: &&Entry<O>| {
            let number = if entry.operation.is_some() { nth } else { overall };
            entry.operation.is_none_or(|wanted| wanted == operation)
                && (entry.first..=entry.last).contains(&number)
        };
        self.entries.iter().find(hit).map(|entry| &entry.fault)
    }

    fn entry(mut self, operation: Option<O>, first: u64, last: u64, fault: Fault) -> Self {
        self.entries.push(Entry { operation, first, last, fault });
        self
    }
}

impl Fault {
    /// Applies a fault that changes a good response. Other faults do not change it.
    pub(super) fn spoil(&self, mut reply: Reply) -> Reply {
        match self {
            Self::AnswerLost(ending) => reply.cut(Cut::Head(*ending)),
            Self::CutBody(bytes, ending) => reply.cut(Cut::Body(*bytes, *ending)),
            Self::Trickle(bytes, every) => reply.pace(*bytes, *every),
            Self::Delay(time) => reply.delay(*time),
            Self::Corrupt => {
                let mut body = reply.body.to_vec();
                if let Some(last) = body.last_mut() {
                    *last ^= 1;
                }
                reply.body(body)
            }
            Self::WrongChecksum => {
                for (name, value) in &mut reply.headers {
                    if name.starts_with("x-amz-checksum-") && name != "x-amz-checksum-type" {
                        *value = other_base64(value);
                    }
                }
                reply
            }
            Self::WrongContentRange => {
                for (name, value) in &mut reply.headers {
                    if name.eq_ignore_ascii_case("content-range") {
                        *value = off_by_one(value);
                    }
                }
                reply
            }
            _ => reply,
        }
    }
}

/// Returns the base64 text with another first letter.
fn other_base64(value: &str) -> String {
    let first = if value.starts_with('A') { 'B' } else { 'A' };
    let rest: String = value.chars().skip(1).collect();
    format!("{first}{rest}")
}

/// Changes `bytes 5-9/20` to `bytes 6-10/20`.
fn off_by_one(value: &str) -> String {
    let moved = || {
        let (range, length) = value.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        Some(format!("bytes {}-{}/{length}", first + 1, last + 1))
    };
    moved().unwrap_or_else(|| value.to_owned())
}

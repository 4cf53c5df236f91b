//! Which requests go wrong, and how: data, so that a test, a simulator and a seed can write it.

use std::time::Duration;

use super::message::{Cut, Ending, Reply};

/// The operations of S3 that an [`S3Model`](super::S3Model) knows, and the rest.
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
    /// Anything that the model answers with 501.
    Other,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 503 `SlowDown`, with `Retry-After` in seconds where given; nothing is done.
    SlowDown(Option<u32>),
    /// 500 `InternalError`; nothing is done.
    InternalError,
    /// This status and error code; nothing is done.
    Refuse(u16, &'static str),
    /// As [`Refuse`](Self::Refuse), but before the request's body is read, which then is read and
    /// dropped.
    RefuseEarly(u16, &'static str),
    /// 200 with an `<Error>` of this code, as Complete and Copy do; nothing is done.
    ErrorIn200(&'static str),
    /// 409 `ConditionalRequestConflict`; nothing is done.
    Conflict,
    /// 404 `NoSuchUpload`; nothing is done, and an upload stays as it is.
    NoSuchUpload,
    /// 301 `PermanentRedirect` to this region; nothing is done.
    Redirect(&'static str),
    /// 400 `AuthorizationHeaderMalformed`, naming this region; nothing is done.
    WrongRegion(&'static str),
    /// 403 `RequestTimeTooSkewed`, with a `Date` this many seconds ahead of the model's clock.
    ClockSkewed(i64),
    /// This answer in the place of any; nothing is done.
    Instead(Reply),
    /// Nothing is done, and the connection ends without an answer.
    Lost(Ending),
    /// The request is carried out, and the connection ends without an answer.
    AnswerLost(Ending),
    /// The answer ends after its head and this many bytes of the body.
    CutBody(usize, Ending),
    /// The last byte of the answer's body is another one.
    Corrupt,
    /// The checksum that the answer's head has is another one.
    WrongChecksum,
    /// The `Content-Range` of the answer is off by one.
    WrongContentRange,
    /// A ranged GET is answered with 200 and the whole object.
    RangeIgnored,
    /// The answer's body comes so many bytes at a time, each after a pause.
    Trickle(usize, Duration),
    /// The answer comes after this time.
    Delay(Duration),
}

/// Faults by operation and occurrence: of S3, or of another service's operations.
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
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// The `nth` request of this operation, from 1, meets this fault.
    pub fn on(self, operation: O, nth: u64, fault: Fault) -> Self {
        self.entry(Some(operation), nth, nth, fault)
    }

    /// The `nth` request of this operation, from 1, and all after it meet this fault.
    pub fn from(self, operation: O, nth: u64, fault: Fault) -> Self {
        self.entry(Some(operation), nth, u64::MAX, fault)
    }

    /// Every request of this operation meets this fault.
    pub fn always(self, operation: O, fault: Fault) -> Self {
        self.from(operation, 1, fault)
    }

    /// The `nth` request of all, from 1, meets this fault.
    pub fn on_any(self, nth: u64, fault: Fault) -> Self {
        self.entry(None, nth, nth, fault)
    }

    /// The fault of a request that is the `nth` of its operation and the `overall`-th of all; the
    /// entry made first wins.
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
    /// What a fault that changes a good answer makes of it. The others leave it alone.
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

/// The same base64 text but for its first letter.
fn other_base64(value: &str) -> String {
    let first = if value.starts_with('A') { 'B' } else { 'A' };
    let rest: String = value.chars().skip(1).collect();
    format!("{first}{rest}")
}

/// `bytes 5-9/20` becomes `bytes 6-10/20`.
fn off_by_one(value: &str) -> String {
    let moved = || {
        let (range, length) = value.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        Some(format!("bytes {}-{}/{length}", first + 1, last + 1))
    };
    moved().unwrap_or_else(|| value.to_owned())
}

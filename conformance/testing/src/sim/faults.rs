//! The faults of exchanges, and which exchanges each fault can meet.
//!
//! | phase | what |
//! | --- | --- |
//! | head | before the server has the whole head: no connection, a reset, a revoked token |
//! | body | while the body of the request is sent: a reset, a stall, an early response |
//! | answer | the request has arrived: the response is lost, late, cut, a refusal, or wrong |
//!
//! In the report, a fault of an operation that removes what a failed workload leaves is in the
//! phase of the clean-up, whatever its own phase is.

use std::fmt;

use super::chance::Chance;

/// A fault of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No connection is made.
    Refused,
    /// A connection takes longer than the limit.
    ConnectStalls,
    /// The connection ends before the head was sent.
    ResetInHead,
    /// All tokens, or the keys, are revoked just before the request arrives.
    Revoked,
    /// Our clock jumps by this many seconds before the request is sent.
    ClockJumps(i32),
    /// Just before the request arrives, another client writes another object of the same length.
    Replaced,
    /// The connection ends after this share (in thousandths) of the body.
    ResetInBody(u16),
    /// The server stops reading after this share of the body.
    StallsInBody(u16),
    /// A refusal comes after this share of the body.
    EarlyRefusal(u16, u16),
    /// A success comes after this share of the body, which then is not stored.
    EarlySuccess(u16),
    /// The request is lost after all of it was sent.
    Lost,
    /// The request is applied, and its response lost.
    AnswerLost,
    /// The connection ends, and the request is applied this many milliseconds later.
    Late(u32),
    /// No response comes in time. The value states whether the request was applied.
    Stalls(bool),
    /// The request is applied, and the response is no HTTP.
    Garbage,
    /// The connection ends after this share of the response's body.
    CutInAnswer(u16),
    /// The response's body ends properly after this share of its length.
    Truncated(u16),
    /// The response's body stalls after this share.
    StallsInAnswer(u16),
    /// The request is applied twice, and the response is that of the first time.
    Duplicated,
    /// This status and code; the request is not applied.
    Status(u16, &'static str),
    /// This status, although the request was applied. Not 503, which states that it was not
    /// applied.
    StatusAfter(u16),
    /// 503 or 429, with this many seconds of `Retry-After`, or without.
    Throttled(u16, Option<u16>),
    /// A success whose body has this error; the request is not applied.
    ErrorIn200(u8),
    /// The response takes this many seconds.
    Slow(u16),
    /// A `Content-Range` that is off by one, or one byte fewer: without the first one, or without the
    /// last one.
    WrongRange(Shift),
    /// The whole object where a range was requested.
    RangeIgnored,
    /// A wrong checksum in the head.
    WrongChecksum,
    /// A wrong byte in the body.
    Corrupt,
    /// An abort succeeds, and parts that were in flight are kept: the upload still exists.
    PartsLeft,
    /// The whole object has another byte than its parts, and the checksum of that.
    Misassembled,
    /// The response to a manifest that was stored has another ETag.
    WrongTag,
}

/// How a range differs from the one that was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    /// The header alone.
    Header,
    /// It begins one byte later.
    Later,
    /// It ends one byte earlier.
    Earlier,
}

/// Where in an exchange a fault takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before the server has the head.
    Head,
    /// While the request's body is sent.
    Body,
    /// When the request has arrived.
    Answer,
    /// At any time in a request of the clean-up.
    Cleanup,
}

/// The service of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    S3,
    Swift,
    Keystone,
}

/// The properties of an exchange that decide which faults can meet it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facing {
    pub(crate) operation: &'static str,
    pub(crate) whom: Whom,
    /// Bytes of the request's body.
    pub(crate) body: u64,
    /// Whether it has a `Range`.
    pub(crate) ranged: bool,
    /// Whether its response goes to a sink and is compared with a checksum.
    pub(crate) validated: bool,
    /// Whether the server has a checksum of the whole that is compared.
    pub(crate) assembled: bool,
    /// Whether its response's ETag is compared, and what is stored is removed where it differs.
    pub(crate) tagged: bool,
    /// Whether another client may overwrite the object.
    pub(crate) replaceable: bool,
    /// Whether it removes what a failure leaves.
    pub(crate) cleans: bool,
    /// Whether tokens or keys can be revoked.
    pub(crate) revocable: bool,
}

impl Fault {
    /// Whether this fault can meet this exchange.
    pub(crate) fn suits(self, facing: &Facing) -> bool {
        match self {
            Self::ResetInBody(_)
            | Self::StallsInBody(_)
            | Self::EarlyRefusal(..)
            | Self::EarlySuccess(_) => {
                let forged = !matches!(self, Self::EarlySuccess(_))
                    || matches!(facing.operation, "PutObject" | "UploadPart");
                facing.body > 1 && forged
            }
            // What the server names can't be found again when the name is lost.
            Self::Duplicated => !NAMELESS.contains(&facing.operation),
            Self::ErrorIn200(_) => ERRORS_IN_200.contains(&facing.operation),
            Self::WrongRange(_) | Self::RangeIgnored => {
                facing.operation == "GetObject" && facing.ranged
            }
            Self::WrongChecksum => facing.operation == "GetObject" && facing.validated,
            Self::Corrupt => facing.operation == "GetObject" && facing.validated,
            Self::PartsLeft => facing.operation == "AbortMultipartUpload",
            Self::Misassembled => facing.operation == "CompleteMultipartUpload" && facing.assembled,
            Self::WrongTag => facing.operation == "PutSlo" && facing.tagged,
            Self::Replaced => facing.replaceable && !facing.cleans && facing.whom != Whom::Keystone,
            Self::Revoked => facing.revocable && facing.whom != Whom::Keystone,
            _ => true,
        }
    }

    pub(crate) fn phase(self) -> Phase {
        match self {
            Self::Refused
            | Self::ConnectStalls
            | Self::ResetInHead
            | Self::Revoked
            | Self::ClockJumps(_)
            | Self::Replaced => Phase::Head,
            Self::ResetInBody(_)
            | Self::StallsInBody(_)
            | Self::EarlyRefusal(..)
            | Self::EarlySuccess(_) => Phase::Body,
            _ => Phase::Answer,
        }
    }

    /// Whether this fault can meet few exchanges only.
    pub(crate) fn is_choosy(self) -> bool {
        self.phase() == Phase::Body
            || matches!(
                self,
                Self::ErrorIn200(_)
                    | Self::Replaced
                    | Self::Revoked
                    | Self::WrongRange(_)
                    | Self::RangeIgnored
                    | Self::WrongChecksum
                    | Self::Corrupt
                    | Self::PartsLeft
                    | Self::Misassembled
                    | Self::WrongTag
            )
    }

    /// Returns its name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::ConnectStalls => "connecting stalls",
            Self::ResetInHead => "reset in the head",
            Self::Revoked => "token or keys revoked",
            Self::ClockJumps(_) => "our clock jumps",
            Self::Replaced => "replaced by another",
            Self::ResetInBody(_) => "reset in the body",
            Self::StallsInBody(_) => "body stalls",
            Self::EarlyRefusal(..) => "early refusal",
            Self::EarlySuccess(_) => "early success",
            Self::Lost => "request lost",
            Self::AnswerLost => "answer lost",
            Self::Late(_) => "carried out late",
            Self::Stalls(_) => "no answer in time",
            Self::Garbage => "answer is no HTTP",
            Self::CutInAnswer(_) => "answer reset",
            Self::Truncated(_) => "answer truncated",
            Self::StallsInAnswer(_) => "answer stalls",
            Self::Duplicated => "carried out twice",
            Self::Status(500.., _) => "5xx",
            Self::Status(400.., _) => "4xx",
            Self::Status(..) => "3xx",
            Self::StatusAfter(_) => "5xx after all",
            Self::Throttled(..) => "throttled",
            Self::ErrorIn200(_) => "200 with an error",
            Self::Slow(_) => "slow answer",
            Self::WrongRange(_) => "wrong Content-Range",
            Self::RangeIgnored => "range ignored",
            Self::WrongChecksum => "wrong checksum",
            Self::Corrupt => "corrupt body",
            Self::PartsLeft => "abort keeps parts",
            Self::Misassembled => "assembled wrongly",
            Self::WrongTag => "wrong ETag",
        }
    }

    /// Whether the client can't tell if the request was applied: no response came, or that of a
    /// server that failed.
    pub(crate) fn is_ambiguous(self) -> bool {
        matches!(
            self,
            Self::Lost
                | Self::AnswerLost
                | Self::Late(_)
                | Self::Stalls(_)
                | Self::Garbage
                | Self::StatusAfter(_)
        )
    }

    /// Whether the response may falsely state that something exists or does not exist.
    pub(crate) fn may_lie(self) -> bool {
        matches!(self, Self::Status(404 | 410 | 412, _) | Self::EarlyRefusal(_, 404 | 412))
    }

    /// Returns any fault.
    pub(crate) fn any(chance: &mut Chance) -> Self {
        match chance.below(37) {
            0 => Self::Refused,
            1 => Self::ConnectStalls,
            2 => Self::ResetInHead,
            3 => Self::Revoked,
            4 => Self::ClockJumps(chance.pick(&JUMPS)),
            5 => Self::Replaced,
            6 => Self::ResetInBody(share(chance)),
            7 => Self::StallsInBody(share(chance)),
            8 => {
                Self::EarlyRefusal(share(chance), chance.pick(&[400, 403, 408, 413, 429, 500, 503]))
            }
            9 | 10 => Self::EarlySuccess(share(chance)),
            11..=15 => Self::ambiguous(chance),
            16 => Self::CutInAnswer(share(chance)),
            17 => Self::Truncated(share(chance)),
            18 => Self::StallsInAnswer(share(chance)),
            19 => Self::Duplicated,
            20..=23 => Self::status(chance),
            24 => Self::StatusAfter(chance.pick(&[500, 502, 504])),
            25 => Self::Throttled(
                chance.pick(&[429, 503]),
                chance.pick(&[None, Some(0), Some(3), Some(100), Some(599)]),
            ),
            26 | 27 => Self::ErrorIn200(chance.below(4) as u8),
            28 => Self::Slow(chance.pick(&[1, 10, 59])),
            29 => Self::WrongRange(chance.pick(&[Shift::Header, Shift::Later, Shift::Earlier])),
            30 => Self::RangeIgnored,
            31 => Self::WrongChecksum,
            32 => Self::Corrupt,
            33 => Self::PartsLeft,
            34 => Self::Misassembled,
            35 => Self::WrongTag,
            _ => Self::Status(403, ""),
        }
    }

    /// Returns a fault after which the outcome of the request is unknown.
    pub(crate) fn ambiguous(chance: &mut Chance) -> Self {
        match chance.below(9) {
            0 => Self::Lost,
            1 | 2 => Self::AnswerLost,
            3 => Self::Late(chance.pick(&[1, 40, 300, 2000, 30_000])),
            4 => Self::Stalls(chance.percent(50)),
            5 => Self::Garbage,
            6 => Self::StatusAfter(chance.pick(&[500, 502, 504])),
            7 => Self::CutInAnswer(share(chance)),
            _ => Self::Lost,
        }
    }

    /// Returns a documented redirection.
    pub(crate) fn redirection(chance: &mut Chance) -> Self {
        let elsewhere: Vec<_> = STATUSES.into_iter().filter(|(status, _)| *status < 400).collect();
        let (status, code) = chance.pick(&elsewhere);
        Self::Status(status, code)
    }

    /// Returns a documented refusal.
    pub(crate) fn status(chance: &mut Chance) -> Self {
        let (status, code) = chance.pick(&STATUSES);
        Self::Status(status, code)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::ClockJumps(by) => write!(f, " by {by} s"),
            Self::ResetInBody(share)
            | Self::StallsInBody(share)
            | Self::EarlySuccess(share)
            | Self::CutInAnswer(share)
            | Self::Truncated(share)
            | Self::StallsInAnswer(share) => write!(f, " at {share}/1000"),
            Self::EarlyRefusal(share, status) => write!(f, " {status} at {share}/1000"),
            Self::Late(by) => write!(f, " by {by} ms"),
            Self::Stalls(acted) => write!(f, ", carried out: {acted}"),
            Self::Status(status, code) => write!(f, ": {status} {code}"),
            Self::StatusAfter(status) => write!(f, ": {status}"),
            Self::Throttled(status, after) => write!(f, ": {status}, Retry-After {after:?}"),
            Self::ErrorIn200(which) => write!(f, ": {}", BELATED[usize::from(*which)].0),
            Self::Slow(by) => write!(f, ": {by} s"),
            Self::WrongRange(shift) => write!(f, ": {shift:?}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head => "head",
            Self::Body => "body",
            Self::Answer => "answer",
            Self::Cleanup => "cleanup",
        })
    }
}

fn share(chance: &mut Chance) -> u16 {
    match chance.below(5) {
        0 => 0,
        1 => 999,
        _ => chance.below(1000) as u16,
    }
}

/// How far our clock jumps, in seconds: up to ten years forward, and back to 1970.
const JUMPS: [i32; 12] = [
    -1_500_000_000,
    -315_360_000,
    -90_000,
    -3600,
    -120,
    -1,
    1,
    90,
    3600,
    90_000,
    31_536_000,
    315_360_000,
];

/// Operations that create something whose name is only in the response.
pub(crate) const NAMELESS: [&str; 2] = ["CreateMultipartUpload", "CreateTrust"];

/// Operations that may send 200 before their result is known.
const ERRORS_IN_200: [&str; 7] = [
    "CompleteMultipartUpload",
    "CopyObject",
    "UploadPartCopy",
    "DeleteObjects",
    "PutSlo",
    "BulkDelete",
    "DeleteSlo",
];

/// The errors in such a body: S3's and Swift's.
pub(crate) const BELATED: [(&str, &str); 4] = [
    ("InternalError", "503 Service Unavailable"),
    ("SlowDown", "500 Internal Error"),
    ("AccessDenied", "400 Bad Request"),
    ("ServiceUnavailable", "502 Bad Gateway"),
];

/// "Error responses", S3 API reference. Those without a code are from Swift, Keystone, gateways and
/// servers that send no document.
const STATUSES: [(u16, &str); 57] = [
    (302, ""),
    (301, "PermanentRedirect"),
    (307, "TemporaryRedirect"),
    (400, ""),
    (400, "BadDigest"),
    (400, "EntityTooLarge"),
    (400, "EntityTooSmall"),
    (400, "ExpiredToken"),
    (400, "IncompleteBody"),
    (400, "InvalidArgument"),
    (400, "InvalidDigest"),
    (400, "InvalidPart"),
    (400, "InvalidPartOrder"),
    (400, "InvalidRequest"),
    (400, "MalformedXML"),
    (400, "RequestTimeout"),
    (400, "XAmzContentSHA256Mismatch"),
    (401, ""),
    (403, ""),
    (403, "AccessDenied"),
    (403, "InvalidAccessKeyId"),
    (403, "RequestTimeTooSkewed"),
    (403, "SignatureDoesNotMatch"),
    (404, ""),
    (404, "NoSuchBucket"),
    (404, "NoSuchKey"),
    (404, "NoSuchUpload"),
    (405, "MethodNotAllowed"),
    (408, ""),
    (409, ""),
    (409, "ConditionalRequestConflict"),
    (409, "OperationAborted"),
    (411, ""),
    (411, "MissingContentLength"),
    (412, ""),
    (412, "PreconditionFailed"),
    (413, ""),
    (416, ""),
    (416, "InvalidRange"),
    (417, ""),
    (421, ""),
    (422, ""),
    (429, ""),
    (498, ""),
    (500, ""),
    (500, "InternalError"),
    (501, ""),
    (501, "NotImplemented"),
    (502, ""),
    (503, ""),
    (503, "ServiceUnavailable"),
    (503, "SlowDown"),
    (504, ""),
    (504, "InternalError"),
    (507, ""),
    (509, "BandwidthLimitExceeded"),
    (599, ""),
];

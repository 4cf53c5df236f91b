//! Which faults can't meet which workloads, and why. Every other cell of the table must be filled.

use super::faults::Phase;
use super::workloads::Workload;

/// Every fault with its phases.
pub(super) const FAULTS: [(&str, Phase); 36] = [
    ("connecting stalls", Phase::Head),
    ("connection refused", Phase::Head),
    ("our clock jumps", Phase::Head),
    ("replaced by another", Phase::Head),
    ("reset in the head", Phase::Head),
    ("token or keys revoked", Phase::Head),
    ("body stalls", Phase::Body),
    ("early refusal", Phase::Body),
    ("early success", Phase::Body),
    ("reset in the body", Phase::Body),
    ("200 with an error", Phase::Answer),
    ("3xx", Phase::Answer),
    ("4xx", Phase::Answer),
    ("5xx", Phase::Answer),
    ("5xx after all", Phase::Answer),
    ("abort keeps parts", Phase::Answer),
    ("answer is no HTTP", Phase::Answer),
    ("answer lost", Phase::Answer),
    ("answer reset", Phase::Answer),
    ("answer stalls", Phase::Answer),
    ("answer truncated", Phase::Answer),
    ("assembled wrongly", Phase::Answer),
    ("carried out late", Phase::Answer),
    ("carried out twice", Phase::Answer),
    ("corrupt body", Phase::Answer),
    ("no answer in time", Phase::Answer),
    ("range ignored", Phase::Answer),
    ("request lost", Phase::Answer),
    ("slow answer", Phase::Answer),
    ("throttled", Phase::Answer),
    ("wrong Content-Range", Phase::Answer),
    ("wrong ETag", Phase::Answer),
    ("wrong checksum", Phase::Answer),
    ("cancelled", Phase::Head),
    ("cancelled, to be gone on with", Phase::Head),
    ("process dies", Phase::Head),
];

/// Returns why this fault can't or need not meet this workload in this phase; `None` where it must.
pub(super) fn cannot(workload: &Workload, fault: &str, phase: Phase) -> Option<&'static str> {
    let name = workload.name;
    let has = |operation: &&str| workload.operations.contains(operation);
    if phase == Phase::Cleanup {
        return in_cleanup(workload, fault);
    }
    match fault {
        "replaced by another" if !REPLACED.contains(&name) => {
            Some("nobody else is let in: whose bytes are right could not be told")
        }
        "token or keys revoked" if !REVOCABLE.contains(&name) => Some("it has keys that never end"),
        "abort keeps parts" => Some("what ends an upload is in the clean-up"),
        "assembled wrongly" if !ASSEMBLED.contains(&name) => {
            Some("it knows no checksum of a whole that is made of parts")
        }
        "wrong ETag" if !TAGGED.contains(&name) => Some("it removes no manifest with another ETag"),
        "early success" if !["PutObject", "UploadPart"].iter().any(has) => {
            Some("none of its requests can be taken for stored that early")
        }
        "early success" | "early refusal" | "body stalls" | "reset in the body"
            if BODILESS.contains(&name) =>
        {
            Some("none of its requests has a body")
        }
        "200 with an error" if !ERRORS_IN_200.iter().any(has) => {
            Some("none of its operations says 200 before it knows")
        }
        "range ignored" | "wrong Content-Range" if SELDOM_RANGED.contains(&name) => {
            Some("it asks for a range after a cut alone, which others do often")
        }
        "range ignored" | "wrong Content-Range" if !RANGED.contains(&name) => {
            Some("it asks for no ranges")
        }
        "wrong checksum" | "corrupt body" if !VALIDATED.contains(&name) => {
            Some("nothing that it is answered declares a checksum that it compares")
        }
        "process dies" if !workload.dies => {
            Some("it has nothing that another process goes on with")
        }
        _ => None,
    }
}

fn in_cleanup(workload: &Workload, fault: &str) -> Option<&'static str> {
    if workload.cleanup.is_empty() {
        return Some("it removes nothing after a failure");
    }
    match fault {
        "abort keeps parts" if !workload.cleanup.contains(&"AbortMultipartUpload") => {
            Some("it aborts no upload")
        }
        "early success"
        | "assembled wrongly"
        | "wrong ETag"
        | "range ignored"
        | "wrong Content-Range"
        | "wrong checksum"
        | "corrupt body"
        | "replaced by another" => Some("what removes things stores and reads none"),
        "early refusal" | "body stalls" | "reset in the body" => {
            Some("what removes things sends no body")
        }
        "200 with an error" => Some("what removes things here is answered by a status"),
        "token or keys revoked" if !REVOCABLE.contains(&workload.name) => {
            Some("it has keys that never end")
        }
        "cancelled" | "cancelled, to be gone on with" | "process dies" => {
            Some("counted once, wherever it was")
        }
        _ => None,
    }
}

/// Workloads in which another client overwrites the object.
const REPLACED: &[&str] = &[
    "s3-conditional-put",
    "s3-conditional-multipart",
    "s3-get",
    "s3-get-wide",
    "s3-get-hedged",
    "s3-copy",
    "s3-copy-parts",
    "call-put",
    "swift-put",
    "swift-static",
    "swift-dynamic",
    "swift-stream",
    "swift-resume",
    "swift-get",
    "swift-get-wide",
    "swift-calls",
];
const REVOCABLE: &[&str] = &[
    "s3-get",
    "s3-get-wide",
    "s3-get-hedged",
    "images-swift",
    "swift-put",
    "swift-static",
    "swift-dynamic",
    "swift-stream",
    "swift-resume",
    "swift-get",
    "swift-get-wide",
    "swift-delete",
    "swift-calls",
    "trust",
    "one-session",
    "one-limit",
];
const BODILESS: &[&str] =
    &["s3-get", "s3-get-wide", "s3-get-hedged", "s3-copy", "call-get", "call-others", "rows"];
const RANGED: &[&str] = &["s3-get", "s3-get-wide", "s3-get-hedged", "call-get", "swift-get-wide"];
/// Workloads that request a range only after a cut.
const SELDOM_RANGED: &[&str] = &["images-s3", "images-swift", "rows", "swift-get"];
const VALIDATED: &[&str] =
    &["s3-get", "s3-get-wide", "s3-get-hedged", "call-get", "swift-get", "swift-get-wide"];
/// Workloads that compare the checksum of an object that is made of parts.
const ASSEMBLED: &[&str] = &["s3-multipart", "s3-stream", "s3-conditional-multipart", "s3-resume"];
const TAGGED: &[&str] = &["swift-static", "swift-stream", "swift-resume"];
const ERRORS_IN_200: [&str; 7] = [
    "CompleteMultipartUpload",
    "CopyObject",
    "UploadPartCopy",
    "DeleteObjects",
    "PutSlo",
    "BulkDelete",
    "DeleteSlo",
];

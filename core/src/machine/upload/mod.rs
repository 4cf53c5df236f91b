//! Uploads of an object from a source of known or unknown size.
//!
//! All services divide a source in the same way:
//!
//! ```text
//!             ┌─ not above the threshold ─▶ one request
//!   Gather ───┤
//!             └─ above it ─▶ Plan ─▶ Flight: parts in flight ─▶ the object is made of the parts
//! ```
//!
//! There are three ways in which the parts become one object:
//!
//! | | S3: multipart upload | Swift: static large object | Swift: dynamic large object |
//! | --- | --- | --- | --- |
//! | before the parts | CreateMultipartUpload: an id | `/info`, a container | a container |
//! | a part | UploadPart: a number | PUT of an object: its name has the number | as SLO |
//! | a part is validated by | its checksum | its MD5 | its MD5 |
//! | the object | CompleteMultipartUpload: numbers, ETags | a manifest: paths, ETags and sizes | a manifest: a prefix |
//! | parts | 10,000 of 5 MiB to 5 GiB | 1,000, or the limit in `/info` | one page of a listing |
//! | removed by | AbortMultipartUpload | DELETE of every segment | as SLO |
//! | resumed by | ListParts | a listing of the prefix | as SLO |
//! | after a lost response | HEAD: ETag, checksums | HEAD: ETag and length | HEAD: the prefix |
//!
//! | file | what |
//! | --- | --- |
//! | `source.rs` | the source, and when it is known whether it goes in parts |
//! | `plan.rs` | which part holds which bytes |
//! | `flight.rs` | the parts in flight: the next one, how many, how far a stream is read |
//! | `s3.rs`, `multipart/`, `tag.rs` | S3; `s3/commit_check.rs` has the proofs after a lost response |
//! | `swift/` | Swift: `manifest.rs` compares its two kinds of large objects |
//! | `checkpoint.rs`, `swift/checkpoint.rs` | the data to resume an upload in another process |
//!
//! At most `concurrency` parts are in flight, and a part is planned only when its bytes are available. A
//! failed upload removes what it stored, unless its options say to keep it; its error names what
//! could not be removed.

pub(super) mod absent;
mod checkpoint;
mod flight;
pub(super) mod multipart;
pub(super) mod plan;
mod s3;
mod source;
#[cfg(feature = "swift")]
mod swift;
mod tag;

pub use self::checkpoint::{
    Checkpoint, CheckpointChange, CheckpointChanges, CheckpointPart, Checkpoints, Resumable,
};
pub use self::multipart::{NotCopied, Uploaded};
pub use self::plan::PartLimits;
pub use self::s3::{S3Upload, UploadOptions};
pub use self::source::UploadSource;
#[cfg(feature = "swift")]
pub use self::swift::{
    LargeObject, SegmentsIn, SwiftCheckpoint, SwiftCheckpointChange, SwiftCheckpointSegment,
    SwiftUpload, SwiftUploadOptions, SwiftUploaded,
};

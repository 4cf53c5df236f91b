//! An object from a source of any size, known or not.
//!
//! One way of dividing a source, whatever it is sent to:
//!
//! ```text
//!             ┌─ not above the threshold ─▶ one request
//!   Gather ───┤
//!             └─ above it ─▶ Plan ─▶ Flight: parts in flight ─▶ the whole is made of them
//! ```
//!
//! and three ways in which the parts become one object:
//!
//! | | S3: multipart upload | Swift: static large object | Swift: dynamic large object |
//! | --- | --- | --- | --- |
//! | before the parts | CreateMultipartUpload: an id | `/info`, a container for segments | a container for segments |
//! | a part | UploadPart: a number | PUT of an object: its name has the number | the same |
//! | it is what was sent, if | its checksum says so | its MD5 does | its MD5 does |
//! | the whole | CompleteMultipartUpload: numbers and tags | a manifest: paths, tags and sizes | a manifest: a prefix |
//! | parts | 10,000 of 5 MiB to 5 GiB | 1,000, or as `/info` says | a page of a listing |
//! | removed by | AbortMultipartUpload | DELETE of every segment | the same |
//! | gone on with by | ListParts | a listing of the prefix | the same |
//! | the answer is lost | HEAD: tag, checksums | HEAD: tag and length | HEAD: the prefix |
//!
//! | file | what |
//! | --- | --- |
//! | `source.rs` | where bytes come from, and when it is known how they go |
//! | `plan.rs` | which part holds which bytes |
//! | `flight.rs` | the parts in flight: which is next, how many at once, how far a stream is read |
//! | `s3.rs`, `multipart/`, `tag.rs` | S3; what proves a lost answer is in `s3/evidence.rs` |
//! | `swift/` | Swift: `manifest.rs` has its two kinds of large objects side by side |
//! | `checkpoint.rs`, `swift/checkpoint.rs` | what it takes to go on in another process |
//!
//! At most `width` parts are in flight, and none is planned before its bytes are there. On every
//! failing road what was stored is removed again; what could not be removed stands in the error.

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

pub use self::checkpoint::{Checkpoint, CheckpointPart, Checkpoints};
pub use self::multipart::Uploaded;
pub use self::plan::PartLimits;
pub use self::s3::{Upload, UploadOptions};
pub use self::source::UploadSource;
#[cfg(feature = "swift")]
pub use self::swift::{
    LargeObject, SegmentsIn, SwiftCheckpoint, SwiftCheckpointSegment, SwiftUpload,
    SwiftUploadOptions, SwiftUploaded,
};

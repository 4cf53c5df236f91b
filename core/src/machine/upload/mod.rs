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
//! | file | what |
//! | --- | --- |
//! | `source.rs` | where bytes come from, and when it is known how they go |
//! | `plan.rs` | which part holds which bytes |
//! | `flight.rs` | the parts in flight: which is next, how many at once, how far a stream is read |
//! | `s3.rs`, `multipart/` | S3: parts of a multipart upload |
//! | `checkpoint.rs` | what it takes to go on in another process |
//! | `evidence.rs` | whether an object is ours, when the answer to a write was lost |
//!
//! At most `width` parts are in flight, and none is planned before its bytes are there. On every
//! failing road what was stored is removed again; what could not be removed stands in the error.

mod checkpoint;
mod evidence;
mod flight;
pub(super) mod multipart;
pub(super) mod plan;
mod s3;
mod source;

pub use self::checkpoint::{Checkpoint, CheckpointPart, Checkpoints};
pub use self::multipart::Uploaded;
pub use self::plan::PartLimits;
pub use self::s3::{Upload, UploadOptions};
pub use self::source::UploadSource;

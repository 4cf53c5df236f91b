//! Downloads: read an object or a range of it.
//!
//! ```text
//!          if needed to validate the bytes, or to find the last ones
//!         ┌──▶ requests for metadata (HEAD, the parts of the object) ──┐
//!  Begin ─┤                                                            │
//!         └────────────────────────────────────────────────────────────┴──▶ Reading ──▶ Over
//!
//!  Reading: one range, whose head states size and ETag, then up to `concurrency` at once, each so:
//!
//!              ┌────────── back-off elapsed ───────┐
//!              ▼                                   │
//!            Ready ──────▶ Sent ──cut, refused──▶ Backoff
//!                           │
//!                           └──complete──▶ Done ──in order──▶ added to the tally
//! ```
//!
//! The sink gets each byte once, at its offset from the first requested byte. After the first byte
//! the object is pinned: with a strong ETag every further request has `If-Match`, and another ETag,
//! another length or a 412 is an error, because the sink cannot be undone. A range that was cut is
//! resumed after its last byte. Its hash state travels with the draft.
//!
//! At most `concurrency` ranges are unfinished at a time, including those in back-off. So a sink that
//! writes ranges in order never waits for a range that may not start.
//!
//! | file | what |
//! | --- | --- |
//! | `ranges.rs` | the ranges of one object, in any protocol; `answer.rs`, the handling of responses |
//! | `piece.rs`, `plan.rs`, `tally.rs` | one range · the next ranges · the combined checksums |
//! | `hedging.rs` | when a second request for a range is sent |
//! | `s3/` | [`S3Download`]: the requests to S3, and how the bytes are validated |
//! | `swift/` | [`SwiftDownload`]: the same for Swift, with its manifests |

mod answer;
mod hedging;
mod piece;
mod plan;
mod ranges;
mod s3;
#[cfg(feature = "swift")]
mod swift;
mod tally;

pub use self::s3::{Downloaded, S3Download};
#[cfg(feature = "swift")]
pub use self::swift::{SwiftDownload, SwiftDownloaded};
use crate::checksum::{Algorithm, Value};

/// The options of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadOptions {
    /// The size of a range in bytes, if there are several. A transport whose sink needs the bytes
    /// in order may hold `concurrency` ranges in memory.
    pub range_size: u64,
    /// The concurrency: how many ranges are read at once.
    pub concurrency: usize,
    /// The digests to compute, in addition to the one for the server's checksum. With a digest that
    /// does not [combine](Algorithm::combines), one range is read, whatever the concurrency.
    pub digests: Vec<Algorithm>,
    /// The maximum number of requests for a range. `None`: no limit while there is progress, and
    /// [`RetryPolicy::attempts`](crate::retry::RetryPolicy::attempts) without progress. Progress is
    /// at least a sixteenth of what the range still lacks, or 64 KiB, for each request.
    pub total_attempts: Option<u32>,
    /// The size of the whole object in bytes, if the caller knows it. An object of another size is
    /// an error, before any byte is delivered if the response states the size.
    pub size: Option<u64>,
    /// Digests of the whole object that the caller knows. They are computed, and compared if the
    /// whole object is read. A difference is an error after the last byte was delivered. As with
    /// [`digests`](Self::digests), with one that does not combine, one range is read.
    pub expected: Vec<Value>,
    /// Whether the ETag is compared with the MD5 of the bytes. Used only if the service's ETags are
    /// MD5s, there is nothing else to compare with, and the whole object is read: in one range
    /// then.
    pub verify_etag: bool,
    /// Whether a second request is sent for a range whose first byte is late: later than in 95 of 100
    /// requests of this download before it. The first of the two responses delivers the bytes; the
    /// other request is cancelled. At most one request in 20 is such a second one, none before 20
    /// ranges were answered, and up to `concurrency` of them are in flight beside the others.
    pub hedged: bool,
}

impl DownloadOptions {
    /// Limits a range to `retries` requests after the first one, whatever progress they make.
    ///
    /// With 0, a range that was cut is not resumed.
    #[must_use]
    pub fn with_retries(self, retries: u32) -> Self {
        Self { total_attempts: Some(retries.saturating_add(1)), ..self }
    }
}

impl Default for DownloadOptions {
    /// A concurrency of 1, ranges of 8 MiB, no digests, no expected size or digests, and requests
    /// as long as there is progress.
    fn default() -> Self {
        Self {
            range_size: 8 << 20,
            concurrency: 1,
            digests: Vec::new(),
            total_attempts: None,
            size: None,
            expected: Vec::new(),
            verify_etag: false,
            hedged: false,
        }
    }
}

//! An object, read from its first byte to its last.
//!
//! ```text
//!          what is needed to check the bytes, or where the last of them are
//!         ┌──▶ questions (a HEAD, the parts of the object) ──┐
//!  Begin ─┤                                                  │
//!         └──────────────────────────────────────────────────┴──▶ Reading ──▶ Over
//!
//!  Reading: one range, whose head tells size and ETag, then up to `width` at once, each so:
//!
//!              ┌────────── back-off over ──────────┐
//!              ▼                                   │
//!            Ready ──────▶ Sent ──cut, refused──▶ Backoff
//!                           │
//!                           └──all of it there──▶ Done ──in order──▶ added up
//! ```
//!
//! The bytes go to the caller's sink at their distance from the first byte that was asked for, each
//! once. After the first of them the object is pinned: every further request says `If-Match`, and
//! another ETag, another length or a 412 is an error, for the sink can't be taken back. A range that
//! was cut goes on after its last byte, and so does its hash, which travels with the draft.
//!
//! At most `width` ranges are unfinished at a time, those in back-off included: whoever writes
//! them in order never has to wait for one that is not allowed to start.
//!
//! | file | what |
//! | --- | --- |
//! | `ranges.rs` | the ranges of one object, in whatever protocol; `answer.rs`, what becomes of an answer |
//! | `piece.rs`, `plan.rs`, `tally.rs` | one range on its way · which come next · what they add up to |
//! | `s3/` | [`Download`]: what S3 is asked, and what its bytes are checked against |
//! | `swift/` | [`SwiftDownload`]: the same of Swift, with its manifests |

mod answer;
mod piece;
mod plan;
mod ranges;
mod s3;
#[cfg(feature = "swift")]
mod swift;
mod tally;

pub use self::s3::{Download, Downloaded};
#[cfg(feature = "swift")]
pub use self::swift::{SwiftDownload, SwiftDownloaded};
use crate::checksum::{Algorithm, Value};

/// How an object is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadOptions {
    /// Bytes of one range where there are several. A driver whose sink wants its bytes in order may
    /// hold `width` of them in memory.
    pub range_size: u64,
    /// How many ranges are read at once.
    pub width: usize,
    /// Digests of what is read, beside the one that the server's checksum needs. Those that don't
    /// [combine](Algorithm::combines) make it read one range, whatever the width.
    pub digests: Vec<Algorithm>,
    /// How many times a range is asked for at most. `None`: as often as there is progress, and
    /// [`RetryPolicy::attempts`](crate::retry::RetryPolicy::attempts) times without.
    pub total_attempts: Option<u32>,
    /// How many bytes the whole object has, where the caller knows: an object of another length is
    /// refused before any of it is delivered.
    pub size: Option<u64>,
    /// Digests of the whole object that the caller knows. They are computed and compared where all of it
    /// is read; other bytes are an error after the last of them was delivered. As with
    /// [`digests`](Self::digests), those that don't combine make it read one range.
    pub expected: Vec<Value>,
    /// Whether the ETag is compared with the MD5 of what is read, where the service's are MD5s, nothing
    /// else is to be compared and all of the object is read. Such an object is read in one range.
    pub verify_etag: bool,
}

impl DownloadOptions {
    /// At most `retries` more requests for a range that was asked for once, whatever progress they
    /// make. With none, nothing that was cut is resumed.
    #[must_use]
    pub fn with_retries(self, retries: u32) -> Self {
        Self { total_attempts: Some(retries.saturating_add(1)), ..self }
    }
}

impl Default for DownloadOptions {
    /// One range at a time, or several of 8 MiB; no digests, and none that are known; attempts as long as
    /// there is progress.
    fn default() -> Self {
        Self {
            range_size: 8 << 20,
            width: 1,
            digests: Vec::new(),
            total_attempts: None,
            size: None,
            expected: Vec::new(),
            verify_etag: false,
        }
    }
}

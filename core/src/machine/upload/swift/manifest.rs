//! The two ways in which Swift makes one object of segments.
//!
//! | | static | dynamic |
//! | --- | --- | --- |
//! | the manifest | a list: path, ETag and size of every segment | a header: container and prefix |
//! | the order | that of the list | that of the names |
//! | maximum number of segments | `max_manifest_segments` of `/info` | a page of a listing |
//! | the object's ETag | the MD5 of the segments' ETags | computed over what is listed on reading |
//! | proof that it is this upload's | this ETag | this prefix |

use crate::contract::{Machine, OnFailure, Step};
use crate::http::{Completion, ETag};
use crate::machine::Call;
use crate::machine::compose::done;
use crate::machine::upload::plan::PartLimits;
use crate::machine::upload::swift::large_object::LargeObject;
use crate::now::Now;
use crate::swift::{Info, PutDlo, PutSlo};

/// The request that makes the object.
#[derive(Debug)]
pub(super) enum Manifest {
    Static(Call<PutSlo>),
    Dynamic(Call<PutDlo>),
}

impl Manifest {
    /// Returns whether a check proved that the object was stored, after a lost response.
    pub(super) fn is_recovered(&self) -> bool {
        match self {
            Self::Static(call) => call.is_recovered(),
            Self::Dynamic(call) => call.is_recovered(),
        }
    }
}

impl Machine for Manifest {
    /// The ETag of the object; empty if it is unknown.
    type Output = ETag;

    fn poll(&mut self, now: Now) -> Step<ETag> {
        match self {
            Self::Static(call) => done(call.poll(now), |stored| stored.etag),
            // The ETag of the response is that of the manifest's own body, which is empty.
            Self::Dynamic(call) => done(call.poll(now), |_| ETag::default()),
        }
    }

    fn complete(&mut self, now: Now, done: Completion) {
        match self {
            Self::Static(call) => call.complete(now, done),
            Self::Dynamic(call) => call.complete(now, done),
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match self {
            Self::Static(call) => call.cancel(now, on_failure),
            Self::Dynamic(call) => call.cancel(now, on_failure),
        }
    }
}

impl LargeObject {
    /// Returns the best kind of large object that the server says it supports.
    pub(super) fn offered(info: Option<&Info>) -> Self {
        if info.is_some_and(Info::has_slo) { Self::Static } else { Self::Dynamic }
    }

    /// Returns the limits of segments, as far as the server says. An entry of a static manifest has
    /// at most `entry` bytes.
    pub(super) fn limits(self, info: Option<&Info>, entry: u64) -> PartLimits {
        let swift = info.map(|info| &info.swift);
        let slo = info.and_then(|info| info.slo).unwrap_or_default();
        let listing = swift.and_then(|swift| swift.container_listing_limit).unwrap_or(LISTING);
        let file = swift.and_then(|swift| swift.max_file_size).unwrap_or(LARGEST);
        let (parts, smallest) = match self {
            Self::Static => {
                let by_count = slo.max_manifest_segments.unwrap_or(SEGMENTS);
                let room = slo.max_manifest_size.unwrap_or(MANIFEST).saturating_sub(BRACKETS);
                let by_size = room / entry.max(1);
                (by_count.min(by_size), slo.min_segment_size.unwrap_or(1))
            }
            // For more than a page, the server does not return the object's size.
            Self::Dynamic => (listing, 1),
        };
        let parts = u32::try_from(parts).unwrap_or(u32::MAX).max(1);
        let (smallest, largest) = (smallest.max(1), file.min(LARGEST));
        PartLimits { parts, smallest, largest, object: u64::from(parts).saturating_mul(largest) }
    }
}

/// Returns the maximum size in bytes of a manifest's entry for a segment of at most this name, as
/// JSON writes it.
pub(super) fn entry_size(container: &str, longest_name: &str) -> u64 {
    let path = serde_json::Value::from(format!("/{container}/{longest_name}")).to_string();
    FIELDS.saturating_add(u64::try_from(path.len()).unwrap_or(u64::MAX))
}

/// `max_manifest_segments` where the server does not say.
const SEGMENTS: u64 = 1000;
/// `max_manifest_size` where the server does not say, in bytes.
const MANIFEST: u64 = 8 << 20;
/// The size of a manifest without entries, in bytes.
const BRACKETS: u64 = 2;
/// The maximum size of an entry without its path, in bytes: the names of the fields, an ETag of at
/// most 64 bytes, a size of at most 20 digits, and a comma.
const FIELDS: u64 = 128;
/// `container_listing_limit` where the server does not say.
const LISTING: u64 = 10_000;
/// The maximum size of one request in bytes.
const LARGEST: u64 = 5 << 30;

//! The two ways in which Swift makes one object of segments.
//!
//! | | static | dynamic |
//! | --- | --- | --- |
//! | the manifest | a list: path, tag and size of every segment | a header: container and prefix |
//! | its order | that of the list | that of the names |
//! | segments at most | `max_manifest_segments` of `/info` | a page of a listing |
//! | the tag of the whole | the MD5 of the segments' tags | that of what is listed on reading |
//! | it is ours, if | it has this tag | it names this prefix |

use crate::contract::{Leave, Machine, Step};
use crate::http::{Completion, ETag};
use crate::machine::Call;
use crate::machine::nest::done;
use crate::machine::upload::plan::PartLimits;
use crate::machine::upload::swift::options::LargeObject;
use crate::now::Now;
use crate::swift::{Info, ObjectHead, Prefix, PutDlo, PutSlo, Segment, slo_etag};

/// The request that makes the object.
#[derive(Debug)]
pub(super) enum Manifest {
    Static(Call<PutSlo>),
    Dynamic(Call<PutDlo>),
}

/// What the object must look like to be ours.
#[derive(Debug)]
pub(super) enum Mark {
    /// It has this tag, and so many bytes.
    Static(Option<String>, u64),
    /// It names these segments.
    Dynamic(Prefix),
}

impl Manifest {
    /// Whether the server may have acted on an attempt whose answer was lost.
    pub(super) fn is_doubtful(&self) -> bool {
        match self {
            Self::Static(call) => call.is_doubtful(),
            Self::Dynamic(call) => call.is_doubtful(),
        }
    }
}

impl Machine for Manifest {
    /// The tag of the whole; empty where it is not told.
    type Output = ETag;

    fn poll(&mut self, now: Now) -> Step<ETag> {
        match self {
            Self::Static(call) => done(call.poll(now), |stored| stored.etag),
            // The tag of the answer is that of the manifest's own body, which is empty.
            Self::Dynamic(call) => done(call.poll(now), |_| ETag::default()),
        }
    }

    fn complete(&mut self, now: Now, done: Completion) {
        match self {
            Self::Static(call) => call.complete(now, done),
            Self::Dynamic(call) => call.complete(now, done),
        }
    }

    fn cancel(&mut self, now: Now, leave: Leave) {
        match self {
            Self::Static(call) => call.cancel(now, leave),
            Self::Dynamic(call) => call.cancel(now, leave),
        }
    }
}

impl Mark {
    pub(super) fn of_slo(segments: &[Segment], size: u64) -> Self {
        Self::Static(slo_etag(segments), size)
    }

    pub(super) fn is_on(&self, head: &ObjectHead) -> bool {
        match self {
            Self::Static(etag, size) => {
                let same = |ours: &str, theirs: &ETag| theirs.opaque().eq_ignore_ascii_case(ours);
                head.is_slo
                    && head.size == Some(*size)
                    && etag.as_deref().zip(head.etag.as_ref()).is_some_and(|(a, b)| same(a, b))
            }
            Self::Dynamic(prefix) => head.dlo.as_ref() == Some(prefix),
        }
    }
}

impl Mark {
    /// Whether nothing tells: it may be ours, and has no tag to compare.
    pub(super) fn is_untold(&self, head: &ObjectHead) -> bool {
        match self {
            Self::Static(ours, size) => {
                let same_size = head.size.is_none_or(|theirs| theirs == *size);
                head.is_slo && same_size && (ours.is_none() || head.etag.is_none())
            }
            Self::Dynamic(_) => false,
        }
    }
}

impl LargeObject {
    /// What there is, as far as the server says.
    pub(super) fn offered(info: Option<&Info>) -> Self {
        if info.is_some_and(Info::has_slo) { Self::Static } else { Self::Dynamic }
    }

    /// How segments may be, as far as the server says.
    pub(super) fn limits(self, info: Option<&Info>) -> PartLimits {
        let swift = info.map(|info| &info.swift);
        let slo = info.and_then(|info| info.slo).unwrap_or_default();
        let listing = swift.and_then(|swift| swift.container_listing_limit).unwrap_or(LISTING);
        let file = swift.and_then(|swift| swift.max_file_size).unwrap_or(LARGEST);
        let (parts, smallest) = match self {
            Self::Static => {
                let by_count = slo.max_manifest_segments.unwrap_or(SEGMENTS);
                let by_size = slo.max_manifest_size.unwrap_or(MANIFEST) / ENTRY;
                (by_count.min(by_size), slo.min_segment_size.unwrap_or(1))
            }
            // More than a page, and the server no longer says how long the object is.
            Self::Dynamic => (listing, 1),
        };
        let parts = u32::try_from(parts).unwrap_or(u32::MAX).max(1);
        let (smallest, largest) = (smallest.max(1), file.min(LARGEST));
        PartLimits { parts, smallest, largest, object: u64::from(parts).saturating_mul(largest) }
    }
}

/// `max_manifest_segments` where the server does not say.
const SEGMENTS: u64 = 1000;
/// `max_manifest_size` where the server does not say, in bytes.
const MANIFEST: u64 = 8 << 20;
/// Bytes of an entry of a manifest at most: a path of 1,280 bytes, each of which JSON may write as
/// six, and what is around it.
const ENTRY: u64 = 1280 * 6 + 128;
/// `container_listing_limit` where the server does not say.
const LISTING: u64 = 10_000;
/// Bytes of one request at most.
const LARGEST: u64 = 5 << 30;

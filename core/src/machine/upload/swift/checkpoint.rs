//! The data to resume an upload to Swift in another process.

use std::collections::{BTreeMap, BTreeSet};

use super::large_object::LargeObject;
use super::layout::Layout;
use crate::http::ETag;
use crate::machine::upload::plan::Plan;
use crate::now::Timestamp;
use crate::swift::Prefix;

/// An upload in segments that can be resumed: plain data, to be stored in any serde format.
///
/// It holds no token, and of the object only names, sizes and ETags. A resumed upload uses the
/// server's listing of segments where the two differ.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SwiftCheckpoint {
    /// The container of the object.
    pub container: String,
    /// The object's name.
    pub object: String,
    /// The kind of large object.
    pub large_object: LargeObject,
    /// Whether the server keeps the connection alive while it checks the segments of a manifest.
    #[serde(default)]
    pub heartbeat: bool,
    /// When the server removes the object and its segments, in seconds since 1970.
    #[serde(default)]
    pub delete_at: Option<i64>,
    pub(super) layout: Layout,
    pub(super) plan: Plan,
    /// The segments that the server has acknowledged, by number from 1.
    pub segments: BTreeMap<u32, SwiftCheckpointSegment>,
    /// The segments that were sent and not acknowledged: the server may have them, or may still
    /// store them.
    #[serde(default)]
    pub(super) sent: BTreeSet<u32>,
    /// Whether the manifest was sent and not refused: the object may exist.
    #[serde(default)]
    pub(super) manifest_sent: bool,
}

/// One acknowledged segment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SwiftCheckpointSegment {
    /// Its ETag.
    pub etag: ETag,
    /// Its size in bytes.
    pub size: u64,
}

impl SwiftCheckpoint {
    /// Returns the size of the source in bytes, if it is known.
    pub fn length(&self) -> Option<u64> {
        self.plan.length()
    }

    /// Returns how many bytes the server has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.segments.values().map(|segment| segment.size).sum()
    }

    /// Returns the prefix of the segments.
    pub fn prefix(&self) -> Prefix {
        self.layout.all()
    }

    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.delete_at.map(Timestamp::from_unix)
    }
}

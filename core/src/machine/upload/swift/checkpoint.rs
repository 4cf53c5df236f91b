//! What it takes to go on with an upload to Swift in another process.

use std::collections::BTreeMap;

use super::layout::Layout;
use super::options::LargeObject;
use crate::http::ETag;
use crate::machine::upload::plan::Plan;
use crate::now::Timestamp;
use crate::swift::Prefix;

/// An upload in segments that can be gone on with: plain data, to be stored as any serde format.
///
/// It holds no token and nothing of the object but names, sizes and tags. Whoever goes on believes
/// the server's listing of segments where the two differ.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SwiftCheckpoint {
    /// The container of the object.
    pub container: String,
    /// The object's name.
    pub object: String,
    /// What it is made of.
    pub large_object: LargeObject,
    /// Whether the server keeps the connection alive while it looks at a manifest's segments.
    #[serde(default)]
    pub heartbeat: bool,
    /// When the server removes the object and its segments, in seconds since 1970.
    #[serde(default)]
    pub delete_at: Option<i64>,
    pub(super) layout: Layout,
    pub(super) plan: Plan,
    /// The segments that the server has acknowledged, by their numbers from 1.
    pub segments: BTreeMap<u32, SwiftCheckpointSegment>,
}

/// One acknowledged segment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SwiftCheckpointSegment {
    /// Its tag.
    pub etag: ETag,
    /// Bytes.
    pub size: u64,
}

impl SwiftCheckpoint {
    /// Bytes of the source, where they are known.
    pub fn length(&self) -> Option<u64> {
        self.plan.length()
    }

    /// Bytes that the server has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.segments.values().map(|segment| segment.size).sum()
    }

    /// Where the segments are.
    pub fn prefix(&self) -> Prefix {
        self.layout.all()
    }

    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.delete_at.map(Timestamp::from_unix)
    }
}

//! The data to resume an upload to Swift in another process.

use std::collections::{BTreeMap, BTreeSet};

use super::large_object::LargeObject;
use super::layout::Layout;
use crate::http::ETag;
use crate::machine::upload::checkpoint::{Entry, Resumable};
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

/// One change of a [`SwiftCheckpoint`]: plain data, to be appended to a file.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum SwiftCheckpointChange {
    /// The upload can be resumed from this checkpoint. It replaces all earlier changes.
    Begun(Box<SwiftCheckpoint>),
    /// This segment was sent: the server may have it.
    Sent(u32),
    /// The server has acknowledged this segment.
    Segment(u32, SwiftCheckpointSegment),
    /// Whether the manifest was sent and not refused.
    ManifestSent(bool),
    /// The upload is complete or removed, and can't be resumed.
    Ended,
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
    /// Returns the checkpoint after these changes, which
    /// [`Checkpoints::since`](crate::machine::Checkpoints::since) returned; `None` if they begin
    /// none, or end it.
    pub fn replay(changes: impl IntoIterator<Item = SwiftCheckpointChange>) -> Option<Self> {
        let mut checkpoint = None;
        for change in changes {
            match (change, &mut checkpoint) {
                (SwiftCheckpointChange::Begun(begun), _) => checkpoint = Some(*begun),
                (SwiftCheckpointChange::Ended, _) => checkpoint = None,
                (_, None) => {}
                (SwiftCheckpointChange::Sent(number), Some(checkpoint)) => {
                    checkpoint.sent.insert(number);
                }
                (SwiftCheckpointChange::Segment(number, segment), Some(checkpoint)) => {
                    checkpoint.store(number, segment);
                }
                (SwiftCheckpointChange::ManifestSent(sent), Some(checkpoint)) => {
                    checkpoint.manifest_sent = sent;
                }
            }
        }
        checkpoint
    }

    pub(super) fn store(&mut self, number: u32, segment: SwiftCheckpointSegment) {
        self.sent.remove(&number);
        self.segments.insert(number, segment);
    }
}

impl Resumable for SwiftCheckpoint {
    type Change = SwiftCheckpointChange;

    fn change(&self, entry: &Entry) -> Option<SwiftCheckpointChange> {
        match entry {
            Entry::Sent(number) => Some(SwiftCheckpointChange::Sent(*number)),
            Entry::Stored(number) => {
                let segment = self.segments.get(number)?.clone();
                Some(SwiftCheckpointChange::Segment(*number, segment))
            }
            Entry::Manifest(sent) => Some(SwiftCheckpointChange::ManifestSent(*sent)),
        }
    }

    fn begun(self) -> SwiftCheckpointChange {
        SwiftCheckpointChange::Begun(Box::new(self))
    }

    fn ended() -> SwiftCheckpointChange {
        SwiftCheckpointChange::Ended
    }
}

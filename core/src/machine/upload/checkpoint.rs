//! What it takes to go on with an upload in another process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::plan::Plan;
use crate::checksum::{Algorithm, Type};
use crate::s3::ETag;

/// A multipart upload that can be gone on with: plain data, to be stored as any serde format.
///
/// It holds no credentials and nothing of the object but sizes, tags and checksums. Whoever goes on
/// believes the server's list of parts where the two differ.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Checkpoint {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The server's id of the upload.
    pub upload_id: String,
    /// The checksum that its parts carry.
    #[cfg_attr(feature = "serde", serde(default))]
    pub algorithm: Option<Algorithm>,
    /// What the checksum of the whole is made over.
    #[cfg_attr(feature = "serde", serde(default))]
    pub checksum_type: Option<Type>,
    pub(super) plan: Plan,
    /// The parts that the server has acknowledged.
    pub parts: BTreeMap<u32, CheckpointPart>,
}

/// One acknowledged part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CheckpointPart {
    /// Its tag.
    pub etag: ETag,
    /// Bytes.
    pub size: u64,
    /// Its checksum in base64.
    #[cfg_attr(feature = "serde", serde(default))]
    pub checksum: Option<String>,
}

/// The newest checkpoint of an upload that somebody else drives: asked for beforehand by
/// [`Upload::checkpoints`](super::Upload::checkpoints), and looked at whenever it is wanted, after the
/// upload has failed too.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints(Arc<Mutex<Option<Checkpoint>>>);

impl Checkpoints {
    /// What it takes to go on; `None` before the server has given the upload an id, and after it is
    /// complete or removed.
    pub fn latest(&self) -> Option<Checkpoint> {
        self.lock().clone()
    }

    pub(super) fn begin(&self, checkpoint: Option<Checkpoint>) {
        *self.lock() = checkpoint;
    }

    pub(super) fn add(&self, number: u32, part: CheckpointPart) {
        if let Some(checkpoint) = &mut *self.lock() {
            checkpoint.parts.insert(number, part);
        }
    }

    pub(super) fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Checkpoint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checkpoint {
    /// Bytes of the source, where they are known.
    pub fn length(&self) -> Option<u64> {
        self.plan.length()
    }

    /// Bytes that the server has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.parts.values().map(|part| part.size).sum()
    }
}

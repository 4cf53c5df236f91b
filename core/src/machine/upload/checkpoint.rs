//! The data to resume a multipart upload in another process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::plan::Plan;
use crate::checksum::{Algorithm, Type};
use crate::s3::ETag;

/// A multipart upload that can be resumed: plain data, to be stored in any serde format.
///
/// It holds no credentials, and of the object only sizes, ETags and checksums. A resumed upload
/// uses the server's list of parts where the two differ.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Checkpoint {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The server's id of the upload.
    pub upload_id: String,
    /// The checksum algorithm of its parts.
    #[cfg_attr(feature = "serde", serde(default))]
    pub algorithm: Option<Algorithm>,
    /// What the checksum of the whole object is computed over.
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
    /// Its ETag.
    pub etag: ETag,
    /// Its size in bytes.
    pub size: u64,
    /// Its checksum in base64.
    #[cfg_attr(feature = "serde", serde(default))]
    pub checksum: Option<String>,
}

/// A view of the newest checkpoint of an upload that a transport runs. Obtain it beforehand from
/// [`S3Upload::checkpoints`](super::S3Upload::checkpoints), and read it at any time, also after the
/// upload has failed.
#[derive(Debug)]
pub struct Checkpoints<C = Checkpoint>(Arc<Mutex<Option<C>>>);

impl<C: Clone> Checkpoints<C> {
    /// Returns the newest checkpoint; `None` before parts are sent, and after the upload is
    /// complete or removed.
    pub fn latest(&self) -> Option<C> {
        self.lock().clone()
    }

    pub(super) fn begin(&self, checkpoint: Option<C>) {
        *self.lock() = checkpoint;
    }

    /// Changes the checkpoint, if there is one.
    pub(super) fn note(&self, change: impl FnOnce(&mut C)) {
        if let Some(checkpoint) = &mut *self.lock() {
            change(checkpoint);
        }
    }

    pub(super) fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Clone for Checkpoints<C> {
    /// Returns another view of the same checkpoint.
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Default for Checkpoints<C> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl Checkpoint {
    /// Returns the size of the source in bytes, if it is known.
    pub fn length(&self) -> Option<u64> {
        self.plan.length()
    }

    /// Returns how many bytes the server has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.parts.values().map(|part| part.size).sum()
    }
}

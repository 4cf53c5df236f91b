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

/// One change of a [`Checkpoint`]: plain data, to be appended to a file.
///
/// A file of changes needs one short record a part; a file of whole checkpoints, written again
/// after each part, needs as many bytes as the square of the number of parts.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CheckpointChange {
    /// The upload can be resumed from this checkpoint. It replaces all earlier changes.
    Begun(Box<Checkpoint>),
    /// The server has acknowledged this part.
    Part(u32, CheckpointPart),
    /// The upload is complete or removed, and can't be resumed.
    Ended,
}

/// The changes of a checkpoint since a position: the result of [`Checkpoints::since`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointChanges<T> {
    /// The changes, in order.
    pub changes: Vec<T>,
    /// The position after them, for the next call.
    pub position: u64,
}

/// A checkpoint of either protocol.
pub trait Resumable: Clone {
    /// One change of it.
    type Change;

    #[doc(hidden)]
    fn change(&self, entry: &Entry) -> Option<Self::Change>;

    #[doc(hidden)]
    fn begun(self) -> Self::Change;

    #[doc(hidden)]
    fn ended() -> Self::Change;
}

/// What changed in a checkpoint. What it changed to is in the checkpoint.
#[derive(Debug)]
pub enum Entry {
    /// This part was sent.
    #[cfg(feature = "swift")]
    Sent(u32),
    /// This part was acknowledged.
    Stored(u32),
    /// Whether the manifest was sent.
    #[cfg(feature = "swift")]
    Manifest(bool),
}

/// A view of the newest checkpoint of an upload that a transport runs. Obtain it beforehand from
/// [`S3Upload::checkpoints`](super::S3Upload::checkpoints), and read it at any time, also after the
/// upload has failed.
///
/// To store the checkpoint once, use [`latest`](Self::latest). To store it after each part, append
/// the changes [`since`](Self::since) the last time to a file, and make the checkpoint of the file
/// with [`Checkpoint::replay`] or `SwiftCheckpoint::replay`.
///
/// ```
/// use apus_core::machine::{Checkpoint, Checkpoints};
///
/// # let checkpoints: Checkpoints = Checkpoints::default();
/// # let mut file = Vec::new();
/// let mut position = 0;
/// // After each part, or each second:
/// let news = checkpoints.since(position);
/// file.extend(news.changes); // as a line of JSON each
/// position = news.position;
/// // In another process:
/// let checkpoint: Option<Checkpoint> = Checkpoint::replay(file);
/// # assert!(checkpoint.is_none() && position == 0);
/// ```
#[derive(Debug)]
pub struct Checkpoints<C = Checkpoint>(Arc<Mutex<Journal<C>>>);

/// The newest checkpoint and what changed in it.
#[derive(Debug)]
struct Journal<C> {
    checkpoint: Option<C>,
    /// The position after the change that began the checkpoint, or ended it.
    began: u64,
    /// The changes after it.
    entries: Vec<Entry>,
}

impl<C: Resumable> Checkpoints<C> {
    /// Returns the newest checkpoint; `None` before parts are sent, and after the upload is
    /// complete or removed.
    pub fn latest(&self) -> Option<C> {
        self.lock().checkpoint.clone()
    }

    /// Returns the changes after `position`, which is 0 at first, and then that of the changes
    /// before. The cost is that of the new changes. A caller that is further back than the
    /// beginning of the checkpoint receives all of the checkpoint as one change.
    pub fn since(&self, position: u64) -> CheckpointChanges<C::Change> {
        let journal = self.lock();
        let Journal { checkpoint, began, entries } = &*journal;
        let behind = position < *began;
        let changes = match checkpoint {
            Some(checkpoint) if behind => vec![checkpoint.clone().begun()],
            None if behind => vec![C::ended()],
            None => Vec::new(),
            Some(checkpoint) => {
                let seen = usize::try_from(position - began).unwrap_or(usize::MAX);
                let new = entries.get(seen..).unwrap_or_default();
                new.iter().filter_map(|entry| checkpoint.change(entry)).collect()
            }
        };
        CheckpointChanges { changes, position: journal.position() }
    }

    pub(super) fn begin(&self, checkpoint: Option<C>) {
        let mut journal = self.lock();
        if checkpoint.is_some() || journal.checkpoint.is_some() {
            journal.began = journal.position() + 1;
            journal.entries = Vec::new();
            journal.checkpoint = checkpoint;
        }
    }

    /// Changes the checkpoint, if there is one.
    pub(super) fn note(&self, entry: Entry, change: impl FnOnce(&mut C)) {
        let mut journal = self.lock();
        if let Some(checkpoint) = &mut journal.checkpoint {
            change(checkpoint);
            journal.entries.push(entry);
        }
    }

    pub(super) fn end(&self) {
        self.begin(None);
    }

    fn lock(&self) -> MutexGuard<'_, Journal<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Journal<C> {
    fn position(&self) -> u64 {
        self.began + u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }
}

impl<C> Default for Journal<C> {
    fn default() -> Self {
        Self { checkpoint: None, began: 0, entries: Vec::new() }
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

    /// Returns the checkpoint after these changes, which [`Checkpoints::since`] returned; `None` if
    /// they begin none, or end it.
    pub fn replay(changes: impl IntoIterator<Item = CheckpointChange>) -> Option<Self> {
        let mut checkpoint = None;
        for change in changes {
            match change {
                CheckpointChange::Begun(begun) => checkpoint = Some(*begun),
                CheckpointChange::Ended => checkpoint = None,
                CheckpointChange::Part(number, part) => {
                    if let Some(Self { parts, .. }) = &mut checkpoint {
                        parts.insert(number, part);
                    }
                }
            }
        }
        checkpoint
    }
}

impl Resumable for Checkpoint {
    type Change = CheckpointChange;

    fn change(&self, entry: &Entry) -> Option<CheckpointChange> {
        match entry {
            Entry::Stored(number) => {
                Some(CheckpointChange::Part(*number, self.parts.get(number)?.clone()))
            }
            #[cfg(feature = "swift")]
            Entry::Sent(_) | Entry::Manifest(_) => None,
        }
    }

    fn begun(self) -> CheckpointChange {
        CheckpointChange::Begun(Box::new(self))
    }

    fn ended() -> CheckpointChange {
        CheckpointChange::Ended
    }
}

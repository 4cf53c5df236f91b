//! What writes of both protocols share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use apus_async::Source;
use tokio::sync::Semaphore;

use super::errors::generic;
use super::object_store::path::Path;
use super::object_store::{
    CopyMode, CopyOptions, Error, ObjectStore, ObjectStoreExt, PutPayload, RenameOptions,
    RenameTargetMode, Result, UploadPart,
};

/// Returns the payload as a source; its pieces are sent without being copied.
pub(super) fn source(payload: PutPayload) -> Source {
    match payload.as_ref() {
        [] => Source::bytes(bytes::Bytes::new()),
        [piece] => Source::bytes(piece.clone()),
        _ => Source::pieces(payload),
    }
}

/// Copies an object, then deletes its source.
pub(super) async fn rename(
    store: &impl ObjectStore,
    from: &Path,
    to: &Path,
    options: RenameOptions,
) -> Result<()> {
    let mode = match options.target_mode {
        RenameTargetMode::Overwrite => CopyMode::Overwrite,
        RenameTargetMode::Create => CopyMode::Create,
    };
    store.copy_opts(from, to, CopyOptions::new().with_mode(mode)).await?;
    // The copy would be deleted.
    if from == to { Ok(()) } else { store.delete(from).await }
}

/// Copies an object to its own path: sends nothing that changes it.
pub(super) async fn copy_to_itself(
    store: &impl ObjectStore,
    path: &Path,
    mode: CopyMode,
) -> Result<()> {
    store.head(path).await?;
    match mode {
        CopyMode::Overwrite => Ok(()),
        CopyMode::Create => {
            let source = "the destination is the source".into();
            Err(Error::AlreadyExists { path: path.to_string(), source })
        }
    }
}

/// The parts of one upload that may be in flight. Callers may begin any number at once.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<State>);

#[derive(Debug)]
struct State {
    free: Semaphore,
    /// Whether the upload has ended: then no part is sent.
    ended: AtomicBool,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        let free = Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS));
        Self(Arc::new(State { free, ended: AtomicBool::new(false) }))
    }

    /// Returns the future of a part, which is sent when a place is free. Places are given in the
    /// order in which parts first ask.
    pub(super) fn send(
        &self,
        store: &'static str,
        part: impl Future<Output = Result<()>> + Send + 'static,
    ) -> UploadPart {
        let places = self.clone();
        Box::pin(async move {
            // The semaphore is never closed.
            let _place = places.0.free.acquire().await;
            if places.has_ended() {
                return Err(generic(store, "the upload of this part has ended"));
            }
            part.await
        })
    }

    /// Ends the upload: parts that wait are not sent.
    pub(super) fn end(&self) {
        self.0.ended.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }
}

/// The parts of one upload in flight where the caller says nothing: as many as `BufWriter` sends.
pub(super) const PARTS_IN_FLIGHT: usize = 8;

//! What writes of both protocols share.

use std::sync::Arc;

use apus_async::Source;
use tokio::sync::Semaphore;

use super::object_store::{PutPayload, Result, UploadPart};

/// Returns the payload as a source; its pieces are sent without being copied.
pub(super) fn source(payload: PutPayload) -> Source {
    match payload.as_ref() {
        [] => Source::bytes(bytes::Bytes::new()),
        [piece] => Source::bytes(piece.clone()),
        _ => Source::pieces(payload),
    }
}

/// The parts of one upload that may be in flight. Callers may begin any number at once.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Semaphore>);

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Returns the future of a part, which is sent when a place is free. Places are given in the
    /// order in which parts first ask.
    pub(super) fn send(
        &self,
        part: impl Future<Output = Result<()>> + Send + 'static,
    ) -> UploadPart {
        let places = Arc::clone(&self.0);
        Box::pin(async move {
            // The semaphore is never closed.
            let _place = places.acquire().await;
            part.await
        })
    }
}

/// The parts of one upload in flight where the caller says nothing: as many as `BufWriter` sends.
pub(super) const PARTS_IN_FLIGHT: usize = 8;

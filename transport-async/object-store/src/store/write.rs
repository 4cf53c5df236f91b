//! What writes of both protocols share.

use apus_async::Source;

use super::object_store::PutPayload;

/// Returns the payload as a source; its pieces are sent without being copied.
pub(super) fn source(payload: PutPayload) -> Source {
    match payload.as_ref() {
        [] => Source::bytes(bytes::Bytes::new()),
        [piece] => Source::bytes(piece.clone()),
        _ => Source::pieces(payload),
    }
}

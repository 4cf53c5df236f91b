//! Spans and events for the `tracing` crate, if enabled. They contain neither URLs nor headers.

use apus_core::http::Completion;

#[cfg(feature = "tracing")]
pub(crate) use tracing::Span;

/// Returns the span of a run.
#[cfg(feature = "tracing")]
pub(crate) fn run(name: &'static str) -> Span {
    tracing::info_span!("apus", operation = name)
}

/// Emits the event of an attempt.
#[cfg(feature = "tracing")]
pub(crate) fn attempt(done: &Completion) {
    let operation = done.draft().operation;
    let elapsed = apus_host::clock::now().tick.saturating_sub(done.sealed_at().tick);
    let (sent, elapsed) = (done.sent(), elapsed.as_millis() as u64);
    match done.outcome() {
        Ok(reply) => {
            let received = reply.streamed.max(reply.body.len() as u64);
            let cut = reply.cut.as_ref().map(|failure| tracing::field::debug(failure.kind()));
            let status = reply.status().as_u16();
            tracing::debug!(operation, status, sent, received, elapsed, cut, "attempt");
        }
        Err(error) => {
            let cause = error.exchange_error().map(|failure| tracing::field::debug(failure.kind()));
            let kind = tracing::field::debug(error.kind());
            tracing::debug!(operation, sent, elapsed, kind, cause, "attempt");
        }
    }
}

/// Replaces the span when the feature `tracing` is off.
#[cfg(not(feature = "tracing"))]
pub(crate) struct Span;

#[cfg(not(feature = "tracing"))]
impl Span {
    pub(crate) fn enter(&self) -> Entered {
        Entered
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) struct Entered;

#[cfg(not(feature = "tracing"))]
pub(crate) fn run(_: &'static str) -> Span {
    Span
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn attempt(_: &Completion) {}

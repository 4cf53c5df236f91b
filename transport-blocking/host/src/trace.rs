//! Spans and events of both transports for the `tracing` crate, with the feature of that name. They
//! contain neither URLs nor headers.
//!
//! | event | level | fields |
//! | --- | --- | --- |
//! | `attempt` | debug | `http.request.method`, `http.response.status_code`, `http.request.body.size`, `http.response.body.size`, `elapsed_ms`, `error.type` |
//! | `queued` | debug | `at_once`, `waiting` |
//! | `waiting` | info | `reason`, `length_ms` |
//! | `credentials refused, sent again` | debug | |
//! | `credentials renewed` | info | `generation`, `life_s` |
//! | `trust created`, `trust revoked` | info | `trust.id` |
//! | all other notices | warn | `error.type`, `error.message`, and what the notice has |
//!
//! All are in the span `apus` of their run, whose field `rpc.method` is the operation or the task.
//! Each event has a `rpc.method` of its own where it concerns one operation. Names are those of
//! OpenTelemetry's semantic conventions where it has one.

#[cfg(feature = "tracing")]
pub use self::enabled::{Span, attempt, observe, run};

#[cfg(not(feature = "tracing"))]
pub use self::disabled::{Span, attempt, observe, run};

#[cfg(feature = "tracing")]
mod enabled {
    use std::sync::{Arc, LazyLock};

    use apus_core::contract::Notice;
    use apus_core::http::Completion;
    use apus_core::machine::{Event, Observer, observe_both};
    use apus_core::{Error, Now};
    use tracing::{debug, info, warn};

    pub use tracing::Span;

    use crate::clock;

    /// Returns the span of a run.
    pub fn run(name: &'static str) -> Span {
        tracing::info_span!("apus", rpc.method = name)
    }

    /// Returns an observer that also emits the events of a pump.
    pub fn observe(observer: Option<&Arc<dyn Observer>>) -> Option<Arc<dyn Observer>> {
        static TRACED: LazyLock<Arc<dyn Observer>> = LazyLock::new(|| Arc::new(Traced));
        Some(observe_both(observer.cloned(), Arc::clone(&TRACED)))
    }

    /// Emits the event of an attempt.
    pub fn attempt(done: &Completion) {
        let draft = done.draft();
        let elapsed = clock::now().tick.saturating_sub(done.sealed_at().tick);
        let (status, received, kind) = match done.outcome() {
            Ok(reply) => (
                Some(reply.status().as_u16()),
                Some(reply.streamed.max(reply.body.len() as u64)),
                reply.cut.as_ref().map(|cut| format!("{:?}", cut.kind())),
            ),
            Err(error) => (None, None, Some(error_type(error))),
        };
        debug!(
            rpc.method = draft.operation,
            http.request.method = draft.head.method.as_str(),
            http.response.status_code = status,
            http.request.body.size = done.sent(),
            http.response.body.size = received,
            elapsed_ms = elapsed.as_millis() as u64,
            error.r#type = kind,
            "attempt"
        );
    }

    struct Traced;

    impl Observer for Traced {
        fn event(&self, _: Now, event: &Event<'_>) {
            match event {
                Event::Queued { operation, at_once, waiting } => {
                    debug!(rpc.method = operation, at_once, waiting, "queued");
                }
                Event::Replayed { operation } => {
                    debug!(rpc.method = operation, "credentials refused, sent again");
                }
                Event::Waiting { reason, length } => {
                    info!(reason = %reason, length_ms = length.as_millis() as u64, "waiting");
                }
                Event::Noticed(notice) => emit(notice),
                // `attempt` knows more of these; pieces of bodies are too many.
                _ => {}
            }
        }
    }

    fn emit(notice: &Notice) {
        match notice {
            Notice::Renewed { generation, life } => {
                let life_s = life.map(|life| life.as_secs());
                info!(generation, life_s, "credentials renewed");
            }
            Notice::TrustCreated { id } => info!(trust.id = id, "trust created"),
            Notice::TrustRevoked { id } => info!(trust.id = id, "trust revoked"),
            Notice::ShortLived { life, interval } => {
                let (life_s, interval_s) = (life.as_secs(), interval.as_secs());
                warn!(life_s, interval_s, "credentials are short-lived");
            }
            Notice::RenewalFailed { error } => failed(error, "renewal failed"),
            Notice::TrustRefused { error } => failed(error, "trust refused"),
            Notice::NotCopied { what, error } => {
                let kind = error_type(error);
                warn!(what, error.r#type = kind, error.message = %error, "not copied");
            }
            Notice::TrustLeft { id, error } => {
                let kind = error_type(error);
                warn!(trust.id = id, error.r#type = kind, error.message = %error, "trust left");
            }
            Notice::Unconditional { operation } => {
                warn!(operation, "sent without a condition that the server does not support");
            }
            other => warn!(notice = ?other, "notice"),
        }
    }

    fn failed(error: &Error, what: &'static str) {
        warn!(error.r#type = error_type(error), error.message = %error, "{what}");
    }

    /// Returns why the exchange failed, or else the kind of the error.
    fn error_type(error: &Error) -> String {
        match error.exchange_error() {
            Some(exchange) => format!("{:?}", exchange.kind()),
            None => format!("{:?}", error.kind()),
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod disabled {
    use std::sync::Arc;

    use apus_core::http::Completion;
    use apus_core::machine::Observer;

    /// Replaces the span of `tracing`.
    #[derive(Clone, Debug)]
    pub struct Span;

    impl Span {
        /// Returns the present span.
        pub fn current() -> Self {
            Self
        }

        /// Does nothing.
        pub fn enter(&self) -> impl Sized + use<> {}
    }

    /// Returns the span of a run.
    pub fn run(_: &'static str) -> Span {
        Span
    }

    /// Returns the observer.
    pub fn observe(observer: Option<&Arc<dyn Observer>>) -> Option<Arc<dyn Observer>> {
        observer.cloned()
    }

    /// Does nothing.
    pub fn attempt(_: &Completion) {}
}

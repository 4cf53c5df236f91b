//! Whether requests to a server ask for `100 Continue` before their body (RFC 9110, section
//! 10.1.1), as earlier responses of the server showed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What is known of a server that is asked for `100 Continue`. Clones share it.
///
/// A server or proxy that does not support the expectation responds with 417, or never sends `100
/// Continue`, so that each body is sent only after the transport's wait has ended. Such a server is
/// not asked again.
#[derive(Clone, Debug)]
pub struct Expectation(Option<Arc<AtomicU8>>);

impl Default for Expectation {
    /// Nothing is known yet.
    fn default() -> Self {
        Self(Some(Arc::default()))
    }
}

impl Expectation {
    /// Nothing is known, and nothing is remembered: until a service sets its own.
    pub(super) const NONE: Self = Self(None);

    /// Whether the server may be asked.
    pub(super) fn is_open(&self) -> bool {
        self.0.as_ref().is_none_or(|known| known.load(Ordering::Relaxed) < SILENT)
    }

    /// Records that the server refused the expectation.
    pub(super) fn refuse(&self) {
        self.store(SILENT);
    }

    /// Records that the server sent `100 Continue`, once and for all.
    pub(super) fn keep(&self) {
        if self.is_open() {
            self.store(0);
        }
    }

    /// Records that a body was sent without `100 Continue`.
    pub(super) fn miss(&self) {
        let more = |missed: u8| (missed < SILENT).then_some(missed + 1);
        if let Some(known) = &self.0 {
            let _ = known.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }

    fn store(&self, missed: u8) {
        if let Some(known) = &self.0 {
            known.store(missed, Ordering::Relaxed);
        }
    }
}

/// How many bodies in a row are sent without `100 Continue` before the server is not asked again. A
/// busy server may send one late.
const SILENT: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_misses_in_a_row_or_one_refusal_close_it() {
        let known = Expectation::default();
        known.miss();
        known.keep();
        known.miss();
        assert!(known.is_open());
        known.miss();
        assert!(!known.is_open());
        known.keep();
        known.miss();
        assert!(!known.is_open());
        let known = Expectation::default();
        known.refuse();
        assert!(!known.is_open());
    }
}

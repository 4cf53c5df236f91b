//! Signals that end the process, such as Ctrl-C.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use apus_blocking::CancelToken;

use crate::exit::{Exit, Failure};

/// Cancels all runs when the process is interrupted or asked to end, so that uploads are aborted
/// and the objects of a trial are removed. A second signal ends the process at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(CancelToken);

impl Interrupt {
    /// Installs the signal handler. All callers in a process share one token.
    pub(crate) fn listen() -> Result<Self, Failure> {
        static SHARED: OnceLock<CancelToken> = OnceLock::new();
        static AGAIN: AtomicBool = AtomicBool::new(false);
        if let Some(token) = SHARED.get() {
            return Ok(Self(token.clone()));
        }
        let token = SHARED.get_or_init(CancelToken::new).clone();
        let cancelled = token.clone();
        ctrlc::set_handler(move || {
            if AGAIN.swap(true, Ordering::AcqRel) {
                std::process::exit(Exit::Interrupted as i32);
            }
            cancelled.cancel();
        })
        .map_err(|error| {
            Failure::new(Exit::Other, format!("could not install the signal handler: {error}"))
        })?;
        Ok(Self(token))
    }

    /// Returns the token that stops a run.
    pub(crate) fn token(&self) -> CancelToken {
        self.0.clone()
    }

    /// Returns whether a signal arrived.
    pub(crate) fn came(&self) -> bool {
        self.0.is_cancelled()
    }
}

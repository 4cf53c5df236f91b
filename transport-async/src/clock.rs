//! The one place where this crate asks what time it is.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use apus_core::Now;

/// This moment on both clocks; ticks count from the first call of the process.
pub(crate) fn now() -> Now {
    // A host whose clock stands before 1970 gets signatures refused either way.
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now::new(epoch().elapsed(), unix)
}

/// The moment at which `tick` is reached, for timers.
pub(crate) fn instant(tick: Duration) -> Instant {
    epoch() + tick
}

/// A number that nobody can guess, to start jitter from.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(epoch().elapsed())
}

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

//! The one place of both transports where the time is read and where randomness comes from.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use apus_core::Now;

/// Returns this moment on both clocks; ticks count from the first call of the process.
pub fn now() -> Now {
    // A host whose clock stands before 1970 gets signatures refused either way.
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now::new(EPOCH.elapsed(), unix)
}

/// Returns the moment at which `tick` is reached, for timers.
pub fn instant(tick: Duration) -> Instant {
    *EPOCH + tick
}

/// Returns a random seed for the jitter of delays, which is not for cryptography.
pub fn seed() -> u64 {
    RandomState::new().hash_one(EPOCH.elapsed())
}

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

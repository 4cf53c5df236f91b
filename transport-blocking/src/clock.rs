//! The one place where it is asked what time it is, and where randomness comes from.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use apus_core::Now;

/// This moment on both clocks: the monotonic one counts from the first call in this process.
pub fn now() -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Now::new(EPOCH.elapsed(), unix)
}

/// A seed for the jitter of delays: random, and not for cryptography.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

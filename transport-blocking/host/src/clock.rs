//! The only module of both transports that reads the time or gets randomness.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use apus_core::Now;

/// Returns the present on both clocks; ticks count from the first call in the process.
pub fn now() -> Now {
    // If a host's clock shows a time before 1970, its signatures are refused in any case.
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now::new(EPOCH.elapsed(), unix)
}

/// Returns the instant at which `tick` is reached, for timers.
pub fn instant(tick: Duration) -> Instant {
    *EPOCH + tick
}

/// Returns another seed for the jitter of delays, which is not for cryptography. Only the first of
/// a thread is made of randomness.
pub fn seed() -> u64 {
    thread_local! {
        static NEXT: Cell<u64> = Cell::new(RandomState::new().hash_one(EPOCH.elapsed()));
    }
    let seed = NEXT.get();
    NEXT.set(seed.wrapping_add(STEP));
    seed
}

/// Large, because a machine may count up from its seed.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

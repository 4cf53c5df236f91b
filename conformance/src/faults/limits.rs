//! The timeouts of the clients, scaled down so that a test reaches them.

use std::time::Duration;

use apus_core::http::Timeouts;

pub(super) fn of_request() -> Timeouts {
    Timeouts {
        connect: Some(CONNECT),
        first_byte: Some(FIRST_BYTE),
        idle: Some(IDLE),
        ..Timeouts::default()
    }
}

/// Returns the longest time of a transfer of this many requests, one after the other, each with all
/// its attempts and the longest duration of each.
pub(super) fn deadline(requests: u64) -> Duration {
    let attempt = CONNECT + FIRST_BYTE + IDLE * 3 + LONGEST_PAUSE;
    attempt * ATTEMPTS * u32::try_from(requests).unwrap_or(u32::MAX)
}

const CONNECT: Duration = Duration::from_millis(800);
const FIRST_BYTE: Duration = Duration::from_millis(800);
pub(super) const IDLE: Duration = Duration::from_millis(800);
/// The delay after the first attempt.
pub(super) const PAUSE: Duration = Duration::from_millis(2);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(100);
pub(super) const ATTEMPTS: u32 = 5;

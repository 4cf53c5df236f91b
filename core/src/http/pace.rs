//! The least rate of a body.
//!
//! A limit on each pause does not limit the whole: a peer that sends one byte a minute never pauses
//! too long, and never ends. A limit on the whole body would cut large objects on slow links. So
//! the least rate is averaged over a window: in each window at least `least` bytes must move, and
//! the next window begins as soon as they have.
//!
//! ```text
//!   await ─ moved(n) ─ rest ······ await ─ moved(n) ─ await ─ …     time
//!   └─ counts ──────┘ └ ours ────┘└─ counts ──────────────
//! ```
//!
//! Only the time spent waiting for the peer counts, not the time that the caller's source or sink
//! needs, nor a limit of bandwidth.

use std::time::Duration;

/// The least number of bytes that a body must move in each window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeastRate {
    /// Bytes per second.
    pub bytes: u64,
    /// The length of the window.
    pub over: Duration,
}

impl LeastRate {
    /// Returns how many bytes must move in each window: at least one.
    pub fn least(self) -> u64 {
        let bytes = u128::from(self.bytes).saturating_mul(self.over.as_millis()) / 1000;
        u64::try_from(bytes).unwrap_or(u64::MAX).max(1)
    }
}

impl Default for LeastRate {
    /// 1 KiB per second over 60 s.
    fn default() -> Self {
        Self { bytes: 1 << 10, over: Duration::from_secs(60) }
    }
}

/// Checks one body, in one direction, against its [`LeastRate`]. Times are from any monotonic
/// clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    rate: Option<LeastRate>,
    /// Bytes moved in this window.
    moved: u64,
    /// Time spent waiting in this window, up to `since`.
    waited: Duration,
    /// Since when the peer is waited for.
    since: Option<Duration>,
}

impl Pace {
    /// Creates the state of a body that has not begun; `None` means no least rate.
    pub fn new(rate: Option<LeastRate>) -> Self {
        Self { rate, ..Self::default() }
    }

    /// Records that from now on the peer is waited for. Returns when the window ends if no more
    /// bytes move, or `None` if there is no least rate.
    pub fn wait(&mut self, now: Duration) -> Option<Duration> {
        let rate = self.rate?;
        let since = *self.since.get_or_insert(now);
        Some(since.saturating_add(rate.over.saturating_sub(self.waited)))
    }

    /// Records that the peer is not waited for until the next [`wait`](Self::wait).
    pub fn rest(&mut self, now: Duration) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_sub(since);
        }
    }

    /// Records that `bytes` have moved. Returns false if they took too long: if the time spent
    /// waiting exceeds one window, plus one window for each [`least`](LeastRate::least) bytes that
    /// moved in it.
    #[must_use]
    pub fn moved(&mut self, now: Duration, bytes: u64) -> bool {
        let Some(rate) = self.rate else { return true };
        if let Some(since) = self.since.replace(now) {
            self.waited += now.saturating_sub(since);
        } else {
            self.since = None;
        }
        self.moved = self.moved.saturating_add(bytes);
        let windows = u32::try_from(self.moved / rate.least()).unwrap_or(u32::MAX);
        let in_time = self.waited <= rate.over.saturating_mul(windows.saturating_add(1));
        if windows > 0 {
            (self.moved, self.waited) = (0, Duration::ZERO);
        }
        in_time
    }
}

/// The detail of the failure of a body that moved too slowly.
pub const TOO_SLOW: &str = "the body was transferred more slowly than the least rate";

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: LeastRate = LeastRate { bytes: 10, over: Duration::from_secs(5) };

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_body_above_the_rate_may_take_for_ever() {
        let mut pace = Pace::new(Some(RATE));
        for second in 0..10_000 {
            let deadline = pace.wait(s(second)).unwrap();
            assert!(deadline > s(second + 1), "at {second}");
            assert!(pace.moved(s(second + 1), 13));
        }
    }

    #[test]
    fn a_byte_a_second_is_over_with_the_window() {
        let mut pace = Pace::new(Some(RATE));
        for second in 0..5 {
            assert_eq!(pace.wait(s(second)), Some(s(5)));
            assert!(pace.moved(s(second + 1), 1));
        }
        assert_eq!(pace.wait(s(5)), Some(s(5)));
        assert!(!pace.moved(s(6), 1));
    }

    #[test]
    fn what_comes_at_once_counts_for_one_window_alone() {
        let mut pace = Pace::new(Some(RATE));
        pace.wait(s(0));
        assert!(pace.moved(s(1), 1 << 30));
        assert_eq!(pace.wait(s(1)), Some(s(6)));
    }

    #[test]
    fn what_moves_in_large_pieces_may_take_as_many_windows() {
        // Where a piece is told of only when all of it has moved.
        for (windows, in_time) in [(4, true), (5, true), (6, false)] {
            let mut pace = Pace::new(Some(RATE));
            pace.wait(s(0));
            assert_eq!(pace.moved(s(windows * 5), 4 * 50), in_time, "{windows}");
        }
        // And with them nothing is saved up.
        let mut pace = Pace::new(Some(RATE));
        pace.wait(s(0));
        assert!(pace.moved(s(1), 1000));
        assert!(!pace.moved(s(7), 49));
    }

    #[test]
    fn the_time_of_a_source_or_a_sink_is_not_the_peers() {
        let mut pace = Pace::new(Some(RATE));
        pace.wait(s(0));
        assert!(pace.moved(s(2), 1));
        pace.rest(s(2));
        // A rest that is told twice is one.
        pace.rest(s(50));
        assert_eq!(pace.wait(s(100)), Some(s(103)));
        assert_eq!(pace.wait(s(101)), Some(s(103)));
        assert!(pace.moved(s(102), 1));
        pace.rest(s(102));
        assert!(pace.moved(s(1000), 1), "moved while nobody waited");
        assert_eq!(pace.wait(s(2000)), Some(s(2001)));
    }

    #[test]
    fn without_a_rate_nothing_is_ever_too_slow() {
        let mut pace = Pace::new(None);
        assert_eq!(pace.wait(s(0)), None);
        assert!(pace.moved(s(1 << 40), 0));
    }

    #[test]
    fn even_the_least_of_rates_asks_for_a_byte() {
        let rate = LeastRate { bytes: 0, over: s(1) };
        let mut pace = Pace::new(Some(rate));
        pace.wait(s(0));
        assert!(pace.moved(s(1), 1));
        assert!(!pace.moved(s(3), 0));
    }

    #[test]
    fn hours_and_giant_rates_do_not_overflow() {
        let rate = LeastRate { bytes: u64::MAX, over: Duration::MAX };
        let mut pace = Pace::new(Some(rate));
        assert_eq!(pace.wait(s(1)), Some(Duration::MAX));
        assert!(pace.moved(s(2), 1));
    }
}

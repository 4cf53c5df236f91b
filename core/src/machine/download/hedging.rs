//! When a second request for a range is sent ("The Tail at Scale", Communications of the ACM, 2013).

use std::collections::VecDeque;
use std::time::Duration;

/// The times until the first bytes of ranges, and how many requests were sent.
///
/// A second request is sent for a range whose first byte is later than in 95 of 100 requests before
/// it, and only while at most 1 in 20 requests is a second one.
#[derive(Debug, Default)]
pub(super) struct Hedging {
    /// The last times, the newest at the back.
    times: VecDeque<Duration>,
    /// Their 95th percentile.
    percentile: Duration,
    requests: u64,
    seconds: u64,
}

impl Hedging {
    /// Counts a first request for a range.
    pub(super) fn sent(&mut self) {
        self.requests += 1;
    }

    /// Counts a second request for a range.
    pub(super) fn sent_second(&mut self) {
        self.seconds += 1;
    }

    /// Records after what time the first byte of a range came.
    pub(super) fn answered(&mut self, after: Duration) {
        if self.times.len() == MOST_TIMES {
            self.times.pop_front();
        }
        self.times.push_back(after);
        let mut sorted: Vec<_> = self.times.iter().copied().collect();
        let at = (sorted.len() * 95).div_ceil(100).saturating_sub(1);
        self.percentile = *sorted.select_nth_unstable(at).1;
    }

    /// Returns after what time without a first byte a second request is sent. `None`: none is sent,
    /// because too few responses have come, or too many second requests were sent.
    pub(super) fn after(&self) -> Option<Duration> {
        let allowed = (self.seconds + 1) * SHARE <= self.requests;
        (allowed && self.times.len() >= FEWEST_TIMES).then_some(self.percentile)
    }
}

/// One second request among so many first ones.
const SHARE: u64 = 20;
/// How many times a percentile is taken of, at least and at most.
const FEWEST_TIMES: usize = 20;
const MOST_TIMES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_95th_percentile_of_the_last_times_after_twenty_of_them() {
        let mut hedging = Hedging::default();
        for at in 1..=19 {
            hedging.sent();
            hedging.answered(Duration::from_millis(at));
            assert_eq!(hedging.after(), None);
        }
        hedging.sent();
        hedging.answered(Duration::from_millis(20));
        assert_eq!(hedging.after(), Some(Duration::from_millis(19)));
        for at in 1..=200 {
            hedging.answered(Duration::from_secs(at));
        }
        assert_eq!(hedging.after(), Some(Duration::from_secs(190)));
    }

    #[test]
    fn one_request_in_twenty_is_a_second_one_at_most() {
        let mut hedging = Hedging::default();
        let mut seconds = 0;
        for requests in 1..=1000 {
            hedging.sent();
            hedging.answered(Duration::from_millis(1));
            if hedging.after().is_some() {
                hedging.sent_second();
                seconds += 1;
            }
            assert!(seconds * 20 <= requests);
        }
        assert_eq!(seconds, 50);
    }
}

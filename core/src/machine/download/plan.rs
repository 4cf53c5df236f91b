//! The ranges of an object that are still to be read.

use std::collections::VecDeque;
use std::ops::Range;

/// The ranges that are not yet started. None of them crosses a boundary.
///
/// ```text
///  at            step          step    boundary            end
///  ├──────────────┼──────────────┼───────┼──────────────────┤
/// ```
#[derive(Debug, Default)]
pub(super) struct Plan {
    at: u64,
    end: u64,
    step: u64,
    boundaries: VecDeque<u64>,
}

impl Plan {
    /// Makes ranges of at most `step` bytes in `window`.
    pub(super) fn new(window: Range<u64>, step: u64) -> Self {
        let boundaries = VecDeque::new();
        Self { at: window.start, end: window.end, step: step.max(1), boundaries }
    }

    /// Makes boundaries of the ends of these parts, given by their lengths. The first part starts
    /// at the first byte of the object.
    pub(super) fn along(mut self, parts: &[u64]) -> Self {
        let ends = parts.iter().scan(0u64, |end, length| {
            *end = end.saturating_add(*length);
            Some(*end)
        });
        self.boundaries = ends.collect();
        self
    }
}

impl Iterator for Plan {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        if self.at >= self.end {
            return None;
        }
        let mut until = self.at.saturating_add(self.step).min(self.end);
        while self.boundaries.front().is_some_and(|boundary| *boundary <= self.at) {
            self.boundaries.pop_front();
        }
        if let Some(boundary) = self.boundaries.front() {
            until = until.min(*boundary);
        }
        Some(std::mem::replace(&mut self.at, until)..until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;

    use super::*;

    #[test]
    fn steps_end_where_parts_and_the_object_do() {
        let plan = Plan::new(0..25, 10);
        assert_eq!(plan.collect::<Vec<_>>(), [0..10, 10..20, 20..25]);
        let plan = Plan::new(0..25, 10).along(&[12, 13]);
        assert_eq!(plan.collect::<Vec<_>>(), [0..10, 10..12, 12..22, 22..25]);
        assert_eq!(Plan::new(0..0, 10).next(), None);
        assert_eq!(Plan::default().next(), None);
        let end = u64::MAX;
        assert_eq!(Plan::new(end - 1..end, end).next(), Some(end - 1..end));
    }

    proptest::proptest! {
        #[test]
        fn ranges_follow_each_other_and_none_is_empty(
            parts in vec(1u64..40, 1..8),
            step in 0u64..30,
        ) {
            let size = parts.iter().sum();
            let mut at = 0;
            for range in Plan::new(0..size, step).along(&parts) {
                proptest::prop_assert_eq!(range.start, at);
                proptest::prop_assert!(range.end > at && range.end - at <= step.max(1));
                at = range.end;
            }
            proptest::prop_assert_eq!(at, size);
        }
    }
}

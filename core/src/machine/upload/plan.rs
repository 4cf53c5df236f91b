//! Which part holds which bytes.
//!
//! Parts of a source of known length are equal. Parts of a source of unknown length grow, unless
//! the server requires equal parts ([`Quirks::equal_parts`]): their size doubles after each tenth of the permitted number of parts (1,000 parts on S3), so that a
//! small stream has small parts and a long one still reaches the limits of the service. The
//! permitted memory bounds the size of a part; the largest possible object is known before the
//! first byte is read.

use std::ops::Range;

use super::source::UploadSource;
use crate::error::Error;
use crate::quirks::Quirks;

/// The limits of parts and objects that the service and the caller allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartLimits {
    /// The maximum number of parts of an upload.
    pub parts: u32,
    /// The minimum size of a part in bytes, except the last part.
    pub smallest: u64,
    /// The maximum size of a part in bytes.
    pub largest: u64,
    /// The maximum size of an object in bytes.
    pub object: u64,
}

impl Default for PartLimits {
    /// Returns the limits of S3: 10,000 parts of 5 MiB to 5 GiB, 48.8 TiB in total.
    fn default() -> Self {
        Self { parts: 10_000, smallest: 5 << 20, largest: 5 << 30, object: 10_000 * (5 << 30) }
    }
}

impl PartLimits {
    /// Returns the stricter of these limits and those of the provider.
    #[must_use]
    pub fn within(self, quirks: &Quirks) -> Self {
        // The caller may set a smaller minimum than S3's, where a server is known to allow it.
        let smallest = Some(quirks.min_part_size).filter(|size| *size > Self::default().smallest);
        Self {
            parts: self.parts.min(quirks.max_parts),
            smallest: self.smallest.max(smallest.unwrap_or(0)),
            largest: self.largest,
            object: self.object.min(quirks.max_object_size),
        }
    }
}

/// Part sizes as a function of the part's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::machine) struct Plan {
    /// Bytes of the first part.
    base: u64,
    /// The maximum size of a part in bytes.
    ceiling: u64,
    /// The number of parts after which the size doubles; 0 if the size is constant.
    step: u32,
    /// The maximum number of parts.
    parts: u32,
    /// The size of the source in bytes, if it is known.
    length: Option<u64>,
    /// The maximum size of the source in bytes.
    longest: u64,
}

impl Plan {
    /// Plans parts of at least `part_size` bytes. For a stream, two parts must fit into `memory`:
    /// one is sent while the next is read.
    pub(super) fn of(
        source: UploadSource,
        part_size: u64,
        memory: u64,
        limits: &PartLimits,
    ) -> Result<Self, Error> {
        match source {
            UploadSource::Seekable(length) => Self::known(length, part_size, limits),
            UploadSource::Stream(Some(length)) => {
                let plan = Self::known(length, part_size, limits)?;
                if plan.base.saturating_mul(2) > memory {
                    return Err(Error::invalid_input(format!(
                        "the memory limit of {memory} bytes is less than two parts of {} bytes",
                        plan.base
                    )));
                }
                Ok(plan)
            }
            UploadSource::Stream(None) => Self::growing(part_size, memory / 2, limits),
        }
    }

    /// Plans equal parts of `part_size` bytes; if that makes too many parts, of the smallest
    /// sufficient number of whole MiB.
    pub(in crate::machine) fn known(
        length: u64,
        part_size: u64,
        limits: &PartLimits,
    ) -> Result<Self, Error> {
        if length > limits.object {
            return Err(Error::invalid_input(format!(
                "the source has {length} bytes, but an object has at most {}",
                limits.object
            )));
        }
        let least = length.div_ceil(u64::from(limits.parts.max(1)));
        let base =
            if least > part_size { least.div_ceil(MIB).saturating_mul(MIB) } else { part_size };
        if base > limits.largest {
            return Err(Error::invalid_input(format!(
                "an object of {length} bytes in {} parts requires parts of {base} bytes, but the \
                 service accepts at most {}",
                limits.parts, limits.largest
            )));
        }
        check_size(base, limits)?;
        let parts = limits.parts;
        let longest = limits.object;
        Ok(Self { base, ceiling: base, step: 0, parts, length: Some(length), longest })
    }

    /// Plans growing parts, from `part_size` to `ceiling` bytes.
    fn growing(part_size: u64, ceiling: u64, limits: &PartLimits) -> Result<Self, Error> {
        check_size(part_size, limits)?;
        let ceiling = ceiling.min(limits.largest).max(part_size);
        let (parts, longest) = (limits.parts, limits.object);
        // As many doublings as S3 has with its 10,000 parts, for any limit of the service.
        let step = (parts / 10).max(1);
        Ok(Self { base: part_size, ceiling, step, parts, length: None, longest })
    }

    /// Returns the plan for a server that requires equal parts: those of a stream don't grow, and
    /// the largest object is as much smaller.
    pub(super) fn without_growth(self) -> Self {
        Self { ceiling: self.base, step: 0, ..self }
    }

    /// Returns whether the parts of a long source are larger than those of a short one.
    pub(super) fn grows(&self) -> bool {
        self.base < self.ceiling
    }

    /// Checks that the plan is one that this module could have made: a checkpoint may hold
    /// anything.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.base == 0 || self.ceiling < self.base || self.parts == 0 {
            return Err(Error::invalid_input("the checkpoint is invalid: its plan has no parts"));
        }
        Ok(())
    }

    /// Sets the size of the source, once it is known.
    pub(super) fn end_at(&mut self, length: u64) {
        self.length = Some(length);
    }

    /// Returns the size of the source in bytes, if it is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns the maximum size of an object with this plan, in bytes.
    pub(super) fn max_object_size(&self) -> u64 {
        self.start(self.parts.saturating_add(1)).min(self.longest)
    }

    /// Returns the positions of part `number`, counted from 1, as if the source had no end.
    pub(super) fn range(&self, number: u32) -> Range<u64> {
        self.start(number)..self.start(number.saturating_add(1))
    }

    /// Returns the positions of part `number` in a source of `end` bytes; `None` after the last
    /// part. An empty source has one empty part.
    pub(super) fn range_until(&self, number: u32, end: u64) -> Option<Range<u64>> {
        let range = self.range(number);
        if range.start < end || (number == 1 && end == 0) {
            Some(range.start..range.end.min(end))
        } else {
            None
        }
    }

    /// Returns the maximum number of parts.
    pub(super) fn parts(&self) -> u32 {
        self.parts
    }

    /// Returns the size of part `number` in bytes, as far as it is known; `None` after the last
    /// part.
    pub(super) fn size(&self, number: u32) -> Option<u64> {
        let range = match self.length {
            Some(length) => self.range_until(number, length)?,
            None => self.range(number),
        };
        Some(range.end - range.start)
    }

    fn start(&self, number: u32) -> u64 {
        let mut before = u64::from(number.saturating_sub(1));
        if self.step == 0 {
            return self.base.saturating_mul(before);
        }
        let (mut size, mut start) = (self.base, 0u64);
        let step = u64::from(self.step);
        while size < self.ceiling && before > step {
            start = start.saturating_add(size.saturating_mul(step));
            before -= step;
            size = size.saturating_mul(2).min(self.ceiling);
        }
        start.saturating_add(size.saturating_mul(before))
    }
}

fn check_size(size: u64, limits: &PartLimits) -> Result<(), Error> {
    if size < limits.smallest || size > limits.largest {
        return Err(Error::invalid_input(format!(
            "part_size is {size} bytes, but the service accepts {} to {}",
            limits.smallest, limits.largest
        )));
    }
    Ok(())
}

const MIB: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIB: u64 = 1 << 40;

    fn whole(plan: &Plan, number: u32) -> u64 {
        let range = plan.range(number);
        range.end - range.start
    }

    #[test]
    fn equal_parts_grow_just_enough_for_ten_thousand() {
        let limits = PartLimits::default();
        let plan = Plan::known(5 * TIB, 8 * MIB, &limits).unwrap();
        // 5 TiB in 10,000 parts: 524.288 MiB, so 525 MiB.
        assert_eq!(whole(&plan, 1), 525 * MIB);
        let last = u32::try_from((5 * TIB).div_ceil(525 * MIB)).unwrap();
        assert!(last <= 10_000);
        assert_eq!(plan.range_until(last, 5 * TIB).unwrap().end, 5 * TIB);
        assert_eq!(plan.range_until(last + 1, 5 * TIB), None);
    }

    #[test]
    fn a_plan_of_a_checkpoint_has_parts() {
        let plan = Plan { base: 5, ceiling: 5, step: 0, parts: 1, length: None, longest: 5 };
        plan.check().unwrap();
        Plan { ceiling: 6, ..plan }.check().unwrap();
        for wrong in [
            Plan { base: 0, ..plan },
            Plan { ceiling: 4, ..plan },
            Plan { parts: 0, ..plan },
            Plan { base: 0, ceiling: 0, ..plan },
        ] {
            assert_eq!(wrong.check().unwrap_err().kind(), crate::Kind::InvalidInput, "{wrong:?}");
        }
    }

    #[test]
    fn growing_parts_reach_beyond_five_tebibytes() {
        let plan = Plan::growing(8 * MIB, u64::MAX, &PartLimits::default()).unwrap();
        assert_eq!(whole(&plan, 1), 8 * MIB);
        assert_eq!(whole(&plan, 1000), 8 * MIB);
        assert_eq!(whole(&plan, 1001), 16 * MIB);
        assert!(plan.max_object_size() >= 5 * TIB, "{}", plan.max_object_size());
    }

    #[test]
    fn a_ceiling_bounds_the_parts_and_the_reach() {
        let plan = Plan::growing(8 * MIB, 16 * MIB, &PartLimits::default()).unwrap();
        assert_eq!(whole(&plan, 10_000), 16 * MIB);
        assert_eq!(plan.max_object_size(), 1000 * 8 * MIB + 9000 * 16 * MIB);
    }

    #[test]
    fn sizes_that_the_service_refuses_are_refused_here() {
        let limits = PartLimits::default();
        let error = Plan::known(1, 1024, &limits).unwrap_err().to_string();
        assert_eq!(error, "part_size is 1024 bytes, but the service accepts 5242880 to 5368709120");
        assert!(Plan::known(limits.object + 1, 8 * MIB, &limits).is_err());
    }

    #[test]
    fn no_length_is_too_much_to_plan() {
        let limits = PartLimits { parts: 1, smallest: 1, largest: u64::MAX, object: u64::MAX };
        let plan = Plan::known(u64::MAX, 1, &limits).unwrap();
        assert_eq!(plan.range_until(1, u64::MAX), Some(0..u64::MAX));
        assert_eq!(plan.range_until(2, u64::MAX), None);
    }

    proptest! {
        #[test]
        fn parts_follow_one_another_without_gap(
            base in 5 * MIB..64 * MIB,
            ceiling in 5 * MIB..1 << 30,
            number in 1u32..10_000,
        ) {
            let plan = Plan::growing(base, ceiling, &PartLimits::default()).unwrap();
            prop_assert_eq!(plan.range(number).end, plan.range(number + 1).start);
            prop_assert!(whole(&plan, number) >= base && whole(&plan, number) <= ceiling.max(base));
            prop_assert!(whole(&plan, number) <= whole(&plan, number + 1));
        }

        #[test]
        fn known_lengths_are_covered_exactly(length in 1..50 * TIB) {
            let limits = PartLimits::default();
            if let Ok(plan) = Plan::known(length, 8 * MIB, &limits) {
                let last = u32::try_from(length.div_ceil(whole(&plan, 1))).unwrap();
                prop_assert!(last <= limits.parts);
                prop_assert_eq!(plan.range_until(last, length).unwrap().end, length);
                prop_assert!(plan.range_until(last + 1, length).is_none());
            }
        }
    }
}

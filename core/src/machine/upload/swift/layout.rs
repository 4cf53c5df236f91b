//! The names of a large object's segments.

use crate::machine::numbered::stem;
use crate::machine::upload::plan::Plan;
use crate::swift::Prefix;

/// Where the segments of one upload are: under a prefix of their own, each named by its number,
/// with leading zeros so that the order of names is that of numbers.
///
/// ```text
/// container_segments / object/id/size/segment size/00000001
///                      └───────────prefix─────────┘
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Layout {
    pub(super) container: String,
    pub(super) prefix: String,
    digits: u8,
}

impl Layout {
    /// Creates the layout of `object`, divided by `plan`. `id` must differ from upload to upload.
    pub(super) fn new(container: String, object: &str, id: &str, plan: &Plan) -> Self {
        let size = plan.length().map_or_else(|| "stream".to_owned(), |size| size.to_string());
        let segment_size = plan.range(1).end;
        let digits = if plan.parts() < 100_000_000 { DIGITS } else { MOST_DIGITS };
        let prefix = format!("{}{id}/{size}/{segment_size}/", all_of(object));
        Self { container, prefix, digits }
    }

    /// Returns the name of segment `number`.
    pub(super) fn name(&self, number: u32) -> String {
        // A checkpoint may hold anything.
        let digits = usize::from(self.digits.min(MOST_DIGITS));
        format!("{}{number:0digits$}", self.prefix)
    }

    /// Returns the number of the segment with this name.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let digits = name.strip_prefix(&self.prefix)?;
        let number = digits.parse().ok()?;
        (number > 0 && self.name(number) == name).then_some(number)
    }

    /// Returns the prefix of all segments.
    pub(super) fn all(&self) -> Prefix {
        Prefix::new(&self.container, &self.prefix)
    }
}

/// Returns whether an object of this name was made as a segment of `object`: by this library and by
/// swiftclient under `object/`, by Glance as `object-00001`.
pub(super) fn belongs(object: &str, name: &str) -> bool {
    [object, &stem(object)]
        .iter()
        .any(|stem| name.strip_prefix(*stem).is_some_and(|rest| rest.starts_with(['/', '-'])))
}

/// Returns a name that is as long as the longest of an upload's segments.
pub(super) fn longest_name(object: &str, id: &str) -> String {
    format!("{}{id}/{}/{}/{}", all_of(object), u64::MAX, u64::MAX, u32::MAX)
}

/// Returns the beginning of the names of all segments of an object that this library stores.
pub(super) fn all_of(object: &str) -> String {
    format!("{}/", stem(object))
}

/// The minimum number of digits of a segment's number.
const DIGITS: u8 = 8;

/// The number of digits of the highest number.
const MOST_DIGITS: u8 = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::machine::upload::{PartLimits, UploadSource};

    fn layout_of(object: &str, id: &str, parts: u32) -> Layout {
        let limits = PartLimits { parts, smallest: 1, largest: 1 << 40, object: u64::MAX };
        let plan = Plan::of(UploadSource::Seekable(50_000), 1000, 1 << 20, &limits).unwrap();
        Layout::new("c_segments".into(), object, id, &plan)
    }

    fn layout(object: &str, parts: u32) -> Layout {
        layout_of(object, "7", parts)
    }

    #[test]
    fn names_are_padded_for_the_count() {
        assert_eq!(layout("o", 1000).name(42), "o/7/50000/1000/00000042");
        assert_eq!(layout("o", 4_000_000_000).name(42), "o/7/50000/1000/0000000042");
    }

    #[test]
    fn only_names_of_this_upload_have_a_number() {
        let layout = layout("o", 1000);
        assert_eq!(layout.number("o/7/50000/1000/00000042"), Some(42));
        for other in ["", "42", "+0000042", "000000042", "00000000", "0000004٢"] {
            assert_eq!(layout.number(&format!("o/7/50000/1000/{other}")), None, "{other}");
        }
        assert_eq!(layout.number("o/8/50000/1000/00000042"), None);
    }

    #[test]
    fn a_prefix_is_one_that_a_dynamic_large_object_may_have() {
        assert!(layout("//a?b&c", 1000).prefix.starts_with("a_b_c/"));
        assert!(layout("/", 1000).prefix.starts_with("object/"));
    }

    #[test]
    fn what_belongs_to_an_object_begins_with_its_name() {
        for name in ["o/1/2/3/00000001", "o/slo/1/2/3/00000000", "o-00001"] {
            assert!(belongs("o", name), "{name}");
        }
        for name in ["o", "o2/1/2/3/00000001", "p/o/1", "", "other"] {
            assert!(!belongs("o", name), "{name}");
        }
        assert!(belongs("/a?b", &layout("/a?b", 1000).name(1)));
    }

    proptest! {
        #[test]
        fn every_name_is_short_enough_and_found_again(object in ".{1,1024}", number in 1u32..1000) {
            let layout = layout_of(&object, &"i".repeat(64), u32::MAX);
            let name = layout.name(number);
            prop_assert!(name.len() <= 1024 && !name.starts_with('/'));
            prop_assert_eq!(layout.number(&name), Some(number));
            prop_assert!(belongs(&object, &name));
            prop_assert!(name.len() <= longest_name(&object, &"i".repeat(64)).len());
        }
    }
}

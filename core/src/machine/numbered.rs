//! What the names of a dynamic large object's segments prove: whether the listing is complete.
//!
//! | written by | prefix | numbers from |
//! | --- | --- | --- |
//! | this library | `object/id/size/segment size/`, `stream` for an unknown size | 1 |
//! | swiftclient | `object/mtime/size/segment size/` | 0 |
//! | Glance | `object-` | 1 |
//!
//! A listing may lag behind the writes, and the object consists of what the listing shows: a
//! segment that is missing in the listing is also missing in the object's bytes, length and ETag.

use crate::error::Error;
use crate::swift::Prefix;

/// How the segments of an object are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By this library or swiftclient; the prefix contains the size of the object in bytes.
    Sized(u64),
    /// By this library for a stream, or by Glance: numbers without a gap, of which the last is
    /// unknown.
    Numbered,
    /// Any other way.
    Other,
}

impl Naming {
    /// Returns the naming of `object`, whose manifest names this prefix.
    pub(crate) fn of(object: &str, prefix: &Prefix) -> Self {
        let own = [object, &stem(object)];
        let rest = own.iter().find_map(|own| prefix.prefix.strip_prefix(*own));
        let Some(rest) = rest else { return Self::Other };
        if rest == "-" {
            return Self::Numbered;
        }
        let mut parts = rest.strip_suffix('/').unwrap_or_default().split('/');
        let parts = [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()];
        match parts {
            [Some(""), Some(id), Some(size), Some(segment), None] if !id.is_empty() => {
                match (size, decimal(size), decimal(segment)) {
                    (_, Some(size), Some(1..)) => Self::Sized(size),
                    ("stream", _, Some(1..)) => Self::Numbered,
                    _ => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }

    /// Returns whether an object of `size` bytes is complete; `None` if the naming does not say.
    pub(crate) fn is_whole(self, size: u64) -> Option<bool> {
        match self {
            Self::Sized(told) => Some(told == size),
            Self::Numbered | Self::Other => None,
        }
    }

    /// Refuses an object with missing segments: its length differs from the one in its prefix, or
    /// nothing is listed.
    pub(crate) fn check_size(self, prefix: &Prefix, size: u64) -> Result<(), Error> {
        let place = place(prefix);
        match self {
            Self::Sized(told) if told != size => Err(Error::integrity(format!(
                "the segments listed in {place} have {size} bytes, but the object has {told}"
            ))
            .with_hint(LAGS)),
            _ if size == 0 && self != Self::Sized(0) => {
                let what = format!("no segment of the dynamic large object is listed in {place}");
                Err(Error::integrity(what).with_hint(LAGS))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a listing whose numbers have a gap.
    pub(crate) fn check_numbers<'a>(
        self,
        prefix: &Prefix,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<(), Error> {
        if self == Self::Other {
            return Ok(());
        }
        let mut expected = None;
        for name in names {
            let digits = name.strip_prefix(&*prefix.prefix).unwrap_or_default();
            // Another client put a name without a number there; it is a part of the object
            // nevertheless.
            let digits = Some(digits).filter(|digits| digits.bytes().all(|it| it.is_ascii_digit()));
            let Some(number) = digits.and_then(|digits| digits.parse::<u64>().ok()) else {
                return Ok(());
            };
            let from = if number == 0 { 0 } else { 1 };
            let wanted = expected.unwrap_or(from);
            if number != wanted {
                let place = place(prefix);
                let what =
                    format!("segment {wanted} is not listed in {place}, but segment {number} is");
                return Err(Error::integrity(what).with_hint(LAGS));
            }
            expected = number.checked_add(1);
        }
        Ok(())
    }
}

/// Returns the beginning of the segments' names for this object: `X-Object-Manifest` permits no
/// slash at its beginning, and no `?` anywhere.
pub(crate) fn stem(object: &str) -> String {
    let kept = object.trim_start_matches('/').replace(['?', '&'], "_");
    let mut end = kept.len().min(LONGEST_STEM);
    while !kept.is_char_boundary(end) {
        end -= 1;
    }
    let kept = kept.get(..end).unwrap_or_default();
    if kept.is_empty() { "object".to_owned() } else { kept.to_owned() }
}

fn place(prefix: &Prefix) -> String {
    format!("{}/{}", prefix.container.escape_debug(), prefix.prefix.escape_debug())
}

fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|it| it.is_ascii_digit());
    (plain && (text.len() == 1 || !text.starts_with('0'))).then(|| text.parse().ok())?
}

const LAGS: &str = "the container's listing may lag behind recent writes: try again later, and \
                    check for lost segments if the error persists";

/// The maximum size in bytes of the beginning of a segment's name: with an id of 64 bytes and three
/// numbers the name is within 1,024 bytes, the `max_object_name_length` of Swift and of Ceph.
const LONGEST_STEM: usize = 896;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_three_writers() {
        for (prefix, naming) in [
            ("im/a/0123abcd/5000000/1000000/", Naming::Sized(5_000_000)),
            ("im/a/1767322800.123456/70/7/", Naming::Sized(70)),
            ("im/a/0123abcd/stream/1000000/", Naming::Numbered),
            ("im/a-", Naming::Numbered),
            ("im/a/", Naming::Other),
            ("im/a/2024/12/", Naming::Other),
            ("im/a/x/05/12/", Naming::Other),
            ("im/a/x/5/0/", Naming::Other),
            ("im/a/x/5/1/y/", Naming::Other),
            ("im/b/0123abcd/5000000/1000000/", Naming::Other),
        ] {
            assert_eq!(Naming::of("im/a", &Prefix::new("c", prefix)), naming, "{prefix}");
        }
    }

    #[test]
    fn gaps_and_lengths() {
        let prefix = Prefix::new("c", "a/1/30/10/");
        let numbers = |naming: Naming, digits: &[&str]| {
            let names: Vec<String> = digits.iter().map(|it| format!("a/1/30/10/{it}")).collect();
            naming.check_numbers(&prefix, names.iter().map(String::as_str)).is_ok()
        };
        for good in [&["1", "2", "3"][..], &["0", "1"], &[], &["2", "x"][..0], &["1", "2", "x"]] {
            assert!(numbers(Naming::Numbered, good), "{good:?}");
        }
        for bad in [&["2"][..], &["1", "3"], &["0", "2"], &["00000001", "00000003"]] {
            assert!(!numbers(Naming::Sized(30), bad), "{bad:?}");
            assert!(numbers(Naming::Other, bad), "{bad:?}");
        }
        assert!(Naming::Sized(30).check_size(&prefix, 30).is_ok());
        assert!(Naming::Sized(30).check_size(&prefix, 20).is_err());
        assert!(Naming::Sized(0).check_size(&prefix, 0).is_ok());
        assert!(Naming::Other.check_size(&prefix, 0).is_err());
        assert!(Naming::Numbered.check_size(&prefix, 5).is_ok());
    }
}

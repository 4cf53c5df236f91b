//! `Content-Range` of RFC 9110, section 14.4.

use std::ops::Range;

/// The value of `Content-Range` in a response of 206 or 416.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The bytes in the body, end exclusive; `None` for `bytes */2200`.
    pub range: Option<Range<u64>>,
    /// The length of the whole object in bytes; `None` if the server wrote `*`.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Parses `bytes 0-499/1234`, `bytes 0-499/*` or `bytes */1234`. Returns `None` for anything
    /// else, including a range that ends before it starts or beyond the total.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("bytes")?.strip_prefix([' ', '=']).map(str::trim)?;
        let (range, total) = rest.split_once('/')?;
        let total = if total == "*" { None } else { Some(number(total)?) };
        if range == "*" {
            return total.map(|total| Self { range: None, total: Some(total) });
        }
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let end = last.checked_add(1)?;
        if last < first || total.is_some_and(|total| end > total) {
            return None;
        }
        Some(Self { range: Some(first..end), total })
    }
}

fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_rfc_9110() {
        let of = |text| ContentRange::parse(text).map(|range| (range.range, range.total));
        assert_eq!(of("bytes 42-1233/1234"), Some((Some(42..1234), Some(1234))));
        assert_eq!(of("bytes 42-1233/*"), Some((Some(42..1234), None)));
        assert_eq!(of("bytes */1234"), Some((None, Some(1234))));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "bytes",
            "bytes ",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes */*",
            "bytes -5/10",
            "bytes 5-/10",
            "bytes +5-6/10",
            "items 0-1/2",
            "bytes 0-18446744073709551615/*",
            "bytes 0-1",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }
}

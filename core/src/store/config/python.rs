//! White space, lines and numbers, as Python reads them.

/// Returns whether Python counts a character as white space: Unicode's, and four separators of
/// ASCII.
fn is_space(char: char) -> bool {
    char.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&char)
}

/// Removes white space at both ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Removes white space at the start.
pub(super) fn trim_start(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// Removes white space at the end.
pub(super) fn trim_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// Returns the lines of a text file, which end at LF, CR LF and CR only.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Reads a whole number that is not negative: white space around it, a sign, and underscores between
/// digits are allowed. A number that is too large becomes the largest one.
pub(super) fn whole_number(text: &str) -> Option<u64> {
    let text = trim(text);
    let (digits, is_negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    let mut number = 0_u64;
    for group in digits.split('_') {
        if group.is_empty() || !group.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        for digit in group.bytes() {
            number = number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
        }
    }
    (!is_negative || number == 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Python 3.11: `"\x1c \x85\u3000x\x1f".strip()`, `int(text)`.
    #[test]
    fn white_space_and_numbers_are_pythons() {
        assert_eq!(trim("\u{1c} \u{85}\u{3000}x\u{1f}"), "x");
        assert_eq!(trim("\u{200b}x\u{feff}"), "\u{200b}x\u{feff}");
        assert_eq!(
            lines("a\rb\r\nc\n\rd\u{85}e").collect::<Vec<_>>(),
            ["a", "b", "c", "", "d\u{85}e"]
        );
        for (text, number) in [
            ("7", Some(7)),
            (" +7\n", Some(7)),
            ("007", Some(7)),
            ("1_000", Some(1000)),
            ("-0", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("-1", None),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("+ 1", None),
            ("", None),
            ("1.0", None),
            ("0x10", None),
        ] {
            assert_eq!(whole_number(text), number, "{text:?}");
        }
    }
}

//! Keys and object names in a location.
//!
//! The old writers escaped nothing. Characters that a location cannot have are written as `%XX`,
//! and a sequence that looks like such an escape gets one more `25` after its `%`. A slash is
//! escaped only at the end:
//!
//! ```text
//!  key      a?b      a%3Fb      a%253Fb      a%20b     dir/      dir%2F      a%2Fb
//!  written  a%3Fb    a%253Fb    a%25253Fb    a%20b     dir%2F    dir%252F    a%2Fb
//! ```

/// Writes `name` in the form that a location has.
pub(super) fn write(out: &mut String, name: &str) {
    let body = name.trim_end_matches('/');
    let slashes = final_slashes(body);
    for (at, char) in body.char_indices() {
        match char {
            '%' if escape_at(body, at, slashes).is_some() => out.push_str("%25"),
            '?' | '#' => escape(out, char as u8),
            char if char.is_ascii_control() => escape(out, char as u8),
            char => out.push(char),
        }
    }
    for _ in body.len()..name.len() {
        out.push_str("%2F");
    }
}

/// Reads the name from its form in a location.
pub(super) fn read(text: &str) -> String {
    let slashes = final_slashes(text);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(percent) = text[at..].find('%').map(|found| at + found) {
        out.push_str(&text[at..percent]);
        let (char, length) = match escape_at(text, percent, slashes) {
            Some(Escape { byte, protected: 0, .. }) => (char::from(byte), 3),
            Some(_) => ('%', 3),
            None => ('%', 1),
        };
        out.push(char);
        at = percent + length;
    }
    out.push_str(&text[at..]);
    out
}

/// An escape in a text.
struct Escape {
    byte: u8,
    /// How many times `25` follows the percent sign.
    protected: usize,
    /// The length of the escape in bytes.
    length: usize,
}

/// Returns the escape whose percent sign is at `at`. A slash counts only from `slashes` on.
fn escape_at(text: &str, at: usize, slashes: usize) -> Option<Escape> {
    let escape = any_escape(text.as_bytes().get(at..)?)?;
    let byte = escape.byte;
    let ours = matches!(byte, b'?' | b'#') || byte.is_ascii_control();
    (ours || byte == b'/' && at >= slashes).then_some(escape)
}

fn any_escape(text: &[u8]) -> Option<Escape> {
    let mut rest = text.strip_prefix(b"%")?;
    let mut protected = 0;
    while let [b'2', b'5', tail @ ..] = rest {
        protected += 1;
        rest = tail;
    }
    let [high, low, ..] = *rest else { return None };
    let byte = upper_hex(high)? << 4 | upper_hex(low)?;
    Some(Escape { byte, protected, length: 3 + 2 * protected })
}

/// Returns the start of the escaped slashes at the end of `text`.
fn final_slashes(text: &str) -> usize {
    let mut end = text.len();
    while let Some(from) = text[..end].rfind('%') {
        match any_escape(&text.as_bytes()[from..end]) {
            Some(Escape { byte: b'/', length, .. }) if from + length == end => end = from,
            _ => break,
        }
    }
    end
}

fn upper_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn escape(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(name: &str) -> String {
        let mut out = String::new();
        write(&mut out, name);
        out
    }

    #[test]
    fn only_what_cannot_stand_there_is_escaped() {
        for (name, text) in [
            ("0e0b3f0c-9c2e-4f0b-8c6c-1f2a3b4c5d6e", "0e0b3f0c-9c2e-4f0b-8c6c-1f2a3b4c5d6e"),
            ("a b/@c:ü%20%zz%", "a b/@c:ü%20%zz%"),
            ("a?b#c", "a%3Fb%23c"),
            ("a%3Fb", "a%253Fb"),
            ("a%253Fb", "a%25253Fb"),
            ("a%25b", "a%25b"),
            ("a%2Fb", "a%2Fb"),
            ("a%2F", "a%252F"),
            ("%2F%252F/", "%252F%25252F%2F"),
            ("a%3fb", "a%3fb"),
            ("dir//", "dir%2F%2F"),
            ("line\nfeed", "line%0Afeed"),
        ] {
            assert_eq!(written(name), text);
            assert_eq!(read(text), name);
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "(%(25){0,2}(2F|3F)|[%235FAf/?#a-b\n]|\\PC){0,24}") {
            let text = written(&name);
            prop_assert_eq!(read(&text), name);
            prop_assert!(!text.contains(['?', '#', '\n']) && !text.ends_with('/'));
        }
    }
}

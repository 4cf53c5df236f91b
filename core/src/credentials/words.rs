//! Splits text into words as Python's `shlex.split` does: with quotes and backslashes, and without
//! any other feature of a shell.

use crate::error::Error;

/// Splits a command line into words.
///
/// # Errors
///
/// A quote is not closed, or the text ends in a backslash.
pub fn split(text: &str) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                quoted(&mut chars, |char| char == '\'', word)?;
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    let end = quoted(&mut chars, |char| matches!(char, '"' | '\\'), word)?;
                    if end == '"' {
                        break;
                    }
                    match chars.next().ok_or_else(open)? {
                        escaped @ ('"' | '\\') => word.push(escaped),
                        other => word.extend(['\\', other]),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().ok_or_else(open)?),
            _ => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Appends characters to `word` up to one that ends the quote, and returns that one.
fn quoted(
    chars: &mut std::str::Chars<'_>,
    ends: impl Fn(char) -> bool,
    word: &mut String,
) -> Result<char, Error> {
    for char in chars {
        if ends(char) {
            return Ok(char);
        }
        word.push(char);
    }
    Err(open())
}

fn open() -> Error {
    Error::invalid_input("a quote is not closed, or the last character is a backslash")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python 3.11's shlex.split makes of the same text.
    #[test]
    fn words_are_split_as_shlex_splits_them() {
        for (text, expect) in [
            ("", Some(&[] as &[&str])),
            ("a b\tc", Some(&["a", "b", "c"])),
            ("'a b'c \"d e\"", Some(&["a bc", "d e"])),
            ("a\\ b '\\n' \"\\n\\\"\\\\\"", Some(&["a b", "\\n", "\\n\"\\"])),
            ("'' x", Some(&["", "x"])),
            ("a # b", Some(&["a", "#", "b"])),
            ("a 'b", None),
            ("a \"b\\", None),
            ("a\\", None),
        ] {
            let words = split(text).ok();
            let expect = expect.map(|it| it.iter().map(|word| (*word).to_owned()).collect());
            assert_eq!(words, expect, "{text}");
        }
    }
}

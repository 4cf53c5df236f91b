//! Text from a server or a file, printed as part of one line.

use std::fmt;

/// Displays a text from a server or a file in one line of bounded length: escapes control
/// characters, line separators and marks that change the direction of text, and truncates it after
/// `longest` characters.
pub(crate) struct OneLine<'a> {
    text: &'a str,
    longest: usize,
}

impl<'a> OneLine<'a> {
    /// For a message or a name: up to 1,024 characters.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, longest: 1024 }
    }

    /// For a code or an id: up to 128 characters, more than any service uses.
    pub(crate) fn word(text: &'a str) -> Self {
        Self { text, longest: 128 }
    }

    /// For a sentence of apus, which may quote text from outside: up to 4,096 characters.
    pub(crate) fn sentence(text: &'a str) -> Self {
        Self { text, longest: 4096 }
    }
}

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;

        for (at, char) in self.text.chars().enumerate() {
            if at == self.longest {
                return f.write_char('…');
            }
            if is_unprintable(char) {
                write!(f, "{}", char.escape_default())?;
            } else {
                f.write_char(char)?;
            }
        }
        Ok(())
    }
}

/// Whether a terminal or a log could show the character in another way than it is written.
fn is_unprintable(char: char) -> bool {
    char.is_control()
        || matches!(char,
            // The separators of lines and paragraphs, and the byte order mark.
            '\u{2028}' | '\u{2029}' | '\u{feff}'
            // Direction marks, embeddings, overrides and isolates.
            | '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_forges_a_second_line_or_moves_the_cursor() {
        let hostile = "Access\r\nDenied\u{1b}[2K\u{85}\u{2028}\u{202e}ok\u{7f}";
        let shown = OneLine::new(hostile).to_string();
        assert_eq!(shown, "Access\\r\\nDenied\\u{1b}[2K\\u{85}\\u{2028}\\u{202e}ok\\u{7f}");
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "x".repeat(60_000);
        assert_eq!(OneLine::word(&long).to_string().chars().count(), 129);
        assert_eq!(OneLine::new(&long).to_string().chars().count(), 1025);
        assert_eq!(OneLine::new("Zürich 東京").to_string(), "Zürich 東京");
    }
}

//! Lines of bounded length.

use std::io::BufRead;

use crate::exit::{Exit, Failure};

/// Reads lines, one at a time.
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    number: u64,
}

/// One line.
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: u64,
    /// The text without the line's end; or why it was not read.
    pub(super) text: Result<&'a [u8], &'static str>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), number: 0 }
    }

    /// Returns the next line. A line longer than [`LONGEST`] is skipped to its end.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Failure> {
        self.buffer.clear();
        let mut length = 0;
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let what = format!("could not read the rows: {error}");
                    return Err(Failure::new(Exit::Other, what));
                }
            };
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(available.len());
            if length + taken <= LONGEST {
                self.buffer.extend_from_slice(&available[..taken]);
            }
            length += taken;
            let is_over = available.is_empty();
            self.input.consume(taken + usize::from(end.is_some()));
            if is_over && length == 0 {
                return Ok(None);
            }
            if is_over || end.is_some() {
                break;
            }
        }
        self.number += 1;
        let text = if length > LONGEST { Err(TOO_LONG) } else { Ok(self.buffer.as_slice()) };
        Ok(Some(Line { number: self.number, text }))
    }
}

/// Most bytes of a line.
const LONGEST: usize = 1 << 20;
const TOO_LONG: &str = "the line is longer than 1 MiB";

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_are_read_whole_or_skipped() {
        let long = "x".repeat(LONGEST + 1);
        let text = format!("one\n\n{long}\nfour");
        let mut lines = Lines::new(BufReader::with_capacity(7, text.as_bytes()));
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push((line.number, line.text.map(<[u8]>::to_vec)));
        }
        let expect = [(1, Ok("one")), (2, Ok("")), (3, Err(TOO_LONG)), (4, Ok("four"))];
        assert_eq!(found, expect.map(|(at, text)| (at, text.map(|text| text.as_bytes().to_vec()))));
    }
}

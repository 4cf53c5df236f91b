//! The heads of responses, measured for transports whose HTTP library parses them.

use super::answer_head::{MOST_BYTES, too_long};
use crate::error::ExchangeError;

/// Measures the heads of one exchange's responses as their bytes arrive, for transports whose HTTP
/// library parses them. No head may be longer than [`MOST_BYTES`], including those of informational
/// responses.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadMeter {
    /// Bytes of the head so far.
    length: usize,
    /// Whether the present line has a byte besides its line end.
    has_line: bool,
    /// The lines of the head that have ended, with the status line.
    lines: usize,
    /// Whether an earlier head was large.
    was_large: bool,
    /// The beginning of the head, up to the status.
    start: [u8; STATUS],
    over: bool,
    informational: usize,
    continues: bool,
}

impl HeadMeter {
    /// Counts the bytes that arrived; bytes after the last head are not counted.
    ///
    /// # Errors
    ///
    /// A head is longer than [`MOST_BYTES`].
    pub fn push(&mut self, mut input: &[u8]) -> Result<(), ExchangeError> {
        while !self.over && !input.is_empty() {
            let counted = self.count(input)?;
            input = input.get(counted..).unwrap_or_default();
        }
        Ok(())
    }

    /// Returns how many informational responses have arrived, without 101.
    pub fn informational(&self) -> usize {
        self.informational
    }

    /// Whether one of them was `100 Continue`.
    pub fn has_continued(&self) -> bool {
        self.continues
    }

    /// Whether a head has more fields than every HTTP library has room for: use
    /// [`SpareFields`](super::SpareFields).
    pub fn is_large(&self) -> bool {
        self.was_large || self.lines > ROOM
    }

    /// Returns the lines of the present head that have ended, with the status line; after the last
    /// head has ended, the lines of that one.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Whether the next byte begins a line.
    pub(super) fn begins_line(&self) -> bool {
        !self.has_line
    }

    /// Whether the last head has ended.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Counts bytes of one head, to its end at most. Returns how many.
    fn count(&mut self, input: &[u8]) -> Result<usize, ExchangeError> {
        if let Some(room) = self.start.get_mut(self.length..) {
            for (room, &byte) in room.iter_mut().zip(input) {
                *room = byte;
            }
        }
        let mut line = 0;
        for feed in memchr::memchr_iter(b'\n', input) {
            if self.end_line(input, line, feed)? {
                return Ok(feed + 1);
            }
            line = feed + 1;
        }
        self.has_line |= !has_only_returns(input.get(line..));
        self.length += input.len();
        if self.length >= MOST_BYTES { Err(too_long()) } else { Ok(input.len()) }
    }

    /// Handles the end of the line from `line` to the line feed at `feed`. Returns whether it is the
    /// end of the head.
    #[inline]
    fn end_line(&mut self, input: &[u8], line: usize, feed: usize) -> Result<bool, ExchangeError> {
        let is_empty = !self.has_line && has_only_returns(input.get(line..feed));
        self.has_line = false;
        let length = self.length + feed + 1;
        let ends = is_empty && length > STATUS;
        if length >= MOST_BYTES && !(ends && length == MOST_BYTES) {
            return Err(too_long());
        }
        match ends {
            true => self.end(),
            false => self.lines += usize::from(!is_empty),
        }
        Ok(ends)
    }

    fn end(&mut self) {
        // Another head follows an informational response, except 101, after which another protocol
        // follows.
        let status = &self.start[STATUS - 3..];
        let over = status.first() != Some(&b'1') || status == b"101";
        let informational = self.informational + usize::from(!over);
        let continues = self.continues || status == b"100";
        let lines = if over { self.lines } else { 0 };
        let was_large = self.is_large();
        *self = Self { over, informational, continues, lines, was_large, ..Self::default() };
    }
}

fn has_only_returns(line: Option<&[u8]>) -> bool {
    line.unwrap_or_default().iter().all(|&byte| byte == b'\r')
}

/// The length of a status line up to the end of the status, in bytes: `HTTP/1.1 200`.
const STATUS: usize = 12;
/// The lines of a head, with the status line, that an HTTP library gets as they are. hyper has room
/// for 100 fields, and gets those that delimit the body in addition.
pub(super) const ROOM: usize = 90;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::read_head;

    fn read(text: &str) -> Result<Option<(usize, http::response::Parts)>, ExchangeError> {
        read_head(text.as_bytes())
    }

    #[test]
    fn heads_are_measured_as_they_come() {
        let head = |status: &str, length: usize| {
            let (start, end) = (format!("HTTP/1.1 {status} X\r\na: "), "\r\n\r\n");
            format!("{start}{}{end}", "a".repeat(length - start.len() - end.len()))
        };
        let measure = |text: &str, size: usize| {
            let mut meter = HeadMeter::default();
            text.as_bytes().chunks(size).try_for_each(|piece| meter.push(piece)).is_ok()
        };
        let body = "b".repeat(2 * MOST_BYTES);
        for size in [1, 7, 1000, usize::MAX] {
            let most = head("200", MOST_BYTES);
            assert!(read(&most).unwrap().is_some());
            assert!(measure(&format!("{most}{body}"), size), "{size}");
            let early = head("103", MOST_BYTES).repeat(3);
            assert!(measure(&format!("{early}{most}{body}"), size), "{size}");
            let long = head("200", MOST_BYTES + 1);
            assert!(read(&long).is_err());
            assert!(!measure(&long, size), "{size}");
            assert!(!measure(&format!("{early}{long}"), size), "{size}");
            assert!(!measure(&head("103", MOST_BYTES + 1), size), "{size}");
            assert!(!measure(&body, size), "{size}");
            // What follows another protocol's beginning is no head.
            assert!(measure(&format!("{}{body}", head("101", 100)), size), "{size}");
        }
    }

    // RFC 9110, sections 15.2 and 7.8: any number of 1xx may precede a response, and 101 ends HTTP.
    #[test]
    fn informational_responses_are_counted_as_they_come() {
        for (text, count, continues) in [
            ("HTTP/1.1 200 OK\r\na: 100\r\n\r\nHTTP/1.1 100 C\r\n\r\n", 0, false),
            ("HTTP/1.1 103 E\r\na: 1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 1, false),
            ("HTTP/1.1 102 P\n\nHTTP/1.1 100 C\n\nHTTP/1.1 204 N\n\n", 2, true),
            ("HTTP/1.1 100\r\n\r\n", 1, true),
            ("HTTP/1.1 100\r\n\r", 0, false),
            ("HTTP/1.1 101 S\r\n\r\nHTTP/1.1 100 C\r\n\r\n", 0, false),
        ] {
            for size in [1, 3, 20, 1000] {
                let mut meter = HeadMeter::default();
                text.as_bytes().chunks(size).for_each(|piece| meter.push(piece).unwrap());
                let counted = (meter.informational(), meter.has_continued());
                assert_eq!(counted, (count, continues), "{text:?} by {size}");
            }
        }
    }
}

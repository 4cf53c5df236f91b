//! The bytes of a source that can be read only once, kept as long as a machine may request them.
//!
//! ```text
//!  0 ........ low ............ end ............ high
//!    dropped     kept in pieces    may be read
//! ```
//!
//! Pieces are shared, not copied, by a request and its repetitions.

use std::collections::VecDeque;
use std::ops::Range;

use apus_core::contract::StreamWindow;
use apus_core::error::ExchangeError;
use bytes::Bytes;

use crate::body_reader::BodyReader;
use crate::source::{self, Ordered};

/// The part of a source that is in memory.
pub(crate) struct Spool<'a> {
    source: Ordered<'a>,
    pieces: VecDeque<Bytes>,
    start: u64,
}

impl<'a> Spool<'a> {
    pub(crate) fn new(source: Ordered<'a>) -> Self {
        let start = source.at();
        Self { source, pieces: VecDeque::new(), start }
    }

    pub(crate) fn into_source(self) -> Ordered<'a> {
        self.source
    }

    /// Drops what the machine no longer needs, and reads one piece if it may. True if something was
    /// announced to the machine.
    pub(crate) fn advance(&mut self, window: &mut StreamWindow) -> Result<bool, ExchangeError> {
        self.release(window.low());
        let room = window.high().saturating_sub(self.source.at());
        if room == 0 || window.has_ended() {
            return Ok(false);
        }
        let most = source::PIECE.min(usize::try_from(room).unwrap_or(source::PIECE));
        let piece = self.source.read_piece(most)?;
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
        window.supply(self.source.at(), self.source.has_ended());
        Ok(true)
    }

    /// Returns the bytes of a range that was announced and not released yet.
    pub(crate) fn feed(&self, range: Range<u64>) -> Result<BodyReader<'a>, ExchangeError> {
        if range.start < self.start || range.end > self.source.at() {
            return Err(source::failed(format!(
                "bytes {} to {} were requested, but only bytes {} to {} are buffered",
                range.start,
                range.end,
                self.start,
                self.source.at()
            )));
        }
        let mut pieces = VecDeque::new();
        let mut at = self.start;
        for piece in &self.pieces {
            let end = at + piece.len() as u64;
            let (from, to) = (range.start.max(at), range.end.min(end));
            if from < to {
                // Both lie within the piece, whose length is a `usize`.
                pieces.push_back(piece.slice((from - at) as usize..(to - at) as usize));
            }
            at = end;
        }
        Ok(BodyReader::pieces(pieces))
    }

    fn release(&mut self, low: u64) {
        while let Some(piece) = self.pieces.front() {
            let end = self.start + piece.len() as u64;
            if end > low {
                break;
            }
            self.start = end;
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    fn spool(bytes: Vec<u8>) -> Spool<'static> {
        let source = Source::stream(std::io::Cursor::new(bytes));
        Spool::new(source.take_reader().unwrap())
    }

    fn read(spool: &Spool<'_>, range: Range<u64>) -> Vec<u8> {
        let mut out = vec![0; (range.end - range.start) as usize];
        let read = spool.feed(range).unwrap().fill(&mut out).unwrap();
        out.truncate(read);
        out
    }

    #[test]
    fn ranges_are_those_of_the_source_wherever_pieces_end() {
        let bytes: Vec<u8> = (0..700_000u32).map(|at| (at % 251) as u8).collect();
        let mut spool = spool(bytes.clone());
        let mut window = StreamWindow::default();
        window.allow(0, 1 << 20);
        while spool.advance(&mut window).unwrap() {}
        assert!(window.has_ended());
        assert_eq!(window.supplied(), 700_000);
        for range in [0..700_000, 262_143..262_145, 100..524_289, 5..5] {
            let expected = &bytes[range.start as usize..range.end as usize];
            assert!(read(&spool, range) == expected);
        }
    }

    #[test]
    fn nothing_beyond_the_window_is_read_and_nothing_below_it_kept() {
        let mut spool = spool(vec![7; 1_000_000]);
        let mut window = StreamWindow::default();
        window.allow(0, 300_000);
        while spool.advance(&mut window).unwrap() {}
        assert_eq!(window.supplied(), 300_000);
        window.allow(262_144, 300_000);
        assert!(!spool.advance(&mut window).unwrap());
        assert_eq!(spool.pieces.len(), 1);
        assert!(spool.feed(0..10).is_err());
        assert!(spool.feed(262_144..300_001).is_err());
        assert_eq!(read(&spool, 262_144..300_000).len(), 37_856);
    }
}

//! Bytes of a stream that were read and may be requested again.
//!
//! ```text
//!   released ┊ [ piece ][ piece ][ piece ] ┊ not yet read
//!            low                           supplied
//! ```

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use crate::cancel::lock;

/// A window of a stream: the run adds bytes at its end, exchanges read ranges. Bytes are never
/// copied.
#[derive(Default)]
pub(crate) struct Spool(Mutex<Window>);

#[derive(Default)]
struct Window {
    pieces: VecDeque<(u64, Bytes)>,
    end: u64,
}

impl Spool {
    /// Adds the bytes that were read next.
    pub(crate) fn push(&self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        let mut window = lock(&self.0);
        let at = window.end;
        window.end += piece.len() as u64;
        window.pieces.push_back((at, piece));
    }

    /// Returns the bytes from the start of `range` that lie in one piece.
    pub(crate) fn piece(&self, range: Range<u64>) -> Option<Bytes> {
        let window = lock(&self.0);
        let after = window.pieces.partition_point(|(at, _)| *at <= range.start);
        let (at, piece) = window.pieces.get(after.checked_sub(1)?)?;
        let from = usize::try_from(range.start - at).ok().filter(|from| *from < piece.len())?;
        let until = usize::try_from(range.end - at).map_or(piece.len(), |end| end.min(piece.len()));
        Some(piece.slice(from..until.max(from)))
    }

    /// Drops pieces that end before `low`.
    pub(crate) fn release(&self, low: u64) {
        let mut window = lock(&self.0);
        while window.pieces.front().is_some_and(|(at, piece)| at + piece.len() as u64 <= low) {
            window.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_come_back_until_they_are_released() {
        let spool = Spool::default();
        for piece in ["abc", "", "defgh", "ij"] {
            spool.push(Bytes::from_static(piece.as_bytes()));
        }
        assert_eq!(spool.piece(0..10).unwrap(), "abc");
        assert_eq!(spool.piece(4..6).unwrap(), "ef");
        assert_eq!(spool.piece(4..10).unwrap(), "efgh");
        assert_eq!(spool.piece(10..11), None);
        spool.release(4);
        assert_eq!(spool.piece(0..1), None);
        assert_eq!(spool.piece(3..4).unwrap(), "d");
        spool.release(10);
        assert_eq!(spool.piece(9..10), None);
    }
}

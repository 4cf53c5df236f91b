//! Bytes in memory that are in several pieces.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

/// Several pieces of bytes, as one sequence. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    pieces: std::sync::Arc<[Bytes]>,
    length: u64,
}

impl Pieces {
    /// Returns the number of all bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the pieces of a range, without a copy; `None` if it goes beyond the end.
    pub fn slice(&self, range: Range<u64>) -> Option<VecDeque<Bytes>> {
        if range.start > range.end || range.end > self.length {
            return None;
        }
        let (mut found, mut at) = (VecDeque::new(), 0);
        for piece in &*self.pieces {
            let end = at + piece.len() as u64;
            let (from, to) = (range.start.max(at), range.end.min(end));
            if from < to {
                // Both are positions in the piece.
                let [from, to] = [from - at, to - at].map(|position| position as usize);
                found.push_back(piece.slice(from..to));
            }
            at = end;
        }
        Some(found)
    }

    /// Copies bytes from an offset on into `buffer`, and returns how many; 0 at the end.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> usize {
        let end = self.length.min(at.saturating_add(buffer.len() as u64));
        let pieces = self.slice(at.min(end)..end).unwrap_or_default();
        pieces.iter().fold(0, |filled, piece| {
            let end = filled + piece.len();
            buffer[filled..end].copy_from_slice(piece);
            end
        })
    }
}

impl FromIterator<Bytes> for Pieces {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        let pieces: std::sync::Arc<[Bytes]> = pieces.into_iter().collect();
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_out_of_the_pieces_without_a_copy() {
        let pieces: Pieces = ["ab", "", "cde", "f"].map(Bytes::from).into_iter().collect();
        assert_eq!(pieces.length(), 6);
        let all = b"abcdef";
        for start in 0..=6 {
            for end in start..=6 {
                let found = pieces.slice(start..end).unwrap();
                assert!(found.iter().all(|piece| !piece.is_empty()));
                let joined: Vec<u8> = found.iter().flatten().copied().collect();
                assert_eq!(joined, all[start as usize..end as usize], "{start}..{end}");
                let mut buffer = [0; 6];
                let read = pieces.read_at(&mut buffer[..(end - start) as usize], start);
                assert_eq!(buffer[..read], all[start as usize..end as usize]);
            }
        }
        assert!(pieces.slice(0..7).is_none() && pieces.slice(7..7).is_none());
        assert_eq!(pieces.read_at(&mut [0; 4], 9), 0);
        assert_eq!(pieces.read_at(&mut [0; 4], 4), 2);
    }
}

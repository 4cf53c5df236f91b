//! The bytes of one request's body, from any source.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use apus_core::checksum::Reading;
use apus_core::error::ExchangeError;
use bytes::{Buf, Bytes};

use crate::passes::{Measuring, OnePass};
use crate::source::{self, Ordered, PIECE, Source};

/// The bytes of one request's body, before any framing.
pub(crate) struct BodyReader<'a> {
    inner: Inner<'a>,
    /// Sees the bytes before they are passed on.
    watched: Option<Watched<'a>>,
}

enum Inner<'a> {
    /// In memory.
    Pieces(VecDeque<Bytes>),
    /// A range of a source that can be read at any offset.
    Seekable { source: Source<'a>, at: u64, range: Range<u64> },
    /// A range of a source that can be read only once.
    Lent { lent: Lent<'a>, left: u64 },
}

impl<'a> BodyReader<'a> {
    /// A feed of bytes in memory, in pieces.
    pub(crate) fn pieces(pieces: VecDeque<Bytes>) -> Self {
        Self::of(Inner::Pieces(pieces))
    }

    /// A feed of bytes in memory.
    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self::pieces(VecDeque::from([bytes]))
    }

    /// A feed of a range of a source that can be read at any offset.
    pub(crate) fn seekable(source: Source<'a>, range: Range<u64>) -> Self {
        Self::of(Inner::Seekable { source, at: range.start, range })
    }

    /// A feed of a range of a source that can be read only once; the source gets its reader back.
    pub(crate) fn lent(source: Source<'a>, ordered: Ordered<'a>, range: &Range<u64>) -> Self {
        let left = range.end.saturating_sub(range.start);
        Self::of(Inner::Lent { lent: Lent { source, ordered: Some(ordered) }, left })
    }

    /// Has `watched` see the bytes.
    pub(crate) fn watched(self, watched: Option<Watched<'a>>) -> Self {
        Self { watched, ..self }
    }

    fn of(inner: Inner<'a>) -> Self {
        Self { inner, watched: None }
    }

    /// Returns the bytes, if they are in memory.
    pub(crate) fn resident(&self) -> Option<&VecDeque<Bytes>> {
        match &self.inner {
            Inner::Pieces(pieces) => Some(pieces),
            Inner::Seekable { .. } | Inner::Lent { .. } => None,
        }
    }

    /// Whether it can be read twice.
    pub(crate) fn is_rewindable(&self) -> bool {
        !matches!(self.inner, Inner::Lent { .. })
    }

    /// Waits for the turn of these bytes in the digests. Until the result is dropped, all of them
    /// must be read without waiting for a network.
    pub(crate) fn measure(&self) -> Option<Measuring> {
        match (&self.inner, &self.watched) {
            (Inner::Seekable { range, .. }, Some(watched)) => {
                Some(watched.pass.measure(range.clone()))
            }
            _ => None,
        }
    }

    /// Goes back to the start, after a first pass over a file.
    pub(crate) fn rewind(&mut self) {
        if let Inner::Seekable { at, range, .. } = &mut self.inner {
            *at = range.start;
        }
        if let Some(watched) = &mut self.watched {
            watched.rewind();
        }
    }

    /// Reads all of it into memory.
    pub(crate) fn settle(&mut self) -> Result<(), ExchangeError> {
        let pieces = match &mut self.inner {
            Inner::Lent { lent, left } => {
                let Some(ordered) = lent.ordered.as_mut() else { return Ok(()) };
                let mut pieces = VecDeque::new();
                while *left > 0 {
                    let most = PIECE.min(usize::try_from(*left).unwrap_or(PIECE));
                    let piece = ordered.read_piece(most)?;
                    if piece.len() < most {
                        return Err(source::failed(format!(
                            "it ended {left} bytes before the end of the requested range"
                        )));
                    }
                    *left -= most as u64;
                    pieces.push_back(piece);
                }
                pieces
            }
            Inner::Pieces(_) | Inner::Seekable { .. } => return Ok(()),
        };
        self.inner = Inner::Pieces(pieces);
        Ok(())
    }

    /// Reads more bytes; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ExchangeError> {
        let read = self.read_unseen(buffer)?;
        self.see(buffer.get(..read).unwrap_or_default())?;
        Ok(read)
    }

    fn read_unseen(&mut self, buffer: &mut [u8]) -> Result<usize, ExchangeError> {
        match &mut self.inner {
            Inner::Pieces(pieces) => {
                drop_empty(pieces);
                let Some(piece) = pieces.front_mut() else { return Ok(0) };
                let length = piece.len().min(buffer.len());
                piece.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
                Ok(length)
            }
            Inner::Seekable { source, at, range } => {
                let read = loop {
                    match source.read_at(within(buffer, range.end.saturating_sub(*at)), *at) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        other => break other.map_err(source::broken)?,
                    }
                };
                *at += read as u64;
                if read == 0 && *at < range.end && !buffer.is_empty() {
                    return Err(ended_early(*at, range.end));
                }
                Ok(read)
            }
            Inner::Lent { lent, left } => {
                let Some(ordered) = lent.ordered.as_mut() else { return Ok(0) };
                let read = ordered.read(within(buffer, *left))?;
                *left -= read as u64;
                Ok(read)
            }
        }
    }

    /// Reads the next `size` bytes, fewer at the end, which those who see them share.
    pub(crate) fn piece(&mut self, size: usize) -> Result<Bytes, ExchangeError> {
        let (source, left) = match &self.inner {
            Inner::Seekable { source, at, range } => (source, range.end.saturating_sub(*at)),
            Inner::Lent { lent, left } => (&lent.source, *left),
            Inner::Pieces(_) => return self.take(size),
        };
        let spare = source.spare();
        let mut bytes = spare.take(usize::try_from(left).unwrap_or(usize::MAX).min(size));
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_unseen(rest)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        let bytes = spare.lend(bytes);
        if let Some(watched) = &mut self.watched {
            watched.see_shared(&bytes)?;
        }
        Ok(bytes)
    }

    /// Returns the next `size` bytes, fewer at the end. Bytes in memory are copied only if they lie
    /// in several pieces.
    pub(crate) fn take(&mut self, size: usize) -> Result<Bytes, ExchangeError> {
        if let Inner::Pieces(pieces) = &mut self.inner {
            drop_empty(pieces);
            let is_last = pieces.len() == 1;
            if let Some(piece) = pieces.front_mut().filter(|piece| piece.len() >= size || is_last) {
                let piece = piece.split_to(size.min(piece.len()));
                self.see(&piece)?;
                return Ok(piece);
            }
        }
        let mut bytes = vec![0; size];
        let filled = self.fill(&mut bytes)?;
        bytes.truncate(filled);
        Ok(bytes.into())
    }

    /// Reads until the buffer is full or the end is reached.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ExchangeError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }
}

impl BodyReader<'_> {
    fn see(&mut self, bytes: &[u8]) -> Result<(), ExchangeError> {
        self.watched.as_mut().map_or(Ok(()), |watched| watched.see(bytes))
    }
}

/// A reading of a source that can be read at any offset: hashed in order with other readings, and
/// compared with what was read before.
pub(crate) struct Watched<'a> {
    source: Source<'a>,
    pass: Arc<OnePass>,
    start: u64,
    reading: Reading,
}

impl<'a> Watched<'a> {
    pub(crate) fn new(source: Source<'a>, pass: Arc<OnePass>, start: u64) -> Self {
        Self { source, pass, start, reading: Reading::new(start) }
    }

    fn rewind(&mut self) {
        self.reading = Reading::new(self.start);
    }

    fn see(&mut self, bytes: &[u8]) -> Result<(), ExchangeError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let gap = self.pass.read(&mut self.reading, bytes)?;
        self.seen(gap)
    }

    fn see_shared(&mut self, bytes: &Bytes) -> Result<(), ExchangeError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let gap = self.pass.read_shared(&mut self.reading, bytes)?;
        self.seen(gap)
    }

    /// Goes on after bytes were read, before which `gap` must be read.
    fn seen(&mut self, gap: Option<Range<u64>>) -> Result<(), ExchangeError> {
        if let Some(gap) = gap {
            fill(&self.source, &self.pass, gap)?;
        }
        let at = self.reading.at();
        let goes_on = || self.source.read_at(&mut [0], at).map_err(source::broken);
        if self.pass.length() == Some(at) && goes_on()? > 0 {
            return Err(ExchangeError::source_changed(format!("it has more than {at} bytes")));
        }
        Ok(())
    }
}

/// Reads bytes of a source that have not been read, for its digests alone: parts that were stored
/// before this run, or bytes that too many others wait for.
pub(crate) fn fill(
    source: &Source<'_>,
    pass: &OnePass,
    gap: Range<u64>,
) -> Result<(), ExchangeError> {
    let spare = source.spare();
    let mut reading = Reading::new(gap.start);
    while reading.at() < gap.end {
        let left = usize::try_from(gap.end - reading.at()).unwrap_or(usize::MAX);
        let mut bytes = spare.take(left.min(PIECE));
        match source.read_at(&mut bytes, reading.at()) {
            Ok(0) => return Err(ended_early(reading.at(), gap.end)),
            Ok(read) => {
                bytes.truncate(read);
                pass.read_shared(&mut reading, &spare.lend(bytes))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(source::broken(error)),
        }
    }
    Ok(())
}

fn ended_early(at: u64, end: u64) -> ExchangeError {
    ExchangeError::source_changed(format!("it ended at byte {at}, before {end}"))
}

/// A reader on loan, which is returned when this is dropped.
struct Lent<'a> {
    source: Source<'a>,
    ordered: Option<Ordered<'a>>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(ordered) = self.ordered.take() {
            self.source.give_back(ordered);
        }
    }
}

/// Drops empty pieces, so that the first piece has bytes if there are any.
fn drop_empty(pieces: &mut VecDeque<Bytes>) {
    while pieces.front().is_some_and(Bytes::is_empty) {
        pieces.pop_front();
    }
}

/// Returns the first `most` bytes of a buffer.
fn within(buffer: &mut [u8], most: u64) -> &mut [u8] {
    let length = buffer.len().min(usize::try_from(most).unwrap_or(usize::MAX));
    buffer.get_mut(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_one_piece_is_taken_without_a_copy() {
        let pieces = [vec![1; 8], vec![2; 4], vec![3; 6]].map(Bytes::from);
        let starts = [pieces[0].as_ptr(), pieces[1].as_ptr()];
        let mut feed = BodyReader::pieces(pieces.into());
        let mut take = || feed.take(4).unwrap();
        let taken = [take(), take(), take()];
        assert_eq!([taken[0].as_ptr(), taken[2].as_ptr()], starts);
        assert_eq!(taken[1], [1; 4][..]);
        assert_eq!([take(), take(), take()], [&[3; 4][..], &[3; 2][..], &[][..]]);
        // Bytes of two pieces are copied together.
        let mut feed = BodyReader::pieces([vec![1; 3], vec![2; 3]].map(Bytes::from).into());
        assert_eq!(feed.take(4).unwrap(), [1, 1, 1, 2][..]);
        assert_eq!(feed.take(4).unwrap(), [2, 2][..]);
    }
}

//! One pass over the bytes of a source: puts the bytes of concurrent parts in order for the
//! caller's digests, and compares bytes that are read again.
//!
//! ```text
//!   0 ......... next .......... held ......... held ...
//!     hashed, or   not read yet    read by later parts, kept until the gap before them is read
//!     due to the workers
//! ```
//!
//! Each byte goes to the digests once, as it was first read. A range that is read again (its
//! checksum was computed before its head was sent, or its request is repeated) is compared by a CRC
//! with what was read before. A difference is an error before the last of its bytes is passed on,
//! so that no request is complete with other bytes than were hashed. One CRC a range is kept.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use super::crc::Crc64Nvme;
use crate::error::ExchangeError;

/// The state of a pass: what was read of a source, the pieces due to the workers that compute the
/// digests, and the CRCs of the ranges read. See the [module](super).
#[derive(Debug)]
pub struct Pass {
    /// All bytes before this position were passed to the workers, or are due.
    next: u64,
    held: BTreeMap<u64, Bytes>,
    held_bytes: u64,
    due: VecDeque<Bytes>,
    due_bytes: u64,
    /// The number of the first due piece.
    first: usize,
    /// The number of each worker's next piece.
    workers: Vec<usize>,
    /// The ranges that were read, by their start.
    extents: BTreeMap<u64, Extent>,
}

#[derive(Clone)]
struct Extent {
    end: u64,
    crc: Crc64Nvme,
}

/// One reading of a range, from its start.
#[derive(Clone)]
pub struct Reading {
    /// The start of the current extent.
    from: u64,
    at: u64,
    crc: Crc64Nvme,
}

impl Reading {
    /// Begins a reading at this position.
    pub fn new(at: u64) -> Self {
        Self { from: at, at, crc: Crc64Nvme::new() }
    }

    /// Returns the position of the next byte.
    pub fn at(&self) -> u64 {
        self.at
    }
}

impl Pass {
    /// Creates a pass for this number of workers, each of which gets all bytes. With 0 workers,
    /// readings are only compared.
    pub fn new(workers: usize) -> Self {
        Self {
            next: 0,
            held: BTreeMap::new(),
            held_bytes: 0,
            due: VecDeque::new(),
            due_bytes: 0,
            first: 0,
            workers: vec![0; workers],
            extents: BTreeMap::new(),
        }
    }

    /// Takes the next bytes of a reading. They are copied if a worker needs them.
    ///
    /// # Errors
    ///
    /// They differ from those that were read there before. They must not be passed on.
    pub fn read(&mut self, reading: &mut Reading, bytes: &[u8]) -> Result<(), ExchangeError> {
        self.follow(reading, bytes, |range| {
            Bytes::copy_from_slice(bytes.get(range).unwrap_or_default())
        })
    }

    /// As [`read`](Self::read), but shares the bytes instead of copying them.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_shared(
        &mut self,
        reading: &mut Reading,
        bytes: &Bytes,
    ) -> Result<(), ExchangeError> {
        self.follow(reading, bytes, |range| bytes.slice(range))
    }

    /// Takes the next bytes of a source that can be read only once, and in order.
    pub fn append(&mut self, bytes: Bytes) {
        let at = self.next;
        let length = bytes.len();
        self.offer(at, 0..length, &|range| bytes.slice(range));
    }

    /// Returns the position before which all bytes were passed to the workers, or are due.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Returns how many bytes are kept until the gap before them is read.
    pub fn held(&self) -> u64 {
        self.held_bytes
    }

    /// Returns the range that must be read before the first kept bytes.
    pub fn gap(&self) -> Option<Range<u64>> {
        self.held.keys().next().map(|start| self.next..*start)
    }

    /// Returns the next piece for this worker, if one is due.
    pub fn piece(&mut self, worker: usize) -> Option<Bytes> {
        let number = self.workers.get_mut(worker)?;
        let piece = self.due.get(*number - self.first)?.clone();
        *number += 1;
        while self.workers.iter().all(|number| *number > self.first) {
            let Some(done) = self.due.pop_front() else { break };
            self.first += 1;
            self.due_bytes -= done.len() as u64;
        }
        Some(piece)
    }

    /// Returns how many bytes are due that some worker has not taken yet. A reader waits while they
    /// exceed its bound.
    pub fn backlog(&self) -> u64 {
        self.due_bytes
    }

    fn follow(
        &mut self,
        reading: &mut Reading,
        bytes: &[u8],
        share: impl Fn(Range<usize>) -> Bytes,
    ) -> Result<(), ExchangeError> {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let read_before = self.extents.get(&reading.from).filter(|one| reading.at < one.end);
            if let Some(extent) = read_before {
                let length = within(rest, extent.end - reading.at);
                reading.go_on(rest.get(..length).unwrap_or_default());
                done += length;
                if reading.at == extent.end && !reading.crc.is(&extent.crc) {
                    return Err(changed(reading.from..reading.at));
                }
            } else if reading.at > reading.from && self.extents.contains_key(&reading.at) {
                *reading = Reading::new(reading.at);
            } else {
                // Another range that was read already may begin within these bytes.
                let after = reading.at.saturating_add(1);
                let next = self.extents.range(after..).next().map_or(u64::MAX, |(start, _)| *start);
                let length = within(rest, next - reading.at);
                self.offer(reading.at, done..done + length, &share);
                reading.go_on(rest.get(..length).unwrap_or_default());
                done += length;
                let extent = Extent { end: reading.at, crc: reading.crc.clone() };
                self.extents.insert(reading.from, extent);
            }
        }
        Ok(())
    }

    /// Takes the bytes at `at` that no reading has delivered yet.
    fn offer(&mut self, at: u64, range: Range<usize>, share: &impl Fn(Range<usize>) -> Bytes) {
        let end = at + range.len() as u64;
        if self.workers.is_empty() || end <= self.next {
            return;
        }
        if at > self.next {
            let longer = |had: &Bytes| had.len() >= range.len();
            if !self.held.get(&at).is_some_and(longer) {
                let piece = share(range);
                self.held_bytes += piece.len() as u64;
                if let Some(had) = self.held.insert(at, piece) {
                    self.held_bytes -= had.len() as u64;
                }
            }
            return;
        }
        // Both lie within the range, whose length is a `usize`.
        let had = (self.next - at) as usize;
        self.hand_on(share(range.start + had..range.end));
        while let Some(first) = self.held.first_entry().filter(|first| *first.key() <= self.next) {
            let (start, mut piece) = first.remove_entry();
            self.held_bytes -= piece.len() as u64;
            let had = usize::try_from(self.next - start).unwrap_or(usize::MAX);
            if had < piece.len() {
                self.hand_on(piece.split_off(had));
            }
        }
    }

    fn hand_on(&mut self, piece: Bytes) {
        self.next += piece.len() as u64;
        self.due_bytes += piece.len() as u64;
        self.due.push_back(piece);
    }
}

impl Reading {
    fn go_on(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.at += bytes.len() as u64;
    }
}

impl Crc64Nvme {
    fn is(&self, other: &Self) -> bool {
        self.clone().finish() == other.clone().finish()
    }
}

impl std::fmt::Debug for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "..{}", self.end)
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reading({}..{})", self.from, self.at)
    }
}

fn within(bytes: &[u8], most: u64) -> usize {
    bytes.len().min(usize::try_from(most).unwrap_or(usize::MAX))
}

fn changed(range: Range<u64>) -> ExchangeError {
    ExchangeError::source_changed(format!(
        "bytes {} to {} differ from those read before",
        range.start, range.end
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ExchangeErrorKind;

    /// Returns all pieces that are due to a worker.
    fn due(pass: &mut Pass, worker: usize) -> Vec<u8> {
        std::iter::from_fn(|| pass.piece(worker)).flatten().collect()
    }

    #[test]
    fn parts_beside_each_other_are_put_in_order() {
        let mut pass = Pass::new(2);
        let (mut first, mut second, mut third) =
            (Reading::new(0), Reading::new(4), Reading::new(8));
        pass.read(&mut third, b"ij").unwrap();
        pass.read(&mut second, b"ef").unwrap();
        assert_eq!((pass.position(), pass.held(), pass.gap()), (0, 4, Some(0..4)));
        assert_eq!(pass.piece(0), None);
        pass.read(&mut first, b"abcd").unwrap();
        assert_eq!((pass.position(), pass.held(), pass.gap()), (6, 2, Some(6..8)));
        assert_eq!(due(&mut pass, 0), b"abcdef");
        // The other worker has taken nothing.
        assert_eq!(pass.backlog(), 6);
        pass.read(&mut second, b"gh").unwrap();
        assert_eq!((pass.position(), pass.held(), pass.gap()), (10, 0, None));
        assert_eq!(due(&mut pass, 0), b"ghij");
        assert_eq!(due(&mut pass, 1), b"abcdefghij");
        assert_eq!(pass.backlog(), 0);
    }

    #[test]
    fn what_is_read_again_is_hashed_once_and_has_to_be_the_same() {
        let mut pass = Pass::new(1);
        pass.read(&mut Reading::new(0), b"abcd").unwrap();
        // The first attempt at a part broke off; the second goes further, in other pieces.
        pass.read(&mut Reading::new(4), b"efg").unwrap();
        let mut again = Reading::new(4);
        for piece in [&b"ef"[..], b"ghi", b"j"] {
            pass.read(&mut again, piece).unwrap();
        }
        // The third finds what the second read behind the first's end.
        let mut third = Reading::new(4);
        pass.read(&mut third, b"efghi").unwrap();
        let failure = pass.read(&mut third, b"J").unwrap_err();
        assert_eq!(failure.kind(), ExchangeErrorKind::Source);
        assert!(failure.is_source_changed(), "{failure}");
        assert_eq!(due(&mut pass, 0), b"abcdefghij");
    }

    #[test]
    fn what_changed_is_refused_with_the_last_byte_that_was_read_before() {
        for at in 0..6 {
            let mut pass = Pass::new(0);
            pass.read(&mut Reading::new(0), b"abcdef").unwrap();
            let mut other = *b"abcdef";
            other[at] ^= 1;
            let mut again = Reading::new(0);
            pass.read(&mut again, &other[..5]).unwrap();
            assert!(pass.read(&mut again, &other[5..]).unwrap_err().is_source_changed());
        }
    }

    #[test]
    fn ranges_that_are_read_as_one_later_are_compared_each() {
        let mut pass = Pass::new(1);
        pass.read(&mut Reading::new(3), b"def").unwrap();
        pass.read(&mut Reading::new(0), b"abc").unwrap();
        pass.read(&mut Reading::new(0), b"abcdef").unwrap();
        let mut changed = Reading::new(0);
        assert!(pass.read(&mut changed, b"abcdeX").unwrap_err().is_source_changed());
        // Bytes before a known range are new.
        let mut pass = Pass::new(1);
        pass.read(&mut Reading::new(3), b"def").unwrap();
        assert!(pass.read(&mut Reading::new(0), b"abcdXf").unwrap_err().is_source_changed());
        assert_eq!(due(&mut pass, 0), b"abcdef");
    }

    #[test]
    fn what_is_held_twice_is_counted_once() {
        let mut pass = Pass::new(1);
        pass.read(&mut Reading::new(5), b"fgh").unwrap();
        pass.read(&mut Reading::new(6), b"gh").unwrap();
        pass.read(&mut Reading::new(5), b"fgh").unwrap();
        pass.read(&mut Reading::new(0), b"abcde").unwrap();
        assert_eq!((pass.held(), pass.gap()), (0, None));
        assert_eq!(due(&mut pass, 0), b"abcdefgh");
    }

    #[test]
    fn nothing_is_kept_for_no_worker() {
        let mut pass = Pass::new(0);
        pass.read(&mut Reading::new(100), &[1; 50]).unwrap();
        pass.read(&mut Reading::new(0), &[1; 50]).unwrap();
        assert_eq!((pass.held(), pass.backlog(), pass.gap()), (0, 0, None));
        let mut pass = Pass::new(1);
        pass.append(Bytes::from_static(b"abc"));
        pass.append(Bytes::from_static(b"de"));
        assert_eq!((due(&mut pass, 0), pass.position()), (b"abcde".to_vec(), 5));
    }

    proptest::proptest! {
        /// Parts are read in any order, in any pieces, and some are begun again: each worker gets
        /// the whole, once and in order, and no more is held than was read.
        #[test]
        fn any_order_of_reading_comes_to_the_whole(
            steps in proptest::collection::vec((0usize..5, 1usize..9, proptest::bool::weighted(0.1)), 0..200),
        ) {
            let source: Vec<u8> = (0..50u8).collect();
            let part = |number: usize| (number * 10) as u64..(number * 10 + 10) as u64;
            let mut pass = Pass::new(2);
            let mut readings: Vec<Reading> = (0..5).map(|one| Reading::new(part(one).start)).collect();
            let read = |pass: &mut Pass, reading: &mut Reading, end: u64, most: usize| {
                let (from, until) = (reading.at() as usize, end as usize);
                let until = until.min(from + most);
                pass.read(reading, &source[from..until]).unwrap();
            };
            let mut taken = Vec::new();
            for (number, most, again) in steps {
                if again {
                    readings[number] = Reading::new(part(number).start);
                }
                read(&mut pass, &mut readings[number], part(number).end, most);
                taken.extend(pass.piece(0).into_iter().flatten());
                proptest::prop_assert!(pass.held() <= 50);
            }
            for (number, reading) in readings.iter_mut().enumerate() {
                read(&mut pass, reading, part(number).end, 10);
            }
            taken.extend(due(&mut pass, 0));
            proptest::prop_assert_eq!(&taken, &source);
            proptest::prop_assert_eq!(due(&mut pass, 1), source);
            proptest::prop_assert_eq!((pass.held(), pass.position()), (0, 50));
        }
    }
}

//! Buffers of a connection, which grow while large bodies pass and are small while a call waits.

use ureq::unversioned::transport::Buffers;

/// The input and output buffers of a connection.
///
/// The output doubles after it was sent full, and the input when it is full. [`Elastic::waits`] and
/// [`Elastic::begins`] release what a large body needed.
#[derive(Debug)]
pub(crate) struct Elastic {
    output: Vec<u8>,
    /// The size of the output, which is allocated when it is used.
    room: usize,
    most_output: usize,
    input: Vec<u8>,
    /// The unconsumed bytes of the input.
    start: usize,
    end: usize,
    most_input: usize,
    /// Whether the last consumption took something.
    progress: bool,
}

impl Elastic {
    /// Returns empty buffers that grow up to these sizes in bytes.
    pub(crate) fn new(most_input: usize, most_output: usize) -> Self {
        Self {
            output: Vec::new(),
            room: SMALL.min(most_output),
            most_output,
            input: Vec::new(),
            start: 0,
            end: 0,
            most_input,
            progress: false,
        }
    }

    /// Records that so many bytes of the output were sent: if it was full, more will follow.
    pub(crate) fn sent(&mut self, amount: usize) {
        if amount >= self.room {
            self.room = self.room.saturating_mul(2).min(self.most_output);
        }
    }

    /// Releases the output that a large request needed, while its response is awaited.
    pub(crate) fn waits(&mut self) {
        if self.room > SMALL {
            self.output = Vec::new();
            self.room = SMALL.min(self.most_output);
        }
    }

    /// Releases the input that a large response needed, before the next request.
    pub(crate) fn begins(&mut self) {
        if self.start == self.end && self.input.len() > SMALL {
            self.input = Vec::new();
            (self.start, self.end) = (0, 0);
        }
    }
}

impl Buffers for Elastic {
    fn output(&mut self) -> &mut [u8] {
        if self.output.len() < self.room {
            self.output = vec![0; self.room];
        }
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.start..self.end).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end == self.input.len() && self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.input.len() {
            let size = self.input.len().saturating_mul(2).max(SMALL).min(self.most_input);
            self.input.resize(size.max(self.end), 0);
        }
        self.input.get_mut(self.end..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.end = self.end.saturating_add(amount).min(self.input.len());
        // A read that filled the buffer is followed by larger ones.
        let is_full = self.start == 0 && self.end == self.input.len();
        if is_full && self.end < self.most_input {
            let size = self.end.saturating_mul(2).min(self.most_input);
            self.input.resize(size, 0);
        }
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.start = self.start.saturating_add(amount).min(self.end);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        // ureq uses the first buffer for bodies without a length, which are never sent here.
        (&mut [], self.output())
    }

    fn can_use_input(&self) -> bool {
        self.start < self.end && self.progress
    }
}

/// The size in bytes of a buffer that no large body has passed: a head and a small body fit.
const SMALL: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(buffers: &mut Elastic, bytes: usize) -> usize {
        let room = buffers.input_append_buf().len();
        let read = bytes.min(room);
        buffers.input_appended(read);
        read
    }

    #[test]
    fn the_output_grows_while_it_is_sent_full_and_is_small_again_after_that() {
        let mut buffers = Elastic::new(128 << 10, 256 << 10);
        let mut rooms = Vec::new();
        for _ in 0..7 {
            let room = buffers.output().len();
            rooms.push(room >> 10);
            buffers.sent(room);
        }
        assert_eq!(rooms, [16, 32, 64, 128, 256, 256, 256]);
        buffers.waits();
        assert_eq!(buffers.output.capacity(), 0);
        buffers.output();
        buffers.sent(1000);
        assert_eq!(buffers.output().len(), SMALL);
    }

    #[test]
    fn the_input_grows_while_reads_fill_it_and_is_small_again_after_that() {
        let mut buffers = Elastic::new(128 << 10, 256 << 10);
        let mut reads = Vec::new();
        for _ in 0..6 {
            let read = read(&mut buffers, usize::MAX);
            reads.push(read >> 10);
            buffers.input_consume(buffers.input().len());
        }
        assert_eq!(reads[0], 16);
        assert_eq!(reads[5], 128);
        assert!(reads.is_sorted());
        buffers.begins();
        assert_eq!(buffers.input.capacity(), 0);
    }

    #[test]
    fn bytes_that_are_not_consumed_stay_in_order() {
        let mut buffers = Elastic::new(40 << 10, 16);
        let mut next = 0u8;
        let mut expected = 0u8;
        for step in 0..2000usize {
            for byte in buffers.input_append_buf().iter_mut().take(step * 7 % 9000) {
                *byte = next;
                next = next.wrapping_add(1);
            }
            let room = buffers.input_append_buf().len();
            buffers.input_appended(room.min(step * 7 % 9000));
            let length = (step * 13 % 8000).min(buffers.input().len());
            for byte in &buffers.input()[..length] {
                assert_eq!(*byte, expected);
                expected = expected.wrapping_add(1);
            }
            buffers.input_consume(length);
            buffers.begins();
            assert!(buffers.input.len() <= 40 << 10);
        }
    }

    #[test]
    fn a_full_input_has_no_room() {
        let mut buffers = Elastic::new(20 << 10, 16);
        while read(&mut buffers, usize::MAX) > 0 {}
        assert_eq!(buffers.input().len(), 20 << 10);
        assert_eq!(buffers.output().len(), 16);
    }
}

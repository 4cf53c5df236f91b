//! The bytes between a run and its reader, bounded in their number.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use bytes::Bytes;

/// The bytes that wait to be read at most, besides one piece.
pub(crate) const AHEAD: usize = 512 << 10;

#[derive(Default)]
struct State {
    pieces: VecDeque<Bytes>,
    held: usize,
    /// Whether one of the two ends was dropped.
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }
}

/// Makes both ends.
pub(crate) fn pipe() -> (PipeWriter, PipeReader) {
    let shared = Arc::<Shared>::default();
    (PipeWriter(Arc::clone(&shared)), PipeReader(shared))
}

/// The sink of the run.
pub(crate) struct PipeWriter(Arc<Shared>);

impl Write for PipeWriter {
    /// Waits while [`AHEAD`] bytes are not read. Fails after the reader was dropped.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |state: &mut State| state.held >= AHEAD && !state.closed;
        let mut state =
            self.0.changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        state.held += bytes.len();
        state.pieces.push_back(Bytes::copy_from_slice(bytes));
        self.0.changed.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Where the bytes are read.
pub(crate) struct PipeReader(Arc<Shared>);

impl PipeReader {
    /// Waits for the next piece; `None` after the last one, when the writer was dropped.
    pub(crate) fn next(&self) -> Option<Bytes> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = |state: &mut State| state.pieces.is_empty() && !state.closed;
        let mut state =
            self.0.changed.wait_while(state, empty).unwrap_or_else(PoisonError::into_inner);
        let piece = state.pieces.pop_front()?;
        state.held -= piece.len();
        self.0.changed.notify_all();
        Some(piece)
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn the_writer_waits_when_so_many_bytes_are_not_read_however_small_they_came() {
        let (mut writer, reader) = pipe();
        let thread = thread::spawn(move || {
            (0..AHEAD / 1024 + 10).try_for_each(|_| writer.write_all(&[7; 1024]))
        });
        // The first bytes fit without anybody who reads.
        let mut read = 0;
        while let Some(piece) = reader.next() {
            read += piece.len();
        }
        thread.join().unwrap().unwrap();
        assert_eq!(read, AHEAD + 10 * 1024);
    }

    #[test]
    fn an_end_that_goes_wakes_the_other() {
        let (mut writer, reader) = pipe();
        writer.write_all(&[0; AHEAD]).unwrap();
        let thread = thread::spawn(move || writer.write_all(b"more"));
        drop(reader);
        assert_eq!(thread.join().unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let (mut writer, reader) = pipe();
        writer.write_all(b"last").unwrap();
        drop(writer);
        assert_eq!(reader.next().as_deref(), Some(&b"last"[..]));
        assert_eq!(reader.next(), None);
    }
}

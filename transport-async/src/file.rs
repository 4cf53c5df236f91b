//! Ranges of a file, read one piece ahead of the network.

use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_host::length::read_at;
use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::cancel::lock;
use crate::source::PIECE;

/// A file, and the buffers that its exchanges reuse.
pub(crate) struct Disk {
    pub(crate) file: File,
    buffers: Buffers,
}

impl Disk {
    pub(crate) fn new(file: File) -> Self {
        Self { file, buffers: Buffers::default() }
    }

    /// Reads `length` bytes. If they are the `last` of the file, it must end with them.
    fn read(&self, at: u64, length: usize, last: bool) -> Result<Bytes, ExchangeError> {
        let mut buffer = self.buffers.take(length);
        let mut have = 0;
        while have < length {
            match read_some(&self.file, &mut buffer[have..], at + have as u64)? {
                0 => {
                    let (at, end) = (at + have as u64, at + length as u64);
                    let detail = format!("it ended at byte {at}, before {end}");
                    return Err(ExchangeError::source_changed(detail));
                }
                read => have += read,
            }
        }
        let end = at + length as u64;
        if last && read_some(&self.file, &mut [0], end)? > 0 {
            return Err(ExchangeError::source_changed(format!("it has more than {end} bytes")));
        }
        Ok(self.buffers.lend(buffer))
    }
}

/// Reads once; repeats an interrupted read.
fn read_some(file: &File, buffer: &mut [u8], at: u64) -> Result<usize, ExchangeError> {
    loop {
        match read_at(file, buffer, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => {
                return other
                    .map_err(|error| ExchangeError::of_io(ExchangeErrorKind::Source, error));
            }
        }
    }
}

/// A range of a file, read one piece ahead so that disk and network work at the same time.
pub(crate) struct Pages {
    disk: Arc<Disk>,
    left: Range<u64>,
    /// Where the file ends.
    end: Option<u64>,
    ahead: Option<JoinHandle<Result<Bytes, ExchangeError>>>,
}

impl Pages {
    /// Returns the bytes of `range` of a file that ends at `end`; starts to read at once.
    pub(crate) fn new(disk: Arc<Disk>, range: Range<u64>, end: Option<u64>) -> Self {
        let mut pages = Self { disk, left: range, end, ahead: None };
        pages.read_ahead();
        pages
    }

    fn read_ahead(&mut self) {
        let length = self.left.end.saturating_sub(self.left.start).min(PIECE as u64);
        if length == 0 {
            return;
        }
        let (disk, at) = (Arc::clone(&self.disk), self.left.start);
        self.left.start += length;
        let last = self.end == Some(self.left.start);
        self.ahead = Some(spawn_blocking(move || disk.read(at, length as usize, last)));
    }

    /// Returns the next piece, which is never empty.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, ExchangeError>> {
        let Some(ahead) = &mut self.ahead else { return Poll::Ready(Ok(None)) };
        let read = ready!(Pin::new(ahead).poll(cx));
        self.ahead = None;
        Poll::Ready(match read {
            Ok(Ok(piece)) => {
                self.read_ahead();
                Ok(Some(piece))
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(ExchangeError::new(
                ExchangeErrorKind::Source,
                "the tokio runtime was shut down",
            )),
        })
    }
}

/// Buffers that were lent out, and are reused when they are free again: allocating fresh memory of
/// this size costs more than reading and sending the bytes.
#[derive(Default)]
struct Buffers(Mutex<VecDeque<Bytes>>);

impl Buffers {
    fn take(&self, length: usize) -> BytesMut {
        let free = {
            let mut lent = lock(&self.0);
            let at = lent.iter().position(Bytes::is_unique);
            at.and_then(|at| lent.remove(at))
        };
        let mut buffer = free.and_then(|free| free.try_into_mut().ok()).unwrap_or_default();
        buffer.resize(length, 0);
        buffer
    }

    fn lend(&self, buffer: BytesMut) -> Bytes {
        let bytes = buffer.freeze();
        let mut lent = lock(&self.0);
        if lent.len() == MOST_BUFFERS {
            lent.pop_front();
        }
        lent.push_back(bytes.clone());
        bytes
    }
}

/// Buffers that are kept for one file: more than its exchanges use at the same time.
const MOST_BUFFERS: usize = 4096;

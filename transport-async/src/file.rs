//! Ranges of a file, one piece ahead of the network.

use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use apus_core::error::{Cause, Failure};
use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::cancel::lock;
use crate::source::PIECE;

/// A file, and the buffers that its exchanges use again and again.
pub(crate) struct Disk {
    pub(crate) file: File,
    buffers: Buffers,
}

impl Disk {
    pub(crate) fn new(file: File) -> Self {
        Self { file, buffers: Buffers::default() }
    }

    fn read(&self, at: u64, length: usize) -> io::Result<Bytes> {
        let mut buffer = self.buffers.take(length);
        let mut have = 0;
        while have < length {
            match self.read_at(&mut buffer[have..], at + have as u64) {
                Ok(0) => {
                    let detail = format!("the file ended at byte {}", at + have as u64);
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, detail));
                }
                Ok(read) => have += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.buffers.lend(buffer))
    }

    #[cfg(unix)]
    pub(crate) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, at)
    }

    #[cfg(windows)]
    pub(crate) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buffer, at)
    }
}

/// A range of a file, read one piece ahead so that disk and network work at the same time.
pub(crate) struct Pages {
    disk: Arc<Disk>,
    left: Range<u64>,
    ahead: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Pages {
    /// The bytes of `range`; the first of them are read at once.
    pub(crate) fn new(disk: Arc<Disk>, range: Range<u64>) -> Self {
        let mut pages = Self { disk, left: range, ahead: None };
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
        self.ahead = Some(spawn_blocking(move || disk.read(at, length as usize)));
    }

    /// The next piece; none is empty.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Failure>> {
        let Some(ahead) = &mut self.ahead else { return Poll::Ready(Ok(None)) };
        let read = ready!(Pin::new(ahead).poll(cx));
        self.ahead = None;
        Poll::Ready(match read {
            Ok(Ok(piece)) => {
                self.read_ahead();
                Ok(Some(piece))
            }
            Ok(Err(error)) => Err(Failure::new(Cause::Source, error.to_string())),
            Err(_) => Err(Failure::new(Cause::Source, "the runtime shut down")),
        })
    }
}

/// Buffers that were lent out and are used again once nobody holds them: fresh memory of this size
/// costs more than what is done with it.
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

/// Buffers that are remembered of one file; more than its exchanges have in use at once.
const MOST_BUFFERS: usize = 4096;

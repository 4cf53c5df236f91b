//! Where the bytes of uploads come from.
//!
//! ```text
//!  none · bytes · file            any range, at any time, by any number of exchanges
//!  reader  of known length        one range after the other, each byte read once
//!  stream  of unknown length      read by the run into a spool, from which exchanges take ranges
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use apus_core::checksum::{Digests, Hashers};
use apus_core::error::{Cause, Failure};
use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::cancel::lock;
use crate::file::{Disk, Pages};
use crate::pipe::{Inflow, Once, Pipe};

/// Where the bytes of a run's uploads come from. A clone is the same source.
#[derive(Clone, Default)]
pub struct Source {
    kind: Kind,
    tap: Option<Arc<Mutex<Tap>>>,
}

#[derive(Clone, Default)]
enum Kind {
    #[default]
    None,
    Bytes(Bytes),
    File(Arc<Disk>),
    Pipe(Arc<Pipe>),
}

impl Source {
    /// No bytes at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Bytes in memory. They are sent without being copied.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::of(Kind::Bytes(bytes.into()))
    }

    /// A file, read at offsets: its own position is neither used nor moved. Nobody should change it
    /// meanwhile.
    pub fn file(file: File) -> Self {
        Self::of(Kind::File(Arc::new(Disk::new(file))))
    }

    /// The next `length` bytes of a reader. Each is read once and in order, so nothing that was sent
    /// can be sent again, and ranges can't be sent beside each other.
    pub fn reader(reader: impl AsyncRead + Send + 'static, length: u64) -> Self {
        Self::of(Kind::Pipe(Arc::new(Pipe::new(Box::pin(reader), Some(length)))))
    }

    /// A reader of unknown length, for machines that have an
    /// [`Intake`](apus_core::contract::Intake). What the machine may still need is kept in memory.
    pub fn stream(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::of(Kind::Pipe(Arc::new(Pipe::new(Box::pin(reader), None))))
    }

    /// Also feeds these hashers with all bytes of the source in order; see
    /// [`digests`](Self::digests). Bytes of a reader or stream are hashed as they are read, those of
    /// a file by reading it once more beside the exchanges.
    #[must_use]
    pub fn tap(mut self, hashers: Hashers) -> Self {
        self.tap = Some(Arc::new(Mutex::new(Tap { hashers, fed: false, ended: false })));
        self
    }

    /// What the [`tap`](Self::tap)ped bytes come to, when all of them went by: after the run.
    pub fn digests(&self) -> Option<Digests> {
        let tap = lock(self.tap.as_deref()?);
        tap.ended.then(|| tap.hashers.clone().finish())
    }

    /// How many bytes there are, where that can be known without reading them.
    ///
    /// # Errors
    ///
    /// The file's length can't be asked for.
    pub fn length(&self) -> io::Result<Option<u64>> {
        Ok(match &self.kind {
            Kind::None => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::File(disk) => Some(disk.file.metadata()?.len()),
            Kind::Pipe(pipe) => pipe.length,
        })
    }

    /// Whether a range can be read again.
    pub fn is_rewindable(&self) -> bool {
        !matches!(self.kind, Kind::Pipe(_))
    }

    /// The bytes of a range, piece by piece.
    pub(crate) fn pieces(&self, range: Range<u64>) -> Result<Pieces, Failure> {
        let beyond = |length: u64| {
            let detail = format!("byte {} was asked for, it has {length}", range.end);
            Failure::new(Cause::Source, detail)
        };
        match &self.kind {
            Kind::None if range.is_empty() => Ok(Pieces::none()),
            Kind::None => Err(beyond(0)),
            Kind::Bytes(bytes) => {
                let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
                match (start, end) {
                    (Ok(start), Ok(end)) if start <= end && end <= bytes.len() => {
                        Ok(Pieces::bytes(bytes.slice(start..end)))
                    }
                    _ => Err(beyond(bytes.len() as u64)),
                }
            }
            Kind::File(disk) => Ok(Pieces(Inner::File(Pages::new(Arc::clone(disk), range)))),
            Kind::Pipe(pipe) if pipe.is_spooled() => {
                Ok(Pieces(Inner::Spool { pipe: Arc::clone(pipe), left: range }))
            }
            Kind::Pipe(pipe) => {
                pipe.take(range, self.tap.clone()).map(|once| Pieces(Inner::Once(once)))
            }
        }
    }

    /// Whether a range can be asked for a second time without reading it again from a disk: keeping
    /// it in memory meanwhile would gain nothing.
    pub(crate) fn is_in_memory(&self) -> bool {
        match &self.kind {
            Kind::None | Kind::Bytes(_) => true,
            Kind::File(_) => false,
            Kind::Pipe(pipe) => pipe.is_spooled(),
        }
    }

    /// Whether a range can't be asked for a second time.
    pub(crate) fn is_read_once(&self) -> bool {
        matches!(&self.kind, Kind::Pipe(pipe) if !pipe.is_spooled())
    }

    /// The reader, to be spooled by a run whose machine has an intake; or how many bytes there are,
    /// all of which can be had at any time.
    pub(crate) fn spool(&self) -> Result<Spooling, Failure> {
        match &self.kind {
            Kind::Pipe(pipe) => pipe.open(self.tap.clone()).map(Spooling::Pipe),
            _ => {
                let length = self
                    .length()
                    .map_err(|error| Failure::new(Cause::Source, error.to_string()))?;
                Ok(Spooling::Whole(length.unwrap_or_default()))
            }
        }
    }

    /// Starts to feed the tap of a source that isn't read in order by itself.
    pub(crate) fn run_tap(&self) -> Option<JoinHandle<io::Result<()>>> {
        let tap = Arc::clone(self.tap.as_ref()?);
        let kind = self.kind.clone();
        if matches!(kind, Kind::Pipe(_)) || std::mem::replace(&mut lock(&tap).fed, true) {
            return None;
        }
        Some(spawn_blocking(move || {
            let mut hashers = lock(&tap).hashers.clone();
            match &kind {
                Kind::None | Kind::Pipe(_) => {}
                Kind::Bytes(bytes) => hashers.update(bytes),
                Kind::File(disk) => {
                    let mut buffer = vec![0; PIECE];
                    let mut at = 0;
                    loop {
                        let read = disk.read_at(&mut buffer, at)?;
                        if read == 0 {
                            break;
                        }
                        hashers.update(&buffer[..read]);
                        at += read as u64;
                    }
                }
            }
            let mut tap = lock(&tap);
            tap.hashers = hashers;
            tap.ended = true;
            Ok(())
        }))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, tap: None }
    }
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Self::bytes(bytes)
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl From<File> for Source {
    fn from(file: File) -> Self {
        Self::file(file)
    }
}

impl From<&Source> for Source {
    fn from(source: &Source) -> Self {
        source.clone()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::None => "Source(none)",
            Kind::Bytes(_) => "Source(bytes)",
            Kind::File(_) => "Source(file)",
            Kind::Pipe(pipe) if pipe.length.is_some() => "Source(reader)",
            Kind::Pipe(_) => "Source(stream)",
        })
    }
}

/// The bytes of one range, in order.
pub(crate) struct Pieces(Inner);

enum Inner {
    Bytes(Bytes),
    Held(VecDeque<Bytes>),
    File(Pages),
    Once(Once),
    Spool { pipe: Arc<Pipe>, left: Range<u64> },
}

impl Pieces {
    pub(crate) fn none() -> Self {
        Self::bytes(Bytes::new())
    }

    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self(Inner::Bytes(bytes))
    }

    pub(crate) fn held(pieces: VecDeque<Bytes>) -> Self {
        Self(Inner::Held(pieces))
    }

    /// All of it, where it lies in memory in one piece and nothing was taken yet.
    pub(crate) fn whole(&self) -> Option<&Bytes> {
        match &self.0 {
            Inner::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The next piece; none is empty.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Failure>> {
        match &mut self.0 {
            Inner::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready(Ok((!bytes.is_empty()).then_some(bytes)))
            }
            Inner::Held(pieces) => Poll::Ready(Ok(pieces.pop_front())),
            Inner::File(pages) => pages.poll_next(cx),
            Inner::Once(once) => once.poll_next(cx),
            Inner::Spool { pipe, left } => {
                if left.is_empty() {
                    return Poll::Ready(Ok(None));
                }
                let piece = pipe.spool.piece(left.clone());
                left.start += piece.as_ref().map_or(0, |piece| piece.len() as u64);
                let missing = || format!("byte {} is not in the spool", left.start);
                Poll::Ready(match piece {
                    Some(piece) => Ok(Some(piece)),
                    None => Err(Failure::new(Cause::Source, missing())),
                })
            }
        }
    }
}

/// What a run with an intake reads from.
pub(crate) enum Spooling {
    /// This many bytes, which can be had at any time.
    Whole(u64),
    /// A reader.
    Pipe(Inflow),
}

/// Hashers that see a source go by.
pub(crate) struct Tap {
    pub(crate) hashers: Hashers,
    /// A task was given the job.
    fed: bool,
    /// All bytes went by.
    pub(crate) ended: bool,
}

/// Bytes of a piece: large enough that handing one to a thread and back costs little beside reading
/// it, small enough that it is still in the processor's cache when it is hashed and sent.
pub(crate) const PIECE: usize = 512 << 10;

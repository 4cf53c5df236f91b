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
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use apus_core::checksum::{Digests, Hashers, Reading};
use apus_core::contract::GivenSource;
use apus_core::error::{Cause, Failure};
use apus_host::length::{self, Reach};
use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::file::{Disk, Pages};
use crate::passes::{OnePass, Workers};
use crate::pipe::{Inflow, Once, Pipe};

/// Where the bytes of a run's uploads come from. A clone is the same source.
///
/// A file must not change while it is sent: one that ends early or goes on after its end, and one whose
/// bytes are others when a range has to be read again, is an
/// [error](apus_core::error::Failure::is_source_changed).
#[derive(Clone, Default)]
pub struct Source {
    kind: Kind,
    tap: Option<Arc<OnePass>>,
}

#[derive(Clone, Default)]
enum Kind {
    #[default]
    None,
    Bytes(Bytes),
    File(Arc<Disk>),
    /// A file of which nothing can be read.
    Unreadable(Arc<io::Error>),
    Pipe(Arc<Pipe>),
}

impl Source {
    /// No source: what needs one is refused. An empty one is [`bytes`](Self::bytes) without any.
    pub fn none() -> Self {
        Self::default()
    }

    /// Bytes in memory. They are sent without being copied.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::of(Kind::Bytes(bytes.into()))
    }

    /// A file. A regular file and a block device are read from their start, whatever the cursor says;
    /// a FIFO, a socket, a character device, and what a special file system has no length of, are
    /// [streams](Self::stream): one that is read where nothing comes keeps a thread of the runtime.
    pub fn file(file: File) -> Self {
        match length::reach(&file) {
            Ok(Reach::Ranges) => Self::of(Kind::File(Arc::new(Disk::new(file)))),
            Ok(Reach::InOrder) => Self::stream(tokio::fs::File::from_std(file)),
            Err(error) => Self::of(Kind::Unreadable(Arc::new(error))),
        }
    }

    /// A reader of `length` bytes, which has to end after them: fewer or more are an error. Of a
    /// reader that goes on, [`take`](tokio::io::AsyncReadExt::take) makes one that ends. Each byte is
    /// read once and in order, so nothing that was sent can be sent again, and ranges can't be sent
    /// beside each other.
    pub fn reader(reader: impl AsyncRead + Send + 'static, length: u64) -> Self {
        Self::of(Kind::Pipe(Arc::new(Pipe::new(Box::pin(reader), Some(length)))))
    }

    /// A reader of unknown length, for machines that have an
    /// [`Intake`](apus_core::contract::Intake). What the machine may still need is kept in memory.
    pub fn stream(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::of(Kind::Pipe(Arc::new(Pipe::new(Box::pin(reader), None))))
    }

    /// Also computes digests of everything in order, of the bytes that are sent, as they are read for
    /// it: by a task for each digest, where there is a core for it.
    /// Where parts are read beside each other, those that are ahead of their turn are kept in memory
    /// until then, no more than the machine's memory.
    /// [`digests`](Self::digests) has them after a run that succeeded.
    #[must_use]
    pub fn tap(mut self, hashers: Hashers) -> Self {
        self.tap = Some(Arc::new(OnePass::new(hashers)));
        self
    }

    /// What [`tap`](Self::tap) came to; `None` before all of the source was sent.
    pub fn digests(&self) -> Option<Digests> {
        self.tap.as_ref()?.digests()
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
            Kind::File(disk) => Some(length::length(&disk.file)?),
            Kind::Unreadable(error) => return Err(copy(error)),
            Kind::Pipe(pipe) => pipe.length,
        })
    }

    /// Whether a range can be read again.
    pub fn is_rewindable(&self) -> bool {
        !matches!(self.kind, Kind::Pipe(_))
    }

    /// Whether there is one, for a single request: how many bytes it has is its run's to compare.
    pub(crate) fn presence(&self) -> GivenSource {
        match self.kind {
            Kind::None => GivenSource::Missing,
            _ => GivenSource::Unknown,
        }
    }

    /// What a run is told that it was given.
    pub(crate) fn given(&self) -> Result<GivenSource, Failure> {
        if matches!(self.kind, Kind::None) {
            return Ok(GivenSource::Missing);
        }
        Ok(match self.length().map_err(|error| broken(&error))? {
            None => GivenSource::Unknown,
            Some(length) if self.is_rewindable() => GivenSource::Known(length),
            Some(length) => GivenSource::Once(length),
        })
    }

    /// A run begins, which may hold so many bytes until it is their turn to be hashed: what its readings
    /// go by, where they are compared or hashed.
    pub(crate) async fn begin(&self, memory: u64) -> Result<Option<Workers>, Failure> {
        if let Kind::Pipe(pipe) = &self.kind
            && pipe.length == Some(0)
        {
            pipe.is_empty_as_said().await?;
        }
        let pass = match (&self.tap, &self.kind) {
            (Some(tap), _) => Arc::clone(tap),
            // What is read again has to be the same.
            (None, Kind::File(_)) => Arc::new(OnePass::new(Hashers::default())),
            _ => return Ok(None),
        };
        let length = self.length().map_err(|error| broken(&error))?;
        Ok(Some(pass.begin(length, memory)))
    }

    /// A run has succeeded that went by these. Of one that `sends_all`, parts may have been stored before
    /// it began: their bytes are read now, for nobody has hashed them.
    pub(crate) async fn settle(&self, workers: Workers, sends_all: bool) {
        let pass = Arc::clone(workers.pass());
        while let Some(rest) = pass.rest().filter(|_| sends_all && self.is_rewindable()) {
            let Ok(mut fill) = Fill::new(self, Arc::clone(&pass), rest) else { return };
            if std::future::poll_fn(|cx| fill.poll(cx)).await.is_err() {
                return;
            }
        }
        pass.settle(match &self.kind {
            Kind::Pipe(pipe) => Some(pipe.is_over()),
            _ => None,
        });
        workers.finish().await;
    }

    /// The bytes of a range, piece by piece.
    pub(crate) fn pieces(
        &self,
        range: Range<u64>,
        pass: Option<&Arc<OnePass>>,
    ) -> Result<Pieces, Failure> {
        let start = range.start;
        let pieces = self.unwatched(range, pass.and_then(|pass| pass.length()))?;
        let is_read_again = matches!(self.kind, Kind::Bytes(_) | Kind::File(_));
        let watched = pass.filter(|_| is_read_again).map(|pass| Watched {
            source: self.clone(),
            pass: Arc::clone(pass),
            reading: Reading::new(start),
            fill: None,
            seen: None,
        });
        Ok(Pieces { watched, ..pieces })
    }

    fn unwatched(&self, range: Range<u64>, whole: Option<u64>) -> Result<Pieces, Failure> {
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
            Kind::File(disk) => match whole.filter(|length| range.end > *length) {
                Some(length) => Err(beyond(length)),
                None => Ok(Pieces::of(Inner::File(Pages::new(Arc::clone(disk), range, whole)))),
            },
            Kind::Unreadable(error) => Err(broken(error)),
            Kind::Pipe(pipe) if pipe.is_spooled() => {
                Ok(Pieces::of(Inner::Spool { pipe: Arc::clone(pipe), left: range }))
            }
            Kind::Pipe(pipe) => {
                pipe.take(range, self.tap.clone()).map(|once| Pieces::of(Inner::Once(once)))
            }
        }
    }

    /// Whether a range can be asked for a second time without reading it again from a disk: keeping
    /// it in memory meanwhile would gain nothing.
    pub(crate) fn is_in_memory(&self) -> bool {
        match &self.kind {
            Kind::None | Kind::Bytes(_) => true,
            Kind::File(_) | Kind::Unreadable(_) => false,
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
            Kind::File(_) | Kind::Unreadable(_) => "Source(file)",
            Kind::Pipe(pipe) if pipe.length.is_some() => "Source(reader)",
            Kind::Pipe(_) => "Source(stream)",
        })
    }
}

/// The bytes of one range, in order.
pub(crate) struct Pieces {
    inner: Inner,
    /// Sees the bytes before they are given away.
    watched: Option<Watched>,
}

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
        Self::of(Inner::Bytes(bytes))
    }

    pub(crate) fn held(pieces: VecDeque<Bytes>) -> Self {
        Self::of(Inner::Held(pieces))
    }

    fn of(inner: Inner) -> Self {
        Self { inner, watched: None }
    }

    /// All of it, where it lies in memory in one piece and nothing was taken yet.
    pub(crate) fn whole(&self) -> Option<&Bytes> {
        match &self.inner {
            Inner::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The next piece; none is empty.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Failure>> {
        let Self { inner, watched } = self;
        let Some(watched) = watched else { return inner.poll_next(cx, usize::MAX) };
        loop {
            ready!(watched.poll_ready(cx))?;
            if let Some(piece) = watched.seen.take() {
                return Poll::Ready(Ok(Some(piece)));
            }
            match ready!(inner.poll_next(cx, PIECE))? {
                Some(piece) => watched.see(piece)?,
                None => return Poll::Ready(Ok(None)),
            }
        }
    }
}

impl Inner {
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<Result<Option<Bytes>, Failure>> {
        match self {
            Inner::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(most));
                Poll::Ready(Ok((!piece.is_empty()).then_some(piece)))
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

/// A reading of a source that can be read from anywhere: hashed in order beside other readings, and
/// compared with what was read before.
struct Watched {
    source: Source,
    pass: Arc<OnePass>,
    reading: Reading,
    /// What has to be read before this goes on, because too many bytes wait for it.
    fill: Option<Fill>,
    /// Seen, and not given away before that.
    seen: Option<Bytes>,
}

impl Watched {
    /// Ready to read on.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if let Some(fill) = &mut self.fill {
            ready!(fill.poll(cx))?;
            self.fill = None;
        }
        if self.seen.is_none() {
            ready!(self.pass.poll_room(cx));
        }
        Poll::Ready(Ok(()))
    }

    fn see(&mut self, piece: Bytes) -> Result<(), Failure> {
        if let Some(gap) = self.pass.read(&mut self.reading, &piece)? {
            self.fill = Some(Fill::new(&self.source, Arc::clone(&self.pass), gap)?);
        }
        self.seen = Some(piece);
        Ok(())
    }
}

/// Reads what nobody has read of a source so far, for its digests alone: parts that were stored before
/// this run, or bytes that too many others wait for.
struct Fill {
    pieces: Box<Pieces>,
    pass: Arc<OnePass>,
    reading: Reading,
}

impl Fill {
    fn new(source: &Source, pass: Arc<OnePass>, gap: Range<u64>) -> Result<Self, Failure> {
        let reading = Reading::new(gap.start);
        let pieces = Box::new(source.unwatched(gap, pass.length())?);
        Ok(Self { pieces, pass, reading })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            ready!(self.pass.poll_room(cx));
            match ready!(self.pieces.inner.poll_next(cx, PIECE))? {
                Some(piece) => {
                    self.pass.read(&mut self.reading, &piece)?;
                }
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::new(Cause::Source, error.to_string())
}

/// The same error once more.
fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// Bytes of a piece: large enough that handing one to a thread and back costs little beside reading
/// it, small enough that it is still in the processor's cache when it is hashed and sent.
pub(crate) const PIECE: usize = 512 << 10;

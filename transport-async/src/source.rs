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
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use apus_core::checksum::{Digests, Hashers};
use apus_core::error::{Cause, Failure};
use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::cancel::lock;
use crate::spool::Spool;

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
        Self::of(Kind::File(Arc::new(Disk { file, buffers: Buffers::default() })))
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
            Kind::File(disk) => {
                let mut pages = Pages { disk: Arc::clone(disk), left: range, ahead: None };
                pages.read_ahead();
                Ok(Pieces(Inner::File(pages)))
            }
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
            Kind::Pipe(pipe) => {
                let Some(reading) = lock(&pipe.reading).take() else {
                    return Err(Failure::new(Cause::Source, "it was used before"));
                };
                pipe.spooled.store(true, Ordering::Relaxed);
                let pipe = Arc::clone(pipe);
                Ok(Spooling::Pipe(Inflow { reading, pipe, tap: self.tap.clone(), ended: false }))
            }
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

/// A file, and the buffers that its exchanges use again and again.
struct Disk {
    file: File,
    buffers: Buffers,
}

impl Disk {
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
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, at)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buffer, at)
    }
}

/// A range of a file, read one piece ahead so that disk and network work at the same time.
struct Pages {
    disk: Arc<Disk>,
    left: Range<u64>,
    ahead: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Pages {
    fn read_ahead(&mut self) {
        let length = self.left.end.saturating_sub(self.left.start).min(PIECE as u64);
        if length == 0 {
            return;
        }
        let (disk, at) = (Arc::clone(&self.disk), self.left.start);
        self.left.start += length;
        self.ahead = Some(spawn_blocking(move || disk.read(at, length as usize)));
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
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

/// A reader whose bytes come once.
pub(crate) struct Pipe {
    length: Option<u64>,
    /// Taken by who reads.
    reading: Mutex<Option<Reading>>,
    spooled: AtomicBool,
    pub(crate) spool: Spool,
}

struct Reading {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    buffer: BytesMut,
    at: u64,
    ended: bool,
}

impl Pipe {
    fn new(reader: Pin<Box<dyn AsyncRead + Send>>, length: Option<u64>) -> Self {
        let reading = Reading { reader, buffer: BytesMut::new(), at: 0, ended: false };
        Self {
            length,
            reading: Mutex::new(Some(reading)),
            spooled: AtomicBool::new(false),
            spool: Spool::default(),
        }
    }

    fn is_spooled(&self) -> bool {
        self.spooled.load(Ordering::Relaxed)
    }

    fn take(
        self: &Arc<Self>,
        range: Range<u64>,
        tap: Option<Arc<Mutex<Tap>>>,
    ) -> Result<Once, Failure> {
        let refuse = |detail: String| Err(Failure::new(Cause::Source, detail));
        if self.length.is_none() {
            return refuse("a stream of unknown length needs a machine that reads from one".into());
        }
        let Some(reading) = lock(&self.reading).take() else {
            return refuse("a reader can't be read by two exchanges at once".into());
        };
        let at = reading.at;
        let once =
            Once { pipe: Arc::clone(self), reading: Some(reading), left: range.clone(), tap };
        if at != range.start {
            return refuse(format!("a reader is at byte {at} and can't go to {}", range.start));
        }
        Ok(once)
    }
}

impl Reading {
    /// A piece of `most` bytes; a shorter one when the reader ended, an empty one after that.
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        most: u64,
        tap: Option<&Mutex<Tap>>,
    ) -> Poll<io::Result<Bytes>> {
        let want = usize::try_from(most).map_or(PIECE, |most| most.min(PIECE));
        while self.buffer.len() < want && !self.ended {
            let room = want - self.buffer.len();
            self.buffer.reserve(room);
            let mut limited = (&mut self.buffer).limit(room);
            // Reading into a buffer loses nothing when its future is dropped.
            let read = pin!(self.reader.read_buf(&mut limited)).poll(cx);
            self.ended = ready!(read)? == 0;
        }
        let piece = self.buffer.split().freeze();
        self.at += piece.len() as u64;
        if let Some(tap) = tap {
            let mut tap = lock(tap);
            tap.hashers.update(&piece);
            tap.ended |= self.ended;
        }
        Poll::Ready(Ok(piece))
    }
}

/// A range of a reader; the reader goes back when it is dropped.
struct Once {
    pipe: Arc<Pipe>,
    reading: Option<Reading>,
    left: Range<u64>,
    tap: Option<Arc<Mutex<Tap>>>,
}

impl Once {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        let Some(reading) = self.reading.as_mut().filter(|_| !self.left.is_empty()) else {
            return Poll::Ready(Ok(None));
        };
        let most = self.left.end - self.left.start;
        let piece = ready!(reading.poll_piece(cx, most, self.tap.as_deref()));
        let ended_at = reading.at;
        Poll::Ready(match piece {
            Ok(piece) if piece.is_empty() => {
                let detail = format!("the reader ended at byte {ended_at} of {}", self.left.end);
                Err(Failure::new(Cause::Source, detail))
            }
            Ok(piece) => {
                self.left.start += piece.len() as u64;
                if self.pipe.length == Some(self.left.start) {
                    if let Some(tap) = &self.tap {
                        lock(tap).ended = true;
                    }
                }
                Ok(Some(piece))
            }
            Err(error) => Err(Failure::new(Cause::Source, error.to_string())),
        })
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        *lock(&self.pipe.reading) = self.reading.take();
    }
}

/// What a run with an intake reads from.
pub(crate) enum Spooling {
    /// This many bytes, which can be had at any time.
    Whole(u64),
    /// A reader.
    Pipe(Inflow),
}

/// A reader on its way into the spool.
pub(crate) struct Inflow {
    reading: Reading,
    pipe: Arc<Pipe>,
    tap: Option<Arc<Mutex<Tap>>>,
    /// The end was told.
    ended: bool,
}

impl Inflow {
    /// Reads on, not beyond `high`. Ready with how far it came and whether the source ended there.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        high: u64,
    ) -> Poll<Result<(u64, bool), Failure>> {
        let end = self.pipe.length.map_or(high, |length| length.min(high));
        let most = end.saturating_sub(self.reading.at);
        if most == 0 && self.pipe.length.is_none_or(|length| self.reading.at < length) {
            return Poll::Pending;
        }
        let piece = ready!(self.reading.poll_piece(cx, most, self.tap.as_deref()))
            .map_err(|error| Failure::new(Cause::Source, error.to_string()))?;
        self.pipe.spool.push(piece);
        let (at, mut ended) = (self.reading.at, self.reading.ended);
        if let Some(length) = self.pipe.length {
            if ended && at < length {
                let detail = format!("the reader ended at byte {at} of {length}");
                return Poll::Ready(Err(Failure::new(Cause::Source, detail)));
            }
            ended = at == length;
            if let (true, Some(tap)) = (ended, &self.tap) {
                lock(tap).ended = true;
            }
        }
        self.ended = ended;
        Poll::Ready(Ok((at, ended)))
    }

    /// Whether there is nothing more to come.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Forgets what is before `low`.
    pub(crate) fn release(&self, low: u64) {
        self.pipe.spool.release(low);
    }
}

/// Hashers that see a source go by.
struct Tap {
    hashers: Hashers,
    fed: bool,
    ended: bool,
}

/// Bytes of a piece: large enough that handing one to a thread and back costs little beside reading
/// it, small enough that it is still in the processor's cache when it is hashed and sent.
pub(crate) const PIECE: usize = 512 << 10;

/// Buffers that are remembered of one file; more than its exchanges have in use at once.
const MOST_BUFFERS: usize = 4096;

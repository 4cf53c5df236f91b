//! Where the bytes of a request's body come from.
//!
//! ```text
//!  none · bytes · file            any range, at any time, by any number of exchanges
//!  reader  of known length        one range after the other, each byte read once
//!  stream  of unknown length      read by the run into a spool, from which exchanges take ranges
//! ```

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use apus_core::checksum::{Digests, Hashers, Reading};
use apus_core::contract::GivenSource;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_host::length::{self, Reach};
use apus_host::pieces::Pieces as InMemory;
use bytes::Bytes;
use futures_core::Stream;
use tokio::io::AsyncRead;

use crate::file::{Disk, Pages};
use crate::incoming::{BodyReader, StreamReader};
use crate::passes::{OnePass, Workers};
use crate::pipe::{Inflow, Once, Pipe};

/// Where the bytes of a request's body come from. Clones share the same bytes.
///
/// | made by | length | read |
/// | --- | --- | --- |
/// | [`bytes`](Self::bytes) | known | at any offset, any number of times |
/// | [`pieces`](Self::pieces) | known | at any offset, any number of times |
/// | [`file`](Self::file) | known, if the file has a length | at any offset, any number of times |
/// | [`reader`](Self::reader) | given, and enforced | once, in order |
/// | [`stream`](Self::stream) | unknown | once, in order |
///
/// A file must not change while it is sent. If it ends early, continues after its end, or yields
/// different bytes when a range is read again, the result is an
/// [error](apus_core::error::ExchangeError::is_source_changed).
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
    Pieces(InMemory),
    File(Arc<Disk>),
    /// A file that can't be read.
    Unreadable(Arc<io::Error>),
    Pipe(Arc<Pipe>),
}

impl Source {
    /// No source: a request or machine that needs one is refused. An empty source is
    /// [`bytes`](Self::bytes) of nothing.
    ///
    /// ```no_run
    /// # use apus_async::{Client, s3};
    /// use apus_async::Source;
    /// use apus_async::s3::Upload;
    ///
    /// # async fn example(client: Client<s3::Service>) {
    /// let refused = client.run(Upload::new("bucket", "key")).body(Source::none()).send().await;
    /// assert!(refused.is_err());
    /// # }
    /// ```
    pub fn none() -> Self {
        Self::default()
    }

    /// A source of these bytes, which are sent without being copied.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::of(Kind::Bytes(bytes.into()))
    }

    /// A source of several pieces of bytes, which are sent in this order, without being copied.
    pub fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self::of(Kind::Pieces(pieces.into_iter().collect()))
    }

    /// A source of a file. A regular file and a block device are read from offset 0, whatever the
    /// file's cursor. A FIFO, a socket, a character device, and a file that a special file system
    /// reports no length of, are [streams](Self::stream); while a read of one blocks, it occupies a
    /// thread of the runtime.
    pub fn file(file: File) -> Self {
        match length::reach(&file) {
            Ok(Reach::Ranges) => Self::of(Kind::File(Arc::new(Disk::new(file)))),
            Ok(Reach::InOrder) => Self::stream(tokio::fs::File::from_std(file)),
            Err(error) => Self::of(Kind::Unreadable(Arc::new(error))),
        }
    }

    /// A source of a reader of exactly `length` bytes: fewer or more bytes are an error. Limit a
    /// longer reader with [`take`](tokio::io::AsyncReadExt::take). Each byte is read once and in
    /// order, so no byte can be sent twice, and ranges can't be sent in parallel.
    pub fn reader(reader: impl AsyncRead + Send + 'static, length: u64) -> Self {
        Self::of(Kind::Pipe(Arc::new(Pipe::new(Box::pin(reader), Some(length)))))
    }

    /// A source of a reader that is read to its end, for machines that have an
    /// [`StreamWindow`](apus_core::contract::StreamWindow). Bytes that the machine may need again are kept in
    /// memory.
    pub fn stream(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::of(Kind::Pipe(Arc::new(Pipe::new(Box::pin(reader), None))))
    }

    /// A source of a stream of pieces, which is read to its end: the payload of a request to a web
    /// service. An error of the stream is the source's error.
    ///
    /// ```
    /// use apus_async::{Bytes, Source};
    /// use futures_core::Stream;
    ///
    /// fn source(payload: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Source {
    ///     Source::chunks(payload)
    /// }
    /// ```
    pub fn chunks<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self::stream(StreamReader::new(stream))
    }

    /// A source of an HTTP body, such as that of a request to a web service. Its length is known if
    /// the body states it. Trailers are dropped.
    pub fn http_body<B>(body: B) -> Self
    where
        B: http_body::Body<Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
    {
        match body.size_hint().exact() {
            Some(length) => Self::reader(BodyReader::new(body), length),
            None => Self::stream(BodyReader::new(body)),
        }
    }

    /// Also computes digests over the whole source, in order, while its bytes are read for sending:
    /// in a task for each digest, as far as there are processor cores. If parts are read in
    /// parallel, those that are read ahead of their turn are kept in memory, within the machine's
    /// memory limit. [`digests`](Self::digests) returns the result after a run that succeeded.
    #[must_use]
    pub fn tap(mut self, hashers: Hashers) -> Self {
        self.tap = Some(Arc::new(OnePass::new(hashers)));
        self
    }

    /// Returns the digests of [`tap`](Self::tap); `None` before the whole source was sent.
    pub fn digests(&self) -> Option<Digests> {
        self.tap.as_ref()?.digests()
    }

    /// Returns the length in bytes; `None` if it is unknown.
    ///
    /// ```
    /// use apus_async::Source;
    ///
    /// assert_eq!(Source::bytes("hello").length()?, Some(5));
    /// assert_eq!(Source::stream(tokio::io::empty()).length()?, None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The file's length can't be determined.
    pub fn length(&self) -> io::Result<Option<u64>> {
        Ok(match &self.kind {
            Kind::None => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::Pieces(pieces) => Some(pieces.length()),
            Kind::File(disk) => Some(length::length(&disk.file)?),
            Kind::Unreadable(error) => return Err(copy(error)),
            Kind::Pipe(pipe) => pipe.length,
        })
    }

    /// Returns whether a range can be read again.
    ///
    /// ```
    /// use apus_async::Source;
    ///
    /// assert!(Source::bytes("hello").is_rewindable());
    /// assert!(!Source::stream(tokio::io::empty()).is_rewindable());
    /// ```
    pub fn is_rewindable(&self) -> bool {
        !matches!(self.kind, Kind::Pipe(_))
    }

    /// Whether a source was given.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self.kind, Kind::None)
    }

    /// Whether a source was given, for a single request; its run compares the length.
    pub(crate) fn presence(&self) -> GivenSource {
        match self.kind {
            Kind::None => GivenSource::Missing,
            _ => GivenSource::Unknown,
        }
    }

    /// What a run is told about its source.
    pub(crate) fn given(&self) -> Result<GivenSource, ExchangeError> {
        if matches!(self.kind, Kind::None) {
            return Ok(GivenSource::Missing);
        }
        Ok(match self.length().map_err(broken)? {
            None => GivenSource::Unknown,
            Some(length) if self.is_rewindable() => GivenSource::Known(length),
            Some(length) => GivenSource::Once(length),
        })
    }

    /// Begins a run, which may hold `memory` bytes until it is their turn to be hashed. Returns the
    /// workers of the pass that the readings of this run are compared or hashed in, if they are.
    pub(crate) async fn begin(&self, memory: u64) -> Result<Option<Workers>, ExchangeError> {
        if let Kind::Pipe(pipe) = &self.kind
            && pipe.length == Some(0)
        {
            pipe.is_empty_as_said().await?;
        }
        let pass = match (&self.tap, &self.kind) {
            (Some(tap), _) => Arc::clone(tap),
            // Bytes that are read again must be the same.
            (None, Kind::File(_)) => Arc::new(OnePass::new(Hashers::default())),
            _ => return Ok(None),
        };
        let length = self.length().map_err(broken)?;
        Ok(Some(pass.begin(length, memory)))
    }

    /// Ends a run that succeeded with these workers. If the run `sends_all`, parts may have been
    /// stored before it began: their bytes are read now, because they were not hashed.
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

    /// Returns the bytes of a range, piece by piece.
    pub(crate) fn read(
        &self,
        range: Range<u64>,
        pass: Option<&Arc<OnePass>>,
    ) -> Result<Pieces, ExchangeError> {
        let start = range.start;
        let pieces = self.unwatched(range, pass.and_then(|pass| pass.length()))?;
        let is_read_again = !matches!(self.kind, Kind::None | Kind::Pipe(_));
        let watched = pass.filter(|_| is_read_again).map(|pass| Watched {
            source: self.clone(),
            pass: Arc::clone(pass),
            reading: Reading::new(start),
            fill: None,
            seen: None,
        });
        Ok(Pieces { watched, ..pieces })
    }

    fn unwatched(&self, range: Range<u64>, whole: Option<u64>) -> Result<Pieces, ExchangeError> {
        let beyond = |length: u64| {
            let detail =
                format!("it has no bytes {} to {}: its length is {length}", range.start, range.end);
            ExchangeError::new(ExchangeErrorKind::Source, detail)
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
            Kind::Pieces(pieces) => match pieces.slice(range.clone()) {
                Some(found) => Ok(Pieces::held(found)),
                None => Err(beyond(pieces.length())),
            },
            Kind::File(disk) => match whole.filter(|length| range.end > *length) {
                Some(length) => Err(beyond(length)),
                None => Ok(Pieces::of(Inner::File(Pages::new(Arc::clone(disk), range, whole)))),
            },
            Kind::Unreadable(error) => Err(broken(copy(error))),
            Kind::Pipe(pipe) if pipe.is_spooled() => {
                Ok(Pieces::of(Inner::Spool { pipe: Arc::clone(pipe), left: range }))
            }
            Kind::Pipe(pipe) => {
                pipe.take(range, self.tap.clone()).map(|once| Pieces::of(Inner::Once(once)))
            }
        }
    }

    /// Whether a range can be requested a second time without reading it from a disk again: then it
    /// need not be kept in memory in between.
    pub(crate) fn is_in_memory(&self) -> bool {
        match &self.kind {
            Kind::None | Kind::Bytes(_) | Kind::Pieces(_) => true,
            Kind::File(_) | Kind::Unreadable(_) => false,
            Kind::Pipe(pipe) => pipe.is_spooled(),
        }
    }

    /// Whether a range can't be requested a second time.
    pub(crate) fn is_read_once(&self) -> bool {
        matches!(&self.kind, Kind::Pipe(pipe) if !pipe.is_spooled())
    }

    /// Returns the reader, which a run spools if its machine has an stream window; or the length of a
    /// source that can be read at any offset.
    pub(crate) fn spool(&self) -> Result<Spooling, ExchangeError> {
        match &self.kind {
            Kind::Pipe(pipe) => pipe.open(self.tap.clone()).map(Spooling::Pipe),
            _ => {
                let length = self.length().map_err(broken)?;
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

impl From<Vec<Bytes>> for Source {
    fn from(pieces: Vec<Bytes>) -> Self {
        Self::pieces(pieces)
    }
}

impl From<&'static str> for Source {
    fn from(text: &'static str) -> Self {
        Self::bytes(text)
    }
}

impl From<&'static [u8]> for Source {
    fn from(bytes: &'static [u8]) -> Self {
        Self::bytes(bytes)
    }
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        Self::bytes(text)
    }
}

impl From<tokio::io::Stdin> for Source {
    /// A source of standard input, which is read to its end.
    fn from(stdin: tokio::io::Stdin) -> Self {
        Self::stream(stdin)
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl From<tokio::fs::File> for Source {
    /// A source of this file, as [`file`](Self::file). Await all operations on it before, and
    /// [`flush`](tokio::io::AsyncWriteExt::flush)
    /// it first if it was written to.
    fn from(file: tokio::fs::File) -> Self {
        match file.try_into_std() {
            Ok(file) => Self::file(file),
            Err(_) => {
                let what = "an operation on the file has not ended";
                Self::of(Kind::Unreadable(Arc::new(io::Error::other(what))))
            }
        }
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
            Kind::Pieces(_) => "Source(pieces)",
            Kind::File(_) | Kind::Unreadable(_) => "Source(file)",
            Kind::Pipe(pipe) if pipe.length.is_some() => "Source(reader)",
            Kind::Pipe(_) => "Source(stream)",
        })
    }
}

/// The bytes of one range, in order.
pub(crate) struct Pieces {
    inner: Inner,
    /// Sees the bytes before they are passed on.
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

    /// Returns all bytes, if they lie in memory in one piece and none was taken yet.
    pub(crate) fn whole(&self) -> Option<&Bytes> {
        match &self.inner {
            Inner::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the next piece, which is never empty.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, ExchangeError>> {
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
    ) -> Poll<Result<Option<Bytes>, ExchangeError>> {
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
                let missing = || format!("byte {} is not buffered", left.start);
                Poll::Ready(match piece {
                    Some(piece) => Ok(Some(piece)),
                    None => Err(ExchangeError::new(ExchangeErrorKind::Source, missing())),
                })
            }
        }
    }
}

/// What a run with an stream window reads from.
pub(crate) enum Spooling {
    /// A source of this many bytes, which can be read at any offset.
    Whole(u64),
    /// A reader.
    Pipe(Inflow),
}

/// A reading of a source that can be read at any offset: hashed in order with other readings, and
/// compared with what was read before.
struct Watched {
    source: Source,
    pass: Arc<OnePass>,
    reading: Reading,
    /// The bytes to read before this reading goes on, because too many bytes wait for them.
    fill: Option<Fill>,
    /// A piece that was compared and is not passed on yet.
    seen: Option<Bytes>,
}

impl Watched {
    /// Waits until more may be read.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ExchangeError>> {
        if let Some(fill) = &mut self.fill {
            ready!(fill.poll(cx))?;
            self.fill = None;
        }
        if self.seen.is_none() {
            ready!(self.pass.poll_room(cx));
        }
        Poll::Ready(Ok(()))
    }

    fn see(&mut self, piece: Bytes) -> Result<(), ExchangeError> {
        if let Some(gap) = self.pass.read(&mut self.reading, &piece)? {
            self.fill = Some(Fill::new(&self.source, Arc::clone(&self.pass), gap)?);
        }
        self.seen = Some(piece);
        Ok(())
    }
}

/// Reads bytes of a source that have not been read, for its digests alone: parts that were stored
/// before this run, or bytes that too many others wait for.
struct Fill {
    pieces: Box<Pieces>,
    pass: Arc<OnePass>,
    reading: Reading,
}

impl Fill {
    fn new(source: &Source, pass: Arc<OnePass>, gap: Range<u64>) -> Result<Self, ExchangeError> {
        let reading = Reading::new(gap.start);
        let pieces = Box::new(source.unwatched(gap, pass.length())?);
        Ok(Self { pieces, pass, reading })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ExchangeError>> {
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

fn broken(error: io::Error) -> ExchangeError {
    ExchangeError::of_io(ExchangeErrorKind::Source, error)
}

/// Copies an error.
fn copy(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// Bytes of a piece: enough that passing one to a thread and back costs little compared with
/// reading it, and few enough that it is still in the processor's cache when it is hashed and sent.
pub(crate) const PIECE: usize = 512 << 10;

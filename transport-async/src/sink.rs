//! Where the bytes of a response go.
//!
//! ```text
//!  discard · memory · file  any range, at any time
//!  path                     as file; a FIFO or a device as writer
//!  writer                   in order, through an `OrderedWriter`: an exchange whose range is next writes
//!                           as bytes arrive; others keep what they receive until it is their turn
//! ```
//!
//! An exchange ends only after its bytes are delivered, so that a machine's concurrency bounds what
//! is kept.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use apus_core::Error;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_host::files::Output;
use apus_host::length::is_written_in_order;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::cancel::{RunWaker, lock};
use crate::ordered_writer::{OrderedWriter, Out, Place};

/// Where the bytes of a response's body go. Clones share the same place.
///
/// | made by | takes ranges |
/// | --- | --- |
/// | [`discard`](Self::discard) | drops them |
/// | [`memory`](Self::memory) | as they arrive |
/// | [`file`](Self::file) | as they arrive, each at its offset; in order to a FIFO or a device |
/// | [`writer`](Self::writer) | in order |
/// | [`path`](Self::path) | as they arrive, each at its offset; in order to a FIFO or a device |
///
/// Ranges that arrive in parallel and must be written in order are kept in memory until their turn.
#[derive(Clone, Default)]
pub struct Sink {
    kind: Kind,
    /// The file that is committed at the end of a run.
    output: Option<Arc<Output>>,
}

#[derive(Clone, Default)]
enum Kind {
    #[default]
    None,
    Discard,
    Memory(Arc<Mutex<Vec<u8>>>),
    File(Arc<File>),
    Path(Arc<Output>),
    Ordered(Arc<OrderedWriter>),
}

impl Sink {
    /// No sink: a request or machine that needs one is refused.
    ///
    /// ```no_run
    /// # use apus_async::{Client, s3};
    /// use apus_async::Sink;
    /// use apus_async::s3::Download;
    ///
    /// # async fn example(client: Client<s3::Service>) {
    /// let refused = client.run(Download::new("bucket", "key")).write_to(Sink::none()).send().await;
    /// assert!(refused.is_err());
    /// # }
    /// ```
    pub fn none() -> Self {
        Self::default()
    }

    /// A sink that drops the bytes; they are nevertheless counted, validated and hashed.
    pub fn discard() -> Self {
        Self::of(Kind::Discard)
    }

    /// Whether a sink was given.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self.kind, Kind::None)
    }

    /// A sink that keeps the bytes in memory; [`take`](Self::take) returns them.
    pub fn memory() -> Self {
        Self::of(Kind::Memory(Arc::default()))
    }

    /// A sink that writes each range at its offset from the file's start; the file's cursor is
    /// neither used nor moved. What the file holds beyond the last byte stays. A FIFO, a socket, a
    /// character device, and on Linux a file that was opened for appending, are
    /// [writers](Self::writer).
    pub fn file(file: File) -> Self {
        match is_written_in_order(&file) {
            true => Self::writer(tokio::fs::File::from_std(file)),
            false => Self::of(Kind::File(Arc::new(file))),
        }
    }

    /// A sink that writes a file completely or leaves it as it was: the bytes are written to a
    /// temporary file in the same directory, created with the first byte, which replaces the file
    /// when the run has succeeded. Owner and mode stay, and links are followed. A FIFO or a device
    /// is written to directly, in order. [`remarks`](Self::remarks) lists what the caller should
    /// report about the file.
    ///
    /// # Errors
    ///
    /// The path can't be written to: a directory, a file in a directory that does not exist, a file
    /// without write permission.
    pub fn path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let output = Output::new(path).map_err(|error| Error::from(failure(error)))?;
        let output = Arc::new(output);
        let kind = match output.is_ordered() {
            true => Kind::Ordered(Arc::new(OrderedWriter::new(Out::Path(Arc::clone(&output))))),
            false => Kind::Path(Arc::clone(&output)),
        };
        Ok(Self { kind, output: Some(output) })
    }

    /// A sink that writes everything in order. The writer is flushed at the end of a run that
    /// succeeded.
    pub fn writer(writer: impl AsyncWrite + Send + 'static) -> Self {
        Self::of(Kind::Ordered(Arc::new(OrderedWriter::new(Out::Writer(Box::pin(writer))))))
    }

    /// Returns the bytes that [`memory`](Self::memory) kept; nothing for other sinks, or the second
    /// time.
    pub fn take(&self) -> Vec<u8> {
        match &self.kind {
            Kind::Memory(memory) => std::mem::take(&mut lock(memory)),
            _ => Vec::new(),
        }
    }

    /// Returns what the caller should report about the file of a [`path`](Self::path): other names
    /// of it that keep the old content, an owner that could not be kept. Nothing for other sinks.
    ///
    /// ```no_run
    /// # use apus_async::{Client, s3};
    /// use apus_async::Sink;
    /// use apus_async::s3::Download;
    ///
    /// # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
    /// let sink = Sink::path("copy.img")?;
    /// client.run(Download::new("bucket", "key")).write_to(sink.clone()).send().await?;
    /// for remark in sink.remarks() {
    ///     eprintln!("copy.img: {remark}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn remarks(&self) -> Vec<String> {
        let remarks = self.output.as_ref().map(|output| output.remarks()).unwrap_or_default();
        remarks.iter().map(ToString::to_string).collect()
    }

    /// Ends a run: commits the file of a path if the run succeeded, discards it otherwise.
    pub(crate) async fn end<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let Some(output) = self.output.clone() else { return result };
        if result.is_err() {
            output.discard();
            return result;
        }
        let committed = spawn_blocking(move || output.commit());
        committed.await.unwrap_or_else(|_| Err(over())).map_err(failure)?;
        result
    }

    fn of(kind: Kind) -> Self {
        Self { kind, output: None }
    }

    pub(crate) fn channel(sender: mpsc::Sender<Bytes>) -> Self {
        Self::of(Kind::Ordered(Arc::new(OrderedWriter::new(Out::Channel(sender)))))
    }

    /// Returns the delivery of one exchange, which starts at this position.
    pub(crate) fn delivery(&self, at: u64) -> Delivery {
        Delivery(match &self.kind {
            Kind::None | Kind::Discard => To::None,
            Kind::Memory(memory) => To::Memory { memory: Arc::clone(memory), at },
            Kind::File(file) => To::File(Pages::new(Some(Arc::clone(file)), None, at)),
            Kind::Path(output) => To::File(Pages::new(None, Some(Arc::clone(output)), at)),
            Kind::Ordered(ordered) => To::Ordered(ordered.place(at)),
        })
    }

    /// Notifies this waker when an exchange must wait for its turn.
    pub(crate) fn attach(&self, waker: &Arc<RunWaker>) {
        if let Kind::Ordered(ordered) = &self.kind {
            ordered.attach(waker);
        }
    }

    /// Returns how many exchanges have all their bytes and wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        match &self.kind {
            Kind::Ordered(ordered) => ordered.waiting(),
            _ => 0,
        }
    }

    /// Lets exchanges that wait for their turn end, and keeps their bytes: the next range can't
    /// start before one of them has ended.
    pub(crate) fn settle(&self) {
        if let Kind::Ordered(ordered) = &self.kind {
            ordered.settle();
        }
    }

    /// Flushes the writer after a run that succeeded.
    pub(crate) async fn flush(&self) -> Result<(), ExchangeError> {
        match &self.kind {
            Kind::Ordered(ordered) => ordered.flush().await,
            _ => Ok(()),
        }
    }
}

impl From<File> for Sink {
    fn from(file: File) -> Self {
        Self::file(file)
    }
}

impl From<&Sink> for Sink {
    fn from(sink: &Sink) -> Self {
        sink.clone()
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::None => "Sink(none)",
            Kind::Discard => "Sink(discard)",
            Kind::Memory(_) => "Sink(memory)",
            Kind::File(_) => "Sink(file)",
            Kind::Path(_) => "Sink(path)",
            Kind::Ordered(_) => "Sink(writer)",
        })
    }
}

/// Delivers the bytes of one exchange to the sink.
pub(crate) struct Delivery(To);

enum To {
    None,
    Memory { memory: Arc<Mutex<Vec<u8>>>, at: u64 },
    File(Pages),
    Ordered(Place),
}

impl Delivery {
    /// Delivers the next piece, or keeps it for later.
    pub(crate) async fn push(&mut self, piece: Bytes) -> Result<(), ExchangeError> {
        match &mut self.0 {
            To::None => Ok(()),
            To::Memory { memory, at } => {
                let start = usize::try_from(*at).map_err(|_| {
                    ExchangeError::new(
                        ExchangeErrorKind::Sink,
                        "the object exceeds the addressable memory",
                    )
                })?;
                let mut memory = lock(memory);
                let end = start + piece.len();
                if memory.len() < end {
                    memory.resize(end, 0);
                }
                memory[start..end].copy_from_slice(&piece);
                *at = end as u64;
                Ok(())
            }
            To::File(pages) => pages.push(piece).await,
            To::Ordered(place) => place.push(piece).await,
        }
    }

    /// Waits until everything is delivered.
    pub(crate) async fn finish(&mut self) -> Result<(), ExchangeError> {
        match &mut self.0 {
            To::None | To::Memory { .. } => Ok(()),
            To::File(pages) => {
                pages.write_behind().await?;
                pages.written().await
            }
            To::Ordered(place) => place.finish().await,
        }
    }
}

/// A range of a file, written one batch behind, so that disk and network work at the same time.
struct Pages {
    /// Absent before the first write to a path.
    file: Option<Arc<File>>,
    output: Option<Arc<Output>>,
    at: u64,
    held: Vec<Bytes>,
    length: usize,
    behind: Option<JoinHandle<io::Result<()>>>,
}

impl Pages {
    fn new(file: Option<Arc<File>>, output: Option<Arc<Output>>, at: u64) -> Self {
        Self { file, output, at, held: Vec::new(), length: 0, behind: None }
    }

    /// Returns the file; creates it before the first bytes.
    async fn file(&mut self) -> Result<Arc<File>, ExchangeError> {
        if let (None, Some(output)) = (&self.file, self.output.clone()) {
            let file = spawn_blocking(move || output.file());
            let file = file.await.unwrap_or_else(|_| Err(over()));
            self.file = Some(file.map_err(failure)?);
        }
        self.file.clone().ok_or_else(|| failure(over()))
    }

    async fn push(&mut self, piece: Bytes) -> Result<(), ExchangeError> {
        self.length += piece.len();
        self.held.push(piece);
        if self.length >= BATCH { self.write_behind().await } else { Ok(()) }
    }

    async fn write_behind(&mut self) -> Result<(), ExchangeError> {
        self.written().await?;
        let batch = std::mem::take(&mut self.held);
        let at = self.at;
        self.at += std::mem::take(&mut self.length) as u64;
        if !batch.is_empty() {
            let file = self.file().await?;
            self.behind = Some(spawn_blocking(move || write_batch(&file, at, &batch)));
        }
        Ok(())
    }

    async fn written(&mut self) -> Result<(), ExchangeError> {
        let Some(behind) = &mut self.behind else { return Ok(()) };
        let result = behind.await;
        self.behind = None;
        match result {
            Ok(result) => result.map_err(failure),
            Err(_) => Err(failure(over())),
        }
    }
}

fn write_batch(file: &File, mut at: u64, batch: &[Bytes]) -> io::Result<()> {
    for piece in batch {
        write_all_at(file, piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

#[cfg(unix)]
fn write_all_at(file: &File, piece: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, piece, at)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut piece: &[u8], mut at: u64) -> io::Result<()> {
    while !piece.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, piece, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        at += written as u64;
        piece = &piece[written..];
    }
    Ok(())
}

/// Converts an error of the sink to a failure.
pub(crate) fn failure(error: io::Error) -> ExchangeError {
    ExchangeError::of_io(ExchangeErrorKind::Sink, error)
}

fn over() -> io::Error {
    io::Error::other("the tokio runtime was shut down")
}

/// Bytes that are written to a file at once.
const BATCH: usize = 1 << 20;

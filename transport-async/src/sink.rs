//! Where the bytes of downloads go.
//!
//! ```text
//!  discard · memory · file  any range, at any time
//!  writer                   in order, through a turnstile: an exchange whose range is next writes on
//!                           as bytes arrive; others keep what they receive until it is their turn
//! ```
//!
//! An exchange ends only when its bytes are delivered, so that a machine's width bounds what is kept.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};

use apus_core::error::{Cause, Failure};
use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::cancel::{Bell, lock};
use crate::turnstile::{Out, Place, Turnstile};

/// Where the bytes of a run's downloads go. A clone is the same sink.
#[derive(Clone, Default)]
pub struct Sink(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    None,
    Discard,
    Memory(Arc<Mutex<Vec<u8>>>),
    File(Arc<File>),
    Ordered(Arc<Turnstile>),
}

impl Sink {
    /// No sink: what needs one is refused.
    pub fn none() -> Self {
        Self::default()
    }

    /// Drops all bytes, which are counted, checked and hashed all the same.
    pub fn discard() -> Self {
        Self(Kind::Discard)
    }

    /// Whether there is one.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self.0, Kind::None)
    }

    /// Keeps all bytes in memory; [`take`](Self::take) gives them back.
    pub fn memory() -> Self {
        Self(Kind::Memory(Arc::default()))
    }

    /// A file, written at offsets: its own position is neither used nor moved. It is not shortened
    /// first.
    pub fn file(file: File) -> Self {
        Self(Kind::File(Arc::new(file)))
    }

    /// A writer, which gets the bytes in order and is flushed at the end of a run that succeeded.
    pub fn writer(writer: impl AsyncWrite + Send + 'static) -> Self {
        Self(Kind::Ordered(Arc::new(Turnstile::new(Out::Writer(Box::pin(writer))))))
    }

    /// What a [`memory`](Self::memory) sink has collected; other sinks have nothing.
    pub fn take(&self) -> Vec<u8> {
        match &self.0 {
            Kind::Memory(memory) => std::mem::take(&mut lock(memory)),
            _ => Vec::new(),
        }
    }

    pub(crate) fn channel(sender: mpsc::Sender<Bytes>) -> Self {
        Self(Kind::Ordered(Arc::new(Turnstile::new(Out::Channel(sender)))))
    }

    /// Where the bytes of one exchange go, from this position on.
    pub(crate) fn delivery(&self, at: u64) -> Delivery {
        Delivery(match &self.0 {
            Kind::None | Kind::Discard => To::None,
            Kind::Memory(memory) => To::Memory { memory: Arc::clone(memory), at },
            Kind::File(file) => To::File(Pages {
                file: Arc::clone(file),
                at,
                held: Vec::new(),
                length: 0,
                behind: None,
            }),
            Kind::Ordered(turnstile) => To::Ordered(turnstile.place(at)),
        })
    }

    /// Rings this bell when an exchange has to wait for its turn.
    pub(crate) fn attach(&self, bell: &Arc<Bell>) {
        if let Kind::Ordered(turnstile) = &self.0 {
            turnstile.attach(bell);
        }
    }

    /// How many exchanges have all their bytes and wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        match &self.0 {
            Kind::Ordered(turnstile) => turnstile.waiting(),
            _ => 0,
        }
    }

    /// Lets exchanges that wait for their turn end, and keeps their bytes: whoever is next can't come
    /// before one of them has ended.
    pub(crate) fn settle(&self) {
        if let Kind::Ordered(turnstile) = &self.0 {
            turnstile.settle();
        }
    }

    /// The run succeeded: nothing more will come.
    pub(crate) async fn flush(&self) -> Result<(), Failure> {
        match &self.0 {
            Kind::Ordered(turnstile) => turnstile.flush().await,
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
        f.write_str(match &self.0 {
            Kind::None => "Sink(none)",
            Kind::Discard => "Sink(discard)",
            Kind::Memory(_) => "Sink(memory)",
            Kind::File(_) => "Sink(file)",
            Kind::Ordered(_) => "Sink(writer)",
        })
    }
}

/// The bytes of one exchange on their way into the sink.
pub(crate) struct Delivery(To);

enum To {
    None,
    Memory { memory: Arc<Mutex<Vec<u8>>>, at: u64 },
    File(Pages),
    Ordered(Place),
}

impl Delivery {
    /// Delivers, or keeps for later, what comes next.
    pub(crate) async fn push(&mut self, piece: Bytes) -> Result<(), Failure> {
        match &mut self.0 {
            To::None => Ok(()),
            To::Memory { memory, at } => {
                let start = usize::try_from(*at)
                    .map_err(|_| Failure::new(Cause::Sink, "too much for memory"))?;
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
    pub(crate) async fn finish(&mut self) -> Result<(), Failure> {
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

/// A range of a file, written one batch behind so that disk and network work at the same time.
struct Pages {
    file: Arc<File>,
    at: u64,
    held: Vec<Bytes>,
    length: usize,
    behind: Option<JoinHandle<io::Result<()>>>,
}

impl Pages {
    async fn push(&mut self, piece: Bytes) -> Result<(), Failure> {
        self.length += piece.len();
        self.held.push(piece);
        if self.length >= BATCH { self.write_behind().await } else { Ok(()) }
    }

    async fn write_behind(&mut self) -> Result<(), Failure> {
        self.written().await?;
        let batch = std::mem::take(&mut self.held);
        let (file, at) = (Arc::clone(&self.file), self.at);
        self.at += std::mem::take(&mut self.length) as u64;
        if !batch.is_empty() {
            self.behind = Some(spawn_blocking(move || write_batch(&file, at, &batch)));
        }
        Ok(())
    }

    async fn written(&mut self) -> Result<(), Failure> {
        let Some(behind) = &mut self.behind else { return Ok(()) };
        let result = behind.await;
        self.behind = None;
        match result {
            Ok(result) => result.map_err(|error| failure(&error)),
            Err(_) => Err(Failure::new(Cause::Sink, "the runtime shut down")),
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

/// What an error of the sink is to the core.
pub(crate) fn failure(error: &io::Error) -> Failure {
    Failure::new(Cause::Sink, error.to_string())
}

/// Bytes that are written to a file at once.
const BATCH: usize = 1 << 20;

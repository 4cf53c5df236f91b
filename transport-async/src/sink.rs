//! Where the bytes of downloads go.
//!
//! ```text
//!  none · memory · file     any range, at any time
//!  writer                   in order, through a turnstile: an exchange whose range is next writes on
//!                           as bytes arrive; others keep what they receive until it is their turn
//! ```
//!
//! An exchange ends only when its bytes are delivered, so that a machine's width bounds what is kept.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use apus_core::error::{Cause, Failure};
use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::cancel::{Bell, lock};

/// Where the bytes of a run's downloads go. A clone is the same sink.
#[derive(Clone, Default)]
pub struct Sink(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    None,
    Memory(Arc<Mutex<Vec<u8>>>),
    File(Arc<File>),
    Ordered(Arc<Turnstile>),
}

impl Sink {
    /// Drops all bytes.
    pub fn none() -> Self {
        Self::default()
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
            Kind::None => To::None,
            Kind::Memory(memory) => To::Memory { memory: Arc::clone(memory), at },
            Kind::File(file) => To::File(Pages {
                file: Arc::clone(file),
                at,
                held: Vec::new(),
                length: 0,
                behind: None,
            }),
            Kind::Ordered(turnstile) => {
                To::Ordered(Place { turnstile: Arc::clone(turnstile), at, held: VecDeque::new() })
            }
        })
    }

    /// Rings this bell when an exchange has to wait for its turn.
    pub(crate) fn attach(&self, bell: &Arc<Bell>) {
        if let Kind::Ordered(turnstile) = &self.0 {
            lock(&turnstile.0).bell = Some(Arc::clone(bell));
        }
    }

    /// How many exchanges have all their bytes and wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        match &self.0 {
            Kind::Ordered(turnstile) => lock(&turnstile.0).waiting,
            _ => 0,
        }
    }

    /// Lets exchanges that wait for their turn end, and keeps their bytes: whoever is next can't come
    /// before one of them has ended.
    pub(crate) fn settle(&self) {
        if let Kind::Ordered(turnstile) = &self.0 {
            let mut turn = lock(&turnstile.0);
            turn.settling = true;
            turn.wake();
        }
    }

    /// The run succeeded: nothing more will come.
    pub(crate) async fn flush(&self) -> Result<(), Failure> {
        let Kind::Ordered(turnstile) = &self.0 else { return Ok(()) };
        let out = lock(&turnstile.0).out.take();
        if let Some(Out::Writer(mut writer)) = out {
            writer.flush().await.map_err(|error| failure(&error))?;
            lock(&turnstile.0).out = Some(Out::Writer(writer));
        }
        Ok(())
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
            To::Ordered(place) => {
                place.held.push_back(piece);
                place.write().await
            }
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

/// Lets exchanges write in the order of their positions.
struct Turnstile(Mutex<Turn>);

struct Turn {
    next: u64,
    /// Taken by who writes.
    out: Option<Out>,
    failed: Option<String>,
    /// Bytes of exchanges that were let go before their turn.
    kept: BTreeMap<u64, VecDeque<Bytes>>,
    waiting: usize,
    settling: bool,
    wakers: Vec<Waker>,
    bell: Option<Arc<Bell>>,
}

enum Out {
    Writer(Pin<Box<dyn AsyncWrite + Send>>),
    Channel(mpsc::Sender<Bytes>),
}

impl Turnstile {
    fn new(out: Out) -> Self {
        Self(Mutex::new(Turn {
            next: 0,
            out: Some(out),
            failed: None,
            kept: BTreeMap::new(),
            waiting: 0,
            settling: false,
            wakers: Vec::new(),
            bell: None,
        }))
    }

    /// The way out, if the byte at `at` is next and nobody else is writing.
    fn enter(&self, at: u64) -> Result<Option<Passing<'_>>, Failure> {
        let mut turn = lock(&self.0);
        if let Some(why) = &turn.failed {
            return Err(Failure::new(Cause::Sink, why.clone()));
        }
        if at < turn.next {
            let detail = format!("byte {at} was written before");
            return Err(Failure::new(Cause::Sink, detail));
        }
        if at > turn.next {
            return Ok(None);
        }
        Ok(turn.out.take().map(|out| Passing { turnstile: self, out: Some(out), at }))
    }
}

impl Turn {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

/// Somebody who writes. One who is dropped in the middle of it leaves a writer of which nobody knows
/// what it has written.
struct Passing<'a> {
    turnstile: &'a Turnstile,
    out: Option<Out>,
    at: u64,
}

impl Passing<'_> {
    async fn write(&mut self, held: &mut VecDeque<Bytes>) -> Result<(), Failure> {
        while let Some(piece) = held.pop_front() {
            let length = piece.len() as u64;
            let written = match &mut self.out {
                Some(Out::Writer(writer)) => writer.write_all(&piece).await,
                Some(Out::Channel(sender)) => sender
                    .send(piece)
                    .await
                    .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads")),
                None => Ok(()),
            };
            if let Err(error) = written {
                self.fail(error.to_string());
                return Err(failure(&error));
            }
            self.at += length;
        }
        Ok(())
    }

    /// Lets the next one in, unless bytes for this position were kept: they go first.
    fn leave(&mut self) -> Option<VecDeque<Bytes>> {
        let mut turn = lock(&self.turnstile.0);
        let kept = turn.kept.remove(&self.at);
        if kept.is_none() {
            turn.next = self.at;
            turn.out = self.out.take();
            turn.wake();
        }
        kept
    }

    fn fail(&mut self, why: String) {
        self.out = None;
        let mut turn = lock(&self.turnstile.0);
        turn.failed.get_or_insert(why);
        turn.wake();
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        if self.out.is_some() {
            self.fail("a write was given up in the middle".into());
        }
    }
}

/// An exchange's place in the order.
struct Place {
    turnstile: Arc<Turnstile>,
    at: u64,
    held: VecDeque<Bytes>,
}

impl Place {
    /// Writes if it is this one's turn.
    async fn write(&mut self) -> Result<(), Failure> {
        if self.held.is_empty() {
            return Ok(());
        }
        let Some(mut passing) = self.turnstile.enter(self.at)? else { return Ok(()) };
        passing.write(&mut self.held).await?;
        self.at = passing.at;
        while let Some(mut kept) = passing.leave() {
            passing.write(&mut kept).await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        self.write().await?;
        while !self.held.is_empty() {
            self.turn().await;
            self.write().await?;
        }
        Ok(())
    }

    /// Waits for a change, or leaves everything with the turnstile.
    async fn turn(&mut self) {
        let turnstile = Arc::clone(&self.turnstile);
        let waiting = Waiting::at(&turnstile);
        poll_fn(|cx| self.poll_turn(cx)).await;
        drop(waiting);
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut turn = lock(&self.turnstile.0);
        if turn.failed.is_some() || (turn.next >= self.at && turn.out.is_some()) {
            return Poll::Ready(());
        }
        if turn.settling {
            turn.kept.insert(self.at, std::mem::take(&mut self.held));
            return Poll::Ready(());
        }
        turn.wakers.retain(|waker| !waker.will_wake(cx.waker()));
        turn.wakers.push(cx.waker().clone());
        Poll::Pending
    }
}

/// Counts one who waits for its turn.
struct Waiting<'a>(&'a Turnstile);

impl<'a> Waiting<'a> {
    fn at(turnstile: &'a Turnstile) -> Self {
        let mut turn = lock(&turnstile.0);
        turn.waiting += 1;
        if let Some(bell) = &turn.bell {
            bell.ring();
        }
        drop(turn);
        Self(turnstile)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut turn = lock(&self.0.0);
        turn.waiting -= 1;
        turn.settling &= turn.waiting > 0;
    }
}

fn failure(error: &io::Error) -> Failure {
    Failure::new(Cause::Sink, error.to_string())
}

/// Bytes that are written to a file at once.
const BATCH: usize = 1 << 20;

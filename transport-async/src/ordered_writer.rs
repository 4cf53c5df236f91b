//! Lets parallel exchanges write one after the other.
//!
//! ```text
//!             next
//!   [ written ][ passing: writes as bytes arrive ][ waits ][ waits ]
//!                          └── leaves ──▶ next advances, waiting exchanges check again
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_host::files::Output;
use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::cancel::{RunWaker, lock};
use crate::sink::failure;

/// Lets exchanges write in the order of their positions.
pub(crate) struct OrderedWriter(Mutex<Turn>);

struct Turn {
    next: u64,
    /// Absent while an exchange writes.
    out: Option<Out>,
    failed: Option<String>,
    /// Bytes of exchanges that ended before their turn.
    kept: BTreeMap<u64, VecDeque<Bytes>>,
    waiting: usize,
    settling: bool,
    wakers: Vec<Waker>,
    run_waker: Option<Arc<RunWaker>>,
}

pub(crate) enum Out {
    Writer(Pin<Box<dyn AsyncWrite + Send>>),
    Channel(mpsc::Sender<Bytes>),
    Path(Arc<Output>),
}

impl OrderedWriter {
    pub(crate) fn new(out: Out) -> Self {
        Self(Mutex::new(Turn {
            next: 0,
            out: Some(out),
            failed: None,
            kept: BTreeMap::new(),
            waiting: 0,
            settling: false,
            wakers: Vec::new(),
            run_waker: None,
        }))
    }

    /// Returns the place of an exchange that begins at `at`.
    pub(crate) fn place(self: &Arc<Self>, at: u64) -> Place {
        Place { ordered: Arc::clone(self), at, held: VecDeque::new() }
    }

    /// Notifies this waker when an exchange must wait.
    pub(crate) fn attach(&self, waker: &Arc<RunWaker>) {
        lock(&self.0).run_waker = Some(Arc::clone(waker));
    }

    /// Returns how many exchanges have all their bytes and wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.0).waiting
    }

    /// Lets the waiting exchanges end, and keeps their bytes.
    pub(crate) fn settle(&self) {
        let mut turn = lock(&self.0);
        turn.settling = true;
        turn.wake();
    }

    /// Flushes the writer; nothing more will be written.
    pub(crate) async fn flush(&self) -> Result<(), ExchangeError> {
        let out = lock(&self.0).out.take();
        if let Some(Out::Writer(mut writer)) = out {
            writer.flush().await.map_err(failure)?;
            lock(&self.0).out = Some(Out::Writer(writer));
        }
        Ok(())
    }

    /// Returns the way to write, if the byte at `at` is next and no other exchange is writing.
    fn enter(&self, at: u64) -> Result<Option<Passing<'_>>, ExchangeError> {
        let mut turn = lock(&self.0);
        if let Some(why) = &turn.failed {
            return Err(ExchangeError::new(ExchangeErrorKind::Sink, why.clone()));
        }
        if at < turn.next {
            let detail = format!("byte {at} was already written");
            return Err(ExchangeError::new(ExchangeErrorKind::Sink, detail));
        }
        if at > turn.next {
            return Ok(None);
        }
        Ok(turn.out.take().map(|out| Passing { ordered: self, out: Some(out), at }))
    }
}

impl Turn {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

/// An exchange that writes. If it is dropped during a write, it is unknown how many bytes the
/// writer has written.
struct Passing<'a> {
    ordered: &'a OrderedWriter,
    out: Option<Out>,
    at: u64,
}

impl Passing<'_> {
    async fn write(&mut self, held: &mut VecDeque<Bytes>) -> Result<(), ExchangeError> {
        while let Some(piece) = held.pop_front() {
            let length = piece.len() as u64;
            let written = match &mut self.out {
                Some(Out::Writer(writer)) => writer.write_all(&piece).await,
                Some(Out::Channel(sender)) => sender.send(piece).await.map_err(|_| {
                    io::Error::new(
                        io::ErrorKind::BrokenPipe,
                        "the receiver of the channel was dropped",
                    )
                }),
                Some(Out::Path(output)) => {
                    let output = Arc::clone(output);
                    spawn_blocking(move || (&*output).write_all(&piece)).await.unwrap_or_else(
                        |_| Err(io::Error::other("the tokio runtime was shut down")),
                    )
                }
                None => Ok(()),
            };
            if let Err(error) = written {
                self.fail(error.to_string());
                return Err(failure(error));
            }
            self.at += length;
        }
        Ok(())
    }

    /// Lets the next exchange write, unless bytes for this position were kept: they go first.
    fn leave(&mut self) -> Option<VecDeque<Bytes>> {
        let mut turn = lock(&self.ordered.0);
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
        let mut turn = lock(&self.ordered.0);
        turn.failed.get_or_insert(why);
        turn.wake();
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        if self.out.is_some() {
            self.fail("a write was cancelled before it completed".into());
        }
    }
}

/// An exchange's place in the order.
pub(crate) struct Place {
    ordered: Arc<OrderedWriter>,
    at: u64,
    held: VecDeque<Bytes>,
}

impl Place {
    /// Writes the next piece, or keeps it until it is this exchange's turn.
    pub(crate) async fn push(&mut self, piece: Bytes) -> Result<(), ExchangeError> {
        self.held.push_back(piece);
        self.write().await
    }

    /// Writes, if it is this exchange's turn.
    async fn write(&mut self) -> Result<(), ExchangeError> {
        if self.held.is_empty() {
            return Ok(());
        }
        let Some(mut passing) = self.ordered.enter(self.at)? else { return Ok(()) };
        passing.write(&mut self.held).await?;
        self.at = passing.at;
        while let Some(mut kept) = passing.leave() {
            passing.write(&mut kept).await?;
        }
        Ok(())
    }

    /// Waits until everything is written.
    pub(crate) async fn finish(&mut self) -> Result<(), ExchangeError> {
        self.write().await?;
        while !self.held.is_empty() {
            self.turn().await;
            self.write().await?;
        }
        Ok(())
    }

    /// Waits for a change, or leaves all bytes with the ordered.
    async fn turn(&mut self) {
        let ordered = Arc::clone(&self.ordered);
        let waiting = Waiting::at(&ordered);
        poll_fn(|cx| self.poll_turn(cx)).await;
        drop(waiting);
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut turn = lock(&self.ordered.0);
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

/// Counts an exchange that waits for its turn.
struct Waiting<'a>(&'a OrderedWriter);

impl<'a> Waiting<'a> {
    fn at(ordered: &'a OrderedWriter) -> Self {
        let mut turn = lock(&ordered.0);
        turn.waiting += 1;
        if let Some(waker) = &turn.run_waker {
            waker.notify();
        }
        drop(turn);
        Self(ordered)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut turn = lock(&self.0.0);
        turn.waiting -= 1;
        turn.settling &= turn.waiting > 0;
    }
}

//! Readers whose bytes come once: one range after the other, or through the spool.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use apus_core::error::{Cause, Failure};
use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::cancel::lock;
use crate::source::{PIECE, Tap};
use crate::spool::Spool;

/// A reader whose bytes come once.
pub(crate) struct Pipe {
    pub(crate) length: Option<u64>,
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
    pub(crate) fn new(reader: Pin<Box<dyn AsyncRead + Send>>, length: Option<u64>) -> Self {
        let reading = Reading { reader, buffer: BytesMut::new(), at: 0, ended: false };
        Self {
            length,
            reading: Mutex::new(Some(reading)),
            spooled: AtomicBool::new(false),
            spool: Spool::default(),
        }
    }

    /// Whether ranges come from the spool.
    pub(crate) fn is_spooled(&self) -> bool {
        self.spooled.load(Ordering::Relaxed)
    }

    /// The reader, for a run that fills the spool.
    pub(crate) fn open(self: &Arc<Self>, tap: Option<Arc<Mutex<Tap>>>) -> Result<Inflow, Failure> {
        let Some(reading) = lock(&self.reading).take() else {
            return Err(Failure::new(Cause::Source, "it was used before"));
        };
        self.spooled.store(true, Ordering::Relaxed);
        Ok(Inflow { reading, pipe: Arc::clone(self), tap, ended: false })
    }

    /// The reader, for the exchange that sends `range`.
    pub(crate) fn take(
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
pub(crate) struct Once {
    pipe: Arc<Pipe>,
    reading: Option<Reading>,
    left: Range<u64>,
    tap: Option<Arc<Mutex<Tap>>>,
}

impl Once {
    /// The next piece; none is empty.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Failure>> {
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
                if let (true, Some(tap)) = (self.pipe.length == Some(self.left.start), &self.tap) {
                    lock(tap).ended = true;
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

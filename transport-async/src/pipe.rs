//! Readers whose bytes can be read only once: one range after the other, or through the spool.

use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use apus_core::error::{ExchangeError, ExchangeErrorKind};
use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::cancel::lock;
use crate::passes::OnePass;
use crate::source::PIECE;
use crate::spool::Spool;

/// A reader whose bytes can be read only once.
pub(crate) struct Pipe {
    pub(crate) length: Option<u64>,
    /// Absent while an exchange or a run reads.
    reading: Mutex<Option<Reading>>,
    spooled: AtomicBool,
    /// All bytes were read.
    over: AtomicBool,
    pub(crate) spool: Spool,
}

struct Reading {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    buffer: BytesMut,
    at: u64,
    ended: bool,
    /// A read failed, or has panicked: bytes may have been lost, so no more are read.
    failed: bool,
}

impl Pipe {
    pub(crate) fn new(reader: Pin<Box<dyn AsyncRead + Send>>, length: Option<u64>) -> Self {
        let reading =
            Reading { reader, buffer: BytesMut::new(), at: 0, ended: false, failed: false };
        Self {
            length,
            reading: Mutex::new(Some(reading)),
            spooled: AtomicBool::new(false),
            over: AtomicBool::new(false),
            spool: Spool::default(),
        }
    }

    /// Whether ranges are read from the spool.
    pub(crate) fn is_spooled(&self) -> bool {
        self.spooled.load(Ordering::Relaxed)
    }

    /// Whether all bytes were read.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Checks that a reader of length 0, of which no byte will be requested, has none.
    pub(crate) async fn is_empty_as_said(&self) -> Result<(), ExchangeError> {
        let Some(mut reading) = lock(&self.reading).take() else { return Ok(()) };
        let kept = poll_fn(|cx| reading.poll_promise(cx, self.length)).await;
        self.over.store(reading.is_over(self.length), Ordering::Relaxed);
        *lock(&self.reading) = Some(reading);
        kept
    }

    /// Returns the reader, for a run that fills the spool.
    pub(crate) fn open(
        self: &Arc<Self>,
        tap: Option<Arc<OnePass>>,
    ) -> Result<Inflow, ExchangeError> {
        let Some(reading) = lock(&self.reading).take() else {
            return Err(ExchangeError::new(
                ExchangeErrorKind::Source,
                "it can be read only once, and was read before",
            ));
        };
        self.spooled.store(true, Ordering::Relaxed);
        Ok(Inflow { reading, pipe: Arc::clone(self), tap, ended: false })
    }

    /// Returns the reader, for the exchange that sends `range`.
    pub(crate) fn take(
        self: &Arc<Self>,
        range: Range<u64>,
        tap: Option<Arc<OnePass>>,
    ) -> Result<Once, ExchangeError> {
        let refuse = |detail: String| Err(ExchangeError::new(ExchangeErrorKind::Source, detail));
        if self.length.is_none() {
            return refuse(
                "its length is unknown, which only an upload of a stream supports".into(),
            );
        }
        let Some(reading) = lock(&self.reading).take() else {
            return refuse("it can be read only once, and another request is reading it".into());
        };
        let at = reading.at;
        let once =
            Once { pipe: Arc::clone(self), reading: Some(reading), left: range.clone(), tap };
        if at != range.start {
            return refuse(format!(
                "it can be read only once and is at byte {at}, but byte {} is required",
                range.start
            ));
        }
        Ok(once)
    }
}

impl Reading {
    /// Returns a piece of `most` bytes; a shorter one when the reader ended, an empty one after
    /// that.
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        most: u64,
        length: Option<u64>,
        tap: Option<&OnePass>,
    ) -> Poll<Result<Bytes, ExchangeError>> {
        if let Some(tap) = tap {
            ready!(tap.poll_room(cx));
        }
        let want = usize::try_from(most).map_or(PIECE, |most| most.min(PIECE));
        while self.buffer.len() < want && !self.ended {
            let room = want - self.buffer.len();
            self.buffer.reserve(room);
            self.begin()?;
            let mut limited = (&mut self.buffer).limit(room);
            // Reading into a buffer loses nothing when its future is dropped.
            let read = pin!(self.reader.read_buf(&mut limited)).poll(cx);
            self.ended = ready!(self.end(read))? == 0;
        }
        ready!(self.poll_promise(cx, length))?;
        let piece = self.buffer.split().freeze();
        self.at += piece.len() as u64;
        if let Some(tap) = tap {
            tap.append(piece.clone());
        }
        Poll::Ready(Ok(piece))
    }

    /// Checks that the reader neither ends before the length that was given for it nor continues
    /// after it. This happens before the last of its bytes is passed on.
    fn poll_promise(
        &mut self,
        cx: &mut Context<'_>,
        length: Option<u64>,
    ) -> Poll<Result<(), ExchangeError>> {
        let Some(length) = length else { return Poll::Ready(Ok(())) };
        let at = self.at + self.buffer.len() as u64;
        if at >= length && !self.ended {
            self.begin()?;
            let mut more = [0];
            let read = pin!(self.reader.read(&mut more)).poll(cx);
            if ready!(self.end(read))? > 0 {
                self.failed = true;
                let detail = format!("it has more than {length} bytes");
                return Poll::Ready(Err(ExchangeError::new(ExchangeErrorKind::Length, detail)));
            }
            self.ended = true;
        }
        if self.ended && at < length {
            let detail = format!("it ended after {at} of {length} bytes");
            return Poll::Ready(Err(ExchangeError::new(ExchangeErrorKind::Length, detail)));
        }
        Poll::Ready(Ok(()))
    }

    /// Begins to call the reader, unless it has failed before. Until [`end`](Self::end) it counts as
    /// failed, because it may panic.
    fn begin(&mut self) -> Result<(), ExchangeError> {
        match std::mem::replace(&mut self.failed, true) {
            false => Ok(()),
            true => {
                let detail = "an earlier read of it failed";
                Err(ExchangeError::new(ExchangeErrorKind::Source, detail))
            }
        }
    }

    fn end(&mut self, read: Poll<io::Result<usize>>) -> Poll<Result<usize, ExchangeError>> {
        self.failed = matches!(read, Poll::Ready(Err(_)));
        read.map_err(broken)
    }

    fn is_over(&self, length: Option<u64>) -> bool {
        length.map_or(self.ended, |length| self.at == length)
    }
}

fn broken(error: io::Error) -> ExchangeError {
    ExchangeError::of_io(ExchangeErrorKind::Source, error)
}

/// A range of a reader, which is returned to the pipe when this is dropped.
pub(crate) struct Once {
    pipe: Arc<Pipe>,
    reading: Option<Reading>,
    left: Range<u64>,
    tap: Option<Arc<OnePass>>,
}

impl Once {
    /// Returns the next piece, which is never empty.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, ExchangeError>> {
        let Some(reading) = self.reading.as_mut().filter(|_| !self.left.is_empty()) else {
            return Poll::Ready(Ok(None));
        };
        let most = self.left.end - self.left.start;
        let piece = ready!(reading.poll_piece(cx, most, self.pipe.length, self.tap.as_deref()));
        let over = reading.is_over(self.pipe.length);
        self.pipe.over.store(over, Ordering::Relaxed);
        let ended_at = reading.at;
        Poll::Ready(piece.and_then(|piece| {
            if piece.is_empty() {
                let left = self.left.end.saturating_sub(ended_at);
                let detail = format!("it ended {left} bytes before the end of the requested range");
                return Err(ExchangeError::new(ExchangeErrorKind::Source, detail));
            }
            self.left.start += piece.len() as u64;
            Ok(Some(piece))
        }))
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        *lock(&self.pipe.reading) = self.reading.take();
    }
}

/// A reader while it fills the spool.
pub(crate) struct Inflow {
    reading: Reading,
    pipe: Arc<Pipe>,
    tap: Option<Arc<OnePass>>,
    /// The end was reported.
    ended: bool,
}

impl Inflow {
    /// Reads on, not beyond `high`. Ready with the position, and whether the source ended there.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        high: u64,
    ) -> Poll<Result<(u64, bool), ExchangeError>> {
        let length = self.pipe.length;
        let end = length.map_or(high, |length| length.min(high));
        let most = end.saturating_sub(self.reading.at);
        if most == 0 && length.is_none_or(|length| self.reading.at < length) {
            return Poll::Pending;
        }
        let piece = ready!(self.reading.poll_piece(cx, most, length, self.tap.as_deref()))?;
        self.pipe.spool.push(piece);
        self.ended = self.reading.is_over(length) || self.reading.ended;
        self.pipe.over.store(self.ended, Ordering::Relaxed);
        Poll::Ready(Ok((self.reading.at, self.ended)))
    }

    /// Whether all bytes were read and reported.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Drops the bytes before `low`.
    pub(crate) fn release(&self, low: u64) {
        self.pipe.spool.release(low);
    }
}

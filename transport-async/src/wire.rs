//! The stream below a connection, and what it tells of itself while bytes move.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use apus_core::Error;
use apus_core::error::Failure;
use apus_core::http::{HeadMeter, MOST_INFORMATIONAL};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::cancel::lock;

/// A TCP or TLS stream that keeps its [`Pulse`].
pub(crate) struct Wire {
    stream: Stream,
    pulse: Arc<Pulse>,
    /// The peer takes nothing any more. What it said before is still read: an early answer is worth
    /// more than the error of a write that came too late.
    deaf: bool,
}

/// What is below HTTP.
pub(crate) enum Stream {
    /// http.
    Plain(TcpStream),
    /// https, or to a proxy that speaks TLS; through such a proxy to https, one in the other.
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<Stream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl Wire {
    pub(crate) fn new(stream: Stream, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse, deaf: false }
    }

    fn written(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(bytes)) => {
                self.pulse.write(bytes as u64);
                result
            }
            Poll::Ready(Err(_)) => {
                self.deaf = true;
                // Reading, which goes on, says how the connection ended.
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pulse.informational() > MOST_INFORMATIONAL {
            // hyper reads on while there is something to read, and gives nobody else a turn.
            return Poll::Ready(Err(io::Error::other("too many informational answers")));
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let came = buffer.filled().get(before..).unwrap_or_default();
        if !came.is_empty() {
            self.pulse.beat();
            if !self.pulse.read_head(came) {
                return Poll::Ready(Err(io::Error::other("the answer's head is too long")));
            }
        }
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.deaf {
            return Poll::Pending;
        }
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.deaf {
            return Poll::Pending;
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            return Poll::Pending;
        }
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        match result {
            Poll::Ready(Err(_)) => {
                self.deaf = true;
                Poll::Pending
            }
            Poll::Ready(Ok(())) => {
                self.pulse.see_off();
                result
            }
            Poll::Pending => result,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What the exchange, the body that it sends and the stream below tell each other. One for each
/// connection; all of them live in the same task, so that no order of memory is needed.
pub(crate) struct Pulse {
    born: Instant,
    /// Nanoseconds after `born` when a byte last moved.
    moved: AtomicU64,
    /// The same of bytes that were sent.
    wrote: AtomicU64,
    /// Bytes that were sent.
    sent: AtomicU64,
    /// Informational answers that came.
    informational: AtomicUsize,
    /// The whole body was handed over.
    given: AtomicBool,
    /// And nothing of it waits in the connection any more.
    off: AtomicBool,
    /// The body waits for something else than the network: its source, a limit of bandwidth.
    held: AtomicBool,
    /// The answer is there; nothing more of the body is wanted.
    stopped: AtomicBool,
    /// The server said 100.
    invited: AtomicBool,
    /// Why the body could not be made.
    spoilt: Mutex<Option<Error>>,
    /// The heads of the answers, and what is wrong with one.
    heads: Mutex<(HeadMeter, Option<Failure>)>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            born: Instant::now(),
            moved: AtomicU64::new(0),
            wrote: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            informational: AtomicUsize::new(0),
            given: AtomicBool::new(false),
            off: AtomicBool::new(false),
            held: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            invited: AtomicBool::new(false),
            spoilt: Mutex::new(None),
            heads: Mutex::default(),
        }
    }

    /// Another exchange begins.
    pub(crate) fn restart(&self) {
        for flag in [&self.given, &self.off, &self.held, &self.stopped, &self.invited] {
            flag.store(false, Ordering::Relaxed);
        }
        *lock(&self.spoilt) = None;
        *lock(&self.heads) = Default::default();
        self.sent.store(0, Ordering::Relaxed);
        self.informational.store(0, Ordering::Relaxed);
        self.write(0);
    }

    /// So many bytes were sent.
    pub(crate) fn write(&self, bytes: u64) {
        self.beat();
        self.wrote.store(self.moved.load(Ordering::Relaxed), Ordering::Relaxed);
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// When bytes were last sent.
    pub(crate) fn wrote(&self) -> Instant {
        self.born + Duration::from_nanos(self.wrote.load(Ordering::Relaxed))
    }

    /// Bytes that were sent in this exchange.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The time, as rates are measured by it.
    pub(crate) fn tick(&self) -> Duration {
        self.born.elapsed()
    }

    /// The moment of a [`tick`](Self::tick).
    pub(crate) fn at(&self, tick: Duration) -> Option<Instant> {
        self.born.checked_add(tick)
    }

    /// Something moved.
    pub(crate) fn beat(&self) {
        let nanos = u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.moved.store(nanos, Ordering::Relaxed);
    }

    /// When something last moved.
    pub(crate) fn last(&self) -> Instant {
        self.born + Duration::from_nanos(self.moved.load(Ordering::Relaxed))
    }

    pub(crate) fn is_given(&self) -> bool {
        self.given.load(Ordering::Relaxed)
    }

    pub(crate) fn give(&self) {
        self.given.store(true, Ordering::Relaxed);
    }

    /// The stream below has taken all that hyper had for it.
    fn see_off(&self) {
        if self.is_given() {
            self.off.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the stream below has taken the whole body.
    pub(crate) fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// The body waits for something else than the network, or no longer does. Time that it waited
    /// is nobody's silence.
    pub(crate) fn hold(&self, held: bool) {
        if self.held.swap(held, Ordering::Relaxed) && !held {
            self.write(0);
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_invited(&self) -> bool {
        self.invited.load(Ordering::Relaxed)
    }

    /// An informational answer came.
    pub(crate) fn inform(&self, status: StatusCode) {
        self.informational.fetch_add(1, Ordering::Relaxed);
        if status == StatusCode::CONTINUE {
            self.invited.store(true, Ordering::Relaxed);
        }
    }

    /// Informational answers that came in this exchange.
    pub(crate) fn informational(&self) -> usize {
        self.informational.load(Ordering::Relaxed)
    }

    /// Measures what came, as far as it belongs to the head of an answer. False when that is too long.
    fn read_head(&self, came: &[u8]) -> bool {
        let mut heads = lock(&self.heads);
        let (meter, failed) = &mut *heads;
        if failed.is_none() {
            *failed = meter.push(came).err();
        }
        failed.is_none()
    }

    /// What is wrong with the head of an answer.
    pub(crate) fn head_failure(&self) -> Option<Failure> {
        lock(&self.heads).1.clone()
    }

    pub(crate) fn spoil(&self, why: Error) {
        lock(&self.spoilt).get_or_insert(why);
    }

    pub(crate) fn spoilt(&self) -> Option<Error> {
        lock(&self.spoilt).take()
    }
}

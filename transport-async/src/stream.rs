//! The stream below a connection, and what is recorded while bytes move.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use apus_core::Error;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{HeadMeter, MOST_INFORMATIONAL, SpareFields};
use bytes::BytesMut;
use http::HeaderMap;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::cancel::lock;

/// A TCP or TLS stream that updates its [`Pulse`].
pub(crate) struct Wire {
    stream: Stream,
    pulse: Arc<Pulse>,
    /// The peer accepts no more bytes. What it sent before is still read, because an early response
    /// is more useful than the error of a late write.
    deaf: bool,
    /// What hyper gets before anything else: the end of a head that has more fields than it has room
    /// for, and what follows that head.
    queue: BytesMut,
}

/// The stream below HTTP.
pub(crate) enum Stream {
    /// http.
    Plain(TcpStream),
    /// https, or a proxy that speaks TLS; through such a proxy to https, one inside the other.
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<Stream>>),
}

impl Stream {
    /// Whether the system has nothing to be read: neither bytes nor the end. The runtime, which hears
    /// of them only when it next waits for events, may not know yet.
    fn is_quiet(&self) -> bool {
        match self {
            Self::Plain(stream) => {
                let seen = SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
                matches!(seen, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref().0.is_quiet(),
        }
    }
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
        Self { stream, pulse, deaf: false, queue: BytesMut::new() }
    }

    fn written(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(bytes)) => {
                self.pulse.write(bytes as u64);
                result
            }
            Poll::Ready(Err(_)) => {
                self.deaf = true;
                // The read, which continues, returns how the connection ended.
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
        if self.pulse.is_idle() && !self.stream.is_quiet() {
            return Poll::Ready(Err(io::Error::other("this belongs to no response")));
        }
        let Self { stream, pulse, queue, .. } = &mut *self;
        let before = buffer.filled().len();
        while queue.is_empty() {
            let result = Pin::new(&mut *stream).poll_read(cx, buffer);
            let came = buffer.filled().get(before..).unwrap_or_default();
            if came.is_empty() {
                return result;
            }
            pulse.beat();
            let Some(passed) = pulse.read_head(came, queue) else {
                return Poll::Ready(Err(io::Error::other("the head of the response is not valid")));
            };
            if passed > 0 {
                buffer.set_filled(before + passed);
                return result;
            }
            buffer.set_filled(before);
        }
        let queued = queue.split_to(queue.len().min(buffer.remaining()));
        buffer.put_slice(&queued);
        Poll::Ready(Ok(()))
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
/// connection; all of them are in the same task, so no memory ordering is needed.
pub(crate) struct Pulse {
    born: Instant,
    /// Nanoseconds after `born` when a byte last moved.
    moved: AtomicU64,
    /// Nanoseconds after `born` when a byte was last sent.
    wrote: AtomicU64,
    /// Bytes that were sent.
    sent: AtomicU64,
    /// hyper has read the whole body.
    given: AtomicBool,
    /// And none of it waits in the connection any more.
    off: AtomicBool,
    /// The body waits for something other than the network: its source, or a limit of bandwidth.
    held: AtomicBool,
    /// The response is there; the rest of the body is not sent.
    stopped: AtomicBool,
    /// No request is in progress, so that nothing may come.
    idle: AtomicBool,
    /// Why the body could not be made.
    spoilt: Mutex<Option<Error>>,
    heads: Mutex<Heads>,
    /// The last head has ended: what follows is not measured, and `heads` not locked for it.
    headed: AtomicBool,
    /// `heads` has more to tell than that: a failure, informational responses, or fields.
    noted: AtomicBool,
}

/// The heads of the responses of an exchange.
#[derive(Default)]
struct Heads {
    meter: HeadMeter,
    /// What is wrong with one.
    failure: Option<ExchangeError>,
    /// The fields that hyper has no room for.
    spare: Option<SpareFields>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            born: Instant::now(),
            moved: AtomicU64::new(0),
            wrote: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            given: AtomicBool::new(false),
            off: AtomicBool::new(false),
            held: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            idle: AtomicBool::new(false),
            spoilt: Mutex::new(None),
            heads: Mutex::default(),
            headed: AtomicBool::new(false),
            noted: AtomicBool::new(false),
        }
    }

    /// Begins another exchange.
    pub(crate) fn restart(&self, now: Instant) {
        for flag in [&self.given, &self.off, &self.held, &self.stopped, &self.idle] {
            flag.store(false, Ordering::Relaxed);
        }
        *lock(&self.spoilt) = None;
        let heads = &mut *lock(&self.heads);
        heads.meter = HeadMeter::default();
        if self.noted.swap(false, Ordering::Relaxed) {
            *heads = Heads::default();
        }
        self.headed.store(false, Ordering::Relaxed);
        self.sent.store(0, Ordering::Relaxed);
        let nanos = nanos(now.saturating_duration_since(self.born));
        self.moved.store(nanos, Ordering::Relaxed);
        self.wrote.store(nanos, Ordering::Relaxed);
    }

    /// Counts `bytes` that were sent.
    pub(crate) fn write(&self, bytes: u64) {
        self.beat();
        self.wrote.store(self.moved.load(Ordering::Relaxed), Ordering::Relaxed);
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns when bytes were last sent.
    pub(crate) fn wrote(&self) -> Instant {
        self.born + self.wrote_tick()
    }

    /// Returns the [`tick`](Self::tick) at which bytes were last sent.
    pub(crate) fn wrote_tick(&self) -> Duration {
        Duration::from_nanos(self.wrote.load(Ordering::Relaxed))
    }

    /// Returns the bytes that were sent in this exchange.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns the time since `born`, which rates are measured by.
    pub(crate) fn tick(&self) -> Duration {
        self.born.elapsed()
    }

    /// Returns the instant of a [`tick`](Self::tick).
    pub(crate) fn at(&self, tick: Duration) -> Option<Instant> {
        self.born.checked_add(tick)
    }

    /// Records that bytes moved.
    pub(crate) fn beat(&self) {
        self.moved.store(nanos(self.tick()), Ordering::Relaxed);
    }

    /// Returns when bytes last moved.
    pub(crate) fn last(&self) -> Instant {
        self.born + self.moved()
    }

    /// Returns the [`tick`](Self::tick) at which bytes last moved.
    pub(crate) fn moved(&self) -> Duration {
        Duration::from_nanos(self.moved.load(Ordering::Relaxed))
    }

    pub(crate) fn is_given(&self) -> bool {
        self.given.load(Ordering::Relaxed)
    }

    pub(crate) fn give(&self) {
        self.given.store(true, Ordering::Relaxed);
    }

    /// Records that the stream below has taken everything from hyper.
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

    /// Records whether the body waits for something other than the network. That time counts for no
    /// limit.
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

    /// Begins the time between two exchanges, which [`restart`](Self::restart) ends.
    pub(crate) fn rest(&self) {
        self.idle.store(true, Ordering::Relaxed);
    }

    fn is_idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed)
    }

    /// Whether the server has responded `100 Continue`.
    pub(crate) fn is_invited(&self) -> bool {
        self.noted.load(Ordering::Relaxed) && lock(&self.heads).meter.has_continued()
    }

    /// Measures the bytes that belong to the head of a response. Returns how many bytes hyper gets
    /// as they are; what it gets after these is in `queue`. `None` if the head is not valid, or one
    /// of too many: hyper reads as long as there are bytes, and lets no other code run.
    fn read_head(&self, came: &[u8], queue: &mut BytesMut) -> Option<usize> {
        if self.headed.load(Ordering::Relaxed) {
            return Some(came.len());
        }
        let Heads { meter, failure, spare } = &mut *lock(&self.heads);
        if failure.is_some() {
            return None;
        }
        let before = *meter;
        let passed = meter.push(came).and_then(|()| match meter.is_large() {
            _ if meter.informational() > MOST_INFORMATIONAL => Err(too_many()),
            false => Ok(came.len()),
            true => spare.get_or_insert_default().take(&before, came, queue),
        });
        if passed.is_err() || meter.informational() > 0 || meter.is_large() {
            self.noted.store(true, Ordering::Relaxed);
        }
        self.headed.store(meter.is_over(), Ordering::Relaxed);
        passed.map_err(|error| *failure = Some(error)).ok()
    }

    /// Returns what is wrong with the head of a response.
    pub(crate) fn head_failure(&self) -> Option<ExchangeError> {
        self.noted.load(Ordering::Relaxed).then(|| lock(&self.heads).failure.clone())?
    }

    /// Returns the fields of the last head that hyper has no room for.
    pub(crate) fn spare_fields(&self) -> Option<HeaderMap> {
        let noted = self.noted.load(Ordering::Relaxed);
        noted.then(|| lock(&self.heads).spare.take().map(SpareFields::into_fields))?
    }

    pub(crate) fn spoil(&self, why: Error) {
        lock(&self.spoilt).get_or_insert(why);
    }

    pub(crate) fn spoilt(&self) -> Option<Error> {
        lock(&self.spoilt).take()
    }
}

#[cold]
fn too_many() -> ExchangeError {
    let detail = format!("more than {MOST_INFORMATIONAL} informational responses");
    ExchangeError::new(ExchangeErrorKind::Protocol, detail)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

//! A writer of one object, whose memory does not depend on the object's size.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use apus_async::Source;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

use super::object_store::{PutResult, Result};

/// Writes one object of any size: bytes are sent while they are written, and a write waits while
/// four parts are in flight and what comes next is read. Parts have 8 MiB at first, and grow with the
/// object so that 10,000 of them are enough; at most 256 MiB are in memory.
///
/// The object is there after [`shutdown`](tokio::io::AsyncWriteExt::shutdown) has returned without
/// an error, and [`result`](Self::result) is then its ETag and version. A writer that is dropped
/// before `shutdown` was called stores nothing: its upload is aborted, which
/// [`Client::shutdown`](apus_async::Client::shutdown) waits for.
#[must_use = "nothing is stored before `shutdown`"]
pub struct Writer {
    upload: Upload,
    /// Absent after the end was written.
    pipe: Option<DuplexStream>,
    ended: Arc<AtomicBool>,
}

enum Upload {
    Running(Pin<Box<dyn Future<Output = Result<PutResult>> + Send>>),
    Stored(PutResult),
    /// The error was returned.
    Failed,
}

impl Writer {
    /// Returns the writer of an upload of this source.
    pub(super) fn new<F>(upload: impl FnOnce(Source) -> F) -> Self
    where
        F: Future<Output = Result<PutResult>> + Send + 'static,
    {
        let (pipe, reader) = duplex(PIPE);
        let ended = Arc::new(AtomicBool::new(false));
        let written = Written { reader, ended: Arc::clone(&ended) };
        let upload = Upload::Running(Box::pin(upload(Source::stream(written))));
        Self { upload, pipe: Some(pipe), ended }
    }

    /// Returns the ETag and the version of the object; `None` before it is stored.
    pub fn result(&self) -> Option<&PutResult> {
        match &self.upload {
            Upload::Stored(result) => Some(result),
            Upload::Running(_) | Upload::Failed => None,
        }
    }

    /// Lets the upload go on. Ready when it has ended.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.upload {
            Upload::Running(running) => {
                let ended = ready!(running.as_mut().poll(cx));
                self.pipe = None;
                match ended {
                    Ok(result) => {
                        self.upload = Upload::Stored(result);
                        Poll::Ready(Ok(()))
                    }
                    Err(error) => {
                        self.upload = Upload::Failed;
                        Poll::Ready(Err(io::Error::other(error)))
                    }
                }
            }
            Upload::Stored(_) => Poll::Ready(Ok(())),
            Upload::Failed => {
                Poll::Ready(Err(io::Error::other("the upload has failed, as a call before said")))
            }
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(ended) = self.poll_upload(cx) {
            ended?;
        }
        let Some(pipe) = &mut self.pipe else {
            return Poll::Ready(Err(io::Error::other("the writer was shut down")));
        };
        match ready!(Pin::new(pipe).poll_write(cx, bytes)) {
            Ok(written) => Poll::Ready(Ok(written)),
            // The upload has failed and reads no more: its error says why.
            Err(broken) => Poll::Ready(Err(ready!(self.poll_upload(cx)).err().unwrap_or(broken))),
        }
    }

    /// Ready at once: what was written is sent, but stored only by `shutdown`.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ended.store(true, Ordering::Release);
        self.pipe = None;
        self.poll_upload(cx)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("result", &self.result()).finish_non_exhaustive()
    }
}

/// What was written. An end without `shutdown` is an error, so that no part of an object is taken
/// for the whole.
struct Written {
    reader: DuplexStream,
    ended: Arc<AtomicBool>,
}

impl AsyncRead for Written {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.reader).poll_read(cx, buffer))?;
        let is_end = buffer.filled().len() == before && buffer.remaining() > 0;
        if is_end && !self.ended.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::Error::other("the writer was dropped before its end")));
        }
        Poll::Ready(Ok(()))
    }
}

/// The bytes between the caller and the upload.
const PIPE: usize = 1 << 20;

//! A reader of a download.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use apus_core::Error;
use bytes::{Buf, Bytes};
use futures_core::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::opening::{Opening, State};
use crate::run::DropGuard;
use crate::sink::Sink;

/// The bytes of a download, read while its machine runs in a task of its own: a [`Stream`] of
/// pieces, or an [`AsyncRead`]. At most 4 pieces wait to be read, besides what the machine itself
/// keeps.
///
/// If the download fails, the read after the last byte returns the error. The bytes are validated
/// only when the end was read. Dropping the reader before the end cancels the run, which cleans up
/// in its task.
pub struct Reader<T> {
    pieces: mpsc::Receiver<Bytes>,
    rest: Bytes,
    end: End<T>,
    guard: Option<DropGuard>,
}

enum End<T> {
    Running(JoinHandle<Result<T, Error>>),
    /// The run has ended in the caller's task.
    Ended(Option<Result<T, Error>>),
    Reached(T),
    Told,
}

impl<T> Reader<T> {
    /// Returns the reader of a run, which goes on in a task of its own unless it has ended.
    pub(crate) fn of(pieces: mpsc::Receiver<Bytes>, opening: Opening<T>) -> Self
    where
        T: Send + 'static,
    {
        let (state, guard) = opening.into_parts();
        let end = match state {
            State::Running(run) => End::Running(tokio::spawn(run)),
            State::Ended(result) => End::Ended(Some(result)),
            State::Taken => End::Told,
        };
        Self { pieces, rest: Bytes::new(), end, guard }
    }

    /// Reads and drops the remaining bytes, and returns the machine's output.
    ///
    /// ```no_run
    /// # use apus_async::{Client, s3};
    /// use tokio::io::AsyncReadExt;
    ///
    /// use apus_async::s3::Download;
    ///
    /// # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
    /// let (head, mut reader) = client.run(Download::new("bucket", "disk.img")).open().await?;
    /// let mut first = [0; 512];
    /// reader.read_exact(&mut first).await?;
    /// println!("{:?} bytes, the first is {}", head.size, first[0]);
    /// // Only the output tells that all bytes arrived and were validated:
    /// println!("{}", reader.finish().await?.validation);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The machine's error, unless it was returned by a read before: then an error that says so.
    pub async fn finish(mut self) -> Result<T, Error> {
        while let Some(piece) = std::future::poll_fn(|cx| self.poll_piece(cx)).await {
            piece?;
        }
        match std::mem::replace(&mut self.end, End::Told) {
            End::Reached(output) => Ok(output),
            _ => Err(Error::invalid_input("the reader's error was told before")),
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.rest))));
        }
        if let Some(piece) = ready!(self.pieces.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(piece)));
        }
        let result = match &mut self.end {
            End::Running(task) => {
                let joined = ready!(Pin::new(task).poll(cx));
                let Some(guard) = self.guard.take() else { return Poll::Ready(None) };
                guard.join(joined)
            }
            End::Ended(result) => {
                let Some(result) = result.take() else { return Poll::Ready(None) };
                if let Some(guard) = self.guard.take() {
                    guard.settle();
                }
                result
            }
            End::Reached(_) | End::Told => return Poll::Ready(None),
        };
        match result {
            Ok(output) => {
                self.end = End::Reached(output);
                Poll::Ready(None)
            }
            Err(error) => {
                self.end = End::Told;
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

impl<T> Unpin for Reader<T> {}

impl<T> Stream for Reader<T> {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_piece(cx)
    }
}

impl<T> AsyncRead for Reader<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(piece) = ready!(self.poll_piece(cx)) else { return Poll::Ready(Ok(())) };
        let mut piece = piece.map_err(io::Error::other)?;
        let taken = piece.len().min(buffer.remaining());
        buffer.put_slice(piece.get(..taken).unwrap_or_default());
        piece.advance(taken);
        self.rest = piece;
        Poll::Ready(Ok(()))
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader(..)")
    }
}

/// Returns a sink, and the pieces that it is given.
pub(crate) fn channel() -> (Sink, mpsc::Receiver<Bytes>) {
    let (sender, pieces) = mpsc::channel(READY);
    (Sink::channel(sender), pieces)
}

/// Pieces that wait to be read.
const READY: usize = 4;

//! Sources that arrive in pieces: streams, and the bodies of HTTP requests and responses.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http_body::Body;
use tokio::io::{AsyncRead, ReadBuf};

/// Reads the pieces of a stream one after the other.
pub(crate) struct StreamReader<S> {
    stream: Pin<Box<S>>,
    rest: Bytes,
}

impl<S> StreamReader<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream: Box::pin(stream), rest: Bytes::new() }
    }
}

impl<S, E> AsyncRead for StreamReader<S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.stream.as_mut().poll_next(cx)) {
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        take(&mut self.rest, buffer);
        Poll::Ready(Ok(()))
    }
}

/// Reads the data of an HTTP body.
pub(crate) struct BodyReader<B> {
    body: Pin<Box<B>>,
    rest: Bytes,
}

impl<B: Body> BodyReader<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body: Box::pin(body), rest: Bytes::new() }
    }
}

impl<B> AsyncRead for BodyReader<B>
where
    B: Body<Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(mut data) = frame.into_data() {
                        self.rest = data.copy_to_bytes(data.remaining());
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        take(&mut self.rest, buffer);
        Poll::Ready(Ok(()))
    }
}

fn take(rest: &mut Bytes, buffer: &mut ReadBuf<'_>) {
    let length = rest.len().min(buffer.remaining());
    buffer.put_slice(&rest.split_to(length));
}

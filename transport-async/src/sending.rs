//! The body of a request, as hyper reads it: pieces of the source, framed, one at a time.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use apus_core::Error;
use apus_core::http::Encoder;
use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::ends::Meter;
use crate::source::Pieces;
use crate::stream::Pulse;

/// A body while it is sent.
pub(crate) struct Sending {
    pieces: Pieces,
    encoder: Encoder,
    meter: Meter,
    pulse: Arc<Pulse>,
    /// Bytes that are sent, framing included.
    length: u64,
    cutter: Cutter,
    /// Framed bytes that hyper has not read yet.
    ready: VecDeque<Bytes>,
    over: bool,
    /// Bytes that hyper has read since the connection last had a chance to read.
    unseen: usize,
    /// Waits for the server's `100 Continue`, for a limited time; afterwards for the limit of
    /// bandwidth.
    pause: Option<Pin<Box<Sleep>>>,
    invited: bool,
}

impl Sending {
    /// Returns the payload `pieces`, framed by `encoder` to `length` bytes. With `expects`, nothing
    /// is sent before the server has responded `100 Continue`, or the wait has ended.
    pub(crate) fn new(
        pieces: Pieces,
        encoder: Encoder,
        length: u64,
        meter: Meter,
        pulse: Arc<Pulse>,
        expects: bool,
    ) -> Box<Self> {
        let room = Box::new_uninit();
        let pause = expects.then(|| Box::pin(sleep(INVITATION)));
        let cutter = Cutter::new(encoder.frame_size(), meter.stride());
        let mut sending = Box::write(
            room,
            Self {
                pieces,
                encoder,
                meter,
                pulse,
                length,
                cutter,
                ready: VecDeque::new(),
                over: false,
                unseen: 0,
                pause,
                invited: !expects,
            },
        );
        if sending.encoder.remaining() == 0 {
            // Only a framed body has bytes after the payload.
            if let Err(error) = sending.end() {
                sending.pulse.spoil(error);
            }
            sending.given();
        }
        sending
    }

    fn poll_invitation(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.invited {
            return Poll::Ready(());
        }
        let over = self.pulse.is_invited()
            || self.pause.as_mut().is_none_or(|pause| pause.as_mut().poll(cx).is_ready());
        if !over {
            self.pulse.hold(true);
            return Poll::Pending;
        }
        self.pulse.hold(false);
        self.invited = true;
        self.pause = None;
        Poll::Ready(())
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// Returns the next piece: whole frames, if the body is framed.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            if let Some(piece) = self.cutter.cut(self.encoder.remaining()) {
                return Poll::Ready(Ok(Some(piece)));
            }
            match ready!(self.pieces.poll_next(cx)) {
                Ok(Some(piece)) => self.cutter.push(piece),
                Ok(None) => return Poll::Ready(Ok(None)),
                Err(failure) => return Poll::Ready(Err(failure.into())),
            }
        }
    }

    fn frame(&mut self, piece: Bytes) -> Result<(), Error> {
        let frame = self.encoder.frame(&piece)?;
        let delay = self.meter.sent(piece.len() as u64);
        for bytes in [frame.before, piece, frame.after] {
            if !bytes.is_empty() {
                self.ready.push_back(bytes);
            }
        }
        if self.encoder.remaining() == 0 {
            self.end()?;
        }
        self.pause = (!delay.is_zero()).then(|| Box::pin(sleep(delay)));
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        let end = self.encoder.end()?;
        if !end.is_empty() {
            self.ready.push_back(end);
        }
        self.over = true;
        Ok(())
    }

    fn given(&mut self) {
        if self.over && self.ready.is_empty() {
            self.meter.flush_sent();
            self.pulse.give();
        }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Spoilt;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Spoilt>>> {
        let this = &mut *self;
        if this.pulse.is_stopped() {
            // The response is there; the connection is dropped as soon as that is read.
            return Poll::Pending;
        }
        ready!(this.poll_invitation(cx));
        loop {
            if this.poll_pause(cx).is_pending() {
                this.pulse.hold(true);
                return Poll::Pending;
            }
            this.pulse.hold(false);
            if this.unseen >= LOOK {
                // A connection that can always write would never read, and not see a refusal.
                this.unseen = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(bytes) = this.ready.pop_front() {
                this.unseen += bytes.len();
                this.given();
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if this.over {
                return Poll::Ready(None);
            }
            let piece = this.poll_piece(cx);
            this.pulse.hold(piece.is_pending());
            let made = match ready!(piece) {
                Ok(Some(piece)) => this.frame(piece),
                Ok(None) => this.end(),
                Err(error) => Err(error),
            };
            if let Err(error) = made {
                this.pulse.spoil(error);
                return Poll::Ready(Some(Err(Spoilt)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// The body could not be made; the exchange has the reason.
#[derive(Debug)]
pub(crate) struct Spoilt;

impl fmt::Display for Spoilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body could not be produced")
    }
}

impl std::error::Error for Spoilt {}

/// Cuts pieces of any length to frames of one length. Copies bytes only where a frame spans two
/// pieces.
struct Cutter {
    size: Option<usize>,
    /// The longest piece if the body is not framed.
    stride: usize,
    rest: Bytes,
    part: BytesMut,
}

impl Cutter {
    fn new(size: Option<usize>, stride: usize) -> Self {
        Self { size, stride, rest: Bytes::new(), part: BytesMut::new() }
    }

    fn push(&mut self, piece: Bytes) {
        debug_assert!(self.rest.is_empty(), "a piece is cut up before the next one comes");
        self.rest = piece;
    }

    /// Returns a frame, if there are enough bytes; the last of `remaining` bytes may be shorter.
    fn cut(&mut self, remaining: u64) -> Option<Bytes> {
        let Some(size) = self.size else {
            // Cut even without frames, because what was not passed on is known to be unsent.
            let size = self.rest.len().min(self.stride);
            return (size > 0).then(|| self.rest.split_to(size));
        };
        let size = usize::try_from(remaining).map_or(size, |remaining| remaining.min(size));
        if self.part.is_empty() && self.rest.len() >= size.max(1) {
            // More bytes than announced, if nothing remains: the encoder reports that.
            let size = if size == 0 { self.rest.len() } else { size };
            return Some(self.rest.split_to(size));
        }
        let missing = size.saturating_sub(self.part.len()).min(self.rest.len());
        self.part.extend_from_slice(self.rest.get(..missing).unwrap_or_default());
        self.rest.advance(missing);
        (!self.part.is_empty() && self.part.len() == size).then(|| self.part.split().freeze())
    }
}

/// How long to wait for a server's `100 Continue` (RFC 9110, section 10.1.1, gives no figure;
/// curl's is the same).
const INVITATION: Duration = Duration::from_secs(1);

/// Bytes of a body that are sent before the connection looks for a response again.
const LOOK: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_up(size: Option<usize>, pieces: &[&'static str]) -> Vec<Bytes> {
        let mut remaining: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let mut cutter = Cutter::new(size, 5);
        let mut frames = Vec::new();
        for piece in pieces {
            cutter.push(Bytes::from_static(piece.as_bytes()));
            while let Some(frame) = cutter.cut(remaining) {
                remaining -= frame.len() as u64;
                frames.push(frame);
            }
        }
        assert_eq!(remaining, 0);
        frames
    }

    #[test]
    fn frames_have_their_size_however_the_pieces_come() {
        assert_eq!(cut_up(Some(4), &["abcdefgh", "ij"]), ["abcd", "efgh", "ij"]);
        assert_eq!(cut_up(Some(4), &["a", "bcdef", "g", "hij"]), ["abcd", "efgh", "ij"]);
        assert_eq!(cut_up(Some(4), &["abcd"]), ["abcd"]);
        assert_eq!(cut_up(None, &["abc", "defgh"]), ["abc", "defgh"]);
        assert_eq!(cut_up(None, &["abcdefghijkl"]), ["abcde", "fghij", "kl"]);
    }
}

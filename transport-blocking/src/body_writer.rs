//! The body of a request while it is sent: read piece by piece, framed, counted, paced.

use std::collections::VecDeque;
use std::io::{self, Read};

use apus_core::Error;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Body, Encoder, Exchange};
use bytes::{Buf, Bytes};

use crate::body_reader::BodyReader;
use crate::meter::{Direction, Meter, Watch};

/// What ureq reads the body from.
pub(crate) struct BodyWriter<'r, 'a> {
    feed: BodyReader<'a>,
    encoder: Encoder,
    watch: &'r Watch,
    meter: Meter<'r>,
    /// Frames that are not fully read yet.
    framed: VecDeque<Bytes>,
    /// The caller's body is broken off when the run is stopped; a document of apus is not.
    breakable: bool,
    ended: bool,
    failed: Option<ExchangeError>,
}

impl<'r, 'a> BodyWriter<'r, 'a> {
    pub(crate) fn new(
        exchange: &mut Exchange,
        feed: BodyReader<'a>,
        watch: &'r Watch,
    ) -> Result<Self, Error> {
        Ok(Self {
            feed,
            encoder: exchange.encoder()?,
            watch,
            meter: watch.meter(Direction::Sent),
            framed: VecDeque::new(),
            breakable: matches!(exchange.draft().body, Body::Source { .. }),
            ended: false,
            failed: None,
        })
    }

    /// Returns why ureq was told that the body can't be read.
    pub(crate) fn failure(&mut self) -> Option<ExchangeError> {
        self.failed.take()
    }

    /// Reports the bytes that were not reported yet; no more bytes are sent.
    pub(crate) fn settle(&mut self) {
        self.meter.flush();
    }

    fn next(&mut self, out: &mut [u8]) -> Result<usize, ExchangeError> {
        if self.breakable && self.watch.stop.is_raised() {
            return Err(ExchangeError::cancelled());
        }
        match self.encoder.frame_size() {
            None => self.plain(out),
            Some(size) => {
                if self.framed.is_empty() && !self.ended {
                    self.frame(size)?;
                }
                Ok(drain(&mut self.framed, out))
            }
        }
    }

    fn plain(&mut self, out: &mut [u8]) -> Result<usize, ExchangeError> {
        let most = self.watch.piece(out.len());
        let out = out.get_mut(..most).unwrap_or_default();
        let read = self.feed.read(out)?;
        self.meter.before(read);
        let piece = out.get(..read).unwrap_or_default();
        if piece.is_empty() {
            self.encoder.end().map_err(wrong_length)?;
        } else {
            self.encoder.frame(piece).map_err(wrong_length)?;
        }
        self.meter.moved(read);
        Ok(read)
    }

    fn frame(&mut self, size: usize) -> Result<(), ExchangeError> {
        let piece = self.feed.take(size)?;
        let filled = piece.len();
        self.meter.before(filled);
        if !piece.is_empty() {
            let frame = self.encoder.frame(&piece).map_err(wrong_length)?;
            self.framed.extend([frame.before, piece, frame.after]);
        }
        if filled < size {
            self.framed.push_back(self.encoder.end().map_err(wrong_length)?);
            self.ended = true;
        }
        self.meter.moved(filled);
        Ok(())
    }
}

impl Read for BodyWriter<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.next(out).map_err(|failure| {
            let error = io::Error::other(failure.to_string());
            self.failed = Some(failure);
            error
        })
    }
}

/// Copies as many bytes as fit.
fn drain(from: &mut VecDeque<Bytes>, out: &mut [u8]) -> usize {
    let mut copied = 0;
    while let Some(bytes) = from.front_mut() {
        let room = out.get_mut(copied..).unwrap_or_default();
        let length = bytes.len().min(room.len());
        bytes.copy_to_slice(room.get_mut(..length).unwrap_or_default());
        copied += length;
        if bytes.has_remaining() {
            break;
        }
        from.pop_front();
    }
    copied
}

/// The source yielded more or fewer bytes than were announced.
fn wrong_length(error: Error) -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Source, error.message())
}

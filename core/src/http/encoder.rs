//! The frames of a body on the wire.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::body_checksum::BodyChecksum;
use super::frame;
use super::sent::Sent;
use crate::checksum::Hasher;
use crate::error::Error;
use crate::sign::{ChunkSigner, Signature};

/// Frames the pieces of a body, and counts the bytes sent.
#[derive(Debug)]
pub struct Encoder {
    pub(super) remaining: u64,
    pub(super) frame_size: Option<usize>,
    /// In boxes, since most bodies need neither.
    pub(super) trailer: Option<Box<(BodyChecksum, Hasher)>>,
    pub(super) chunks: Option<Box<ChunkSigner>>,
    pub(super) ended: bool,
    pub(super) sent: Arc<Sent>,
}

/// What is sent around one piece of the body. The piece itself is not copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Sent before the piece.
    pub before: Bytes,
    /// Sent after the piece.
    pub after: Bytes,
}

impl Encoder {
    /// Returns how many bytes each piece must have, except the last; `None` if any length is
    /// allowed.
    pub fn frame_size(&self) -> Option<usize> {
        self.frame_size
    }

    /// Returns how many payload bytes are still to be sent.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Returns the frame of this piece, which must be sent next.
    ///
    /// # Errors
    ///
    /// The piece has more bytes than remain of the announced length, or is not a whole frame.
    pub fn frame(&mut self, piece: &[u8]) -> Result<Frame, Error> {
        let length = piece.len() as u64;
        let Some(remaining) = self.remaining.checked_sub(length) else {
            return Err(Error::invalid_input(format!(
                "the source has more than the {} announced bytes",
                self.sent.bytes.load(Ordering::Relaxed) + self.remaining
            )));
        };
        if let Some(size) = self.frame_size
            && piece.len() != size
            && remaining > 0
        {
            return Err(Error::invalid_input(format!(
                "a piece has {length} bytes, but each frame except the last has {size}"
            )));
        }
        self.remaining = remaining;
        self.sent.bytes.fetch_add(length, Ordering::Relaxed);
        if self.frame_size.is_none() || piece.is_empty() {
            return Ok(Frame::default());
        }
        if let Some((_, hasher)) = self.trailer.as_deref_mut() {
            hasher.update(piece);
        }
        let signature =
            self.chunks.as_mut().map(|chunks| chunks.chunk(&Sha256::digest(piece).into()));
        let signature = signature.as_ref().map(Signature::as_str);
        let before = frame::chunk_line(piece.len(), signature);
        Ok(Frame { before: before.into(), after: Bytes::from_static(b"\r\n") })
    }

    /// Returns what is sent after the last piece: the final chunk and the trailers. Empty if the
    /// body is not framed.
    ///
    /// # Errors
    ///
    /// Fewer bytes were framed than were announced.
    pub fn end(&mut self) -> Result<Bytes, Error> {
        if self.remaining > 0 {
            return Err(Error::invalid_input(format!(
                "the source ended {} bytes before its announced length",
                self.remaining
            )));
        }
        if self.frame_size.is_none() || std::mem::replace(&mut self.ended, true) {
            return Ok(Bytes::new());
        }
        let signature =
            self.chunks.as_mut().map(|chunks| chunks.chunk(&Sha256::digest(b"").into()));
        let mut out = frame::chunk_line(0, signature.as_ref().map(Signature::as_str));
        if let Some((stamp, hasher)) = self.trailer.take().map(|trailer| *trailer) {
            let value = hasher.finish();
            let text = stamp.encoding.write(&value);
            out.push_str(&format!("{}:{text}\r\n", stamp.name));
            if let Some(chunks) = &mut self.chunks {
                let signature = chunks.trailer(&[(stamp.name.as_str(), &text)]);
                out.push_str(&format!("x-amz-trailer-signature:{}\r\n", signature.as_str()));
            }
            // Set once: `take` above leaves no second hasher.
            let _ = self.sent.trailer.set(value);
        }
        out.push_str("\r\n");
        self.sent.closed.store(true, Ordering::Relaxed);
        Ok(out.into())
    }
}

//! What a completion tells of how its exchange was sealed and sent.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::checksum::Value;
use crate::now::Now;

/// What a completion has to tell of how the exchange was sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// When it was sealed.
    pub(crate) at: Now,
    /// Under which grant of its authority.
    pub(crate) generation: u64,
    /// It renews the grant instead of using it.
    pub(crate) renewal: bool,
}

/// What an encoder, which a transport may drop at any time, tells the exchange.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Payload bytes that left.
    pub(crate) bytes: AtomicU64,
    /// The frame after the last of them left too, where there are frames.
    pub(super) closed: AtomicBool,
    /// What leaves is counted here, for the transport took the encoder.
    pub(super) counted: AtomicBool,
    /// The transport can't tell what left.
    pub(super) unknown: AtomicBool,
    /// The value that went out in the trailer.
    pub(crate) trailer: OnceLock<Value>,
}

impl Sent {
    /// Whether anything is counted.
    pub(crate) fn is_counted(&self) -> bool {
        self.counted.load(Ordering::Relaxed)
    }

    /// Whether all of a body of this length left, as far as can be told.
    pub(crate) fn is_whole(&self, length: u64, framed: bool) -> bool {
        let all = self.bytes.load(Ordering::Relaxed) >= length;
        self.unknown.load(Ordering::Relaxed)
            || all && (!framed || self.closed.load(Ordering::Relaxed))
    }
}

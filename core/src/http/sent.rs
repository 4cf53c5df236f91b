//! How an exchange was sealed and sent, as recorded for its completion.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::checksum::Value;
use crate::now::Now;

/// How an exchange was sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// When it was sealed.
    pub(crate) at: Now,
    /// The generation of the authenticator's credentials.
    pub(crate) generation: u64,
    /// Whether it renews the credentials instead of using them.
    pub(crate) renewal: bool,
    /// Whether it was sent with `Expect: 100-continue`, and `100 Continue` has not arrived.
    pub(crate) expecting: bool,
}

/// What an encoder records for its exchange. A transport may drop the encoder at any time.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Payload bytes that were sent.
    pub(crate) bytes: AtomicU64,
    /// Whether the last frame was sent too, if the body is framed.
    pub(super) closed: AtomicBool,
    /// Whether sent bytes are counted here, because the transport uses the encoder.
    pub(super) counted: AtomicBool,
    /// Whether the transport can't tell what was sent.
    pub(super) unknown: AtomicBool,
    /// The value that was sent in the trailer.
    pub(crate) trailer: OnceLock<Value>,
}

impl Sent {
    /// Whether sent bytes are counted.
    pub(crate) fn is_counted(&self) -> bool {
        self.counted.load(Ordering::Relaxed)
    }

    /// Whether all of a body of this length was sent, as far as this is known.
    pub(crate) fn is_whole(&self, length: u64, framed: bool) -> bool {
        let all = self.bytes.load(Ordering::Relaxed) >= length;
        self.unknown.load(Ordering::Relaxed)
            || all && (!framed || self.closed.load(Ordering::Relaxed))
    }
}

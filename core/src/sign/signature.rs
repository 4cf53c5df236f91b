//! A signature and its date, as text.

use std::fmt;

use http::HeaderValue;

use crate::now::Timestamp;

/// The time of a signature, with its text in `x-amz-date`. Clones share the text.
#[derive(Clone, Debug)]
pub(super) struct Date {
    pub(super) at: Timestamp,
    pub(super) text: HeaderValue,
}

impl Date {
    pub(super) fn of(at: Timestamp) -> Self {
        let text = HeaderValue::from_bytes(&at.amz()).expect("digits are allowed in a header");
        Self { at, text }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// A signature as 64 lower-case hex digits.
///
/// Anyone who has it can repeat the request for some minutes, so `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    pub(super) fn of(mac: &[u8; 32]) -> Self {
        Self(hex(mac))
    }

    /// Returns the 64 hex digits.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the 64 hex digits as bytes.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// Returns the lower-case hex digits.
pub(super) fn hex(bytes: &[u8; 32]) -> [u8; 64] {
    let mut out = [0; 64];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&PAIRS[usize::from(*byte)]);
    }
    out
}

/// The two digits of each byte.
const PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
};

/// The SHA-256 of no bytes.
pub(super) const EMPTY_SHA256: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

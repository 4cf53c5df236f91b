//! The signatures of chunks and trailers: each covers the one before it.

use sha2::{Digest, Sha256};

use super::canonical::Sink;
use super::v4::{EMPTY_SHA256, Signature, Signing, hex};

/// Signs the chunks of one body in order, then its trailer.
///
/// "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks"
/// and "Including Trailing Headers", Amazon S3 API reference.
#[derive(Clone, Debug)]
pub struct ChunkSigner {
    signing: Signing,
    previous: Signature,
}

impl ChunkSigner {
    pub(super) fn new(signing: Signing, seed: Signature) -> Self {
        Self { signing, previous: seed }
    }

    /// The signature of the next chunk, of whose data this is the SHA-256. The last chunk is empty.
    pub fn chunk(&mut self, sha256: &[u8; 32]) -> Signature {
        self.next(b"AWS4-HMAC-SHA256-PAYLOAD\n", |mac| {
            mac.write(EMPTY_SHA256.as_bytes());
            mac.write(b"\n");
            mac.write(&hex(sha256));
        })
    }

    /// The value of `x-amz-trailer-signature`, after the last chunk: `headers` are the names, in
    /// lower case, and values of the trailer.
    pub fn trailer(&mut self, headers: &[(&str, &str)]) -> Signature {
        let mut sorted = headers.to_vec();
        sorted.sort_unstable();
        let mut sha = Sha256::new();
        for (name, value) in sorted {
            for piece in [name, ":", value.trim(), "\n"] {
                sha.update(piece);
            }
        }
        let hash = sha.finalize().into();
        self.next(b"AWS4-HMAC-SHA256-TRAILER\n", |mac| mac.write(&hex(&hash)))
    }

    fn next(&mut self, algorithm: &[u8], content: impl FnOnce(&mut dyn Sink)) -> Signature {
        let signing = &self.signing;
        self.previous = signing.key.signature(|mac| {
            mac.write(algorithm);
            mac.write(&signing.date);
            mac.write(b"\n");
            mac.write(signing.key.scope().as_bytes());
            mac.write(b"\n");
            mac.write(self.previous.as_bytes());
            mac.write(b"\n");
            content(mac);
        });
        self.previous
    }
}

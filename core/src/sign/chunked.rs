//! The signatures of chunks and trailers. Each covers the one before it.

use sha2::{Digest, Sha256};

use super::canonical::Sink;
use super::key::SigningKey;
use super::signature::{Date, EMPTY_SHA256, Signature, hex};

/// Signs the chunks of one body in order, then its trailer.
///
/// "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks"
/// and "Including Trailing Headers", Amazon S3 API reference.
#[derive(Clone, Debug)]
pub struct ChunkSigner {
    key: SigningKey,
    date: Date,
    previous: Signature,
}

impl ChunkSigner {
    pub(super) fn new(key: SigningKey, date: Date, seed: Signature) -> Self {
        Self { key, date, previous: seed }
    }

    /// Returns the signature of the next chunk, whose data has this SHA-256. The last chunk is
    /// empty.
    pub fn chunk(&mut self, sha256: &[u8; 32]) -> Signature {
        self.next(b"AWS4-HMAC-SHA256-PAYLOAD\n", |mac| {
            mac.write(EMPTY_SHA256.as_bytes());
            mac.write(b"\n");
            mac.write(&hex(sha256));
        })
    }

    /// Returns the value of `x-amz-trailer-signature`, after the last chunk. `headers` are the
    /// names, in lower case, and the values of the trailer.
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
        self.previous = self.key.signature(|mac| {
            mac.write(algorithm);
            mac.write(self.date.as_bytes());
            mac.write(b"\n");
            mac.write(self.key.scope().as_bytes());
            mac.write(b"\n");
            mac.write(self.previous.as_bytes());
            mac.write(b"\n");
            content(mac);
        });
        self.previous
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples;
    use super::*;

    fn sha256(data: &[u8]) -> [u8; 32] {
        Sha256::digest(data).into()
    }

    fn signature(hex: &str) -> Signature {
        let mut mac = [0; 32];
        for (byte, pair) in mac.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        Signature::of(&mac)
    }

    /// The example of both pages of the reference: 65 KiB of `a` in chunks of 64 KiB.
    fn example(seed: &str, expected: [&str; 3]) -> ChunkSigner {
        let mut signer = examples::s3("20130524T000000Z").chunks(signature(seed));
        let chunks = [&[b'a'; 65536][..], &[b'a'; 1024], &[]];
        for (chunk, expected) in chunks.into_iter().zip(expected) {
            assert_eq!(signer.chunk(&sha256(chunk)).as_str(), expected);
        }
        signer
    }

    #[test]
    fn the_chunks_of_the_example() {
        example(
            "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
            [
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            ],
        );
    }

    #[test]
    fn the_trailer_of_the_example() {
        let mut signer = example(
            "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
            [
                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
            ],
        );
        assert_eq!(
            signer.trailer(&[("x-amz-checksum-crc32c", "sOO8/Q==")]).as_str(),
            "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
        );
    }
}

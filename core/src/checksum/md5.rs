//! MD5, RFC 1321. Which crate computes its blocks is decided here.

use fast_md5::{BLOCK_SIZE, transform};

/// MD5 over the bytes given so far.
#[derive(Clone)]
pub(super) struct Md5 {
    state: [u32; 4],
    /// How many bytes were given.
    length: u64,
    /// The bytes of the block that is not complete: the first `length % 64` of them.
    partial: [u8; BLOCK_SIZE],
}

impl Md5 {
    pub(super) fn new() -> Self {
        // "3.3 Step 3. Initialize MD Buffer".
        let state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
        Self { state, length: 0, partial: [0; BLOCK_SIZE] }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        let had = self.filled();
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if had > 0 {
            let (_, room) = self.partial.split_at_mut(had);
            let (taken, rest) = bytes.split_at(room.len().min(bytes.len()));
            for (place, byte) in room.iter_mut().zip(taken) {
                *place = *byte;
            }
            if had + taken.len() < BLOCK_SIZE {
                return;
            }
            transform(&mut self.state, &self.partial);
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks();
        for block in blocks {
            transform(&mut self.state, block);
        }
        for (place, byte) in self.partial.iter_mut().zip(rest) {
            *place = *byte;
        }
    }

    /// Appends a one bit, zeros, and the length in bits ("3.1 Step 1", "3.2 Step 2").
    pub(super) fn finish(mut self) -> [u8; 16] {
        let bits = self.length.wrapping_mul(8);
        // The length takes the last eight bytes of a block.
        let zeros = (BLOCK_SIZE + 55 - self.filled()) % BLOCK_SIZE;
        self.update(&[0x80]);
        self.update([0; BLOCK_SIZE].get(..zeros).unwrap_or_default());
        self.update(&bits.to_le_bytes());
        let mut digest = [0; 16];
        for (place, word) in digest.as_chunks_mut().0.iter_mut().zip(self.state) {
            *place = word.to_le_bytes();
        }
        digest
    }

    fn filled(&self) -> usize {
        (self.length % BLOCK_SIZE as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use md5::Digest as _;
    use proptest::prelude::*;

    use super::*;

    fn hex(digest: [u8; 16]) -> String {
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    // RFC 1321, "A.5 Test suite".
    #[test]
    fn the_test_suite_of_the_rfc() {
        for (text, expected) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                "d174ab98d277d9f5a5611c2c9f419d9f",
            ),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            let mut md5 = Md5::new();
            md5.update(text.as_bytes());
            assert_eq!(hex(md5.finish()), expected, "{text}");
        }
    }

    #[test]
    fn every_length_of_three_blocks_is_what_another_implementation_says() {
        let bytes: Vec<u8> = (0..192_u8).collect();
        for length in 0..=bytes.len() {
            let mut md5 = Md5::new();
            md5.update(&bytes[..length]);
            let expected: [u8; 16] = md5::Md5::digest(&bytes[..length]).into();
            assert_eq!(md5.finish(), expected, "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_pieces_are_what_another_implementation_says(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
        ) {
            let mut md5 = Md5::new();
            let mut other = md5::Md5::new();
            for piece in &pieces {
                md5.update(piece);
                other.update(piece);
                let expected: [u8; 16] = other.clone().finalize().into();
                prop_assert_eq!(md5.clone().finish(), expected);
            }
        }
    }
}

//! The ten checksum algorithms of S3, each over a whole body: an oracle that shares with the
//! library's own incremental ones only the crates that compute them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::Digest;

/// An algorithm of `x-amz-checksum-*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
    Sha512,
    Md5,
    XxHash64,
    XxHash3,
    XxHash128,
}

impl Algorithm {
    pub(super) const ALL: [Self; 10] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Md5,
        Self::XxHash64,
        Self::XxHash3,
        Self::XxHash128,
    ];

    /// Returns the name in headers' values and XML elements, such as `CRC64NVME`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Md5 => "MD5",
            Self::XxHash64 => "XXHASH64",
            Self::XxHash3 => "XXHASH3",
            Self::XxHash128 => "XXHASH128",
        }
    }

    /// Returns the header, such as `x-amz-checksum-crc64nvme`.
    pub(super) fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_ascii_lowercase())
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// Whether the algorithm can cover a whole object that was uploaded in parts.
    pub(super) fn full_object(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme)
    }

    /// Whether it can be a checksum of the parts' checksums.
    pub(super) fn composite(self) -> bool {
        self != Self::Crc64Nvme
    }

    /// Returns the digest, most significant byte first.
    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Crc32 => crc32fast::hash(bytes).to_be_bytes().to_vec(),
            Self::Crc32c => {
                let sum = crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes);
                sum.to_be_bytes()[4..].to_vec()
            }
            Self::Crc64Nvme => {
                crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes).to_be_bytes().to_vec()
            }
            Self::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
            Self::Md5 => md5::Md5::digest(bytes).to_vec(),
            Self::XxHash64 => xxhash_rust::xxh64::xxh64(bytes, 0).to_be_bytes().to_vec(),
            Self::XxHash3 => xxhash_rust::xxh3::xxh3_64(bytes).to_be_bytes().to_vec(),
            Self::XxHash128 => xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes().to_vec(),
        }
    }

    /// Returns the digest in base64.
    pub(super) fn value(self, bytes: &[u8]) -> String {
        STANDARD.encode(self.digest(bytes))
    }
}

/// Returns the MD5 in lower-case hexadecimal, which is the ETag of these bytes.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex(&md5::Md5::digest(bytes))
}

/// Returns lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The catalogue of parametrised CRC algorithms, RFC 1321, coreutils, and xxHash's own tests.
    #[test]
    fn published_check_values() {
        let expected: [(Algorithm, &[u8], &str); 9] = [
            (Algorithm::Crc32, b"123456789", "cbf43926"),
            (Algorithm::Crc32c, b"123456789", "e3069283"),
            (Algorithm::Crc64Nvme, b"123456789", "ae8b14860a799888"),
            (Algorithm::Sha1, b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                Algorithm::Sha256,
                b"abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (Algorithm::Md5, b"abc", "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::XxHash64, b"", "ef46db3751d8e999"),
            (Algorithm::XxHash3, b"", "2d06800538d394c2"),
            (Algorithm::XxHash128, b"", "99aa06d3014798d86001c324468d497f"),
        ];
        for (algorithm, bytes, value) in expected {
            assert_eq!(hex(&algorithm.digest(bytes)), value, "{}", algorithm.name());
        }
        assert!(
            hex(&Algorithm::Sha512.digest(b"abc")).starts_with("ddaf35a193617abacc417349ae204131")
        );
    }
}

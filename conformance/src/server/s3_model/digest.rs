//! The ten checksum algorithms of S3, each over a whole body: an oracle that shares nothing with
//! the library's own incremental ones but the crates that compute them.

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

    /// As headers' values and XML elements spell it, such as `CRC64NVME`.
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

    /// Such as `x-amz-checksum-crc64nvme`.
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

    /// The digest, most significant byte first.
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

    /// The digest in base64.
    pub(super) fn value(self, bytes: &[u8]) -> String {
        STANDARD.encode(self.digest(bytes))
    }
}

/// MD5 in lower-case hexadecimal: the ETag of bytes.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex(&md5::Md5::digest(bytes))
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values over `123456789` that the catalogue of parametrised CRC algorithms and the
    /// algorithms' own test suites publish.
    #[test]
    fn published_check_values() {
        let expected = [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
        ];
        for (algorithm, value) in expected {
            assert_eq!(hex(&algorithm.digest(b"123456789")), value, "{}", algorithm.name());
        }
    }
}

//! The algorithms, with their names and properties.

use http::HeaderName;

/// A checksum algorithm of S3 (`ChecksumAlgorithm` in the Amazon S3 API Reference). The words of
/// [`name`](Self::name) and [`FromStr`](std::str::FromStr) are those of S3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// CRC-32/ISO-HDLC, as in gzip and zip. The default of the AWS SDKs.
    #[default]
    Crc32,
    /// CRC-32C/iSCSI, Castagnoli's polynomial.
    Crc32c,
    /// CRC-64/NVME. S3 stores it for an object that was uploaded without a checksum.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// MD5, as `x-amz-checksum-md5`. `Content-MD5` and ETags have the same digest.
    Md5,
    /// XXH64 with seed 0.
    XxHash64,
    /// XXH3, 64 bits, with seed 0.
    XxHash3,
    /// XXH3, 128 bits, with seed 0.
    XxHash128,
}

words!(Algorithm, "checksum algorithm", {
    Crc32 = "CRC32",
    Crc32c = "CRC32C",
    Crc64Nvme = "CRC64NVME",
    Sha1 = "SHA1",
    Sha256 = "SHA256",
    Sha512 = "SHA512",
    Md5 = "MD5",
    XxHash64 = "XXHASH64",
    XxHash3 = "XXHASH3",
    XxHash128 = "XXHASH128",
});

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 10] = [
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

    /// All algorithms, in the order in which the AWS SDKs choose among several values of one
    /// response. MD5 is last, as they never compute it.
    pub const BY_PREFERENCE: [Self; 10] = [
        Self::XxHash128,
        Self::XxHash3,
        Self::Crc64Nvme,
        Self::XxHash64,
        Self::Crc32c,
        Self::Crc32,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Md5,
    ];

    /// Returns the header, or trailer, of a value of this algorithm.
    pub fn header(self) -> &'static HeaderName {
        match self {
            Self::Crc32 => &CRC32,
            Self::Crc32c => &CRC32C,
            Self::Crc64Nvme => &CRC64NVME,
            Self::Sha1 => &SHA1,
            Self::Sha256 => &SHA256,
            Self::Sha512 => &SHA512,
            Self::Md5 => &MD5,
            Self::XxHash64 => &XXHASH64,
            Self::XxHash3 => &XXHASH3,
            Self::XxHash128 => &XXHASH128,
        }
    }

    /// Returns the element of a value of this algorithm in S3's documents.
    pub const fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
            Self::Sha512 => "ChecksumSHA512",
            Self::Md5 => "ChecksumMD5",
            Self::XxHash64 => "ChecksumXXHASH64",
            Self::XxHash3 => "ChecksumXXHASH3",
            Self::XxHash128 => "ChecksumXXHASH128",
        }
    }

    /// Returns the algorithm whose values this header has.
    pub fn of_header(name: &HeaderName) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header() == name)
    }

    /// Returns the length of a digest in bytes, 4 to 64.
    pub const fn size(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme | Self::XxHash64 | Self::XxHash3 => 8,
            Self::Md5 | Self::XxHash128 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Returns whether [`combine`](super::combine) can compute the value of a whole from the values
    /// and lengths of its parts: true for the three CRCs.
    pub const fn combines(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme)
    }

    /// Returns whether this build can compute it. The XXHASH algorithms need the feature `xxhash`.
    pub const fn is_available(self) -> bool {
        cfg!(feature = "xxhash")
            || !matches!(self, Self::XxHash64 | Self::XxHash3 | Self::XxHash128)
    }
}

static CRC32: HeaderName = HeaderName::from_static("x-amz-checksum-crc32");
static CRC32C: HeaderName = HeaderName::from_static("x-amz-checksum-crc32c");
static CRC64NVME: HeaderName = HeaderName::from_static("x-amz-checksum-crc64nvme");
static SHA1: HeaderName = HeaderName::from_static("x-amz-checksum-sha1");
static SHA256: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");
static SHA512: HeaderName = HeaderName::from_static("x-amz-checksum-sha512");
static MD5: HeaderName = HeaderName::from_static("x-amz-checksum-md5");
static XXHASH64: HeaderName = HeaderName::from_static("x-amz-checksum-xxhash64");
static XXHASH3: HeaderName = HeaderName::from_static("x-amz-checksum-xxhash3");
static XXHASH128: HeaderName = HeaderName::from_static("x-amz-checksum-xxhash128");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_element_are_named_after_the_algorithm() {
        for algorithm in Algorithm::ALL {
            let header = format!("x-amz-checksum-{}", algorithm.name().to_lowercase());
            assert_eq!(algorithm.header().as_str(), header);
            assert_eq!(algorithm.element(), format!("Checksum{}", algorithm.name()));
            assert_eq!(Algorithm::of_header(algorithm.header()), Some(algorithm));
        }
        assert_eq!(Algorithm::of_header(&HeaderName::from_static("x-amz-checksum-type")), None);
    }

    #[test]
    fn words_are_read_in_any_case_and_others_told_what_would_do() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse::<Algorithm>().unwrap(), algorithm);
            assert_eq!(algorithm.name().to_lowercase().parse::<Algorithm>().unwrap(), algorithm);
        }
        let error = "CRC-32\n".parse::<Algorithm>().unwrap_err();
        assert_eq!(error.kind(), crate::Kind::InvalidInput);
        let told = error.to_string();
        assert!(told.starts_with(r#"unknown checksum algorithm "CRC-32\n": "#), "{told}");
        assert!(Algorithm::ALL.iter().all(|algorithm| told.contains(algorithm.name())), "{told}");
    }

    #[test]
    fn every_algorithm_has_its_preference() {
        let mut sorted = Algorithm::BY_PREFERENCE;
        sorted.sort();
        assert_eq!(sorted, Algorithm::ALL);
    }
}

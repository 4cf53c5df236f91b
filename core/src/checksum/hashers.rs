//! Several checksums of the same bytes, computed in one pass.

use std::io;
use std::sync::Arc;

use super::algorithm::Algorithm;
use super::hasher::Hasher;
use super::sections::Sections;
use super::value::Value;
use crate::error::Error;
use crate::few::Few;

/// Several checksums over the same bytes. An empty set costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Hashers {
    whole: Vec<Hasher>,
    sections: Option<Box<Sections>>,
}

impl Hashers {
    /// Creates one hasher for each algorithm; duplicates are ignored. Fails as [`Hasher::new`]
    /// does.
    pub fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Result<Self, Error> {
        let mut hashers = Self::default();
        for algorithm in algorithms {
            if hashers.whole.iter().all(|hasher| hasher.algorithm() != algorithm) {
                hashers.whole.push(Hasher::new(algorithm)?);
            }
        }
        Ok(hashers)
    }

    /// Returns a copy that also has `algorithm`. Fails as [`Hasher::new`] does.
    pub fn with(&self, algorithm: Algorithm) -> Result<Self, Error> {
        let mut hashers = self.clone();
        if hashers.whole.iter().all(|hasher| hasher.algorithm() != algorithm) {
            hashers.whole.push(Hasher::new(algorithm)?);
        }
        Ok(hashers)
    }

    /// Returns a copy that also computes one value for each section of the stream: the first
    /// `lengths[0]` bytes, the next `lengths[1]` bytes, and so on. Fails as [`Hasher::new`] does.
    pub fn in_sections(
        &self,
        algorithm: Algorithm,
        lengths: impl Into<Arc<[u64]>>,
    ) -> Result<Self, Error> {
        let sections = Sections::new(algorithm, lengths.into())?;
        Ok(Self { whole: self.whole.clone(), sections: Some(Box::new(sections)) })
    }

    /// Returns whether nothing is computed.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.sections.is_none()
    }

    /// Adds these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if let ([hasher], None) = (self.whole.as_mut_slice(), &self.sections) {
            return hasher.update(bytes);
        }
        // Each hasher reads a piece while it is in the processor's cache.
        for piece in bytes.chunks(PIECE) {
            for hasher in &mut self.whole {
                hasher.update(piece);
            }
            if let Some(sections) = &mut self.sections {
                sections.update(piece);
            }
        }
    }

    /// Splits the checksums into a group for each worker, in their order. There are no more groups
    /// than checksums, and at least one.
    #[must_use]
    pub fn split(self, workers: usize) -> Vec<Self> {
        let Self { mut whole, mut sections } = self;
        let most = whole.len() + usize::from(sections.is_some());
        let mut groups = Vec::new();
        for left in (1..=workers.clamp(1, most.max(1))).rev() {
            let rest = whole.split_off(whole.len().div_ceil(left).min(whole.len()));
            groups.push(Self { whole: std::mem::replace(&mut whole, rest), sections: None });
        }
        if let Some(last) = groups.last_mut() {
            last.sections = sections.take();
        }
        groups
    }

    /// Computes the checksums of these bytes, one for each algorithm. Fails as [`Hasher::new`]
    /// does.
    pub(crate) fn digest(
        algorithms: impl Iterator<Item = Algorithm> + Clone,
        bytes: &[u8],
    ) -> Result<Digests, Error> {
        let mut others = algorithms.clone();
        // A single algorithm needs no list of hashers.
        if let (Some(only), None) = (others.next(), others.next()) {
            return Ok(Digests::from_iter([only.digest(bytes)?]));
        }
        let mut hashers = Self::new(algorithms)?;
        hashers.update(bytes);
        Ok(hashers.finish())
    }

    /// Returns the checksums of all bytes given, in the order of the algorithms.
    pub fn finish(self) -> Digests {
        Digests {
            whole: self.whole.into_iter().map(Hasher::finish).collect(),
            sections: self.sections.map_or_else(Vec::new, |sections| sections.finish()),
        }
    }
}

/// Hashes what is written: `std::io::copy(&mut file, &mut hashers)` hashes a file. It never fails.
impl io::Write for Hashers {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many bytes each of several hashers reads in turn.
const PIECE: usize = 16 * 1024;

/// The result of [`Hashers`]: at most one value of each algorithm, and one for each section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    whole: Few<Value>,
    sections: Vec<Value>,
}

impl Digests {
    /// Returns the checksum of this algorithm, if it was computed.
    pub fn value(&self, algorithm: Algorithm) -> Option<&Value> {
        self.whole.iter().find(|value| value.algorithm() == algorithm)
    }

    /// Joins the results of groups that were [split](Hashers::split).
    pub fn join(groups: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for group in groups {
            all.whole.extend(group.whole.iter().copied());
            all.sections.extend(group.sections);
        }
        all
    }

    /// Returns the checksums in the order of the algorithms.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.whole.iter()
    }

    /// Returns the checksums of the complete [sections](Hashers::in_sections).
    pub fn sections(&self) -> &[Value] {
        &self.sections
    }

    /// Returns whether there are no checksums.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.sections.is_empty()
    }
}

impl FromIterator<Value> for Digests {
    /// Keeps the first value of each algorithm.
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        let mut digests = Self::default();
        for value in values {
            if digests.value(value.algorithm()).is_none() {
                digests.whole.push(value);
            }
        }
        digests
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;

    use super::*;

    fn base64(algorithm: Algorithm, bytes: &[u8]) -> String {
        algorithm.digest(bytes).unwrap().base64()
    }

    // Recorded from the reference implementations, in the base64 of S3's headers.
    #[test]
    fn what_other_implementations_say() {
        for (bytes, expected) in [
            (
                "",
                [
                    ("CRC32", "AAAAAA=="),
                    ("CRC32C", "AAAAAA=="),
                    ("CRC64NVME", "AAAAAAAAAAA="),
                    ("SHA1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
                    ("MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
                    ("SHA256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
                    ("XXHASH64", "70bbN1HY6Zk="),
                    ("XXHASH3", "LQaABTjTlMI="),
                    ("XXHASH128", "maoG0wFHmNhgAcMkRo1Jfw=="),
                ],
            ),
            (
                "hello",
                [
                    ("CRC32", "NhCmhg=="),
                    ("CRC32C", "mnG7TA=="),
                    ("CRC64NVME", "M3eFcAZSQlc="),
                    ("SHA1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
                    ("MD5", "XUFAKrxLKna5cZ2REBfFkg=="),
                    ("SHA256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
                    ("XXHASH64", "JseCfYifbaM="),
                    ("XXHASH3", "lVXoVVxi3P0="),
                    ("XXHASH128", "tenBrQcbPn/Hec+qXlI4GA=="),
                ],
            ),
            (
                "hello world",
                [
                    ("CRC32", "DUoRhQ=="),
                    ("CRC32C", "yZRlqg=="),
                    ("CRC64NVME", "jSnVw/bqjr4="),
                    ("SHA1", "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
                    ("MD5", "XrY7u+Ae7tCTyyK7j1rNww=="),
                    ("SHA256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
                    ("XXHASH64", "RatnNLIeaWg="),
                    ("XXHASH3", "1Eex6kDmmIs="),
                    ("XXHASH128", "340J6T+HSQCpm4d1zBW2xw=="),
                ],
            ),
        ] {
            for (algorithm, expected) in expected {
                let algorithm: Algorithm = algorithm.parse().unwrap();
                if algorithm.is_available() {
                    assert_eq!(base64(algorithm, bytes.as_bytes()), expected, "{algorithm}");
                }
            }
        }
    }

    // The check values of the catalogue of parametrised CRC algorithms, and FIPS 180's "abc".
    #[test]
    fn published_check_values() {
        let hex = |algorithm: Algorithm, bytes| algorithm.digest(bytes).unwrap().hex();
        assert_eq!(hex(Algorithm::Crc32, b"123456789"), "cbf43926");
        assert_eq!(hex(Algorithm::Crc32c, b"123456789"), "e3069283");
        assert_eq!(hex(Algorithm::Crc64Nvme, b"123456789"), "ae8b14860a799888");
        assert_eq!(
            hex(Algorithm::Sha512, b"abc"),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        );
    }

    #[cfg(not(feature = "xxhash"))]
    #[test]
    fn what_the_build_leaves_out_names_the_feature() {
        for algorithm in [Algorithm::XxHash64, Algorithm::XxHash3, Algorithm::XxHash128] {
            assert!(!algorithm.is_available());
            let error = Hasher::new(algorithm).unwrap_err();
            assert_eq!(error.kind(), crate::Kind::InvalidInput);
            assert!(error.to_string().contains("feature `xxhash`"), "{error}");
            assert!(Hashers::new([Algorithm::Crc32, algorithm]).is_err());
        }
    }

    #[test]
    fn several_are_asked_for_once_each() {
        let asked = [Algorithm::Sha1, Algorithm::Crc32, Algorithm::Sha1];
        let mut hashers = Hashers::new(asked).unwrap();
        assert!(!hashers.is_empty());
        hashers.update(b"hello ");
        let mut other = hashers.clone();
        hashers.update(b"world");
        other.update(b"");
        let digests = hashers.finish();
        let order: Vec<_> = digests.iter().map(Value::algorithm).collect();
        assert_eq!(order, [Algorithm::Sha1, Algorithm::Crc32]);
        assert_eq!(digests.value(Algorithm::Crc32).unwrap().base64(), "DUoRhQ==");
        assert_eq!(digests.value(Algorithm::Md5), None);
        assert_ne!(other.finish(), digests);
        assert!(Hashers::default().finish().is_empty());
    }

    #[test]
    fn groups_come_to_what_all_together_come_to() {
        let algorithms = [Algorithm::Md5, Algorithm::Sha512, Algorithm::Crc32];
        let hashers = Hashers::new(algorithms).unwrap();
        let whole = {
            let mut hashers = hashers.in_sections(Algorithm::Md5, [3, 4]).unwrap();
            hashers.update(b"abcdefg");
            hashers.finish()
        };
        for (workers, groups) in [(0, 1), (1, 1), (2, 2), (3, 3), (4, 4), (9, 4)] {
            let split = hashers.in_sections(Algorithm::Md5, [3, 4]).unwrap().split(workers);
            assert_eq!(split.len(), groups, "{workers}");
            let joined = Digests::join(split.into_iter().map(|mut group| {
                group.update(b"abc");
                group.update(b"defg");
                group.finish()
            }));
            assert_eq!(joined, whole, "{workers}");
        }
        assert_eq!(Hashers::default().split(4).len(), 1);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(24))]

        #[test]
        fn how_the_bytes_are_cut_makes_no_difference(
            pieces in vec(vec(0u8.., 0..2 * PIECE), 0..5),
        ) {
            let all = Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_available());
            let mut hashers = Hashers::new(all.clone()).unwrap();
            for piece in &pieces {
                hashers.update(piece);
            }
            let digests = hashers.finish();
            let whole = pieces.concat();
            for algorithm in all {
                let expected = algorithm.digest(&whole).unwrap();
                proptest::prop_assert_eq!(digests.value(algorithm), Some(&expected));
            }
        }
    }
}

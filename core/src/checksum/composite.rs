//! Checksums of checksums, which S3 stores for a multipart upload whose parts do not combine.

use std::fmt;

use http::HeaderMap;

use super::algorithm::Algorithm;
use super::hasher::Hasher;
use super::value::{Value, hex, same_algorithm};
use crate::error::Error;

/// The data that the checksum of a multipart upload covers (`ChecksumType` in the Amazon S3 API
/// Reference).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// The bytes of the object, however they were uploaded.
    FullObject,
    /// The digests of the parts, one after the other.
    Composite,
}

words!(Type, "checksum type", {
    FullObject = "FULL_OBJECT",
    Composite = "COMPOSITE",
});

/// The checksum over the digests of some parts, written as `base64-N`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Composite {
    value: Value,
    parts: u32,
}

impl Composite {
    /// Computes the composite of the parts' values, in the order of the parts. No parts, and
    /// different algorithms, are errors of the caller.
    pub fn of(parts: impl IntoIterator<Item = Value>) -> Result<Self, Error> {
        let mut parts = parts.into_iter();
        let first = parts.next().ok_or_else(|| Error::invalid_input("no checksums to combine"))?;
        let mut hasher = Hasher::new(first.algorithm())?;
        hasher.update(first.bytes());
        let mut count = 1;
        for part in parts {
            same_algorithm(first.algorithm(), part.algorithm())?;
            hasher.update(part.bytes());
            count += 1;
        }
        Ok(Self { value: hasher.finish(), parts: count })
    }

    /// Reads `base64-N`. Other text is a broken value ([`Kind::InvalidResponse`](crate::Kind::InvalidResponse)).
    pub fn parse(algorithm: Algorithm, text: &str) -> Result<Self, Error> {
        let broken = || {
            Error::invalid_response(format!(
                "the composite {algorithm} checksum does not end in -N"
            ))
        };
        let (value, parts) = text.rsplit_once('-').ok_or_else(broken)?;
        if !parts.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(broken());
        }
        let parts = parts.parse().map_err(|_| broken())?;
        Ok(Self { value: Value::from_base64(algorithm, value)?, parts })
    }

    /// Returns the checksum over the digests of the parts.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Returns the algorithm, which is that of the parts too.
    pub fn algorithm(&self) -> Algorithm {
        self.value.algorithm()
    }

    /// Returns the number of parts.
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// Returns `hex-N`, without quotes. For MD5, this is S3's ETag of a multipart upload.
    pub fn etag(&self) -> String {
        format!("{}-{}", hex(self.value.bytes()), self.parts)
    }
}

impl fmt::Display for Composite {
    /// Writes `base64-N`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.value, self.parts)
    }
}

impl fmt::Debug for Composite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}-{}", self.value, self.parts)
    }
}

/// A checksum that a server declares in a header or document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Declared {
    /// A checksum of the object's bytes.
    FullObject(Value),
    /// A checksum of the digests of the object's parts.
    Composite(Composite),
}

impl Declared {
    /// Reads the value of an `x-amz-checksum-*` header or of a `Checksum…` element: base64 of the
    /// right length, with or without `-N`. Other text is a broken value.
    pub fn parse(algorithm: Algorithm, text: &str) -> Result<Self, Error> {
        // The standard alphabet of base64 has no hyphen.
        if text.contains('-') {
            Composite::parse(algorithm, text).map(Self::Composite)
        } else {
            Value::from_base64(algorithm, text).map(Self::FullObject)
        }
    }

    /// Returns the most useful checksum of a response: the first over the full object, else the
    /// first composite, in the order of [`Algorithm::BY_PREFERENCE`]. Algorithms that this build
    /// cannot compute are skipped. A value that cannot be read is an error, unless a better one
    /// came first.
    pub fn in_headers(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        // Most responses have none, and to look up each of ten names takes longer than one pass.
        if !headers.keys().any(|name| name.as_str().starts_with("x-amz-checksum-")) {
            return Ok(None);
        }
        let mut composite = None;
        for algorithm in Algorithm::BY_PREFERENCE {
            let Some(header) = headers.get(algorithm.header()) else { continue };
            if !algorithm.is_available() {
                continue;
            }
            let text = header.to_str().map_err(|_| {
                Error::invalid_response(format!(
                    "the {algorithm} checksum has non-ASCII characters"
                ))
            })?;
            match Self::parse(algorithm, text.trim())? {
                value @ Self::FullObject(_) => return Ok(Some(value)),
                value @ Self::Composite(_) => composite = composite.or(Some(value)),
            }
        }
        Ok(composite)
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::FullObject(value) => value.algorithm(),
            Self::Composite(composite) => composite.algorithm(),
        }
    }

    /// Returns the data that the checksum covers.
    pub fn checksum_type(&self) -> Type {
        match self {
            Self::FullObject(_) => Type::FullObject,
            Self::Composite(_) => Type::Composite,
        }
    }
}

impl fmt::Display for Declared {
    /// As [`parse`](Self::parse) reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FullObject(value) => value.fmt(f),
            Self::Composite(composite) => composite.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    // Made with botocore.
    #[test]
    fn hello_world_in_two_parts() {
        let of = |algorithm: Algorithm| {
            let parts = [&b"hello "[..], b"world"];
            Composite::of(parts.map(|part| algorithm.digest(part).unwrap())).unwrap()
        };
        assert_eq!(of(Algorithm::Crc32).to_string(), "1Fu2mQ==-2");
        assert_eq!(
            of(Algorithm::Sha256).to_string(),
            "Zhie15keHg/OBlOZxcoF/BXCgYZaeimRvdZnwUZqkaQ=-2"
        );
        assert_eq!(of(Algorithm::Md5).etag(), "e09e4fd6265b36115fe3db32df945d84-2");
    }

    #[test]
    fn parts_must_be_alike_and_some() {
        assert!(Composite::of([]).is_err());
        let mixed = [Algorithm::Crc32, Algorithm::Sha1].map(|one| one.digest(b"").unwrap());
        assert!(Composite::of(mixed).is_err());
    }

    #[test]
    fn a_hyphen_makes_a_composite() {
        let declared = Declared::parse(Algorithm::Crc32, "1Fu2mQ==-2").unwrap();
        assert_eq!(declared.checksum_type(), Type::Composite);
        assert_eq!(declared.to_string(), "1Fu2mQ==-2");
        let declared = Declared::parse(Algorithm::Crc32, "NhCmhg==").unwrap();
        assert_eq!(declared.checksum_type(), Type::FullObject);
        for text in ["1Fu2mQ==-", "1Fu2mQ==-+2", "1Fu2mQ==-x", "-2", "1Fu2mQ==-99999999999", "-"] {
            let error = Declared::parse(Algorithm::Crc32, text).unwrap_err();
            assert_eq!(error.kind(), crate::Kind::InvalidResponse, "{text}");
        }
    }

    #[test]
    fn the_best_of_several_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(Declared::in_headers(&headers).unwrap(), None);
        headers.insert(Algorithm::Crc32c.header(), HeaderValue::from_static("1Fu2mQ==-2"));
        let best = |headers: &HeaderMap| Declared::in_headers(headers).unwrap().unwrap();
        assert_eq!(best(&headers).checksum_type(), Type::Composite);
        headers.insert(Algorithm::Crc32.header(), HeaderValue::from_static("NhCmhg=="));
        assert_eq!(best(&headers).algorithm(), Algorithm::Crc32);
        headers.insert(Algorithm::Crc64Nvme.header(), HeaderValue::from_static("M3eFcAZSQlc="));
        assert_eq!(best(&headers).algorithm(), Algorithm::Crc64Nvme);
        headers.insert(Algorithm::Crc64Nvme.header(), HeaderValue::from_static("null"));
        assert_eq!(
            Declared::in_headers(&headers).unwrap_err().kind(),
            crate::Kind::InvalidResponse
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[A-Za-z0-9+/=-]{0,24}|\\PC*") {
            for algorithm in Algorithm::ALL {
                if let Ok(declared) = Declared::parse(algorithm, &text) {
                    let again = Declared::parse(algorithm, &declared.to_string()).unwrap();
                    proptest::prop_assert_eq!(again, declared);
                }
            }
        }
    }
}

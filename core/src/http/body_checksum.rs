//! A checksum in a header or a trailer of a request.

use http::header::{HeaderName, HeaderValue};

use crate::checksum::{Algorithm, LONGEST_BASE64, Value};

/// A value computed over the body and sent in a header or trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyChecksum {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The name of the header or trailer.
    pub name: HeaderName,
    /// The text format of the value.
    pub encoding: Encoding,
}

/// The text format of the value of a [`BodyChecksum`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Base64, as in S3's checksums and `Content-MD5`.
    Base64,
    /// Hexadecimal, as in ETags.
    Hex,
}

impl BodyChecksum {
    /// Returns the value as a header value.
    pub(super) fn value(&self, value: &Value) -> HeaderValue {
        let header = match self.encoding {
            Encoding::Base64 => {
                HeaderValue::from_bytes(value.base64_into(&mut [0; LONGEST_BASE64]))
            }
            Encoding::Hex => HeaderValue::try_from(value.hex()),
        };
        header.expect("base64 and hex are made of visible characters")
    }

    /// Returns the length in bytes of a trailer's line without its end.
    pub(super) fn line_length(&self) -> u64 {
        let size = self.algorithm.size();
        let value = match self.encoding {
            Encoding::Base64 => size.div_ceil(3) * 4,
            Encoding::Hex => size * 2,
        };
        (self.name.as_str().len() + 1 + value) as u64
    }
}

impl Encoding {
    /// Returns the value as text.
    pub(super) fn write(self, value: &Value) -> String {
        match self {
            Self::Base64 => value.base64(),
            Self::Hex => value.hex(),
        }
    }
}

//! A checksum as a value: its bytes, its text forms, and combining the values of parts.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::algorithm::Algorithm;
use super::crc::Crc;
use crate::error::Error;

/// A checksum and its algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Value {
    algorithm: Algorithm,
    /// Zero beyond the digest's size.
    bytes: [u8; MAX_SIZE],
}

impl Value {
    /// Creates the value with these bytes, most significant byte first. Another number of bytes
    /// than the [size](Algorithm::size) of the algorithm is an error of the caller.
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != algorithm.size() {
            return Err(Error::invalid_input(format!(
                "a {algorithm} checksum has {} bytes, not {}",
                algorithm.size(),
                bytes.len()
            )));
        }
        Ok(Self::from_digest(algorithm, bytes))
    }

    /// Reads hex digits in either case, as image services store digests. Other text, and another
    /// length than the algorithm's, is an error of the caller.
    pub fn from_hex(algorithm: Algorithm, text: &str) -> Result<Self, Error> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text.len() != algorithm.size() * 2 || !is_hex {
            let digits = algorithm.size() * 2;
            return Err(Error::invalid_input(format!(
                "expected {digits} hex digits for {algorithm}"
            )));
        }
        let digit = |at| u8::from_str_radix(text.get(at..at + 2).unwrap_or_default(), 16);
        let bytes: Vec<u8> = (0..text.len()).step_by(2).flat_map(digit).collect();
        Self::new(algorithm, &bytes)
    }

    /// Reads the padded standard base64 of a header or document. Other text, and another length
    /// than the algorithm's, is a broken value ([`Kind::InvalidResponse`](crate::Kind::InvalidResponse)).
    pub fn from_base64(algorithm: Algorithm, text: &str) -> Result<Self, Error> {
        // Holds the longest text that can be valid, so that decoding never lacks room.
        let mut bytes = [0; MAX_SIZE + 2];
        match STANDARD.decode_slice(text, &mut bytes) {
            Ok(length) if length == algorithm.size() => {
                Ok(Self::from_digest(algorithm, &bytes[..length]))
            }
            Ok(length) => Err(Error::invalid_response(format!(
                "the {algorithm} checksum has {length} bytes, not {}",
                algorithm.size()
            ))),
            Err(_) => Err(Error::invalid_response(format!(
                "the {algorithm} checksum is not base64 of {} bytes",
                algorithm.size()
            ))),
        }
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the digest, most significant byte first.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.size()]
    }

    /// Returns the digest in base64, as in headers and documents.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.bytes())
    }

    /// Writes [`base64`](Self::base64) to the start of `out`, and returns the text written.
    pub(crate) fn base64_into<'a>(&self, out: &'a mut [u8; LONGEST_BASE64]) -> &'a [u8] {
        let length = STANDARD.encode_slice(self.bytes(), out).unwrap_or_default();
        &out[..length]
    }

    /// Returns the digest in lower-case hexadecimal digits, as in ETags with an MD5.
    pub fn hex(&self) -> String {
        hex(self.bytes())
    }

    pub(super) fn from_digest(algorithm: Algorithm, digest: &[u8]) -> Self {
        let mut bytes = [0; MAX_SIZE];
        bytes[..algorithm.size()].copy_from_slice(digest);
        Self { algorithm, bytes }
    }

    fn register(&self) -> u64 {
        self.bytes().iter().fold(0, |register, &byte| register << 8 | u64::from(byte))
    }
}

impl fmt::Display for Value {
    /// Writes the base64 alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.base64())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.base64())
    }
}

/// Computes the checksum of a whole from those of its parts: pairs of a value and the number of
/// bytes it covers, in the order of the parts. It serves `FULL_OBJECT` checksums of multipart
/// uploads, and downloads in ranges.
///
/// No parts, different algorithms, and an algorithm that does not [combine](Algorithm::combines)
/// are errors of the caller.
pub fn combine(parts: impl IntoIterator<Item = (Value, u64)>) -> Result<Value, Error> {
    let mut parts = parts.into_iter();
    let (first, _) = parts.next().ok_or_else(|| Error::invalid_input("no checksums to combine"))?;
    let algorithm = first.algorithm;
    let crc = match algorithm {
        Algorithm::Crc32 => Crc::CRC32,
        Algorithm::Crc32c => Crc::CRC32C,
        Algorithm::Crc64Nvme => Crc::CRC64NVME,
        _ => {
            return Err(Error::invalid_input(format!(
                "{algorithm} checksums of parts can't be combined into one of the whole object"
            )));
        }
    };
    let mut register = first.register();
    // The parts of an upload have one length, except for the last.
    let mut shift = (0, crc.shift(0));
    for (part, length) in parts {
        same_algorithm(algorithm, part.algorithm)?;
        if shift.0 != length {
            shift = (length, crc.shift(length));
        }
        register = crc.multiply(register, shift.1) ^ part.register();
    }
    let bytes = register.to_be_bytes();
    Ok(Value::from_digest(algorithm, &bytes[bytes.len() - algorithm.size()..]))
}

pub(super) fn same_algorithm(first: Algorithm, other: Algorithm) -> Result<(), Error> {
    if first == other {
        return Ok(());
    }
    Err(Error::invalid_input(format!("checksums of parts mix {first} and {other}")))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(HEX[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The size of the longest digest, SHA-512's, in bytes.
const MAX_SIZE: usize = 64;
/// The length in base64 digits of the longest digest.
pub(crate) const LONGEST_BASE64: usize = MAX_SIZE.div_ceil(3) * 4;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;

    use super::*;

    #[test]
    fn base64_is_read_to_the_bit() {
        let value = Value::from_base64(Algorithm::Crc32, "NhCmhg==").unwrap();
        assert_eq!(value.bytes(), [0x36, 0x10, 0xA6, 0x86]);
        assert_eq!(value.hex(), "3610a686");
        assert_eq!(value.to_string(), "NhCmhg==");
        // Unpadded, stray bits, another alphabet, white space, other lengths, nothing.
        for text in ["NhCmhg", "NhCmhh==", "-hCmhg==", " NhCmhg==", "M3eFcAZSQlc=", "NhCm", ""] {
            let error = Value::from_base64(Algorithm::Crc32, text).unwrap_err();
            assert_eq!(error.kind(), crate::Kind::InvalidResponse, "{text}");
        }
    }

    #[test]
    fn sizes_are_checked() {
        for algorithm in Algorithm::ALL {
            let bytes = [7; MAX_SIZE + 1];
            let size = algorithm.size();
            let value = Value::new(algorithm, &bytes[..size]).unwrap();
            assert_eq!(Value::from_base64(algorithm, &value.base64()).unwrap(), value);
            assert!(Value::new(algorithm, &bytes[..size - 1]).is_err());
            assert!(Value::new(algorithm, &bytes[..size + 1]).is_err());
        }
    }

    #[test]
    fn what_does_not_combine_is_refused() {
        let of = |algorithm: Algorithm| (algorithm.digest(b"hello").unwrap(), 5);
        assert!(combine([]).is_err());
        assert!(combine([of(Algorithm::Crc32), of(Algorithm::Crc32c)]).is_err());
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_available()) {
            assert_eq!(combine([of(algorithm)]).is_ok(), algorithm.combines(), "{algorithm}");
        }
    }

    proptest::proptest! {
        #[test]
        fn combined_parts_are_the_whole(parts in vec(vec(0u8.., 0..300), 1..6)) {
            for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
                let whole = algorithm.digest(&parts.concat()).unwrap();
                let parts = parts
                    .iter()
                    .map(|part| (algorithm.digest(part).unwrap(), part.len() as u64));
                proptest::prop_assert_eq!(combine(parts).unwrap(), whole);
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            for algorithm in Algorithm::ALL {
                if let Ok(value) = Value::from_base64(algorithm, &text) {
                    proptest::prop_assert_eq!(value.base64(), text.as_str());
                }
            }
        }
    }
}

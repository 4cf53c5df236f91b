//! Entity tags in the forms that servers of S3 and Swift write.

use std::fmt;
use std::io::{self, Read};

use crate::checksum::{Algorithm, Hasher};

/// An ETag as the server wrote it: usually in quotes, sometimes without, sometimes empty (Ceph 16
/// in its response to CompleteMultipartUpload).
///
/// Two tags are equal if the texts between their quotes are equal; `W/` is ignored.
#[derive(Clone, Debug, Default, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct ETag(String);

impl ETag {
    /// Creates a tag from the text that the server wrote.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the tag as the server wrote it, for use in `If-Match`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text between the quotes.
    pub fn opaque(&self) -> &str {
        let tag = self.0.strip_prefix("W/").unwrap_or(&self.0);
        let tag = tag.strip_prefix('"').unwrap_or(tag);
        tag.strip_suffix('"').unwrap_or(tag)
    }

    /// Whether the tag has the form of an MD5. The tag of an S3 object that was stored in one
    /// request is the MD5 of its bytes, unless it is encrypted with a KMS key or a key of the
    /// caller.
    pub fn is_md5(&self) -> bool {
        self.md5().is_some()
    }

    /// Returns the tag as an MD5, or `None` if it has another form. The exception for encrypted
    /// objects in [`is_md5`](Self::is_md5) applies here too.
    ///
    /// ```
    /// use apus_core::http::ETag;
    ///
    /// let etag = ETag::from("\"5d41402abc4b2a76b9719d911017c592\"");
    /// assert_eq!(etag.md5().unwrap()[..2], [0x5d, 0x41]);
    /// assert_eq!(ETag::from("\"5d41402abc4b2a76b9719d911017c592-2\"").md5(), None);
    /// ```
    pub fn md5(&self) -> Option<[u8; 16]> {
        let tag = self.opaque().as_bytes();
        let mut digest = [0; 16];
        if tag.len() != 2 * digest.len() {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(tag.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
            *byte = (high? << 4 | low?) as u8;
        }
        Some(digest)
    }

    /// Returns whether an upload of these bytes by S3, in one request or in parts of `part_size`
    /// bytes, has this tag. False if the tag has another form, such as that of an object that is
    /// encrypted with a KMS key: then nothing is known about the bytes.
    ///
    /// ```
    /// use apus_core::http::ETag;
    ///
    /// let whole = ETag::from("\"5eb63bbbe01eeed093cb22bb8f5acdc3\"");
    /// assert!(whole.is_of(b"hello world".as_slice(), 8 << 20)?);
    /// let parts = ETag::from("\"177e85e8bb233bd57a6aabda201a0c2c-3\"");
    /// assert!(parts.is_of(b"hello world".as_slice(), 4)?);
    /// assert!(!parts.is_of(b"hello world".as_slice(), 5)?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn is_of(&self, reader: impl Read, part_size: u64) -> io::Result<bool> {
        let (digest, count) = match self.opaque().split_once('-') {
            Some((digest, count)) => (Self::from(digest).md5(), count.parse::<usize>().ok()),
            None => (self.md5(), None),
        };
        let Some(digest) = digest.filter(|_| count.is_some() || self.is_md5()) else {
            return Ok(false);
        };
        let parts = md5_of_parts(reader, if count.is_some() { part_size } else { u64::MAX })?;
        match count {
            None => Ok(parts == [digest]),
            Some(count) => Ok(parts.len() == count && md5(&parts.concat())? == digest),
        }
    }

    /// Returns whether a static large object of Swift with these bytes, in segments of
    /// `segment_size` bytes, has this tag.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn is_of_segments(&self, reader: impl Read, segment_size: u64) -> io::Result<bool> {
        let Some(digest) = self.md5() else { return Ok(false) };
        let segments = md5_of_parts(reader, segment_size)?;
        let hex = segments.as_flattened().iter().map(|byte| format!("{byte:02x}"));
        Ok(md5(hex.collect::<String>().as_bytes())? == digest)
    }

    /// Whether the tag is empty.
    pub fn is_empty(&self) -> bool {
        self.opaque().is_empty()
    }
}

/// Returns the MD5 of each part of `size` bytes; of a reader without bytes, that of one part.
fn md5_of_parts(mut reader: impl Read, size: u64) -> io::Result<Vec<[u8; 16]>> {
    let mut parts = Vec::new();
    let (mut hasher, mut left) = (hasher()?, size);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = match reader.read(&mut buffer[..most]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        hasher.update(&buffer[..read]);
        left -= read as u64;
        let ends = read == 0;
        if left == 0 || ends && (left < size || parts.is_empty()) {
            parts.push(digest(std::mem::replace(&mut hasher, self::hasher()?)));
            left = size;
        }
        if ends {
            return Ok(parts);
        }
    }
}

fn md5(bytes: &[u8]) -> io::Result<[u8; 16]> {
    let mut hasher = hasher()?;
    hasher.update(bytes);
    Ok(digest(hasher))
}

fn hasher() -> io::Result<Hasher> {
    Hasher::new(Algorithm::Md5).map_err(io::Error::other)
}

fn digest(hasher: Hasher) -> [u8; 16] {
    hasher.finish().bytes().try_into().unwrap_or_default()
}

impl PartialEq for ETag {
    fn eq(&self, other: &Self) -> bool {
        self.opaque() == other.opaque()
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ETag {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for ETag {
    fn from(text: String) -> Self {
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_weakness_do_not_count() {
        assert_eq!(ETag::from("\"abc\""), ETag::from("abc"));
        assert_eq!(ETag::from("W/\"abc\""), ETag::from("\"abc\""));
        assert_ne!(ETag::from("\"abc\""), ETag::from("\"abd\""));
        let md5 = "5d41402abc4b2a76b9719d911017c592";
        assert!(ETag::from(md5).is_md5() && ETag::from(format!("\"{md5}\"")).is_md5());
        assert!(!ETag::from(format!("\"{md5}-2\"")).is_md5() && !ETag::from("abc").is_md5());
        assert!(ETag::from("\"\"").is_empty() && ETag::from("").is_empty());
    }

    // The digests are those of Python's hashlib: of the bytes, and of the digests of their parts.
    #[test]
    fn bytes_are_compared_with_tags_of_one_request_and_of_parts() {
        let is =
            |tag: &str, bytes: &[u8], part_size| ETag::from(tag).is_of(bytes, part_size).unwrap();
        assert!(is("d41d8cd98f00b204e9800998ecf8427e", b"", 4));
        assert!(is("5eb63bbbe01eeed093cb22bb8f5acdc3", b"hello world", 4));
        assert!(!is("5eb63bbbe01eeed093cb22bb8f5acdc3", b"hello World", 4));
        assert!(is("177e85e8bb233bd57a6aabda201a0c2c-3", b"hello world", 4));
        assert!(!is("177e85e8bb233bd57a6aabda201a0c2c-2", b"hello world", 4));
        assert!(!is("177e85e8bb233bd57a6aabda201a0c2c-3", b"hello world!", 4));
        let slo = ETag::from("86525d15b9c592ef1657c3830c6d1d11");
        assert!(slo.is_of_segments(b"hello world".as_slice(), 4).unwrap());
        assert!(!slo.is_of_segments(b"hello world".as_slice(), 5).unwrap());
        // Two parts that are full.
        assert!(is("2aafd141caea88082ea8068368568e11-2", b"abcdabcd", 4));
        for tag in ["", "-", "5eb63bbbe01eeed093cb22bb8f5acdc3-", "no-md5", "-3"] {
            assert!(!is(tag, b"hello world", 4), "{tag}");
        }
    }
}

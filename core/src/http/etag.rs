//! Entity tags in the forms that servers of S3 and Swift write.

use std::fmt;

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

    /// Whether the tag is empty.
    pub fn is_empty(&self) -> bool {
        self.opaque().is_empty()
    }
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
}

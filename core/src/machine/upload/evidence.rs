//! Whether an object is the one that we wrote, when the answer to the write was lost.
//!
//! A write whose answer never came is repeated, and the repetition may be refused because the first
//! one succeeded: 412 where the object must not exist, `NoSuchUpload` (or 403) where the upload is
//! already complete. A HEAD decides.

use crate::checksum::{Algorithm, Composite, Declared, Value};
use crate::s3::{ETag, ObjectHead};

/// What the object must look like to be ours.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// Bytes of the whole.
    pub(super) length: u64,
    /// The tag, where it can be foretold.
    pub(super) etag: Option<String>,
    /// Checksums over the whole.
    pub(super) checksums: Vec<Declared>,
    /// Equal length is enough: the server let go of the upload after it was told to complete it.
    pub(super) length_suffices: bool,
}

impl Evidence {
    /// Of an object written by one request.
    pub(super) fn of_put(length: u64, computed: &[Value]) -> Self {
        let md5 = computed.iter().find(|value| value.algorithm() == Algorithm::Md5);
        Self {
            length,
            etag: md5.map(Value::hex),
            checksums: computed.iter().copied().map(Declared::FullObject).collect(),
            length_suffices: false,
        }
    }

    /// Whether this object is ours.
    pub(super) fn holds(&self, head: &ObjectHead) -> bool {
        if head.size.is_some_and(|size| size != self.length) {
            return false;
        }
        let same = |theirs: &Declared| {
            let ours = self.checksums.iter().find(|ours| {
                ours.algorithm() == theirs.algorithm()
                    && ours.checksum_type() == theirs.checksum_type()
            });
            ours.map(|ours| ours == theirs)
        };
        if let Some(verdict) = head.checksums.iter().find_map(same) {
            return verdict;
        }
        let tag = head.etag.as_ref().map(ETag::opaque);
        match (&self.etag, tag) {
            (Some(ours), Some(theirs)) if ours.eq_ignore_ascii_case(theirs) => true,
            _ => self.length_suffices && head.size == Some(self.length),
        }
    }
}

/// The tag that S3 gives an object of these parts: the MD5 of their MD5s and their number. `None`
/// where the parts' tags are no MD5s.
pub(super) fn multipart_etag<'a>(parts: impl Iterator<Item = &'a ETag>) -> Option<String> {
    let digests: Option<Vec<Value>> = parts.map(|tag| md5(tag.opaque())).collect();
    Composite::of(digests?).ok().map(|composite| composite.etag())
}

fn md5(hex: &str) -> Option<Value> {
    if hex.len() != 32 {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..16)
        .map(|at| hex.get(at * 2..at * 2 + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    Value::new(Algorithm::Md5, &bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_two_parts() {
        // MD5s of `hello ` and `world`, and the tag of the object made of them, from hashlib.
        let parts = [
            ETag::from("\"f814893777bcc2295fff05f00e508da6\""),
            ETag::from("7d793037a0760186574b0282f2f435e7"),
        ];
        let etag = multipart_etag(parts.iter());
        assert_eq!(etag.as_deref(), Some("e09e4fd6265b36115fe3db32df945d84-2"));
        assert_eq!(multipart_etag([ETag::from("random")].iter()), None);
    }

    #[test]
    fn another_length_is_another_object() {
        let evidence = Evidence { length: 5, length_suffices: true, ..Evidence::default() };
        let of_size = |size| ObjectHead { size: Some(size), ..ObjectHead::default() };
        assert!(evidence.holds(&of_size(5)));
        assert!(!evidence.holds(&of_size(6)));
    }
}

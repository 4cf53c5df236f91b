//! Separate checksums of the sections of one stream.

use std::sync::Arc;

use super::algorithm::Algorithm;
use super::hasher::Hasher;
use super::value::Value;
use crate::error::Error;

/// Begins a new checksum at the end of each section. Bytes after the last section are ignored.
///
/// ```text
///  lengths[0]   lengths[1]      lengths[2]
///  ├──────────┼───────────────┼────────────┤
///    values[0]   open, filled
/// ```
#[derive(Clone, Debug)]
pub(super) struct Sections {
    lengths: Arc<[u64]>,
    /// A hasher that has no bytes, to be cloned.
    blank: Hasher,
    open: Hasher,
    filled: u64,
    values: Vec<Value>,
}

impl Sections {
    pub(super) fn new(algorithm: Algorithm, lengths: Arc<[u64]>) -> Result<Self, Error> {
        let blank = Hasher::new(algorithm)?;
        let mut sections =
            Self { lengths, open: blank.clone(), blank, filled: 0, values: Vec::new() };
        sections.close();
        Ok(sections)
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while let Some(length) = self.lengths.get(self.values.len())
            && !bytes.is_empty()
        {
            let room = usize::try_from(length - self.filled).unwrap_or(usize::MAX);
            let (these, rest) = bytes.split_at(room.min(bytes.len()));
            self.open.update(these);
            self.filled += these.len() as u64;
            self.close();
            bytes = rest;
        }
    }

    /// Returns the checksums of the complete sections.
    pub(super) fn finish(self) -> Vec<Value> {
        self.values
    }

    /// Ends the open section if it is full, and the empty sections after it.
    fn close(&mut self) {
        while self.lengths.get(self.values.len()) == Some(&self.filled) {
            let full = std::mem::replace(&mut self.open, self.blank.clone());
            self.values.push(full.finish());
            self.filled = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;

    use super::*;
    use crate::checksum::Hashers;

    proptest::proptest! {
        #[test]
        fn each_section_has_the_checksum_of_its_own_bytes(
            bytes in vec(proptest::num::u8::ANY, 0..300),
            lengths in vec(0u64..60, 0..9),
            pieces in vec(1usize..40, 1..40),
        ) {
            let mut hashers = Hashers::new([Algorithm::Sha256])
                .and_then(|hashers| hashers.in_sections(Algorithm::Md5, lengths.clone()))
                .unwrap();
            let mut rest = bytes.as_slice();
            for piece in pieces.iter().cycle() {
                let (these, after) = rest.split_at((*piece).min(rest.len()));
                hashers.update(these);
                // A clone continues at the position of the original.
                hashers = hashers.clone();
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let digests = hashers.finish();
            let whole = Algorithm::Sha256.digest(&bytes).unwrap();
            proptest::prop_assert_eq!(digests.value(Algorithm::Sha256), Some(&whole));
            let mut expected = Vec::new();
            let mut at = 0;
            for length in lengths {
                let Some(section) = bytes.get(at..at + length as usize) else { break };
                expected.push(Algorithm::Md5.digest(section).unwrap());
                at += length as usize;
            }
            proptest::prop_assert_eq!(digests.sections(), expected);
        }
    }
}

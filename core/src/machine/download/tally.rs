//! The combined checksums of the ranges that were read.

use crate::checksum::{Algorithm, Digests, Value, combine};
use crate::error::Error;

/// The checksums of the bytes read, combined from those of the ranges in their order.
#[derive(Debug, Default)]
pub(super) struct Tally {
    length: u64,
    values: Vec<Value>,
    running: bool,
    sections: Vec<Value>,
    parts: Option<Parts>,
}

impl Tally {
    #[cfg(feature = "swift")]
    /// Makes a tally of sequential ranges: the hashers of each continue those of the one before.
    pub(super) fn running() -> Self {
        Self { running: true, ..Self::default() }
    }

    /// Makes a tally that also computes the digests of parts of these lengths. No range may cross
    /// the end of a part.
    pub(super) fn with_parts(algorithm: Algorithm, sizes: Vec<u64>) -> Self {
        let parts = Parts { algorithm, sizes, open: None, values: Vec::new() };
        Self { parts: Some(parts), ..Self::default() }
    }

    /// Returns whether the hashers of a range continue those of the range before.
    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// Returns the number of bytes so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the digests of all bytes: of one range any, of several those that combine.
    pub(super) fn digests(&self) -> Digests {
        self.values.iter().copied().collect()
    }

    /// Returns the digests of the parts, once all of them were read.
    pub(super) fn parts(&self) -> Option<&[Value]> {
        if self.running {
            return Some(&self.sections);
        }
        let parts = self.parts.as_ref()?;
        let all = parts.open.is_none() && parts.values.len() == parts.sizes.len();
        all.then_some(parts.values.as_slice())
    }

    /// Adds the next range.
    pub(super) fn add(&mut self, digests: &Digests, length: u64) -> Result<(), Error> {
        if let Some(parts) = &mut self.parts {
            parts.add(digests, length)?;
        }
        if self.running || self.length == 0 {
            self.sections = digests.sections().to_vec();
            self.values = digests.iter().copied().collect();
        } else {
            let mut joined = Vec::with_capacity(self.values.len());
            for value in self.values.iter().filter(|value| value.algorithm().combines()) {
                if let Some(next) = digests.value(value.algorithm()) {
                    joined.push(combine([(*value, self.length), (*next, length)])?);
                }
            }
            self.values = joined;
        }
        self.length += length;
        Ok(())
    }
}

/// The digests of parts.
#[derive(Debug)]
struct Parts {
    algorithm: Algorithm,
    sizes: Vec<u64>,
    /// The digest and length of the unfinished part.
    open: Option<(Value, u64)>,
    values: Vec<Value>,
}

impl Parts {
    fn add(&mut self, digests: &Digests, length: u64) -> Result<(), Error> {
        let Some(value) = digests.value(self.algorithm) else { return Ok(()) };
        let (value, filled) = match self.open.take() {
            None => (*value, length),
            Some((begun, filled)) => {
                (combine([(begun, filled), (*value, length)])?, filled.saturating_add(length))
            }
        };
        if self.sizes.get(self.values.len()).is_some_and(|size| *size == filled) {
            self.values.push(value);
        } else {
            self.open = Some((value, filled));
        }
        Ok(())
    }
}

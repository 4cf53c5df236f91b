//! The objects of a trial, and their names for removal.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The names of objects that were stored, or may have been stored.
#[derive(Debug)]
pub(super) struct Trial {
    prefix: String,
    stored: Mutex<BTreeSet<String>>,
}

impl Trial {
    /// Returns a trial; `seed` distinguishes its names from those of concurrent trials.
    pub(super) fn new(seed: u64) -> Self {
        Self { prefix: format!("apus-doctor-{seed:016x}/"), stored: Mutex::default() }
    }

    /// Returns the prefix of all names.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the name of an object, and records it for removal.
    pub(super) fn name(&self, name: &str) -> String {
        let name = format!("{}{name}", self.prefix);
        self.lock().insert(name.clone());
        name
    }

    /// Returns all names that were recorded.
    pub(super) fn names(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns bytes that no framing has by chance, and that do not repeat.
pub(super) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(next).collect()
}

//! Objects of our own, and how they go again.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The names of what was stored, or may have been.
#[derive(Debug)]
pub(super) struct Trial {
    prefix: String,
    stored: Mutex<BTreeSet<String>>,
}

impl Trial {
    /// `seed` tells this trial's names from those of others at the same time.
    pub(super) fn new(seed: u64) -> Self {
        Self { prefix: format!("apus-doctor-{seed:016x}/"), stored: Mutex::default() }
    }

    /// What all names begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of an object, which will be removed.
    pub(super) fn name(&self, name: &str) -> String {
        let name = format!("{}{name}", self.prefix);
        self.lock().insert(name.clone());
        name
    }

    /// All names that were given out.
    pub(super) fn names(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that no framing has by chance, and that don't repeat.
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

//! Instructions counted by callgrind, function by function.

use std::collections::BTreeMap;

/// What callgrind counted.
#[derive(Debug, Default)]
pub struct Profile {
    /// Instructions of each function itself, without those it calls.
    pub functions: BTreeMap<String, u64>,
    /// Calls of the allocator: `malloc`, `calloc`, `realloc`.
    pub allocations: u64,
}

impl Profile {
    /// Reads a file that callgrind wrote, with one kind of event
    /// (<https://valgrind.org/docs/manual/cl-format.html>).
    pub fn parse(text: &str) -> Self {
        let mut profile = Self::default();
        let mut names = BTreeMap::new();
        let (mut function, mut called, mut is_inclusive) = (String::new(), String::new(), false);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                function = full(&mut names, name);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                called = full(&mut names, name);
            } else if let Some(calls) = line.strip_prefix("calls=") {
                is_inclusive = true;
                let count = calls.split(' ').next().and_then(|count| count.parse().ok());
                if matches!(called.as_str(), "malloc" | "calloc" | "realloc") {
                    profile.allocations += count.unwrap_or(0);
                }
            } else if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            {
                let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok());
                if !std::mem::take(&mut is_inclusive) {
                    *profile.functions.entry(function.clone()).or_default() += cost.unwrap_or(0);
                }
            }
        }
        profile
    }

    /// Returns the instructions of all functions that are not [`is_hash`].
    pub fn instructions(&self) -> u64 {
        let functions = self.functions.iter();
        functions.filter(|(name, _)| !is_hash(name)).map(|(_, cost)| cost).sum()
    }
}

/// Whether a function hashes: callgrind has no instructions for SHA-256, so that it counts more than
/// a processor that has them.
pub fn is_hash(function: &str) -> bool {
    ["sha2::", "crc_fast::", "sha256"].iter().any(|part| function.contains(part))
}

/// Returns the name of `(12) name`, or of `(12)` if it was defined before.
fn full(names: &mut BTreeMap<String, String>, text: &str) -> String {
    match text.split_once(' ') {
        Some((id, name)) => {
            names.insert(id.to_owned(), name.to_owned());
            name.to_owned()
        }
        None => names.get(text).cloned().unwrap_or_default(),
    }
}

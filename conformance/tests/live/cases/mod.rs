//! The checks, a file for each subject.

use std::sync::LazyLock;

use apus_core::Error;

pub mod bodies;
pub mod buckets;
pub mod identity;
pub mod keys;
pub mod lists;
pub mod objects;
pub mod parts;
pub mod transfers;
pub mod versions;

/// Up to 16 MiB that are the same each time, and of which no two parts are alike.
pub fn payload(length: usize) -> Vec<u8> {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let words = (0..2 << 20).flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        words.collect()
    });
    BYTES[..length].to_vec()
}

/// Asserts a refusal of this status and code.
#[track_caller]
pub fn refused<T>(result: Result<T, Error>, status: u16, code: &str) {
    let error = result.err().expect("this should have been refused");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(status), "{error}");
    assert_eq!(error.code().unwrap_or_default(), code, "{error}");
    assert!(error.to_string().contains(code), "{error}");
}

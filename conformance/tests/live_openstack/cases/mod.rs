//! The short checks, a file for each subject.

use std::sync::LazyLock;

use apus_core::Error;

pub mod access;
pub mod containers;
pub mod identity;
pub mod keystone;
pub mod large;
pub mod objects;
pub mod transfers;

/// Up to 16 MiB that are the same each time, and of which no two segments are alike.
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

/// Asserts a refusal of this status, with the request id of the response.
#[track_caller]
pub fn refused<T>(result: Result<T, Error>, status: u16) {
    let error = result.err().expect("this should have been refused");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(status), "{error}");
    assert!(error.request_id().is_some_and(|id| id.starts_with("tx")), "{error:?}");
}

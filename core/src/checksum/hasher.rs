//! Incremental computation of one checksum.

use std::fmt;

use sha2::Digest as _;

use super::algorithm::Algorithm;
use super::crc::{Crc32c, Crc64Nvme};
use super::md5::Md5;
use super::value::Value;
use crate::error::Error;

/// A checksum over the bytes given so far. A clone is independent.
#[derive(Clone)]
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

#[derive(Clone)]
enum State {
    Crc32(crc32fast::Hasher),
    Crc32c(Crc32c),
    Crc64Nvme(Crc64Nvme),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Md5(Md5),
    #[cfg(feature = "xxhash")]
    XxHash64(xxhash_rust::xxh64::Xxh64),
    /// For both widths, which differ only at the end. Boxed, because it has half a KiB.
    #[cfg(feature = "xxhash")]
    XxHash3(Box<xxhash_rust::xxh3::Xxh3>),
}

impl Hasher {
    /// Creates a hasher that has no bytes yet. An algorithm that this build leaves out is an error
    /// of the caller, which names the feature.
    pub fn new(algorithm: Algorithm) -> Result<Self, Error> {
        let state = match algorithm {
            Algorithm::Crc32 => State::Crc32(crc32fast::Hasher::new()),
            Algorithm::Crc32c => State::Crc32c(Crc32c::new()),
            Algorithm::Crc64Nvme => State::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => State::Sha512(sha2::Sha512::new()),
            Algorithm::Md5 => State::Md5(Md5::new()),
            #[cfg(feature = "xxhash")]
            Algorithm::XxHash64 => State::XxHash64(xxhash_rust::xxh64::Xxh64::new(0)),
            #[cfg(feature = "xxhash")]
            Algorithm::XxHash3 | Algorithm::XxHash128 => State::XxHash3(Box::default()),
            #[cfg(not(feature = "xxhash"))]
            Algorithm::XxHash64 | Algorithm::XxHash3 | Algorithm::XxHash128 => {
                return Err(Error::invalid_input(format!(
                    "{algorithm} requires the cargo feature `xxhash` of apus-core"
                )));
            }
        };
        Ok(Self { algorithm, state })
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Adds these bytes. The sizes of the pieces make no difference.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc32(state) => state.update(bytes),
            State::Crc32c(state) => state.update(bytes),
            State::Crc64Nvme(state) => state.update(bytes),
            State::Sha1(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
            State::Md5(state) => state.update(bytes),
            #[cfg(feature = "xxhash")]
            State::XxHash64(state) => state.update(bytes),
            #[cfg(feature = "xxhash")]
            State::XxHash3(state) => state.update(bytes),
        }
    }

    /// Returns the checksum of all bytes given.
    pub fn finish(self) -> Value {
        let value = |digest: &[u8]| Value::from_digest(self.algorithm, digest);
        match self.state {
            State::Crc32(state) => value(&state.finalize().to_be_bytes()),
            State::Crc32c(state) => value(&state.finish().to_be_bytes()),
            State::Crc64Nvme(state) => value(&state.finish().to_be_bytes()),
            State::Sha1(state) => value(&state.finalize()),
            State::Sha256(state) => value(&state.finalize()),
            State::Sha512(state) => value(&state.finalize()),
            State::Md5(state) => value(&state.finish()),
            #[cfg(feature = "xxhash")]
            State::XxHash64(state) => value(&state.digest().to_be_bytes()),
            #[cfg(feature = "xxhash")]
            State::XxHash3(state) if self.algorithm == Algorithm::XxHash128 => {
                value(&state.digest128().to_be_bytes())
            }
            #[cfg(feature = "xxhash")]
            State::XxHash3(state) => value(&state.digest().to_be_bytes()),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.algorithm)
    }
}

impl Algorithm {
    /// Returns the checksum of these bytes. Fails as [`Hasher::new`] does.
    pub fn digest(self, bytes: &[u8]) -> Result<Value, Error> {
        let mut hasher = Hasher::new(self)?;
        hasher.update(bytes);
        Ok(hasher.finish())
    }
}

//! CRC32C and CRC64NVME with the instructions of the processor, by a crate that detects them.
//!
//! Only the register is kept between two pieces. A [`Digest`] also holds its constants, which would
//! make every hasher larger to move.

use crc_fast::{CrcAlgorithm, Digest};

/// CRC-32/iSCSI of the bytes so far.
#[derive(Clone)]
pub(in crate::checksum) struct Crc32c(u64);

impl Crc32c {
    pub(in crate::checksum) fn new() -> Self {
        Self(u64::from(u32::MAX))
    }

    pub(in crate::checksum) fn update(&mut self, bytes: &[u8]) {
        self.0 = advance(CrcAlgorithm::Crc32Iscsi, self.0, bytes);
    }

    pub(in crate::checksum) fn finish(self) -> u32 {
        // The register has 32 bits.
        !(self.0 as u32)
    }
}

/// CRC-64/NVME of the bytes so far.
#[derive(Clone)]
pub(in crate::checksum) struct Crc64Nvme(u64);

impl Crc64Nvme {
    pub(in crate::checksum) fn new() -> Self {
        Self(u64::MAX)
    }

    pub(in crate::checksum) fn update(&mut self, bytes: &[u8]) {
        self.0 = advance(CrcAlgorithm::Crc64Nvme, self.0, bytes);
    }

    pub(in crate::checksum) fn finish(self) -> u64 {
        !self.0
    }
}

fn advance(algorithm: CrcAlgorithm, register: u64, bytes: &[u8]) -> u64 {
    let mut digest = Digest::new_with_init_state(algorithm, register);
    digest.update(bytes);
    digest.get_state()
}

//! CRC32C and CRC64NVME at memory speed: two crates that ask the processor what it can do.

/// CRC-32/iSCSI of the bytes so far.
#[derive(Clone)]
pub(in crate::checksum) struct Crc32c(u32);

impl Crc32c {
    pub(in crate::checksum) fn new() -> Self {
        Self(0)
    }

    pub(in crate::checksum) fn update(&mut self, bytes: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, bytes);
    }

    pub(in crate::checksum) fn finish(self) -> u32 {
        self.0
    }
}

/// CRC-64/NVME of the bytes so far.
#[derive(Clone)]
pub(in crate::checksum) struct Crc64Nvme(crc64fast_nvme::Digest);

impl Crc64Nvme {
    pub(in crate::checksum) fn new() -> Self {
        Self(crc64fast_nvme::Digest::new())
    }

    pub(in crate::checksum) fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    pub(in crate::checksum) fn finish(self) -> u64 {
        self.0.sum64()
    }
}

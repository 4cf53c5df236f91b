//! CRC32C and CRC64NVME in safe code for any processor: 16 bytes a step, with tables that are
//! computed at compile time.

use super::Crc;

/// CRC-32/iSCSI of the bytes so far.
#[derive(Clone)]
pub(in crate::checksum) struct Crc32c(u64);

impl Crc32c {
    pub(in crate::checksum) fn new() -> Self {
        Self(u64::from(u32::MAX))
    }

    pub(in crate::checksum) fn update(&mut self, bytes: &[u8]) {
        self.0 = advance(self.0, bytes, &CRC32C);
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
        self.0 = advance(self.0, bytes, &CRC64NVME);
    }

    pub(in crate::checksum) fn finish(self) -> u64 {
        !self.0
    }
}

/// `tables[n][byte]` is the register after `byte` and `n` zero bytes.
type Tables = [[u64; 256]; 16];

fn advance(mut register: u64, bytes: &[u8], tables: &Tables) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<16>();
    for block in blocks {
        let block = u128::from_le_bytes(*block) ^ u128::from(register);
        register = 0;
        for (byte, table) in block.to_le_bytes().into_iter().zip(tables.iter().rev()) {
            register ^= table[usize::from(byte)];
        }
    }
    for byte in rest {
        let [low, ..] = register.to_le_bytes();
        register = (register >> 8) ^ tables[0][usize::from(low ^ byte)];
    }
    register
}

static CRC32C: Tables = tables(Crc::CRC32C);
static CRC64NVME: Tables = tables(Crc::CRC64NVME);

const fn tables(crc: Crc) -> Tables {
    let mut tables = [[0; 256]; 16];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            value = crc.times_x(value);
            bit += 1;
        }
        tables[0][byte] = value;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 16 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    // The check values of the catalogue of parametrised CRC algorithms.
    #[test]
    fn check_values() {
        let mut crc32c = Crc32c::new();
        crc32c.update(b"123456789");
        assert_eq!(crc32c.finish(), 0xE306_9283);
        let mut crc64 = Crc64Nvme::new();
        crc64.update(b"123456789");
        assert_eq!(crc64.finish(), 0xAE8B_1486_0A79_9888);
    }
}

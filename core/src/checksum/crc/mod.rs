//! The three CRCs: [`Crc32c`] and [`Crc64Nvme`], and the arithmetic that combines the CRCs of
//! parts. The crate `crc32fast` computes CRC32.

#[cfg(feature = "crc-fast")]
mod fast;
#[cfg(any(test, not(feature = "crc-fast")))]
mod portable;

#[cfg(feature = "crc-fast")]
pub(super) use self::fast::{Crc32c, Crc64Nvme};
#[cfg(not(feature = "crc-fast"))]
pub(super) use self::portable::{Crc32c, Crc64Nvme};

/// A reflected CRC whose register starts with all ones and is inverted at the end, as for all
/// three. The least significant bit of a number is the coefficient of the highest power of x.
#[derive(Clone, Copy)]
pub(super) struct Crc {
    polynomial: u64,
    /// x⁰: the topmost bit of the register.
    one: u64,
}

impl Crc {
    /// CRC-32/ISO-HDLC.
    pub(super) const CRC32: Self = Self { polynomial: 0xEDB8_8320, one: 1 << 31 };
    /// CRC-32/iSCSI.
    pub(super) const CRC32C: Self = Self { polynomial: 0x82F6_3B78, one: 1 << 31 };
    /// CRC-64/NVME.
    pub(super) const CRC64NVME: Self = Self { polynomial: 0x9A6C_9329_AC4B_C9B5, one: 1 << 63 };

    /// Returns x to the power of 8 · `length`. The CRC before `length` bytes, multiplied by it, and
    /// the CRC of these bytes give the CRC of both by exclusive or.
    pub(super) fn shift(self, mut length: u64) -> u64 {
        let mut power = self.one >> 8;
        let mut product = self.one;
        while length != 0 {
            if length & 1 == 1 {
                product = self.multiply(product, power);
            }
            power = self.multiply(power, power);
            length >>= 1;
        }
        product
    }

    /// Returns the product of two polynomials, reduced.
    pub(super) fn multiply(self, left: u64, mut right: u64) -> u64 {
        let mut product = 0;
        let mut bit = self.one;
        while bit != 0 {
            if left & bit != 0 {
                product ^= right;
            }
            right = self.times_x(right);
            bit >>= 1;
        }
        product
    }

    const fn times_x(self, value: u64) -> u64 {
        if value & 1 == 1 { (value >> 1) ^ self.polynomial } else { value >> 1 }
    }
}

#[cfg(all(test, feature = "crc-fast"))]
mod tests {
    use super::{fast, portable};

    proptest::proptest! {
        #[test]
        fn both_implementations_agree(
            pieces in proptest::collection::vec(proptest::collection::vec(0u8.., 0..700), 0..6),
        ) {
            let (mut fast_32, mut fast_64) = (fast::Crc32c::new(), fast::Crc64Nvme::new());
            let (mut slow_32, mut slow_64) = (portable::Crc32c::new(), portable::Crc64Nvme::new());
            for piece in &pieces {
                fast_32.update(piece);
                fast_64.update(piece);
                slow_32.update(piece);
                slow_64.update(piece);
            }
            proptest::prop_assert_eq!(fast_32.finish(), slow_32.finish());
            proptest::prop_assert_eq!(fast_64.finish(), slow_64.finish());
        }
    }
}

//! Bits of a parameter set, one after another, as H.264 writes numbers.

/// Reads bits from the front. Past the end everything is `None`.
pub(super) struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    /// The payload of a unit, its header byte included, with the bytes that guard against start codes taken out.
    pub(super) fn of_unit(unit: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(unit.len());
        let mut zeros = 0;
        for &byte in unit {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            bytes.push(byte);
        }
        Bits { bytes, at: 8 }
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// An unsigned number of `count` bits, at most 32.
    pub(super) fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0u32, |value, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    /// An unsigned number in Exp-Golomb form.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.bits(zeros)?;
        Some((1u32 << zeros) - 1 + rest)
    }

    /// A signed number in Exp-Golomb form.
    pub(super) fn se(&mut self) -> Option<i32> {
        let code = i64::from(self.ue()?);
        i32::try_from(if code % 2 == 1 { (code + 1) / 2 } else { -code / 2 }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_standard_writes_them() {
        // Table 9-2 of H.264: 1, 010, 011, 00100 are 0, 1, 2, 3; as signed numbers 0, 1, -1, 2.
        let unit = [0, 0b1010_0110, 0b0100_0000];
        let mut bits = Bits::of_unit(&unit);
        assert_eq!([bits.ue(), bits.ue(), bits.ue(), bits.ue()], [Some(0), Some(1), Some(2), Some(3)]);
        let mut bits = Bits::of_unit(&unit);
        assert_eq!([bits.se(), bits.se(), bits.se(), bits.se()], [Some(0), Some(1), Some(-1), Some(2)]);
    }

    #[test]
    fn guard_bytes_are_no_payload_and_the_end_is_the_end() {
        let mut bits = Bits::of_unit(&[0x67, 0, 0, 3, 1]);
        assert_eq!(bits.bits(24), Some(1));
        assert_eq!(bits.bit(), None);
        assert_eq!(Bits::of_unit(&[0, 0, 0, 0, 0, 0]).ue(), None);
    }
}

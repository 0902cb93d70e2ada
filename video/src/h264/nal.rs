//! The units a packet is made of: behind lengths, as in MP4, or behind start codes, as encoders write them.

use super::bits::Bits;

// Kinds of units, as table 7-1 of H.264 numbers them.
const SLICE: u8 = 1;
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;

/// What a unit is, from its first byte.
pub(super) fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |byte| byte & 0x1f)
}

/// Whether a unit is a part of a picture.
pub(crate) fn is_picture(unit: &[u8]) -> bool {
    (SLICE..=IDR).contains(&kind(unit))
}

/// The units of a packet out of MP4, each behind its length in four bytes.
pub(crate) struct Units<'a> {
    units: Vec<&'a [u8]>,
}

impl<'a> Units<'a> {
    /// Takes a packet apart. `None` when the lengths do not tile it, which damage and other forms look like.
    pub(crate) fn of(packet: &'a [u8]) -> Option<Self> {
        let (mut units, mut rest) = (Vec::new(), packet);
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let unit = after.get(..length).filter(|unit| unit.first().is_some_and(|byte| byte & 0x80 == 0))?;
            units.push(unit);
            rest = &after[length..];
        }
        Some(Units { units })
    }

    /// Whether the packet is a picture of which all parts can be decoded without any picture before it.
    pub(crate) fn is_idr(&self) -> bool {
        self.has_picture() && self.units.iter().filter(|unit| is_picture(unit)).all(|unit| kind(unit) == IDR)
    }

    /// Whether there is a picture in the packet.
    pub(crate) fn has_picture(&self) -> bool {
        self.units.iter().any(|unit| is_picture(unit))
    }

    /// The parameter sets inside the packet.
    pub(crate) fn parameter_sets(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.units.iter().copied().filter(|unit| matches!(kind(unit), SPS | PPS))
    }
}

/// The units between start codes.
pub(crate) fn annex_b(stream: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::new();
    let mut from = None;
    let mut at = 0;
    while at + 3 <= stream.len() {
        if stream[at..at + 3] == [0, 0, 1] {
            units.extend(from.map(|from: usize| &stream[from..at]));
            from = Some(at + 3);
            at += 3;
        } else {
            at += 1;
        }
    }
    units.extend(from.map(|from| &stream[from..]));
    // A unit ends with a set bit, so zeros behind it belong to the next start code.
    let trimmed = |unit: &'_ [u8]| unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    units.iter().map(|unit| &unit[..trimmed(unit)]).filter(|unit| !unit.is_empty()).collect()
}

/// The units of a packet in either form.
fn units(packet: &[u8]) -> Vec<&[u8]> {
    Units::of(packet).map_or_else(|| annex_b(packet), |units| units.units)
}

/// Whether a packet is a picture behind which nothing needs anything before it.
pub(crate) fn is_idr(packet: &[u8]) -> bool {
    let mut parts = units(packet).into_iter().filter(|unit| is_picture(unit)).peekable();
    parts.peek().is_some() && parts.all(|unit| kind(unit) == IDR)
}

/// Whether the first picture of a packet out of MP4, of which these are the first bytes, begins a closed group. `None`: it lies further
/// back.
pub(crate) fn begins_idr(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes;
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        if is_picture(&after[..after.len().min(1)]) {
            return Some(kind(after) == IDR);
        }
        rest = after.get(usize::try_from(u32::from_be_bytes(*length)).ok()?..)?;
    }
}

/// Whether a packet is a picture that is made of no other.
pub(crate) fn is_intra(packet: &[u8]) -> bool {
    // A slice names its first block and its type: 2 and 7 are I, 4 and 9 are SI.
    let intra = |unit: &[u8]| {
        let mut bits = Bits::of_unit(&unit[..unit.len().min(16)]);
        kind(unit) == IDR || bits.ue().and_then(|_| bits.ue()).is_some_and(|slice| matches!(slice % 5, 2 | 4))
    };
    let mut parts = units(packet).into_iter().filter(|unit| is_picture(unit)).peekable();
    parts.peek().is_some() && parts.all(intra)
}

/// Whether a packet out of MP4 is a picture that no other is made of: all of its slices have a `nal_ref_idc` of 0.
pub(crate) fn is_unreferenced(packet: &[u8]) -> bool {
    let Some(units) = Units::of(packet) else { return false };
    let is_free = |unit: &&[u8]| kind(unit) == SLICE && unit.first().is_some_and(|byte| byte & 0x60 == 0);
    units.has_picture() && units.units.iter().filter(|unit| is_picture(unit)).all(is_free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_stand_behind_their_lengths() {
        let packet = [0, 0, 0, 2, 0x65, 0x88, 0, 0, 0, 1, 0x65];
        assert!(Units::of(&packet).unwrap().is_idr());
        let packet = [0, 0, 0, 1, 0x09, 0, 0, 0, 2, 0x41, 0x9a];
        let units = Units::of(&packet).unwrap();
        assert!(units.has_picture() && !units.is_idr());
    }

    #[test]
    fn lengths_that_do_not_tile_the_packet_are_no_units() {
        assert!(Units::of(&[0, 0, 0, 9, 0x65, 0x88]).is_none());
        assert!(Units::of(&[0, 0, 1, 0x65]).is_none());
        // The first bit of a unit is always zero.
        assert!(Units::of(&[0, 0, 0, 1, 0xe5]).is_none());
    }

    #[test]
    fn the_first_bytes_tell_whether_a_closed_group_begins() {
        assert_eq!(begins_idr(&[0, 0, 0, 2, 0x09, 0xf0, 0, 0, 9, 9, 0x65, 0x88]), Some(true));
        assert_eq!(begins_idr(&[0, 0, 0, 1, 0x06, 0, 0, 0, 9, 0x41]), Some(false));
        // The slice lies behind a message that is longer than what is there.
        assert_eq!(begins_idr(&[0, 0, 0, 99, 0x06, 5, 4]), None);
        assert_eq!(begins_idr(&[0, 0, 0, 9]), None);
        assert_eq!(begins_idr(&[]), None);
    }

    #[test]
    fn a_picture_that_no_other_is_made_of_is_known() {
        // Table 7-1 and 7.4.1: the two bits before the five of the kind. 0x01 is a slice that nothing refers to.
        assert!(is_unreferenced(&[0, 0, 0, 1, 0x09, 0, 0, 0, 2, 0x01, 0x9e]));
        assert!(!is_unreferenced(&[0, 0, 0, 2, 0x01, 0x9e, 0, 0, 0, 2, 0x21, 0x9e]), "one slice is needed");
        assert!(!is_unreferenced(&[0, 0, 0, 2, 0x65, 0x88]) && !is_unreferenced(&[0, 0, 0, 1, 0x06]));
        // Parts of slices (kinds 2 to 4), and what is not made of whole units.
        assert!(!is_unreferenced(&[0, 0, 0, 2, 0x02, 0x9e]) && !is_unreferenced(&[0, 0, 0, 9, 0x01, 0x9e]));
    }

    #[test]
    fn units_stand_between_start_codes_of_three_and_four_bytes() {
        let stream = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 4];
        assert_eq!(annex_b(&stream), [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 4]]);
    }

    #[test]
    fn a_picture_made_of_no_other_is_known_in_both_forms() {
        // First block 0, type 7 (I): bits 1 0001000; type 5 (P): 1 00110.
        assert!(is_intra(&[0, 0, 0, 2, 0x41, 0b1000_1000]) && is_intra(&[0, 0, 1, 0x41, 0b1000_1000]));
        assert!(!is_intra(&[0, 0, 0, 2, 0x41, 0b1001_1000]) && !is_intra(&[0, 0, 0, 1, 0x09]));
        assert!(is_idr(&[0, 0, 1, 0x65, 0x88]) && !is_idr(&[0, 0, 1, 0x41, 0b1000_1000]));
    }
}

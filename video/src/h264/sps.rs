//! What parameter sets say about a stream: its size, its form, and the numbers they go by.

use super::bits::Bits;

/// Profiles whose parameter sets tell the form of the chroma, as clause 7.3.2.1.1 lists them.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// A sequence parameter set, as far as joining needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sps {
    pub(crate) id: u32,
    pub(crate) profile: u32,
    pub(crate) level: u32,
    /// 1 is 4:2:0.
    pub(crate) chroma: u32,
    pub(crate) bit_depth: u32,
    pub(crate) max_ref_frames: u32,
    /// Whether every picture is a whole frame: neither fields nor pairs of fields.
    pub(crate) progressive: bool,
}

impl Sps {
    /// Reads a unit of kind 7. `None` when it ends too early or breaks the standard's form.
    pub(crate) fn read(unit: &[u8]) -> Option<Self> {
        let bits = &mut Bits::of_unit(unit);
        let profile = bits.bits(8)?;
        bits.bits(8)?; // constraints
        let level = bits.bits(8)?;
        let id = bits.ue()?;
        let (mut chroma, mut bit_depth) = (1, 8);
        if HIGH_PROFILES.contains(&profile) {
            (chroma, bit_depth) = high_form(bits)?;
        }
        bits.ue()?; // log2_max_frame_num
        picture_order(bits)?;
        let max_ref_frames = bits.ue()?;
        bits.bit()?; // gaps in frame numbers
        bits.ue()?; // width
        bits.ue()?; // height
        let progressive = bits.bit()?;
        Some(Sps { id, profile, level, chroma, bit_depth, max_ref_frames, progressive })
    }
}

fn high_form(bits: &mut Bits) -> Option<(u32, u32)> {
    let chroma = bits.ue()?;
    if chroma == 3 {
        bits.bit()?; // separate planes
    }
    let (luma, other) = (bits.ue()? + 8, bits.ue()? + 8);
    bits.bit()?; // lossless bypass
    if bits.bit()? {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.bit()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some((chroma, luma.max(other)))
}

fn skip_scaling_list(bits: &mut Bits, size: usize) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.se()? + 256).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

fn picture_order(bits: &mut Bits) -> Option<()> {
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.bit()?;
            bits.se()?;
            bits.se()?;
            let cycle = bits.ue().filter(|count| *count < 256)?;
            for _ in 0..cycle {
                bits.se()?;
            }
        }
        _ => {}
    }
    Some(())
}

/// A picture parameter set: the number it goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pps {
    pub(crate) id: u32,
}

impl Pps {
    /// Reads a unit of kind 8.
    pub(crate) fn read(unit: &[u8]) -> Option<Self> {
        let bits = &mut Bits::of_unit(unit);
        Some(Pps { id: bits.ue()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_set_of_a_camera_is_read() {
        // Written by hand after clause 7.3.2.1: baseline, level 3.0, set 0, log2_max_frame_num 4, order type 2,
        // one reference frame, no gaps, 40 by 30 macroblocks, frames only.
        // 1 1 011 010 0 00000101000 000011110 1 ...
        let unit = [0x67, 66, 0, 30, 0b1101_1010, 0b0000_0010, 0b1000_0000, 0b1111_0110];
        let wanted =
            Sps { id: 0, profile: 66, level: 30, chroma: 1, bit_depth: 8, max_ref_frames: 1, progressive: true };
        assert_eq!(Sps::read(&unit), Some(wanted));
    }

    #[test]
    fn a_set_that_is_cut_off_is_none() {
        assert_eq!(Sps::read(&[0x67, 100, 0, 30]), None);
        assert_eq!(Pps::read(&[0x68]), None);
        assert_eq!(Pps::read(&[0x68, 0b0110_0000]), Some(Pps { id: 2 }));
    }
}

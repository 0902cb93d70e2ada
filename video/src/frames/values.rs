//! Mean, std and a type -> the number that each byte of each channel becomes. `docs/frames.md`, section 6.

use super::error::FrameError;
use super::{FrameSpec, Layout};

/// The type of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Element {
    /// Bytes as they are; mean and std are not used.
    U8,
    /// Half precision.
    F16,
    /// Single precision.
    #[default]
    F32,
}

impl Element {
    /// Bytes of one number.
    pub const fn size(self) -> usize {
        match self {
            Element::U8 => 1,
            Element::F16 => 2,
            Element::F32 => 4,
        }
    }
}

/// The number of each byte, for each channel: a byte has 256 values, so a table is exact and leaves no arithmetic.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Single precision; red, green, blue.
    pub f32: [[f32; 256]; 3],
    /// The same in half precision, as bits.
    pub f16: [[u16; 256]; 3],
    /// What gives the numbers of `f32`, each to the bit, without looking them up.
    pub(super) steps: [Option<Steps>; 3],
}

/// The numbers of a channel by arithmetic: a product and a fused one stand for each division.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Steps {
    /// One over 255, and what is left of it.
    level: [f32; 2],
    mean: f32,
    /// One over std, and what is left of it.
    scale: [f32; 2],
}

impl Steps {
    /// A quotient is as exact as two numbers for the inverse make it, but nobody promises that it is the division's to the
    /// bit: so all 256 are looked at.
    fn new(mean: f32, std: f32, table: &[f32; 256]) -> Option<Self> {
        let inverse = |of: f32| {
            let whole = 1.0 / of;
            [whole, (1.0 / f64::from(of) - f64::from(whole)) as f32]
        };
        let steps = Steps { level: inverse(255.0), mean, scale: inverse(std) };
        let is_same = |byte: u8| steps.number(byte).to_bits() == table[usize::from(byte)].to_bits();
        (0..=255).all(is_same).then_some(steps)
    }

    #[inline(always)]
    pub(super) fn number(&self, byte: u8) -> f32 {
        let byte = f32::from(byte);
        let above = byte.mul_add(self.level[0], byte * self.level[1]) - self.mean;
        above.mul_add(self.scale[0], above * self.scale[1])
    }
}

impl Values {
    /// `(byte / 255 - mean) / std`, each step rounded to f32.
    pub(super) fn new(mean: [f32; 3], std: [f32; 3], element: Element) -> Result<Self, FrameError> {
        for channel in 0..3 {
            check(mean[channel], std[channel], channel)?;
        }
        let value = |channel: usize, byte: usize| (byte as f32 / 255.0 - mean[channel]) / std[channel];
        let f32: [[f32; 256]; 3] = std::array::from_fn(|c| std::array::from_fn(|byte| value(c, byte)));
        let f16 = f32.map(|table| table.map(half));
        let too_large = |channel: usize| match element {
            Element::U8 => false,
            Element::F16 => f16[channel].iter().any(|bits| bits & 0x7c00 == 0x7c00),
            Element::F32 => f32[channel].iter().any(|value| !value.is_finite()),
        };
        if let Some(channel) = (0..3).find(|&channel| too_large(channel)) {
            let message = format!("std[{channel}] is {}, so that values become infinite", std[channel]);
            return Err(FrameError::new(message, "give the std of values from 0 to 1, such as 0.225"));
        }
        let steps = std::array::from_fn(|c| Steps::new(mean[c], std[c], &f32[c]));
        Ok(Values { f32, f16, steps })
    }
}

/// A frame's numbers as bytes again, for people to look at: `height * width` pixels, red first.
pub fn bytes_of_frame(spec: &FrameSpec, frame: &[u8]) -> Vec<[u8; 3]> {
    let pixels = spec.width as usize * spec.height as usize;
    let byte = |pixel: usize, channel: usize| {
        let at = match spec.layout {
            Layout::Nchw => channel * pixels + pixel,
            Layout::Nhwc => pixel * 3 + channel,
        };
        let value = match spec.element {
            Element::U8 => return frame[at],
            Element::F16 => single(u16::from_le_bytes([frame[2 * at], frame[2 * at + 1]])),
            Element::F32 => {
                f32::from_le_bytes([frame[4 * at], frame[4 * at + 1], frame[4 * at + 2], frame[4 * at + 3]])
            }
        };
        ((value * spec.std[channel] + spec.mean[channel]) * 255.0).round().clamp(0.0, 255.0) as u8
    };
    (0..pixels).map(|pixel| [byte(pixel, 0), byte(pixel, 1), byte(pixel, 2)]).collect()
}

/// A number of half precision that is neither infinite nor none.
fn single(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2_f32.powi(-24),
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

fn check(mean: f32, std: f32, channel: usize) -> Result<(), FrameError> {
    if !mean.is_finite() {
        return Err(FrameError::new(format!("mean[{channel}] is {mean}"), "give a number, such as 0.5"));
    }
    if !std.is_finite() || std == 0.0 {
        let help = "give a number that values can be divided by; 1 leaves them as they are";
        return Err(FrameError::new(format!("std[{channel}] is {std}"), help));
    }
    Ok(())
}

/// The bits of the nearest number of half precision; of two as near, the even one.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, size) = ((bits >> 16 & 0x8000) as u16, value.abs());
    // 65520 is half a step past the largest number of half precision.
    if size >= 65520.0 {
        return sign | 0x7c00;
    }
    // Below the smallest number with a whole fraction, steps are 2^-24, which adding 2^-1 leaves to f32's own rounding.
    if size < f32::from_bits(0x3880_0000) {
        let steps = (size + 0.5).to_bits() - 0.5_f32.to_bits();
        return sign | steps as u16;
    }
    // 13 bits of the fraction go. Adding a little less than half of the last that stays, and the last bit itself, rounds
    // halves to even; a carry goes into the exponent, which is what it should do.
    let last = bits >> 13 & 1;
    let rounded = (bits & 0x7fff_ffff) + 0xfff + last;
    sign | ((rounded >> 13) - (112 << 10)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_rounded_to_the_nearest_and_to_even() {
        // From the table of IEEE 754 binary16: 1, -2, the largest, the smallest with a whole fraction, the smallest.
        for (value, bits) in [
            (0.0, 0),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (65504.0, 0x7bff),
            (65519.9, 0x7bff),
            (65520.0, 0x7c00),
            (6.103_515_6e-5, 0x0400),
            (5.960_464_5e-8, 0x0001),
            (2.980_232_2e-8, 0x0000),
            (8.940_697e-8, 0x0002),
            (1.0 + 1.0 / 2048.0, 0x3c00),
            (1.0 + 3.0 / 2048.0, 0x3c02),
            (0.333_333_34, 0x3555),
            (-0.0, 0x8000),
        ] {
            assert_eq!(half(value), bits, "{value}");
        }
    }

    #[test]
    fn every_half_survives_the_way_to_single_and_back() {
        for bits in 0..0x7c00_u16 {
            let value = single(bits);
            assert_eq!(half(value), bits);
            assert_eq!(half(-value), bits | 0x8000);
        }
    }

    #[test]
    fn the_usual_numbers_need_no_table() {
        let usual = [([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), ([0.0; 3], [1.0; 3]), ([0.5; 3], [0.5; 3])];
        for (mean, std) in usual {
            let values = Values::new(mean, std, Element::F32).unwrap();
            assert!(values.steps.iter().all(Option::is_some), "{mean:?} {std:?}");
        }
    }

    #[test]
    fn steps_that_would_give_other_numbers_are_not_taken() {
        // Of -0.0 the sign is lost: 0 less 0, divided by what is below 0.
        assert!(Values::new([0.0; 3], [-1.0; 3], Element::F32).unwrap().steps.iter().all(Option::is_none));
    }

    #[test]
    fn what_is_no_number_is_refused_with_its_place() {
        let table = |mean, std, element| Values::new([0.0, mean, 0.0], [1.0, std, 1.0], element);
        assert!(table(f32::NAN, 1.0, Element::F32).unwrap_err().message.contains("mean[1] is NaN"));
        assert!(table(0.0, f32::INFINITY, Element::F32).unwrap_err().message.contains("std[1] is inf"));
        assert!(table(0.0, 0.0, Element::F32).unwrap_err().message.contains("std[1] is 0"));
        assert!(table(0.0, 1e-6, Element::F16).unwrap_err().message.contains("infinite"));
        assert!(table(0.0, 1e-6, Element::F32).is_ok());
        assert!(table(0.0, 1e-39, Element::F32).unwrap_err().message.contains("infinite"));
    }
}

//! The loops that take the time, as any machine runs them. Others give the same bytes with instructions of their own.

use super::{BLOCK, ColumnPair, GROUP};
use crate::frames::matrix::Coefficients;
use crate::frames::values::Steps;

/// How a sum becomes a byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounded {
    pub(super) shift: u32,
}

impl Rounded {
    /// What a sum begins with.
    #[inline(always)]
    pub(super) fn half(self) -> i32 {
        1 << (self.shift - 1)
    }

    #[inline(always)]
    pub(super) fn byte(self, sum: i32) -> u8 {
        (sum >> self.shift).clamp(0, 255) as u8
    }
}

/// What chroma adds to luma: for red, green and blue `base + factors[0] * (v - zero) + factors[1] * (u - zero)`. All but the
/// base fit 16 bits, and machines multiply 16 bits by 16 faster than 32 by 32.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    pub(super) base: i32,
    pub(super) zero: i32,
    pub(super) factors: [[i16; 2]; 3],
}

impl Spread {
    /// Rounding and the luma of black included.
    #[inline(always)]
    pub(super) fn new(c: &Coefficients) -> Self {
        let narrow = |value: i32| value as i16;
        Spread {
            base: (1 << (c.shift - 1)) - c.luma * c.luma_zero,
            zero: c.chroma_zero,
            factors: [[narrow(c.red_v), 0], [narrow(-c.green_v), narrow(-c.green_u)], [0, narrow(c.blue_u)]],
        }
    }

    /// Of one sample.
    #[inline(always)]
    pub(super) fn of(&self, channel: usize, u: u16, v: u16) -> i32 {
        let centred = |sample: u16| (i32::from(sample) - self.zero) as i16;
        let product = |factor: i16, sample: u16| i32::from(factor) * i32::from(centred(sample));
        let [of_v, of_u] = self.factors[channel];
        self.base + product(of_v, v) + product(of_u, u)
    }
}

/// How many bits of a sum are its fraction, of pictures of 8 bits.
pub(super) const FRACTION: u32 = 13;
pub(super) const FRACTION_MASK: i16 = (1 << FRACTION) - 1;

/// 64 bytes that begin where a line of the cache begins, so that no vector lies across two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Bytes(pub(super) [u8; BLOCK]);

impl Bytes {
    pub(super) const NONE: Bytes = Bytes([0; BLOCK]);
}

/// What 32 samples of chroma add to every second of 64 pixels, or to all that share them, for red, green and blue: whole
/// levels, and what the fraction lacks to `FRACTION_MASK`. Both fit 16 bits where their sum does not; a fraction of luma that
/// is larger than what this one lacks makes a whole level more, so the sum of both is exact.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Added(pub(super) [[[i16; BLOCK / 2]; 2]; 3]);

impl Added {
    pub(super) const NONE: Added = Added([[[0; BLOCK / 2]; 2]; 3]);
}

/// Which instructions the loops are made of.
pub(super) trait Loops: Copy {
    /// What chroma adds.
    fn split(self, spread: &Spread, u: &[[u8; BLOCK / 2]], v: &[[u8; BLOCK / 2]], to: &mut [Added]);

    /// `rgb[c] = clip((factor * luma + added[c]) >> FRACTION)`, with what is added to even columns and to odd ones; if they are
    /// `SHARED`, only what is added to even ones is looked at.
    fn to_rgb<const SHARED: bool>(
        self,
        luma: &[[u8; BLOCK]],
        factor: u16,
        added: [&[Added]; 2],
        rgb: [&mut [Bytes]; 3],
    );

    /// The weighed sum of rows, column by column.
    fn weigh_rows(self, weights: &[i16], rounded: Rounded, rows: &[&[Bytes]], made: &mut [Bytes]);

    /// Rows as pairs of columns.
    fn stand_up(self, rows: &[[u8; GROUP]; GROUP]) -> [ColumnPair; GROUP / 2];

    /// The weighed sum of columns, row by row.
    fn weigh_columns(self, weights: &[[i16; 2]], rounded: Rounded, columns: &[ColumnPair]) -> [u8; GROUP];

    /// Rows and columns change places.
    fn transpose(self, square: &mut [[u8; GROUP]; GROUP]);

    /// The number of each byte: from the table, or by the steps, which give the same.
    fn numbers(self, table: &[f32; 256], steps: Option<&Steps>, bytes: &[u8], to: &mut [[u8; 4]]);
}

/// Loops that the compiler makes vectors of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Loops for Portable {
    #[inline(always)]
    fn split(self, spread: &Spread, u: &[[u8; BLOCK / 2]], v: &[[u8; BLOCK / 2]], to: &mut [Added]) {
        for ((to, u), v) in to.iter_mut().zip(u).zip(v) {
            for (channel, [whole, lacking]) in to.0.iter_mut().enumerate() {
                for (((whole, lacking), &u), &v) in whole.iter_mut().zip(lacking).zip(u).zip(v) {
                    let sum = spread.of(channel, u16::from(u), u16::from(v));
                    *whole = (sum >> FRACTION) as i16;
                    *lacking = FRACTION_MASK - (sum as i16 & FRACTION_MASK);
                }
            }
        }
    }

    #[inline(always)]
    fn to_rgb<const SHARED: bool>(
        self,
        luma: &[[u8; BLOCK]],
        factor: u16,
        [even, odd]: [&[Added]; 2],
        rgb: [&mut [Bytes]; 3],
    ) {
        for (channel, to) in rgb.into_iter().enumerate() {
            for (((to, luma), even), odd) in to.iter_mut().zip(luma).zip(even).zip(odd) {
                let even = &even.0[channel];
                let odd = if SHARED { even } else { &odd.0[channel] };
                let pairs = to.0.as_chunks_mut::<2>().0.iter_mut().zip(luma.as_chunks::<2>().0);
                let added = even[0].iter().zip(&even[1]).zip(odd[0].iter().zip(&odd[1]));
                // Two bytes as one number, since vectors of bytes would be taken apart one by one.
                for ((to, luma), ((&whole, &lacking), (&odd_whole, &odd_lacking))) in pairs.zip(added) {
                    let luma = u16::from_le_bytes(*luma);
                    let even = level(luma & 0xff, factor, whole, lacking);
                    *to = (even | level(luma >> 8, factor, odd_whole, odd_lacking) << 8).to_le_bytes();
                }
            }
        }
    }

    #[inline(always)]
    fn weigh_rows(self, weights: &[i16], rounded: Rounded, rows: &[&[Bytes]], made: &mut [Bytes]) {
        // As many sums as stay in registers.
        const WIDE: usize = 32;
        for (x, made) in made.iter_mut().enumerate() {
            for (part, made) in made.0.as_chunks_mut::<WIDE>().0.iter_mut().enumerate() {
                let mut sums = [rounded.half(); WIDE];
                for (&k, row) in weights.iter().zip(rows) {
                    for (sum, &byte) in sums.iter_mut().zip(&row[x].0.as_chunks::<WIDE>().0[part]) {
                        *sum += i32::from(k) * i32::from(byte);
                    }
                }
                for (to, sum) in made.iter_mut().zip(sums) {
                    *to = rounded.byte(sum);
                }
            }
        }
    }

    #[inline(always)]
    fn stand_up(self, rows: &[[u8; GROUP]; GROUP]) -> [ColumnPair; GROUP / 2] {
        let mut pairs = [ColumnPair::NONE; GROUP / 2];
        for (y, row) in rows.iter().enumerate() {
            for (pair, bytes) in pairs.iter_mut().zip(row.as_chunks::<2>().0) {
                pair.0[y] = *bytes;
            }
        }
        pairs
    }

    #[inline(always)]
    fn weigh_columns(self, weights: &[[i16; 2]], rounded: Rounded, columns: &[ColumnPair]) -> [u8; GROUP] {
        let mut sums = [rounded.half(); GROUP];
        for (k, column) in weights.iter().zip(columns) {
            for (sum, bytes) in sums.iter_mut().zip(&column.0) {
                *sum += i32::from(k[0]) * i32::from(bytes[0]) + i32::from(k[1]) * i32::from(bytes[1]);
            }
        }
        let mut bytes = [0; GROUP];
        for (to, sum) in bytes.iter_mut().zip(sums) {
            *to = rounded.byte(sum);
        }
        bytes
    }

    /// Four squares of 8, each as eight numbers of eight bytes.
    #[inline(always)]
    fn transpose(self, square: &mut [[u8; GROUP]; GROUP]) {
        let from = *square;
        for (top, left) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
            let mut rows = [0_u64; 8];
            for (y, row) in rows.iter_mut().enumerate() {
                *row =
                    u64::from_le_bytes(*from[top + y][left..].first_chunk().expect("16 bytes hold 8 from 0 or 8 on"));
            }
            transpose_8(&mut rows);
            for (x, column) in rows.into_iter().enumerate() {
                square[left + x][top..top + 8].copy_from_slice(&column.to_le_bytes());
            }
        }
    }

    #[inline(always)]
    fn numbers(self, table: &[f32; 256], _: Option<&Steps>, bytes: &[u8], to: &mut [[u8; 4]]) {
        for (to, &byte) in to.iter_mut().zip(bytes) {
            *to = table[usize::from(byte)].to_le_bytes();
        }
    }
}

/// One channel of a pixel, in 16 bits.
#[inline(always)]
fn level(luma: u16, factor: u16, whole: i16, lacking: i16) -> u16 {
    // Of the product, the bits from `FRACTION` on, and those below. Sixteen of its 22 are never needed at once.
    let levels = ((u32::from(luma << (16 - FRACTION)) * u32::from(factor)) >> 16) as i16;
    let fraction = luma.wrapping_mul(factor) as i16 & FRACTION_MASK;
    (levels + whole + i16::from(fraction > lacking)).clamp(0, 255) as u16
}

/// Squares of 4, then of 2, then of 1 byte change places.
#[inline(always)]
fn transpose_8(rows: &mut [u64; 8]) {
    for (distance, bits, mask) in
        [(4, 32, 0x0000_0000_ffff_ffff), (2, 16, 0x0000_ffff_0000_ffff), (1, 8, 0x00ff_00ff_00ff_00ff_u64)]
    {
        for i in 0..8 {
            if i & distance == 0 {
                let (upper, lower) = (rows[i], rows[i + distance]);
                rows[i] = upper & mask | (lower & mask) << bits;
                rows[i + distance] = (upper >> bits) & mask | lower & !mask;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_change_places() {
        let mut square: [[u8; GROUP]; GROUP] = std::array::from_fn(|y| std::array::from_fn(|x| (16 * y + x) as u8));
        let pairs = Portable.stand_up(&square);
        Portable.transpose(&mut square);
        for (x, column) in square.iter().enumerate() {
            assert_eq!(*column, std::array::from_fn(|y| (16 * y + x) as u8));
            assert_eq!(*column, pairs[x / 2].0.map(|bytes| bytes[x % 2]));
        }
    }
}

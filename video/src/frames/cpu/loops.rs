//! The loops that take the time, as any machine runs them. Others give the same bytes with instructions of their own.

use super::GROUP;

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
    /// Of one sample.
    #[inline(always)]
    pub(super) fn of(&self, channel: usize, u: u16, v: u16) -> i32 {
        let centred = |sample: u16| (i32::from(sample) - self.zero) as i16;
        let product = |factor: i16, sample: u16| i32::from(factor) * i32::from(centred(sample));
        let [of_v, of_u] = self.factors[channel];
        self.base + product(of_v, v) + product(of_u, u)
    }
}

/// Which instructions the loops are made of.
pub(super) trait Loops: Copy {
    /// What each sample of chroma adds, for the two columns that share it.
    fn spread(self, spread: Spread, u: &[u16], v: &[u16], added: [&mut [[i32; 2]]; 3]);

    /// `rgb[c] = clip((factor * luma + added[c]) >> shift)`, for as many pixels as `luma` has; the others have as many.
    fn to_rgb(self, luma: &[u8], factor: i32, shift: u32, added: [&[i32]; 3], rgb: [&mut [u8]; 3]);

    /// The weighed sum of rows, column by column.
    fn weigh_rows(self, weights: &[i16], rounded: Rounded, rows: &[&[u8]], made: &mut [u8]);

    /// The weighed sum of columns, row by row.
    fn weigh_columns(self, weights: &[i16], rounded: Rounded, columns: &[[u8; GROUP]]) -> [u8; GROUP];

    /// Rows and columns change places.
    fn transpose(self, square: &mut [[u8; GROUP]; GROUP]);
}

/// Loops that the compiler makes vectors of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Loops for Portable {
    #[inline(always)]
    fn spread(self, spread: Spread, u: &[u16], v: &[u16], added: [&mut [[i32; 2]]; 3]) {
        for (channel, added) in added.into_iter().enumerate() {
            for ((to, &u), &v) in added.iter_mut().zip(u).zip(v) {
                *to = [spread.of(channel, u, v); 2];
            }
        }
    }

    #[inline(always)]
    fn to_rgb(self, luma: &[u8], factor: i32, shift: u32, added: [&[i32]; 3], rgb: [&mut [u8]; 3]) {
        let rounded = Rounded { shift };
        for (added, to) in added.into_iter().zip(rgb) {
            for ((to, &added), &luma) in to.iter_mut().zip(added).zip(luma) {
                *to = rounded.byte(factor * i32::from(luma) + added);
            }
        }
    }

    #[inline(always)]
    fn weigh_rows(self, weights: &[i16], rounded: Rounded, rows: &[&[u8]], made: &mut [u8]) {
        // As many sums as stay in registers.
        const WIDE: usize = 32;
        for (part, made) in made.chunks_mut(WIDE).enumerate() {
            let mut sums = [rounded.half(); WIDE];
            for (&k, row) in weights.iter().zip(rows) {
                let row = &row[part * WIDE..][..made.len()];
                for (sum, &byte) in sums.iter_mut().zip(row) {
                    *sum += i32::from(k) * i32::from(byte);
                }
            }
            for (to, sum) in made.iter_mut().zip(sums) {
                *to = rounded.byte(sum);
            }
        }
    }

    #[inline(always)]
    fn weigh_columns(self, weights: &[i16], rounded: Rounded, columns: &[[u8; GROUP]]) -> [u8; GROUP] {
        let mut sums = [rounded.half(); GROUP];
        for (&k, column) in weights.iter().zip(columns) {
            for (sum, &byte) in sums.iter_mut().zip(column) {
                *sum += i32::from(k) * i32::from(byte);
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
        Portable.transpose(&mut square);
        for (x, column) in square.iter().enumerate() {
            assert_eq!(*column, std::array::from_fn(|y| (16 * y + x) as u8));
        }
    }
}

//! The three loops that take the time, in the instructions of x86-64-v3. Each does what its portable twin does.
//!
//! `pulp` gives the instructions as safe methods of a token that exists only where the machine has them.

use std::arch::x86_64::{__m128i, __m256i};

use pulp::cast;
use pulp::x86::V3;

use super::GROUP;
use super::loops::{Loops, Portable, Rounded};

impl Loops for V3 {
    /// 32 pixels at a time: products of 16 by 16 bits in 32, which are exact.
    #[inline(always)]
    fn to_rgb(self, luma: &[u8], factor: i32, shift: u32, added: [&[i32]; 3], rgb: [&mut [u8]; 3]) {
        let whole = luma.len() / 32 * 32;
        let (factors, count) = (self.avx._mm256_set1_epi32(factor), self.sse2._mm_cvtsi32_si128(shift as i32));
        let [red, green, blue] = rgb;
        for x in (0..whole).step_by(32) {
            let mut products = [factors; 4];
            for (part, product) in products.iter_mut().enumerate() {
                let eight = cast::<[i64; 2], __m128i>([i64::from_le_bytes(at(luma, x + 8 * part)), 0]);
                *product = self.avx2._mm256_madd_epi16(self.avx2._mm256_cvtepu8_epi32(eight), factors);
            }
            for (added, to) in [(added[0], &mut *red), (added[1], &mut *green), (added[2], &mut *blue)] {
                let mut sums = products;
                for (part, sum) in sums.iter_mut().enumerate() {
                    let added = cast::<[i32; 8], __m256i>(at(added, x + 8 * part));
                    *sum = self.avx2._mm256_sra_epi32(self.avx2._mm256_add_epi32(*sum, added), count);
                }
                to[x..x + 32].copy_from_slice(&bytes_of(self, sums));
            }
        }
        let rest = [&added[0][whole..], &added[1][whole..], &added[2][whole..]];
        let targets = [&mut red[whole..], &mut green[whole..], &mut blue[whole..]];
        Portable.to_rgb(&luma[whole..], factor, shift, rest, targets);
    }

    /// 64 columns at a time, two rows together; the sums stay in registers.
    #[inline(always)]
    fn weigh_rows(self, weights: &[i16], rounded: Rounded, rows: &[&[u8]], made: &mut [u8]) {
        let whole = made.len() / 64 * 64;
        let count = self.sse2._mm_cvtsi32_si128(rounded.shift as i32);
        let half = self.avx._mm256_set1_epi32(rounded.half());
        for x in (0..whole).step_by(64) {
            let (mut left, mut right) = ([half; 4], [half; 4]);
            for (pair, k) in rows.chunks(2).zip(weights.chunks(2)) {
                let first = at::<u8, 64>(pair[0], x);
                // The last row of an odd number is taken twice, the second time with a weight of 0.
                let second = at::<u8, 64>(pair[pair.len() - 1], x);
                let k = self.avx._mm256_set1_epi32(two(k));
                let [first_left, first_right] = cast::<[u8; 64], [__m256i; 2]>(first);
                let [second_left, second_right] = cast::<[u8; 64], [__m256i; 2]>(second);
                weigh_pair(self, first_left, second_left, k, &mut left);
                weigh_pair(self, first_right, second_right, k, &mut right);
            }
            for (part, sums) in [(0, left), (1, right)] {
                let [a, b, c, d] = sums;
                // The unpacking before and this packing undo each other within each half of a register.
                let low = self
                    .avx2
                    ._mm256_packs_epi32(self.avx2._mm256_sra_epi32(a, count), self.avx2._mm256_sra_epi32(b, count));
                let high = self
                    .avx2
                    ._mm256_packs_epi32(self.avx2._mm256_sra_epi32(c, count), self.avx2._mm256_sra_epi32(d, count));
                let bytes = cast::<__m256i, [u8; 32]>(self.avx2._mm256_packus_epi16(low, high));
                made[x + 32 * part..][..32].copy_from_slice(&bytes);
            }
        }
        if whole < made.len() {
            weigh_rest(weights, rounded, rows, whole, made);
        }
    }

    /// All rows of the group at once, two columns together.
    #[inline(always)]
    fn weigh_columns(self, weights: &[i16], rounded: Rounded, columns: &[[u8; GROUP]]) -> [u8; GROUP] {
        let count = self.sse2._mm_cvtsi32_si128(rounded.shift as i32);
        let mut sums = [self.avx._mm256_set1_epi32(rounded.half()); 2];
        for (pair, k) in columns[..weights.len()].chunks(2).zip(weights.chunks(2)) {
            let first = cast::<[u8; GROUP], __m128i>(pair[0]);
            let second = cast::<[u8; GROUP], __m128i>(if pair.len() == 2 { pair[1] } else { [0; GROUP] });
            let k = self.avx._mm256_set1_epi32(two(k));
            let upper = self.avx2._mm256_cvtepu8_epi16(self.sse2._mm_unpacklo_epi8(first, second));
            let lower = self.avx2._mm256_cvtepu8_epi16(self.sse2._mm_unpackhi_epi8(first, second));
            sums[0] = self.avx2._mm256_add_epi32(sums[0], self.avx2._mm256_madd_epi16(upper, k));
            sums[1] = self.avx2._mm256_add_epi32(sums[1], self.avx2._mm256_madd_epi16(lower, k));
        }
        let upper = self.avx2._mm256_sra_epi32(sums[0], count);
        let lower = self.avx2._mm256_sra_epi32(sums[1], count);
        let words = self.avx2._mm256_permute4x64_epi64::<0b11_01_10_00>(self.avx2._mm256_packs_epi32(upper, lower));
        let [upper, lower] = cast::<__m256i, [__m128i; 2]>(words);
        cast(self.sse2._mm_packus_epi16(upper, lower))
    }

    /// Four times, neighbours of neighbours are laid side by side.
    #[inline(always)]
    fn transpose(self, square: &mut [[u8; GROUP]; GROUP]) {
        let mut rows = [self.sse2._mm_setzero_si128(); GROUP];
        for (row, from) in rows.iter_mut().zip(&*square) {
            *row = cast(*from);
        }
        for _ in 0..4 {
            let before = rows;
            for i in 0..GROUP / 2 {
                rows[2 * i] = self.sse2._mm_unpacklo_epi8(before[i], before[i + GROUP / 2]);
                rows[2 * i + 1] = self.sse2._mm_unpackhi_epi8(before[i], before[i + GROUP / 2]);
            }
        }
        for (row, to) in rows.into_iter().zip(square) {
            *to = cast(row);
        }
    }
}

/// Adds 32 columns of two rows to their sums.
#[inline(always)]
fn weigh_pair(simd: V3, first: __m256i, second: __m256i, k: __m256i, sums: &mut [__m256i; 4]) {
    let zero = simd.avx._mm256_setzero_si256();
    let low = simd.avx2._mm256_unpacklo_epi8(first, second);
    let high = simd.avx2._mm256_unpackhi_epi8(first, second);
    let words = [
        simd.avx2._mm256_unpacklo_epi8(low, zero),
        simd.avx2._mm256_unpackhi_epi8(low, zero),
        simd.avx2._mm256_unpacklo_epi8(high, zero),
        simd.avx2._mm256_unpackhi_epi8(high, zero),
    ];
    for (sum, words) in sums.iter_mut().zip(words) {
        *sum = simd.avx2._mm256_add_epi32(*sum, simd.avx2._mm256_madd_epi16(words, k));
    }
}

/// The bytes of 32 sums, in their order, clipped.
#[inline(always)]
fn bytes_of(simd: V3, sums: [__m256i; 4]) -> [u8; 32] {
    let low = simd.avx2._mm256_packs_epi32(sums[0], sums[1]);
    let high = simd.avx2._mm256_packs_epi32(sums[2], sums[3]);
    let mixed = simd.avx2._mm256_packus_epi16(low, high);
    // Packing works within each half of a register; this puts groups of four bytes where they belong.
    let order = cast::<[i32; 8], __m256i>([0, 4, 1, 5, 2, 6, 3, 7]);
    cast(simd.avx2._mm256_permutevar8x32_epi32(mixed, order))
}

#[inline(always)]
fn at<T: Copy, const N: usize>(slice: &[T], begin: usize) -> [T; N] {
    *slice[begin..].first_chunk().expect("whole registers fit, as the loops count them")
}

/// One or two weights as a pair in 32 bits.
#[inline(always)]
fn two(weights: &[i16]) -> i32 {
    let second = weights.get(1).copied().unwrap_or(0);
    i32::from(weights[0] as u16) | i32::from(second) << 16
}

#[inline(always)]
fn weigh_rest(weights: &[i16], rounded: Rounded, rows: &[&[u8]], from: usize, made: &mut [u8]) {
    for (x, to) in made.iter_mut().enumerate().skip(from) {
        let mut sum = rounded.half();
        for (&k, row) in weights.iter().zip(rows) {
            sum += i32::from(k) * i32::from(row[x]);
        }
        *to = rounded.byte(sum);
    }
}

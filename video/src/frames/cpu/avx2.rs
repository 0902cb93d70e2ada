//! The loops that take the time, in the instructions of x86-64-v3. Each does what its portable twin does.
//!
//! `pulp` gives the instructions as safe methods of a token that exists only where the machine has them.

use std::arch::x86_64::{__m128i, __m256i};

use pulp::cast;
use pulp::x86::V3;

use super::loops::{Added, Bytes, FRACTION, FRACTION_MASK, Loops, Rounded, Spread};
use super::{BLOCK, ColumnPair, GROUP};
use crate::frames::values::Steps;

/// Within each half of a register: the first of eight bytes, the first of the next eight, the second of each, and so on.
pub(super) const IN_TURN: [u8; 16] = [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15];

const SHIFT: i32 = FRACTION as i32;

impl Loops for V3 {
    /// 16 samples at a time: both products of a sample and their sum are one instruction.
    #[inline(always)]
    fn split(self, spread: &Spread, u: &[[u8; BLOCK / 2]], v: &[[u8; BLOCK / 2]], to: &mut [Added]) {
        let (base, zero) = (self.avx._mm256_set1_epi32(spread.base), self.avx._mm256_set1_epi16(spread.zero as i16));
        let mask = self.avx._mm256_set1_epi32(i32::from(FRACTION_MASK));
        for ((to, u), v) in to.iter_mut().zip(u).zip(v) {
            let (u, v) = (cast::<[u8; 32], [__m128i; 2]>(*u), cast::<[u8; 32], [__m128i; 2]>(*v));
            for part in 0..2 {
                let u = self.avx2._mm256_sub_epi16(self.avx2._mm256_cvtepu8_epi16(u[part]), zero);
                let v = self.avx2._mm256_sub_epi16(self.avx2._mm256_cvtepu8_epi16(v[part]), zero);
                let pairs = [self.avx2._mm256_unpacklo_epi16(v, u), self.avx2._mm256_unpackhi_epi16(v, u)];
                for ([whole, lacking], factors) in to.0.iter_mut().zip(spread.factors) {
                    let factors = self.avx._mm256_set1_epi32(two(factors));
                    let [low, high] = sums(self, pairs, factors, base);
                    let (low_levels, high_levels) =
                        (self.avx2._mm256_srai_epi32::<SHIFT>(low), self.avx2._mm256_srai_epi32::<SHIFT>(high));
                    let (low, high) =
                        (self.avx2._mm256_andnot_si256(low, mask), self.avx2._mm256_andnot_si256(high, mask));
                    whole.as_chunks_mut::<16>().0[part] = cast(self.avx2._mm256_packs_epi32(low_levels, high_levels));
                    lacking.as_chunks_mut::<16>().0[part] = cast(self.avx2._mm256_packs_epi32(low, high));
                }
            }
        }
    }

    /// 32 pixels at a time, those of even and of odd columns apart: to both belong the same samples of chroma, or to each its own.
    #[inline(always)]
    fn to_rgb<const SHARED: bool>(
        self,
        luma: &[[u8; BLOCK]],
        factor: u16,
        [even, odd]: [&[Added]; 2],
        rgb: [&mut [Bytes]; 3],
    ) {
        let (factor, lower) = (self.avx._mm256_set1_epi16(factor as i16), self.avx._mm256_set1_epi16(0xff));
        let in_turn = cast::<[[u8; 16]; 2], __m256i>([IN_TURN; 2]);
        let [red, green, blue] = rgb;
        let targets = red.iter_mut().zip(green).zip(blue);
        for (((luma, even), odd), ((red, green), blue)) in luma.iter().zip(even).zip(odd).zip(targets) {
            let odd = if SHARED { even } else { odd };
            let luma = cast::<[u8; BLOCK], [__m256i; 2]>(*luma);
            for (part, luma) in luma.into_iter().enumerate() {
                let on_even = product(self, self.avx2._mm256_and_si256(luma, lower), factor);
                let on_odd = product(self, self.avx2._mm256_srli_epi16::<8>(luma), factor);
                let added = even.0.iter().zip(&odd.0);
                for (to, (to_even, to_odd)) in [&mut *red, &mut *green, &mut *blue].into_iter().zip(added) {
                    let (even, odd) = (levels(self, on_even, to_even, part), levels(self, on_odd, to_odd, part));
                    let bytes = self.avx2._mm256_packus_epi16(even, odd);
                    to.0.as_chunks_mut::<32>().0[part] = cast(self.avx2._mm256_shuffle_epi8(bytes, in_turn));
                }
            }
        }
    }

    /// 64 columns at a time, two rows together; the sums stay in registers.
    #[inline(always)]
    fn weigh_rows(self, weights: &[i16], rounded: Rounded, rows: &[&[Bytes]], made: &mut [Bytes]) {
        let count = self.sse2._mm_cvtsi32_si128(rounded.shift as i32);
        let half = self.avx._mm256_set1_epi32(rounded.half());
        let mut pairs = Vec::with_capacity(rows.len().div_ceil(2));
        for (pair, k) in rows.chunks(2).zip(weights.chunks(2)) {
            // The last row of an odd number is taken twice, the second time with a weight of 0.
            let k = [k[0], k.get(1).copied().unwrap_or(0)];
            pairs.push((pair[0], pair[pair.len() - 1], self.avx._mm256_set1_epi32(two(k))));
        }
        for (x, to) in made.iter_mut().enumerate() {
            let (mut left, mut right) = ([half; 4], [half; 4]);
            for (first, second, k) in &pairs {
                let [first_left, first_right] = cast::<[u8; BLOCK], [__m256i; 2]>(first[x].0);
                let [second_left, second_right] = cast::<[u8; BLOCK], [__m256i; 2]>(second[x].0);
                weigh_pair(self, first_left, second_left, *k, &mut left);
                weigh_pair(self, first_right, second_right, *k, &mut right);
            }
            to.0 = cast([packed(self, left, count), packed(self, right, count)]);
        }
    }

    /// Eight rows in each half of a register. Three times, neighbours of neighbours are laid side by side.
    #[inline(always)]
    fn stand_up(self, rows: &[[u8; GROUP]; GROUP]) -> [ColumnPair; GROUP / 2] {
        let mut both = [self.avx._mm256_setzero_si256(); GROUP / 2];
        let (upper, lower) = rows.split_at(GROUP / 2);
        for ((both, upper), lower) in both.iter_mut().zip(upper).zip(lower) {
            *both = cast([*upper, *lower]);
        }
        for _ in 0..3 {
            let before = both;
            for i in 0..GROUP / 4 {
                both[2 * i] = self.avx2._mm256_unpacklo_epi16(before[i], before[i + GROUP / 4]);
                both[2 * i + 1] = self.avx2._mm256_unpackhi_epi16(before[i], before[i + GROUP / 4]);
            }
        }
        let mut pairs = [ColumnPair::NONE; GROUP / 2];
        for (pair, words) in pairs.iter_mut().zip(both) {
            pair.0 = cast(words);
        }
        pairs
    }

    /// All rows of the group at once, two columns together.
    #[inline(always)]
    fn weigh_columns(self, weights: &[[i16; 2]], rounded: Rounded, columns: &[ColumnPair]) -> [u8; GROUP] {
        let count = self.sse2._mm_cvtsi32_si128(rounded.shift as i32);
        let mut sums = [self.avx._mm256_set1_epi32(rounded.half()); 2];
        for (k, pair) in weights.iter().zip(columns) {
            let k = self.avx._mm256_set1_epi32(two(*k));
            let halves = cast::<[[u8; 2]; GROUP], [__m128i; 2]>(pair.0);
            for (sum, half) in sums.iter_mut().zip(halves) {
                let products = self.avx2._mm256_madd_epi16(self.avx2._mm256_cvtepu8_epi16(half), k);
                *sum = self.avx2._mm256_add_epi32(*sum, products);
            }
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

    /// The compiler makes vectors of the steps; of looking up it cannot.
    #[inline(always)]
    fn numbers(self, table: &[f32; 256], steps: Option<&Steps>, bytes: &[u8], to: &mut [[u8; 4]]) {
        if let Some(steps) = steps {
            for (to, &byte) in to.iter_mut().zip(bytes) {
                *to = steps.number(byte).to_le_bytes();
            }
        } else {
            for (to, &byte) in to.iter_mut().zip(bytes) {
                *to = table[usize::from(byte)].to_le_bytes();
            }
        }
    }
}

/// Weighed pairs, and what is added to each.
#[inline(always)]
fn sums(simd: V3, [low, high]: [__m256i; 2], factors: __m256i, base: __m256i) -> [__m256i; 2] {
    let (low, high) = (simd.avx2._mm256_madd_epi16(low, factors), simd.avx2._mm256_madd_epi16(high, factors));
    [simd.avx2._mm256_add_epi32(low, base), simd.avx2._mm256_add_epi32(high, base)]
}

/// Of the products of 16 words with a factor: the bits from `FRACTION` on, and those below.
#[inline(always)]
fn product(simd: V3, luma: __m256i, factor: __m256i) -> [__m256i; 2] {
    let levels = simd.avx2._mm256_mulhi_epu16(simd.avx2._mm256_slli_epi16::<{ 16 - SHIFT }>(luma), factor);
    let mask = simd.avx._mm256_set1_epi16(FRACTION_MASK);
    [levels, simd.avx2._mm256_and_si256(simd.avx2._mm256_mullo_epi16(luma, factor), mask)]
}

/// The sums of luma and what a part of chroma adds, not clipped. What is larger is -1, so it is taken away to be added.
#[inline(always)]
fn levels(
    simd: V3,
    [levels, fraction]: [__m256i; 2],
    [whole, lacking]: &[[i16; BLOCK / 2]; 2],
    part: usize,
) -> __m256i {
    let whole = cast(whole.as_chunks::<16>().0[part]);
    let lacking = cast(lacking.as_chunks::<16>().0[part]);
    let more = simd.avx2._mm256_cmpgt_epi16(fraction, lacking);
    simd.avx2._mm256_sub_epi16(simd.avx2._mm256_add_epi16(levels, whole), more)
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

/// The bytes of 32 sums of `weigh_pair`, clipped: its unpacking and this packing undo each other within each half of a register.
#[inline(always)]
fn packed(simd: V3, [a, b, c, d]: [__m256i; 4], count: __m128i) -> __m256i {
    let low = simd.avx2._mm256_packs_epi32(simd.avx2._mm256_sra_epi32(a, count), simd.avx2._mm256_sra_epi32(b, count));
    let high = simd.avx2._mm256_packs_epi32(simd.avx2._mm256_sra_epi32(c, count), simd.avx2._mm256_sra_epi32(d, count));
    simd.avx2._mm256_packus_epi16(low, high)
}

/// Two weights as a pair in 32 bits.
#[inline(always)]
pub(super) fn two([first, second]: [i16; 2]) -> i32 {
    i32::from(first as u16) | i32::from(second) << 16
}

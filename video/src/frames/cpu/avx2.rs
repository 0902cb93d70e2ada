//! The loops that take the time, in the instructions of x86-64-v3. Each does what its portable twin does.
//!
//! `pulp` gives the instructions as safe methods of a token that exists only where the machine has them.

use std::arch::x86_64::{__m128i, __m256i};

use pulp::cast;
use pulp::x86::V3;

use super::GROUP;
use super::loops::{Loops, Portable, Rounded, Spread};

impl Loops for V3 {
    /// 16 samples at a time: both products of a sample and their sum are one instruction.
    #[inline(always)]
    fn spread(self, spread: Spread, u: &[u16], v: &[u16], added: [&mut [[i32; 2]]; 3]) {
        let whole = u.len() / 16 * 16;
        let (base, zero) = (self.avx._mm256_set1_epi32(spread.base), self.avx._mm256_set1_epi16(spread.zero as i16));
        // Pairs of samples in the order in which the unpacking below, within each half of a register, puts them right.
        let order = cast::<[i32; 8], __m256i>([0, 2, 4, 6, 1, 3, 5, 7]);
        let [red, green, blue] = added;
        let targets = red.as_chunks_mut::<16>().0.iter_mut().zip(green.as_chunks_mut::<16>().0);
        let targets = targets.zip(blue.as_chunks_mut::<16>().0);
        for (((red, green), blue), (u, v)) in targets.zip(u.as_chunks().0.iter().zip(v.as_chunks().0)) {
            let (u, v) = (centred(self, *u, order, zero), centred(self, *v, order, zero));
            let pairs = [self.avx2._mm256_unpacklo_epi16(v, u), self.avx2._mm256_unpackhi_epi16(v, u)];
            for (to, factors) in [red, green, blue].into_iter().zip(spread.factors) {
                let factors = self.avx._mm256_set1_epi32(two(&factors));
                for (to, pairs) in to.as_chunks_mut().0.iter_mut().zip(pairs) {
                    let sums = self.avx2._mm256_add_epi32(self.avx2._mm256_madd_epi16(pairs, factors), base);
                    let twice =
                        [self.avx2._mm256_unpacklo_epi32(sums, sums), self.avx2._mm256_unpackhi_epi32(sums, sums)];
                    *to = cast::<[__m256i; 2], [[i32; 2]; 8]>(twice);
                }
            }
        }
        let rest = [&mut red[whole..], &mut green[whole..], &mut blue[whole..]];
        Portable.spread(spread, &u[whole..], &v[whole..], rest);
    }

    /// 32 pixels at a time: products of 16 by 16 bits in 32, which are exact.
    #[inline(always)]
    fn to_rgb(self, luma: &[u8], factor: i32, shift: u32, added: [&[i32]; 3], rgb: [&mut [u8]; 3]) {
        let whole = luma.len() / 32 * 32;
        let (factors, count) = (self.avx._mm256_set1_epi32(factor), self.sse2._mm_cvtsi32_si128(shift as i32));
        let [red, green, blue] = rgb;
        let added_to = added[0].as_chunks().0.iter().zip(added[1].as_chunks().0).zip(added[2].as_chunks().0);
        let targets = red.as_chunks_mut().0.iter_mut().zip(green.as_chunks_mut().0).zip(blue.as_chunks_mut().0);
        for ((luma, ((to_red, to_green), to_blue)), ((red, green), blue)) in
            luma.as_chunks::<32>().0.iter().zip(targets).zip(added_to)
        {
            let [left, right] = cast::<[u8; 32], [__m128i; 2]>(*luma);
            let eights = [left, self.sse2._mm_srli_si128::<8>(left), right, self.sse2._mm_srli_si128::<8>(right)];
            let mut products = [factors; 4];
            for (product, eight) in products.iter_mut().zip(eights) {
                *product = self.avx2._mm256_madd_epi16(self.avx2._mm256_cvtepu8_epi32(eight), factors);
            }
            for (added, to) in [(red, to_red), (green, to_green), (blue, to_blue)] {
                let mut sums = cast::<[i32; 32], [__m256i; 4]>(*added);
                for (sum, product) in sums.iter_mut().zip(products) {
                    *sum = self.avx2._mm256_sra_epi32(self.avx2._mm256_add_epi32(*sum, product), count);
                }
                *to = bytes_of(self, sums);
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
        let mut pairs = Vec::with_capacity(rows.len().div_ceil(2));
        for (pair, k) in rows.chunks(2).zip(weights.chunks(2)) {
            // The last row of an odd number is taken twice, the second time with a weight of 0.
            let (first, second) = (pair[0].as_chunks::<64>().0, pair[pair.len() - 1].as_chunks::<64>().0);
            pairs.push((first, second, self.avx._mm256_set1_epi32(two(k))));
        }
        for (x, to) in made.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            let (mut left, mut right) = ([half; 4], [half; 4]);
            for (first, second, k) in &pairs {
                let [first_left, first_right] = cast::<[u8; 64], [__m256i; 2]>(first[x]);
                let [second_left, second_right] = cast::<[u8; 64], [__m256i; 2]>(second[x]);
                weigh_pair(self, first_left, second_left, *k, &mut left);
                weigh_pair(self, first_right, second_right, *k, &mut right);
            }
            *to = cast([packed(self, left, count), packed(self, right, count)]);
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
        let (pairs, last) = columns[..weights.len()].as_chunks::<2>();
        let (weights, last_weight) = weights.as_chunks::<2>();
        for ([first, second], k) in pairs.iter().zip(weights) {
            weigh_columns_of(self, *first, *second, two(k), &mut sums);
        }
        if let ([last], [k]) = (last, last_weight) {
            weigh_columns_of(self, *last, [0; GROUP], two(&[*k]), &mut sums);
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

/// Samples less what stands for none, in another order of pairs.
#[inline(always)]
fn centred(simd: V3, samples: [u16; 16], order: __m256i, zero: __m256i) -> __m256i {
    simd.avx2._mm256_sub_epi16(simd.avx2._mm256_permutevar8x32_epi32(cast(samples), order), zero)
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

/// Adds two columns of a group to its sums.
#[inline(always)]
fn weigh_columns_of(simd: V3, first: [u8; GROUP], second: [u8; GROUP], k: i32, sums: &mut [__m256i; 2]) {
    let (first, second) = (cast::<[u8; GROUP], __m128i>(first), cast::<[u8; GROUP], __m128i>(second));
    let k = simd.avx._mm256_set1_epi32(k);
    let upper = simd.avx2._mm256_cvtepu8_epi16(simd.sse2._mm_unpacklo_epi8(first, second));
    let lower = simd.avx2._mm256_cvtepu8_epi16(simd.sse2._mm_unpackhi_epi8(first, second));
    sums[0] = simd.avx2._mm256_add_epi32(sums[0], simd.avx2._mm256_madd_epi16(upper, k));
    sums[1] = simd.avx2._mm256_add_epi32(sums[1], simd.avx2._mm256_madd_epi16(lower, k));
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

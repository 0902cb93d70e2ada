//! The loops that gain from registers of 64 bytes, in the instructions of x86-64-v4; the others are those of x86-64-v3.

use std::arch::x86_64::{__m128i, __m256i, __m512i};
use std::hint::black_box;

use pulp::cast;
use pulp::x86::{V3, V4};

use super::avx2::{IN_TURN, two};
use super::loops::{Added, Bytes, FRACTION, FRACTION_MASK, Loops, Rounded, Spread};
use super::{BLOCK, ColumnPair, GROUP};
use crate::frames::values::Steps;

const SHIFT: u32 = FRACTION;

impl Loops for V4 {
    /// 32 samples at a time: both products of a sample and their sum are one instruction.
    #[inline(always)]
    fn split(self, spread: &Spread, u: &[[u8; BLOCK / 2]], v: &[[u8; BLOCK / 2]], to: &mut [Added]) {
        let base = self.avx512f._mm512_set1_epi32(spread.base);
        let zero = self.avx512f._mm512_set1_epi16(spread.zero as i16);
        let mask = self.avx512f._mm512_set1_epi32(i32::from(FRACTION_MASK));
        for ((to, u), v) in to.iter_mut().zip(u).zip(v) {
            let u = self.avx512bw._mm512_sub_epi16(self.avx512bw._mm512_cvtepu8_epi16(cast(*u)), zero);
            let v = self.avx512bw._mm512_sub_epi16(self.avx512bw._mm512_cvtepu8_epi16(cast(*v)), zero);
            let (low, high) = (self.avx512bw._mm512_unpacklo_epi16(v, u), self.avx512bw._mm512_unpackhi_epi16(v, u));
            for ([whole, lacking], factors) in to.0.iter_mut().zip(spread.factors) {
                let factors = self.avx512f._mm512_set1_epi32(two(factors));
                let low = self.avx512f._mm512_add_epi32(self.avx512bw._mm512_madd_epi16(low, factors), base);
                let high = self.avx512f._mm512_add_epi32(self.avx512bw._mm512_madd_epi16(high, factors), base);
                let (low_levels, high_levels) =
                    (self.avx512f._mm512_srai_epi32::<SHIFT>(low), self.avx512f._mm512_srai_epi32::<SHIFT>(high));
                let (low, high) =
                    (self.avx512f._mm512_andnot_si512(low, mask), self.avx512f._mm512_andnot_si512(high, mask));
                *whole = cast(self.avx512bw._mm512_packs_epi32(low_levels, high_levels));
                *lacking = cast(self.avx512bw._mm512_packs_epi32(low, high));
            }
        }
    }

    /// 64 pixels at a time, those of even and of odd columns apart: to both belong the same samples of chroma, or to each its own.
    #[inline(always)]
    fn to_rgb<const SHARED: bool>(
        self,
        luma: &[[u8; BLOCK]],
        factor: u16,
        [even, odd]: [&[Added]; 2],
        rgb: [&mut [Bytes]; 3],
    ) {
        let (factors, lower) = ([factor; BLOCK / 2], self.avx512f._mm512_set1_epi16(0xff));
        let in_turn = cast::<[[u8; 16]; 4], __m512i>([IN_TURN; 4]);
        let [red, green, blue] = rgb;
        let targets = red.iter_mut().zip(green).zip(blue);
        for (((luma, even), odd), ((red, green), blue)) in luma.iter().zip(even).zip(odd).zip(targets) {
            let odd = if SHARED { even } else { odd };
            let (luma, factor) = (cast(*luma), cast(anew(&factors)));
            let on_even = product(self, self.avx512f._mm512_and_si512(luma, lower), factor);
            let on_odd = product(self, self.avx512bw._mm512_srli_epi16::<8>(luma), factor);
            let added = even.0.iter().zip(&odd.0);
            for (to, (to_even, to_odd)) in [red, green, blue].into_iter().zip(added) {
                let (even, odd) = (levels(self, on_even, to_even), levels(self, on_odd, to_odd));
                let bytes = self.avx512bw._mm512_packus_epi16(even, odd);
                to.0 = cast(self.avx512bw._mm512_shuffle_epi8(bytes, in_turn));
            }
        }
    }

    /// 64 columns at a time, two rows together; the sums stay in registers.
    #[inline(always)]
    fn weigh_rows(self, weights: &[i16], rounded: Rounded, rows: &[&[Bytes]], made: &mut [Bytes]) {
        let count = self.sse2._mm_cvtsi32_si128(rounded.shift as i32);
        let half = self.avx512f._mm512_set1_epi32(rounded.half());
        let mut pairs = Vec::with_capacity(rows.len().div_ceil(2));
        for (pair, k) in rows.chunks(2).zip(weights.chunks(2)) {
            // The last row of an odd number is taken twice, the second time with a weight of 0.
            let k = [k[0], k.get(1).copied().unwrap_or(0)];
            pairs.push((pair[0], pair[pair.len() - 1], self.avx512f._mm512_set1_epi32(two(k))));
        }
        for (x, to) in made.iter_mut().enumerate() {
            let mut sums = [half; 4];
            for (first, second, k) in &pairs {
                weigh_pair(self, cast(first[x].0), cast(second[x].0), *k, &mut sums);
            }
            to.0 = cast(packed(self, sums, count));
        }
    }

    #[inline(always)]
    fn stand_up(self, rows: &[[u8; GROUP]; GROUP]) -> [ColumnPair; GROUP / 2] {
        <V3 as Loops>::stand_up(*self, rows)
    }

    /// All rows of the group at once, two columns together.
    #[inline(always)]
    fn weigh_columns(self, weights: &[[i16; 2]], rounded: Rounded, columns: &[ColumnPair]) -> [u8; GROUP] {
        let count = self.sse2._mm_cvtsi32_si128(rounded.shift as i32);
        let mut sum = self.avx512f._mm512_set1_epi32(rounded.half());
        for (k, pair) in weights.iter().zip(columns) {
            let words = self.avx512bw._mm512_cvtepu8_epi16(cast::<[[u8; 2]; GROUP], __m256i>(pair.0));
            let k = self.avx512f._mm512_set1_epi32(two(*k));
            sum = self.avx512f._mm512_add_epi32(sum, self.avx512bw._mm512_madd_epi16(words, k));
        }
        let none = self.avx512f._mm512_setzero_si512();
        let clipped = self.avx512f._mm512_max_epi32(self.avx512f._mm512_sra_epi32(sum, count), none);
        cast::<__m128i, [u8; GROUP]>(self.avx512f._mm512_cvtusepi32_epi8(clipped))
    }

    #[inline(always)]
    fn transpose(self, square: &mut [[u8; GROUP]; GROUP]) {
        <V3 as Loops>::transpose(*self, square);
    }

    #[inline(always)]
    fn numbers(self, table: &[f32; 256], steps: Option<&Steps>, bytes: &[u8], to: &mut [[u8; 4]]) {
        <V3 as Loops>::numbers(*self, table, steps, bytes, to);
    }
}

/// The factors of one block. Were they known to be those of all blocks, the compiler would bring them to 32 bits before the loop, and
/// then multiply in ten instructions where the machine has one; with AVX2 that takes no more time.
#[inline(always)]
fn anew(factors: &[u16; BLOCK / 2]) -> [u16; BLOCK / 2] {
    *black_box(factors)
}

/// Of the products of 32 words with a factor: the bits from `FRACTION` on, and those below.
#[inline(always)]
fn product(simd: V4, luma: __m512i, factor: __m512i) -> [__m512i; 2] {
    let levels = simd.avx512bw._mm512_mulhi_epu16(simd.avx512bw._mm512_slli_epi16::<{ 16 - SHIFT }>(luma), factor);
    let mask = simd.avx512f._mm512_set1_epi16(FRACTION_MASK);
    [levels, simd.avx512f._mm512_and_si512(simd.avx512bw._mm512_mullo_epi16(luma, factor), mask)]
}

/// The sums of luma and what chroma adds, not clipped.
#[inline(always)]
fn levels(simd: V4, [levels, fraction]: [__m512i; 2], [whole, lacking]: &[[i16; BLOCK / 2]; 2]) -> __m512i {
    let (whole, lacking) = (cast(*whole), cast(*lacking));
    let sum = simd.avx512bw._mm512_add_epi16(levels, whole);
    let more = simd.avx512bw._mm512_cmpgt_epi16_mask(fraction, lacking);
    simd.avx512bw._mm512_mask_add_epi16(sum, more, sum, simd.avx512f._mm512_set1_epi16(1))
}

/// Adds 64 columns of two rows to their sums.
#[inline(always)]
fn weigh_pair(simd: V4, first: __m512i, second: __m512i, k: __m512i, sums: &mut [__m512i; 4]) {
    let zero = simd.avx512f._mm512_setzero_si512();
    let low = simd.avx512bw._mm512_unpacklo_epi8(first, second);
    let high = simd.avx512bw._mm512_unpackhi_epi8(first, second);
    let words = [
        simd.avx512bw._mm512_unpacklo_epi8(low, zero),
        simd.avx512bw._mm512_unpackhi_epi8(low, zero),
        simd.avx512bw._mm512_unpacklo_epi8(high, zero),
        simd.avx512bw._mm512_unpackhi_epi8(high, zero),
    ];
    for (sum, words) in sums.iter_mut().zip(words) {
        *sum = simd.avx512f._mm512_add_epi32(*sum, simd.avx512bw._mm512_madd_epi16(words, k));
    }
}

/// The bytes of 64 sums of `weigh_pair`, clipped: its unpacking and this packing undo each other within each quarter of a
/// register.
#[inline(always)]
fn packed(simd: V4, [a, b, c, d]: [__m512i; 4], count: __m128i) -> __m512i {
    let (a, b) = (simd.avx512f._mm512_sra_epi32(a, count), simd.avx512f._mm512_sra_epi32(b, count));
    let (c, d) = (simd.avx512f._mm512_sra_epi32(c, count), simd.avx512f._mm512_sra_epi32(d, count));
    let (low, high) = (simd.avx512bw._mm512_packs_epi32(a, b), simd.avx512bw._mm512_packs_epi32(c, d));
    simd.avx512bw._mm512_packus_epi16(low, high)
}

//! Rows of 8 bits, as nearly every video's -> rows of RGB, in 16 bits. Even and odd columns are apart, since
//! two neighbours mostly share a sample of chroma.

use std::ops::Range;

use super::BLOCK;
use super::loops::{Added, Bytes, Loops, Spread};
use crate::frames::matrix::Coefficients;
use crate::frames::picture::{Chroma, Picture, PixelFormat};

#[derive(Debug, Default)]
pub(super) struct NarrowConverter {
    even: Columns,
    /// Of no use where they have the chroma of the even ones.
    odd: Columns,
    is_shared: bool,
}

/// The chroma of every second column of a row.
#[derive(Debug, Default)]
struct Columns {
    /// U and V, up to whole blocks.
    chroma: [Vec<[u8; BLOCK / 2]>; 2],
    /// What it adds.
    added: Vec<Added>,
}

impl Columns {
    /// Room for so many samples of U and of V.
    #[inline(always)]
    fn room(&mut self, samples: usize) -> [&mut [u8]; 2] {
        let blocks = samples.div_ceil(BLOCK / 2);
        self.added.resize(blocks, Added::NONE);
        let [u, v] = &mut self.chroma;
        u.resize(blocks, [0; BLOCK / 2]);
        v.resize(blocks, [0; BLOCK / 2]);
        [&mut u.as_flattened_mut()[..samples], &mut v.as_flattened_mut()[..samples]]
    }

    #[inline(always)]
    fn add<L: Loops>(&mut self, loops: L, spread: &Spread) {
        loops.split(spread, &self.chroma[0], &self.chroma[1], &mut self.added);
    }
}

impl NarrowConverter {
    /// `columns`: from an even one on.
    #[inline(always)]
    pub(super) fn add_chroma<L: Loops>(
        &mut self,
        loops: L,
        format: PixelFormat,
        c: &Coefficients,
        picture: &Picture<'_>,
        row: usize,
        columns: &Range<usize>,
    ) {
        let pairs = columns.start / 2..columns.end.div_ceil(2);
        let [u, v] = self.even.room(pairs.len());
        let line = |plane: usize| &picture.planes[plane].bytes[row * picture.planes[plane].stride..];
        self.is_shared = format.sub_x == 1 || format.chroma == Chroma::None;
        match format.chroma {
            Chroma::None => [u, v].into_iter().for_each(|samples| samples.fill(c.chroma_zero as u8)),
            Chroma::Interleaved => deal(&line(1)[2 * pairs.start..2 * pairs.end], u, v),
            Chroma::Planar if self.is_shared => {
                u.copy_from_slice(&line(1)[pairs.clone()]);
                v.copy_from_slice(&line(2)[pairs]);
            }
            Chroma::Planar => {
                let [odd_u, odd_v] = self.odd.room(pairs.len());
                deal(&line(1)[columns.clone()], u, odd_u);
                deal(&line(2)[columns.clone()], v, odd_v);
            }
        }
        let spread = Spread::new(c);
        self.even.add(loops, &spread);
        if !self.is_shared {
            self.odd.add(loops, &spread);
        }
    }

    /// `luma`: of the columns that chroma was added for.
    #[inline(always)]
    pub(super) fn row<L: Loops>(&self, loops: L, c: &Coefficients, luma: &[u8], rgb: [&mut [Bytes]; 3]) {
        if self.is_shared {
            row::<L, true>(loops, c, luma, [&self.even.added; 2], rgb);
        } else {
            row::<L, false>(loops, c, luma, [&self.even.added, &self.odd.added], rgb);
        }
    }
}

#[inline(always)]
fn row<L: Loops, const SHARED: bool>(
    loops: L,
    c: &Coefficients,
    luma: &[u8],
    [even, odd]: [&[Added]; 2],
    rgb: [&mut [Bytes]; 3],
) {
    let (blocks, rest) = luma.as_chunks::<BLOCK>();
    let (even, last_even) = even.split_at(blocks.len());
    let (odd, last_odd) = odd.split_at(blocks.len());
    let [red, green, blue] = rgb;
    let (red, last_red) = red.split_at_mut(blocks.len());
    let (green, last_green) = green.split_at_mut(blocks.len());
    let (blue, last_blue) = blue.split_at_mut(blocks.len());
    let factor = c.luma as u16;
    loops.to_rgb::<SHARED>(blocks, factor, [even, odd], [red, green, blue]);
    if !rest.is_empty() {
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        loops.to_rgb::<SHARED>(&[last], factor, [last_even, last_odd], [last_red, last_green, last_blue]);
    }
}

/// Bytes in turn to the one and to the other.
#[inline(always)]
fn deal(bytes: &[u8], even: &mut [u8], odd: &mut [u8]) {
    let (pairs, last) = bytes.as_chunks::<2>();
    for ((even, odd), pair) in even.iter_mut().zip(odd).zip(pairs) {
        (*even, *odd) = (pair[0], pair[1]);
    }
    if let ([last], Some(even)) = (last, even.get_mut(pairs.len())) {
        *even = *last;
    }
}

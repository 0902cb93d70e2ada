//! Rows of 8 bits in which two columns share a sample of chroma, as nearly every video's -> rows of RGB, in 16 bits.

use std::ops::Range;

use super::BLOCK;
use super::loops::{Added, Bytes, Loops, Spread};
use crate::frames::matrix::Coefficients;
use crate::frames::picture::{Chroma, Picture, PixelFormat};

#[derive(Debug, Default)]
pub(super) struct SharedConverter {
    /// One chroma row: U and V, up to whole blocks.
    chroma: [Vec<[u8; BLOCK / 2]>; 2],
    /// What it adds.
    added: Vec<Added>,
}

impl SharedConverter {
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
        let samples = columns.start / 2..columns.end.div_ceil(2);
        let blocks = samples.len().div_ceil(BLOCK / 2);
        self.added.resize(blocks, Added::NONE);
        let [u, v] = &mut self.chroma;
        u.resize(blocks, [0; BLOCK / 2]);
        v.resize(blocks, [0; BLOCK / 2]);
        let (to_u, to_v) = (&mut u.as_flattened_mut()[..samples.len()], &mut v.as_flattened_mut()[..samples.len()]);
        let line = |plane: usize| &picture.planes[plane].bytes[row * picture.planes[plane].stride..];
        if format.chroma == Chroma::Interleaved {
            let pairs = line(1)[2 * samples.start..2 * samples.end].as_chunks::<2>().0;
            for ((u, v), pair) in to_u.iter_mut().zip(to_v).zip(pairs) {
                (*u, *v) = (pair[0], pair[1]);
            }
        } else {
            to_u.copy_from_slice(&line(1)[samples.clone()]);
            to_v.copy_from_slice(&line(2)[samples]);
        }
        loops.split(&Spread::new(c), u, v, &mut self.added);
    }

    /// `luma`: of the columns that chroma was added for.
    #[inline(always)]
    pub(super) fn row<L: Loops>(&self, loops: L, c: &Coefficients, luma: &[u8], rgb: [&mut [Bytes]; 3]) {
        let (blocks, rest) = luma.as_chunks::<BLOCK>();
        let (added, last_added) = self.added.split_at(blocks.len());
        let [red, green, blue] = rgb;
        let (red, last_red) = red.split_at_mut(blocks.len());
        let (green, last_green) = green.split_at_mut(blocks.len());
        let (blue, last_blue) = blue.split_at_mut(blocks.len());
        let factor = c.luma as u16;
        loops.to_rgb(blocks, factor, added, [red, green, blue]);
        if !rest.is_empty() {
            let mut last = [0; BLOCK];
            last[..rest.len()].copy_from_slice(rest);
            loops.to_rgb(&[last], factor, last_added, [last_red, last_green, last_blue]);
        }
    }
}

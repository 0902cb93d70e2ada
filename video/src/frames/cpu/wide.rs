//! Rows of any depth and any chroma -> rows of RGB, in 32 bits: of those that are more than 8 bits deep.

use std::ops::Range;

use super::BLOCK;
use super::loops::{Bytes, Rounded, Spread};
use crate::frames::matrix::Coefficients;
use crate::frames::picture::{Chroma, Picture, PixelFormat, Plane};

#[derive(Debug, Default)]
pub(super) struct WideConverter {
    /// What is added to luma for red, green and blue.
    added: [Vec<i32>; 3],
    /// One chroma row: U and V.
    chroma: [Vec<u16>; 2],
    luma: Vec<u16>,
}

impl WideConverter {
    #[inline(always)]
    pub(super) fn add_chroma(
        &mut self,
        format: PixelFormat,
        c: &Coefficients,
        picture: &Picture<'_>,
        row: usize,
        columns: &Range<usize>,
    ) {
        let samples = columns.start >> format.sub_x..(columns.end + format.sub_x as usize) >> format.sub_x;
        // Room for one pixel more, so that the last chroma sample of an odd row has two to write.
        self.added.iter_mut().for_each(|added| added.resize(columns.len() + 1, 0));
        let [u, v] = &mut self.chroma;
        match format.chroma {
            Chroma::None => {
                let grey = c.chroma_zero as u16;
                u.clear();
                v.clear();
                u.resize(samples.len(), grey);
                v.resize(samples.len(), grey);
            }
            Chroma::Planar => {
                read(format, &picture.planes[1], row, samples.clone(), u);
                read(format, &picture.planes[2], row, samples, v);
            }
            Chroma::Interleaved => {
                read(format, &picture.planes[1], row, 2 * samples.start..2 * samples.end, &mut self.luma);
                u.clear();
                v.clear();
                let (pairs, _) = self.luma.as_chunks::<2>();
                u.extend(pairs.iter().map(|pair| pair[0]));
                v.extend(pairs.iter().map(|pair| pair[1]));
            }
        }
        add(&Spread::new(c), u, v, format.sub_x == 1, &mut self.added);
    }

    #[inline(always)]
    pub(super) fn row(
        &mut self,
        format: PixelFormat,
        c: &Coefficients,
        plane: &Plane<'_>,
        row: usize,
        columns: Range<usize>,
        rgb: [&mut [Bytes]; 3],
    ) {
        read(format, plane, row, columns, &mut self.luma);
        let rounded = Rounded { shift: c.shift };
        for (added, to) in self.added.iter().zip(rgb) {
            for ((to, added), luma) in to.iter_mut().zip(added.chunks(BLOCK)).zip(self.luma.chunks(BLOCK)) {
                for ((to, &added), &luma) in to.0.iter_mut().zip(added).zip(luma) {
                    *to = rounded.byte(c.luma * i32::from(luma) + added);
                }
            }
        }
    }
}

#[inline(always)]
fn read(format: PixelFormat, plane: &Plane<'_>, row: usize, samples: Range<usize>, to: &mut Vec<u16>) {
    let line = &plane.bytes[row * plane.stride..];
    to.clear();
    if format.depth == 8 {
        to.extend(line[samples].iter().map(|&byte| u16::from(byte)));
    } else {
        let words = line[2 * samples.start..2 * samples.end].as_chunks::<2>().0;
        let (shift, mask) = (format.shift, u16::MAX >> (16 - format.depth));
        to.extend(words.iter().map(|&word| (u16::from_le_bytes(word) >> shift) & mask));
    }
}

/// What each chroma sample adds, written twice where it counts for two columns.
#[inline(always)]
fn add(spread: &Spread, u: &[u16], v: &[u16], twice: bool, added: &mut [Vec<i32>; 3]) {
    for (channel, added) in added.iter_mut().enumerate() {
        if twice {
            for ((to, &u), &v) in added.as_chunks_mut::<2>().0.iter_mut().zip(u).zip(v) {
                *to = [spread.of(channel, u, v); 2];
            }
        } else {
            for ((to, &u), &v) in added.iter_mut().zip(u).zip(v) {
                *to = spread.of(channel, u, v);
            }
        }
    }
}

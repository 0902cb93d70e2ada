//! Rows of luma and chroma -> rows of RGB. `docs/frames.md`, sections 1 and 2.

use std::ops::Range;

use super::loops::{Loops, Rounded, Spread};
use crate::frames::matrix::Coefficients;
use crate::frames::picture::{Chroma, Picture, PixelFormat, Plane};
use crate::frames::plan::Plan;

/// Converts rows one after the other. What chroma adds is kept while luma rows share it.
#[derive(Debug, Default)]
pub(super) struct RowConverter {
    /// The source columns that are wanted, from the first of a chroma sample on.
    columns: Range<usize>,
    /// What is added to luma for red, green and blue, rounding and the luma of black included.
    added: [Vec<i32>; 3],
    /// The chroma row that `added` was made of.
    added_row: Option<usize>,
    /// One chroma row: U and V.
    chroma: [Vec<u16>; 2],
    luma: Vec<u16>,
}

impl RowConverter {
    #[inline(always)]
    pub(super) fn begin(&mut self, plan: &Plan, columns: &Range<usize>) {
        // With chroma of half the columns, two columns share a sample and are converted together.
        let shared = columns.start & plan.shape.format.sub_x as usize;
        self.columns = columns.start - shared..columns.end;
        self.added_row = None;
        // Room for one pixel more, so that the last chroma sample of an odd row has two to write.
        self.added.iter_mut().for_each(|added| added.resize(self.columns.len() + 1, 0));
    }

    /// One source row: all of red, of green, of blue, of the wanted columns.
    #[inline(always)]
    pub(super) fn row<L: Loops>(&mut self, loops: L, plan: &Plan, picture: &Picture<'_>, row: usize, rgb: &mut [u8]) {
        let (format, c) = (plan.shape.format, &plan.colour);
        let chroma_row = row >> format.sub_y;
        if self.added_row != Some(chroma_row) {
            self.add_chroma(loops, format, c, picture, chroma_row);
            self.added_row = Some(chroma_row);
        }
        let wanted = rgb.len() / 3;
        let skipped = self.columns.len() - wanted;
        let plane = &picture.planes[0];
        let columns = self.columns.start + skipped..self.columns.end;
        let [red, green, blue] = &self.added;
        let added = [&red[skipped..][..wanted], &green[skipped..][..wanted], &blue[skipped..][..wanted]];
        let (red, rest) = rgb.split_at_mut(wanted);
        let (green, blue) = rest.split_at_mut(wanted);
        if format.depth == 8 {
            let luma = &plane.bytes[row * plane.stride..][columns];
            loops.to_rgb(luma, c.luma, c.shift, added, [red, green, blue]);
        } else {
            read_words(format, plane, row, columns, &mut self.luma);
            words_to_rgb(c, &self.luma, added, [red, green, blue]);
        }
    }

    #[inline(always)]
    fn add_chroma<L: Loops>(
        &mut self,
        loops: L,
        format: PixelFormat,
        c: &Coefficients,
        picture: &Picture<'_>,
        row: usize,
    ) {
        let samples = self.columns.start >> format.sub_x..(self.columns.end + format.sub_x as usize) >> format.sub_x;
        let [u, v] = &mut self.chroma;
        match format.chroma {
            Chroma::None => {
                let grey = c.chroma_zero as u16;
                u.resize(samples.len(), grey);
                v.resize(samples.len(), grey);
                u.fill(grey);
                v.fill(grey);
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
        add(loops, c, u, v, format.sub_x == 1, &mut self.added);
    }
}

#[inline(always)]
fn read(format: PixelFormat, plane: &Plane<'_>, row: usize, samples: Range<usize>, to: &mut Vec<u16>) {
    if format.depth == 8 {
        to.clear();
        to.extend(plane.bytes[row * plane.stride..][samples].iter().map(|&byte| u16::from(byte)));
    } else {
        read_words(format, plane, row, samples, to);
    }
}

#[inline(always)]
fn read_words(format: PixelFormat, plane: &Plane<'_>, row: usize, samples: Range<usize>, to: &mut Vec<u16>) {
    let bytes = &plane.bytes[row * plane.stride..][2 * samples.start..2 * samples.end];
    let (shift, mask) = (format.shift, u16::MAX >> (16 - format.depth));
    to.clear();
    to.extend(bytes.as_chunks::<2>().0.iter().map(|&word| (u16::from_le_bytes(word) >> shift) & mask));
}

/// What each chroma sample adds, written twice where it counts for two columns.
#[inline(always)]
fn add<L: Loops>(loops: L, c: &Coefficients, u: &[u16], v: &[u16], twice: bool, added: &mut [Vec<i32>; 3]) {
    let narrow = |value: i32| value as i16;
    let spread = Spread {
        base: (1 << (c.shift - 1)) - c.luma * c.luma_zero,
        zero: c.chroma_zero,
        factors: [[narrow(c.red_v), 0], [narrow(-c.green_v), narrow(-c.green_u)], [0, narrow(c.blue_u)]],
    };
    let [red, green, blue] = added;
    if twice {
        let red = &mut red.as_chunks_mut::<2>().0[..u.len()];
        let green = &mut green.as_chunks_mut::<2>().0[..u.len()];
        let blue = &mut blue.as_chunks_mut::<2>().0[..u.len()];
        loops.spread(spread, u, v, [red, green, blue]);
    } else {
        for (channel, added) in [red, green, blue].into_iter().enumerate() {
            for ((to, &u), &v) in added.iter_mut().zip(u).zip(v) {
                *to = spread.of(channel, u, v);
            }
        }
    }
}

/// As `Loops::to_rgb`, for more than 8 bits.
#[inline(always)]
fn words_to_rgb(c: &Coefficients, luma: &[u16], added: [&[i32]; 3], rgb: [&mut [u8]; 3]) {
    let (factor, rounded) = (c.luma, Rounded { shift: c.shift });
    for (added, to) in added.into_iter().zip(rgb) {
        for ((to, &added), &luma) in to.iter_mut().zip(added).zip(luma) {
            *to = rounded.byte(factor * i32::from(luma) + added);
        }
    }
}

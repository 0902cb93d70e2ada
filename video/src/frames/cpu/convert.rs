//! Rows of luma and chroma -> rows of RGB. `docs/frames.md`, sections 1 and 2.

use std::ops::Range;

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
    pub(super) fn row(&mut self, plan: &Plan, picture: &Picture<'_>, row: usize, rgb: &mut [u8]) {
        let (format, c) = (plan.shape.format, &plan.colour);
        let chroma_row = row >> format.sub_y;
        if self.added_row != Some(chroma_row) {
            self.add_chroma(format, c, picture, chroma_row);
            self.added_row = Some(chroma_row);
        }
        let wanted = rgb.len() / 3;
        let skipped = self.columns.len() - wanted;
        let plane = &picture.planes[0];
        let columns = self.columns.start + skipped..self.columns.end;
        if format.depth == 8 {
            let luma = &plane.bytes[row * plane.stride..][columns];
            to_rgb(c, luma, &self.added, skipped, rgb);
        } else {
            read_words(format, plane, row, columns, &mut self.luma);
            to_rgb(c, &self.luma, &self.added, skipped, rgb);
        }
    }

    #[inline(always)]
    fn add_chroma(&mut self, format: PixelFormat, c: &Coefficients, picture: &Picture<'_>, row: usize) {
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
        add(c, [u, v], format.sub_x == 1, &mut self.added);
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
fn add(c: &Coefficients, [u, v]: [&[u16]; 2], twice: bool, added: &mut [Vec<i32>; 3]) {
    let base = (1 << (c.shift - 1)) - c.luma * c.luma_zero;
    let off = |sample: u16| i32::from(sample) - c.chroma_zero;
    let [red, green, blue] = added;
    spread(v.iter().map(|&v| base + c.red_v * off(v)), twice, red);
    spread(u.iter().zip(v).map(|(&u, &v)| base - c.green_v * off(v) - c.green_u * off(u)), twice, green);
    spread(u.iter().map(|&u| base + c.blue_u * off(u)), twice, blue);
}

#[inline(always)]
fn spread(values: impl Iterator<Item = i32>, twice: bool, to: &mut [i32]) {
    if twice {
        to.as_chunks_mut::<2>().0.iter_mut().zip(values).for_each(|(pair, value)| *pair = [value; 2]);
    } else {
        to.iter_mut().zip(values).for_each(|(to, value)| *to = value);
    }
}

/// `added` may begin a column before `luma` does.
#[inline(always)]
fn to_rgb<T: Copy + Into<i32>>(c: &Coefficients, luma: &[T], added: &[Vec<i32>; 3], skipped: usize, rgb: &mut [u8]) {
    let (factor, shift) = (c.luma, c.shift);
    let [red, green, blue] = added.each_ref().map(|added| &added[skipped..skipped + luma.len()]);
    let (to_red, rest) = rgb.split_at_mut(luma.len());
    let (to_green, to_blue) = rest.split_at_mut(luma.len());
    let clip = |value: i32| (value >> shift).clamp(0, 255) as u8;
    for (i, &luma) in luma.iter().enumerate() {
        let l = factor * luma.into();
        to_red[i] = clip(l + red[i]);
        to_green[i] = clip(l + green[i]);
        to_blue[i] = clip(l + blue[i]);
    }
}

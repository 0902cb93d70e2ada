//! Rows of luma and chroma -> rows of RGB. `docs/frames.md`, sections 1 and 2.

use std::ops::Range;

use super::loops::{Bytes, Loops};
use super::narrow::NarrowConverter;
use super::wide::WideConverter;
use crate::frames::picture::{Chroma, Picture};
use crate::frames::plan::Plan;

/// Converts rows one after the other. What chroma adds is kept while luma rows share it.
#[derive(Debug, Default)]
pub(super) struct RowConverter {
    /// The source columns that are wanted; the first is even.
    columns: Range<usize>,
    /// The chroma row that was looked at last.
    chroma_row: Option<usize>,
    narrow: NarrowConverter,
    wide: WideConverter,
}

impl RowConverter {
    #[inline(always)]
    pub(super) fn begin(&mut self, columns: &Range<usize>) {
        self.columns = columns.clone();
        self.chroma_row = None;
    }

    /// One source row: all of red, of green, of blue, of the wanted columns. What lies behind them is left in any state.
    #[inline(always)]
    pub(super) fn row<L: Loops>(
        &mut self,
        loops: L,
        plan: &Plan,
        picture: &Picture<'_>,
        row: usize,
        rgb: &mut [Bytes],
    ) {
        let (format, c) = (plan.shape.format, &plan.colour);
        // Grey has none, so all rows share what it adds.
        let chroma_row = if format.chroma == Chroma::None { 0 } else { row >> format.sub_y };
        let is_new = self.chroma_row.replace(chroma_row) != Some(chroma_row);
        let columns = self.columns.clone();
        let (red, rest) = rgb.split_at_mut(rgb.len() / 3);
        let (green, blue) = rest.split_at_mut(red.len());
        let rgb = [red, green, blue];
        if format.depth == 8 && (format.chroma != Chroma::Interleaved || format.sub_x == 1) {
            if is_new {
                self.narrow.add_chroma(loops, format, c, picture, chroma_row, &columns);
            }
            let plane = &picture.planes[0];
            self.narrow.row(loops, c, &plane.bytes[row * plane.stride..][columns], rgb);
        } else {
            if is_new {
                self.wide.add_chroma(format, c, picture, chroma_row, &columns);
            }
            self.wide.row(format, c, &picture.planes[0], row, columns, rgb);
        }
    }
}

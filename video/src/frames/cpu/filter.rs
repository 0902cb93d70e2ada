//! Rows of RGB -> fewer or more rows -> fewer or more columns. `docs/frames.md`, section 4.

use std::ops::Range;

use super::GROUP;
use super::convert::RowConverter;
use super::loops::{Loops, Rounded};
use crate::frames::picture::Picture;
use crate::frames::plan::Plan;
use crate::frames::taps::Taps;

/// The source columns that any column of the result looks at.
pub(super) fn needed_columns(columns: &Taps) -> Range<usize> {
    let ends = columns.starts.iter().zip(&columns.counts).map(|(start, count)| (start + count) as usize);
    let start = columns.starts.iter().min().map_or(0, |&start| start as usize);
    start..ends.max().unwrap_or(start)
}

/// The first pass. Keeps the source rows that following rows of the result may look at again.
#[derive(Debug, Default)]
pub(super) struct RowFilter {
    /// Source rows in RGB; row `r` lies at `r % kept`.
    ring: Vec<u8>,
    kept: usize,
    /// Bytes of a row: three times its columns.
    row: usize,
    /// The first source row that has not been looked at.
    next: usize,
    made: Vec<u8>,
}

impl RowFilter {
    #[inline(always)]
    pub(super) fn begin(&mut self, plan: &Plan, columns: usize) {
        self.kept = plan.rows.width;
        self.row = columns * 3;
        self.next = 0;
        self.ring.resize(self.kept * self.row, 0);
        self.made.resize(GROUP * self.row, 0);
    }

    /// Rows of the result at the source's width. Source rows are converted in order, each at most once.
    #[inline(always)]
    pub(super) fn make<L: Loops>(
        &mut self,
        loops: L,
        plan: &Plan,
        picture: &Picture<'_>,
        group: Range<usize>,
        convert: &mut RowConverter,
    ) {
        let rounded = Rounded { shift: plan.rows.shift };
        for (place, i) in group.enumerate() {
            let (start, weights) = plan.rows.of(i);
            for row in self.next.max(start)..start + weights.len() {
                let rgb = &mut self.ring[row % self.kept * self.row..][..self.row];
                convert.row(loops, plan, picture, row, rgb);
            }
            self.next = self.next.max(start + weights.len());
            let mut rows: Vec<&[u8]> = Vec::with_capacity(weights.len());
            for row in start..start + weights.len() {
                rows.push(&self.ring[row % self.kept * self.row..][..self.row]);
            }
            loops.weigh_rows(weights, rounded, &rows, &mut self.made[place * self.row..][..self.row]);
        }
    }

    /// The rows that `make` made last: for each, all of red, of green, of blue.
    pub(super) fn made(&self) -> &[u8] {
        &self.made
    }
}

/// The second pass. Works on columns of `GROUP` rows, which lie side by side after a transposition.
#[derive(Debug, Default)]
pub(super) struct ColumnFilter {
    columns: Vec<[u8; GROUP]>,
    results: Vec<[u8; GROUP]>,
}

impl ColumnFilter {
    /// `made`: rows of the columns from `first` on. `resized`: the whole picture, of which the rows `group` are written.
    #[inline(always)]
    pub(super) fn make<L: Loops>(
        &mut self,
        loops: L,
        plan: &Plan,
        group: Range<usize>,
        first: usize,
        made: &[u8],
        resized: &mut [u8],
    ) {
        let (row, width, height) = (made.len() / GROUP, plan.place.width as usize, plan.place.height as usize);
        let (columns, rounded) = (row / 3, Rounded { shift: plan.columns.shift });
        self.columns.resize(columns.next_multiple_of(GROUP), [0; GROUP]);
        self.results.resize(width.next_multiple_of(GROUP), [0; GROUP]);
        for channel in 0..3 {
            stand_up(loops, &made[channel * columns..], row, columns, &mut self.columns);
            for (x, result) in self.results[..width].iter_mut().enumerate() {
                let (start, weights) = plan.columns.of(x);
                *result = loops.weigh_columns(weights, rounded, &self.columns[start - first..]);
            }
            let target = &mut resized[(channel * height + group.start) * width..][..group.len() * width];
            lay_down(loops, &self.results, target, width);
        }
    }
}

/// `GROUP` rows of `width` bytes, which begin `stride` apart, -> columns.
#[inline(always)]
fn stand_up<L: Loops>(loops: L, rows: &[u8], stride: usize, width: usize, columns: &mut [[u8; GROUP]]) {
    for (part, columns) in columns.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let x = part * GROUP;
        for (y, column) in columns.iter_mut().enumerate() {
            let row = &rows[y * stride..][..width];
            match row[x..].first_chunk() {
                Some(bytes) => *column = *bytes,
                None => column[..width - x].copy_from_slice(&row[x..]),
            }
        }
        loops.transpose(columns);
    }
}

/// Columns -> as many rows as `rows` has room for.
#[inline(always)]
fn lay_down<L: Loops>(loops: L, columns: &[[u8; GROUP]], rows: &mut [u8], width: usize) {
    for (part, columns) in columns.as_chunks::<GROUP>().0.iter().enumerate() {
        let mut square = *columns;
        loops.transpose(&mut square);
        let x = part * GROUP;
        for (to, from) in rows.chunks_exact_mut(width).zip(&square) {
            match to[x..].first_chunk_mut() {
                Some(bytes) => *bytes = *from,
                None => to[x..].copy_from_slice(&from[..width - x]),
            }
        }
    }
}

//! Rows of RGB -> fewer or more rows -> fewer or more columns. `docs/frames.md`, section 4.

use std::ops::Range;

use super::convert::RowConverter;
use super::loops::{Bytes, Loops, Rounded};
use super::{BLOCK, ColumnPair, GROUP};
use crate::frames::picture::Picture;
use crate::frames::plan::Plan;
use crate::frames::taps::Taps;

/// The source columns that any column of the result looks at, from an even one on: they are looked at in pairs, and where
/// two share a sample of chroma, these are the two.
pub(super) fn needed_columns(columns: &Taps) -> Range<usize> {
    let ends = columns.starts.iter().zip(&columns.counts).map(|(start, count)| (start + count) as usize);
    let start = columns.starts.iter().min().map_or(0, |&start| start as usize);
    start / 2 * 2..ends.max().unwrap_or(start)
}

/// The first pass. Keeps the source rows that following rows of the result may look at again.
#[derive(Debug, Default)]
pub(super) struct RowFilter {
    /// Source rows in RGB; row `r` lies at `r % kept`. Each has all of red, of green, of blue, each up to whole blocks.
    ring: Vec<Bytes>,
    kept: usize,
    /// Blocks of a row.
    row: usize,
    /// The first source row that has not been looked at.
    next: usize,
    made: Vec<Bytes>,
}

impl RowFilter {
    #[inline(always)]
    pub(super) fn begin(&mut self, plan: &Plan, columns: usize) {
        self.kept = plan.rows.width;
        self.row = columns.div_ceil(BLOCK) * 3;
        self.next = 0;
        self.ring.resize(self.kept * self.row, Bytes::NONE);
        self.made.resize(GROUP * self.row, Bytes::NONE);
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
            let mut rows: Vec<&[Bytes]> = Vec::with_capacity(weights.len());
            for row in start..start + weights.len() {
                rows.push(&self.ring[row % self.kept * self.row..][..self.row]);
            }
            loops.weigh_rows(weights, rounded, &rows, &mut self.made[place * self.row..][..self.row]);
        }
    }

    /// The rows that `make` made last.
    pub(super) fn made(&self) -> &[Bytes] {
        &self.made
    }
}

/// The second pass. Works on columns of `GROUP` rows, which lie side by side after a transposition.
#[derive(Debug, Default)]
pub(super) struct ColumnFilter {
    weights: PairWeights,
    columns: Vec<ColumnPair>,
    results: Vec<[u8; GROUP]>,
}

impl ColumnFilter {
    /// `first`: the column that rows begin with.
    #[inline(always)]
    pub(super) fn begin(&mut self, plan: &Plan, first: usize) {
        self.weights.fit(&plan.columns, first);
        self.results.resize((plan.place.width as usize).next_multiple_of(GROUP), [0; GROUP]);
    }

    /// `made`: rows, of which `group` are written. `resized`: the whole picture.
    #[inline(always)]
    pub(super) fn make<L: Loops>(
        &mut self,
        loops: L,
        plan: &Plan,
        group: Range<usize>,
        made: &[Bytes],
        resized: &mut [u8],
    ) {
        let (width, height) = (plan.place.width as usize, plan.place.height as usize);
        let (blocks, rounded) = (made.len() / GROUP / 3, Rounded { shift: plan.columns.shift });
        self.columns.resize(blocks * BLOCK / 2, ColumnPair::NONE);
        for channel in 0..3 {
            stand_up(loops, &made[channel * blocks..], blocks, &mut self.columns);
            for (&(start, from, to), result) in self.weights.places.iter().zip(&mut self.results) {
                *result = loops.weigh_columns(&self.weights.pairs[from..to], rounded, &self.columns[start..]);
            }
            let target = &mut resized[(channel * height + group.start) * width..][..group.len() * width];
            lay_down(loops, &self.results, target, width);
        }
    }
}

/// The weights of columns, two by two.
#[derive(Debug, Default)]
struct PairWeights {
    /// What they were made from.
    of: Option<(Taps, usize)>,
    pairs: Vec<[i16; 2]>,
    /// For each column of the result the first pair of columns, and from where to where its weights lie.
    places: Vec<(usize, usize, usize)>,
}

impl PairWeights {
    fn fit(&mut self, taps: &Taps, first: usize) {
        if self.of.as_ref().is_some_and(|of| (&of.0, of.1) == (taps, first)) {
            return;
        }
        self.pairs.clear();
        self.places.clear();
        for x in 0..taps.len() {
            let (start, weights) = taps.of(x);
            let (pair, second) = ((start - first) / 2, (start - first) % 2);
            let from = self.pairs.len();
            self.pairs.resize(from + (second + weights.len()).div_ceil(2), [0; 2]);
            self.pairs[from..].as_flattened_mut()[second..][..weights.len()].copy_from_slice(weights);
            self.places.push((pair, from, self.pairs.len()));
        }
        self.of = Some((taps.clone(), first));
    }
}

/// `GROUP` rows of blocks -> pairs of columns. The next row of a channel begins three times as many blocks further on.
#[inline(always)]
fn stand_up<L: Loops>(loops: L, made: &[Bytes], blocks: usize, columns: &mut [ColumnPair]) {
    let mut rows: [&[Bytes]; GROUP] = [&[]; GROUP];
    for (y, row) in rows.iter_mut().enumerate() {
        *row = &made[y * 3 * blocks..][..blocks];
    }
    for (block, columns) in columns.as_chunks_mut::<{ BLOCK / 2 }>().0.iter_mut().enumerate() {
        for (part, columns) in columns.as_chunks_mut::<{ GROUP / 2 }>().0.iter_mut().enumerate() {
            let mut square = [[0; GROUP]; GROUP];
            for (to, row) in square.iter_mut().zip(rows) {
                *to = row[block].0.as_chunks::<GROUP>().0[part];
            }
            *columns = loops.stand_up(&square);
        }
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

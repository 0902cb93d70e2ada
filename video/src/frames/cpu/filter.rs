//! Rows of RGB -> fewer or more rows -> fewer or more columns. `docs/frames.md`, section 4.

use std::ops::Range;

use super::GROUP;
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
    sums: Vec<i32>,
    made: Vec<u8>,
}

impl RowFilter {
    #[inline(always)]
    pub(super) fn begin(&mut self, plan: &Plan, columns: usize) {
        self.kept = plan.rows.width;
        self.row = columns * 3;
        self.next = 0;
        self.ring.resize(self.kept * self.row, 0);
        self.sums.resize(self.row, 0);
        self.made.resize(GROUP * self.row, 0);
    }

    /// Rows of the result at the source's width, `source` giving source rows, each at most once and in order.
    #[inline(always)]
    pub(super) fn make(&mut self, plan: &Plan, group: Range<usize>, mut source: impl FnMut(usize, &mut [u8])) {
        for (place, i) in group.enumerate() {
            let (start, weights) = plan.rows.of(i);
            for row in self.next.max(start)..start + weights.len() {
                source(row, &mut self.ring[row % self.kept * self.row..][..self.row]);
            }
            self.next = self.next.max(start + weights.len());
            let made = &mut self.made[place * self.row..][..self.row];
            let rows = |t: usize| &self.ring[(start + t) % self.kept * self.row..][..self.row];
            weigh(weights, plan.rows.shift, rows, &mut self.sums, made);
        }
    }

    /// The rows that `make` made last: for each, all of red, of green, of blue.
    pub(super) fn made(&self) -> &[u8] {
        &self.made
    }
}

#[inline(always)]
fn weigh<'a>(weights: &[i16], shift: u32, rows: impl Fn(usize) -> &'a [u8], sums: &mut [i32], made: &mut [u8]) {
    sums.fill(1 << (shift - 1));
    let (fours, rest) = weights.as_chunks::<4>();
    for (t, k) in fours.iter().enumerate() {
        let k = k.map(i32::from);
        let [a, b, c, d] = std::array::from_fn(|i| &rows(4 * t + i)[..sums.len()]);
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += k[0] * i32::from(a[i]) + k[1] * i32::from(b[i]) + k[2] * i32::from(c[i]) + k[3] * i32::from(d[i]);
        }
    }
    for (t, &k) in rest.iter().enumerate() {
        let row = rows(4 * fours.len() + t);
        sums.iter_mut().zip(row).for_each(|(sum, &byte)| *sum += i32::from(k) * i32::from(byte));
    }
    made.iter_mut().zip(sums).for_each(|(to, sum)| *to = (*sum >> shift).clamp(0, 255) as u8);
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
    pub(super) fn make(&mut self, plan: &Plan, group: Range<usize>, first: usize, made: &[u8], resized: &mut [u8]) {
        let (row, width, height) = (made.len() / GROUP, plan.place.width as usize, plan.place.height as usize);
        let columns = row / 3;
        self.columns.resize(columns.next_multiple_of(8), [0; GROUP]);
        self.results.resize(width.next_multiple_of(8), [0; GROUP]);
        for channel in 0..3 {
            let source = |y: usize| &made[y * row + channel * columns..][..columns];
            stand_up(source, &mut self.columns);
            for (x, result) in self.results[..width].iter_mut().enumerate() {
                let (start, weights) = plan.columns.of(x);
                *result = weigh_columns(weights, plan.columns.shift, &self.columns[start - first..]);
            }
            let target = &mut resized[(channel * height + group.start) * width..][..group.len() * width];
            lay_down(&self.results, target, width);
        }
    }
}

#[inline(always)]
fn weigh_columns(weights: &[i16], shift: u32, columns: &[[u8; GROUP]]) -> [u8; GROUP] {
    let mut sums = [1_i32 << (shift - 1); GROUP];
    for (&k, column) in weights.iter().zip(columns) {
        for (sum, &byte) in sums.iter_mut().zip(column) {
            *sum += i32::from(k) * i32::from(byte);
        }
    }
    sums.map(|sum| (sum >> shift).clamp(0, 255) as u8)
}

/// Rows -> columns.
#[inline(always)]
fn stand_up<'a>(rows: impl Fn(usize) -> &'a [u8], columns: &mut [[u8; GROUP]]) {
    for half in [0, 8] {
        let rows: [&[u8]; 8] = std::array::from_fn(|y| rows(half + y));
        let width = rows[0].len();
        for (x, eight) in columns.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let square: [u64; 8] = rows.map(|row| eight_bytes(&row[8 * x..width.min(8 * x + 8)]));
            for (column, bytes) in eight.iter_mut().zip(transposed(square)) {
                column[half..half + 8].copy_from_slice(&bytes.to_le_bytes());
            }
        }
    }
}

/// Columns -> as many rows as `rows` has room for.
#[inline(always)]
fn lay_down(columns: &[[u8; GROUP]], rows: &mut [u8], width: usize) {
    let count = rows.len() / width;
    for half in [0, 8] {
        for (x, eight) in columns.as_chunks::<8>().0.iter().enumerate() {
            let square = eight.map(|column| eight_bytes(&column[half..half + 8]));
            let bytes = 8.min(width - 8 * x);
            for (y, row) in transposed(square).into_iter().enumerate().take(count.saturating_sub(half)) {
                rows[(half + y) * width + 8 * x..][..bytes].copy_from_slice(&row.to_le_bytes()[..bytes]);
            }
        }
    }
}

#[inline(always)]
fn eight_bytes(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)),
    }
}

/// Eight times eight bytes, rows and columns exchanged: squares of 4, then of 2, then of 1 byte change places.
#[inline(always)]
fn transposed(mut rows: [u64; 8]) -> [u64; 8] {
    for (distance, bits, mask) in
        [(4, 32, 0x0000_0000_ffff_ffff), (2, 16, 0x0000_ffff_0000_ffff), (1, 8, 0x00ff_00ff_00ff_00ff_u64)]
    {
        for i in (0..8).filter(|i| i & distance == 0) {
            let (upper, lower) = (rows[i], rows[i + distance]);
            rows[i] = upper & mask | (lower & mask) << bits;
            rows[i + distance] = (upper >> bits) & mask | lower & !mask;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_change_places() {
        let rows: [u64; 8] = std::array::from_fn(|y| u64::from_le_bytes(std::array::from_fn(|x| (10 * y + x) as u8)));
        for (x, column) in transposed(rows).into_iter().enumerate() {
            assert_eq!(column.to_le_bytes(), std::array::from_fn(|y| (10 * y + x) as u8));
        }
    }
}

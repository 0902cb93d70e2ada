//! Spans of time, by their begin -> a row for each, so that no two in one row overlap, and as few rows as there can be.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The rows that are taken until some time, and those that are free.
#[derive(Default)]
pub(crate) struct Lanes {
    taken: BinaryHeap<Reverse<(u64, usize)>>,
    free: BinaryHeap<Reverse<usize>>,
    count: usize,
}

impl Lanes {
    /// The row of a span, the uppermost that is free. Call it in the order in which spans begin.
    pub(crate) fn take(&mut self, begin: u64, end: u64) -> usize {
        while let Some(Reverse((until, lane))) =
            self.taken.peek().copied().filter(|Reverse((until, _))| *until <= begin)
        {
            debug_assert!(until <= begin, "it is free");
            self.taken.pop();
            self.free.push(Reverse(lane));
        }
        let Reverse(lane) = self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            Reverse(self.count - 1)
        });
        self.taken.push(Reverse((end, lane)));
        lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_taken_again_as_soon_as_it_is_free() {
        let mut lanes = Lanes::default();
        let rows: Vec<usize> = [(0, 10), (0, 5), (5, 6), (6, 20), (7, 8), (10, 11)]
            .into_iter()
            .map(|(begin, end)| lanes.take(begin, end))
            .collect();
        assert_eq!(rows, [0, 1, 1, 1, 2, 0]);
    }
}

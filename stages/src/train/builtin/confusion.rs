//! Counts which label was answered for which true label.
//! Knows counts; whether plays or clips are counted is the caller's business.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A square table of counts: rows are the truth, columns the answers, both in the order of `labels`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Confusion {
    /// The names of rows and columns.
    pub labels: Vec<String>,
    /// `counts[truth][answer]`.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// A table in which nothing has been counted yet.
    pub fn new(labels: &[String]) -> Self {
        Self { labels: labels.to_vec(), counts: vec![vec![0; labels.len()]; labels.len()] }
    }

    /// Counts one answer. Both are indices into `labels`.
    ///
    /// # Panics
    /// When an index is not below the number of labels.
    pub fn count(&mut self, truth: usize, answer: usize) {
        self.counts[truth][answer] += 1;
    }

    /// How many answers were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// How many answers were right.
    pub fn right(&self) -> u64 {
        self.counts.iter().enumerate().map(|(label, row)| row[label]).sum()
    }

    /// The share of right answers, 0 to 1; 0 when nothing was counted.
    pub fn accuracy(&self) -> f64 {
        match self.total() {
            0 => 0.0,
            total => self.right() as f64 / total as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_truth_and_the_diagonal_is_right() {
        let labels = ["pass".to_owned(), "run".to_owned(), "screen".to_owned()];
        let mut confusion = Confusion::new(&labels);
        for (truth, answer) in [(0, 0), (0, 0), (0, 2), (1, 1), (2, 0)] {
            confusion.count(truth, answer);
        }
        assert_eq!(confusion.counts, [[2, 0, 1], [0, 1, 0], [1, 0, 0]]);
        assert_eq!((confusion.right(), confusion.total()), (3, 5));
        assert_eq!(confusion.accuracy(), 0.6);
    }

    #[test]
    fn an_empty_table_has_accuracy_zero() {
        assert_eq!(Confusion::new(&[]).accuracy(), 0.0);
    }
}

//! Turns answers for a split into its numbers: loss, accuracy by clip, and the table of plays.
//! Knows datasets and log-probabilities; knows nothing of the network they came from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::confusion::Confusion;
use super::data::{Dataset, Split};
use super::vote;

/// What is known at the end of one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EpochMetrics {
    /// Counted from 1.
    #[schemars(range(min = 1))]
    pub epoch: u32,
    /// The step size of the epoch's first step.
    pub learning_rate: f64,
    /// Mean cross-entropy of the training clips as they were learned from, in nats.
    #[schemars(range(min = 0.0))]
    pub train_loss: f64,
    /// Mean cross-entropy of the validation clips at the end of the epoch, in nats.
    #[schemars(range(min = 0.0))]
    pub validation_loss: f64,
    /// The share of validation clips answered right, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub validation_accuracy: f64,
    /// The share of validation plays answered right when all their clips are heard, 0 to 1. A play counts once.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub validation_group_accuracy: f64,
}

/// The numbers of one split.
pub(super) struct Score {
    pub(super) loss: f64,
    pub(super) clip_accuracy: f64,
    pub(super) plays: Confusion,
}

impl Score {
    /// `answers`: log-probabilities of the split's clips, in the order of [`Dataset::rows`].
    pub(super) fn new(dataset: &Dataset, split: Split, answers: &[Vec<f32>]) -> Self {
        let rows = dataset.rows(split);
        let truth = |row: usize| dataset.indices(row).label as usize;
        let mut by_row: Vec<&[f32]> = vec![&[]; dataset.examples().len()];
        for (row, answer) in rows.iter().zip(answers) {
            by_row[*row] = answer;
        }
        let loss: f64 = rows.iter().map(|row| -f64::from(by_row[*row][truth(*row)])).sum();
        let right = rows.iter().filter(|row| vote::winner(by_row[**row]) == truth(**row)).count();
        let mut plays = Confusion::new(dataset.labels());
        for play in dataset.plays(split) {
            let totals = vote::add_up(dataset.labels().len(), play.iter().map(|row| by_row[*row]));
            plays.count(truth(play[0]), vote::winner(&totals));
        }
        let clips = rows.len() as f64;
        Self { loss: loss / clips, clip_accuracy: right as f64 / clips, plays }
    }
}

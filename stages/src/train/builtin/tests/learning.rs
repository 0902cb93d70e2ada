//! What can be learned is learned, and what cannot is not.

use super::super::{Dataset, Example, Settings, Split};
use super::synthetic::{Ball, SHAPE, dataset};
use super::{epochs, trained};

#[test]
fn plays_of_games_never_seen_are_told_apart_for_every_seed() {
    for seed in [1, 2, 3] {
        let plays = dataset(120, 40, Ball::Tells, seed);
        let fitted = trained(&plays, &Settings { seed, ..Settings::default() }, 2);
        assert_eq!(fitted.confusion.total(), 40, "a play counts once, not once for each of its four clips");
        assert!(fitted.confusion.accuracy() >= 0.95, "seed {seed}: {:?}", fitted.confusion);
    }
}

#[test]
fn a_ball_that_shows_another_play_teaches_nothing() {
    let plays = dataset(120, 40, Ball::Misleads, 1);
    let fitted = trained(&plays, &Settings { epochs: epochs(4), ..Settings::default() }, 2);
    assert!(fitted.confusion.accuracy() <= 1.0 / 3.0, "{:?}", fitted.confusion);
}

#[test]
fn labels_handed_to_other_plays_teach_nothing() {
    let plays = with_labels_moved(&dataset(120, 40, Ball::Tells, 1));
    let fitted = trained(&plays, &Settings { epochs: epochs(4), ..Settings::default() }, 2);
    assert!(fitted.confusion.accuracy() <= 1.0 / 3.0, "{:?}", fitted.confusion);
}

/// Each round of six training plays shows the six zones once. Its labels are turned by one place more than those of the
/// round before, so over 120 plays every zone meets every label about equally often.
fn with_labels_moved(plays: &Dataset) -> Dataset {
    let frames = (0..plays.examples().len()).flat_map(|row| plays.clip(row).to_vec()).collect();
    let moved = |(row, example): (usize, &Example)| {
        let play = row / plays.views().len();
        let further = (play / plays.labels().len() + play) % plays.labels().len();
        match example.split {
            Split::Train => Example { label: plays.labels()[further].clone(), ..example.clone() },
            Split::Validation => example.clone(),
        }
    };
    let examples = plays.examples().iter().enumerate().map(moved).collect();
    Dataset::new(examples, frames, SHAPE).expect("only labels were moved")
}

//! What cannot be learned from is refused before anything is computed, in words that help.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use super::super::{ClipShape, DataError, Dataset, Example, Settings, Split, fit};
use super::epochs;
use super::synthetic::{Ball, dataset};

const SHAPE: ClipShape = ClipShape { frames: 1, channels: 1, height: 1, width: 2 };

fn example(id: &str, group: &str, label: &str, split: Split) -> Example {
    Example { id: id.into(), group: group.into(), view: "LEFT".into(), label: label.into(), split }
}

fn sound() -> Vec<Example> {
    vec![
        example("a", "p1", "run", Split::Train),
        example("b", "p2", "pass", Split::Train),
        example("c", "p3", "run", Split::Validation),
    ]
}

fn refusal(change: impl FnOnce(&mut Vec<Example>)) -> String {
    let mut examples = sound();
    change(&mut examples);
    let frames = vec![0.0; examples.len() * 2];
    Dataset::new(examples, frames, SHAPE).expect_err("the examples do not fit together").to_string()
}

#[test]
fn sound_examples_are_taken_and_names_are_sorted() {
    let plays = Dataset::new(sound(), vec![0.0; 6], SHAPE).expect("they are sound");
    assert_eq!(plays.labels(), ["pass", "run"]);
}

#[test]
fn each_fault_of_the_examples_is_named_with_what_to_do() {
    assert_eq!(
        refusal(|examples| examples[1].id = "a".into()),
        "clip `a` is there twice: give each clip its own id, or drop one of the two"
    );
    assert_eq!(
        refusal(|examples| examples[1].group = "p1".into()),
        "clip `b` of play `p1` is labelled `pass`, other clips of the play `run`: correct the label of one"
    );
    assert_eq!(
        refusal(|examples| examples[2].group = "p1".into()),
        "play `p1` has clips in training and in validation, so validation would measure memory: split by play or by game"
    );
    assert_eq!(
        refusal(|examples| examples[1].label = "run".into()),
        "all 2 examples are labelled `run`: a classifier needs at least two labels in training"
    );
    assert_eq!(
        refusal(|examples| examples.truncate(2)),
        "the validation split is empty: it needs at least one clip; widen the selection of games or change the share of \
         validation"
    );
    assert_eq!(
        refusal(|examples| examples[2].label = "punt".into()),
        "clip `c` in validation has the label `punt`, which no training clip has (training has pass, run): add training \
         clips with it, or leave the clip out"
    );
    assert_eq!(
        refusal(|examples| examples[2].view = "RIGHT".into()),
        "clip `c` in validation has the view `RIGHT`, which no training clip has (training has LEFT): add training clips \
         with it, or leave the clip out"
    );
}

#[test]
fn frames_that_do_not_fit_are_refused() {
    let short = Dataset::new(sound(), vec![0.0; 5], SHAPE).expect_err("one number is missing");
    assert_eq!(
        short.to_string(),
        "3 examples of shape [1, 1, 1, 2] need 6 numbers, but the frames hold 5: every clip needs exactly one frame \
         tensor of that shape, in the order of the examples"
    );
    let broken = Dataset::new(sound(), vec![0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0], SHAPE).expect_err("clip b holds a NaN");
    assert_eq!(broken, DataError::NotFinite("b".into()));
    let endless = ClipShape { width: usize::MAX, height: 2, ..SHAPE };
    assert_eq!(Dataset::new(sound(), Vec::new(), endless).expect_err("too large"), DataError::Shape(endless));
    let flat = ClipShape { width: 0, ..SHAPE };
    assert_eq!(Dataset::new(sound(), Vec::new(), flat).expect_err("no pixels"), DataError::Shape(flat));
}

#[test]
fn settings_out_of_range_are_named() {
    let message = |settings: Settings| settings.check().expect_err("out of range").to_string();
    assert_eq!(
        message(Settings { learning_rate: f64::NAN, ..Settings::default() }),
        "`learning_rate` is NaN, but it must be above 0 and at most 1: change it in the stage's `trainer` table"
    );
    assert_eq!(
        message(Settings { weight_decay: -1.0, ..Settings::default() }),
        "`weight_decay` is -1, but it must be from 0 to 1: change it in the stage's `trainer` table"
    );
    assert!(serde_json::from_str::<Settings>(r#"{ "epochs": 0 }"#).is_err());
    assert!(serde_json::from_str::<Settings>(r#"{ "epoch": 3 }"#).is_err());
    let five: Settings = serde_json::from_str(r#"{ "epochs": 5 }"#).expect("one field is enough");
    assert_eq!(five, Settings { epochs: epochs(5), ..Settings::default() });
}

#[test]
fn training_that_is_told_to_stop_keeps_what_it_has() {
    let plays = dataset(6, 6, Ball::Tells, 7);
    let stop_after_two = &mut |last: &super::super::EpochMetrics| match last.epoch {
        2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let fitted = fit(&plays, &Settings::default(), NonZeroUsize::MIN, stop_after_two).expect("two epochs end well");
    assert!(fitted.stopped);
    assert_eq!(fitted.last().epoch, 2);
}

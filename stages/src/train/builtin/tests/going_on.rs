//! A training that was stopped after an epoch and goes on makes what it would have made.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use super::super::{Dataset, Fitted, Settings, go_on};
use super::synthetic::{Ball, dataset};
use super::{epochs, trained};

const EPOCHS: u32 = 4;

fn settings() -> Settings {
    Settings { epochs: epochs(EPOCHS), batch: epochs(10), seed: 5, ..Settings::default() }
}

/// What a training makes that begins with what another had reached, and what it reaches in each epoch of its own.
fn trained_from(plays: &Dataset, settings: &Settings, reached: Option<&[u8]>) -> (Fitted, Vec<Vec<u8>>) {
    let mut kept = Vec::new();
    let fitted = go_on(plays, settings, NonZeroUsize::MIN, reached, &mut |learned| {
        kept.push(learned.to_bytes().expect("what was learned becomes bytes"));
        ControlFlow::Continue(())
    });
    (fitted.expect("training ends well"), kept)
}

fn bytes(fitted: &Fitted) -> Vec<u8> {
    fitted.model.to_bytes().expect("a model becomes bytes")
}

#[test]
fn after_whichever_epoch_it_was_stopped_it_makes_the_same() {
    let plays = dataset(12, 6, Ball::Tells, 7);
    let whole = trained(&plays, &settings(), 1);
    let (_, kept) = trained_from(&plays, &settings(), None);
    for (done, reached) in (1..).zip(&kept) {
        let (fitted, more) = trained_from(&plays, &settings(), Some(reached));
        assert_eq!(more.len(), EPOCHS as usize - done, "epochs that were done are not done again");
        assert!(bytes(&fitted) == bytes(&whole), "other weights after epoch {done}");
        assert_eq!((&fitted.metrics, &fitted.confusion), (&whole.metrics, &whole.confusion), "after epoch {done}");
    }
}

#[test]
fn without_shifts_it_makes_the_same_too() {
    let plays = dataset(12, 6, Ball::Tells, 7);
    let settings = Settings { augment: false, ..settings() };
    let (whole, kept) = trained_from(&plays, &settings, None);
    let (fitted, _) = trained_from(&plays, &settings, Some(&kept[1]));
    assert!(bytes(&fitted) == bytes(&whole));
}

#[test]
fn what_is_damaged_or_of_another_training_is_taken_for_none() {
    let plays = dataset(12, 6, Ball::Tells, 7);
    let whole = trained(&plays, &settings(), 1);
    let (_, kept) = trained_from(&plays, &settings(), None);
    let mut spoilt = kept[0].clone();
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 1;
    let longer = Settings { epochs: epochs(EPOCHS + 1), ..settings() };
    let (_, of_longer) = trained_from(&plays, &longer, None);
    for reached in [&b""[..], b"nothing", &kept[0][..40], &spoilt, &of_longer[EPOCHS as usize]] {
        let (fitted, more) = trained_from(&plays, &settings(), Some(reached));
        assert_eq!(more.len(), EPOCHS as usize);
        assert!(bytes(&fitted) == bytes(&whole));
    }
}

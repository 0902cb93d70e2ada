//! Killed while everything is made for the first time: folders, lock, journal.

use super::Ending;
use crate::bench::{Bench, Seed};
use crate::watch::Wrong;
use std::time::Duration;

/// The first moments of a state folder.
const BIRTH: Duration = Duration::from_millis(60);

pub(crate) fn play(bench: &Bench) -> Ending {
    let kills = if bench.is_short { 3 } else { 40 };
    let (mut seed, mut wrong, mut young) = (Seed::of(bench.seed), Wrong::default(), 0);
    for kill in 0..kills {
        let mut watch = bench.watch("birth");
        let rest = BIRTH.mul_f64(seed.share());
        let ended = watch.start(&bench.pipe, &[]).kill_after(rest);
        watch.died(&ended);
        young += usize::from(ended.events.is_empty());
        // A whole run after each would take an hour and prove the same; the next run must only begin and go on.
        let ended = watch.start(&bench.pipe, &[]).kill_after(bench.took / 4);
        watch.died(&ended);
        if ended.events.is_empty() {
            watch.wrong.stuck.push(format!("the run after kill {kill} did not begin: {}", ended.told()));
        }
        wrong += watch.wrong;
    }
    Ending::of(
        format!("{kills} kills in the first {} ms, {young} of them before its first word", BIRTH.as_millis()),
        &wrong,
    )
}

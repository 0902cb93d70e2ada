//! A seed -> a random graph and several lives of the engine over one disk: killed, stopped, out of disk, until one is left
//! alone and ends as if nothing had happened. What must hold meanwhile is checked by the world of each life.

mod planted;

use crate::scheduler::case::Case;
use crate::scheduler::dice::Dice;
use crate::scheduler::seeds;
use crate::scheduler::world::{Disk, Ending, Trace, Trouble, World};
use pipe_engine::planted::plant;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many lives are troubled at most before the last one.
const LIVES: u64 = 5;

/// Lines of a failing seed that are shown when nobody asked for that seed alone.
const LAST_LINES: usize = 60;

/// What did not hold.
struct Broken {
    what: String,
    trace: Vec<String>,
}

/// All that happens in the world of a seed.
fn live(seed: u64, trace: &Trace) {
    let case = Case::of_seed(seed);
    let mut dice = Dice::of(!seed);
    let mut disk = Disk::default();
    // Whether nothing but kills befalls it. An attempt elsewhere that is taken up does what it was begun for, in whichever
    // try of whichever life it is.
    let mut is_mild = (0..case.tasks.len()).all(|place| !case.elsewhere(place));
    trace.line(format_args!("{case:?}"));
    for _ in 0..dice.roll(LIVES) {
        let trouble = Trouble::of(&mut dice);
        trace.line(format_args!("a life with {trouble:?}"));
        is_mild &= trouble.is_mild();
        let delays = Dice::of(dice.roll(u64::MAX));
        disk.clock += dice.roll(100);
        disk = World::new(&case).on(disk).in_trouble(trouble).rolling(delays).traced(trace).run().disk;
    }
    // What earlier lives have left elsewhere is taken up or ended by the first, so the second has nothing to do with it.
    for life in ["the last life but one", "the last life"] {
        trace.line(format_args!("{life}"));
        disk.clock += dice.roll(100);
        let delays = Dice::of(dice.roll(u64::MAX));
        let last = World::new(&case).on(disk).rolling(delays).traced(trace).run();
        assert_eq!(last.ending(), Some(Ending::Finished), "nothing befell {life}");
        disk = last.disk;
    }
    if is_mild {
        assert_eq!(disk.filed, World::new(&case).run().disk.filed, "the store is as if nothing had happened");
    }
}

/// A seed that breaks something is played once more, for its trace: keeping that slows the others down.
fn play(seed: u64) -> Result<(), Broken> {
    if catch_unwind(|| live(seed, &Trace::default())).is_ok() {
        return Ok(());
    }
    let trace = Trace::kept();
    let again = catch_unwind(AssertUnwindSafe(|| live(seed, &trace)));
    let panic = again.expect_err("a seed breaks the same each time");
    let text = panic.downcast_ref::<String>().cloned();
    let what = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Err(Broken { what: what.unwrap_or_default(), trace: trace.lines() })
}

/// `PIPE_TEST_SEED` asks for one seed and all of its trace, `PIPE_TEST_FAULT` for a bug in the core.
#[test]
fn whatever_befalls_it_the_engine_ends_as_if_nothing_had() {
    let one: Option<u64> = std::env::var("PIPE_TEST_SEED").ok().map(|seed| seed.parse().expect("a seed is a number"));
    let fault = std::env::var("PIPE_TEST_FAULT").ok();
    let planted = fault.as_ref().map(|name| format!("PIPE_TEST_FAULT={name} ")).unwrap_or_default();
    plant(fault.map(|name| planted::named(&name).expect("a fault has a name of the list")));
    let all = one.map_or(0..u64::from(seeds(500)), |seed| seed..seed + 1);
    for seed in all {
        let Err(Broken { what, trace }) = play(seed) else { continue };
        let first = if one.is_some() { 0 } else { trace.len().saturating_sub(LAST_LINES) };
        let test = "whatever_befalls_it_the_engine_ends_as_if_nothing_had";
        panic!(
            "{}\nseed {seed}: {what}\nto see all of it: {planted}PIPE_TEST_SEED={seed} cargo nextest run -p pipe-engine {test}",
            trace[first..].join("\n")
        );
    }
}

#[test]
fn the_seeds_meet_all_that_can_befall_an_engine() {
    let mut missing: Vec<&str> = vec![
        "Killed",
        "Broken",
        "DiskFull(",
        "DiskFree",
        "LimitReached(Time",
        "LimitReached(Cost",
        "LeftOpen(",
        "OutOfDisk",
        "Cancel(Gently)",
        "Cancel(Now)",
        "fail_fast: true",
        "Retry(",
        "in vain",
        "Expand(",
        "is made",
        "is taken up",
        "is not known",
        "nobody wants it",
        "is told to stop",
    ];
    for seed in 0..200 {
        let trace = Trace::kept();
        live(seed, &trace);
        let trace = trace.lines().join("\n");
        missing.retain(|word| !trace.contains(word));
    }
    assert_eq!(missing, [""; 0], "no seed meets these");
}

#[test]
fn a_seed_leads_to_the_same_world_each_time() {
    for seed in 0..50 {
        let trace_of = || {
            let trace = Trace::kept();
            live(seed, &trace);
            trace.lines().join("\n")
        };
        assert_eq!(trace_of(), trace_of(), "seed {seed}");
    }
}

//! The core under a seeded world: random graphs, failures, delays, repeats, cancels and crashes, without tokio.

pub(crate) mod case;
pub(crate) mod dice;
mod money;
mod time;
pub(crate) mod world;

use case::{Case, Fate, any_case};
use pipe_engine::event::Counts;
use pipe_engine::failure::Failure;
use pipe_engine::plan::{Follow, Part};
use pipe_engine::scheduler::{Because, Command, End, Found, Growth, Input, Node, Record, State, Stop, step};
use pipe_engine::world::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use world::{Disk, Trouble, World};

/// `PIPE_TEST_SEEDS` asks for more (or fewer) cases than the usual.
pub(crate) fn seeds(usual: u32) -> u32 {
    std::env::var("PIPE_TEST_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// The same cases in every run: a failure here is found again by whoever looks for it.
fn for_all(usual: u32, check: impl Fn(Case) -> Result<(), TestCaseError>) {
    let config = Config {
        cases: seeds(usual),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_121),
        ..Config::default()
    };
    if let Err(failure) = TestRunner::new(config).run(&any_case(), check) {
        panic!("{failure}");
    }
}

/// What happens while it runs (inputs first, room, order, stale inputs) is checked by the world itself.
#[test]
fn every_task_ends_once_as_its_own_fate_and_its_inputs_say() {
    for_all(4000, |case| {
        let world = World::new(&case).run();
        let expected = case.expected(&BTreeSet::new());
        let ends: BTreeMap<usize, End> = expected.tasks.iter().map(|(place, task)| (*place, task.end)).collect();
        prop_assert_eq!(world.ends(), ends);
        prop_assert_eq!(world.stage_ends(), expected.stages);
        for (place, task) in &expected.tasks {
            prop_assert_eq!(world.tries()[*place], task.tries, "tries of {}", place);
        }
        Ok(())
    });
}

#[test]
fn a_skipped_task_names_what_it_was_skipped_for() {
    for_all(1000, |case| {
        let world = World::new(&case).run();
        for record in &world.journal.records {
            let Record::Skipped(task, because) = record else { continue };
            let place = world.made[*task];
            match because {
                Because::When => prop_assert!(matches!(case.fate(place), Fate::Unwanted)),
                Because::NothingFailed => prop_assert_eq!(case.follow(place), Follow::Failure),
                Because::Stage(stage) => prop_assert_eq!(world.stage_ends()[stage], End::Failed),
                Because::Task(other) => {
                    let other = world.made[*other];
                    prop_assert!(case.above(place).contains(&other), "{} is not above {}", other, place);
                    prop_assert!(matches!(world.ends()[&other], End::Failed | End::Skipped));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_cancel_at_any_moment_ends_every_task_and_starts_none() {
    for_all(2000, |case| {
        let world = World::new(&case).cancelled_after(case.seed as usize % 40, Stop::Gently).run();
        let expected = case.expected(&BTreeSet::new());
        for (place, end) in world.ends() {
            if end.has_result() {
                prop_assert_eq!(end, expected.tasks[&place].end, "task {}", place);
            }
        }
        Ok(())
    });
}

#[test]
fn a_run_that_fails_fast_starts_nothing_after_a_failure_but_what_follows_failures() {
    for_all(2000, |case| {
        let world = World::new(&case).failing_fast().run();
        let expected = case.expected(&BTreeSet::new());
        let fails = expected.tasks.values().any(|task| task.end == End::Failed)
            || expected.stages.values().any(|end| *end == End::Failed);
        for (place, end) in world.ends() {
            // What is not tried again fails where it would have succeeded, and something else may follow that failure.
            if !fails || (end.has_result() && case.follow(place) == Follow::Success) {
                prop_assert_eq!(end, expected.tasks[&place].end, "task {}", place);
            }
        }
        prop_assert!(fails || world.finished.is_some_and(|counts| counts.cancelled == 0));
        Ok(())
    });
}

#[test]
fn a_journal_that_has_no_room_for_a_while_holds_tasks_up_and_changes_none_of_their_ends() {
    for_all(1000, |case| {
        let begins = case.seed % 150;
        let full_journal = Some(begins..begins + case.seed % 97);
        let world = World::new(&case).in_trouble(Trouble { full_journal, ..Trouble::default() }).run();
        let told = world.journal.records.iter().filter(|r| matches!(r, Record::DiskFull(_) | Record::DiskFree));
        let is_full: Vec<bool> = told.map(|record| matches!(record, Record::DiskFull(_))).collect();
        prop_assert!(is_full.chunks(2).all(|pair| pair[0] && pair.get(1) != Some(&true)), "each is told once");
        Ok(())
    });
}

#[test]
fn replaying_the_records_gives_the_same_ends_and_counts() {
    for_all(1000, |case| {
        let cancel = case.seed as usize % 80;
        let world = World::new(&case).cancelled_after(cancel, Stop::Now).run();
        let again = world.replayed(world.journal.records.len());
        let end = |task| again.end_of(task).expect("the journal was whole");
        let ends: BTreeMap<usize, End> =
            world.made.iter().enumerate().map(|(task, place)| (*place, end(task))).collect();
        prop_assert_eq!(ends, world.ends());
        prop_assert_eq!(Some(again.counts()), world.finished);
        Ok(())
    });
}

#[test]
fn replaying_a_part_of_the_records_ends_the_tasks_they_tell_of_and_no_other() {
    for_all(1000, |case| {
        let world = World::new(&case).run();
        for cut in 0..world.journal.records.len() {
            let state = world.replayed(cut);
            let told: BTreeSet<usize> = world.journal.records.iter().take(cut).flat_map(ended_by).collect();
            let known = world.growths.iter().filter(|(before, _)| *before < cut);
            let tasks = case.beginning().0.len() + known.map(|(_, growth)| growth.nodes.len()).sum::<usize>();
            let ended: BTreeSet<usize> = (0..tasks).filter(|task| state.end_of(*task).is_some()).collect();
            prop_assert_eq!(ended, told);
        }
        Ok(())
    });
}

#[test]
fn a_crash_after_any_record_and_a_new_run_give_the_same_results() {
    for_all(1000, |case| {
        let whole = World::new(&case).run();
        let mut before = None;
        for crash in 0..=whole.journal.records.len() {
            let tasks = whole.journal.records.iter().take(crash).flat_map(results_of);
            let kept: BTreeSet<usize> = tasks.map(|task| whole.made[task]).collect();
            // A record that brings no result leaves the new run what the one before left it.
            if before.replace(kept.clone()).as_ref() == Some(&kept) {
                continue;
            }
            let filed = whole.disk.filed.iter().filter(|(place, _)| kept.contains(place)).cloned().collect();
            let second = World::new(&case).on(Disk::with(filed)).run();
            prop_assert_eq!(second.results(), whole.results());
            prop_assert!(kept.iter().all(|place| second.tries()[*place] == 0), "a kept result was made again");
        }
        Ok(())
    });
}

fn results_of(record: &Record) -> Vec<usize> {
    match record {
        Record::Cached { tasks, .. } => tasks.clone(),
        Record::Succeeded(task) => vec![*task],
        _ => Vec::new(),
    }
}

fn ended_by(record: &Record) -> Vec<usize> {
    match record {
        Record::Failed(task, _) | Record::Skipped(task, _) | Record::Cancelled(task) => vec![*task],
        other => results_of(other),
    }
}

#[test]
fn a_plan_without_tasks_is_finished_at_once() {
    let mut state = State::new(
        Growth { pools: Vec::new(), nodes: Vec::new(), waiting: Vec::new(), max_cost: None },
        case::room(1, 1),
    );
    let todo = step(&mut state, Timestamp(0), Input::Planned);
    assert_eq!(todo.len(), 2, "{todo:?}");
    assert_eq!(state.counts(), Counts::default());
}

#[test]
fn what_is_not_asked_for_is_never_spoken_of_and_what_is_given_never_started() {
    let node = |part, needs: &[usize]| Node {
        stage: 0,
        needs: needs.to_vec(),
        bare: Vec::new(),
        part,
        rules: Arc::new(case::plain_rules()),
    };
    let nodes = || {
        let given = [node(Part::Out, &[]), node(Part::Given, &[0]), node(Part::Given, &[])];
        given.into_iter().chain([node(Part::Wanted, &[1]), node(Part::Wanted, &[2]), node(Part::Out, &[3, 4])])
    };
    let mut state = State::new(
        Growth { pools: Vec::new(), nodes: nodes().collect(), waiting: Vec::new(), max_cost: None },
        case::room(9, 9),
    );
    let (mut open, mut started) = (vec![Input::Planned], Vec::new());
    while let Some(input) = open.pop() {
        for command in step(&mut state, Timestamp(0), input) {
            match command {
                // The first of the given results is there, the second is not.
                Command::Find(tasks) => open.extend(
                    tasks.into_iter().map(|task| Input::Found(task, if task == 1 { Found::Hit } else { Found::Miss })),
                ),
                Command::Start { task, number, .. } => {
                    started.push(task);
                    open.extend([Input::Ended(task, number, Ok(())), Input::Started(task, number)]);
                }
                Command::Publish(task) => open.push(Input::Published(task, Ok(()))),
                Command::Journal(Record::Failed(task, failure)) => {
                    assert_eq!((task, failure.code.as_str()), (2, "not_asked_for"));
                }
                Command::Journal(record) => assert!(!format!("{record:?}").contains("5"), "{record:?}"),
                _ => {}
            }
        }
    }
    assert_eq!(started, [3]);
    assert_eq!(state.counts(), Counts { succeeded: 1, cached: 1, failed: 1, skipped: 1, cancelled: 0 });
}

#[test]
fn a_chain_of_ten_thousand_tasks_runs_and_fails_on_a_small_stack() {
    let on_a_small_stack = |check: fn()| {
        let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(check).unwrap();
        thread.join().unwrap();
    };
    on_a_small_stack(|| assert_eq!(ends_of_chain(Ok(())), [10_000, 0, 0, 0, 0]));
    on_a_small_stack(|| assert_eq!(ends_of_chain(Err(Failure::failed("no", "no"))), [0, 0, 1, 9_999, 0]));
}

/// Runs tasks of which each needs the one before; the first ends with `first`.
fn ends_of_chain(first: Result<(), Failure>) -> [u64; 5] {
    let node = |task: usize| Node {
        stage: 0,
        needs: task.checked_sub(1).into_iter().collect(),
        bare: Vec::new(),
        part: Part::Wanted,
        rules: Arc::new(case::plain_rules()),
    };
    let chain =
        Growth { pools: Vec::new(), nodes: (0..10_000).map(node).collect(), waiting: Vec::new(), max_cost: None };
    let mut state = State::new(chain, case::room(2, 2));
    let mut open = vec![Input::Planned];
    while let Some(input) = open.pop() {
        for command in step(&mut state, Timestamp(0), input) {
            match command {
                Command::Find(tasks) => open.extend(tasks.into_iter().map(|task| Input::Found(task, Found::Miss))),
                Command::Start { task, number, .. } => {
                    let end = if task == 0 { first.clone() } else { Ok(()) };
                    open.extend([Input::Ended(task, number, end), Input::Started(task, number)]);
                }
                Command::Publish(task) => open.push(Input::Published(task, Ok(()))),
                _ => {}
            }
        }
    }
    let Counts { succeeded, cached, failed, skipped, cancelled } = state.counts();
    [succeeded, cached, failed, skipped, cancelled]
}

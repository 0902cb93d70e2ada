//! The core under a seeded world: random graphs, failures, delays, repeats, cancels and crashes, without tokio.

mod case;
mod world;

use case::{Case, any_case};
use pipe_engine::event::Counts;
use pipe_engine::failure::Failure;
use pipe_engine::retry::Retry;
use pipe_engine::scheduler::{Command, End, Found, Input, Limits, Node, Record, State, Stop, step};
use pipe_engine::world::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::collections::BTreeSet;
use world::World;

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
    for_all(2000, |case| {
        let world = World::new(&case).run();
        let expected = case.expected();
        prop_assert_eq!(world.ends(), expected.iter().map(|e| e.end).collect::<Vec<_>>());
        prop_assert_eq!(&world.tries, &expected.iter().map(|e| e.tries).collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn a_skipped_task_names_a_failed_task_above_it() {
    for_all(500, |case| {
        let world = World::new(&case).run();
        for record in &world.records {
            if let Record::Skipped(task, because) = record {
                prop_assert!(case.above(*task).contains(because), "{} is not above {}", because, task);
                prop_assert_eq!(world.ends()[*because], End::Failed);
            }
        }
        Ok(())
    });
}

#[test]
fn a_cancel_at_any_moment_ends_every_task_and_starts_none() {
    for_all(1000, |case| {
        let world = World::new(&case).cancelled_after(case.seed as usize % 40, Stop::Gently).run();
        let expected = case.expected();
        for (task, end) in world.ends().into_iter().enumerate() {
            if end.has_result() {
                prop_assert_eq!(end, expected[task].end, "task {}", task);
            }
        }
        Ok(())
    });
}

#[test]
fn replaying_the_records_gives_the_same_ends_and_counts() {
    for_all(1000, |case| {
        let cancel = case.seed as usize % 80;
        let world = World::new(&case).cancelled_after(cancel, Stop::Now).run();
        let mut again = State::new(case.nodes(), case.limits());
        for record in &world.records {
            step(&mut again, Timestamp(0), Input::Recorded(record.clone()));
        }
        let ends: Vec<End> = (0..case.tasks.len()).map(|t| again.end_of(t).expect("the journal was whole")).collect();
        prop_assert_eq!(ends, world.ends());
        prop_assert_eq!(Some(again.counts()), world.finished);
        Ok(())
    });
}

#[test]
fn a_crash_after_any_record_and_a_new_run_give_the_same_results() {
    for_all(500, |case| {
        let whole = World::new(&case).run();
        for crash in [case.seed as usize % 7, case.seed as usize % 31, whole.records.len()] {
            let kept: BTreeSet<usize> = whole.records.iter().take(crash).flat_map(results_of).collect();
            let second = World::new(&case).with_results(&kept).run();
            prop_assert_eq!(second.results(), whole.results());
            prop_assert!(kept.iter().all(|task| second.tries[*task] == 0), "a kept result was made again");
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

#[test]
fn a_plan_without_tasks_is_finished_at_once() {
    let mut state = State::new(Vec::new(), case::room(1, 1));
    let todo = step(&mut state, Timestamp(0), Input::Planned);
    assert_eq!(todo.len(), 2, "{todo:?}");
    assert_eq!(state.counts(), Counts::default());
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
        cpu: 1,
        memory: 1,
        retry: Retry::default(),
        timeout: None,
    };
    let mut state = State::new((0..10_000).map(node).collect(), Limits { cpu: 2, memory: 2 });
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

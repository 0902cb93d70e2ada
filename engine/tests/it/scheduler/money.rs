//! What a run may cost. Small runs by hand, and one property.

use super::case::{plain_rules, room};
use super::for_all;
use super::world::World;
use pipe_engine::event::RunLimit;
use pipe_engine::failure::{Class, Failure};
use pipe_engine::plan::Part;
use pipe_engine::scheduler::{Charge, Command, End, Found, Growth, Input, Node, Record, Rules, State, step};
use pipe_engine::units::Usd;
use pipe_engine::world::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A task elsewhere that may take 100 s, and costs so much then.
fn node(most: Option<u64>, needs: &[usize]) -> Node {
    let charge = most.map(|most| Charge { most: Usd(most), least: Usd(1) });
    let rules =
        Rules { elsewhere: true, timeout: Some(Duration::from_secs(100)), charges: vec![charge], ..plain_rules() };
    Node { stage: 0, needs: needs.to_vec(), bare: Vec::new(), part: Part::Wanted, rules: Arc::new(rules) }
}

/// A run of misses that may cost so much.
struct Desk {
    state: State,
    todo: Vec<Command>,
}

impl Desk {
    fn of(max_cost: u64, nodes: Vec<Node>) -> Self {
        let misses: Vec<usize> = (0..nodes.len()).filter(|task| nodes[*task].needs.is_empty()).collect();
        let growth = Growth { pools: Vec::new(), nodes, waiting: Vec::new(), max_cost: Some(Usd(max_cost)) };
        let mut desk = Self { state: State::new(growth, room(1, 1)), todo: Vec::new() };
        desk.give(0, Input::Planned);
        let mut all = Vec::new();
        for task in misses {
            desk.give(0, Input::Found(task, Found::Miss));
            all.append(&mut desk.todo);
        }
        desk.todo = all;
        desk
    }

    fn give(&mut self, second: u64, input: Input) {
        self.todo = step(&mut self.state, Timestamp(second * 1000), input);
    }

    /// Hands try 1 of a task over and hears of its end.
    fn runs(&mut self, task: usize, seconds: std::ops::Range<u64>, end: Result<(), Failure>) {
        self.give(seconds.start, Input::Described(task, 1));
        self.give(seconds.start, Input::Started(task, 1));
        self.give(seconds.end, Input::Ended(task, 1, end));
    }

    fn started(&self) -> Vec<usize> {
        let started = self.todo.iter().filter_map(|command| match command {
            Command::Start { task, .. } => Some(*task),
            _ => None,
        });
        started.collect()
    }

    fn has(&self, record: Record) -> bool {
        self.todo.contains(&Command::Journal(record))
    }
}

fn lost() -> Failure {
    Failure::of(Class::Failed, "lost", "the call was lost")
}

#[test]
fn what_may_cost_more_than_is_left_waits_for_what_others_give_back() {
    let mut desk = Desk::of(100, vec![node(Some(60), &[]), node(Some(60), &[])]);
    assert_eq!(desk.started(), [0], "60 are put aside, and 60 more are not there");
    // 10 of 100 s of 60 are 6; one step is 1, and one more for what was rounded: 8 are spent, 92 left.
    desk.runs(0, 0..10, Ok(()));
    assert_eq!(desk.started(), [1]);
    assert_eq!(desk.state.limit(), None);
}

#[test]
fn what_will_never_fit_is_left_and_all_else_goes_on() {
    let mut desk = Desk::of(100, vec![node(Some(101), &[]), node(Some(40), &[]), node(Some(1), &[0])]);
    assert!(desk.has(Record::LimitReached(RunLimit::Cost)) && desk.has(Record::Cancelled(0)));
    assert_eq!(desk.started(), [1], "the other fits");
    assert_eq!(desk.state.end_of(2), Some(End::Skipped), "what needs it is skipped");
    desk.runs(1, 0..5, Ok(()));
    desk.give(6, Input::Published(1, Ok(())));
    assert!(
        matches!(desk.todo.last(), Some(Command::Finish(counts)) if counts.succeeded == 1 && counts.cancelled == 1)
    );
    assert_eq!(desk.state.limit(), Some(RunLimit::Cost));
}

#[test]
fn a_price_that_nobody_knows_is_not_free() {
    let desk = Desk::of(1_000_000, vec![node(None, &[])]);
    assert!(desk.has(Record::LimitReached(RunLimit::Cost)) && desk.has(Record::Cancelled(0)));
}

#[test]
fn a_failure_costs_what_it_took_and_a_job_that_may_go_on_all_of_it() {
    let desk = |lost_reply: bool| {
        let mut desk = Desk::of(100, vec![node(Some(60), &[]), node(Some(60), &[])]);
        desk.give(0, Input::Described(0, 1));
        desk.give(
            1,
            match lost_reply {
                true => Input::LeftOpen(0, 1, lost()),
                false => Input::Ended(0, 1, Err(lost())),
            },
        );
        desk
    };
    assert_eq!(desk(false).started(), [1], "one second of it was paid");
    let open = desk(true);
    assert_eq!(open.started(), [0; 0]);
    assert!(open.has(Record::Cancelled(1)), "nobody will give back what its job may cost");
}

#[test]
fn what_was_never_handed_over_costs_nothing() {
    let mut desk = Desk::of(60, vec![node(Some(60), &[]), node(Some(60), &[])]);
    desk.give(9, Input::Ended(0, 1, Err(Failure::failed("no_store", "the store does not answer"))));
    assert_eq!(desk.started(), [1], "all of it is there again");
}

#[test]
fn a_run_never_costs_more_than_it_may_and_leaves_only_what_does_not_fit() {
    for_all(3000, |case| {
        let world = World::new(&case).costing(case.seed / 7 % 1200).run();
        let reached = world.journal.records.contains(&Record::LimitReached(RunLimit::Cost));
        let ends = world.ends();
        prop_assert_eq!(reached, ends.values().any(|end| *end == End::Cancelled));
        if !reached {
            let expected = case.expected(&BTreeSet::new());
            let expected: BTreeMap<usize, End> =
                expected.tasks.iter().map(|(place, task)| (*place, task.end)).collect();
            prop_assert_eq!(ends, expected);
        }
        let again = world.replayed(world.journal.records.len());
        prop_assert_eq!(again.limit(), reached.then_some(RunLimit::Cost));
        prop_assert_eq!(Some(again.counts()), world.finished);
        Ok(())
    });
}

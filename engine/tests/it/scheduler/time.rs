//! What ends by the clock: silence, the time of a task, the time of a run. Small runs by hand, and one property.

use super::case::{plain_rules, room};
use super::for_all;
use super::world::World;
use pipe_engine::event::{Counts, RunLimit};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::plan::Part;
use pipe_engine::retry::Retry;
use pipe_engine::scheduler::{
    Command, End, Found, Growth, Input, Limits, Machine, Node, Record, Rules, State, Stop, step,
};
use pipe_engine::world::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A task of a stage with these rules.
fn node(rules: Rules) -> Node {
    Node { stage: 0, needs: Vec::new(), bare: Vec::new(), part: Part::Wanted, rules: Arc::new(rules) }
}

fn rules() -> Rules {
    // A rest is between half of this and all of it.
    Rules { retry: Retry { first: secs(2), longest: secs(2), ..Retry::default() }, ..plain_rules() }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * 1000)
}

/// Tasks that need nothing of each other, all of them misses.
struct Desk {
    state: State,
}

impl Desk {
    fn with(nodes: Vec<Node>, limits: Limits, longest: Option<Duration>) -> (Self, Vec<Command>) {
        let tasks = nodes.len();
        let growth = Growth { pools: Vec::new(), nodes, waiting: Vec::new(), max_cost: None };
        let mut desk = Self { state: State::new(growth, limits).within(longest) };
        let mut todo = desk.give(0, Input::Planned);
        for task in 0..tasks {
            todo.extend(desk.give(0, Input::Found(task, Found::Miss)));
        }
        (desk, todo)
    }

    /// One task that has begun at second 0.
    fn running(node: Node, longest: Option<Duration>) -> (Self, Vec<Command>) {
        let (mut desk, mut todo) = Self::with(vec![node], room(1, 1), longest);
        todo.extend(desk.give(0, Input::Started(0, 1)));
        (desk, todo)
    }

    fn give(&mut self, second: u64, input: Input) -> Vec<Command> {
        step(&mut self.state, at(second), input)
    }

    fn fails(&mut self, second: u64, number: u32, class: Class) -> Vec<Command> {
        self.give(second, Input::Ended(0, number, Err(Failure::of(class, "it", "it broke"))))
    }
}

/// The failures told of attempts, and of tasks that failed for good.
fn failures(todo: &[Command]) -> (Vec<Failure>, Vec<Failure>) {
    let attempts = todo.iter().filter_map(|command| match command {
        Command::Journal(Record::AttemptEnded(_, failure)) => failure.clone(),
        _ => None,
    });
    let tasks = todo.iter().filter_map(|command| match command {
        Command::Journal(Record::Failed(_, failure)) => Some(failure.clone()),
        _ => None,
    });
    (attempts.collect(), tasks.collect())
}

fn is_retried(todo: &[Command]) -> bool {
    todo.iter().any(|command| matches!(command, Command::Journal(Record::Retry(..))))
}

fn wakes(todo: &[Command]) -> Vec<Timestamp> {
    todo.iter().filter_map(|command| if let Command::WakeAt(at) = command { Some(*at) } else { None }).collect()
}

#[test]
fn an_attempt_that_says_nothing_is_stopped_and_tried_once_more() {
    let (mut desk, todo) = Desk::running(node(Rules { silence: Some(secs(10)), ..rules() }), None);
    assert_eq!(wakes(&todo), [at(10)]);
    assert_eq!(desk.give(10, Input::Tick), [Command::Stop(0, Stop::Gently)]);
    assert_eq!(desk.give(11, Input::Tick), [], "it is told once");
    let todo = desk.fails(12, 1, Class::Failed);
    let (attempts, _) = failures(&todo);
    assert_eq!((attempts[0].class, attempts[0].message.as_str()), (Class::Stalled, "said nothing for 10 s"));
    assert!(is_retried(&todo));

    desk.give(20, Input::Tick);
    desk.give(20, Input::Started(0, 2));
    assert_eq!(desk.give(30, Input::Tick), [Command::Stop(0, Stop::Gently)]);
    let (_, tasks) = failures(&desk.fails(31, 2, Class::Failed));
    assert_eq!(tasks[0].class, Class::Stalled, "the budget of `stalled` is 1");
}

#[test]
fn each_word_gives_an_attempt_its_whole_silence_again() {
    let (mut desk, _) = Desk::running(node(Rules { silence: Some(secs(10)), ..rules() }), None);
    for second in [3, 6, 9] {
        assert_eq!(desk.give(second, Input::Heard(0, 1)), [], "a word is no news for anybody else");
    }
    assert_eq!(wakes(&desk.give(10, Input::Tick)), [at(19)], "10 s after the last word");
    assert_eq!(desk.give(11, Input::Heard(0, 7)), [], "a word of another attempt is none of this");
    assert_eq!(desk.give(19, Input::Tick), [Command::Stop(0, Stop::Gently)]);
}

#[test]
fn whoever_was_asleep_does_not_take_it_for_silence() {
    let (mut desk, _) = Desk::running(node(Rules { silence: Some(secs(10)), ..rules() }), None);
    assert_eq!(wakes(&desk.give(3600, Input::Tick)), [at(3610)], "nobody listened for an hour");
    assert_eq!(desk.give(3610, Input::Tick), [Command::Stop(0, Stop::Gently)]);
}

#[test]
fn the_time_of_a_task_ends_an_attempt_and_leaves_no_time_for_another() {
    let retry = Retry { budgets: [(Class::Timeout, 9)].into(), ..rules().retry };
    let (mut desk, todo) = Desk::running(node(Rules { task_timeout: Some(secs(60)), retry, ..rules() }), None);
    assert_eq!(wakes(&todo), [at(60)]);
    assert!(is_retried(&desk.fails(20, 1, Class::Transient)));
    desk.give(22, Input::Tick);
    assert_eq!(wakes(&desk.give(22, Input::Started(0, 2))), [at(60)], "counted from the first attempt");
    assert_eq!(desk.give(60, Input::Tick), [Command::Stop(0, Stop::Gently)]);
    let todo = desk.fails(61, 2, Class::Failed);
    let (_, tasks) = failures(&todo);
    assert_eq!(tasks[0].class, Class::Timeout);
    assert_eq!(tasks[0].message, "was not done within its task_timeout of 60 s, all attempts together");
    assert!(!is_retried(&todo), "whatever its budget is");
}

#[test]
fn a_task_does_not_rest_until_its_time_is_over() {
    let (mut desk, _) = Desk::running(node(Rules { task_timeout: Some(secs(60)), ..rules() }), None);
    let todo = desk.fails(59, 1, Class::Throttled);
    let (_, tasks) = failures(&todo);
    assert_eq!((tasks[0].class, tasks[0].message.as_str()), (Class::Throttled, "it broke"));
    assert_eq!(tasks[0].help.as_deref(), Some("its `task_timeout` of 1m would be over before the next try"));
}

#[test]
fn a_task_that_waits_for_room_until_its_time_is_over_has_failed() {
    let first = node(Rules { task_timeout: Some(secs(60)), ..rules() });
    let (mut desk, _) = Desk::with(vec![first, node(rules())], room(1, 1), None);
    desk.give(0, Input::Started(0, 1));
    let todo = desk.fails(10, 1, Class::Transient);
    assert!(
        todo.contains(&Command::Start { task: 1, number: 1, memory: 1, machine: Machine::default() }),
        "its place is taken meanwhile"
    );
    desk.give(10, Input::Started(1, 1));
    desk.give(12, Input::Tick);
    let (_, tasks) = failures(&desk.give(60, Input::Tick));
    assert_eq!(tasks[0].code, "task_timeout");
    let todo = desk.give(61, Input::Ended(1, 1, Ok(())));
    assert!(!todo.iter().any(|command| matches!(command, Command::Start { .. })), "it left the line: {todo:?}");
}

#[test]
fn a_throttled_task_is_tried_again_until_the_run_ends() {
    let (mut desk, _) = Desk::running(node(rules()), Some(secs(99)));
    let (mut second, mut number) = (0, 1);
    let failed = loop {
        let todo = desk.fails(second, number, Class::Throttled);
        let (_, tasks) = failures(&todo);
        if let Some(failure) = tasks.first() {
            break failure.clone();
        }
        assert!(second < 99, "retries go on after the run's time");
        (second, number) = (second + 2, number + 1);
        desk.give(second, Input::Tick);
        desk.give(second, Input::Started(0, number));
    };
    assert_eq!(number, 50, "in 99 s, two seconds apart");
    assert_eq!(failed.class, Class::Throttled);
    assert_eq!(failed.help.as_deref(), Some("the run's `deadline` comes before the next try"));
}

#[test]
fn a_run_that_reaches_its_deadline_stops_what_runs_and_starts_nothing() {
    let (mut desk, todo) = Desk::with(vec![node(rules()), node(rules()), node(rules())], room(2, 2), Some(secs(100)));
    assert!(wakes(&todo).contains(&at(100)));
    desk.give(0, Input::Started(0, 1));
    desk.give(0, Input::Started(1, 1));
    assert_eq!(desk.give(99, Input::Tick), []);
    let todo = desk.give(100, Input::Tick);
    assert_eq!(todo[0], Command::Journal(Record::LimitReached(RunLimit::Time)));
    assert!(todo.contains(&Command::Stop(0, Stop::Gently)) && todo.contains(&Command::Stop(1, Stop::Gently)));
    assert!(todo.contains(&Command::Journal(Record::Cancelled(2))), "{todo:?}");
    assert_eq!(desk.give(101, Input::Tick), [], "it is reached once");

    // One of them was just done; the other was stopped.
    assert!(desk.give(101, Input::Ended(0, 1, Ok(()))).contains(&Command::Publish(0)));
    desk.give(102, Input::Published(0, Ok(())));
    let todo = desk.give(102, Input::Ended(1, 1, Err(Failure::failed("stopped", "stopped"))));
    let counts = Counts { succeeded: 1, cancelled: 2, ..Counts::default() };
    assert_eq!(todo.last(), Some(&Command::Finish(counts)));
    assert_eq!(desk.state.limit(), Some(RunLimit::Time));
}

#[test]
fn what_a_deadline_stops_gently_somebody_can_stop_at_once() {
    let (mut desk, _) = Desk::running(node(rules()), Some(secs(100)));
    desk.give(100, Input::Tick);
    assert_eq!(desk.give(101, Input::Cancel(Stop::Gently)), [Command::Journal(Record::CancelRequested)]);
    assert_eq!(desk.give(102, Input::Cancel(Stop::Now)), [Command::Stop(0, Stop::Now)]);
    assert_eq!(desk.state.limit(), Some(RunLimit::Time), "it was stopped by that");
}

#[test]
fn a_run_that_somebody_stopped_before_has_not_reached_its_deadline() {
    let (mut desk, _) = Desk::running(node(rules()), Some(secs(100)));
    desk.give(99, Input::Cancel(Stop::Gently));
    assert_eq!(desk.give(100, Input::Tick), []);
    assert_eq!(desk.state.limit(), None);
}

#[test]
fn a_deadline_at_any_moment_ends_every_task_and_starts_none_after_it() {
    for_all(2000, |case| {
        let world = World::new(&case).within(Duration::from_millis(case.seed % 400)).run();
        let expected = case.expected(&BTreeSet::new());
        for (place, end) in world.ends() {
            if end.has_result() {
                prop_assert_eq!(end, expected.tasks[&place].end, "task {}", place);
            }
        }
        let reached = world.journal.records.contains(&Record::LimitReached(RunLimit::Time));
        prop_assert!(reached || !world.ends().values().any(|end| *end == End::Cancelled));
        let again = world.replayed(world.journal.records.len());
        prop_assert_eq!(again.limit(), reached.then_some(RunLimit::Time));
        prop_assert_eq!(Some(again.counts()), world.finished);
        Ok(())
    });
}

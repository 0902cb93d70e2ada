//! The core: one plain function, [`step`], decides everything that happens in a run.
//!
//! It has no clock, no I/O and no threads. The dispatcher feeds it what happened and carries out what it answers;
//! tests do the same with a seeded world; replay feeds it the records of a journal and drops the answers.

mod limits;

mod state;

pub use limits::Limits;

pub use state::{End, State};

use crate::event::Counts;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::retry::Retry;
use crate::world::Timestamp;
use std::time::Duration;

/// A task, by its place in the plan.
pub type TaskIndex = usize;

/// What the core needs to know of a task.
#[derive(Clone, Debug)]
pub struct Node {
    /// The stage it belongs to, by its place in the plan.
    pub stage: usize,
    /// The tasks whose results it needs.
    pub needs: Vec<TaskIndex>,
    /// CPU slots.
    pub cpu: u32,
    /// Bytes of memory reserved.
    pub memory: u64,
    /// When to try again.
    pub retry: Retry,
    /// The longest an attempt may run.
    pub timeout: Option<Duration>,
}

/// A plan's tasks as the core sees them.
pub fn nodes(plan: &Plan) -> Vec<Node> {
    let node = |index: petgraph::graph::NodeIndex| {
        let task = &plan.graph[index];
        let settings = plan.settings(task);
        Node {
            stage: task.stage,
            needs: plan.graph.neighbors_directed(index, petgraph::Incoming).map(|need| need.index()).collect(),
            cpu: settings.cpu.slots(),
            memory: settings.memory.0,
            retry: settings.retry.clone(),
            timeout: settings.timeout,
        }
    };
    plan.graph.node_indices().map(node).collect()
}

/// What the store says of a task whose inputs are there.
#[derive(Clone, Debug)]
pub enum Found {
    /// Its result is there.
    Hit,
    /// It must run.
    Miss,
    /// It cannot even be asked for, such as when a file has vanished.
    Failed(Failure),
}

/// How a running task is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Ask, wait for the grace period, then kill.
    Gently,
    /// Kill.
    Now,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The plan is there; begin.
    Planned,
    /// The answer to [`Command::Find`].
    Found(TaskIndex, Found),
    /// The answer to [`Command::Start`]: the attempt runs.
    Started(TaskIndex, u32),
    /// The attempt with this number ended.
    Ended(TaskIndex, u32, Result<(), Failure>),
    /// The answer to [`Command::Publish`].
    Published(TaskIndex, Result<(), Failure>),
    /// Time went by.
    Tick,
    /// Somebody wants the run to stop.
    Cancel(Stop),
    /// A record of a journal, for replay.
    Recorded(Record),
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Write this down.
    Journal(Record),
    /// Look these up in the store.
    Find(Vec<TaskIndex>),
    /// Begin try `number` of a task, with this much memory.
    Start {
        /// The task.
        task: TaskIndex,
        /// Which try, from 1.
        number: u32,
        /// Bytes of memory reserved.
        memory: u64,
    },
    /// Put the task's result in the store.
    Publish(TaskIndex),
    /// Stop the running attempt of a task.
    Stop(TaskIndex, Stop),
    /// Send [`Input::Tick`] at this moment.
    WakeAt(Timestamp),
    /// The run is over.
    Finish(Counts),
}

/// What the journal keeps. Only these change how a task ended, so replaying them gives the same ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Tasks of one stage that were found in the store.
    Cached {
        /// The stage.
        stage: usize,
        /// Its tasks, in plan order.
        tasks: Vec<TaskIndex>,
    },
    /// An attempt began.
    Started(TaskIndex, u32),
    /// An attempt ended.
    AttemptEnded(TaskIndex, Option<Failure>),
    /// The task rests until this moment and is then tried again.
    Retry(TaskIndex, Timestamp),
    /// The result is in the store.
    Succeeded(TaskIndex),
    /// Failed for good.
    Failed(TaskIndex, Failure),
    /// Will not run because of another task.
    Skipped(TaskIndex, TaskIndex),
    /// Stopped or never started.
    Cancelled(TaskIndex),
    /// Somebody asked the run to stop.
    CancelRequested,
    /// The run is over.
    Finished(Counts),
}

/// Takes one input at the moment `now` and says what to do.
///
/// Late and repeated inputs are harmless: an input that does not fit the task's state changes nothing.
pub fn step(state: &mut State, now: Timestamp, input: Input) -> Vec<Command> {
    let mut todo = Vec::new();
    match input {
        Input::Planned => state.begin(),
        Input::Found(task, found) => state.found(task, found, &mut todo),
        Input::Started(task, number) => state.started(task, number, now, &mut todo),
        Input::Ended(task, number, result) => state.ended(task, number, result, now, &mut todo),
        Input::Published(task, result) => state.published(task, result, now, &mut todo),
        Input::Tick => state.tick(now, &mut todo),
        Input::Cancel(how) => state.cancel(how, &mut todo),
        Input::Recorded(record) => state.apply(&record),
    }
    state.look_up_and_fill(&mut todo);
    state.finish(&mut todo);
    todo
}

//! The core: one plain function, [`step`], decides everything that happens in a run.
//!
//! It has no clock, no I/O and no threads. The dispatcher feeds it what happened and carries out what it answers;
//! tests do the same with a seeded world; replay feeds it the records of a journal and drops the answers.

mod state;

pub use crate::resources::Limits;

pub use state::{End, State};

use state::Job;

use crate::backend::Need;
use crate::event::{Counts, RunLimit};
use crate::failure::{Class, Failure};
use crate::plan::{Follow, Part, Plan, Stage};
use crate::retry::Retry;
use crate::units::{Bytes, Usd};
use crate::world::Timestamp;
use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;
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
    /// The stages it needs that have no tasks: there were no rows.
    pub bare: Vec<usize>,
    /// What the run has to do with it.
    pub part: Part,
    /// What it shares with the other tasks of its stage.
    pub rules: Arc<Rules>,
}

impl Deref for Node {
    type Target = Rules;

    fn deref(&self) -> &Rules {
        &self.rules
    }
}

/// What the core needs to know of all tasks of a stage.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Which ends of what a task needs let it run.
    pub follow: Follow,
    /// Whether it runs elsewhere, as a job of a backend, and takes nothing of this machine.
    pub elsewhere: bool,
    /// What it takes of its machine.
    pub takes: Limits,
    /// The pools it takes one of each from, by their places in the plan.
    pub pools: Vec<usize>,
    /// Of two that could start, the one with the higher number does.
    pub priority: i32,
    /// When to try again.
    pub retry: Retry,
    /// The longest an attempt may run.
    pub timeout: Option<Duration>,
    /// The longest all its attempts and the rests between them may take.
    pub task_timeout: Option<Duration>,
    /// The longest an attempt may say nothing.
    pub silence: Option<Duration>,
    /// After how many machines that were taken away the next is one that stays; `None` where all of them stay.
    pub spot: Option<u32>,
    /// What an attempt costs on a machine that stays, by how often its memory was doubled; `None` where no price is known.
    /// Empty where nobody pays.
    pub charges: Vec<Option<Charge>>,
    /// The same on a machine that can be taken away.
    pub spot_charges: Vec<Option<Charge>>,
}

/// Which machine an attempt elsewhere is to get, besides what its stage says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Whether it may be one that can be taken away.
    pub spot: bool,
    /// How often there was none to be had: each time the next of the place's regions is asked.
    pub moves: u32,
}

/// What somebody pays for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// For all of its `timeout`.
    pub most: Usd,
    /// For the shortest time that is charged.
    pub least: Usd,
}

/// A stage that has no tasks yet: the rows that another makes say which it will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The stage, by its place in the plan.
    pub stage: usize,
    /// The stage that makes the rows.
    pub source: usize,
}

/// A question for the plan with the rows that a stage has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expand {
    /// The stage, all tasks of which have ended.
    pub source: usize,
    /// Whether they have results that hold rows. Otherwise there are none, and all that can come of it are tasks that
    /// follow failures.
    pub with_rows: bool,
}

/// What a plan has more once the rows of a stage are known.
#[derive(Clone, Debug)]
pub struct Growth {
    /// How many tasks may draw from each pool at once.
    pub pools: Vec<u32>,
    /// Its new tasks. Their places follow those of the tasks there were.
    pub nodes: Vec<Node>,
    /// The stages that have none yet, inputs first.
    pub waiting: Vec<Waiting>,
    /// The most that the run may cost. It counts when the run begins.
    pub max_cost: Option<Usd>,
}

impl Growth {
    /// What a plan has from the task at `first` on.
    pub fn of(plan: &Plan, first: usize) -> Self {
        let with_tasks: BTreeSet<usize> = plan.tasks().map(|task| task.stage).collect();
        let waiting = plan.waiting().filter(|(stage, _)| !plan.is_left_out(*stage));
        let waiting = waiting.map(|(stage, source)| Waiting { stage, source });
        let rules: Vec<Arc<Rules>> = (0..plan.stages.len()).map(|stage| Arc::new(Rules::of(plan, stage))).collect();
        let nodes = (first..plan.len()).map(|task| Node::of(plan, task, &with_tasks, &rules));
        let (pools, max_cost) = (plan.pools.clone(), plan.around.max_cost);
        Self { pools, nodes: nodes.collect(), waiting: waiting.collect(), max_cost }
    }
}

impl Node {
    fn of(plan: &Plan, index: usize, with_tasks: &BTreeSet<usize>, rules: &[Arc<Rules>]) -> Self {
        let task = plan.task(index);
        let needs = plan.graph.neighbors_directed(NodeIndex::new(index), petgraph::Incoming).map(NodeIndex::index);
        let stages = plan.stages[task.stage].needs.iter().copied();
        Self {
            stage: task.stage,
            needs: needs.collect(),
            bare: stages.filter(|stage| !with_tasks.contains(stage)).collect(),
            part: plan.part(index),
            rules: rules[task.stage].clone(),
        }
    }
}

impl Rules {
    fn of(plan: &Plan, stage: usize) -> Self {
        let stage = &plan.stages[stage];
        let (settings, is_here) = (&stage.settings, plan.places[stage.backend].is_local());
        Self {
            follow: settings.follow,
            elsewhere: !is_here,
            takes: settings.takes(),
            pools: stage.pools.clone(),
            priority: settings.priority,
            retry: settings.retry.clone(),
            timeout: settings.timeout,
            task_timeout: settings.task_timeout,
            spot: settings.spot.filter(|_| !is_here),
            // Jobs elsewhere are heard of through a bucket alone; else it cannot be told whether they are silent.
            silence: settings.silence.filter(|_| is_here || plan.bucket.is_some()),
            charges: charges(plan, stage, false),
            spot_charges: if settings.spot.is_some() { charges(plan, stage, true) } else { Vec::new() },
        }
    }
}

/// As often as an attempt may run out of memory, each time with twice as much for the next.
const MOST_DOUBLINGS: u32 = 16;

/// What attempts of a stage cost, where a run has a limit of that. Of what has no end, nobody knows.
fn charges(plan: &Plan, stage: &Stage, spot: bool) -> Vec<Option<Charge>> {
    let (settings, place) = (&stage.settings, &plan.places[stage.backend]);
    if !place.capability.is_priced || plan.around.max_cost.is_none() {
        return Vec::new();
    }
    let doublings = settings.retry.budget(Class::OutOfMemory).unwrap_or(MOST_DOUBLINGS).min(MOST_DOUBLINGS);
    let charge = |times: u32| {
        let memory = Bytes(settings.memory.0.saturating_mul(1 << times));
        let need = Need { memory, spot, ..settings.need() };
        let most = place.dearest(&need, settings.timeout?)?;
        Some(Charge { most, least: place.dearest(&need, Duration::from_millis(1))? })
    };
    (0..=doublings).map(charge).collect()
}

/// What the store says of a task whose inputs are there.
#[derive(Clone, Debug)]
pub enum Found {
    /// It is not to run: its own `when` is false.
    Unwanted,
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
    /// The answer to [`Command::Start`] of a task that runs elsewhere: its attempt has a name and is described.
    Described(TaskIndex, u32),
    /// The answer to [`Command::Start`], or to [`Command::Submit`] once the job has begun: the attempt runs.
    Started(TaskIndex, u32),
    /// The attempt with this number said something, whatever it was.
    Heard(TaskIndex, u32),
    /// The attempt with this number ended.
    Ended(TaskIndex, u32, Result<(), Failure>),
    /// Whether there is a job of the attempt with this number, or how it ended, could not be learned: it counts as failed,
    /// and what is told of it as what it may cost.
    LeftOpen(TaskIndex, u32, Failure),
    /// The answer to [`Command::Publish`].
    Published(TaskIndex, Result<(), Failure>),
    /// The answer to this [`Command::Expand`].
    Expanded(Expand, Result<Growth, Failure>),
    /// Time went by.
    Tick,
    /// Somebody wants the run to stop.
    Cancel(Stop),
    /// The disk of the journal is full, with so many bytes left: nothing more is looked up or started, what runs goes on.
    DiskFull(u64),
    /// There is room on it again.
    DiskFree,
    /// A record of a journal, for replay.
    Recorded(Record),
    /// For replay: what the plan had more before the next [`Record::Expanded`].
    Regrown(Growth),
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
        /// The machine it is to get, where that is elsewhere.
        machine: Machine,
    },
    /// Hand try `number` of a task over to its backend. First all that was journaled must be durable, so that whoever
    /// comes after us knows of the job; and it must be looked for, since it may be there from an earlier life.
    Submit(TaskIndex, u32),
    /// Put the task's result in the store.
    Publish(TaskIndex),
    /// Plan again, with the rows that this stage has made.
    Expand(Expand),
    /// Stop the running attempt of a task. Of one that runs elsewhere all that was journaled must be durable first.
    Stop(TaskIndex, Stop),
    /// Send [`Input::Tick`] at this moment.
    WakeAt(Timestamp),
    /// The run is over.
    Finish(Counts),
}

/// Why a task does not run. What follows one that does not names the same cause, however far away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// This task failed, or does not run for a reason of its own.
    Task(TaskIndex),
    /// This stage waited for rows, and no tasks could be made of them.
    Stage(usize),
    /// Its own `when` is false.
    When,
    /// It runs after a failure only, and there was none.
    NothingFailed,
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
    /// An attempt is about to be handed to its backend: from here on there may be a job.
    Submitting(TaskIndex, u32),
    /// An attempt began.
    Started(TaskIndex, u32),
    /// An attempt that runs elsewhere is about to be stopped.
    Stopping(TaskIndex, u32),
    /// An attempt ended.
    AttemptEnded(TaskIndex, Option<Failure>),
    /// The task rests until this moment and is then tried again.
    Retry(TaskIndex, Timestamp),
    /// The result is in the store.
    Succeeded(TaskIndex),
    /// Failed for good.
    Failed(TaskIndex, Failure),
    /// Will not run.
    Skipped(TaskIndex, Because),
    /// A stage that waited for rows has its tasks.
    Expanded {
        /// The stage.
        stage: usize,
        /// The stage that made the rows.
        source: usize,
        /// How many tasks it has.
        tasks: usize,
    },
    /// A stage that waited for rows will have no tasks.
    StageSkipped(usize, Because),
    /// The rows are there, and no tasks can be made of them for this stage.
    StageFailed(usize, Failure),
    /// Stopped or never started.
    Cancelled(TaskIndex),
    /// Somebody asked the run to stop.
    CancelRequested,
    /// Nothing more is started until there is room on the disk, which has so many bytes left.
    DiskFull(u64),
    /// There is room again.
    DiskFree,
    /// The run reached a limit and stops.
    LimitReached(RunLimit),
    /// The run is over.
    Finished(Counts),
}

impl Record {
    /// The task that has run, or was to run, and has ended by this.
    pub fn ends(&self) -> Option<TaskIndex> {
        match self {
            Self::Succeeded(task) | Self::Failed(task, _) | Self::Cancelled(task) => Some(*task),
            _ => None,
        }
    }
}

/// Takes one input at the moment `now` and says what to do.
///
/// Late and repeated inputs are harmless: an input that does not fit the task's state changes nothing.
pub fn step(state: &mut State, now: Timestamp, input: Input) -> Vec<Command> {
    let mut todo = Vec::new();
    match input {
        Input::Planned => state.begin(now, &mut todo),
        Input::Found(task, found) => state.found(task, found, &mut todo),
        Input::Described(task, number) => state.described(task, number, now, &mut todo),
        Input::Started(task, number) => state.started(task, number, now, &mut todo),
        // The commonest of all: nothing follows from it but that a moment lies later.
        Input::Heard(task, number) => {
            state.heard(task, number, now);
            return todo;
        }
        Input::Ended(task, number, result) => state.ended(task, number, (result, Job::Over), now, &mut todo),
        Input::LeftOpen(task, number, failure) => {
            state.ended(task, number, (Err(failure), Job::Open), now, &mut todo);
        }
        Input::Published(task, result) => state.published(task, result, now, &mut todo),
        Input::Expanded(question, growth) => state.expanded(question, growth, &mut todo),
        Input::Tick => state.tick(now, &mut todo),
        Input::Cancel(how) => state.cancel(how, &mut todo),
        Input::DiskFull(left) => state.disk_full(left, &mut todo),
        Input::DiskFree => state.disk_free(&mut todo),
        Input::Recorded(record) => {
            state.apply(&record);
            return todo;
        }
        Input::Regrown(growth) => {
            state.regrow(growth);
            return todo;
        }
    }
    state.follow(&mut todo);
    state.halt(&mut todo);
    state.look_up_and_fill(&mut todo);
    state.expand(&mut todo);
    state.finish(&mut todo);
    todo
}

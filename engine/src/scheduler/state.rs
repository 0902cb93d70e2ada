//! The state of a run and the one place that changes it.

mod filling;
mod follow;
mod growth;
mod machine;
mod purse;
mod ready;
mod stopping;
mod time;

pub(super) use purse::Job;

use super::{Because, Command, Expand, Found, Growth, Limits, Node, Record, Stop, TaskIndex, Waiting};
use crate::event::{Counts, RunLimit};
use crate::failure::{Class, Failure};
use crate::plan::{Part, not_asked_for};
use crate::planted::{Fault, planted};
use crate::world::Timestamp;
use purse::Purse;
use ready::{Ready, Turn, Where};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::time::Duration;
use time::Watch;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Ran and published.
    Succeeded,
    /// Found in the store.
    Cached,
    /// Failed for good.
    Failed,
    /// Not run: because of another, or because nobody wants it.
    Skipped,
    /// Stopped, or never started, because the run was cancelled.
    Cancelled,
}

impl End {
    /// Whether there is a result for what follows.
    pub fn has_result(self) -> bool {
        matches!(self, Self::Succeeded | Self::Cached)
    }
}

/// Where a task is. Only [`State::set`] and [`State::end`] change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Some of its inputs have not ended.
    Waiting,
    /// The store is being asked.
    Looking,
    /// It may start as soon as there is room.
    Ready,
    /// A start was ordered and is not yet confirmed.
    Starting,
    /// It was handed to its backend and does not run yet.
    Submitted,
    /// The attempt runs.
    Running(Watch),
    /// It failed and will be tried again at this moment.
    Resting(Timestamp),
    /// Its work is done and is being put in the store.
    Publishing,
    /// It ended.
    Ended(End),
}

impl Phase {
    fn is_active(self) -> bool {
        matches!(self, Self::Looking | Self::Starting | Self::Submitted | Self::Running(_))
    }
}

struct Task {
    phase: Phase,
    /// Inputs that have not ended.
    open: usize,
    /// Why one of its inputs has no result; a failure counts for more than anything else. Once it has ended: why what
    /// follows lacks its own.
    cause: Option<Because>,
    /// The number of its newest try.
    number: u32,
    memory: u64,
    /// Where it waits for its turn.
    line: usize,
    /// When the time for all its attempts together is over; known once the first has begun.
    ends_at: Option<Timestamp>,
    retries: BTreeMap<Class, u32>,
}

/// What is known of a stage as a whole.
#[derive(Clone, Default)]
struct Stage {
    /// Tasks that have not ended.
    open: usize,
    /// Tasks whose lookup is still to come.
    lookups_left: usize,
    /// Hits not yet journaled.
    hits: Vec<TaskIndex>,
    /// Why one of its tasks, or all of it, has no result.
    cause: Option<Because>,
}

/// Everything the core knows.
pub struct State {
    nodes: Vec<Node>,
    feeds: Vec<Vec<TaskIndex>>,
    /// The number of tasks on the longest path that begins here: what most waits for goes first.
    rank: Vec<u32>,
    tasks: Vec<Task>,
    stages: Vec<Stage>,
    /// Stages without tasks, inputs first, and the one whose rows are being asked for.
    waiting: Vec<Waiting>,
    expanding: Option<Expand>,
    whole: Limits,
    free: Limits,
    ready: Ready,
    purse: Purse,
    /// Tasks of which an input has ended.
    touched: VecDeque<TaskIndex>,
    to_find: Vec<TaskIndex>,
    cancelling: Option<Stop>,
    /// Whether nothing is looked up or started until there is room on the disk.
    paused: bool,
    /// What somebody has asked for.
    asked: Option<Stop>,
    /// How long the run may take, until it begins; then when that is over, and what limit it has reached.
    longest: Option<Duration>,
    ends_at: Option<Timestamp>,
    limit: Option<RunLimit>,
    fail_fast: bool,
    /// Whether nothing more is started but what follows a failure.
    halted: bool,
    counts: Counts,
    /// Tasks that run or are being looked up.
    active: usize,
    ended: usize,
    finished: bool,
}

impl State {
    /// The state before anything has happened: tasks, in an order in which inputs come before what needs them, and the
    /// stages that have none yet.
    pub fn new(plan: Growth, limits: Limits) -> Self {
        let mut state = Self {
            nodes: Vec::new(),
            feeds: Vec::new(),
            rank: Vec::new(),
            tasks: Vec::new(),
            stages: Vec::new(),
            waiting: Vec::new(),
            expanding: None,
            whole: limits,
            free: limits,
            ready: Ready::with(&plan.pools),
            purse: Purse::of(plan.max_cost),
            touched: VecDeque::new(),
            to_find: Vec::new(),
            cancelling: None,
            paused: false,
            asked: None,
            longest: None,
            ends_at: None,
            limit: None,
            fail_fast: false,
            halted: false,
            counts: Counts::default(),
            active: 0,
            ended: 0,
            finished: false,
        };
        state.add(plan);
        state
    }

    /// The same, for a run that starts nothing more once a task has failed for good.
    #[must_use]
    pub fn failing_fast(self) -> Self {
        Self { fail_fast: true, ..self }
    }

    /// How a task ended, if it has.
    pub fn end_of(&self, task: TaskIndex) -> Option<End> {
        match self.tasks[task].phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// How many tasks have ended in which way.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether nothing runs or is being looked up: what waits to be published has nothing to wait for.
    pub fn is_idle(&self) -> bool {
        (self.paused || self.ready.is_empty()) && self.active == 0
    }

    pub(super) fn begin(&mut self, now: Timestamp, todo: &mut Vec<Command>) {
        self.touched.extend(0..self.tasks.len());
        self.begin_time(now, todo);
    }

    pub(super) fn found(&mut self, task: TaskIndex, found: Found, todo: &mut Vec<Command>) {
        if self.tasks[task].phase != Phase::Looking {
            return;
        }
        match found {
            Found::Unwanted => self.skip(task, Because::When, todo),
            Found::Hit => {
                self.stages[self.nodes[task].stage].hits.push(task);
                self.end(task, End::Cached);
            }
            Found::Miss if self.nodes[task].part == Part::Given => self.fail(task, not_asked_for(), todo),
            Found::Miss => {
                self.make_ready(task);
            }
            Found::Failed(failure) => self.fail(task, failure, todo),
        }
        self.journal_hits(self.nodes[task].stage, todo);
    }

    /// A job that is not there yet is not made for a run that is being stopped.
    pub(super) fn described(&mut self, task: TaskIndex, number: u32, now: Timestamp, todo: &mut Vec<Command>) {
        if self.tasks[task].phase != Phase::Starting || self.tasks[task].number != number || !self.nodes[task].elsewhere
        {
            return;
        }
        if self.cancelling.is_some() && !planted(Fault::SubmittedAfterCancel) {
            self.give_back(task);
            return self.cancel_task(task, todo);
        }
        self.set(task, Phase::Submitted);
        self.handed_over(task, now);
        let order = [Command::Journal(Record::Submitting(task, number)), Command::Submit(task, number)];
        todo.extend(order);
        if planted(Fault::IntentAfterSubmit) {
            let last = todo.len() - 1;
            todo.swap(last - 1, last);
        }
    }

    pub(super) fn started(&mut self, task: TaskIndex, number: u32, now: Timestamp, todo: &mut Vec<Command>) {
        let awaited = if self.nodes[task].elsewhere { Phase::Submitted } else { Phase::Starting };
        if self.tasks[task].phase != awaited || self.tasks[task].number != number {
            return;
        }
        todo.push(Command::Journal(Record::Started(task, number)));
        self.watch(task, now, todo);
        if let Some(how) = self.cancelling.filter(|_| !planted(Fault::LateStartNotStopped)) {
            self.stop(task, how, todo);
        }
    }

    pub(super) fn ended(
        &mut self,
        task: TaskIndex,
        number: u32,
        (result, job): (Result<(), Failure>, Job),
        now: Timestamp,
        todo: &mut Vec<Command>,
    ) {
        // What could not even be started ends without having run.
        let over = match self.tasks[task].phase {
            Phase::Starting | Phase::Submitted => None,
            Phase::Running(watch) => watch.over,
            _ if planted(Fault::ReplyTakenTwice) => None,
            _ => return,
        };
        if self.tasks[task].number != number && !planted(Fault::StaleReplyBelieved) {
            return;
        }
        if result.is_ok() || !planted(Fault::RoomKeptByFailure) {
            self.give_back(task);
        }
        self.settle_up(task, job, now);
        let over = over.filter(|_| !planted(Fault::TimeoutCountedAsFailure));
        let failure = result.err().map(|failure| match over {
            Some(over) => self.told(task, over, failure),
            None => failure,
        });
        todo.push(Command::Journal(Record::AttemptEnded(task, failure.clone())));
        match failure {
            None => {
                self.set(task, Phase::Publishing);
                todo.push(Command::Publish(task));
                if planted(Fault::EndedBeforePublished) {
                    self.published(task, Ok(()), now, todo);
                }
            }
            Some(_) if self.cancelling.is_some() => self.cancel_task(task, todo),
            Some(failure) => self.retry_or_fail(task, failure, now, todo),
        }
    }

    pub(super) fn published(
        &mut self,
        task: TaskIndex,
        result: Result<(), Failure>,
        now: Timestamp,
        todo: &mut Vec<Command>,
    ) {
        if self.tasks[task].phase != Phase::Publishing {
            return;
        }
        match result {
            Ok(()) => {
                todo.push(Command::Journal(Record::Succeeded(task)));
                self.end(task, End::Succeeded);
            }
            Err(failure) => self.retry_or_fail(task, failure, now, todo),
        }
    }

    /// Replay: takes over what a record says and decides nothing.
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Cached { stage, tasks } => {
                tasks.iter().for_each(|task| self.end(*task, End::Cached));
                self.stages[*stage].hits.clear();
            }
            Record::Submitting(task, number) | Record::Started(task, number) => self.tasks[*task].number = *number,
            Record::Succeeded(task) => self.end(*task, End::Succeeded),
            Record::Failed(task, _) => self.end(*task, End::Failed),
            Record::Skipped(task, because) => self.end_skipped(*task, *because),
            Record::Cancelled(task) => self.end(*task, End::Cancelled),
            Record::StageSkipped(stage, because) => self.end_stage(*stage, *because),
            Record::StageFailed(stage, _) => self.end_stage(*stage, Because::Stage(*stage)),
            Record::CancelRequested => {
                self.cancelling = Some(Stop::Gently);
                self.waiting.clear();
            }
            // What is left for want of money stops nothing else.
            Record::LimitReached(RunLimit::Cost) => self.limit = Some(RunLimit::Cost),
            Record::LimitReached(limit @ RunLimit::Time) => {
                self.limit = Some(*limit);
                self.cancelling = Some(Stop::Gently);
                self.waiting.clear();
            }
            Record::Finished(_) => self.finished = true,
            Record::Stopping(..)
            | Record::AttemptEnded(..)
            | Record::Retry(..)
            | Record::Expanded { .. }
            | Record::DiskFull(_)
            | Record::DiskFree => {}
        }
        self.touched.clear();
    }

    pub(super) fn finish(&mut self, todo: &mut Vec<Command>) {
        if self.ended < self.tasks.len() || !self.waiting.is_empty() || self.finished {
            return;
        }
        self.finished = true;
        for stage in 0..self.stages.len() {
            self.stages[stage].lookups_left = 0;
            self.journal_hits(stage, todo);
        }
        todo.push(Command::Journal(Record::Finished(self.counts)));
        todo.push(Command::Finish(self.counts));
    }

    fn set(&mut self, task: TaskIndex, phase: Phase) {
        if matches!(self.tasks[task].phase, Phase::Waiting | Phase::Looking)
            && !matches!(phase, Phase::Waiting | Phase::Looking)
        {
            self.stages[self.nodes[task].stage].lookups_left -= 1;
        }
        self.active -= usize::from(self.tasks[task].phase.is_active());
        self.active += usize::from(phase.is_active());
        self.tasks[task].phase = phase;
    }

    /// Ends a task that was not skipped, and tells what follows.
    fn end(&mut self, task: TaskIndex, end: End) {
        self.end_because(task, end, (!end.has_result()).then_some(Because::Task(task)));
    }

    /// The only way a task ends, so the counts always add up. `because`: why what follows lacks its result.
    fn end_because(&mut self, task: TaskIndex, end: End, because: Option<Because>) {
        if matches!(self.tasks[task].phase, Phase::Ended(_)) {
            return;
        }
        self.set(task, Phase::Ended(end));
        self.give_up_on(task);
        self.tasks[task].cause = because;
        self.ended += 1;
        let counts = &mut self.counts;
        *match end {
            End::Succeeded => &mut counts.succeeded,
            End::Cached => &mut counts.cached,
            End::Failed => &mut counts.failed,
            End::Skipped => &mut counts.skipped,
            End::Cancelled => &mut counts.cancelled,
        } += 1;
        self.tell(task, because);
    }

    /// One record for the hits of a stage, once all of its lookups are answered.
    fn journal_hits(&mut self, stage: usize, todo: &mut Vec<Command>) {
        if self.stages[stage].lookups_left == 0 && !self.stages[stage].hits.is_empty() {
            let mut tasks = mem::take(&mut self.stages[stage].hits);
            tasks.sort_unstable();
            if !planted(Fault::HitsNotJournaled) {
                todo.push(Command::Journal(Record::Cached { stage, tasks }));
            }
        }
    }

    fn make_ready(&mut self, task: TaskIndex) {
        self.set(task, Phase::Ready);
        let (has_aside, priority) = (self.has_aside(task), self.nodes[task].priority);
        let turn = Turn { has_aside, priority, rank: self.rank[task], task: Reverse(task) };
        self.ready.push(self.tasks[task].line, turn);
    }

    fn retry_or_fail(&mut self, task: TaskIndex, failure: Failure, now: Timestamp, todo: &mut Vec<Command>) {
        let class = match failure.class {
            Class::Preempted if planted(Fault::PreemptionCountedAsFailure) => Class::Failed,
            class => class,
        };
        let used = self.tasks[task].retries.get(&class).copied().unwrap_or(0);
        let retry = &self.nodes[task].retry;
        if self.cancelling.is_some() || self.halted || !retry.allows(class, used) {
            self.fail(task, failure, todo);
            return;
        }
        let at = now.after(retry.rest(task, used + 1));
        if let Some(end) = self.end_before(task, at) {
            self.fail(task, end.instead_of_a_retry(failure), todo);
            return;
        }
        if class == Class::OutOfMemory && !planted(Fault::MemoryNotDoubled) {
            self.tasks[task].memory = self.tasks[task].memory.saturating_mul(2);
        }
        self.tasks[task].retries.insert(class, used + 1);
        self.set(task, Phase::Resting(at));
        todo.push(Command::Journal(Record::Retry(task, at)));
        if !planted(Fault::WakeUpAfterRestLost) {
            todo.push(Command::WakeAt(at));
        }
    }

    fn fail(&mut self, task: TaskIndex, failure: Failure, todo: &mut Vec<Command>) {
        todo.push(Command::Journal(Record::Failed(task, failure)));
        self.end(task, End::Failed);
    }
}

//! What ends by the clock: an attempt after its `timeout` or when it says nothing for too long, a task after its
//! `task_timeout`, the run after its `deadline`.

use super::{Command, Phase, Record, RunLimit, State, Stop, TaskIndex};
use crate::failure::{Class, Failure};
use crate::planted::{Fault, planted};
use crate::units::Millis;
use crate::world::Timestamp;
use std::time::Duration;

/// A look at the clock that comes so much too late says that whoever looks was asleep, and not that an attempt was silent:
/// an engine that was stopped with Ctrl-Z, or a machine that slept, has heard nobody.
const ASLEEP: Duration = Duration::from_secs(5);

/// When a running attempt is to be stopped, and what for it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Watch {
    timeout: Option<Timestamp>,
    silence: Option<Timestamp>,
    /// When it is looked next whether it is silent. Each word moves the moment above, and this one only when it comes.
    look: Option<Timestamp>,
    pub(super) over: Option<Over>,
}

/// What an attempt was stopped for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Timeout,
    TaskTimeout,
    Silence,
}

/// What ends before a retry would begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sooner {
    Task(Duration),
    Run,
}

impl State {
    /// The same, for a run that is stopped when it takes longer.
    #[must_use]
    pub fn within(self, longest: Option<Duration>) -> Self {
        Self { longest, ..self }
    }

    /// The limit that the run has reached, if it has.
    pub fn limit(&self) -> Option<RunLimit> {
        self.limit
    }

    /// When an attempt that runs is stopped at the latest.
    pub fn ends_at(&self, task: TaskIndex) -> Option<Timestamp> {
        let Phase::Running(watch) = &self.tasks[task].phase else { return None };
        [watch.timeout, self.tasks[task].ends_at, self.ends_at].into_iter().flatten().min()
    }

    pub(super) fn begin_time(&mut self, now: Timestamp, todo: &mut Vec<Command>) {
        if let Some(longest) = self.longest.take() {
            self.ends_at = Some(now.after(longest));
            todo.extend(self.ends_at.filter(|_| !planted(Fault::WakeUpAtTheEndLost)).map(Command::WakeAt));
        }
    }

    /// Watches over an attempt that has begun.
    pub(super) fn watch(&mut self, task: TaskIndex, now: Timestamp, todo: &mut Vec<Command>) {
        let node = &self.nodes[task];
        let timeout = node.timeout.map(|timeout| now.after(timeout));
        let silence = node.silence.map(|silence| now.after(silence));
        let ends_at = self.tasks[task].ends_at.or_else(|| node.task_timeout.map(|whole| now.after(whole)));
        self.tasks[task].ends_at = ends_at;
        self.set(task, Phase::Running(Watch { timeout, silence, look: silence, over: None }));
        let moments = [timeout.filter(|_| !planted(Fault::WakeUpAtDeadlineLost)), silence, ends_at];
        todo.extend(moments.into_iter().flatten().map(Command::WakeAt));
    }

    pub(in crate::scheduler) fn heard(&mut self, task: TaskIndex, number: u32, now: Timestamp) {
        if self.tasks[task].number != number {
            return;
        }
        if let (Phase::Running(watch), Some(silence)) = (&mut self.tasks[task].phase, self.nodes[task].silence) {
            watch.silence = Some(now.after(silence));
        }
    }

    pub(in crate::scheduler) fn tick(&mut self, now: Timestamp, todo: &mut Vec<Command>) {
        if self.ends_at.is_some_and(|end| end <= now) {
            self.reach(RunLimit::Time, todo);
        }
        let mut out_of_time = false;
        for task in 0..self.tasks.len() {
            let is_over = self.tasks[task].ends_at.is_some_and(|end| end <= now);
            match self.tasks[task].phase {
                Phase::Resting(until) if until <= now => self.make_ready(task),
                Phase::Running(watch) if watch.over.is_none() => self.look_at(task, watch, now, todo),
                // It waited for room until there was no more time for another attempt.
                Phase::Ready if is_over => {
                    out_of_time = true;
                    let failure = self.told(task, Over::TaskTimeout, Failure::failed("no_room", "there was no room"));
                    self.fail(task, failure, todo);
                }
                _ => {}
            }
        }
        if out_of_time {
            let tasks = &self.tasks;
            self.ready.retain(|task| tasks[task].phase == Phase::Ready);
        }
    }

    /// Stops a running attempt when it is time, or looks again later.
    fn look_at(&mut self, task: TaskIndex, watch: Watch, now: Timestamp, todo: &mut Vec<Command>) {
        let due = |moment: Option<Timestamp>| moment.is_some_and(|moment| moment <= now);
        let silence = watch.look.filter(|look| *look <= now).map(|look| self.silence(task, watch, look, now));
        let over = match silence {
            _ if due(watch.timeout) => Some(Over::Timeout),
            _ if due(self.tasks[task].ends_at) => Some(Over::TaskTimeout),
            Some(None) => Some(Over::Silence),
            _ => None,
        };
        if over.is_some() {
            self.set(task, Phase::Running(Watch { over, ..watch }));
            self.stop(task, Stop::Gently, todo);
        } else if let Some(next) = silence.flatten() {
            self.set(task, Phase::Running(Watch { silence: Some(next), look: Some(next), ..watch }));
            todo.push(Command::WakeAt(next));
        }
    }

    /// Until when a running attempt may be silent, as it stands now; `None` when that is over.
    fn silence(&self, task: TaskIndex, watch: Watch, look: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let until = watch.silence.filter(|until| *until > now);
        until.or_else(|| (now.since(look) > ASLEEP).then(|| now.after(self.nodes[task].silence.unwrap_or_default())))
    }

    /// Stops the run because of a limit.
    fn reach(&mut self, limit: RunLimit, todo: &mut Vec<Command>) {
        if self.cancelling.is_some() || self.finished {
            return;
        }
        self.limit = Some(limit);
        todo.push(Command::Journal(Record::LimitReached(limit)));
        self.stop_all(Stop::Gently, todo);
    }

    /// What ends before a retry at this moment would begin.
    pub(super) fn end_before(&self, task: TaskIndex, at: Timestamp) -> Option<Sooner> {
        let before = |end: Option<Timestamp>| end.is_some_and(|end| end <= at);
        let whole = before(self.tasks[task].ends_at).then(|| self.nodes[task].task_timeout.unwrap_or_default());
        whole.map(Sooner::Task).or_else(|| before(self.ends_at).then_some(Sooner::Run))
    }

    /// The failure of an attempt that was stopped, with what it was stopped for.
    pub(super) fn told(&self, task: TaskIndex, over: Over, failure: Failure) -> Failure {
        let node = &self.nodes[task];
        let seconds = |limit: Option<Duration>| limit.unwrap_or_default().as_secs_f64();
        let (class, code, message, help) = match over {
            Over::Timeout => (
                Class::Timeout,
                "timeout",
                format!("ran longer than its timeout of {} s", seconds(node.timeout)),
                "raise the stage's `timeout`, or give it less to do",
            ),
            Over::TaskTimeout => (
                Class::Timeout,
                "task_timeout",
                format!(
                    "was not done within its task_timeout of {} s, all attempts together",
                    seconds(node.task_timeout)
                ),
                "raise the stage's `task_timeout`, or look why earlier attempts failed",
            ),
            Over::Silence => (
                Class::Stalled,
                "stalled",
                format!("said nothing for {} s", seconds(node.silence)),
                "raise the stage's `silence`, or let it write a line now and then",
            ),
        };
        Failure::of(class, code, message).help(help).source(failure)
    }
}

impl Sooner {
    /// The failure of a task that would be tried again if there were time.
    pub(super) fn instead_of_a_retry(self, failure: Failure) -> Failure {
        let why = match self {
            Self::Task(whole) => {
                let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
                format!("its `task_timeout` of {} would be over before the next try", Millis(millis))
            }
            Self::Run => "the run's `deadline` comes before the next try".to_owned(),
        };
        let help = failure.help.as_ref().map_or_else(|| why.clone(), |help| format!("{help}; {why}"));
        failure.help(help)
    }
}

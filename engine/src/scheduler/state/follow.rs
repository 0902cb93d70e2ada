//! The ends of tasks -> what becomes of those that need them: they are looked up, or skipped, as their `follow` says.
//!
//! What ends is told to those that need it at once; what follows from that is decided afterwards, one task after another,
//! so a chain of any length needs no deep stack. A skip that comes from a failure is certain as soon as one input has it.
//! Any other waits until all inputs have ended: which end comes first must not decide what becomes of a task.

use super::{Because, Command, End, Phase, Record, State, TaskIndex};
use crate::plan::Follow;
use crate::planted::{Fault, planted};

impl State {
    /// Decides about every task of which an input has ended.
    pub(in crate::scheduler) fn follow(&mut self, todo: &mut Vec<Command>) {
        while let Some(task) = self.touched.pop_front() {
            if self.tasks[task].phase == Phase::Waiting {
                self.decide(task, todo);
            }
        }
    }

    /// What a task that waits may do now.
    fn decide(&mut self, task: TaskIndex, todo: &mut Vec<Command>) {
        let open = self.tasks[task].open;
        let bare = self.nodes[task].bare.iter().map(|stage| self.stages[*stage].cause);
        let cause = bare.fold(self.tasks[task].cause, |known, other| self.graver(known, other));
        let after_failure = cause.is_some_and(|cause| self.is_failure(cause));
        match (self.nodes[task].follow, cause) {
            (Follow::Success, Some(cause)) if after_failure || open == 0 => self.skip(task, cause, todo),
            _ if open > 0 && !planted(Fault::FirstInputIsEnough) => {}
            (Follow::Failure, _) if !after_failure => self.skip(task, Because::NothingFailed, todo),
            _ => {
                self.set(task, Phase::Looking);
                self.to_find.push(task);
            }
        }
    }

    pub(super) fn skip(&mut self, task: TaskIndex, because: Because, todo: &mut Vec<Command>) {
        todo.push(Command::Journal(Record::Skipped(task, because)));
        self.end_skipped(task, because);
        self.journal_hits(self.nodes[task].stage, todo);
    }

    /// What follows a skipped task names what it was skipped for, unless that was its own.
    pub(super) fn end_skipped(&mut self, task: TaskIndex, because: Because) {
        let cause = match because {
            Because::When | Because::NothingFailed => Because::Task(task),
            other => other,
        };
        self.end_because(task, End::Skipped, Some(cause));
    }

    /// Tells those that need a task, and its stage, that it has ended.
    pub(super) fn tell(&mut self, task: TaskIndex, because: Option<Because>) {
        let stage = self.nodes[task].stage;
        self.stages[stage].open -= 1;
        self.stages[stage].cause = self.graver(self.stages[stage].cause, because);
        for i in 0..self.feeds[task].len() {
            let next = self.feeds[task][i];
            self.tasks[next].open -= 1;
            self.tasks[next].cause = self.graver(self.tasks[next].cause, because);
            if self.tasks[next].open == 0 || because.is_some() {
                self.touched.push_back(next);
            }
        }
    }

    /// Of two causes a failure, or else the first.
    pub(super) fn graver(&self, known: Option<Because>, other: Option<Because>) -> Option<Because> {
        match (known, other) {
            (Some(known), Some(other)) if !self.is_failure(known) && self.is_failure(other) => Some(other),
            (known, other) => known.or(other),
        }
    }

    fn is_failure(&self, cause: Because) -> bool {
        match cause {
            Because::Task(task) => self.end_of(task) == Some(End::Failed),
            Because::Stage(_) => true,
            Because::When | Because::NothingFailed => false,
        }
    }
}

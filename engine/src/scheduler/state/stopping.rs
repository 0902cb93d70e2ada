//! A run that is to do no more: it was asked to stop, came to a limit, failed fast, or has no disk left.

use super::{Command, End, Phase, Record, State, Stop, TaskIndex};
use crate::plan::Follow;
use crate::planted::{Fault, planted};

impl State {
    pub(in crate::scheduler) fn cancel(&mut self, how: Stop, todo: &mut Vec<Command>) {
        if self.finished || self.asked >= Some(how) {
            return;
        }
        if self.asked.is_none() {
            todo.push(Command::Journal(Record::CancelRequested));
        }
        self.asked = Some(how);
        // A limit may have stopped it before.
        if self.cancelling < Some(how) {
            self.stop_all(how, todo);
        }
    }

    /// Stops what runs and cancels what waits.
    pub(super) fn stop_all(&mut self, how: Stop, todo: &mut Vec<Command>) {
        self.cancelling = Some(how);
        for task in 0..self.tasks.len() {
            match self.tasks[task].phase {
                Phase::Starting | Phase::Submitted | Phase::Running(_) => self.stop(task, how, todo),
                Phase::Waiting | Phase::Looking | Phase::Ready | Phase::Resting(_) => self.cancel_task(task, todo),
                Phase::Publishing | Phase::Ended(_) => {}
            }
        }
        if !planted(Fault::StartedAfterCancel) {
            self.ready.clear();
        }
        self.to_find.clear();
        self.waiting.clear();
        self.expanding = None;
    }

    /// Whoever comes after us must know that a job elsewhere was to be stopped.
    pub(super) fn stop(&self, task: TaskIndex, how: Stop, todo: &mut Vec<Command>) {
        let is_there = matches!(self.tasks[task].phase, Phase::Submitted | Phase::Running(_));
        if is_there && self.nodes[task].elsewhere && !planted(Fault::StopNotJournaled) {
            todo.push(Command::Journal(Record::Stopping(task, self.tasks[task].number)));
        }
        todo.push(Command::Stop(task, how));
    }

    pub(super) fn cancel_task(&mut self, task: TaskIndex, todo: &mut Vec<Command>) {
        todo.push(Command::Journal(Record::Cancelled(task)));
        self.end(task, End::Cancelled);
    }

    /// After a failure in a run that fails fast: what runs goes on, what follows a failure is still to run, and all else
    /// is cancelled.
    pub(in crate::scheduler) fn halt(&mut self, todo: &mut Vec<Command>) {
        if !self.fail_fast || self.halted || self.counts.failed == 0 || self.cancelling.is_some() {
            return;
        }
        self.halted = true;
        for task in 0..self.tasks.len() {
            let waits = match self.tasks[task].phase {
                Phase::Waiting | Phase::Looking | Phase::Ready => true,
                Phase::Resting(_) => !planted(Fault::RestOutlivesFailFast),
                _ => false,
            };
            if waits && self.nodes[task].follow == Follow::Success {
                self.cancel_task(task, todo);
            }
        }
        let tasks = &self.tasks;
        self.ready.retain(|task| tasks[task].phase == Phase::Ready);
        self.to_find.retain(|task| tasks[*task].phase == Phase::Looking);
        self.waiting.clear();
        self.expanding = None;
        self.follow(todo);
    }

    /// What runs may end, and that is written down with what is left; nothing else is begun.
    pub(in crate::scheduler) fn disk_full(&mut self, left: u64, todo: &mut Vec<Command>) {
        if !self.paused && !self.finished {
            self.paused = true;
            todo.push(Command::Journal(Record::DiskFull(left)));
        }
    }

    pub(in crate::scheduler) fn disk_free(&mut self, todo: &mut Vec<Command>) {
        if self.paused && !self.finished {
            self.paused = false;
            todo.push(Command::Journal(Record::DiskFree));
        }
    }
}

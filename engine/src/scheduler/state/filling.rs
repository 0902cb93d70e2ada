//! What is possible -> what is looked up and started, as far as there is room.

use super::purse::Fit;
use super::ready::Where;
use super::{Command, Limits, Phase, State, TaskIndex};
use crate::planted::{Fault, planted};
use std::mem;

impl State {
    /// Asks the store about what has become possible and starts what there is room for.
    pub(in crate::scheduler) fn look_up_and_fill(&mut self, todo: &mut Vec<Command>) {
        if self.paused && !planted(Fault::PauseIgnored) {
            return;
        }
        if !self.to_find.is_empty() {
            todo.push(Command::Find(mem::take(&mut self.to_find)));
        }
        self.fill_elsewhere(todo);
        while let Some((line, task)) = self.ready.first(&[Where::Here]) {
            if !self.free.fits(self.wanted(task)) {
                return;
            }
            self.start(line, task, todo);
        }
    }

    /// What runs elsewhere needs no room here, and waits for nobody who does. What somebody pays for waits for money, and is
    /// not overtaken by what costs less; what costs nothing goes on meanwhile.
    fn fill_elsewhere(&mut self, todo: &mut Vec<Command>) {
        let mut from = &[Where::Elsewhere, Where::Paid][..];
        while let Some((line, task)) = self.ready.first(from) {
            match self.affords(task) {
                Fit::Now => self.start(line, task, todo),
                Fit::Later => from = &[Where::Elsewhere],
                Fit::Never => {
                    self.leave(line, task, todo);
                    self.follow(todo);
                }
            }
        }
        // What runs whatever became of what was left.
        if !self.to_find.is_empty() {
            todo.push(Command::Find(mem::take(&mut self.to_find)));
        }
    }

    fn start(&mut self, line: usize, task: TaskIndex, todo: &mut Vec<Command>) {
        let wanted = self.wanted(task);
        self.ready.start(line);
        self.free.take(wanted);
        self.put_aside(task);
        self.tasks[task].number += 1;
        self.set(task, Phase::Starting);
        let is_afar = self.nodes[task].elsewhere && !planted(Fault::MemoryOfThisMachine);
        let memory = if is_afar { self.tasks[task].memory } else { wanted.memory };
        todo.push(Command::Start { task, number: self.tasks[task].number, memory, machine: self.machine(task) });
    }

    /// What an attempt had of the machine and of its pools is free again.
    pub(super) fn give_back(&mut self, task: TaskIndex) {
        self.free.give_back(self.wanted(task));
        if self.tasks[task].retries.is_empty() || !planted(Fault::SlotKeptByRetry) {
            self.ready.give_back(self.tasks[task].line);
        }
    }

    /// What an attempt takes of this machine.
    pub(super) fn wanted(&self, task: TaskIndex) -> Limits {
        if self.nodes[task].elsewhere {
            return Limits::default();
        }
        self.whole.clamp(Limits { memory: self.tasks[task].memory, ..self.nodes[task].takes })
    }
}

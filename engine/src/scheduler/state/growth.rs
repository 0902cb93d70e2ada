//! Stages that have no tasks until the rows of another are known: when these are asked for, and what becomes of the stage.
//!
//! Rows are asked for one stage at a time, since each answer is a whole new plan. When there are none, because what makes
//! them failed or was skipped, the plan is asked for all the same: stages that run after a failure are in it.

use super::{Because, Command, End, Expand, Growth, Node, Phase, Record, Stage, State, Task, Where};
use crate::failure::Failure;
use crate::plan::Part;
use crate::planted::{Fault, planted};
use std::collections::BTreeMap;

impl State {
    /// Whether the answer to this question is waited for.
    pub fn awaits(&self, question: Expand) -> bool {
        self.expanding == Some(question)
    }

    /// Asks for the rows of a stage that others wait for and all tasks of which have ended.
    pub(in crate::scheduler) fn expand(&mut self, todo: &mut Vec<Command>) {
        if self.expanding.is_some() || self.finished {
            return;
        }
        let Some(source) = self.waiting.iter().map(|waiting| waiting.source).find(|s| self.has_ended(*s)) else {
            return;
        };
        let question = Expand { source, with_rows: self.stages[source].cause.is_none() };
        self.expanding = Some(question);
        todo.push(Command::Expand(question));
    }

    fn has_ended(&self, stage: usize) -> bool {
        let is_done = self.stages[stage].open == 0 || planted(Fault::RowsAskedForEarly);
        is_done && self.waiting.iter().all(|waiting| waiting.stage != stage)
    }

    pub(in crate::scheduler) fn expanded(
        &mut self,
        question: Expand,
        answer: Result<Growth, Failure>,
        todo: &mut Vec<Command>,
    ) {
        if !self.awaits(question) {
            return;
        }
        self.expanding = None;
        match answer {
            Ok(growth) => self.grow(question.source, growth, todo),
            Err(failure) => self.cannot_grow(question.source, failure, todo),
        }
    }

    /// Takes the new tasks in. A stage that has none, because there are no rows, is skipped as one.
    fn grow(&mut self, source: usize, growth: Growth, todo: &mut Vec<Command>) {
        let mut grown: Vec<usize> = self.waiting.iter().map(|waiting| waiting.stage).collect();
        let first = self.tasks.len();
        self.add(growth);
        grown.retain(|stage| self.waiting.iter().all(|waiting| waiting.stage != *stage));
        for stage in grown {
            match (self.stages[stage].open, self.stages[source].cause) {
                (0, Some(cause)) => self.skip_stage(stage, cause, todo),
                (tasks, _) => todo.push(Command::Journal(Record::Expanded { stage, source, tasks })),
            }
        }
        self.touched.extend(first..self.tasks.len());
    }

    /// No tasks can be made of the rows: the first stage that waits for them has failed, and for the others there are
    /// none. What would follow a failure and cannot be made either is skipped.
    fn cannot_grow(&mut self, source: usize, failure: Failure, todo: &mut Vec<Command>) {
        let waiting = self.waiting.iter().filter(|waiting| waiting.source == source).map(|waiting| waiting.stage);
        let waiting: Vec<usize> = waiting.collect();
        match (self.stages[source].cause, waiting.as_slice()) {
            (None, [stage, ..]) => {
                todo.push(Command::Journal(Record::StageFailed(*stage, failure)));
                self.end_stage(*stage, Because::Stage(*stage));
            }
            (Some(cause), stages) => stages.iter().for_each(|stage| self.skip_stage(*stage, cause, todo)),
            (None, []) => {}
        }
    }

    fn skip_stage(&mut self, stage: usize, because: Because, todo: &mut Vec<Command>) {
        todo.push(Command::Journal(Record::StageSkipped(stage, because)));
        self.end_stage(stage, because);
    }

    /// A stage that will have no tasks. It counts as one.
    pub(super) fn end_stage(&mut self, stage: usize, because: Because) {
        if because == Because::Stage(stage) {
            self.counts.failed += 1;
            let source = self.waiting.iter().find(|waiting| waiting.stage == stage).map(|waiting| waiting.source);
            source.into_iter().for_each(|source| self.stages[source].cause = Some(because));
        } else {
            self.counts.skipped += 1;
        }
        self.stages[stage].cause = Some(because);
        self.waiting.retain(|waiting| waiting.stage != stage);
    }

    /// Replay: the plan has these tasks from here on.
    pub(in crate::scheduler) fn regrow(&mut self, growth: Growth) {
        self.expanding = None;
        self.add(growth);
    }

    /// Adds tasks after those there are. Some of what they need may have ended.
    pub(super) fn add(&mut self, growth: Growth) {
        let Growth { nodes, waiting, .. } = growth;
        let named = nodes.iter().map(|node| node.stage).chain(waiting.iter().flat_map(|w| [w.stage, w.source]));
        let stages = named.map(|stage| stage + 1).max().unwrap_or(0).max(self.stages.len());
        self.stages.resize_with(stages, Stage::default);
        self.waiting = waiting;
        for node in nodes {
            let task = self.tasks.len();
            let mut added = Task {
                phase: Phase::Waiting,
                open: 0,
                cause: None,
                number: 0,
                memory: node.takes.memory,
                line: self.ready.line(&node.pools, place_of(&node)),
                ends_at: None,
                retries: BTreeMap::new(),
            };
            if node.part == Part::Out {
                self.leave_out(node);
                continue;
            }
            for need in &node.needs {
                assert!(*need < task, "inputs come before what needs them");
                self.feeds[*need].push(task);
                match self.tasks[*need].phase {
                    Phase::Ended(end) if end.has_result() => {}
                    Phase::Ended(_) => added.cause = self.graver(added.cause, self.tasks[*need].cause),
                    _ => added.open += 1,
                }
            }
            self.stages[node.stage].open += 1;
            self.stages[node.stage].lookups_left += 1;
            self.feeds.push(Vec::new());
            self.tasks.push(added);
            self.nodes.push(node);
        }
        self.rank_anew();
    }

    /// A task that the run has nothing to do with: it keeps its place, and nothing is ever said of it.
    fn leave_out(&mut self, node: Node) {
        let phase = Phase::Ended(End::Skipped);
        let (open, cause, number, memory, line, retries) = (0, None, 0, 0, 0, BTreeMap::new());
        self.tasks.push(Task { phase, open, cause, number, memory, line, ends_at: None, retries });
        self.feeds.push(Vec::new());
        self.nodes.push(node);
        self.ended += 1;
    }

    /// New tasks make the paths longer that lead to them.
    fn rank_anew(&mut self) {
        self.rank = vec![1; self.tasks.len()];
        for task in (0..self.tasks.len()).rev() {
            self.rank[task] = 1 + self.feeds[task].iter().map(|f| self.rank[*f]).max().unwrap_or(0);
        }
        let rank = &self.rank;
        self.ready.rank(|task| rank[task]);
    }
}

fn place_of(node: &Node) -> Where {
    match (node.elsewhere, node.charges.is_empty()) {
        (false, _) => Where::Here,
        (true, true) => Where::Elsewhere,
        (true, false) => Where::Paid,
    }
}

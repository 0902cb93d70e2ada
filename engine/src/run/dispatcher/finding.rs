//! Which results are there already, and which tasks there are once a stage's rows are known.

use super::{Dispatcher, Message};
use crate::failure::Failure;
use crate::lookup::Looked;
use crate::plan::{Plan, Rows};
use crate::run::grow::Replanning;
use crate::run::missed::Missed;
use crate::scheduler::{Expand, Found, Growth, Input, TaskIndex};
use std::cell::RefCell;
use std::sync::Arc;

/// As many tasks that were looked up are told of at once: to wake this thread costs more than to look one up.
const TOLD_AT_ONCE: usize = 64;

impl Dispatcher {
    /// Looks tasks up that are wanted, side by side. What is known is told before a file is read: a small task need not wait
    /// until a large file of another is hashed.
    pub(super) fn find(&self, mut tasks: Vec<TaskIndex>) {
        tasks.retain(|task| {
            let found = match self.setup.finder.wanted(*task, |need| self.known[need].as_deref()) {
                Ok(true) => return true,
                Ok(false) => Found::Unwanted,
                Err(failure) => Found::Failed(failure),
            };
            let _ = self.outbox.send(Message::Unwanted(*task, found));
            false
        });
        let threads = (self.setup.limits.cpu as usize).clamp(1, tasks.len().max(1));
        let mut shares: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
        for (i, task) in tasks.into_iter().enumerate() {
            shares[i % threads].push((task, self.artifacts(task)));
        }
        for share in shares {
            let (finder, outbox) = (self.setup.finder.clone(), self.outbox.clone());
            let (copies, plan) = (self.copies.clone(), self.setup.plan.clone());
            tokio::task::spawn_blocking(move || {
                let answers = RefCell::new(Vec::new());
                let tell = || {
                    let _ = outbox.send(Message::Looked(answers.take()));
                };
                for (task, inputs) in share {
                    let spec = plan.task(task);
                    let looked = finder.look_among_others(task, &inputs, &tell).and_then(|looked| {
                        if !spec.publish.is_empty() {
                            tell();
                        }
                        // What is given from outside is no result of the task, so it is not published as one.
                        if finder.given(task).is_some() { Ok(looked) } else { copies.of_found(spec, looked) }
                    });
                    answers.borrow_mut().push((task, looked));
                    if answers.borrow().len() == TOLD_AT_ONCE {
                        tell();
                    }
                }
                tell();
            });
        }
    }

    pub(super) fn looked(&mut self, task: TaskIndex, looked: Result<Looked, Failure>) {
        let found = match looked {
            Ok(Looked { found: Ok(artifact), .. }) => {
                self.known[task] = Some(artifact);
                Found::Hit
            }
            Ok(missed) => {
                let why = missed.found.as_ref().err().cloned().unwrap_or_default();
                self.missed.insert(task, Missed::of(missed, why));
                Found::Miss
            }
            Err(failure) => Found::Failed(failure),
        };
        self.judge_left(task, matches!(found, Found::Hit));
        self.feed(Input::Found(task, found));
    }

    /// Plans again with the rows that a stage has made, or with the knowledge that there are none.
    pub(super) fn expand(&mut self, question: Expand) {
        let plan = self.setup.plan.clone();
        let tasks = plan.tasks().enumerate().filter(|(_, task)| task.stage == question.source);
        let results = tasks.map(|(task, _)| Some((task, self.known[task].clone()?)));
        let made = results.collect::<Option<Vec<_>>>().filter(|_| question.with_rows);
        let (finder, replan) = (self.setup.finder.clone(), self.setup.replan.clone());
        let replanning = Replanning { plan, finder, replan, rows: std::mem::take(&mut self.rows) };
        let outbox = self.outbox.clone();
        tokio::task::spawn_blocking(move || {
            let answer = replanning.with(question.source, made);
            let _ = outbox.send(Message::Grown(question, Box::new(answer)));
        });
    }

    pub(super) fn grown(&mut self, question: Expand, (rows, plan): (Rows, Result<Plan, Failure>)) {
        self.rows = rows;
        // A run that is being stopped no longer wants to know.
        if !self.state.awaits(question) {
            return;
        }
        let first = self.setup.plan.len();
        let growth = plan.map(|plan| {
            self.setup.plan = Arc::new(plan);
            self.setup.finder = Arc::new(self.setup.finder.for_plan(self.setup.plan.clone()));
            self.known.resize(self.setup.plan.len(), None);
            self.end_unwanted();
            Growth::of(&self.setup.plan, first)
        });
        self.feed(Input::Expanded(question, growth));
    }
}

//! What is asked for on the command line -> which tasks of a plan a run is about: those it makes, those whose results it
//! takes from the store, and those it leaves alone.
//!
//! A stage that has no tasks yet, because rows are not known, stands here for all that it will have.

use super::{Plan, Stage};
use crate::failure::Failure;
use petgraph::Direction::{self, Incoming, Outgoing};
use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;

/// What a run is asked for. Each is a list of stages and tasks as people type them: see [`crate::ids::TaskId::matches`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These and nothing else; empty for all.
    pub only: Vec<String>,
    /// These and all that follows from them; empty for all.
    pub from: Vec<String>,
    /// These and all that they need; empty for all.
    pub until: Vec<String>,
    /// Whether what is asked for is made anew even when its result is there.
    pub force: bool,
}

/// What a run has to do with a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// It is asked for.
    #[default]
    Wanted,
    /// What is asked for needs its result, which must be in the store.
    Given,
    /// Nothing.
    Out,
}

/// The parts of all tasks, and of the stages that have none yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// Empty when all are wanted.
    tasks: Vec<Part>,
    /// Stages without tasks that are not asked for, by their places.
    left_out: BTreeSet<usize>,
}

impl Selection {
    /// Whether it asks for all there is.
    pub fn is_all(&self) -> bool {
        self.only.is_empty() && self.from.is_empty() && self.until.is_empty()
    }

    /// All that is typed.
    fn patterns(&self) -> impl Iterator<Item = &String> {
        self.only.iter().chain(&self.from).chain(&self.until)
    }
}

/// Why a run fails whose tasks need the result of one that is not asked for, where there is none.
pub fn not_asked_for() -> Failure {
    Failure::failed("not_asked_for", "its result is needed and not in the store, and it is not asked for")
        .help("make it first: `--until` makes all that a stage needs")
}

impl Plan {
    /// What a run has to do with a task.
    pub fn part(&self, task: usize) -> Part {
        self.parts.tasks.get(task).copied().unwrap_or_default()
    }

    /// Whether a task is made anew even when its result is there.
    pub fn is_forced(&self, task: usize) -> bool {
        self.selection.force && self.part(task) == Part::Wanted
    }

    /// The tasks a run has something to do with, by their places.
    pub fn asked(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|task| self.part(*task) != Part::Out)
    }

    /// Whether a run has something to do with a stage that has no tasks yet.
    pub fn is_left_out(&self, stage: usize) -> bool {
        self.parts.left_out.contains(&stage)
    }

    /// Asks for this and no more.
    ///
    /// # Errors
    /// What was typed and names nothing.
    pub fn select(&mut self, selection: Selection) -> Result<(), String> {
        let names_nothing = selection.patterns().find(|pattern| self.matching(pattern).is_empty()).cloned();
        if let Some(pattern) = names_nothing {
            return Err(pattern);
        }
        self.parts = if selection.is_all() { Parts::default() } else { self.parts_of(&selection) };
        self.selection = selection;
        Ok(())
    }

    /// The same selection as a plan with fewer tasks, which come first in this one. What was decided of them stands.
    pub(super) fn select_as(&mut self, before: &Self) {
        self.selection = before.selection.clone();
        if !self.selection.is_all() {
            let mut parts = self.parts_of(&self.selection);
            // A plan that has grown knows more of what is needed than one that has not.
            parts.tasks[..before.len()].copy_from_slice(&before.parts.tasks);
            self.parts = parts;
        }
    }

    fn parts_of(&self, selection: &Selection) -> Parts {
        let reached = |patterns: &[String], towards| match patterns {
            [] => vec![true; self.points()],
            _ => self.reached(patterns.iter().flat_map(|pattern| self.matching(pattern)).collect(), towards),
        };
        let (from, until) = (reached(&selection.from, Some(Outgoing)), reached(&selection.until, Some(Incoming)));
        let only = reached(&selection.only, None);
        let wanted: Vec<usize> = (0..self.points()).filter(|at| only[*at] && from[*at] && until[*at]).collect();
        let needed = self.reached(wanted.clone(), Some(Incoming));
        let mut parts: Vec<Part> = needed.iter().map(|needed| if *needed { Part::Given } else { Part::Out }).collect();
        wanted.iter().for_each(|at| parts[*at] = Part::Wanted);
        let stages = parts.split_off(self.len());
        let left_out = (0..stages.len()).filter(|stage| stages[*stage] == Part::Out).collect();
        Parts { tasks: parts, left_out }
    }

    /// Tasks, and behind them all stages.
    fn points(&self) -> usize {
        self.len() + self.stages.len()
    }

    /// The points a pattern names. A stage without tasks is named by its name, whatever cell is asked for.
    fn matching(&self, pattern: &str) -> Vec<usize> {
        let tasks = (0..self.len()).filter(|task| self.task(*task).id.matches(pattern));
        let name = pattern.split_once('[').map_or(pattern, |(name, _)| name);
        let waiting = self.waiting().map(|(stage, _)| stage).filter(|stage| self.stages[*stage].name == name);
        tasks.chain(waiting.map(|stage| self.len() + stage)).collect()
    }

    /// All points that can be reached from these, themselves included.
    fn reached(&self, mut open: Vec<usize>, towards: Option<Direction>) -> Vec<bool> {
        let mut reached = vec![false; self.points()];
        let of_stage = self.by_stage();
        open.iter().for_each(|at| reached[*at] = true);
        while let (Some(at), Some(towards)) = (open.pop(), towards) {
            for next in self.beside(at, towards, &of_stage) {
                if !std::mem::replace(&mut reached[next], true) {
                    open.push(next);
                }
            }
        }
        reached
    }

    /// What a point needs, or what needs it.
    fn beside(&self, at: usize, towards: Direction, of_stage: &[Vec<usize>]) -> Vec<usize> {
        let points = |stage: usize| match self.stages[stage].waits_for {
            Some(_) => vec![self.len() + stage],
            None => of_stage[stage].clone(),
        };
        let (task, stage) = if at < self.len() { (Some(at), self.task(at).stage) } else { (None, at - self.len()) };
        let edges = task.map(|task| self.graph.neighbors_directed(NodeIndex::new(task), towards));
        let mut found: Vec<usize> = edges.into_iter().flatten().map(NodeIndex::index).collect();
        // No edge leads from rows to what is spread over them, nor to what waits for them.
        let stages: Vec<usize> = match towards {
            Incoming if task.is_some() => self.stages[stage].rows_of.into_iter().collect(),
            Incoming => self.stages[stage].needs.clone(),
            Outgoing => {
                let follows = |other: &Stage| match other.waits_for {
                    Some(_) => other.needs.contains(&stage),
                    None => other.rows_of == Some(stage),
                };
                (0..self.stages.len()).filter(|place| follows(&self.stages[*place])).collect()
            }
        };
        found.extend(stages.into_iter().flat_map(points));
        found
    }
}

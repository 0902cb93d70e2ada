//! What is asked for on the command line -> which tasks of a plan a run is about: those it makes, those whose results it
//! takes from the store, and those it leaves alone.
//!
//! A stage that has no tasks yet, because rows are not known, stands here for all that it will have.

use super::{Plan, Stage};
use crate::failure::Failure;
use petgraph::Direction::{self, Incoming, Outgoing};
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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
    /// Files and folders that stand for results that what is asked for takes, by the names of the stage, task or input.
    pub inputs: Vec<(String, PathBuf)>,
}

/// What cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectError {
    /// It names no task.
    NoTask(String),
    /// Nothing that is asked for takes an input of this name.
    NoInput {
        /// The name.
        name: String,
        /// Those there are.
        there: Vec<String>,
    },
    /// One file cannot stand for the results of several tasks.
    SeveralTasks {
        /// What was named.
        name: String,
        /// Those it names.
        tasks: Vec<String>,
    },
    /// What is asked for is to be made, and not to be given.
    AskedFor(String),
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
    /// Tasks whose results are given from outside, and what stands for them.
    given: BTreeMap<usize, PathBuf>,
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

    /// The tasks whose results are given from outside, by their places, and what stands for them.
    pub fn given(&self) -> impl Iterator<Item = (usize, &Path)> {
        self.parts.given.iter().map(|(task, path)| (*task, path.as_path()))
    }

    /// What stands for the result of a task, if it is given from outside.
    pub fn given_for(&self, task: usize) -> Option<&Path> {
        self.parts.given.get(&task).map(PathBuf::as_path)
    }

    /// Asks for this and no more.
    ///
    /// # Errors
    /// What was typed and cannot be.
    pub fn select(&mut self, selection: Selection) -> Result<(), SelectError> {
        let names_nothing = selection.patterns().find(|pattern| self.matching(pattern).is_empty()).cloned();
        if let Some(pattern) = names_nothing {
            return Err(SelectError::NoTask(pattern));
        }
        let given = self.given_by(&selection)?;
        self.parts = if selection.is_all() { Parts::default() } else { self.parts_of(&selection, given) };
        self.selection = selection;
        Ok(())
    }

    /// The same selection as a plan with fewer tasks, which come first in this one. What was decided of them stands.
    pub(super) fn select_as(&mut self, before: &Self) {
        self.selection = before.selection.clone();
        if !self.selection.is_all() {
            let mut parts = self.parts_of(&self.selection, before.parts.given.clone());
            // A plan that has grown knows more of what is needed than one that has not.
            parts.tasks[..before.len()].copy_from_slice(&before.parts.tasks);
            self.parts = parts;
        }
    }

    fn parts_of(&self, selection: &Selection, given: BTreeMap<usize, PathBuf>) -> Parts {
        let wanted = self.wanted_by(selection);
        // Nobody asks for what would make a result that is given.
        let needed = self.reached(wanted.clone(), Some(Incoming), |at| given.contains_key(&at));
        let mut parts: Vec<Part> = needed.iter().map(|needed| if *needed { Part::Given } else { Part::Out }).collect();
        wanted.iter().for_each(|at| parts[*at] = Part::Wanted);
        let stages = parts.split_off(self.len());
        let left_out = (0..stages.len()).filter(|stage| stages[*stage] == Part::Out).collect();
        Parts { tasks: parts, left_out, given }
    }

    /// The points that are asked for.
    fn wanted_by(&self, selection: &Selection) -> Vec<usize> {
        let reached = |patterns: &[String], towards| match patterns {
            [] => vec![true; self.points()],
            _ => {
                let named = patterns.iter().flat_map(|pattern| self.matching(pattern)).collect();
                self.reached(named, towards, |_| false)
            }
        };
        let (from, until) = (reached(&selection.from, Some(Outgoing)), reached(&selection.until, Some(Incoming)));
        let only = reached(&selection.only, None);
        (0..self.points()).filter(|at| only[*at] && from[*at] && until[*at]).collect()
    }

    /// The tasks that the inputs of a selection stand for: each names one that something asked for takes directly.
    fn given_by(&self, selection: &Selection) -> Result<BTreeMap<usize, PathBuf>, SelectError> {
        if selection.inputs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let wanted = self.wanted_by(selection);
        let taken = self.taken_by(&wanted);
        let is_wanted = |task: usize| wanted.binary_search(&task).is_ok();
        let mut given = BTreeMap::new();
        for (name, path) in &selection.inputs {
            let named = |(input, task): &&(String, usize)| {
                let id = &self.task(*task).id;
                let (own, cell) = name.split_at(name.find('[').unwrap_or(name.len()));
                id.matches(name) || (own == input && id.matches(&format!("{}{cell}", id.stage)))
            };
            let tasks: BTreeSet<usize> = taken.iter().filter(named).map(|(_, task)| *task).collect();
            let tasks: Vec<usize> = tasks.into_iter().collect();
            let id = |task: &usize| self.task(*task).id.to_string();
            match tasks.as_slice() {
                [] if self.matching(name).into_iter().any(is_wanted) => {
                    return Err(SelectError::AskedFor(name.clone()));
                }
                [] => {
                    let stages = taken.iter().map(|(_, task)| self.task(*task).id.stage.clone());
                    let there: BTreeSet<String> = stages.chain(taken.iter().map(|(input, _)| input.clone())).collect();
                    return Err(SelectError::NoInput { name: name.clone(), there: there.into_iter().collect() });
                }
                [one] if is_wanted(*one) => return Err(SelectError::AskedFor(id(one))),
                [one] => drop(given.insert(*one, path.clone())),
                several => {
                    let tasks = several.iter().map(id).collect();
                    return Err(SelectError::SeveralTasks { name: name.clone(), tasks });
                }
            }
        }
        Ok(given)
    }

    /// The tasks whose results these points take, each with the name of the input; where rows are taken, with that of the
    /// stage.
    fn taken_by(&self, points: &[usize]) -> Vec<(String, usize)> {
        let of_stage = self.by_stage();
        let mut taken = Vec::new();
        for at in points {
            let stages = match at.checked_sub(self.len()) {
                Some(stage) => self.stages[stage].needs.clone(),
                None => {
                    let task = self.task(*at);
                    let inputs = task.inputs.iter();
                    taken.extend(
                        inputs.flat_map(|i| i.tasks.iter().map(move |task| (i.name().to_owned(), task.index()))),
                    );
                    self.stages[task.stage].rows_of.into_iter().collect()
                }
            };
            let rows = stages.into_iter().flat_map(|stage| of_stage[stage].iter().map(move |task| (stage, *task)));
            taken.extend(rows.map(|(stage, task)| (self.stages[stage].name.clone(), task)));
        }
        taken
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

    /// All points that can be reached from these, themselves included, without going on from where it ends.
    fn reached(&self, mut open: Vec<usize>, towards: Option<Direction>, ends: impl Fn(usize) -> bool) -> Vec<bool> {
        let mut reached = vec![false; self.points()];
        let of_stage = self.by_stage();
        open.iter().for_each(|at| reached[*at] = true);
        while let (Some(at), Some(towards)) = (open.pop(), towards) {
            let beside = if ends(at) { Vec::new() } else { self.beside(at, towards, &of_stage) };
            for next in beside {
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

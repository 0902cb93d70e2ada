//! A plan and a store -> what a run would do with each task, as far as that is known before anything runs.
//! Starts nothing and writes nothing into the store.

use pipe_engine::attempt::Input;
use pipe_engine::failure::Failure;
use pipe_engine::ids::Fingerprint;
use pipe_engine::lookup::{Finder, Glance, Looked};
use pipe_engine::manifest::Artifact;
use pipe_engine::plan::{Follow, Look, Part, Plan, Rows, When, not_asked_for};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// For so many tasks what tells why they run is asked for at once.
const AHEAD: usize = 1000;

/// What a run would do with a task.
pub(crate) enum Forecast {
    /// Its result is there, under this fingerprint.
    Hit(Fingerprint),
    /// It would run. [`Forecasts::reason`] tells why.
    Run(Fingerprint),
    /// Its key is not known before this task has run.
    DependsOn(usize),
    /// It would not run, for this reason.
    Skip(String),
    /// It cannot be looked up, such as when a file has vanished.
    Failed(Box<Failure>),
    /// It is not asked for, and nothing that is asked for needs it.
    Out,
}

impl Forecast {
    fn becomes_a_run(&mut self) {
        if let Self::Hit(fingerprint) = self {
            *self = Self::Run(fingerprint.clone());
        }
    }

    /// As a picture shows it.
    pub(crate) fn look(&self) -> Look {
        match self {
            Self::Hit(..) => Look::Hit,
            Self::Skip(_) | Self::Out => Look::Skip,
            Self::Run(..) => Look::Run,
            Self::DependsOn(_) => Look::Depends,
            Self::Failed(_) => Look::Failed,
        }
    }
}

/// One forecast for each task, by its place in the plan.
pub(crate) struct Forecasts<'a> {
    plan: &'a Plan,
    finder: &'a Finder,
    known: Vec<Forecast>,
    /// The results that others follow. Of all others it is enough that they are there.
    made: Vec<Option<Arc<Artifact>>>,
    /// Where the tasks begin of which it is not known whether their results are needed.
    unopened: usize,
    /// Where the tasks begin whose reasons were not asked for yet.
    unasked: Cell<usize>,
}

impl<'a> Forecasts<'a> {
    /// Glances at every task of `plan`. What costs more than a glance is found out for those that are asked about.
    pub(crate) fn of(plan: &'a Plan, finder: &'a Finder) -> Self {
        let (known, made) = (Vec::with_capacity(plan.len()), vec![None; plan.len()]);
        let mut forecasts = Self { plan, finder, known, made, unopened: 0, unasked: Cell::new(0) };
        let followed = followed(plan);
        for index in 0..plan.len() {
            let needs = plan.task(index).inputs.iter().flat_map(|input| input.tasks.iter());
            if needs.map(|need| need.index()).any(|need| need >= forecasts.unopened) {
                forecasts.open(&followed);
            }
            let next = forecasts.next(index);
            forecasts.known.push(next);
        }
        forecasts
    }

    /// The forecast of one task.
    pub(crate) fn task(&self, index: usize) -> &Forecast {
        &self.known[index]
    }

    /// Why a task would run; empty for one that would not.
    pub(crate) fn reason(&self, index: usize) -> String {
        if index >= self.unasked.get() && matches!(self.known[index], Forecast::Run(_)) {
            // Who asks for the reason of one task mostly asks for that of the next.
            let end = self.plan.len().min(index + AHEAD);
            let run = (index..end).filter(|task| matches!(self.known[*task], Forecast::Run(_)));
            self.finder.ask_ahead(run.map(|task| self.plan.task(task)));
            self.unasked.set(end);
        }
        self.look(index).and_then(|looked| looked.found.err()).unwrap_or_default()
    }

    /// All that is known of a task: its key in words, and why it would run. `None` when its key is not known.
    pub(crate) fn look(&self, index: usize) -> Option<Looked> {
        matches!(self.known[index], Forecast::Hit(..) | Forecast::Run(_)).then_some(())?;
        let artifact = |needed: usize| {
            let made = self.made(needed)?;
            let cell = self.plan.task(needed).id.cell.clone();
            Some(Input { cell, digest: made.digest.clone(), files: made.files.clone() })
        };
        let inputs = self.plan.task(index).inputs.iter();
        let inputs: BTreeMap<String, Vec<Input>> =
            inputs.map(|i| (i.field.clone(), i.tasks.iter().filter_map(|t| artifact(t.index())).collect())).collect();
        self.finder.look(index, &inputs).ok()
    }

    /// The rows of stages that make some, where all of their results are there.
    ///
    /// # Errors
    /// When a result does not hold rows.
    pub(crate) fn rows(&self, sources: &[usize]) -> Result<Rows, Failure> {
        let mut rows = Rows::new();
        for source in sources {
            let tasks = (0..self.plan.len()).filter(|task| self.plan.task(*task).stage == *source).collect::<Vec<_>>();
            if !tasks.iter().all(|task| matches!(self.known[*task], Forecast::Hit(_))) {
                continue;
            }
            let made: Option<Vec<_>> = tasks.iter().zip(self.results(&tasks)?).map(|(t, a)| Some((*t, a?))).collect();
            let Some(made) = made else { continue };
            let read = |(task, made): (usize, Arc<Artifact>)| {
                Ok((self.plan.task(task).id.cell.clone(), self.finder.rows(task, &made)?))
            };
            let of_stage = made.into_iter().map(read).collect::<Result<_, Failure>>()?;
            rows.insert(self.plan.stages[*source].name.clone(), of_stage);
        }
        Ok(rows)
    }

    /// Opens the results that others follow, of all tasks that are known by now: many at once, since a bucket takes its
    /// time for each. A result that turns out not to be one is none.
    fn open(&mut self, followed: &[bool]) {
        let hit = |task: &usize| matches!(self.known[*task], Forecast::Hit(_)) && followed[*task];
        let tasks: Vec<usize> = (self.unopened..self.known.len()).filter(hit).collect();
        self.unopened = self.known.len();
        match self.results(&tasks) {
            Ok(found) => {
                for (task, found) in tasks.into_iter().zip(found) {
                    if found.is_none() {
                        self.known[task].becomes_a_run();
                    }
                    self.made[task] = found;
                }
            }
            Err(failure) => {
                tasks.into_iter().for_each(|task| self.known[task] = Forecast::Failed(Box::new(failure.clone())));
            }
        }
    }

    /// The results of tasks that are hits.
    fn results(&self, tasks: &[usize]) -> Result<Vec<Option<Arc<Artifact>>>, Failure> {
        let fingerprint = |task: &usize| match &self.known[*task] {
            Forecast::Hit(fingerprint) => Some(fingerprint),
            _ => None,
        };
        self.finder.artifacts(&tasks.iter().filter_map(fingerprint).collect::<Vec<_>>())
    }

    /// The plan has inputs first, so those of the next task are known.
    fn next(&self, index: usize) -> Forecast {
        let task = self.plan.task(index);
        if self.plan.part(index) == Part::Out {
            return Forecast::Out;
        }
        if matches!(task.when, When::No) {
            return Forecast::Skip("`when` is false".to_owned());
        }
        let needed = || task.inputs.iter().flat_map(|input| input.tasks.iter()).map(|need| need.index());
        let follow = self.plan.settings(task).follow;
        let skipped = needed().find(|need| matches!(self.known[*need], Forecast::Skip(_)));
        if let Some(skipped) = skipped.filter(|_| follow == Follow::Success) {
            return Forecast::Skip(format!("{} does not run", self.plan.task(skipped).id));
        }
        if let Some(open) = needed().find(|need| !matches!(self.known[*need], Forecast::Hit(..) | Forecast::Skip(_))) {
            return Forecast::DependsOn(open);
        }
        if follow == Follow::Failure {
            return Forecast::Skip("nothing it needs has failed".to_owned());
        }
        match self.finder.wanted(index, |need| self.made(need)) {
            Ok(true) => self.glance(index),
            Ok(false) => Forecast::Skip("`when` is false".to_owned()),
            Err(failure) => Forecast::Failed(Box::new(failure)),
        }
    }

    fn glance(&self, index: usize) -> Forecast {
        match self.finder.glance(index, |needed| self.made(needed)) {
            Ok(Glance { fingerprint, is_there: true }) => Forecast::Hit(fingerprint),
            Ok(Glance { .. }) if self.plan.part(index) == Part::Given => Forecast::Failed(Box::new(not_asked_for())),
            Ok(Glance { fingerprint, is_there: false }) => Forecast::Run(fingerprint),
            Err(failure) => Forecast::Failed(Box::new(failure)),
        }
    }

    /// The result of a task that others follow, when it is there.
    pub(crate) fn made(&self, index: usize) -> Option<&Artifact> {
        self.made[index].as_deref()
    }
}

/// Which tasks are needed by others.
fn followed(plan: &Plan) -> Vec<bool> {
    let mut followed = vec![false; plan.len()];
    for need in plan.tasks().flat_map(|task| task.inputs.iter()).flat_map(|input| input.tasks.iter()) {
        followed[need.index()] = true;
    }
    followed
}

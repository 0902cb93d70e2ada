//! A plan and a store -> what a run would do with each task, as far as that is known before anything runs.
//! Starts nothing and writes nothing into the store.

use pipe_engine::attempt::Input;
use pipe_engine::failure::Failure;
use pipe_engine::ids::Fingerprint;
use pipe_engine::lookup::{Finder, Glance, Looked};
use pipe_engine::manifest::Artifact;
use pipe_engine::plan::{Follow, Look, Part, Plan, Rows, When, not_asked_for};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a run would do with a task.
pub(crate) enum Forecast {
    /// Its result is there.
    Hit(Arc<Artifact>),
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
}

impl<'a> Forecasts<'a> {
    /// Glances at every task of `plan`. What costs more than a glance is found out for those that are asked about.
    pub(crate) fn of(plan: &'a Plan, finder: &'a Finder) -> Self {
        let mut forecasts = Self { plan, finder, known: Vec::with_capacity(plan.len()) };
        for index in 0..plan.len() {
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
            let tasks = (0..self.plan.len()).filter(|task| self.plan.task(*task).stage == *source);
            let made: Option<Vec<_>> = tasks.map(|task| Some((task, self.made(task)?))).collect();
            let Some(made) = made else { continue };
            let read = |(task, made): (usize, &Artifact)| {
                Ok((self.plan.task(task).id.cell.clone(), self.finder.rows(task, made)?))
            };
            let of_stage = made.into_iter().map(read).collect::<Result<_, Failure>>()?;
            rows.insert(self.plan.stages[*source].name.clone(), of_stage);
        }
        Ok(rows)
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
            Ok(Glance { found: Some(artifact), .. }) => Forecast::Hit(artifact),
            Ok(Glance { .. }) if self.plan.part(index) == Part::Given => Forecast::Failed(Box::new(not_asked_for())),
            Ok(Glance { fingerprint, found: None }) => Forecast::Run(fingerprint),
            Err(failure) => Forecast::Failed(Box::new(failure)),
        }
    }

    /// The result of a task, when it is there.
    fn made(&self, index: usize) -> Option<&Artifact> {
        match &self.known[index] {
            Forecast::Hit(artifact) => Some(artifact),
            _ => None,
        }
    }
}

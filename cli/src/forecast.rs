//! A plan and a store -> what a run would do with each task, as far as that is known before anything runs.
//! Starts nothing and writes nothing into the store.

use pipe_engine::attempt::Input;
use pipe_engine::failure::Failure;
use pipe_engine::key::Key;
use pipe_engine::lookup::Finder;
use pipe_engine::manifest::Manifest;
use pipe_engine::plan::Plan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a run would do with a task.
pub(crate) enum Forecast {
    /// Its result is there.
    Hit(Key, Arc<Manifest>),
    /// It would run, for this reason.
    Run(Key, String),
    /// Its key is not known before this task has run.
    DependsOn(usize),
    /// It cannot be looked up, such as when a file has vanished.
    Failed(Failure),
}

/// One forecast for each task, by its place in the plan.
pub(crate) fn of(plan: &Plan, finder: &Finder) -> Vec<Forecast> {
    let mut known: Vec<Forecast> = Vec::with_capacity(plan.len());
    for index in 0..plan.len() {
        let next = one(plan, finder, &known, index);
        known.push(next);
    }
    known
}

/// The plan has inputs first, so those of a task are in `known` before it.
fn one(plan: &Plan, finder: &Finder, known: &[Forecast], index: usize) -> Forecast {
    let mut inputs = BTreeMap::new();
    for input in &plan.task(index).inputs {
        let mut artifacts = Vec::new();
        for needed in &input.tasks {
            let Forecast::Hit(_, manifest) = &known[needed.index()] else {
                return Forecast::DependsOn(needed.index());
            };
            let cell = plan.task(needed.index()).id.cell.clone();
            artifacts.push(Input { cell, digest: manifest.digest.clone(), files: manifest.files.clone() });
        }
        inputs.insert(input.field.clone(), artifacts);
    }
    match finder.look(index, &inputs) {
        Ok(looked) => match looked.found {
            Ok(manifest) => Forecast::Hit(looked.key, manifest),
            Err(reason) => Forecast::Run(looked.key, reason),
        },
        Err(failure) => Forecast::Failed(failure),
    }
}

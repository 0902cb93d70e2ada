//! A plan and the results of its tasks -> the record of what they stand on.

use super::{SHELVES, Settled, Task, Watched};
use crate::event::Body;
use crate::lookup::Finder;
use crate::manifest::Artifact;
use crate::plan::{self, Plan, When};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What a record is made of.
pub struct Gathering<'a> {
    /// The plan, all of whose tasks were asked for.
    pub plan: &'a Plan,
    /// The results by task.
    pub known: &'a [Option<Arc<Artifact>>],
    /// What looked them up.
    pub finder: &'a Finder,
}

/// Whether what a plan's tasks stand on can be told by looking at files. It cannot where a program or a variable is asked, where
/// tasks come and go with rows, run each time or not at all, read something elsewhere, or leave something outside the store.
pub fn can_settle(plan: &Plan) -> bool {
    let is_plain = |stage: &plan::Stage| {
        let settings = &stage.settings;
        let asks = !settings.secrets.is_empty() || !settings.tools.is_empty();
        settings.cache && !asks && stage.waits_for.is_none() && stage.rows_of.is_none()
    };
    let is_here = |task: &plan::Task| task.files.iter().all(|file| file.uri().is_none());
    let is_sure = |task: &plan::Task| matches!(task.when, When::Yes) && task.publish.is_empty() && is_here(task);
    let hooks = &plan.around.hooks;
    plan.bucket.is_none()
        && plan.places.len() == 1
        && hooks.success.is_none()
        && hooks.failure.is_none()
        && plan.stages.iter().all(is_plain)
        && plan.tasks().all(is_sure)
}

impl Gathering<'_> {
    /// The record of a run that began with `started`, of a spec that is made up of these texts. `None` when a task has no result,
    /// or something of it cannot be written down.
    pub fn record(&self, started: &Body, texts: Vec<Watched>) -> Option<Settled> {
        let tasks = (0..self.plan.len()).map(|index| self.task(index)).collect::<Option<Vec<_>>>()?;
        Some(Settled {
            started: serde_json::to_string(started).ok()?,
            store: self.plan.store.canonicalize().ok()?.to_str()?.to_owned(),
            texts,
            stages: self.plan.stages.iter().map(|stage| stage.name.clone()).collect(),
            tasks,
            shelves: vec![None; SHELVES],
        })
    }

    /// Brings a record up to date with a part of its plan, which was made anew.
    pub fn renew(&self, record: &mut Settled) -> Option<()> {
        let mut places = HashMap::new();
        for (place, task) in record.tasks.iter().enumerate() {
            places.insert((task.stage, task.cell.clone()), place);
        }
        let stage_of = |name: &str| record.stages.iter().position(|stage| stage == name);
        for index in 0..self.plan.len() {
            let made = self.task(index)?;
            let stage = u32::try_from(stage_of(&self.plan.task(index).id.stage)?).ok()?;
            let place = *places.get(&(stage, made.cell.clone()))?;
            let Task { files, fingerprint, manifest, outputs, .. } = made;
            let task = &mut record.tasks[place];
            (task.files, task.fingerprint, task.manifest, task.outputs) = (files, fingerprint, manifest, outputs);
        }
        Some(())
    }

    fn task(&self, index: usize) -> Option<Task> {
        let (task, artifact) = (self.plan.task(index), self.known.get(index)?.as_ref()?);
        let mut needs: Vec<u32> = Vec::new();
        for need in task.inputs.iter().flat_map(|input| input.tasks.iter()) {
            needs.push(u32::try_from(need.index()).ok()?);
        }
        Some(Task {
            stage: u32::try_from(task.stage).ok()?,
            cell: serde_json::to_string(&task.id.cell).ok()?,
            needs,
            files: self.files(index),
            fingerprint: *blake3::Hash::from_hex(&artifact.fingerprint.0).ok()?.as_bytes(),
            manifest: self.finder.stamp_of(&artifact.fingerprint)?,
            outputs: artifact.files.iter().map(|file| (file.at.clone(), file.size)).collect(),
        })
    }

    /// The files in a task's key. `None` when they were too young to tell, or the name of one is no text.
    fn files(&self, index: usize) -> Option<Vec<Watched>> {
        if self.plan.task(index).files.is_empty() {
            return Some(Vec::new());
        }
        let watched = |(path, stamp): (PathBuf, _)| Some(Watched { path: path.to_str()?.to_owned(), stamp });
        self.finder.stood_on(index)?.into_iter().map(watched).collect()
    }
}

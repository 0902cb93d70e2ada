//! Two runs as their journal tells them, and the results they made -> what differs: parameters, commit, tasks, the
//! fields of their keys, their results, their times.

use super::params;
use pipe_engine::ids::{AttemptId, RunId};
use pipe_engine::key::{Change, Fields, changes};
use pipe_engine::manifest::Manifest;
use pipe_engine::report::{RunView, Standing, TaskView};
use pipe_engine::revision::Revision;
use pipe_engine::state::StateFolder;
use pipe_engine::store::{Folder, Results};
use pipe_engine::worker::read_attempt;
use pipe_engine::world::Timestamp;
use serde::Serialize;
use std::path::PathBuf;

/// Where what runs left behind is looked up.
pub(crate) struct Shelf {
    pub(crate) state: StateFolder,
    /// The store's root; `None` when nobody knows it.
    pub(crate) store: Option<PathBuf>,
}

/// What differs between two runs.
#[derive(Serialize)]
pub(crate) struct RunDiff {
    pub(crate) before: Side,
    pub(crate) now: Side,
    /// Whether both ran the same text of the spec.
    pub(crate) same_spec: bool,
    pub(crate) params: Vec<Change>,
    /// Tasks that only the later run has.
    pub(crate) added: Vec<String>,
    /// Tasks that only the earlier run has.
    pub(crate) removed: Vec<String>,
    /// Tasks that both have and of which something but their time differs.
    pub(crate) changed: Vec<TaskDiff>,
    /// How many tasks are the same in both.
    pub(crate) same: u64,
}

/// One of the two runs.
#[derive(Serialize)]
pub(crate) struct Side {
    pub(crate) run: Option<RunId>,
    pub(crate) pipeline: String,
    pub(crate) started: Timestamp,
    pub(crate) revision: Option<Revision>,
    pub(crate) spec_digest: String,
}

/// One task that both runs have.
#[derive(Serialize)]
pub(crate) struct TaskDiff {
    pub(crate) task: String,
    /// The fields of the key that differ. Absent when one side's key is no longer known.
    pub(crate) changes: Option<Vec<Change>>,
    /// Whether both results hold the same bytes. Absent when one side has none.
    pub(crate) same_result: Option<bool>,
    pub(crate) before: Ending,
    pub(crate) now: Ending,
}

/// How a task ended in one run.
#[derive(Serialize)]
pub(crate) struct Ending {
    pub(crate) standing: Standing,
    /// What its attempts took together. Absent when there was none.
    pub(crate) took_ms: Option<u64>,
}

impl TaskDiff {
    pub(crate) fn stage(&self) -> &str {
        self.task.split('[').next().unwrap_or(&self.task)
    }
}

impl RunDiff {
    pub(crate) fn of(before: &RunView, now: &RunView, shelf: &Shelf) -> Self {
        let only = |a: &RunView, b: &RunView| a.tasks.keys().filter(|t| !b.tasks.contains_key(*t)).cloned().collect();
        let both = before.tasks.iter().filter_map(|(name, task)| Some((name, task, now.tasks.get(name)?)));
        let (mut changed, mut same) = (Vec::new(), 0);
        for (name, before, now) in both {
            let diff = task_diff(name, before, now, shelf);
            let is_same = diff.changes.as_ref().is_some_and(Vec::is_empty)
                && diff.same_result != Some(false)
                && is_good(before) == is_good(now);
            if is_same { same += 1 } else { changed.push(diff) }
        }
        Self {
            before: side(before),
            now: side(now),
            same_spec: before.spec_digest == now.spec_digest,
            params: params(&before.params, &now.params),
            added: only(now, before),
            removed: only(before, now),
            changed,
            same,
        }
    }
}

fn side(view: &RunView) -> Side {
    Side {
        run: view.run.clone(),
        pipeline: view.pipeline.clone(),
        started: view.started,
        revision: view.revision.clone(),
        spec_digest: view.spec_digest.clone(),
    }
}

/// Whether a task has a result, made or found.
fn is_good(task: &TaskView) -> bool {
    matches!(task.standing, Standing::Succeeded | Standing::Cached)
}

fn task_diff(name: &str, before: &TaskView, now: &TaskView, shelf: &Shelf) -> TaskDiff {
    let known = |task: &TaskView| task.fingerprint.clone();
    let same_key = known(before).zip(known(now)).is_some_and(|(a, b)| a.starts_with(&b) || b.starts_with(&a));
    let (changes, same_result) = if same_key {
        // One key, one result, unless it was made twice with other bytes, which its makers' records tell.
        let digests = before.digest.as_ref().zip(now.digest.as_ref());
        let made = is_good(before) && is_good(now);
        (Some(Vec::new()), digests.map(|(a, b)| a == b).or(made.then_some(true)))
    } else {
        let (a, b) = (shelf.facts(before), shelf.facts(now));
        let digest = |facts: &Option<Facts>| facts.as_ref().and_then(|facts| facts.digest.clone());
        let same = digest(&a).zip(digest(&b)).map(|(a, b)| a == b);
        (a.zip(b).map(|(a, b)| changes(&a.key, &b.key)), same)
    };
    TaskDiff { task: name.to_owned(), changes, same_result, before: ending(before), now: ending(now) }
}

fn ending(task: &TaskView) -> Ending {
    let took = |a: &pipe_engine::report::AttemptView| Some(a.ended?.since(a.started));
    let times: Vec<_> = task.attempts.iter().filter_map(took).collect();
    let all = times.iter().sum::<std::time::Duration>();
    Ending {
        standing: task.standing,
        took_ms: (!times.is_empty()).then(|| u64::try_from(all.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// What is left of a task of a run.
struct Facts {
    key: Fields,
    /// Its result's digest; absent when it made none.
    digest: Option<String>,
}

impl Shelf {
    /// From the result in the store, or, where there is none, from the description of the last attempt.
    fn facts(&self, task: &TaskView) -> Option<Facts> {
        let made = task.fingerprint.as_ref().filter(|_| is_good(task)).and_then(|start| self.manifest(start));
        if let Some(manifest) = made {
            return Some(Facts { key: manifest.key, digest: Some(manifest.digest) });
        }
        let attempt: &AttemptId = task.attempts.last()?.id.as_ref()?;
        let described = read_attempt(&self.state.attempt(attempt)).ok()?;
        Some(Facts { key: described.key, digest: task.digest.clone() })
    }

    fn manifest(&self, start: &str) -> Option<Manifest> {
        let store = Folder::for_looking(self.store.as_ref()?);
        Results::of(&store).peek_starting(start).ok().flatten()
    }
}

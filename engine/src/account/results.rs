//! The tasks of a run that have a result -> where it is now, what decided it, and the pictures it holds. Results are found by
//! their manifests, and where these are elsewhere, in a bucket, by what the attempts told of them.

use super::pictures::is_for_people;
use crate::attempt::Outcome;
use crate::ids::{AttemptId, Fingerprint};
use crate::key::Fields;
use crate::manifest::{FileEntry, Manifest};
use crate::report::{RunView, Standing, TaskView};
use crate::state::StateFolder;
use crate::store::{Folder, Results, lineage};
use crate::worker::{OUTCOME, read_attempt};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path};

/// Whether a result is there still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It is.
    There,
    /// It was removed from the store since.
    Removed,
    /// The store, or what is known of it here, does not tell.
    Unknown,
}

/// Where a result lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Laid {
    /// Whether it is there still.
    pub state: Kept,
    /// Its folder on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// How many files it has.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What decides the results of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Settings {
    /// The task whose key this is.
    pub task: String,
    /// The fields of its key.
    pub key: Fields,
}

/// What was found of one result.
pub(super) struct Found {
    pub(super) laid: Laid,
    pub(super) pictures: Vec<FileEntry>,
    /// Of the first result of each stage.
    key: Option<Fields>,
}

/// Looks for the results of a run.
pub(super) struct Looking<'a> {
    run: &'a RunView,
    state: &'a StateFolder,
    store: Option<&'a Folder>,
    /// The fingerprints that have manifests, and those whose results were removed; sorted.
    filed: Vec<String>,
    removed: Vec<String>,
    /// Whether the store is a bucket's copy, which does not hold the manifests.
    is_copy: bool,
}

impl<'a> Looking<'a> {
    pub(super) fn into(run: &'a RunView, state: &'a StateFolder, store: Option<&'a Folder>) -> Self {
        let copies = state.root().join("copies").canonicalize();
        let is_copy = store.zip(copies.ok()).is_some_and(|(store, copies)| store.root().starts_with(copies));
        let removed = store.and_then(|store| lineage::all(store).ok()).unwrap_or_default();
        let mut removed: Vec<String> = removed.into_iter().map(|fingerprint| fingerprint.0).collect();
        removed.sort_unstable();
        Self { run, state, store, filed: store.map(filed).unwrap_or_default(), removed, is_copy }
    }

    /// What there is of each task that has a result, in the order of the journal.
    pub(super) fn found(&self) -> IndexMap<String, Found> {
        let mut stages = HashSet::new();
        let have = self.run.tasks.iter().filter(|(_, task)| has_result(task));
        have.filter_map(|(name, task)| {
            let is_first = !stages.contains(stage_of(name));
            let found = self.one(task, is_first)?;
            if found.key.is_some() {
                stages.insert(stage_of(name));
            }
            Some((name.clone(), found))
        })
        .collect()
    }

    fn one(&self, task: &TaskView, is_first: bool) -> Option<Found> {
        let start = task.fingerprint.as_ref()?;
        let manifest = starting(&self.filed, start).and_then(|name| self.manifest(name));
        if let Some(manifest) = manifest {
            let folder = manifest.folder().map(str::to_owned);
            let mut found = self.laid(Kept::There, folder, manifest.files);
            found.key = is_first.then_some(manifest.key);
            return Some(found);
        }
        // Attempts of the run know what they made, whether or not it is there still.
        let told = task.attempts.last().and_then(|attempt| self.outcome(attempt.id.as_ref()?));
        let files = told.map(|outcome| outcome.files).unwrap_or_default();
        let was_removed = starting(&self.removed, start).is_some() || !self.is_copy;
        let state = match self.store {
            Some(store) if self.is_copy && files.first().is_some_and(|file| lies_in(store, file)) => Kept::There,
            Some(_) if was_removed => Kept::Removed,
            _ => Kept::Unknown,
        };
        let folder = files.first().and_then(|file| file.at.strip_suffix(&file.path)?.strip_suffix('/'));
        let folder = folder.map(str::to_owned).filter(|_| state == Kept::There);
        Some(self.laid(state, folder, files))
    }

    fn laid(&self, state: Kept, folder: Option<String>, files: Vec<FileEntry>) -> Found {
        let folder = folder.zip(self.store).map(|(folder, store)| store.path(&folder).display().to_string());
        let bytes = files.iter().map(|file| file.size).sum();
        let laid = Laid { state, folder, files: files.len() as u64, bytes };
        let is_there = |file: &FileEntry| state == Kept::There && is_for_people(&file.path) && stays_inside(&file.at);
        Found { laid, pictures: files.into_iter().filter(is_there).collect(), key: None }
    }

    fn manifest(&self, name: &str) -> Option<Manifest> {
        Results::of(self.store?).peek(&Fingerprint(name.to_owned())).ok()?
    }

    fn outcome(&self, attempt: &AttemptId) -> Option<Outcome> {
        let text = fs::read(self.state.attempt(attempt).join(OUTCOME)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The key of one task of each stage: that of a result, or else what an attempt of it was given.
    pub(super) fn settings(&self, found: &IndexMap<String, Found>) -> IndexMap<String, Settings> {
        let mut stages: IndexMap<String, Settings> = IndexMap::new();
        let mut tried: HashSet<&str> = HashSet::new();
        for (name, task) in &self.run.tasks {
            let stage = stage_of(name);
            if stages.contains_key(stage) {
                continue;
            }
            let known = found.get(name).and_then(|found| found.key.clone());
            // One look for each stage: where its folder is gone, those of the others mostly are too.
            let attempt = task.attempts.last().and_then(|attempt| attempt.id.as_ref()).filter(|_| tried.insert(stage));
            let given = || read_attempt(&self.state.attempt(attempt?)).ok().map(|attempt| attempt.key);
            if let Some(key) = known.or_else(given) {
                stages.insert(stage.to_owned(), Settings { task: name.clone(), key });
            }
        }
        stages
    }
}

fn has_result(task: &TaskView) -> bool {
    matches!(task.standing, Standing::Succeeded | Standing::Cached)
}

/// The stage of a task, by how the task is written.
fn stage_of(task: &str) -> &str {
    task.split('[').next().unwrap_or(task)
}

/// The fingerprints that have manifests, sorted.
fn filed(store: &Folder) -> Vec<String> {
    let shelves = fs::read_dir(store.path("results")).into_iter().flatten().flatten();
    let names = shelves.flat_map(|shelf| fs::read_dir(shelf.path()).into_iter().flatten().flatten());
    let names = names.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

/// The only name that begins so.
fn starting<'n>(sorted: &'n [String], start: &str) -> Option<&'n str> {
    let first = sorted.partition_point(|name| name.as_str() < start);
    let mut named = sorted[first..].iter().take_while(|name| name.starts_with(start));
    named.next().filter(|_| named.next().is_none()).map(String::as_str)
}

fn lies_in(store: &Folder, file: &FileEntry) -> bool {
    stays_inside(&file.at) && fs::metadata(store.path(&file.at)).is_ok_and(|meta| meta.len() == file.size)
}

/// Others may write into a store that is shared; nothing outside it is shown to anybody.
fn stays_inside(at: &str) -> bool {
    Path::new(at).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_which_the_beginning_is_known_is_found_where_no_other_begins_so() {
        let sorted: Vec<String> = ["aa11", "ab11", "ab12", "b"].map(str::to_owned).into();
        let found = ["aa", "ab", "ab12", "b", "c", "a0"].map(|start| starting(&sorted, start));
        assert_eq!(found, [Some("aa11"), None, Some("ab12"), Some("b"), None, None]);
    }

    #[test]
    fn what_leads_out_of_the_store_is_not_read() {
        let said = ["data/p/x.png", "../x.png", "/etc/x.png", "data/../../x.png"].map(stays_inside);
        assert_eq!(said, [true, false, false, false]);
    }
}

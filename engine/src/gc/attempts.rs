//! `attempts/` -> the folders that attempts elsewhere are still writing into, and what is left of those that are over.

use super::data::{DataFile, Found};
use crate::failure::Failure;
use crate::store::Folder;
use crate::worker::{ATTEMPT, OUTCOME};
use serde::Deserialize;
use std::collections::HashSet;
use std::fs;

/// What lies under `attempts/`.
#[derive(Default)]
pub(super) struct Attempts {
    /// Where the bytes of open attempts lie, from the store's root.
    outputs: Vec<String>,
    /// Files of attempts that are over.
    pub(super) over: Vec<DataFile>,
    /// Their folders, each behind those that it holds.
    pub(super) folders: Vec<DataFile>,
}

/// Of a description no more than this, so that those of newer versions are understood.
#[derive(Deserialize)]
struct Described {
    output: String,
}

impl Attempts {
    /// Looks through all attempts.
    ///
    /// # Errors
    /// When they cannot be listed, or one that is open cannot be read: what it writes would not be known then.
    pub(super) fn read(store: &Folder) -> Result<Self, Failure> {
        let found = Found::under(store, "attempts")?;
        let over: HashSet<String> = found.files.iter().filter_map(|file| folder_of(&file.at, OUTCOME)).collect();
        let mut attempts = Self { folders: found.folders, ..Self::default() };
        for file in found.files {
            if file.at.rsplit_once('/').is_some_and(|(folder, _)| over.contains(folder)) {
                attempts.over.push(file);
            } else if folder_of(&file.at, ATTEMPT).is_some() {
                attempts.outputs.push(output(store, &file.at)?);
            }
        }
        // The description goes before the outcome: with one and without the other an attempt is open.
        attempts.over.sort_by(|a, b| a.at.cmp(&b.at));
        Ok(attempts)
    }

    /// Whether an open attempt may be writing this file.
    pub(super) fn may_write(&self, file: &DataFile) -> bool {
        self.outputs
            .iter()
            .any(|output| file.at.strip_prefix(output.as_str()).is_some_and(|rest| rest.starts_with('/')))
    }
}

fn folder_of(at: &str, name: &str) -> Option<String> {
    at.rsplit_once('/').filter(|(_, last)| *last == name).map(|(folder, _)| folder.to_owned())
}

fn output(store: &Folder, at: &str) -> Result<String, Failure> {
    let path = store.path(at);
    let text = fs::read(&path).map_err(|e| Failure::io("read the attempt", &path, &e))?;
    let described: Described = serde_json::from_slice(&text).map_err(|e| {
        Failure::failed("bad_attempt", "the attempt cannot be read").on(path.display().to_string()).source(e)
    })?;
    Ok(described.output)
}

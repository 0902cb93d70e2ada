//! A run in which every task has a result -> a record of all that this stood on. The record and the disk as it is now ->
//! the tasks that have to be looked at again; all others are as they were, and need not even be planned.
//!
//! A record is for speed: what it does not hold is planned and looked up as if there were none. It holds only what one
//! `stat` can tell, and only of files that were old enough when they were read for their times to tell it.

mod check;
mod file;
mod gather;
#[cfg(test)]
mod tests;
mod texts;
mod unsettled;

pub use gather::{Gathering, can_settle};
pub use texts::Watching;
pub use unsettled::Unsettled;

use crate::event::Body;
use crate::stamp::Stamp;
use serde::{Deserialize, Serialize};

/// What a run stood on.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// What it said when it began, as JSON.
    started: String,
    /// The store's root.
    store: String,
    /// The texts that make up the spec, and those that would if they were there.
    texts: Vec<Watched>,
    /// The stages, in the plan's order.
    stages: Vec<String>,
    tasks: Vec<Task>,
    /// The folders of the store that hold manifests, by the first byte of their fingerprints; of one that changed too
    /// shortly before it was looked at, nothing.
    shelves: Vec<Option<Stamp>>,
}

/// How many folders hold manifests.
const SHELVES: usize = 256;

/// A path, and what lay there; nothing when nothing did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    path: String,
    stamp: Option<Stamp>,
}

/// A task and its result.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Task {
    /// Its stage, by its place.
    stage: u32,
    /// Its cell, as JSON.
    cell: String,
    /// The tasks whose results it takes, by their places.
    needs: Vec<u32>,
    /// The files outside the store that are in its key; nothing when they were too young to tell.
    files: Option<Vec<Watched>>,
    fingerprint: [u8; 32],
    manifest: Stamp,
    /// The files of its result, from the store's root, and their sizes.
    outputs: Vec<(String, u64)>,
}

impl Settled {
    /// What the run said when it began. `None` when this version cannot read it.
    pub fn started(&self) -> Option<Body> {
        serde_json::from_str(&self.started).ok()
    }

    /// The store that it was run with.
    pub fn store(&self) -> &str {
        &self.store
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether it was a run of nothing.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

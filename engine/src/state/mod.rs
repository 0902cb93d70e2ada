//! The state folder: one engine's own memory of runs. It holds the lock, the journal, the hints and, for each
//! local attempt, a folder with `attempt.json`, `outcome.json` and its log.

mod bill;
mod hints;
mod history;
mod holder;
mod jobs;
mod journal;
mod lock;
mod network;
mod packed;
pub mod prune;
mod tried;

pub use bill::Bill;
pub use hints::{Hints, Known, Seen};
pub use history::{Ending, History, Past, Used};
pub use holder::Holder;
pub use jobs::OpenJob;
pub use journal::{Health, Journal, JournalError, Sink, read_only};
pub use lock::{Lock, LockError};
pub use tried::{Tried, tried};

use crate::ids::{AttemptId, Fingerprint, TaskId};
use std::path::{Path, PathBuf};

/// Where things lie inside a state folder.
#[derive(Clone, Debug)]
pub struct StateFolder {
    root: PathBuf,
}

impl StateFolder {
    /// The folder at `root`, which need not be there yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The journal's file.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.db")
    }

    /// The hints' file.
    pub fn hints(&self) -> PathBuf {
        self.root.join("hints.db")
    }

    /// The copy of a bucket: what was made here, and what was needed of it.
    pub fn copy_of(&self, uri: &str) -> PathBuf {
        let digest = blake3::hash(uri.trim_end_matches('/').as_bytes()).to_hex();
        self.root.join("copies").join(&digest[..16])
    }

    /// The folder of one local attempt.
    pub fn attempt(&self, id: &AttemptId) -> PathBuf {
        self.root.join("attempts").join(&id.0)
    }

    /// Where checkpoints lie: a folder for each key, and in it one for each task that has it.
    pub fn all_checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// Where every attempt at this work finds what the one before had reached.
    pub fn checkpoints(&self, fingerprint: &Fingerprint, task: &TaskId) -> PathBuf {
        self.all_checkpoints().join(&fingerprint.0).join(&task.stage).join(task.cell.folder())
    }
}

//! `checkpoints/` of a state folder -> those that nobody goes on from: of work that has a result by now, and of work that
//! nobody has gone on with for long.

use super::data::{DataFile, Found};
use super::{Plan, Roots};
use crate::failure::Failure;
use crate::ids::Fingerprint;
use crate::state::StateFolder;
use crate::store::Folder;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Checkpoints that go.
#[derive(Clone, Debug, Default)]
pub struct Old {
    /// The folders of their keys.
    pub folders: Vec<PathBuf>,
    /// The files in them.
    pub files: u64,
    /// The bytes of these.
    pub bytes: u64,
}

/// Which checkpoints go when those of work that is not done are kept for so long after the last was written. Those of a
/// run that did not come to its end are kept whatever their age: the next run goes on from there.
///
/// # Errors
/// When the folder cannot be looked through.
pub fn old(state: &StateFolder, plan: &Plan, roots: &Roots, keep: Duration) -> Result<Old, Failure> {
    let found = Found::under(&Folder::for_looking(state.root()), "checkpoints")?;
    let done: HashSet<&Fingerprint> = plan.results.iter().map(|(entry, _)| &entry.fingerprint).collect();
    let mut of_key: BTreeMap<&str, Vec<&DataFile>> = BTreeMap::new();
    for file in found.files.iter().chain(&found.folders) {
        of_key.entry(file.at.split('/').nth(1).unwrap_or_default()).or_default().push(file);
    }
    let mut old = Old::default();
    for (key, files) in of_key {
        let fingerprint = Fingerprint(key.to_owned());
        let is_young = || files.iter().any(|file| file.touched > plan.now || plan.now.since(file.touched) < keep);
        if done.contains(&fingerprint) || !(roots.is_open(&fingerprint) || is_young()) {
            old.folders.push(state.all_checkpoints().join(key));
            let gone = found.files.iter().filter(|file| file.at.split('/').nth(1) == Some(key));
            gone.for_each(|file| {
                old.files += 1;
                old.bytes += file.size;
            });
        }
    }
    Ok(old)
}

/// Removes them. A folder that cannot be removed stays, and is no error.
pub fn forget(old: &Old) {
    for folder in &old.folders {
        if let Err(error) = fs::remove_dir_all(folder) {
            tracing::warn!(folder = %folder.display(), %error, "checkpoints cannot be deleted");
        }
    }
}

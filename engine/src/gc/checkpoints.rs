//! `checkpoints/` of a state folder -> those that nobody goes on from: of work that has a result by now, and of work that
//! nobody has gone on with for long.

use super::data::Found;
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
    let Found { files, folders } = Found::under(&Folder::for_looking(state.root()), "checkpoints")?;
    let done: HashSet<&Fingerprint> = plan.results.iter().map(|(entry, _)| &entry.fingerprint).collect();
    let mut of_key: BTreeMap<&str, OfKey> = BTreeMap::new();
    for (file, is_file) in files.iter().map(|file| (file, true)).chain(folders.iter().map(|folder| (folder, false))) {
        let key = of_key.entry(file.at.split('/').nth(1).unwrap_or_default()).or_default();
        key.touched = key.touched.max(file.touched.0);
        key.files += u64::from(is_file);
        key.bytes += if is_file { file.size } else { 0 };
    }
    let since = plan.now.0.saturating_sub(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
    let goes = |key: &str, of: &OfKey| {
        let fingerprint = Fingerprint(key.to_owned());
        done.contains(&fingerprint) || !(roots.is_open(&fingerprint) || of.touched > since)
    };
    let mut old = Old::default();
    for (key, of) in of_key.into_iter().filter(|(key, of)| goes(key, of)) {
        old.folders.push(state.all_checkpoints().join(key));
        old.files += of.files;
        old.bytes += of.bytes;
    }
    Ok(old)
}

/// What lies in the folder of one key.
#[derive(Default)]
struct OfKey {
    /// When the last of it was written, in milliseconds since 1970.
    touched: u64,
    files: u64,
    bytes: u64,
}

/// Removes them. A folder that cannot be removed stays, and is no error.
pub fn forget(old: &Old) {
    for folder in &old.folders {
        if let Err(error) = fs::remove_dir_all(folder) {
            tracing::warn!(folder = %folder.display(), %error, "checkpoints cannot be deleted");
        }
    }
}

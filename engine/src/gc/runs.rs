//! The journal and the attempts' folders -> which runs are old enough to be forgotten, and a state folder without them.
//! Only whoever holds the folder's lock may forget: no run goes on then.

use crate::ids::RunId;
use crate::report::RunView;
use crate::state::{JournalError, StateFolder, prune, read_only};
use crate::worker::{OUTCOME, read_attempt};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::PathBuf;

/// What can be forgotten.
#[derive(Clone, Debug, Default)]
pub struct Old {
    /// Runs that came to their end, and that are not among the newest of their pipeline.
    pub runs: Vec<RunId>,
    /// The folders of their attempts.
    pub attempts: Vec<PathBuf>,
}

/// What can be forgotten when of each pipeline the newest `keep` runs are kept. The newest is always kept, and so is
/// every run that did not come to its end.
///
/// # Errors
/// [`JournalError`].
pub fn old(state: &StateFolder, keep: usize) -> Result<Old, JournalError> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut old = Old::default();
    for run in prune::runs(&state.journal())? {
        let newer = seen.entry(run.pipeline).or_default();
        if *newer >= keep.max(1) && run.is_finished {
            old.runs.push(run.run);
        }
        *newer += 1;
    }
    let runs: HashSet<&RunId> = old.runs.iter().collect();
    let folders = fs::read_dir(state.root().join("attempts")).into_iter().flatten().flatten().map(|entry| entry.path());
    // One without an outcome may be the work of another store, which its next run looks at.
    let is_old = |folder: &PathBuf| {
        folder.join(OUTCOME).exists() && read_attempt(folder).is_ok_and(|attempt| runs.contains(&attempt.run))
    };
    old.attempts = folders.filter(is_old).collect();
    Ok(old)
}

/// Forgets. Folders go before the rows that lead to them: what dies in between leaves nothing that nobody knows of.
///
/// # Errors
/// [`JournalError`]. A folder that cannot be deleted stays, and is no error.
pub fn forget(state: &StateFolder, old: &Old) -> Result<(), JournalError> {
    for folder in &old.attempts {
        if let Err(error) = fs::remove_dir_all(folder) {
            tracing::warn!(folder = %folder.display(), %error, "the folder of an attempt cannot be deleted");
        }
    }
    prune::forget(&state.journal(), &old.runs)
}

/// How the fingerprints begin that runs use which did not come to their end, where no newer run of their pipeline did
/// their work since: the next one will.
///
/// # Errors
/// [`JournalError`].
pub fn in_use(state: &StateFolder) -> Result<HashSet<String>, JournalError> {
    let (mut seen, mut used) = (HashSet::new(), HashSet::new());
    for run in prune::runs(&state.journal())? {
        if seen.insert(run.pipeline) && !run.is_finished {
            let view = RunView::of(&read_only::read(&state.journal(), &run.run, 0)?);
            used.extend(view.tasks.into_values().filter_map(|task| task.fingerprint));
        }
    }
    // A start so short that it could be anybody's would keep everything.
    used.retain(|start| start.len() >= 8);
    Ok(used)
}

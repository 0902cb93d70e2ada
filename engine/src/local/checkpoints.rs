//! Work whose attempts go on from one another -> the folder that they share, until there is a result.

use super::Prepared;
use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::ids::{Fingerprint, TaskId};
use crate::stage::Launch;
use crate::state::StateFolder;
use std::fs;
use std::path::PathBuf;

/// The variable that leads a program to what the attempt before it had reached.
const VARIABLE: &str = "PIPE_CHECKPOINTS";

/// The folder of the work of a built-in stage, which its worker makes when it has something to leave there.
pub(super) fn of_worker(state: &StateFolder, attempt: &Attempt, launch: &Launch) -> Option<PathBuf> {
    matches!(launch, Launch::Worker).then(|| state.checkpoints(&attempt.fingerprint, &attempt.task))
}

/// Gives a program that wants it the folder of its work, as the last attempt left it.
pub(super) fn give(state: &StateFolder, prepared: &mut Prepared) -> Result<(), Failure> {
    if let Launch::Program { checkpoints: true, .. } = prepared.launch {
        let place = state.checkpoints(&prepared.attempt.fingerprint, &prepared.attempt.task);
        fs::create_dir_all(&place).map_err(|e| Failure::io("make the folder", &place, &e))?;
        prepared.variables.insert(VARIABLE.to_owned(), place.display().to_string());
    }
    Ok(())
}

/// Removes what work that is done had reached on its way. What cannot be removed is left to `pipe cache gc`.
pub(crate) fn forget<'a>(state: &StateFolder, done: impl Iterator<Item = (&'a Fingerprint, &'a TaskId)>) {
    let all = state.all_checkpoints();
    if !all.exists() {
        return;
    }
    for (fingerprint, task) in done {
        let place = state.checkpoints(fingerprint, task);
        let _ = fs::remove_dir_all(&place);
        // Of two tasks with one key the other may still need its own.
        let above = place.ancestors().skip(1).take_while(|folder| *folder != all);
        above.for_each(|folder| drop(fs::remove_dir(folder)));
    }
}

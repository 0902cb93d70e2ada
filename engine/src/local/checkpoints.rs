//! Work whose attempts go on from one another -> the folder that they share, until there is a result.

use super::Prepared;
use crate::failure::Failure;
use crate::ids::{Fingerprint, TaskId};
use crate::stage::Launch;
use crate::state::StateFolder;
use std::fs;

/// The variable that leads a program to what the attempt before it had reached.
const VARIABLE: &str = "PIPE_CHECKPOINTS";

/// Gives an attempt that wants it the folder of its work, as the last attempt left it.
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

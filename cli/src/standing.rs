//! How a task of a run stands, and why -> the words of `status` and of reports.

use crate::words;
use pipe_engine::report::{Lookup, Standing, TaskView};

/// How it stands.
pub(crate) fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Running => "running",
        Standing::Submitted => "waiting for a machine",
        Standing::Resting => "waiting to retry",
        Standing::Succeeded => "done",
        Standing::Cached => "up to date",
        Standing::Failed => "failed",
        Standing::Skipped => "skipped",
        Standing::Cancelled => "stopped",
    }
}

/// Whether its result was there already; nothing where that was not asked.
pub(crate) fn lookup(task: &TaskView) -> &'static str {
    match task.lookup {
        Some(Lookup::Hit) => "hit",
        Some(Lookup::Miss) => "miss",
        None => "",
    }
}

/// Why a task has ended as it did, as far as looking it up has to do with it.
pub(crate) fn why(task: &TaskView) -> String {
    if let Some(why) = &task.why {
        return why.clone();
    }
    match (task.lookup, &task.fingerprint, &task.because) {
        (Some(Lookup::Hit), Some(key), _) => format!("the same key, {}", key.get(..12).unwrap_or(key)),
        (_, _, Some(because)) => format!("because of {because}"),
        _ => task.skip.and_then(words::skip).map(str::to_owned).unwrap_or_default(),
    }
}

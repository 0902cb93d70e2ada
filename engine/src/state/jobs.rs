//! Events -> the jobs elsewhere that are not known to be over, by the names of their attempts.

use super::journal::{JournalError, read_only};
use crate::event::{Body, RunEvent};
use crate::ids::AttemptId;
use rusqlite::{Connection, params};
use std::path::Path;

/// A job that was handed to a backend, perhaps, and of which nobody has written that it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenJob {
    /// Its attempt, from whose name alone its own is made.
    pub attempt: AttemptId,
    /// Where it is, by its name in the spec of its run.
    pub backend: String,
    /// The task it works for, as it is written.
    pub task: String,
}

impl OpenJob {
    /// The jobs that earlier runs of this journal have left; one that is not there has left none.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn all(journal: &Path) -> Result<Vec<Self>, JournalError> {
        let Some(connection) = read_only::open(journal)? else { return Ok(Vec::new()) };
        let mut select = connection.prepare("select attempt, backend, task from jobs order by attempt")?;
        let rows = select.query_map([], |row| {
            Ok(Self { attempt: AttemptId(row.get(0)?), backend: row.get(1)?, task: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Takes one more event in.
pub(super) fn follow(connection: &Connection, event: &RunEvent) -> rusqlite::Result<()> {
    let (Some(attempt), Some(task)) = (&event.attempt, &event.task) else { return Ok(()) };
    match &event.body {
        Body::AttemptSubmitting { backend, .. } => {
            let mut open = connection.prepare_cached("insert or replace into jobs values (?1, ?2, ?3)")?;
            open.execute(params![attempt.0, backend, task])?;
        }
        // Attempts of this machine end too, and were never among them.
        Body::AttemptEnded { is_open: false, .. } | Body::AttemptSettled => {
            connection.prepare_cached("delete from jobs where attempt = ?1")?.execute(params![attempt.0])?;
        }
        _ => {}
    }
    Ok(())
}

//! The runs of a journal in short, and the journal without some of them.

use super::journal::{JournalError, read_only};
use crate::ids::RunId;
use rusqlite::params;
use std::path::Path;

/// A run as far as it matters for keeping it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub run: RunId,
    /// Its pipeline.
    pub pipeline: String,
    /// Whether it came to its end, well or not.
    pub is_finished: bool,
}

/// All runs, newest first; a journal that is not there has none.
///
/// # Errors
/// [`JournalError`].
pub fn runs(journal: &Path) -> Result<Vec<Run>, JournalError> {
    let Some(connection) = read_only::open(journal)? else { return Ok(Vec::new()) };
    // A run's first event tells what it is of, and its last one whether it came to its end.
    let mut select = connection.prepare(
        "select run, (select json ->> 'pipeline' from events where events.run = runs.run order by seq limit 1),
         (select type from events where events.run = runs.run order by seq desc limit 1)
         from runs order by started desc, run desc",
    )?;
    let rows = select.query_map([], |row| {
        Ok(Run {
            run: RunId(row.get(0)?),
            pipeline: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
            is_finished: row.get::<_, Option<String>>(2)?.as_deref() == Some("run_finished"),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes runs out of the journal, each at once. Only whoever holds the lock of the state folder may.
///
/// # Errors
/// [`JournalError`].
pub fn forget(journal: &Path, runs: &[RunId]) -> Result<(), JournalError> {
    let Some(mut connection) = read_only::open(journal)? else { return Ok(()) };
    for run in runs {
        let transaction = connection.transaction()?;
        transaction.execute("delete from events where run = ?1", params![run.0])?;
        transaction.execute("delete from runs where run = ?1", params![run.0])?;
        transaction.commit()?;
    }
    Ok(())
}

//! A journal of any older layout -> one of this version's: steps from each layout to the next, all of them or none.

use super::JournalError;
use crate::failpoint::reach;
use rusqlite::{Connection, TransactionBehavior};

/// What leads from each layout to the next: the first makes the tables of layout 1 in an empty file, the second will make
/// layout 2 of layout 1, and so on. A step that was released is never changed. To change the tables: add a step here, a
/// journal of the layout before it to the tests, and to `read_only` what it must know of both.
const STEPS: [&str; 2] = [
    "create table events (
        run text not null, seq integer not null, time integer not null, type text not null,
        task text, attempt text, json text not null, primary key (run, seq)
    ) strict, without rowid;
    create table runs (run text primary key, started integer not null) strict, without rowid;",
    // Jobs elsewhere that are not known to be over: a fold over the events that is asked for at the start of each run.
    "create table jobs (
        attempt text primary key, backend text not null, task text not null
    ) strict, without rowid;",
];

/// The layout that this version writes.
pub(super) const NEWEST: usize = STEPS.len();

/// Brings a journal to this version's layout.
///
/// # Errors
/// When a newer version has written it, or it cannot be written.
pub(super) fn bring_up(connection: &mut Connection) -> Result<(), JournalError> {
    bring_up_by(connection, &STEPS)
}

/// The layout of a journal; 0 is an empty file.
pub(super) fn of(connection: &Connection) -> Result<usize, JournalError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    usize::try_from(found).map_err(|_| JournalError::TooNew { found })
}

fn bring_up_by(connection: &mut Connection, steps: &[&str]) -> Result<(), JournalError> {
    if of(connection)? == steps.len() {
        return Ok(());
    }
    reach("journal.created");
    // Two engines that open a new journal at once: the second waits, and finds the tables of the first.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = of(&transaction)?;
    let Some(missing) = steps.get(found..) else {
        return Err(JournalError::TooNew { found: i64::try_from(found).unwrap_or(i64::MAX) });
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", steps.len() as u32)?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RunId;
    use crate::state::journal::{Journal, read_only};
    use std::path::{Path, PathBuf};

    /// A journal as version 0.1 wrote it.
    const BY_HAND: &str = r#"
        create table events (
            run text not null, seq integer not null, time integer not null, type text not null,
            task text, attempt text, json text not null, primary key (run, seq)
        ) strict, without rowid;
        create table runs (run text primary key, started integer not null) strict, without rowid;
        insert into runs values ('r1', 1000);
        insert into events values ('r1', 1, 1000, 'cancel_requested', null, null,
            '{"v": 1, "seq": 1, "time": 1000, "run": "r1", "type": "cancel_requested"}');
        pragma user_version = 1;
    "#;

    fn by_hand(folder: &Path) -> PathBuf {
        let path = folder.join("journal.db");
        Connection::open(&path).unwrap().execute_batch(BY_HAND).unwrap();
        path
    }

    fn types(connection: &Connection) -> Vec<String> {
        let mut select = connection.prepare("select type from events order by seq").unwrap();
        select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_journal_of_layout_1_keeps_its_events() {
        let folder = tempfile::tempdir().unwrap();
        let path = by_hand(folder.path());
        drop(Journal::open(&path).unwrap());
        assert_eq!(read_only::runs(&path).unwrap(), [RunId("r1".into())]);
        assert_eq!(read_only::read(&path, &RunId("r1".into()), 0).unwrap().len(), 1);
        assert_eq!(of(&Connection::open(&path).unwrap()).unwrap(), NEWEST);
    }

    #[test]
    fn a_next_step_is_taken_by_old_journals_and_by_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let next = "alter table runs add column label text; create index by_task on events (run, task);";
        for path in [by_hand(folder.path()), folder.path().join("new.db")] {
            let mut connection = Connection::open(&path).unwrap();
            bring_up_by(&mut connection, &[STEPS[0], next]).unwrap();
            assert_eq!(of(&connection).unwrap(), 2);
            connection.execute("update runs set label = 'kept'", []).unwrap();
            let there = usize::from(path.ends_with("journal.db"));
            assert_eq!(types(&connection), vec!["cancel_requested"; there]);
            let refused = bring_up_by(&mut connection, &STEPS[..1]);
            assert!(matches!(refused, Err(JournalError::TooNew { found: 2 })), "{refused:?}");
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_journal_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(by_hand(folder.path())).unwrap();
        let bad = "drop table runs; delete from events; insert into nowhere values (1);";
        bring_up_by(&mut connection, &[STEPS[0], "create table more (a text) strict;", bad]).unwrap_err();
        assert_eq!((of(&connection).unwrap(), types(&connection).len()), (1, 1));
        let tables: u32 = connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 2, "the step before the one that failed is not kept either");
    }
}

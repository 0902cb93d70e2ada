//! The durable record of what happened: two calls, `append` and `read`; everything else is a fold over them.
//!
//! SQLite in WAL mode with `synchronous=FULL`, one writer thread that puts whatever is queued into one transaction.
//! Of the stores that were measured it was the one without a state it could not be opened from again.

use super::jobs;
use crate::event::RunEvent;
use crate::failpoint::reach;
use crate::ids::RunId;
use rusqlite::{Connection, OpenFlags, params};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// What each layout adds to the one before, from an empty file on. A step that was released is never changed. Two engines
/// may take the same step at once: the second finds it done.
const LAYOUTS: [&str; 2] = [
    "create table if not exists events (
        run text not null, seq integer not null, time integer not null, type text not null,
        task text, attempt text, json text not null, primary key (run, seq)
    ) strict, without rowid;
    create table if not exists runs (run text primary key, started integer not null) strict, without rowid;",
    // Jobs elsewhere that are not known to be over: a fold over the events that is asked for at the start of each run.
    "create table if not exists jobs (
        attempt text primary key, backend text not null, task text not null
    ) strict, without rowid;",
];

/// The layout of this version. A newer one is refused.
const LAYOUT: i64 = LAYOUTS.len() as i64;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// SQLite's own error.
    #[error("the journal failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row is not an event.
    #[error("the journal has a row that cannot be read: {0}")]
    Row(#[from] serde_json::Error),
    /// The journal was written by a newer version.
    #[error("the journal has layout {found} and this version of pipe reads up to {LAYOUT}: use a newer pipe")]
    TooNew {
        /// The layout found.
        found: i64,
    },
    /// The writer has stopped after an error; nothing more is accepted.
    #[error("the journal stopped after an error and takes nothing more")]
    Stopped,
}

enum Order {
    Append(Vec<RunEvent>),
    Flush(oneshot::Sender<Result<(), JournalError>>),
}

/// The journal of a state folder, open for writing.
pub struct Journal {
    orders: Option<Sender<Order>>,
    writer: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal, making it when it is not there.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        migrate(&connection)?;
        let (orders, inbox) = channel();
        let writer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_groups(connection, &inbox))
            .expect("the system can start one thread");
        Ok(Self { orders: Some(orders), writer: Some(writer) })
    }

    /// Queues durable events. They are on disk after the next [`Journal::flush`], usually sooner.
    pub fn append(&self, events: Vec<RunEvent>) {
        debug_assert!(events.iter().all(|e| e.seq.is_some()), "only durable events have a place in the journal");
        // A writer that has stopped says so at the next flush; nothing is lost silently.
        let _ = self.sender().send(Order::Append(events));
    }

    /// Waits until everything queued before is on disk.
    ///
    /// # Errors
    /// The first error since the journal was opened: after one, nothing more is written.
    pub async fn flush(&self) -> Result<(), JournalError> {
        self.flushed().await
    }

    /// As [`Journal::flush`], as a future of its own that does not borrow the journal.
    pub fn flushed(&self) -> impl Future<Output = Result<(), JournalError>> + Send + use<> {
        let (reply, done) = oneshot::channel();
        let sent = self.sender().send(Order::Flush(reply));
        async move {
            sent.map_err(|_| JournalError::Stopped)?;
            done.await.map_err(|_| JournalError::Stopped)?
        }
    }

    fn sender(&self) -> &Sender<Order> {
        self.orders.as_ref().expect("the sender is taken in drop only")
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn migrate(connection: &Connection) -> Result<(), JournalError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(steps) = usize::try_from(found).ok().and_then(|found| LAYOUTS.get(found..)) else {
        return Err(JournalError::TooNew { found });
    };
    if found == 0 {
        reach("journal.created");
    }
    if !steps.is_empty() {
        let steps = steps.concat();
        connection.execute_batch(&format!("begin immediate; {steps} pragma user_version = {LAYOUT}; commit;"))?;
    }
    Ok(())
}

/// Takes whatever is queued, writes it in one transaction, answers the flushes that were waiting for it.
fn write_groups(mut connection: Connection, inbox: &Receiver<Order>) {
    let mut broken: Option<JournalError> = None;
    while let Ok(first) = inbox.recv() {
        let (mut events, mut waiting) = (Vec::new(), Vec::new());
        for order in std::iter::once(first).chain(inbox.try_iter()) {
            match order {
                Order::Append(more) => events.extend(more),
                Order::Flush(reply) => waiting.push(reply),
            }
        }
        if broken.is_none() && !events.is_empty() {
            broken = write_group(&mut connection, &events).err();
        }
        for reply in waiting {
            // A failed flush is never tried again: after an error the disk may have dropped what it had.
            let answer = if broken.is_some() { Err(broken.take().unwrap_or(JournalError::Stopped)) } else { Ok(()) };
            let failed = answer.is_err();
            let _ = reply.send(answer);
            if failed {
                return;
            }
        }
    }
}

fn write_group(connection: &mut Connection, events: &[RunEvent]) -> Result<(), JournalError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction.prepare_cached("insert into events values (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        // Whichever run was begun last is the newest, also when the clock was set back since the one before.
        let mut begin = transaction.prepare_cached(
            "insert or ignore into runs values (?1, max(?2, (select coalesce(max(started) + 1, 0) from runs)))",
        )?;
        for event in events {
            let json = serde_json::to_value(event)?;
            let kind = json["type"].as_str().unwrap_or("unknown").to_owned();
            let seq = event.seq.unwrap_or_default();
            if seq == 1 {
                begin.execute(params![event.run.0, event.time.0.cast_signed()])?;
            }
            insert.execute(params![
                event.run.0,
                seq.cast_signed(),
                event.time.0.cast_signed(),
                kind,
                event.task,
                event.attempt.as_ref().map(|a| &a.0),
                json.to_string()
            ])?;
            jobs::follow(&transaction, event)?;
        }
    }
    reach("journal.before_commit");
    transaction.commit()?;
    reach("journal.committed");
    Ok(())
}

/// Reads a journal that somebody else may be writing.
pub mod read_only {
    use super::*;

    /// The runs, newest first.
    ///
    /// # Errors
    /// [`JournalError`]; a journal that is not there has no runs.
    pub fn runs(path: &Path) -> Result<Vec<RunId>, JournalError> {
        let Some(connection) = open(path)? else { return Ok(Vec::new()) };
        let mut select = connection.prepare("select run from runs order by started desc, run desc")?;
        let rows = select.query_map([], |row| row.get(0).map(RunId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The events of a run with a `seq` above `after`, in order.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read(path: &Path, run: &RunId, after: u64) -> Result<Vec<RunEvent>, JournalError> {
        let Some(connection) = open(path)? else { return Ok(Vec::new()) };
        let mut select = connection.prepare("select json from events where run = ?1 and seq > ?2 order by seq")?;
        let rows = select.query_map(params![run.0, after.cast_signed()], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }

    /// Of a run's events those that are about the run as a whole, and the newest: to list many runs, each of which may
    /// have had a hundred thousand tasks.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn outline(path: &Path, run: &RunId) -> Result<Vec<RunEvent>, JournalError> {
        let Some(connection) = open(path)? else { return Ok(Vec::new()) };
        let mut select = connection.prepare(
            "select json from events where run = ?1 and (type in ('run_started', 'cancel_requested', 'run_finished')
             or seq = (select max(seq) from events where run = ?1)) order by seq",
        )?;
        let rows = select.query_map(params![run.0], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }

    /// A connection for reading; none when there is no journal yet.
    pub(in crate::state) fn open(path: &Path) -> Result<Option<Connection>, JournalError> {
        if !path.exists() {
            return Ok(None);
        }
        // WAL readers need to write the shared-memory file, so this is not opened read-only at the system's level.
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0 => Ok(None),
            // What later layouts added is read only by whoever has opened the journal for writing.
            1..=LAYOUT => Ok(Some(connection)),
            found => Err(JournalError::TooNew { found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, VERSION};
    use crate::world::Timestamp;

    fn event(run: &str, seq: u64) -> RunEvent {
        RunEvent {
            v: VERSION,
            seq: Some(seq),
            time: Timestamp(seq),
            run: RunId(run.into()),
            task: Some("t".into()),
            attempt: None,
            body: Body::TaskCancelled,
        }
    }

    #[tokio::test]
    async fn what_was_flushed_is_read_back_in_order_and_by_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let journal = Journal::open(&path).unwrap();
        journal.append(vec![event("a", 1), event("b", 1)]);
        journal.append(vec![event("a", 2)]);
        journal.flush().await.unwrap();
        let seqs: Vec<_> = read_only::read(&path, &RunId("a".into()), 0).unwrap().iter().map(|e| e.seq).collect();
        assert_eq!(seqs, [Some(1), Some(2)]);
        assert_eq!(read_only::read(&path, &RunId("a".into()), 1).unwrap().len(), 1);
        assert_eq!(read_only::runs(&path).unwrap().len(), 2);
    }

    #[tokio::test]
    async fn the_run_that_was_begun_last_is_the_newest_whatever_its_clock_showed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let journal = Journal::open(&path).unwrap();
        for (run, time) in [("b", 5000), ("c", 9000), ("a", 10)] {
            journal.append(vec![RunEvent { time: Timestamp(time), ..event(run, 1) }]);
        }
        journal.flush().await.unwrap();
        let runs: Vec<String> = read_only::runs(&path).unwrap().into_iter().map(|run| run.0).collect();
        assert_eq!(runs, ["a", "c", "b"]);
    }

    #[tokio::test]
    async fn the_same_place_taken_twice_stops_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        journal.append(vec![event("a", 1), event("a", 1)]);
        assert!(journal.flush().await.is_err());
        journal.append(vec![event("a", 2)]);
        assert!(journal.flush().await.is_err());
    }

    #[test]
    fn a_journal_of_a_newer_layout_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::TooNew { found: 99 })));
    }
}

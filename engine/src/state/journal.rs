//! The durable record of what happened: two calls, `append` and `read`; everything else is a fold over them.
//!
//! SQLite in WAL mode with `synchronous=FULL`, one writer thread that puts whatever is queued into one transaction.
//! Of the stores that were measured it was the one without a state it could not be opened from again.

mod ballast;
mod layout;
mod writer;

pub use writer::Sink;

use super::jobs;
use super::lock::Still;
use crate::event::RunEvent;
use crate::failpoint::{breaks, reach};
use crate::ids::RunId;
use ballast::Ballast;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi, params};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use writer::Order;

/// How often a full disk is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Pages that the write-ahead log may have before they go into the journal: less to write when the disk is nearly full.
const LOG_PAGES: u32 = 200;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// SQLite's own error.
    #[error("the journal failed: {0}")]
    Sqlite(rusqlite::Error),
    /// There is no room for more. What could not be written was not written at all.
    #[error("the disk of the state folder is full: {0}")]
    Full(rusqlite::Error),
    /// Its file holds something else, or parts of it are spoilt.
    #[error("the journal is damaged: {0}")]
    Damaged(rusqlite::Error),
    /// SQLite could not begin a write-ahead log, which it tells by going on without.
    #[error("the journal has no write-ahead log: SQLite could not begin one and would go on in its mode `{mode}`")]
    NoLog {
        /// What SQLite would do instead.
        mode: String,
    },
    /// A row is not an event.
    #[error("the journal has a row that cannot be read: {0}")]
    Row(#[from] serde_json::Error),
    /// The journal was written by a newer version.
    #[error("the journal has layout {found} and this version of pipe reads up to {}: use a newer pipe", layout::NEWEST)]
    TooNew {
        /// The layout found.
        found: i64,
    },
    /// Somebody removed the state folder, or its lock: another engine may work in it by now.
    #[error("the state folder `{folder}` was removed while a run used it")]
    Removed {
        /// The state folder.
        folder: String,
    },
    /// The writer has stopped after an error; nothing more is accepted.
    #[error("the journal takes nothing more after an error: {why}")]
    Stopped {
        /// The error.
        why: String,
    },
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(error),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged(error),
            _ => Self::Sqlite(error),
        }
    }
}

/// How the journal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// What is appended is written.
    Good,
    /// Its disk is full, or nearly: nothing new should be begun. What is appended is written as soon as it can be.
    Full {
        /// Bytes that were left.
        left: u64,
    },
    /// It takes nothing more.
    Broken(String),
}

/// The journal of a state folder, open for writing.
pub struct Journal {
    orders: Option<Sender<Order>>,
    writer: Option<JoinHandle<()>>,
    health: watch::Receiver<Health>,
}

impl Journal {
    /// Opens the journal, making it when it is not there.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self::over(Database::open(path)?))
    }

    /// A journal that is written to this sink.
    pub fn over(sink: impl Sink) -> Self {
        let (orders, inbox) = channel();
        let (tells, health) = watch::channel(Health::Good);
        let writer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer::work(sink, &inbox, &tells, LOOK_AGAIN))
            .expect("the system can start one thread");
        Self { orders: Some(orders), writer: Some(writer), health }
    }

    /// Queues durable events. They are on disk after the next [`Journal::flush`], usually sooner.
    pub fn append(&self, events: Vec<RunEvent>) {
        debug_assert!(events.iter().all(|e| e.seq.is_some()), "only durable events have a place in the journal");
        // A writer that has stopped says so at the next flush; nothing is lost silently.
        let _ = self.sender().send(Order::Append(events));
    }

    /// Waits until everything queued before is on disk. On a full disk that may be never.
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
        self.wake();
        let health = self.health();
        async move {
            let stopped = || match &*health.borrow() {
                Health::Broken(why) => JournalError::Stopped { why: why.clone() },
                _ => JournalError::Stopped { why: "its writer has ended".to_owned() },
            };
            sent.map_err(|_| stopped())?;
            done.await.map_err(|_| stopped())?
        }
    }

    /// How it is, now and from now on.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Wakes the writer from its wait for what may come together.
    fn wake(&self) {
        if let Some(writer) = &self.writer {
            writer.thread().unpark();
        }
    }

    fn sender(&self) -> &Sender<Order> {
        self.orders.as_ref().expect("the sender is taken in drop only")
    }
}

/// Turns the write-ahead log on. SQLite answers with the mode it is in, which after an error is the one it was in before.
fn begin_log(connection: &Connection) -> Result<(), JournalError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode == "wal" { Ok(()) } else { Err(JournalError::NoLog { mode }) }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.orders = None;
        self.wake();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// The journal's file and the ballast beside it.
struct Database {
    connection: Connection,
    ballast: Ballast,
    folder: PathBuf,
    /// The lock that lets nobody else in, where there is one.
    lock: Option<Still>,
}

impl Database {
    fn open(path: &Path) -> Result<Self, JournalError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        begin_log(&connection)?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        layout::bring_up(&mut connection)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let lock = Still::of(&folder);
        let ballast = Ballast::lay(folder.clone());
        Ok(Self { connection, ballast, folder, lock })
    }
}

impl Sink for Database {
    fn write(&mut self, events: &[RunEvent]) -> Result<(), JournalError> {
        // What is written into files that were removed nobody ever reads, and whoever works in the folder now takes our
        // children for a dead engine's.
        if self.lock.as_ref().is_some_and(Still::is_gone) {
            return Err(JournalError::Removed { folder: self.folder.display().to_string() });
        }
        write_group(&mut self.connection, events).map_err(|error| match error {
            // SQLite tells a quota that is used up, and a shared memory that cannot grow, as trouble with a write.
            JournalError::Sqlite(error) if was_not_written(&error) && self.ballast.is_full() => {
                JournalError::Full(error)
            }
            other => other,
        })
    }

    fn make_room(&mut self) -> bool {
        self.ballast.let_go()
    }

    fn is_low(&mut self) -> bool {
        self.ballast.is_low()
    }

    fn has_room(&mut self) -> bool {
        self.ballast.lay_again()
    }

    fn left(&self) -> u64 {
        self.ballast.left().unwrap_or(0)
    }

    fn abandon(&mut self) {
        // Closing would bring the log into the journal and remove it, though nobody knows what of either is on the disk. The
        // option cannot fail on an open connection.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

/// Whether a write, not a flush, failed.
fn was_not_written(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE))
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
    if breaks("journal.flush") {
        return Err(JournalError::Sqlite(rusqlite::Error::SqliteFailure(
            ffi::Error::new(ffi::SQLITE_IOERR_FSYNC),
            None,
        )));
    }
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
            "select json from events where run = ?1
             and (type in ('run_started', 'cancel_requested', 'limit_reached', 'run_finished')
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
        connection.busy_timeout(Duration::from_secs(10))?;
        match layout::of(&connection)? {
            0 => Ok(None),
            // One of an older layout is brought up by the next run; until then it has no more than it had.
            found if found <= layout::NEWEST => Ok(Some(connection)),
            found => Err(JournalError::TooNew { found: i64::try_from(found).unwrap_or(i64::MAX) }),
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

    /// The journal of a folder with one event in its log, and the length of that log.
    fn one_event(folder: &Path) -> (Database, u64) {
        let mut database = Database::open(&folder.join("journal.db")).unwrap();
        database.write(&[event("a", 1)]).unwrap();
        let length = folder.join("journal.db-wal").metadata().unwrap().len();
        (database, length)
    }

    #[test]
    fn a_journal_that_was_abandoned_is_not_written_when_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (mut database, length) = one_event(folder.path());
        let before = std::fs::read(folder.path().join("journal.db")).unwrap();
        database.abandon();
        drop(database);
        assert_eq!(folder.path().join("journal.db-wal").metadata().unwrap().len(), length);
        assert_eq!(std::fs::read(folder.path().join("journal.db")).unwrap(), before);
        // What the disk does have of it is read by whoever comes next.
        let runs = read_only::runs(&folder.path().join("journal.db")).unwrap();
        assert_eq!(runs, [RunId("a".into())]);
    }

    #[test]
    fn a_journal_that_cannot_have_a_log_is_refused() {
        // SQLite keeps no log of what is in memory, and says so the way it does after an error.
        let error = begin_log(&Connection::open_in_memory().unwrap()).unwrap_err();
        assert!(matches!(&error, JournalError::NoLog { mode } if mode == "memory"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_journal_is_told_from_a_disk_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        std::fs::write(&path, "a shopping list, and long enough to be looked at").unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Damaged(_))));
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

    #[tokio::test]
    async fn a_reader_does_not_wait_for_the_writer_nor_the_writer_for_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let journal = Journal::open(&path).unwrap();
        journal.append(vec![event("a", 1)]);
        journal.flush().await.unwrap();
        let reader = read_only::open(&path).unwrap().unwrap();
        let count = |connection: &Connection| -> i64 {
            connection.query_row("select count(*) from events", [], |row| row.get(0)).unwrap()
        };
        reader.execute_batch("begin").unwrap();
        assert_eq!(count(&reader), 1);
        // The writer is amid a transaction, as it is while it flushes; the busy timeout is ten seconds.
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("begin immediate; delete from events").unwrap();
        assert_eq!(read_only::read(&path, &RunId("a".into()), 0).unwrap().len(), 1);
        writer.execute_batch("rollback").unwrap();
        journal.append(vec![event("a", 2)]);
        journal.flush().await.unwrap();
        assert_eq!((count(&reader), read_only::read(&path, &RunId("a".into()), 0).unwrap().len()), (1, 2));
    }

    #[test]
    fn tables_are_strict_and_the_log_is_written_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        drop(Journal::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        let loose: i64 = connection
            .query_row("select count(*) from pragma_table_list where schema = 'main' and name not like 'sqlite%' and strict = 0", [], |row| row.get(0))
            .unwrap();
        assert_eq!(loose, 0);
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn a_journal_of_a_newer_layout_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::TooNew { found: 99 })));
    }
}

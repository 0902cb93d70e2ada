//! What this engine remembers for speed: digests of local files, results it has seen, the newest result of each
//! task. Losing it costs time and nothing else, so it is never flushed and any damage just empties it.

use crate::ids::{Fingerprint, TaskId};
use crate::manifest::Artifact;
use crate::stamp::FileStamp;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Bump it when a table changes: older hints are thrown away.
const SCHEMA_VERSION: i64 = 2;

const SCHEMA: &str = "
    drop table if exists files; drop table if exists manifests; drop table if exists results;
    drop table if exists newest;
    create table files (path text primary key, stamp text not null, blake3 text not null) strict, without rowid;
    create table results (fingerprint text primary key, stamp text not null, artifact text not null) strict, without rowid;
    create table newest (task text primary key, fingerprint text not null) strict, without rowid;
";

/// A file's digest as it was when its stamp was taken.
#[derive(Clone, Debug)]
pub struct Known {
    /// The stamp at that time.
    pub stamp: FileStamp,
    /// BLAKE3 of the bytes.
    pub blake3: String,
}

/// A result as its manifest told it when its stamp was taken.
struct Seen {
    stamp: FileStamp,
    /// An [`Artifact`] as JSON: of a hundred thousand results only those that are asked for are read.
    artifact: String,
}

/// The hints of a state folder, read whole at the start and written whole at the end: one bulk read costs less than
/// a question for each of ten thousand files.
#[derive(Default)]
pub struct Hints {
    path: Option<PathBuf>,
    files: HashMap<PathBuf, Known>,
    results: HashMap<Fingerprint, Seen>,
    newest: HashMap<String, Fingerprint>,
    new_files: Vec<PathBuf>,
    new_results: Vec<Fingerprint>,
    new_newest: Vec<String>,
}

impl Hints {
    /// Reads the hints; damage or absence gives empty ones.
    pub fn load(path: &Path) -> Self {
        let mut hints = read(path).unwrap_or_else(|error| {
            tracing::debug!(%error, "starting without hints");
            Self::default()
        });
        hints.path = Some(path.to_owned());
        hints
    }

    /// The digest remembered for a file whose stamp is still the same.
    pub fn file(&self, path: &Path, stamp: &FileStamp) -> Option<&str> {
        self.files.get(path).filter(|known| known.stamp == *stamp).map(|known| known.blake3.as_str())
    }

    /// Remembers a file's digest.
    pub fn remember_file(&mut self, path: &Path, known: Known) {
        self.files.insert(path.to_owned(), known);
        self.new_files.push(path.to_owned());
    }

    /// The result that was seen under a fingerprint, if its manifest is still the same file.
    pub fn result(&self, fingerprint: &Fingerprint, stamp: &FileStamp) -> Option<Artifact> {
        let seen = self.results.get(fingerprint).filter(|seen| seen.stamp == *stamp)?;
        serde_json::from_str(&seen.artifact).ok()
    }

    /// Remembers a result. `stamp` is its manifest's.
    pub fn remember_result(&mut self, stamp: FileStamp, artifact: &Artifact) {
        let Ok(json) = serde_json::to_string(artifact) else { return };
        self.new_results.push(artifact.fingerprint.clone());
        self.results.insert(artifact.fingerprint.clone(), Seen { stamp, artifact: json });
    }

    /// The newest result of a pipeline's task under its present name. Specs in one folder share a state folder.
    pub fn newest(&self, pipeline: &str, task: &TaskId) -> Option<&Fingerprint> {
        self.newest.get(&format!("{pipeline}/{task}"))
    }

    /// Remembers the newest result of a pipeline's task.
    pub fn remember_newest(&mut self, pipeline: &str, task: &TaskId, fingerprint: &Fingerprint) {
        let task = format!("{pipeline}/{task}");
        if self.newest.get(&task) != Some(fingerprint) {
            self.newest.insert(task.clone(), fingerprint.clone());
            self.new_newest.push(task);
        }
    }

    /// Writes what is new. Failing to is no error: the next run asks again.
    pub fn save(&mut self) {
        if self.new_files.is_empty() && self.new_results.is_empty() && self.new_newest.is_empty() {
            return;
        }
        if let Err(error) = self.write() {
            tracing::debug!(%error, "hints were not saved");
        }
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut connection = open(path)?;
        let transaction = connection.transaction()?;
        for file in self.new_files.drain(..) {
            let known = &self.files[&file];
            let row = params![file.to_string_lossy(), known.stamp.0, known.blake3];
            transaction.prepare_cached("insert or replace into files values (?1, ?2, ?3)")?.execute(row)?;
        }
        for fingerprint in self.new_results.drain(..) {
            let seen = &self.results[&fingerprint];
            let row = params![fingerprint.0, seen.stamp.0, seen.artifact];
            transaction.prepare_cached("insert or replace into results values (?1, ?2, ?3)")?.execute(row)?;
        }
        for task in self.new_newest.drain(..) {
            let row = params![task, self.newest[&task].0];
            transaction.prepare_cached("insert or replace into newest values (?1, ?2)")?.execute(row)?;
        }
        transaction.commit()
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "off")?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found != SCHEMA_VERSION {
        connection.execute_batch(SCHEMA)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    Ok(connection)
}

fn read(path: &Path) -> rusqlite::Result<Hints> {
    let mut hints = Hints::default();
    if !path.exists() {
        return Ok(hints);
    }
    let connection = open(path)?;
    let mut files = connection.prepare("select path, stamp, blake3 from files")?;
    let mut rows = files.query([])?;
    while let Some(row) = rows.next()? {
        let known = Known { stamp: FileStamp(row.get(1)?), blake3: row.get(2)? };
        hints.files.insert(PathBuf::from(row.get::<_, String>(0)?), known);
    }
    let mut results = connection.prepare("select fingerprint, stamp, artifact from results")?;
    let mut rows = results.query([])?;
    while let Some(row) = rows.next()? {
        let seen = Seen { stamp: FileStamp(row.get(1)?), artifact: row.get(2)? };
        hints.results.insert(Fingerprint(row.get(0)?), seen);
    }
    let mut newest = connection.prepare("select task, fingerprint from newest")?;
    let mut rows = newest.query([])?;
    while let Some(row) = rows.next()? {
        hints.newest.insert(row.get(0)?, Fingerprint(row.get(1)?));
    }
    Ok(hints)
}

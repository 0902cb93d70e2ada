//! What became of the slots of each spec <-> one small file for each in the state folder, changed by rename and flushed
//! before anything is done that it speaks of.
//!
//! ```text
//! <state>/schedule/lock               held by the one `pipe schedule run` that looks after these specs
//! <state>/schedule/<name>.json        the ledger's entry
//! <state>/schedule/<name>.begun       the newest slot for which a run has begun; written by the run
//! <state>/schedule/<name>.log         what the newest run wrote
//! ```

use crate::process::Process;
use crate::turns::Turns;
use pipe_engine::spec::Schedule;
use pipe_engine::state::{Lock, LockError};
use pipe_engine::world::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The version of an entry.
const VERSION: u32 = 1;

/// Why an entry cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written.
    #[error("cannot keep `{path}`: {source}")]
    Io {
        /// The file.
        path: String,
        /// The error below.
        source: io::Error,
    },
    /// Something else wrote it.
    #[error("`{path}` cannot be understood ({why}); remove it, and slots count from then on")]
    Strange {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A run that was begun for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The slot.
    pub slot: Timestamp,
    /// Its process; absent from when it is decided to begin until it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

/// What is remembered of a spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of the format.
    pub v: u32,
    /// The spec, so that a person knows whose file this is.
    pub spec: String,
    /// The schedule that the slots are of.
    pub cron: String,
    /// The zone it is meant in.
    pub time_zone: String,
    /// What was decided of every slot up to here.
    pub decided: Timestamp,
    /// Slots whose runs are to begin, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Timestamp>,
    /// The slot whose run goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Started>,
}

impl Entry {
    /// The entry of a spec that is seen for the first time: slots count from now on.
    pub fn new(spec: &Path, schedule: &Schedule, now: Timestamp) -> Self {
        Self {
            v: VERSION,
            spec: spec.display().to_string(),
            cron: schedule.cron.clone(),
            time_zone: schedule.time_zone.clone(),
            decided: now,
            waiting: Vec::new(),
            running: None,
        }
    }

    /// Whether its slots are those of this schedule.
    pub fn is_of(&self, schedule: &Schedule) -> bool {
        (&self.cron, &self.time_zone) == (&schedule.cron, &schedule.time_zone)
    }

    /// The same with what became of slots since.
    #[must_use]
    pub fn with(self, turns: &Turns, process: Option<Process>) -> Self {
        let running = turns.running.map(|slot| Started { slot, process });
        Self { decided: turns.decided, waiting: turns.waiting.iter().copied().collect(), running, ..self }
    }

    /// What became of slots.
    pub fn turns(&self) -> Turns {
        let running = self.running.map(|started| started.slot);
        Turns { decided: self.decided, waiting: self.waiting.iter().copied().collect(), running }
    }
}

/// The entries of one state folder, and the right to change them.
#[derive(Debug)]
pub struct Ledger {
    _lock: Lock,
}

impl Ledger {
    /// Takes the entries of a state folder, for as long as this value lives.
    ///
    /// # Errors
    /// When another process has them, or the folder cannot be written.
    pub fn take(state: &Path) -> Result<Self, LockError> {
        Ok(Self { _lock: Lock::hold(&folder(state), false)? })
    }
}

/// Where the entry of one spec and what belongs to it lie.
#[derive(Clone, Debug)]
pub struct Book {
    state: PathBuf,
    name: String,
}

impl Book {
    /// The book of a spec. It is named after the spec, so a project that is moved with its state folder keeps it; a spec
    /// of another folder, which shares names with others, is named with its path.
    pub fn of(state: &Path, spec: &Path) -> Self {
        let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (state, spec) = (absolute(state), absolute(spec));
        let file = spec.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = if state.parent() == spec.parent() {
            file
        } else {
            let digest = blake3::hash(spec.as_os_str().as_encoded_bytes()).to_hex();
            format!("{file}-{}", &digest[..8])
        };
        Self { state, name }
    }

    /// What is remembered; `None` when the spec was never seen.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn read(&self) -> Result<Option<Entry>, LedgerError> {
        let path = self.path("json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(LedgerError::Io { path: path.display().to_string(), source }),
        };
        let strange = |why: String| LedgerError::Strange { path: path.display().to_string(), why };
        let entry: Entry = serde_json::from_str(&text).map_err(|error| strange(error.to_string()))?;
        if entry.v > VERSION {
            return Err(strange(format!("a newer pipe wrote it: version {}", entry.v)));
        }
        Ok(Some(entry))
    }

    /// Remembers; when this comes back, no power cut takes it away.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn write(&self, entry: &Entry) -> Result<(), LedgerError> {
        let text = serde_json::to_string_pretty(entry).expect("an entry has string keys") + "\n";
        self.replace("json", &text)
    }

    /// The file in which what the newest run wrote is kept.
    pub fn log(&self) -> PathBuf {
        self.path("log")
    }

    /// The newest slot for which a run has begun.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn begun(&self) -> Result<Option<Timestamp>, LedgerError> {
        let path = self.path("begun");
        match fs::read_to_string(&path) {
            Ok(text) => crate::moment::parse(text.trim())
                .map(Some)
                .map_err(|why| LedgerError::Strange { path: path.display().to_string(), why }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LedgerError::Io { path: path.display().to_string(), source }),
        }
    }

    /// Remembers that a run for this slot has begun.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(crate) fn begin(&self, slot: Timestamp) -> Result<(), LedgerError> {
        self.replace("begun", &(crate::moment::told(slot) + "\n"))
    }

    fn path(&self, kind: &str) -> PathBuf {
        folder(&self.state).join(format!("{}.{kind}", self.name))
    }

    /// A new file is flushed, takes the old one's place, and the folder is flushed.
    fn replace(&self, kind: &str, text: &str) -> Result<(), LedgerError> {
        let (path, fresh) = (self.path(kind), self.path(&format!("{kind}.new")));
        let put = || -> io::Result<()> {
            fs::create_dir_all(folder(&self.state))?;
            let mut file = File::create(&fresh)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            File::open(folder(&self.state))?.sync_all()
        };
        put().map_err(|source| LedgerError::Io { path: path.display().to_string(), source })
    }
}

fn folder(state: &Path) -> PathBuf {
    state.join("schedule")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        serde_json::from_str(r#"{ "cron": "0 3 * * *" }"#).unwrap()
    }

    #[test]
    fn an_entry_reads_as_it_was_written_and_one_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (state, spec) = (folder.path().join(".pipe"), folder.path().join("a.toml"));
        fs::create_dir(&state).unwrap();
        let book = Book::of(&state, &spec);
        assert_eq!(book.read().unwrap(), None);
        let turns = Turns { decided: Timestamp(7), waiting: [Timestamp(5)].into(), running: Some(Timestamp(4)) };
        let entry = Entry::new(&spec, &schedule(), Timestamp(1)).with(&turns, Some(Process { id: 2, began: 3 }));
        book.write(&entry).unwrap();
        let read = book.read().unwrap().unwrap();
        assert_eq!((read.turns(), &read), (turns, &entry));
        book.write(&Entry { v: VERSION + 1, ..entry }).unwrap();
        assert!(book.read().unwrap_err().to_string().contains("a newer pipe wrote it"));
    }

    #[test]
    fn a_project_that_is_moved_keeps_its_books_and_specs_of_one_name_have_one_each() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for project in ["one/.pipe", "two/.pipe", "shared"] {
            fs::create_dir_all(at(project)).unwrap();
        }
        assert_eq!(Book::of(&at("one/.pipe"), &at("one/a.toml")).name, "a.toml");
        assert_eq!(Book::of(&at("two/.pipe"), &at("two/a.toml")).name, "a.toml");
        let shared = |spec: &str| Book::of(&at("shared"), &at(spec)).name;
        assert_ne!(shared("one/a.toml"), shared("two/a.toml"));
    }
}

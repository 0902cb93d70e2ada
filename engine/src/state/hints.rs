//! What this engine remembers for speed: digests of local files, results it has seen, the newest result of each
//! task. Losing it costs time and nothing else, so it is never flushed and any damage just empties it.

use super::packed;
use crate::failpoint::reach;
use crate::ids::{Fingerprint, TaskId};
use crate::manifest::{Artifact, FilePlace};
use crate::stamp::{FileStamp, Stamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bump it when a table changes: older hints are thrown away.
const SCHEMA_VERSION: i64 = 3;

const SCHEMA: &str = "
    drop table if exists files; drop table if exists manifests; drop table if exists results;
    drop table if exists newest;
    create table files (path text primary key, stamp text not null, blake3 text not null) strict, without rowid;
    create table results (fingerprint blob primary key, stamp blob not null, packed blob not null) strict, without rowid;
    create table newest (task blob primary key, fingerprint blob not null) strict, without rowid;
";

/// About as many bytes of the hints' file stand for one result.
const ROW: usize = 512;

/// A file's digest as it was when its stamp was taken.
#[derive(Clone, Debug)]
pub struct Known {
    /// The stamp at that time.
    pub stamp: FileStamp,
    /// BLAKE3 of the bytes.
    pub blake3: String,
}

/// A fingerprint in its own 32 bytes instead of 64 digits.
type Print = [u8; 32];

/// The name of a pipeline's task, hashed: a hundred thousand names cost more than all the rest.
type Name = [u8; 16];

/// A result as its manifest told it when its stamp was taken.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What its manifest was then.
    pub stamp: Stamp,
    what: What,
}

/// What was seen.
#[derive(Clone, Debug)]
enum What {
    /// Where it stands among those that are packed: only those that are asked for are read.
    Packed(Range<usize>),
    /// What this run made; it is packed when it is written.
    Fresh(Arc<Artifact>),
}

/// The hints of a state folder, read whole at the start and written whole at the end: one bulk read costs less than
/// a question for each of ten thousand files.
#[derive(Default)]
pub struct Hints {
    path: Option<PathBuf>,
    files: HashMap<PathBuf, Known>,
    results: HashMap<Print, Seen>,
    /// All results, one after the other.
    packed: Vec<u8>,
    newest: HashMap<Name, Print>,
    new_files: Vec<PathBuf>,
    new_results: Vec<Print>,
    new_newest: Vec<Name>,
    /// Where names of tasks are written to be hashed.
    name: String,
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

    /// Reads the hints of these files, results and tasks of a pipeline alone.
    pub fn load_some<'a>(
        path: &Path,
        files: impl Iterator<Item = PathBuf>,
        results: &[Fingerprint],
        tasks: impl Iterator<Item = &'a TaskId>,
        pipeline: &str,
    ) -> Self {
        let mut hints = Self { path: Some(path.to_owned()), ..Self::default() };
        if let Err(error) =
            hints.read_some(path, files, results, tasks.map(|task| name(pipeline, task, &mut String::new())))
        {
            tracing::debug!(%error, "starting with fewer hints");
        }
        hints
    }

    fn read_some(
        &mut self,
        path: &Path,
        files: impl Iterator<Item = PathBuf>,
        results: &[Fingerprint],
        tasks: impl Iterator<Item = Name>,
    ) -> rusqlite::Result<()> {
        if !path.exists() {
            return Ok(());
        }
        let connection = open(path)?;
        let mut select = connection.prepare("select stamp, blake3 from files where path = ?1")?;
        for file in files {
            let known = |row: &Row<'_>| Ok(Known { stamp: FileStamp(row.get(0)?), blake3: row.get(1)? });
            if let Some(known) = select.query_row(params![file.to_string_lossy()], known).optional()? {
                self.files.insert(file, known);
            }
        }
        let mut select = connection.prepare("select fingerprint, stamp, packed from results where fingerprint = ?1")?;
        for print in results.iter().filter_map(print) {
            let mut rows = select.query(params![print])?;
            if let Some(row) = rows.next()? {
                self.take_result(row)?;
            }
        }
        let mut select = connection.prepare("select fingerprint from newest where task = ?1")?;
        for task in tasks {
            if let Some(print) = select.query_row(params![task], |row| row.get(0)).optional()? {
                self.newest.insert(task, print);
            }
        }
        Ok(())
    }

    fn take_result(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let stamp = Stamp::from_bytes(row.get_ref(1)?.as_blob()?).ok_or(rusqlite::Error::InvalidQuery)?;
        let begin = self.packed.len();
        self.packed.extend_from_slice(row.get_ref(2)?.as_blob()?);
        self.results.insert(row.get(0)?, Seen { stamp, what: What::Packed(begin..self.packed.len()) });
        Ok(())
    }

    /// Whether what is remembered will be there in the next run: not where there is no state folder yet.
    pub fn are_kept(&self) -> bool {
        self.path.as_deref().and_then(Path::parent).is_some_and(Path::is_dir)
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

    /// What was seen under a fingerprint, if anything ever was.
    pub fn seen(&self, fingerprint: &Fingerprint) -> Option<&Seen> {
        self.results.get(&print(fingerprint)?)
    }

    /// Where the files of a result lie; the rest of it is not looked at.
    pub fn places(&self, seen: &Seen) -> Option<Vec<FilePlace>> {
        match &seen.what {
            What::Packed(place) => packed::places(self.packed.get(place.clone())?),
            What::Fresh(artifact) => Some(artifact.files.iter().cloned().map(FilePlace::from).collect()),
        }
    }

    /// A result as it was seen under a fingerprint.
    pub fn result(&self, fingerprint: &Fingerprint, seen: &Seen) -> Option<Artifact> {
        match &seen.what {
            What::Packed(place) => packed::read(fingerprint, self.packed.get(place.clone())?),
            What::Fresh(artifact) => Some(Artifact::clone(artifact)),
        }
    }

    /// Remembers a result. `stamp` is its manifest's.
    pub fn remember_result(&mut self, stamp: Stamp, artifact: &Artifact) {
        let begin = self.packed.len();
        packed::write(artifact, &mut self.packed);
        self.note_result(stamp, &artifact.fingerprint, What::Packed(begin..self.packed.len()));
    }

    /// As [`Hints::remember_result`], of one that others hold as well.
    pub fn remember_made(&mut self, stamp: Stamp, artifact: Arc<Artifact>) {
        self.note_result(stamp, &artifact.fingerprint.clone(), What::Fresh(artifact));
    }

    fn note_result(&mut self, stamp: Stamp, fingerprint: &Fingerprint, what: What) {
        let Some(print) = print(fingerprint) else { return };
        self.results.insert(print, Seen { stamp, what });
        self.new_results.push(print);
    }

    /// The newest result of a pipeline's task under its present name. Specs in one folder share a state folder.
    pub fn newest(&self, pipeline: &str, task: &TaskId) -> Option<Fingerprint> {
        let digits = blake3::Hash::from_bytes(*self.newest.get(&name(pipeline, task, &mut String::new()))?).to_hex();
        Some(Fingerprint(digits.to_string()))
    }

    /// The newest results of all tasks that were ever looked up.
    pub fn all_newest(&self) -> impl Iterator<Item = Fingerprint> {
        self.newest.values().map(|print| Fingerprint(blake3::Hash::from_bytes(*print).to_hex().to_string()))
    }

    /// Remembers the newest result of a pipeline's task.
    pub fn remember_newest(&mut self, pipeline: &str, task: &TaskId, fingerprint: &Fingerprint) {
        let Some(print) = print(fingerprint) else { return };
        let task = name(pipeline, task, &mut self.name);
        if self.newest.insert(task, print) != Some(print) {
            self.new_newest.push(task);
        }
    }

    /// Forgets results that are no longer in the store. Failing to is no error: nobody finds them there.
    pub fn forget<'a>(path: &Path, results: impl Iterator<Item = &'a Fingerprint>) {
        let forgotten = || -> rusqlite::Result<()> {
            let mut connection = open(path)?;
            let transaction = connection.transaction()?;
            for print in results.filter_map(print) {
                transaction.prepare_cached("delete from results where fingerprint = ?1")?.execute(params![print])?;
            }
            transaction.commit()
        };
        if path.exists()
            && let Err(error) = forgotten()
        {
            tracing::debug!(%error, "hints were not forgotten");
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
        // In the order of the table: pages are written once, from the first to the last.
        self.new_results.sort_unstable();
        let mut fresh = Vec::new();
        for print in self.new_results.drain(..) {
            let seen = &self.results[&print];
            let stamp = seen.stamp.to_bytes();
            let bytes = match &seen.what {
                What::Packed(place) => &self.packed[place.clone()],
                What::Fresh(artifact) => {
                    fresh.clear();
                    packed::write(artifact, &mut fresh);
                    &fresh[..]
                }
            };
            let row = params![print, stamp, bytes];
            transaction.prepare_cached("insert or replace into results values (?1, ?2, ?3)")?.execute(row)?;
        }
        self.new_newest.sort_unstable();
        for task in self.new_newest.drain(..) {
            let row = params![task, self.newest[&task]];
            transaction.prepare_cached("insert or replace into newest values (?1, ?2)")?.execute(row)?;
        }
        reach("hints.saving");
        transaction.commit()
    }
}

/// A fingerprint as its bytes. `None` when it is not one that this engine makes; such are not remembered.
fn print(fingerprint: &Fingerprint) -> Option<Print> {
    let (pairs, []) = fingerprint.0.as_bytes().as_chunks::<2>() else { return None };
    let mut print = Print::default();
    if pairs.len() != print.len() {
        return None;
    }
    // All digits are looked up before any is judged: to decide at each would cost more than all else here.
    let mut all = 0;
    for (byte, [high, low]) in print.iter_mut().zip(pairs) {
        let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
        all |= high | low;
        *byte = high << 4 | low & 15;
    }
    (all < 16).then_some(print)
}

/// What each byte is worth as a digit; 16 when it is none.
const DIGITS: [u8; 256] = {
    let (mut digits, mut value) = ([16; 256], 0);
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// `text` is where the name is written meanwhile.
fn name(pipeline: &str, task: &TaskId, text: &mut String) -> Name {
    text.clear();
    let _ = write!(text, "{pipeline}/{task}");
    blake3::hash(text.as_bytes()).as_bytes()[..16].try_into().expect("a hash has 32 bytes")
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
    // To ask the system for it all at once is cheaper than to grow; what is not used is never touched.
    let size = std::fs::metadata(path).map_or(0, |meta| usize::try_from(meta.len()).unwrap_or(0));
    hints.packed.reserve(size);
    let connection = open(path)?;
    let mut files = connection.prepare("select path, stamp, blake3 from files")?;
    let mut rows = files.query([])?;
    while let Some(row) = rows.next()? {
        let known = Known { stamp: FileStamp(row.get(1)?), blake3: row.get(2)? };
        hints.files.insert(PathBuf::from(row.get::<_, String>(0)?), known);
    }
    let mut results = connection.prepare("select fingerprint, stamp, packed from results")?;
    hints.results.reserve(size / ROW);
    hints.newest.reserve(size / ROW);
    let mut rows = results.query([])?;
    while let Some(row) = rows.next()? {
        hints.take_result(row)?;
    }
    let mut newest = connection.prepare("select task, fingerprint from newest")?;
    let mut rows = newest.query([])?;
    while let Some(row) = rows.next()? {
        hints.newest.insert(row.get(0)?, row.get(1)?);
    }
    Ok(hints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Cell;
    use serde_json::json;
    use tempfile::TempDir;

    fn fingerprint(n: u8) -> Fingerprint {
        Fingerprint(blake3::Hash::from_bytes([n; 32]).to_hex().to_string())
    }

    fn artifact(n: u8) -> Artifact {
        Artifact { fingerprint: fingerprint(n), digest: format!("d{n}"), files: Vec::new(), result: json!({ "n": n }) }
    }

    fn stamp(n: u8) -> Stamp {
        Stamp::from_bytes(&[n; 56]).unwrap()
    }

    fn task(n: u8) -> TaskId {
        TaskId { stage: "copy".into(), cell: Cell::from_iter([("n", json!(n))]) }
    }

    fn file(n: u8) -> PathBuf {
        PathBuf::from(format!("/in/{n}"))
    }

    /// Hints of a file, a result and a task of each number: results of 1 were read, those of 2 made.
    fn saved() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hints.db");
        let mut hints = Hints::load(&path);
        for n in [1, 2] {
            hints.remember_file(&file(n), Known { stamp: FileStamp(format!("s{n}")), blake3: format!("b{n}") });
            hints.remember_newest("p", &task(n), &fingerprint(n));
        }
        hints.remember_result(stamp(1), &artifact(1));
        hints.remember_made(stamp(2), Arc::new(artifact(2)));
        hints.save();
        (folder, path)
    }

    fn knows(hints: &Hints, n: u8) -> [bool; 3] {
        let seen = hints.seen(&fingerprint(n));
        let result =
            seen.is_some_and(|seen| seen.stamp == stamp(n) && hints.result(&fingerprint(n), seen) == Some(artifact(n)));
        let digest = format!("b{n}");
        let is_file = hints.file(&file(n), &FileStamp(format!("s{n}"))) == Some(digest.as_str());
        [is_file, result, hints.newest("p", &task(n)) == Some(fingerprint(n))]
    }

    #[test]
    fn what_was_saved_is_known_again_all_of_it_or_only_what_is_asked_for() {
        let (_folder, path) = saved();
        let all = Hints::load(&path);
        assert_eq!([knows(&all, 1), knows(&all, 2)], [[true; 3]; 2]);
        for (asked, other) in [(1, 2), (2, 1)] {
            let files = [file(asked), file(9)].into_iter();
            let tasks = [task(asked), task(9)];
            let some = Hints::load_some(&path, files, &[fingerprint(asked), fingerprint(9)], tasks.iter(), "p");
            assert_eq!([knows(&some, asked), knows(&some, other)], [[true; 3], [false; 3]]);
        }
        let other = Hints::load_some(&path, [].into_iter(), &[], [task(1)].iter(), "another pipeline");
        assert_eq!(other.newest("another pipeline", &task(1)), None);
    }

    #[test]
    fn what_knew_only_a_part_leaves_the_rest_as_it_was() {
        let (_folder, path) = saved();
        let mut some = Hints::load_some(&path, [].into_iter(), &[fingerprint(1)], [].into_iter(), "p");
        some.remember_made(stamp(3), Arc::new(artifact(3)));
        some.save();
        let all = Hints::load(&path);
        assert_eq!([knows(&all, 1), knows(&all, 2)], [[true; 3]; 2]);
        assert!(knows(&all, 3)[1]);
    }

    #[test]
    fn a_result_that_is_forgotten_is_known_no_more() {
        let (_folder, path) = saved();
        Hints::forget(&path, [fingerprint(1), fingerprint(9)].iter());
        let all = Hints::load(&path);
        assert_eq!((knows(&all, 1)[1], knows(&all, 2)[1]), (false, true));
    }
}

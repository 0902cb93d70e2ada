//! Results -> files of the project, as `publish` says. Replaces only what an earlier run has put there and nobody changed
//! since; what that was is kept in the state folder. Where nothing has changed it costs one `stat` a file. What is copied is
//! hashed on the way: a result that is not what was filed is put in quarantine and never reaches the project.

use crate::failpoint::reach;
use crate::failure::{Class, Failure};
use crate::ids::Fingerprint;
use crate::lookup::Looked;
use crate::manifest::{FileEntry, Manifest};
use crate::plan::Task;
use crate::shared::{DAMAGED, Shared};
use crate::stamp::FileStamp;
use crate::state::StateFolder;
use crate::store::{Folder, Results};
use crate::work::store_failed;
use rustix::fs::ioctl_ficlone;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes that are copied at once.
const BUFFER: usize = 1 << 18;

/// Copies results into the project. Shared by the threads that do.
pub(super) struct Copies {
    store: Arc<Folder>,
    /// Where the results are, when they are not in that folder.
    shared: Option<Arc<Shared>>,
    state: StateFolder,
    book: OnceLock<Mutex<Book>>,
}

/// What was ever put where.
#[derive(Default)]
struct Book(HashMap<PathBuf, Put>);

/// What was put in one place.
#[derive(Default)]
struct Put {
    /// Digests of all that was.
    ever: HashSet<String>,
    /// The digest of the newest, and what the file looked like then.
    newest: Option<(String, FileStamp)>,
}

/// One line of the book's file. A line without a stamp is written before the file is put there: an engine that dies in
/// between still knows the file as its own.
#[derive(Serialize, Deserialize)]
struct Line {
    path: PathBuf,
    blake3: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<FileStamp>,
}

impl Copies {
    /// Copies from this store; the book lies in this state folder.
    pub(super) fn new(store: Arc<Folder>, shared: Option<Arc<Shared>>, state: StateFolder) -> Self {
        Self { store, shared, state, book: OnceLock::new() }
    }

    /// A task that was looked up, and what it publishes of the result that was found. A result that is not as it was filed
    /// is none: the task runs.
    ///
    /// # Errors
    /// As [`Copies::publish`], and when the store cannot be written.
    pub(super) fn of_found(&self, task: &Task, looked: Looked) -> Result<Looked, Failure> {
        let Ok(hit) = &looked.found else { return Ok(looked) };
        match self.publish(task, &hit.files) {
            Err(failure) if failure.code == DAMAGED => {
                self.distrust(&hit.fingerprint)?;
                Ok(Looked { found: Err(failure.message), ..looked })
            }
            published => published.map(|()| looked),
        }
    }

    /// A result that was just filed, once what is published of it is in the project.
    ///
    /// # Errors
    /// As [`Copies::of_found`]. A result that is no longer as it was filed is gone then, and the task is tried again.
    pub(super) fn of_made(&self, task: &Task, made: Manifest) -> Result<Manifest, Failure> {
        match self.publish(task, &made.files) {
            Err(failure) if failure.code == DAMAGED => {
                self.distrust(&made.fingerprint)?;
                Err(failure)
            }
            published => published.map(|()| made),
        }
    }

    fn distrust(&self, fingerprint: &Fingerprint) -> Result<(), Failure> {
        match &self.shared {
            Some(shared) => shared.distrust(fingerprint),
            None => Results::of(self.store.as_ref()).quarantine(fingerprint).map_err(store_failed),
        }
    }

    /// The file of a result, on this machine.
    fn source(&self, entry: &FileEntry) -> Result<PathBuf, Failure> {
        self.shared.as_ref().map_or_else(|| Ok(self.store.path(&entry.at)), |shared| shared.brought(entry))
    }

    /// Copies what a task publishes of its result.
    ///
    /// # Errors
    /// `result_damaged` when a file of the result is not what was filed, `publish_missing` when the result has no such file; `publish_conflict` when something else is in its place.
    fn publish(&self, task: &Task, files: &[FileEntry]) -> Result<(), Failure> {
        task.publish.iter().try_for_each(|(file, target)| match files.iter().find(|entry| entry.path == *file) {
            Some(entry) => self.put(entry, target),
            None => Err(missing(file, files)),
        })
    }

    fn put(&self, entry: &FileEntry, target: &Path) -> Result<(), Failure> {
        if target.starts_with(self.state.root()) {
            return Err(conflict(target, "the state folder is no place for results"));
        }
        let there = match fs::symlink_metadata(target) {
            Ok(meta) => meta,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return self.write(entry, target),
            Err(e) => return Err(Failure::io("look at", target, &e)),
        };
        let stamp = FileStamp::of(&there);
        let known = self.book().newest(target, &stamp);
        if known.as_ref() == Some(&entry.blake3) {
            return Ok(());
        }
        let digest = match known {
            Some(digest) => digest,
            None => digest(target, &there)?,
        };
        if digest == entry.blake3 {
            return self.note(target, &digest, Some(stamp));
        }
        if !self.book().has_put(target, &digest) {
            return Err(conflict(target, "there is another file, which no run has put there"));
        }
        self.write(entry, target)
    }

    /// Writes the file beside its place first, so that nobody finds half of it.
    fn write(&self, entry: &FileEntry, target: &Path) -> Result<(), Failure> {
        let folder = target.parent().unwrap_or(target);
        fs::create_dir_all(folder).map_err(|e| Failure::io("make the folder", folder, &e))?;
        // The plan has followed all links. One that was made since then could lead anywhere.
        if !folder.canonicalize().is_ok_and(|real| real == folder) {
            return Err(conflict(target, "its folder has become a link"));
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let staged = folder.join(format!(".{name}.pipe-new"));
        let source = self.source(entry)?;
        let blake3 = copy(&source, &staged).map_err(|e| Failure::io("write", &staged, &e))?;
        if blake3 != entry.blake3 {
            let _ = fs::remove_file(&staged);
            return Err(damaged(&source, entry));
        }
        self.note(target, &entry.blake3, None)?;
        reach("copy.noted");
        fs::rename(&staged, target).map_err(|e| Failure::io("put in place", target, &e))?;
        let stamp = fs::symlink_metadata(target).map_err(|e| Failure::io("look at", target, &e))?;
        self.note(target, &entry.blake3, Some(FileStamp::of(&stamp)))
    }

    fn note(&self, path: &Path, blake3: &str, stamp: Option<FileStamp>) -> Result<(), Failure> {
        let line = Line { path: path.to_owned(), blake3: blake3.to_owned(), stamp };
        let mut book = self.book();
        let file = self.file();
        let mut text = serde_json::to_vec(&line).map_err(|e| Failure::failed("bug", "a line has no JSON").source(e))?;
        text.push(b'\n');
        let written = OpenOptions::new().create(true).append(true).open(&file).and_then(|mut f| f.write_all(&text));
        written.map_err(|e| Failure::io("write", &file, &e))?;
        book.take(line);
        Ok(())
    }

    fn file(&self) -> PathBuf {
        self.state.root().join("published.jsonl")
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        let book = self.book.get_or_init(|| Mutex::new(Book::read(&fs::read(self.file()).unwrap_or_default())));
        book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// A line that was not written to its end counts as absent.
    fn read(text: &[u8]) -> Self {
        let mut book = Self::default();
        text.split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .for_each(|l| book.take(l));
        book
    }

    fn take(&mut self, line: Line) {
        let put = self.0.entry(line.path).or_default();
        put.newest = line.stamp.map(|stamp| (line.blake3.clone(), stamp));
        put.ever.insert(line.blake3);
    }

    /// The digest of the newest that was put there, while the file still looks the same.
    fn newest(&self, path: &Path, stamp: &FileStamp) -> Option<String> {
        let (digest, then) = self.0.get(path)?.newest.as_ref()?;
        (then == stamp).then(|| digest.clone())
    }

    fn has_put(&self, path: &Path, digest: &str) -> bool {
        self.0.get(path).is_some_and(|put| put.ever.contains(digest))
    }
}

/// Copies a file and returns the digest of what the copy holds. The kernel shares the bytes between the two files where the
/// file system can; never the file itself, so that whoever edits the copy leaves the result alone.
fn copy(source: &Path, target: &Path) -> io::Result<String> {
    // What an engine that died left here, or a link.
    match fs::remove_file(target) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut to = OpenOptions::new().read(true).write(true).create_new(true).open(target)?;
    reach("copy.begun");
    let (mut from, mut hasher) = (File::open(source)?, blake3::Hasher::new());
    if ioctl_ficlone(&to, &from).is_ok() {
        hasher.update_reader(&to)?;
    } else {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = match from.read(&mut buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            to.write_all(&buffer[..read])?;
        }
    }
    to.sync_all()?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn digest(path: &Path, meta: &Metadata) -> Result<String, Failure> {
    if !meta.is_file() {
        return Err(conflict(path, "there is something that is no file"));
    }
    let mut hasher = blake3::Hasher::new();
    let hashed = File::open(path).and_then(|file| hasher.update_reader(file).map(drop));
    hashed.map_err(|e| Failure::io("read", path, &e))?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn damaged(source: &Path, entry: &FileEntry) -> Failure {
    let message = format!("its result was put in quarantine: `{}` is not what was filed", entry.path);
    Failure::of(Class::Transient, DAMAGED, message)
        .on(source.display().to_string())
        .help("`pipe cache verify SPEC --deep` looks at the bytes of all other results; the disk may be failing")
}

fn conflict(target: &Path, why: &str) -> Failure {
    Failure::failed("publish_conflict", format!("a result cannot be published: {why}"))
        .on(target.display().to_string())
        .help("move it away or publish to another place, and run again: the result itself is kept")
}

fn missing(file: &str, files: &[FileEntry]) -> Failure {
    let folder = format!("{file}/");
    if files.iter().any(|entry| entry.path.starts_with(&folder)) {
        let help = "name each file that is to be published: \"charts/loss.svg\" = \"site/loss.svg\"";
        return Failure::failed(
            "publish_missing",
            format!("`{file}` is a folder of the result, and files are published"),
        )
        .help(help);
    }
    let held: Vec<&str> = files.iter().take(8).map(|entry| entry.path.as_str()).collect();
    Failure::failed("publish_missing", format!("the result has no file `{file}` to publish"))
        .help(format!("it has {}", if held.is_empty() { "no files".to_owned() } else { held.join(", ") }))
}

//! What a stage's code sees of the engine while it works: settings, inputs, a folder for its output, items that may
//! be finished already, and a way to say how far it is. Knows nothing of plans, runs or other tasks.

use crate::attempt::{Attempt, Input, ItemCount, RemoteSource, SourceFile};
use crate::doing::Doing;
use crate::event::Body;
use crate::failpoint::reach;
use crate::failure::Failure;
use crate::ids::{Cell, Fingerprint};
use crate::key::Key;
use crate::manifest::{FileEntry, Manifest, Of, Provenance, VERSION, digest};
use crate::remote::{RemoteBytes, Remotes};
use crate::store::{Filed, Folder, Results, StoreError};
use crate::world::World;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One attempt, from inside. Shared by the threads of a stage.
pub struct Work<'a> {
    attempt: &'a Attempt,
    store: &'a Folder,
    world: &'a World,
    say: &'a (dyn Fn(Body) + Sync),
    remotes: Option<&'a dyn Remotes>,
    last_word: Option<&'a LastWord<'a>>,
    items_elsewhere: Option<&'a dyn ItemsElsewhere>,
    doing: Doing,
    made: Mutex<Made>,
}

/// Finds items that other machines have made.
pub trait ItemsElsewhere: Sync {
    /// The item under a fingerprint, once its file lies in the attempt's own store, where the manifest says.
    ///
    /// # Errors
    /// When those machines' store cannot be read.
    fn item(&self, fingerprint: &Fingerprint) -> Result<Option<Manifest>, Failure>;
}

/// Leaves a failure as the attempt's outcome, with the items that were made until then, and ends the process.
pub type LastWord<'a> = dyn Fn(Failure, ItemCount) + Sync + 'a;

#[derive(Default)]
struct Made {
    files: Vec<FileEntry>,
    /// Files that are no items: worth nothing when the attempt fails.
    loose: Vec<PathBuf>,
    items: ItemCount,
}

/// How an item that counts came to be.
enum Taken {
    Made,
    Reused,
}

/// A finished item.
pub struct Item {
    /// Its file, as this task's artifact lists it.
    pub file: FileEntry,
    /// What its maker told about it.
    pub facts: Json,
}

impl<'a> Work<'a> {
    /// The inside of `attempt`. `say` carries passing events out.
    pub fn new(attempt: &'a Attempt, store: &'a Folder, world: &'a World, say: &'a (dyn Fn(Body) + Sync)) -> Self {
        Self {
            attempt,
            store,
            world,
            say,
            remotes: None,
            last_word: None,
            items_elsewhere: None,
            doing: Doing::default(),
            made: Mutex::default(),
        }
    }

    /// The same, with what opens sources elsewhere.
    #[must_use]
    pub fn with_remotes(self, remotes: Option<&'a dyn Remotes>) -> Self {
        Self { remotes, ..self }
    }

    /// The same, with what finds items of other machines.
    #[must_use]
    pub fn with_items_elsewhere(self, items_elsewhere: Option<&'a dyn ItemsElsewhere>) -> Self {
        Self { items_elsewhere, ..self }
    }

    /// The same, with what ends the process.
    #[must_use]
    pub fn with_last_word(self, last_word: &'a LastWord<'a>) -> Self {
        Self { last_word: Some(last_word), ..self }
    }

    /// The same, with what notes the pieces of work.
    #[must_use]
    pub fn with_doing(self, doing: Doing) -> Self {
        Self { doing, ..self }
    }

    /// Where threads note what they are at, such as an item: if the process dies amid it, the attempt's failure says so.
    pub fn doing(&self) -> &Doing {
        &self.doing
    }

    /// Ends the attempt while some of its threads are lost, such as in a decoder that hangs: nothing else gets a thread back.
    /// Items stay, everything else is worth nothing. Returns only where there is no process to end.
    pub fn give_up(&self, failure: Failure) {
        self.discard();
        let items = self.lock().items;
        self.last_word.iter().for_each(|last_word| last_word(failure.clone(), items));
    }

    /// The stage's settings.
    ///
    /// # Errors
    /// When they do not fit `T`, which the plan has checked: a worker of another version, then.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_value(self.attempt.config.clone())
            .map_err(|e| Failure::failed("bad_config", "the attempt's settings do not fit this version").source(e))
    }

    /// The task's cell.
    pub fn cell(&self) -> &Cell {
        &self.attempt.task.cell
    }

    /// Threads that may be kept busy, at least 1.
    pub fn cpu(&self) -> usize {
        self.attempt.cpu.max(1) as usize
    }

    /// The one artifact of a field that takes one.
    ///
    /// # Errors
    /// When the attempt has none, which the plan has checked.
    pub fn input(&self, field: &str) -> Result<&Input, Failure> {
        self.inputs(field).first().ok_or_else(|| Failure::failed("no_input", "the attempt has no such input").on(field))
    }

    /// The artifacts of a field, in cell order.
    pub fn inputs(&self, field: &str) -> &[Input] {
        self.attempt.inputs.get(field).map_or(&[], Vec::as_slice)
    }

    /// Where the bytes of an input's file lie. They are read-only.
    pub fn path(&self, file: &FileEntry) -> PathBuf {
        self.store.path(&file.at)
    }

    /// Where the bytes of one named file of an input lie.
    ///
    /// # Errors
    /// When the input has no such file.
    pub fn path_in(&self, input: &Input, path: &str) -> Result<PathBuf, Failure> {
        let found = input.files.iter().find(|f| f.path == path);
        found.map(|f| self.path(f)).ok_or_else(|| {
            let held: Vec<&str> = input.files.iter().take(8).map(|f| f.path.as_str()).collect();
            Failure::failed("wrong_input", format!("the input has no file `{path}`; it has {}", held.join(", ")))
                .help("give this stage the result of another kind of stage")
        })
    }

    /// The file outside the store that a field names.
    ///
    /// # Errors
    /// When the attempt has none, which the plan has checked.
    pub fn file(&self, field: &str) -> Result<&SourceFile, Failure> {
        self.attempt
            .files
            .get(field)
            .ok_or_else(|| Failure::failed("no_file", "the attempt has no such file").on(field))
    }

    /// Opens a source that lies elsewhere, as it was when the task's key was made.
    ///
    /// # Errors
    /// When this worker reads nothing elsewhere, or it cannot be spoken to by what the environment says.
    pub fn open(&self, source: &RemoteSource) -> Result<Arc<dyn RemoteBytes>, Failure> {
        let none = || Failure::failed("source_not_read", "this worker reads files of its machine only");
        self.remotes.ok_or_else(none)?.open(&source.uri, &source.stat)
    }

    /// Where to write a file of the artifact. Call [`Work::finished`] when it is whole.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn output(&self, path: &str) -> Result<PathBuf, Failure> {
        let full = self.store.path(&self.at(path));
        let parent = full.parent().unwrap_or(self.store.root());
        fs::create_dir_all(parent).map_err(|e| Failure::io("make the folder", parent, &e))?;
        Ok(full)
    }

    /// Takes a file that is whole into the artifact.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn finished(&self, path: &str) -> Result<(), Failure> {
        let full = self.store.path(&self.at(path));
        let entry = entry(&full, path, &self.at(path))?;
        let mut made = self.lock();
        made.files.push(entry);
        made.loose.push(full);
        Ok(())
    }

    /// Writes a whole file of the artifact.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let full = self.output(path)?;
        fs::write(&full, bytes).map_err(|e| Failure::io("write", &full, &e))?;
        self.finished(path)
    }

    /// Where this attempt leaves what the next one of the same work can go on from, and finds what the last one left. Need
    /// not be there yet, and goes when there is a result. `None` where no other attempt would find it, and for one that
    /// makes everything anew.
    pub fn checkpoints(&self) -> Option<&Path> {
        self.attempt.checkpoints.as_deref().filter(|_| !self.attempt.anew)
    }

    /// One item: found in the store under its key, or made and filed there at once. `make` writes the file it is
    /// given and returns a few facts, which whoever finds the item later gets too.
    ///
    /// # Errors
    /// What `make` returns, or when the store cannot be written.
    pub fn item(
        &self,
        key: &Key,
        path: &str,
        make: impl FnOnce(&Path) -> Result<Json, Failure>,
    ) -> Result<Item, Failure> {
        if let Some(found) = self.find_item(key, path)? {
            return Ok(found);
        }
        let manifest = self.make_item(key, path, make)?;
        self.take_item(manifest, path, Some(Taken::Made))
    }

    /// One item, if it is in the store under its key. For work that makes many items at once and has to know which.
    ///
    /// # Errors
    /// When the store cannot be looked into.
    pub fn find_item(&self, key: &Key, path: &str) -> Result<Option<Item>, Failure> {
        let found = self.find_made(key)?;
        found.map(|manifest| self.take_item(manifest, path, Some(Taken::Reused))).transpose()
    }

    /// As [`Work::find_item`], of something that stands beside an item, such as its thumbnail, and is not counted.
    ///
    /// # Errors
    /// As [`Work::find_item`].
    pub fn find_beside(&self, key: &Key, path: &str) -> Result<Option<Item>, Failure> {
        self.find_made(key)?.map(|manifest| self.take_item(manifest, path, None)).transpose()
    }

    /// Makes something that stands beside an item, and files it as one. It is not counted.
    ///
    /// # Errors
    /// As [`Work::item`].
    pub fn beside(
        &self,
        key: &Key,
        path: &str,
        make: impl FnOnce(&Path) -> Result<Json, Failure>,
    ) -> Result<Item, Failure> {
        let manifest = self.make_item(key, path, make)?;
        self.take_item(manifest, path, None)
    }

    fn find_made(&self, key: &Key) -> Result<Option<Manifest>, Failure> {
        let results = Results::of(self.store);
        let here = results.find(&key.fingerprint).map_err(store_failed)?;
        let there = match (here, self.items_elsewhere) {
            (None, Some(elsewhere)) => elsewhere.item(&key.fingerprint)?,
            (here, _) => here,
        };
        match there.filter(|there| !self.attempt.anew || there.provenance.run == self.attempt.run) {
            Some(manifest) if files_are_there(self.store, &manifest.files)? => Ok(Some(manifest)),
            Some(_) => {
                results.quarantine(&key.fingerprint).map_err(store_failed)?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Tells of an item that cannot be had and that the task goes without. A task with such items has succeeded, but
    /// nobody takes its result for theirs: the next run tries again.
    pub fn item_failed(&self, path: &str, failure: &Failure) {
        tracing::warn!(item = path, "{failure}");
        self.lock().items.failed += 1;
    }

    fn take_item(&self, manifest: Manifest, path: &str, taken: Option<Taken>) -> Result<Item, Failure> {
        let first =
            manifest.files.first().ok_or_else(|| Failure::failed("bad_item", "an item without a file").on(path))?;
        let file = FileEntry { path: path.to_owned(), ..first.clone() };
        let mut made = self.lock();
        made.files.push(file.clone());
        match taken {
            Some(Taken::Made) => made.items.made += 1,
            Some(Taken::Reused) => made.items.reused += 1,
            None => {}
        }
        drop(made);
        Ok(Item { file, facts: manifest.result })
    }

    /// Says how far the work is. Call it as often as is convenient.
    pub fn progress(&self, done: usize, total: usize, unit: &str) {
        self.tell_progress(done, total, unit, None);
    }

    /// As [`Work::progress`], with the bytes that were written so far.
    pub fn progress_of_bytes(&self, done: usize, total: usize, unit: &str, bytes: u64) {
        self.tell_progress(done, total, unit, Some(bytes));
    }

    fn tell_progress(&self, done: usize, total: usize, unit: &str, bytes: Option<u64>) {
        (self.say)(Body::Progress { done: done as u64, total: total as u64, unit: unit.to_owned(), bytes });
    }

    /// Reports a number, such as the loss of an epoch.
    pub fn metric(&self, name: &str, step: usize, value: f64) {
        (self.say)(Body::Metric { name: name.to_owned(), step: step as u64, value });
    }

    /// Makes everything the attempt finished read-only.
    ///
    /// # Errors
    /// When a file's mode cannot be changed.
    pub fn seal_all(&self) -> Result<(), Failure> {
        self.lock().loose.iter().try_for_each(|path| seal(path))
    }

    /// Removes what a failed attempt had finished. Its items stay: they have manifests of their own.
    pub fn discard(&self) {
        for path in std::mem::take(&mut self.lock().loose) {
            let _ = fs::remove_file(path);
        }
    }

    /// What the attempt has made, sorted by path.
    pub fn into_made(self) -> (Vec<FileEntry>, ItemCount) {
        let mut made = self.made.into_inner().unwrap_or_else(PoisonError::into_inner);
        made.files.sort_by(|a, b| a.path.cmp(&b.path));
        (made.files, made.items)
    }

    fn make_item(
        &self,
        key: &Key,
        path: &str,
        make: impl FnOnce(&Path) -> Result<Json, Failure>,
    ) -> Result<Manifest, Failure> {
        let full = self.output(path)?;
        let facts = make(&full)?;
        // The item's key speaks of the files as they were hashed.
        self.attempt.files.values().try_for_each(SourceFile::check_unchanged)?;
        // The bytes are on the disk before the manifest that promises them.
        flush(&full)?;
        let files = vec![entry(&full, path, &self.at(path))?];
        seal(&full)?;
        let manifest = Manifest {
            version: VERSION,
            of: Of::Item,
            fingerprint: key.fingerprint.clone(),
            key: key.fields.clone(),
            digest: digest(&files),
            files,
            result: facts,
            provenance: Provenance {
                run: self.attempt.run.clone(),
                attempt: self.attempt.id.clone(),
                task: self.attempt.task.clone(),
                published: self.world.now(),
                sources: self.attempt.files.values().map(|f| f.written.clone()).collect(),
                pipeline: Some(self.attempt.pipeline.clone()),
                adopted: None,
            },
        };
        let results = Results::of(self.store);
        match results.file(&manifest).map_err(store_failed)? {
            Filed::Ours => {
                reach("item.filed");
                Ok(manifest)
            }
            Filed::Theirs(theirs) if self.attempt.anew && theirs.digest != manifest.digest => {
                let is_ours = results.replace(&theirs, &manifest).map_err(store_failed)?;
                Ok(if is_ours { manifest } else { *theirs })
            }
            Filed::Theirs(theirs) => Ok(*theirs),
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.attempt.output)
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether every file a manifest lists lies in the folder with its size. One `stat` a file, no reading.
///
/// # Errors
/// When a file cannot be looked at: a disk that is away for a moment must not empty the store.
pub fn files_are_there(store: &Folder, files: &[FileEntry]) -> Result<bool, Failure> {
    all_there(store, files.iter().map(|file| (file.at.as_str(), file.size)))
}

/// As [`files_are_there`], for paths from the store's root and their sizes.
///
/// # Errors
/// As [`files_are_there`].
pub fn all_there<'a>(store: &Folder, mut files: impl Iterator<Item = (&'a str, u64)>) -> Result<bool, Failure> {
    files.try_fold(true, |others, (at, size)| Ok(others && is_there(store, at, size)?))
}

fn is_there(store: &Folder, at: &str, size: u64) -> Result<bool, Failure> {
    let path = store.path(at);
    match fs::metadata(&path) {
        Ok(meta) => Ok(meta.is_file() && meta.len() == size),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(Failure::io("look at", &path, &e)),
    }
}

/// Makes a finished file read-only. That is what tells what is promised somewhere from what is not when the folder of
/// a dead attempt is swept: items are sealed when they are whole, everything else when the whole attempt is.
///
/// # Errors
/// When the file's mode cannot be changed.
pub fn seal(full: &Path) -> Result<(), Failure> {
    fs::set_permissions(full, Permissions::from_mode(0o444)).map_err(|e| Failure::io("make read-only", full, &e))
}

/// Hashes a finished file.
///
/// # Errors
/// When the file cannot be read.
pub fn entry(full: &Path, path: &str, at: &str) -> Result<FileEntry, Failure> {
    let hash = || -> std::io::Result<(u64, blake3::Hash)> {
        let file = File::open(full)?;
        let size = file.metadata()?.len();
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file)?;
        Ok((size, hasher.finalize()))
    };
    let (size, hash) = hash().map_err(|e| Failure::io("read back", full, &e))?;
    Ok(FileEntry { path: path.to_owned(), size, blake3: hash.to_hex().to_string(), at: at.to_owned() })
}

fn flush(full: &Path) -> Result<(), Failure> {
    let parent = full.parent().unwrap_or(full);
    File::open(full)
        .and_then(|f| f.sync_all())
        .and_then(|()| File::open(parent)?.sync_all())
        .map_err(|e| Failure::io("flush", full, &e))
}

/// A store's trouble as a failure of the attempt. A full disk keeps its own class.
pub fn store_failed(error: StoreError) -> Failure {
    match &error {
        StoreError::Failed { doing: "flush", at, source } => Failure::io("flush", at, source).help(
            "nothing more is begun, since nobody knows what the disk has. Look at it (`dmesg`, `df`); the next run does the rest",
        ),
        StoreError::Failed { doing, at, source } => Failure::io(doing, at, source),
        StoreError::Away { doing, at, class, source } => {
            Failure::of(*class, "store", format!("cannot {doing}")).on(at.clone()).source(source)
        }
        _ => Failure::failed("store", error.to_string()),
    }
}

/// Says that two results of one key have other bytes.
pub(crate) fn warn_of_difference(ours: &Manifest, theirs: &Manifest) {
    if ours.digest != theirs.digest {
        let differs = |f: &&FileEntry| !theirs.files.iter().any(|t| t.path == f.path && t.blake3 == f.blake3);
        let files: Vec<&str> = ours.files.iter().filter(differs).map(|f| f.path.as_str()).collect();
        tracing::warn!(task = %ours.provenance.task, ?files, "the same key gave other bytes: the stage is not deterministic");
    }
}

//! A store that is a folder of a local disk.
//! Small objects are written to a temporary name, flushed and then given their own by a rename that never replaces.

use super::flush::Flusher;
use super::{Stat, Store, StoreError, check_path, check_prefix};
use crate::failpoint;
use crate::stamp::Stamp;
use crate::world::Timestamp;
use futures::future::BoxFuture;
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// An object that has its bytes and not yet its name. Dropped, it is gone.
pub struct Staged {
    /// Where the bytes lie, until they have their name.
    path: Option<PathBuf>,
    at: String,
}

impl Staged {
    /// Where its bytes lie until it has its name.
    pub fn aside(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            drop(fs::remove_file(path));
        }
    }
}

/// A folder that holds `results/`, `data/` and nothing a person has to look after.
pub struct Folder {
    root: PathBuf,
    /// Where the search for the next free temporary name begins.
    writes: AtomicU64,
    flusher: Flusher,
}

impl Folder {
    /// Opens the folder, making it when it is not there, and proves that it can be written.
    ///
    /// # Errors
    /// [`StoreError::Failed`] naming the folder.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let failed =
            |source| StoreError::Failed { doing: "write to the store", at: root.display().to_string(), source };
        fs::create_dir_all(root.join("tmp")).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        let flusher = Flusher::new(&root);
        let store = Self { root, writes: AtomicU64::new(0), flusher };
        store.temporary().and_then(|(probe, _)| fs::remove_file(probe)).map_err(|source| StoreError::Failed {
            doing: "write to the store",
            at: store.root.display().to_string(),
            source,
        })?;
        Ok(store)
    }

    /// The folder as it is, for looking only: nothing is made and nothing is proved. When it is not there, it has
    /// no results.
    pub fn for_looking(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let flusher = Flusher::new(&root);
        Self { root, writes: AtomicU64::new(0), flusher }
    }

    /// The folder itself, absolute when it was opened.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where an object's bytes lie.
    pub fn path(&self, at: &str) -> PathBuf {
        self.root.join(at)
    }

    /// Makes these objects survive a power cut, or that they are gone.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk reports an error; what was written must then not be trusted.
    pub fn flush(&self, objects: impl Iterator<Item = impl AsRef<Path>>) -> Result<(), StoreError> {
        if !failpoint::flushes() {
            return Ok(());
        }
        let files: Vec<PathBuf> = objects.map(|at| self.root.join(at)).collect();
        self.flusher.flush(&self.root, &files).map_err(|e| self.failed("flush", "", e))
    }

    /// What the disk said when it failed a flush. Nothing more can be published after that.
    pub fn broken(&self) -> Option<&str> {
        self.flusher.broken()
    }

    /// A new file of our own. Its name may be taken: by a second store in this process, by a container that has the
    /// same process id, by a file that a dead process left; then the next name is tried.
    fn temporary(&self) -> io::Result<(PathBuf, File)> {
        loop {
            let n = self.writes.fetch_add(1, Ordering::Relaxed);
            let path = self.root.join(format!("tmp/{}-{n}", std::process::id()));
            match File::create_new(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|file| (path, file)),
            }
        }
    }

    fn failed(&self, doing: &'static str, at: &str, source: io::Error) -> StoreError {
        if source.kind() == io::ErrorKind::NotFound && doing == "read" {
            return StoreError::Missing { at: at.to_owned() };
        }
        StoreError::Failed { doing, at: self.path(at).display().to_string(), source }
    }

    fn read(&self, at: &str) -> Result<Vec<u8>, StoreError> {
        check_path(at)?;
        fs::read(self.path(at)).map_err(|e| self.failed("read", at, e))
    }

    /// The bytes of an object and what tells whether they are still the same; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get_stamped(&self, at: &str) -> Result<Option<(Vec<u8>, Stamp)>, StoreError> {
        check_path(at)?;
        let read = || -> io::Result<(Vec<u8>, Stamp)> {
            let file = File::open(self.path(at))?;
            let meta = file.metadata()?;
            let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
            // To ask for no more than there is spares the question whether there is more.
            file.take(meta.len()).read_to_end(&mut bytes)?;
            Ok((bytes, Stamp::of(&meta)))
        };
        match read() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(|e| self.failed("read", at, e)),
        }
    }

    fn read_range(&self, at: &str, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        check_path(at)?;
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(self.path(at))?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|e| self.failed("read", at, e))
    }

    /// Writes an object that is to be flushed with others, by [`Folder::flush`], before it gets its name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn stage(&self, at: &str, bytes: &[u8]) -> Result<Staged, StoreError> {
        check_path(at)?;
        let staged = self.write_aside(bytes, false).map_err(|e| self.failed("write", at, e))?;
        Ok(Staged { path: Some(staged), at: at.to_owned() })
    }

    /// Gives an object its name, unless another has it. It keeps it through a power cut after the next [`Folder::flush`].
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another has the name, or when the store cannot be written.
    pub fn name(&self, mut staged: Staged) -> Result<(), StoreError> {
        let Some(path) = staged.path.take() else { return Ok(()) };
        let target = self.path(&staged.at);
        let rename = || renameat_with(CWD, &path, CWD, &target, RenameFlags::NOREPLACE);
        // Of the folders of results there are 256, so nearly always it is there.
        let named = match rename() {
            Err(e) if e == rustix::io::Errno::NOENT => {
                fs::create_dir_all(target.parent().unwrap_or(&self.root)).and_then(|()| Ok(rename()?))
            }
            named => named.map_err(io::Error::from),
        };
        named.map_err(|e| {
            staged.path = Some(path.clone());
            self.not_written(&staged.at, e)
        })
    }

    fn not_written(&self, at: &str, error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Conflict { at: at.to_owned() },
            _ => self.failed("write", at, error),
        }
    }

    /// Writes `bytes` under a temporary name.
    fn write_aside(&self, bytes: &[u8], flushed: bool) -> io::Result<PathBuf> {
        let (path, mut file) = self.temporary()?;
        let (begin, rest) = bytes.split_at(failpoint::part_of(bytes.len()));
        let mut write = || -> io::Result<()> {
            file.write_all(begin)?;
            failpoint::reach("object.half_written");
            file.write_all(rest)?;
            if flushed { file.sync_data() } else { Ok(()) }
        };
        let written = write();
        failpoint::reach("object.staged");
        written.map(|()| path.clone()).inspect_err(|_| drop(fs::remove_file(&path)))
    }

    fn create(&self, at: &str, bytes: &[u8]) -> Result<(), StoreError> {
        check_path(at)?;
        let target = self.path(at);
        let write = || -> io::Result<()> {
            let parent = target.parent().unwrap_or(&self.root);
            fs::create_dir_all(parent)?;
            let staged = self.write_aside(bytes, true)?;
            let renamed = renameat_with(CWD, &staged, CWD, &target, RenameFlags::NOREPLACE);
            if renamed.is_err() {
                drop(fs::remove_file(&staged));
            }
            renamed?;
            File::open(parent)?.sync_all()
        };
        write().map_err(|e| self.not_written(at, e))
    }

    /// Compare and rename under a lock: the lock is what makes the two one step among processes of this machine.
    fn replace(&self, at: &str, old: &[u8], new: &[u8]) -> Result<(), StoreError> {
        check_path(at)?;
        let lock = || -> io::Result<File> {
            let file = File::create(self.root.join("tmp/replace.lock"))?;
            flock(&file, FlockOperation::LockExclusive)?;
            Ok(file)
        };
        let _held = lock().map_err(|e| self.failed("lock", at, e))?;
        if self.read(at)? != old {
            return Err(StoreError::Conflict { at: at.to_owned() });
        }
        let swap = || -> io::Result<()> { fs::rename(self.write_aside(new, true)?, self.path(at)) };
        swap().map_err(|e| self.failed("write", at, e))
    }

    /// Others may write and delete at the same time: what vanishes while it is looked at is left out, and all the
    /// rest is still found.
    fn walk(&self, folder: &Path, found: &mut Vec<Stat>) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let meta = match entry.metadata() {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                meta => meta?,
            };
            if meta.is_dir() {
                self.walk(&entry.path(), found)?;
            } else if let Ok(at) = entry.path().strip_prefix(&self.root) {
                found.push(of_file(at.to_string_lossy().into_owned(), &meta));
            }
        }
        Ok(())
    }

    fn listed(&self, prefix: &str) -> Result<Vec<Stat>, StoreError> {
        check_prefix(prefix)?;
        let mut found = Vec::new();
        self.walk(&self.path(prefix), &mut found).map_err(|e| self.failed("list", prefix, e))?;
        // Half-written objects and the lock of a swap are no objects.
        found.retain(|stat| !stat.at.starts_with("tmp/"));
        found.sort_by(|a, b| a.at.cmp(&b.at));
        Ok(found)
    }

    fn stat_of(&self, at: &str) -> Result<Option<Stat>, StoreError> {
        check_path(at)?;
        match fs::metadata(self.path(at)) {
            Ok(meta) => Ok(Some(of_file(at.to_owned(), &meta))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.failed("look at", at, e)),
        }
    }

    fn remove(&self, at: &str) -> Result<(), StoreError> {
        check_path(at)?;
        match fs::remove_file(self.path(at)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(self.failed("delete", at, e)),
            _ => Ok(()),
        }
    }
}

fn of_file(at: String, meta: &Metadata) -> Stat {
    let millis = meta.mtime().saturating_mul(1000).saturating_add(meta.mtime_nsec() / 1_000_000);
    Stat { at, size: meta.len(), tag: None, changed: u64::try_from(millis).ok().map(Timestamp) }
}

impl Store for Folder {
    fn get<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move { self.read(at) })
    }
    fn get_range<'a>(&'a self, at: &'a str, offset: u64, length: u64) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move { self.read_range(at, offset, length) })
    }
    fn put_new<'a>(&'a self, at: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.create(at, bytes) })
    }
    fn replace_if<'a>(&'a self, at: &'a str, old: &'a [u8], new: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.replace(at, old, new) })
    }
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Stat>, StoreError>> {
        Box::pin(async move { self.listed(prefix) })
    }
    fn stat<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Option<Stat>, StoreError>> {
        Box::pin(async move { self.stat_of(at) })
    }
    fn delete<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.remove(at) })
    }
}

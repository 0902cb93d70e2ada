//! The results a task is given -> whether they still are what was filed. Their files are read-only, which binds nobody who
//! runs as root.
//!
//! A manifest is written after its files, so a file that is newer than its manifest was touched since: it is hashed, once
//! for each state it is found in. For all others it costs one `stat`. Bytes that change without a trace in the file's times are found by
//! `pipe cache verify --deep` alone.

use crate::failure::Failure;
use crate::ids::Fingerprint;
use crate::manifest::{Artifact, FileEntry, place};
use crate::shared::DAMAGED;
use crate::stamp::Stamp;
use crate::store::{Folder, Results};
use crate::work::{entry, store_failed};
use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Looks at the files of results. Shared by the threads that do.
pub(super) struct Trust {
    store: Arc<Folder>,
    /// Files that were hashed and are right, as they were then.
    hashed: Mutex<HashMap<String, Stamp>>,
    /// Results that were put in quarantine: other tasks of this run may still be given them.
    spoilt: Mutex<HashSet<Fingerprint>>,
}

impl Trust {
    /// Of the results in a folder.
    pub(super) fn new(store: Arc<Folder>) -> Self {
        Self { store, hashed: Mutex::default(), spoilt: Mutex::default() }
    }

    /// Looks at what a task is given before it begins.
    ///
    /// # Errors
    /// [`DAMAGED`] when a file is not what was filed: its result is in quarantine then.
    pub(super) fn before(&self, needs: &[Arc<Artifact>]) -> Result<(), Failure> {
        let told = "a result that the task is given is not what was filed: it was put in quarantine";
        self.look(needs).and_then(|spoilt| {
            let help = "run again: the task that made it makes it anew";
            spoilt.map_or(Ok(()), |path| Err(Failure::failed(DAMAGED, told).on(path).help(help)))
        })
    }

    /// Looks at what a task was given once it has ended: it may have changed it, or used what somebody else did.
    ///
    /// # Errors
    /// `input_changed` when a file no longer is what was filed: its result is in quarantine then. Nobody tries the task again
    /// by himself, since most likely it does the same again.
    pub(super) fn after(&self, needs: &[Arc<Artifact>]) -> Result<(), Failure> {
        let told = "a result that the task was given was changed while it ran: it was put in quarantine";
        self.look(needs).and_then(|spoilt| {
            let help = "let the task change a copy of it. Run again: the task that made it makes it anew";
            spoilt.map_or(Ok(()), |path| Err(Failure::failed("input_changed", told).on(path).help(help)))
        })
    }

    /// The path of a file that is not what was filed. Its result is in quarantine then.
    fn look(&self, needs: &[Arc<Artifact>]) -> Result<Option<String>, Failure> {
        for artifact in needs {
            let Some(file) = self.spoilt_file(artifact)? else { continue };
            if lock(&self.spoilt).insert(artifact.fingerprint.clone()) {
                Results::of(self.store.as_ref()).quarantine(&artifact.fingerprint).map_err(store_failed)?;
            }
            return Ok(Some(self.store.path(&file.at).display().to_string()));
        }
        Ok(None)
    }

    /// A file of a result that is not what was filed.
    fn spoilt_file<'a>(&self, artifact: &'a Artifact) -> Result<Option<&'a FileEntry>, Failure> {
        if lock(&self.spoilt).contains(&artifact.fingerprint) {
            return Ok(artifact.files.first());
        }
        // Of what is given from outside the store there is no manifest, and nothing was promised.
        let Some(filed) = times(&self.store.path(&place(&artifact.fingerprint)))? else { return Ok(None) };
        for file in &artifact.files {
            if !self.is_as_filed(file, &filed)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    fn is_as_filed(&self, file: &FileEntry, filed: &Metadata) -> Result<bool, Failure> {
        let path = self.store.path(&file.at);
        let Some(now) = times(&path)? else { return Ok(false) };
        if !now.is_file() || now.len() != file.size {
            return Ok(false);
        }
        let written = |meta: &Metadata| (meta.mtime(), meta.mtime_nsec());
        // The clock of a file system goes in steps, so what is as old as its manifest may have been written after it.
        if written(&now) < written(filed) {
            return Ok(true);
        }
        let stamp = Stamp::of(&now);
        if lock(&self.hashed).get(&file.at) == Some(&stamp) {
            return Ok(true);
        }
        let is_right = entry(&path, &file.path, &file.at)?.blake3 == file.blake3;
        if is_right {
            lock(&self.hashed).insert(file.at.clone(), stamp);
        }
        Ok(is_right)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a file looks like. `None`: there is none.
fn times(path: &Path) -> Result<Option<Metadata>, Failure> {
    let is_gone = |error: &io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(Failure::io("look at", path, &error)),
    }
}

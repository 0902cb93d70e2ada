//! The store as those see it who describe attempts in it: a folder, or a bucket with its copy on this machine.

use crate::attempt::{Attempt, Outcome};
use crate::failure::Failure;
use crate::manifest::FileEntry;
use crate::shared::Shared;
use crate::store::{Folder, Store};
use crate::work::entry;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The store that attempts elsewhere are described in.
#[derive(Clone)]
pub enum Depot {
    /// A folder, which the places elsewhere see as well.
    Folder(Arc<Folder>),
    /// A bucket.
    Bucket(Arc<Shared>),
}

impl Depot {
    /// The store's root, as an attempt is told of it: a path or a URI.
    pub fn root(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.root().to_owned(),
            Self::Bucket(shared) => PathBuf::from(shared.uri().trim_end_matches('/')),
        }
    }

    pub(super) fn store(&self) -> &dyn Store {
        match self {
            Self::Folder(folder) => folder.as_ref(),
            Self::Bucket(shared) => shared.bucket().as_ref(),
        }
    }

    /// Sends what an attempt takes of this machine where its worker finds it.
    pub(super) fn send_files(&self, attempt: &mut Attempt) -> Result<(), Failure> {
        let Self::Bucket(shared) = self else { return Ok(()) };
        for (field, file) in &mut attempt.files {
            if field.starts_with("files[") && Path::new(&file.written).is_absolute() {
                let message =
                    "a program that runs elsewhere does not find a file under an absolute path of this machine";
                return Err(Failure::failed("file_absolute", message)
                    .on(file.written.clone())
                    .help("name it by a path from the spec's folder: it is then placed where the program begins"));
            }
            *file = shared.lend(file)?;
        }
        Ok(())
    }

    /// Takes the output folder of a number. Returns whether nobody had it. In a bucket there are no folders: there the
    /// description itself takes the number.
    pub(super) fn take(&self, output: &str) -> Result<bool, Failure> {
        match self {
            Self::Folder(folder) => make_first(folder, output),
            Self::Bucket(_) => Ok(true),
        }
    }

    /// Whether an attempt ended well and what it made is there still, so that nobody need make it again. What lacks items
    /// is tried again.
    pub(super) fn is_whole(&self, attempt: &Attempt, outcome: &Outcome) -> Result<bool, Failure> {
        if outcome.failure.is_some() || outcome.items.failed > 0 {
            return Ok(false);
        }
        match self {
            // Its bytes are read: what was taken out of the store for being damaged must not come back by this way.
            Self::Folder(folder) => Ok(outcome.files.iter().all(|file| is_same(folder, file))),
            // Its worker has filed the result; one that stands there no longer was put in quarantine.
            Self::Bucket(shared) => Ok(shared.find(&attempt.fingerprint)?.is_some()),
        }
    }
}

fn is_same(folder: &Folder, file: &FileEntry) -> bool {
    entry(&folder.path(&file.at), &file.path, &file.at).is_ok_and(|now| now == *file)
}

/// Makes a folder of the store. Returns whether it was not there yet.
fn make_first(store: &Folder, at: &str) -> Result<bool, Failure> {
    let folder = store.path(at);
    let parent = folder.parent().unwrap_or(store.root());
    match fs::create_dir_all(parent).and_then(|()| fs::create_dir(&folder)) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(Failure::io("make the folder", &folder, &e)),
    }
}

//! A bucket that machines share results through, and the copy of it on this machine: results there -> files here, and what
//! was made here -> results there.
//!
//! The copy is a folder store in the state folder. Attempts write into it as into any other. Its `results/` hold items, and
//! results of tasks that are not in the bucket yet; its `bytes/` hold files that are in the bucket, each under its digest:
//! whatever lies there was hashed on its way in. What a bucket holds under a path is believed of nobody.

mod bring;
mod items;
mod lend;
mod push;
#[cfg(test)]
mod tests;

use crate::failure::{Class, Failure};
use crate::ids::Fingerprint;
use crate::manifest::{FileEntry, Manifest};
use crate::store::{Folder, Results, Store, StoreError, blocking};
use crate::work::store_failed;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The code of a failure that tells that a result is not what was filed.
pub const DAMAGED: &str = "result_damaged";

/// How many results are put into the bucket at a time, and how many files of each: what they take of the memory.
const PUSHES: usize = 8;
const FILES: usize = 2;
/// The rest before a call to the bucket is tried again; each further one is twice as long. The client below has tried a few
/// times by then, in less than two seconds.
const FIRST_REST: Duration = Duration::from_millis(500);
/// The object that is written to prove that one can be.
const PROOF: &str = "tmp/writable";

/// A bucket and its copy.
pub struct Shared {
    uri: String,
    bucket: Arc<dyn Store>,
    copy: Arc<Folder>,
    /// Numbers the files that are on their way here.
    brought: AtomicU64,
    pushes: Semaphore,
    /// Where files that were put into the bucket lie there, by where they lie here; for one who puts the same file there as
    /// an item and as a part of a result.
    put: Option<Mutex<HashMap<String, FileEntry>>>,
}

impl Shared {
    /// The bucket at `uri` and its copy in a folder, which nobody else uses. Nothing is asked of the bucket yet.
    pub fn of(uri: &str, bucket: Arc<dyn Store>, copy: Arc<Folder>) -> Self {
        let (brought, pushes) = (AtomicU64::new(0), Semaphore::new(PUSHES));
        let shared = Self { uri: uri.to_owned(), bucket, copy, brought, pushes, put: None };
        shared.clear_away();
        shared
    }

    /// The same, for the work of one attempt: it remembers each file that it puts into the bucket.
    #[must_use]
    pub(crate) fn for_one_attempt(self) -> Self {
        Self { put: Some(Mutex::default()), ..self }
    }

    /// What tells the bucket from all other stores.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The bucket itself.
    pub(crate) fn bucket(&self) -> &Arc<dyn Store> {
        &self.bucket
    }

    /// Its copy on this machine.
    pub(crate) fn copy(&self) -> &Folder {
        &self.copy
    }

    /// Proves that results can be filed: the bucket lets us create an object, and once only. A service that takes no notice
    /// of the condition would let the second of two machines overwrite what the first has promised.
    ///
    /// # Errors
    /// When it does not answer, does not let us write, or lets us write twice.
    pub fn prove(&self) -> Result<(), StoreError> {
        for _ in 0..2 {
            match blocking(self.bucket.put_new(PROOF, b"pipe writes here\n")) {
                Err(StoreError::Conflict { .. }) => return Ok(()),
                proved => proved?,
            }
        }
        let why = "it says that it creates an object only if it is not there yet, and has just replaced one";
        let source = io::Error::new(io::ErrorKind::Unsupported, why);
        Err(StoreError::Failed { doing: "keep results in", at: self.uri.clone(), source })
    }

    /// The result under a fingerprint. One that was made here, and did not get as far as the bucket, is put there first.
    ///
    /// # Errors
    /// When the bucket cannot be read, or written.
    pub(crate) fn find(&self, fingerprint: &Fingerprint) -> Result<Option<Manifest>, Failure> {
        let found = patiently(|| self.results().find(fingerprint).map_err(store_failed))?;
        if found.is_some() {
            return Ok(found);
        }
        self.unpushed(fingerprint)?.map(|ours| self.push(ours, false)).transpose()
    }

    /// Takes a result out of the bucket that must not be trusted. It stays in `quarantine/`.
    ///
    /// # Errors
    /// When the bucket cannot be written.
    pub(crate) fn distrust(&self, fingerprint: &Fingerprint) -> Result<(), Failure> {
        patiently(|| self.results().quarantine(fingerprint).map_err(store_failed))
    }

    fn results(&self) -> Results<'_> {
        Results::of(self.bucket.as_ref())
    }

    /// Files that were on their way here when an engine died.
    fn clear_away(&self) {
        let left = fs::read_dir(self.copy.path("tmp")).into_iter().flatten().flatten();
        let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(bring::ON_ITS_WAY));
        left.for_each(|entry| drop(fs::remove_file(entry.path())));
    }
}

/// Where a file lies in the copy once it was brought, from its root. It keeps its name: programs go by endings.
pub(crate) fn here(file: &FileEntry) -> FileEntry {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    let (shelf, rest) = file.blake3.split_at_checked(2).unwrap_or(("", &file.blake3));
    FileEntry { at: format!("bytes/{shelf}/{rest}/{name}"), ..file.clone() }
}

/// Does something of which a failure may be gone in a moment, as often as a class of failures has it.
fn patiently<T>(act: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    let budget = Class::Transient.budget().unwrap_or(0);
    for again in 0..budget {
        match act() {
            Err(failure) if matches!(failure.class, Class::Transient | Class::Throttled) => {
                tracing::debug!(%failure, "the bucket is asked again");
                std::thread::sleep(FIRST_REST * 2_u32.pow(again));
            }
            done => return done,
        }
    }
    act()
}

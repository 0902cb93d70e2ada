//! Results -> those whose files are not what was filed: missing, of another size or, when asked to look deep, of other
//! bytes. Several results name the same file, and it is looked at once.

use super::catalogue::{Catalogue, Entry};
use crate::failure::Failure;
use crate::manifest::{FileEntry, Manifest};
use crate::store::{Folder, Results};
use crate::work::{entry, store_failed};
use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It is not there.
    Missing,
    /// It has so many bytes, and should have others.
    Size(u64),
    /// Its bytes are others than were filed.
    Bytes,
    /// It cannot be read. That may be the disk's trouble and pass, so nothing is decided by it.
    Unreadable(String),
}

/// A result that is not what was filed.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// The result.
    pub entry: Entry,
    /// Its files that are not.
    pub files: Vec<(FileEntry, Trouble)>,
    manifest: Manifest,
}

impl Wrong {
    /// Whether it is known to be wrong, and not only out of reach.
    pub fn is_certain(&self) -> bool {
        self.files.iter().any(|(_, trouble)| !matches!(trouble, Trouble::Unreadable(_)))
    }
}

/// What was looked at, and what is wrong.
#[derive(Debug, Default)]
pub struct Verified {
    /// How many results.
    pub results: usize,
    /// How many files.
    pub files: usize,
    /// Bytes of these.
    pub bytes: u64,
    /// The results that are not what was filed.
    pub wrong: Vec<Wrong>,
    /// The manifests that nothing can be told of.
    pub damaged: Vec<crate::ids::Fingerprint>,
}

/// Looks at the files of all results; with `deep`, reads them. `tell` hears of the bytes that are done, out of all.
///
/// # Errors
/// When the store cannot be read, or its bytes are away as a whole: a disk that is not mounted makes no result wrong.
pub fn verify(store: &Folder, deep: bool, tell: &(dyn Fn(u64, u64) + Sync)) -> Result<Verified, Failure> {
    let Catalogue { results, damaged } = Catalogue::read(store)?;
    let read = |entry: &Entry| Results::of(store).peek(&entry.fingerprint).map_err(store_failed);
    let manifests = results.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let known = || results.iter().zip(&manifests).filter_map(|(entry, manifest)| Some((entry, manifest.as_ref()?)));
    let mut files: Vec<&FileEntry> = known().flat_map(|(_, manifest)| &manifest.files).collect();
    files.sort_by(|a, b| same(a).cmp(&same(b)));
    files.dedup_by(|a, b| same(a) == same(b));
    if !files.is_empty() && !has_bytes(store)? {
        let folder = store.path("data").display().to_string();
        return Err(Failure::failed("no_bytes", "the folder with the bytes of all results is away or empty")
            .on(folder)
            .help("mount its disk; if it is gone for good, the next run makes everything anew"));
    }
    let bytes = files.iter().map(|file| file.size).sum();
    let troubles = look(store, &files, deep, &|done| tell(done, bytes));
    let wrong = |(entry, manifest): (&Entry, &Manifest)| {
        let files = manifest.files.iter();
        let files: Vec<_> = files.filter_map(|file| Some((file.clone(), troubles.get(&same(file))?.clone()))).collect();
        (!files.is_empty()).then(|| Wrong { entry: entry.clone(), files, manifest: manifest.clone() })
    };
    let wrong = known().filter_map(wrong).collect();
    Ok(Verified { results: results.len(), files: files.len(), bytes, wrong, damaged })
}

/// Puts the manifests of results that are wrong in quarantine: the next run makes them again. One that was replaced since
/// it was looked at stays.
///
/// # Errors
/// When the store cannot be written.
pub fn put_aside(store: &Folder, verified: &Verified) -> Result<usize, Failure> {
    let results = Results::of(store);
    let mut aside = 0;
    for wrong in verified.wrong.iter().filter(|wrong| wrong.is_certain()) {
        if results.peek(&wrong.entry.fingerprint).map_err(store_failed)?.as_ref() == Some(&wrong.manifest) {
            results.quarantine(&wrong.entry.fingerprint).map_err(store_failed)?;
            aside += 1;
        }
    }
    for fingerprint in &verified.damaged {
        results.quarantine(fingerprint).map_err(store_failed)?;
        aside += 1;
    }
    Ok(aside)
}

/// What is promised of a file.
fn same(file: &FileEntry) -> (&str, u64, &str) {
    (&file.at, file.size, &file.blake3)
}

fn has_bytes(store: &Folder) -> Result<bool, Failure> {
    let path = store.path("data");
    match fs::read_dir(&path) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Failure::io("look into", &path, &e)),
    }
}

/// The files that are wrong. As many are looked at side by side as there are CPUs.
fn look<'a>(
    store: &Folder,
    files: &[&'a FileEntry],
    deep: bool,
    tell: &(dyn Fn(u64) + Sync),
) -> HashMap<(&'a str, u64, &'a str), Trouble> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new((0, HashMap::new())));
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let trouble = trouble(store, file, deep);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.0 += file.size;
            found.1.extend(trouble.map(|trouble| (same(file), trouble)));
            tell(found.0);
        }
    };
    thread::scope(|scope| {
        (0..thread::available_parallelism().map_or(1, std::num::NonZero::get)).for_each(|_| drop(scope.spawn(work)));
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner).1
}

fn trouble(store: &Folder, file: &FileEntry, deep: bool) -> Option<Trouble> {
    let path = store.path(&file.at);
    match fs::metadata(&path) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Some(Trouble::Missing),
        Err(e) => Some(Trouble::Unreadable(e.to_string())),
        Ok(meta) if !meta.is_file() => Some(Trouble::Missing),
        Ok(meta) if meta.len() != file.size => Some(Trouble::Size(meta.len())),
        Ok(_) if !deep => None,
        Ok(_) => match entry(&path, &file.path, &file.at) {
            Ok(now) => (now.blake3 != file.blake3).then_some(Trouble::Bytes),
            Err(failure) => Some(Trouble::Unreadable(failure.to_string())),
        },
    }
}

//! What a store is asked for results, and a folder's answers: each result by itself, since asking costs next to nothing.

use super::lock;
use crate::failure::Failure;
use crate::ids::Fingerprint;
use crate::manifest::{Artifact, FileEntry, FilePlace, Manifest, place};
use crate::stamp::Stamp;
use crate::state::{Hints, Seen};
use crate::store::lineage::{self, Removed};
use crate::store::{Folder, Results};
use crate::work::{all_there, files_are_there, store_failed};
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard};

/// A store in which results are looked for.
pub(super) trait Shelf: Send + Sync {
    /// Makes sure that questions will be answered.
    fn reach(&self) -> Result<(), Failure>;

    /// Whether there is a result.
    fn has(&self, fingerprint: &Fingerprint) -> Result<bool, Failure>;

    /// The results themselves, of those that are there.
    fn artifacts(&self, fingerprints: &[&Fingerprint]) -> Result<Vec<Option<Artifact>>, Failure>;

    /// All that is known of a result, when it is there.
    fn manifest(&self, fingerprint: &Fingerprint) -> Result<Option<Manifest>, Failure>;

    /// What is known of a result that was removed.
    fn removed(&self, _: &Fingerprint) -> Option<Removed> {
        None
    }

    /// As [`Shelf::manifest`] of each, where that is faster at once. They are there until others are asked for.
    fn ask_ahead(&self, fingerprints: &[&Fingerprint]) -> Result<(), Failure>;

    /// The bytes of a file of a result.
    fn bytes(&self, file: &FileEntry) -> Result<Vec<u8>, Failure>;

    /// Puts a result aside of which a file was not what was filed, where that is for us to do.
    fn distrust(&self, _: &Fingerprint) -> Result<(), Failure> {
        Ok(())
    }

    /// Takes note of a result that was just published.
    fn remember(&self, artifact: Arc<Artifact>);
}

/// A folder, and what is remembered of it.
pub(super) struct InFolder {
    pub(super) store: Arc<Folder>,
    pub(super) hints: Arc<Mutex<Hints>>,
    /// Whether results that cannot be trusted are put aside. If not, they count as absent and stay in place.
    pub(super) repairs: bool,
    /// Whether there are no results at all, so that nobody need look for one.
    pub(super) is_empty: bool,
    /// Whether what is found is worth remembering.
    pub(super) remembers: bool,
}

impl InFolder {
    /// One result. A manifest that was seen before and whose file is the same is not opened again: `seen` takes what it
    /// needs out of the hints, `read` out of a manifest that was opened.
    fn find<T>(
        &self,
        fingerprint: &Fingerprint,
        seen: impl FnOnce(&Hints, &Seen) -> Option<T>,
        read: impl FnOnce(Artifact) -> T,
    ) -> Result<Option<T>, Failure> {
        if self.is_empty {
            return Ok(None);
        }
        let last = self.hints().seen(fingerprint).cloned();
        if last.is_none() && !self.repairs {
            return Ok(self.open(fingerprint)?.map(read));
        }
        let meta = fs::metadata(self.store.path(&place(fingerprint)));
        let Some(stamp) = meta.ok().map(|meta| Stamp::of(&meta)) else { return Ok(None) };
        let same = last.filter(|last| last.stamp == stamp);
        if let Some(known) = same.and_then(|last| seen(&self.hints(), &last)) {
            return Ok(Some(known));
        }
        if !self.repairs {
            return Ok(self.open(fingerprint)?.map(read));
        }
        let found = Results::of(self.store.as_ref()).find(fingerprint).map_err(store_failed)?.map(Artifact::from);
        Ok(found.inspect(|artifact| self.hints().remember_result(stamp, artifact)).map(read))
    }

    /// Reads a result and leaves it as it is.
    fn open(&self, fingerprint: &Fingerprint) -> Result<Option<Artifact>, Failure> {
        let Some((bytes, stamp)) = self.store.get_stamped(&place(fingerprint)).map_err(store_failed)? else {
            return Ok(None);
        };
        let found = Artifact::from_manifest(fingerprint, &bytes);
        Ok(found.inspect(|artifact| self.hints().remember_result(stamp, artifact)))
    }

    /// Where the files of a result lie.
    fn places(&self, fingerprint: &Fingerprint) -> Result<Option<Vec<FilePlace>>, Failure> {
        if self.remembers || self.repairs {
            let read = |artifact: Artifact| artifact.files.into_iter().map(FilePlace::from).collect();
            return self.find(fingerprint, Hints::places, read);
        }
        if self.is_empty {
            return Ok(None);
        }
        let read = self.store.get_stamped(&place(fingerprint)).map_err(store_failed)?;
        Ok(read.and_then(|(bytes, _)| FilePlace::all_of_manifest(fingerprint, &bytes)))
    }

    /// What is left of a result once its files were looked for.
    fn whole<T>(&self, fingerprint: &Fingerprint, found: Option<T>, is_whole: bool) -> Result<Option<T>, Failure> {
        if is_whole || found.is_none() {
            return Ok(found);
        }
        if self.repairs {
            Results::of(self.store.as_ref()).quarantine(fingerprint).map_err(store_failed)?;
        }
        Ok(None)
    }

    fn artifact(&self, fingerprint: &Fingerprint) -> Result<Option<Artifact>, Failure> {
        let seen = |hints: &Hints, last: &Seen| hints.result(fingerprint, last);
        let found = self.find(fingerprint, seen, |artifact| artifact)?;
        let is_whole = found.as_ref().map_or(Ok(true), |artifact| files_are_there(&self.store, &artifact.files))?;
        self.whole(fingerprint, found, is_whole)
    }

    fn hints(&self) -> MutexGuard<'_, Hints> {
        lock(&self.hints)
    }
}

impl Shelf for InFolder {
    fn reach(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn has(&self, fingerprint: &Fingerprint) -> Result<bool, Failure> {
        let found = self.places(fingerprint)?;
        let files = found.iter().flatten().map(|file| (file.at.as_str(), file.size));
        let is_whole = all_there(&self.store, files)?;
        Ok(self.whole(fingerprint, found, is_whole)?.is_some())
    }

    fn artifacts(&self, fingerprints: &[&Fingerprint]) -> Result<Vec<Option<Artifact>>, Failure> {
        fingerprints.iter().map(|fingerprint| self.artifact(fingerprint)).collect()
    }

    fn manifest(&self, fingerprint: &Fingerprint) -> Result<Option<Manifest>, Failure> {
        let manifest = Results::of(self.store.as_ref()).peek(fingerprint).map_err(store_failed)?;
        match manifest {
            Some(manifest) if files_are_there(&self.store, &manifest.files)? => Ok(Some(manifest)),
            _ => Ok(None),
        }
    }

    fn removed(&self, fingerprint: &Fingerprint) -> Option<Removed> {
        lineage::find(&self.store, fingerprint).ok().flatten()
    }

    fn ask_ahead(&self, _: &[&Fingerprint]) -> Result<(), Failure> {
        Ok(())
    }

    fn bytes(&self, file: &FileEntry) -> Result<Vec<u8>, Failure> {
        let path = self.store.path(&file.at);
        fs::read(&path).map_err(|error| Failure::io("read the rows", &path, &error))
    }

    fn remember(&self, artifact: Arc<Artifact>) {
        if let Ok(meta) = fs::metadata(self.store.path(&place(&artifact.fingerprint))) {
            self.hints().remember_made(Stamp::of(&meta), artifact);
        }
    }
}

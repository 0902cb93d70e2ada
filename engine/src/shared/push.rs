//! What was made here -> a result in the bucket: its files first, and last the manifest that promises them. Both are created
//! and never replaced, so that whoever dies, or comes second, leaves nothing that anybody takes for a result.

use super::{FILES, Shared, patiently};
use crate::failure::{Class, Failure};
use crate::ids::Fingerprint;
use crate::manifest::{FileEntry, Manifest, Of, place};
use crate::store::{Filed, Results, Store, StoreError, blocking};
use crate::work::{files_are_there, store_failed, warn_of_difference};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::io;
use std::sync::{MutexGuard, PoisonError};

/// Under how many other names a file is put whose own is taken by something else.
const NAMES: u32 = 50;
/// Bytes of a file in the bucket that are compared at once.
const PIECE: u64 = 4 << 20;

impl Shared {
    /// Puts a result into the bucket that is filed in the copy. Returns the one that stands there afterwards: somebody may
    /// have been first, and theirs counts unless ours is to replace it.
    ///
    /// # Errors
    /// When the bucket cannot be written. The result stays in the copy, and the next run that wants it puts it there.
    pub(crate) fn push(&self, ours: Manifest, replaces: bool) -> Result<Manifest, Failure> {
        let turn = blocking(Box::pin(self.pushes.acquire()));
        let there = patiently(|| self.try_to_push(&ours, replaces)).map_err(|failure| self.kept(failure))?;
        drop(turn);
        // Whatever becomes of the copy, the bucket has it.
        if let Err(failure) = self.settle(&ours, &there) {
            tracing::debug!(%failure, "what is in the bucket is not kept here");
        }
        Ok(there)
    }

    /// Keeps what was made here and is in the bucket, so that it is not brought, nor put there again.
    fn settle(&self, ours: &Manifest, there: &Manifest) -> Result<(), Failure> {
        if there.digest == ours.digest {
            for (made, file) in ours.files.iter().zip(&there.files) {
                self.keep(file, &self.copy.path(&made.at))?;
            }
        }
        blocking(self.copy.delete(&place(&ours.fingerprint))).map_err(store_failed)
    }

    /// The result under a fingerprint that was made here and did not get as far as the bucket.
    pub(super) fn unpushed(&self, fingerprint: &Fingerprint) -> Result<Option<Manifest>, Failure> {
        let ours = Results::of(self.copy.as_ref()).find(fingerprint).map_err(store_failed)?;
        match ours.filter(|ours| ours.of == Of::Task) {
            Some(ours) if files_are_there(&self.copy, &ours.files)? => Ok(Some(ours)),
            _ => Ok(None),
        }
    }

    fn try_to_push(&self, ours: &Manifest, replaces: bool) -> Result<Manifest, Failure> {
        let results = self.results();
        if !replaces && let Some(theirs) = results.find(&ours.fingerprint).map_err(store_failed)? {
            return Ok(given_way(ours, theirs));
        }
        let files = stream::iter(&ours.files).map(|file| self.upload(file)).buffered(FILES);
        let files = blocking(Box::pin(files.try_collect::<Vec<FileEntry>>()))?;
        let ours = Manifest { files, ..ours.clone() };
        match results.file(&ours).map_err(store_failed)? {
            Filed::Ours => Ok(ours),
            Filed::Theirs(theirs) if replaces && *theirs != ours => {
                let is_ours = results.replace(&theirs, &ours).map_err(store_failed)?;
                if is_ours { Ok(ours) } else { Err(moved(&ours)) }
            }
            Filed::Theirs(theirs) => Ok(given_way(&ours, *theirs)),
        }
    }

    /// Puts a file into the bucket, and says where it lies there. Under its own path there may be something else: what
    /// another machine has made under the same number, or what was spoilt. Then the number is raised.
    async fn upload(&self, file: &FileEntry) -> Result<FileEntry, Failure> {
        if let Some(there) = self.known_put(file) {
            return Ok(there);
        }
        let made = self.copy.path(&file.at);
        for raised in 0..NAMES {
            let at = renumbered(&file.at, raised);
            let there = match self.bucket.put_file(&at, &made, &file.blake3).await {
                Err(StoreError::Conflict { .. }) => self.has(&at, file).await.map_err(store_failed)?,
                put => put.map(|()| true).map_err(store_failed)?,
            };
            if there {
                let there = FileEntry { at, ..file.clone() };
                self.puts().iter_mut().for_each(|puts| drop(puts.insert(file.at.clone(), there.clone())));
                return Ok(there);
            }
        }
        Err(Failure::failed("store", "other files lie wherever this one could").on(file.at.clone()))
    }

    /// Takes note of files that came from the bucket, so that they are not put there again.
    pub(crate) fn came_from_there<'f>(&self, files: impl Iterator<Item = &'f FileEntry>) {
        if let Some(mut puts) = self.puts() {
            puts.extend(files.map(|file| (file.at.clone(), file.clone())));
        }
    }

    /// Where a file lies in the bucket that was put there before, perhaps under another path of its artifact.
    fn known_put(&self, file: &FileEntry) -> Option<FileEntry> {
        let there = self.puts()?.get(&file.at).filter(|there| there.blake3 == file.blake3)?.clone();
        Some(FileEntry { path: file.path.clone(), ..there })
    }

    fn puts(&self) -> Option<MutexGuard<'_, HashMap<String, FileEntry>>> {
        self.put.as_ref().map(|put| put.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether an object has these bytes. All of them are read: this comes after a race, or when a run goes on.
    async fn has(&self, at: &str, file: &FileEntry) -> Result<bool, StoreError> {
        if self.bucket.stat(at).await?.is_none_or(|stat| stat.size != file.size) {
            return Ok(false);
        }
        let (mut hasher, mut offset) = (blake3::Hasher::new(), 0);
        while offset < file.size {
            let piece = self.bucket.get_range(at, offset, PIECE.min(file.size - offset)).await?;
            if piece.is_empty() {
                return Ok(false);
            }
            hasher.update(&piece);
            offset += piece.len() as u64;
        }
        Ok(hasher.finalize().to_hex().as_str() == file.blake3)
    }

    fn kept(&self, failure: Failure) -> Failure {
        if !matches!(failure.class, Class::Transient | Class::Throttled) {
            return failure;
        }
        // To do the work again would not help: it is done.
        let message = format!("the result did not get into the store: {}", failure.message);
        Failure { class: Class::Failed, code: "store_lost".to_owned(), message, ..failure }
            .help("it is kept in the state folder: run again when the store answers, and it is put there first")
    }
}

/// Somebody has filed a result under the same key first: it counts, and is told of.
fn given_way(ours: &Manifest, theirs: Manifest) -> Manifest {
    let task = &ours.provenance.task;
    if theirs.digest == ours.digest {
        tracing::info!(%task, run = %theirs.provenance.run.0, "another run has put the same result into the store first");
    } else {
        warn_of_difference(ours, &theirs);
    }
    theirs
}

fn moved(ours: &Manifest) -> Failure {
    let source = io::Error::other("it keeps changing");
    store_failed(StoreError::Away { doing: "replace", at: place(&ours.fingerprint), class: Class::Transient, source })
}

/// `data/p/s/cell@1a2b3c4d-1/path` with the attempt's number raised.
fn renumbered(at: &str, raised: u32) -> String {
    if raised == 0 {
        return at.to_owned();
    }
    let folder_ends = at.match_indices('/').nth(3).map_or(at.len(), |(end, _)| end);
    let (folder, path) = at.split_at(folder_ends);
    match folder.rsplit_once('-').and_then(|(stem, number)| Some((stem, number.parse::<u32>().ok()?))) {
        Some((stem, number)) => format!("{stem}-{}{path}", number.saturating_add(raised)),
        None => format!("{folder}-{raised}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_raised_in_the_name_of_the_folder_and_nowhere_else() {
        let cases = [
            ("data/p/s/a=1@1a2b3c4d-1/b-7/c-8.txt", 0, "data/p/s/a=1@1a2b3c4d-1/b-7/c-8.txt"),
            ("data/p/s/a=1@1a2b3c4d-1/b-7/c-8.txt", 2, "data/p/s/a=1@1a2b3c4d-3/b-7/c-8.txt"),
            ("data/p/s/@1a2b3c4d-9/c", 1, "data/p/s/@1a2b3c4d-10/c"),
            ("data/p/s/unnumbered/c", 3, "data/p/s/unnumbered-3/c"),
        ];
        for (at, raised, expected) in cases {
            assert_eq!(renumbered(at, raised), expected);
        }
    }
}

//! Results in the bucket -> files in the copy, under their digests. What is copied is hashed on the way: a file that is not
//! what its result says never gets its place, and the result is put in quarantine.

use super::{DAMAGED, FILES, Shared, here};
use crate::attempt::Attempt;
use crate::failure::{Class, Failure};
use crate::manifest::{Artifact, FileEntry};
use crate::store::{StoreError, blocking};
use crate::work::{entry, seal, store_failed};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How the names of files begin that are on their way here.
pub(super) const ON_ITS_WAY: &str = "bring-";

/// Bytes that are asked for at once, and how many such questions of one file are under way: what a file takes of the memory.
const PIECE: u64 = 4 << 20;
const PIECES: usize = 4;

impl Shared {
    /// Brings all files of a result here.
    ///
    /// # Errors
    /// [`DAMAGED`] when one is not what was filed: the result is in quarantine then. Else when the bucket cannot be read, or
    /// the copy cannot be written.
    pub(super) fn restore(&self, artifact: &Artifact) -> Result<(), Failure> {
        let brought = self.bring_all(&artifact.files);
        if brought.as_ref().is_err_and(|failure| failure.code == DAMAGED) {
            self.distrust(&artifact.fingerprint)?;
        }
        brought
    }

    /// Brings files of a result here.
    ///
    /// # Errors
    /// As [`Shared::restore`]; nothing is put in quarantine.
    pub(crate) fn bring_all(&self, files: &[FileEntry]) -> Result<(), Failure> {
        let files = stream::iter(files).map(|file| self.bring(file));
        blocking(Box::pin(files.buffer_unordered(FILES).try_for_each(|_| async { Ok(()) })))
    }

    /// An attempt as it finds its inputs on this machine, once all that it needs is here.
    ///
    /// # Errors
    /// As [`Shared::restore`].
    pub(crate) fn ready(&self, mut attempt: Attempt, needs: &[Arc<Artifact>]) -> Result<Attempt, Failure> {
        needs.iter().try_for_each(|artifact| self.restore(artifact))?;
        for file in attempt.inputs.values_mut().flatten().flat_map(|input| &mut input.files) {
            *file = here(file);
        }
        Ok(attempt)
    }

    /// Where a file of a result lies once it is here, which it is after this.
    ///
    /// # Errors
    /// As [`Shared::restore`]; nothing is put in quarantine.
    pub(crate) fn brought(&self, file: &FileEntry) -> Result<PathBuf, Failure> {
        blocking(Box::pin(self.bring(file)))
    }

    async fn bring(&self, file: &FileEntry) -> Result<PathBuf, Failure> {
        let place = self.copy.path(&here(file).at);
        if is_whole(&place, file) || self.keep(file, &self.copy.path(&file.at))? {
            return Ok(place);
        }
        // What was spoilt on its way is not spoilt there: only what is wrong twice is.
        match self.fetch(file, &place).await {
            Err(failure) if failure.code == DAMAGED => self.fetch(file, &place).await?,
            fetched => fetched?,
        }
        Ok(place)
    }

    /// Takes a file of the copy as the one of a result, if it is that. Such a file was made here.
    pub(super) fn keep(&self, file: &FileEntry, made: &Path) -> Result<bool, Failure> {
        let place = self.copy.path(&here(file).at);
        if is_whole(&place, file) {
            return Ok(true);
        }
        // Under this path another machine may have made something else.
        let is_same = is_whole(made, file) && entry(made, &file.path, &file.at)?.blake3 == file.blake3;
        if is_same {
            make_room(&place)?;
            match fs::hard_link(made, &place) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => self.copied(made, &place)?,
                _ => {}
            }
        }
        Ok(is_same)
    }

    /// For file systems without links.
    pub(super) fn copied(&self, made: &Path, place: &Path) -> Result<(), Failure> {
        let aside = self.aside();
        let copied = fs::copy(made, &aside).and_then(|_| fs::rename(&aside, place));
        copied.map_err(|e| Failure::io("copy", place, &e))
    }

    /// A name for a file that is on its way to its place.
    fn aside(&self) -> PathBuf {
        let number = self.brought.fetch_add(1, Ordering::Relaxed);
        self.copy.path(&format!("tmp/{ON_ITS_WAY}{number}"))
    }

    async fn fetch(&self, file: &FileEntry, place: &Path) -> Result<(), Failure> {
        let aside = self.aside();
        let fetched = self.fetch_aside(file, &aside).await.and_then(|()| {
            seal(&aside)?;
            make_room(place)?;
            fs::rename(&aside, place).map_err(|e| Failure::io("put in place", place, &e))
        });
        if fetched.is_err() {
            let _ = fs::remove_file(&aside);
        }
        fetched
    }

    /// Copies a file of the bucket. It is on the disk, and what its result says, when this comes back well.
    async fn fetch_aside(&self, file: &FileEntry, aside: &Path) -> Result<(), Failure> {
        let write_failed = |e: io::Error| Failure::io("write", aside, &e);
        let (mut copy, mut hasher) = (File::create(aside).map_err(write_failed)?, blake3::Hasher::new());
        let offsets = (0..file.size.div_ceil(PIECE)).map(|piece| piece * PIECE);
        let ask = |offset: u64| self.bucket.get_range(&file.at, offset, PIECE.min(file.size - offset));
        let mut pieces = stream::iter(offsets).map(ask).buffered(PIECES);
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Err(StoreError::Missing { .. }) => return Err(self.damaged(file, "is gone")),
                piece => piece.map_err(store_failed)?,
            };
            hasher.update(&piece);
            copy.write_all(&piece).map_err(write_failed)?;
        }
        if hasher.finalize().to_hex().as_str() != file.blake3 {
            return Err(self.damaged(file, "is not what was filed"));
        }
        copy.sync_data().map_err(write_failed)
    }

    fn damaged(&self, file: &FileEntry, how: &str) -> Failure {
        let message = format!("a result was put in quarantine: `{}` {how}", file.path);
        Failure::of(Class::Failed, DAMAGED, message)
            .on(format!("{}/{}", self.uri().trim_end_matches('/'), file.at))
            .help("run again: the task that made it makes it anew")
    }
}

fn is_whole(place: &Path, file: &FileEntry) -> bool {
    fs::symlink_metadata(place).is_ok_and(|meta| meta.is_file() && meta.len() == file.size)
}

pub(super) fn make_room(place: &Path) -> Result<(), Failure> {
    let folder = place.parent().unwrap_or(place);
    fs::create_dir_all(folder).map_err(|e| Failure::io("make the folder", folder, &e))
}

//! Files of this machine that a task names -> the bucket, each once under its digest, for an attempt that runs elsewhere;
//! and there -> files again.

use super::{DAMAGED, Shared, patiently};
use crate::attempt::SourceFile;
use crate::failure::{Class, Failure};
use crate::manifest::FileEntry;
use crate::stamp::companion;
use crate::store::{StoreError, blocking};
use crate::units::Bytes;
use crate::work::store_failed;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The most bytes of one file of this machine that goes with an attempt. What is larger belongs into a bucket, where it
/// is read by ranges and not copied for each task.
const MOST: Bytes = Bytes(1 << 30);

impl Shared {
    /// Puts a file into the bucket, unless it lies there or elsewhere already. Returns it as whoever runs the attempt is
    /// told of it: nothing of this machine's paths but its name.
    ///
    /// # Errors
    /// When it is too large, is not what was hashed, or the bucket cannot be written.
    pub(crate) fn lend(&self, file: &SourceFile) -> Result<SourceFile, Failure> {
        if file.remote.is_some() {
            return Ok(file.clone());
        }
        may_be_lent(file)?;
        let at = path_of_lent(&file.blake3);
        let there = patiently(|| blocking(self.bucket.stat(&at)).map_err(store_failed))?;
        if there.is_none_or(|there| there.size != file.size) {
            patiently(|| match blocking(self.bucket.put_file(&at, &file.path, &file.blake3)) {
                Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
                Err(error) => Err(store_failed(error)),
            })?;
        }
        let name = file.path.file_name().unwrap_or_default();
        Ok(SourceFile { path: PathBuf::from(name), stamps: BTreeMap::new(), ..file.clone() })
    }

    /// A file that was lent, as it lies on this machine after this. What lies elsewhere is left there.
    ///
    /// # Errors
    /// When the bucket cannot be read, or has other bytes.
    pub(crate) fn borrowed(&self, file: &SourceFile) -> Result<SourceFile, Failure> {
        if file.remote.is_some() {
            return Ok(file.clone());
        }
        let path = file.path.to_string_lossy().into_owned();
        let entry = FileEntry { path, size: file.size, blake3: file.blake3.clone(), at: path_of_lent(&file.blake3) };
        let path = self.brought(&entry).map_err(|failure| self.not_as_lent(failure, &entry))?;
        // Whether it was a program there nobody tells, and whoever starts none does not mind.
        fs::set_permissions(&path, Permissions::from_mode(0o555))
            .map_err(|e| Failure::io("make read-only", &path, &e))?;
        Ok(SourceFile { path, ..file.clone() })
    }

    /// `pipe cache gc` may have removed a file while an attempt was described that takes it: then the next attempt sends it again.
    fn not_as_lent(&self, failure: Failure, file: &FileEntry) -> Failure {
        if failure.code != DAMAGED {
            return failure;
        }
        if matches!(blocking(self.bucket.stat(&file.at)), Ok(None)) {
            return Failure::of(
                Class::Transient,
                "file_gone",
                "a file that went with the task was removed from the store",
            )
            .on(file.at.clone())
            .help("run again: it is sent anew");
        }
        Failure::failed("file_damaged", "a file that went with the task is not there as it was sent")
            .on(file.at.clone())
            .help("remove that object from the store and run again: it is sent anew")
    }
}

/// Where a file lies in the bucket that is no result, by its digest.
fn path_of_lent(blake3: &str) -> String {
    format!("files/{blake3}")
}

fn may_be_lent(file: &SourceFile) -> Result<(), Failure> {
    let shown = file.path.display().to_string();
    if file.size > MOST.0 {
        let size = Bytes(file.size);
        let message = format!("a file of {size} does not go with a task that runs elsewhere: the most is {MOST}");
        return Err(Failure::failed("file_too_large", message)
            .on(shown)
            .help("put it into a bucket and name it by its URI, or run the task with `backend = \"local\"`"));
    }
    let beside = |suffix: &&String| !suffix.is_empty() && holds_something(&companion(&file.path, suffix));
    if let Some(suffix) = file.stamps.keys().find(beside) {
        let message = format!("it does not go alone with a task that runs elsewhere: a part of it lies in `*{suffix}`");
        return Err(Failure::failed("file_in_parts", message)
            .on(shown)
            .help("close what has the database open, so that its log is written out; or run the task with `backend = \"local\"`"));
    }
    file.check_unchanged()
}

fn holds_something(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.len() > 0)
}

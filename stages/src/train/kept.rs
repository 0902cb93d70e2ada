//! What a training has learned -> a file for the next attempt at it, written anew at the end of each epoch.

use super::builtin::Learned;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the file.
const FILE: &str = "epoch";

/// Keeps it where attempts go on from one another.
pub(super) struct Kept {
    folder: Option<PathBuf>,
}

impl Kept {
    pub(super) fn of(checkpoints: Option<&Path>) -> Self {
        Self { folder: checkpoints.map(Path::to_owned) }
    }

    /// What the attempt before has kept, if it came that far.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        fs::read(self.folder.as_ref()?.join(FILE)).ok()
    }

    /// Keeps what was learned. Where that fails, such as on a full disk, a later attempt has more to do, and nothing else is lost.
    pub(super) fn keep(&self, learned: &Learned<'_>) {
        let Some(folder) = &self.folder else { return };
        let kept = learned.to_bytes().map_err(io::Error::other).and_then(|bytes| write(folder, &bytes));
        if let Err(error) = kept {
            tracing::debug!(%error, epoch = learned.numbers().epoch, "what was learned is not kept for another attempt");
        }
    }
}

/// The name is given when all of it is there; it is not flushed, since after a power cut the digest tells.
fn write(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let staged = folder.join(format!("{FILE}.new"));
    fs::write(&staged, bytes)?;
    fs::rename(staged, folder.join(FILE))
}

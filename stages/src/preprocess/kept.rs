//! Tensors of clips whose shard is not whole yet -> files of their own, from which the next attempt goes on. A shard is one file
//! and lies in the store once it is whole; these lie beside it only until then, so that a kill costs a clip and not a shard.

use super::shards::Clip;
use pipe_engine::ids::Fingerprint;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The clips of one shard that earlier attempts have finished, and those that this one will.
pub(super) struct Kept {
    /// `None` where attempts do not go on from one another.
    folder: Option<PathBuf>,
    /// Bytes of a clip's tensor.
    length: usize,
}

impl Kept {
    /// Those of the shard with this key, in `checkpoints`. A shard of one clip is kept by being finished.
    pub(super) fn of(checkpoints: Option<&Path>, shard: &Fingerprint, clips: usize, length: usize) -> Self {
        let folder = checkpoints.filter(|_| clips > 1).map(|all| all.join(&shard.0));
        Self { folder, length }
    }

    /// The clip of that row, if it was kept and every byte of it is as it was.
    pub(super) fn take(&self, row: usize, id: &str) -> Option<Clip> {
        let bytes = fs::read(self.folder.as_ref()?.join(row.to_string())).ok()?;
        let (digest, content) = bytes.split_at_checked(blake3::OUT_LEN)?;
        if blake3::hash(content).as_bytes() != digest {
            return None;
        }
        let (frames, tensor) = content.split_at_checked(content.len().checked_sub(self.length)?)?;
        let frames = frames.chunks_exact(8).map(|number| u64::from_le_bytes(number.try_into().unwrap_or_default()));
        Some(Clip { id: id.to_owned(), frames: frames.map(|n| n as usize).collect(), tensor: tensor.to_vec() })
    }

    /// Keeps a clip. Where that fails, such as on a full disk, a later attempt has more to do, and nothing else is lost.
    pub(super) fn keep(&self, row: usize, clip: &Clip) {
        if let Some(folder) = &self.folder
            && let Err(error) = write(folder, row, clip)
        {
            tracing::debug!(%error, clip = clip.id, "its tensor is not kept for another attempt");
        }
    }

    /// Removes what was kept: the shard is whole.
    pub(super) fn forget(&self) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A digest of what follows, the frames' numbers, the tensor. The name is given when all of it is there; it is not flushed,
/// since after a power cut the digest tells.
fn write(folder: &Path, row: usize, clip: &Clip) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut bytes = vec![0; blake3::OUT_LEN];
    clip.frames.iter().for_each(|frame| bytes.extend((*frame as u64).to_le_bytes()));
    bytes.extend_from_slice(&clip.tensor);
    let digest = blake3::hash(&bytes[blake3::OUT_LEN..]);
    bytes[..blake3::OUT_LEN].copy_from_slice(digest.as_bytes());
    let staged = folder.join(format!("{row}.new"));
    fs::write(&staged, bytes)?;
    fs::rename(staged, folder.join(row.to_string()))
}

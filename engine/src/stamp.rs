//! What tells whether a file is still the same without reading it.

use serde::{Deserialize, Serialize};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Device, inode, size, mtime and ctime of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct FileStamp(pub String);

impl FileStamp {
    /// The stamp of a file.
    pub fn of(meta: &Metadata) -> Self {
        Self(format!(
            "{}:{}:{}:{}.{}:{}.{}",
            meta.dev(),
            meta.ino(),
            meta.size(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec()
        ))
    }

    /// The stamp of a file that may be absent. An empty one says as much as an absent one: nothing.
    ///
    /// # Errors
    /// When the file is there and cannot be looked at.
    pub fn of_companion(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(meta) if meta.len() > 0 => Ok(Self::of(&meta)),
            Ok(_) => Ok(Self("nothing".to_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self("nothing".to_owned())),
            Err(e) => Err(e),
        }
    }
}

/// As [`FileStamp`], in numbers: for what is remembered of a hundred thousand files and shown to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp([i64; 7]);

impl Stamp {
    /// How many bytes it is written in.
    const BYTES: usize = 56;

    /// The stamp of a file.
    pub fn of(meta: &Metadata) -> Self {
        let [device, inode, size] = [meta.dev(), meta.ino(), meta.size()].map(u64::cast_signed);
        Self([device, inode, size, meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()])
    }

    /// The stamp of an object in the bucket `store`. `tag` is what its service changes when the object does.
    pub fn of_object(store: &str, size: u64, tag: Option<&str>) -> Self {
        let text = format!("{store}\0{}\0{size}", tag.unwrap_or_default());
        let mut numbers = [0; 7];
        let hash = blake3::derive_key("pipe 2026-11 stamp of an object v1", text.as_bytes());
        numbers.iter_mut().zip(hash.as_chunks().0).for_each(|(there, bytes)| *there = i64::from_le_bytes(*bytes));
        Self(numbers)
    }

    /// The stamp in bytes.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes.as_chunks_mut().0.iter_mut().zip(self.0).for_each(|(there, number)| *there = number.to_le_bytes());
        bytes
    }

    /// The stamp that was written in these bytes; `None` when they are too few or too many.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let mut numbers = [0; 7];
        numbers.iter_mut().zip(bytes.as_chunks().0).for_each(|(there, number)| *there = i64::from_le_bytes(*number));
        Some(Self(numbers))
    }
}

/// The file beside `path` whose name has `suffix` at its end.
pub fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_out_of_its_bytes() {
        let stamp = Stamp([1, i64::MIN, i64::MAX, -1, 0, 7, 1 << 40]);
        let bytes = stamp.to_bytes();
        assert_eq!(Stamp::from_bytes(&bytes), Some(stamp));
        assert_eq!(Stamp::from_bytes(&bytes[1..]), None);
        assert_eq!(Stamp::from_bytes(&bytes[8..]), None);
        assert_eq!(Stamp::from_bytes(&[]), None);
    }
}

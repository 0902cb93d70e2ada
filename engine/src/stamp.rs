//! What tells whether a file is still the same without reading it.

use crate::world::Timestamp;
use rustix::fs::Stat;
use serde::{Deserialize, Serialize};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files changed less than this before they were read may change again without a trace in their times: what was read of
/// them is not remembered. File systems step their clocks by at most this much.
const RACY_MS: u64 = 2000;

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

    /// The same in numbers. `None` when it is of no file.
    pub fn numbers(&self) -> Option<Stamp> {
        let mut parts = self.0.split([':', '.']);
        let mut numbers = [0; 7];
        for (place, number) in numbers.iter_mut().enumerate() {
            let part = parts.next()?;
            // Devices, inodes and sizes have no sign.
            *number = if place < 3 { part.parse::<u64>().ok()?.cast_signed() } else { part.parse().ok()? };
        }
        parts.next().is_none().then_some(Stamp(numbers))
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp([i64; 7]);

impl Stamp {
    /// How many bytes it is written in.
    const BYTES: usize = 56;

    /// The stamp of a file.
    pub fn of(meta: &Metadata) -> Self {
        let [device, inode, size] = [meta.dev(), meta.ino(), meta.size()].map(u64::cast_signed);
        Self([device, inode, size, meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()])
    }

    /// The same, of what the kernel tells without the standard library in between.
    pub fn of_stat(stat: &Stat) -> Self {
        let [device, inode] = [stat.st_dev, stat.st_ino].map(u64::cast_signed);
        let (modified, changed) = (stat.st_mtime_nsec.cast_signed(), stat.st_ctime_nsec.cast_signed());
        Self([device, inode, stat.st_size, stat.st_mtime, modified, stat.st_ctime, changed])
    }

    /// The stamp of an object in the bucket `store`. `tag` is what its service changes when the object does.
    pub fn of_object(store: &str, size: u64, tag: Option<&str>) -> Self {
        let text = format!("{store}\0{}\0{size}", tag.unwrap_or_default());
        let mut numbers = [0; 7];
        let hash = blake3::derive_key("pipe 2026-11 stamp of an object v1", text.as_bytes());
        numbers.iter_mut().zip(hash.as_chunks().0).for_each(|(there, bytes)| *there = i64::from_le_bytes(*bytes));
        Self(numbers)
    }

    /// Whether the file changed so shortly before `now`, or after it, that it may change again without a trace in its times.
    pub fn is_racy(&self, now: Timestamp) -> bool {
        let [_, _, _, modified, _, changed, _] = self.0;
        let last = modified.max(changed).max(0).cast_unsigned().saturating_mul(1000);
        last.saturating_add(RACY_MS) >= now.0
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
    fn a_stamp_in_words_is_the_same_in_numbers() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let meta = file.path().metadata().unwrap();
        assert_eq!(FileStamp::of(&meta).numbers(), Some(Stamp::of(&meta)));
        assert_eq!(Stamp::of_stat(&rustix::fs::stat(file.path()).unwrap()), Stamp::of(&meta));
        assert_eq!(FileStamp("nothing".to_owned()).numbers(), None);
        assert_eq!(FileStamp("1:2:3:4.5:6.7:8".to_owned()).numbers(), None);
    }

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

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

/// The file beside `path` whose name has `suffix` at its end.
pub fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

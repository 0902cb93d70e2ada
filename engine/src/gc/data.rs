//! `data/` and `tmp/` -> the files and folders that lie there, and since when nobody has touched them.

use crate::failure::Failure;
use crate::store::Folder;
use crate::world::Timestamp;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One file, or what else lies in the place of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Where it lies, from the store's root.
    pub at: String,
    /// Bytes.
    pub size: u64,
    /// When it, or what is known of it, was last changed.
    pub touched: Timestamp,
    /// Whether it is a link. Those are never followed.
    pub is_link: bool,
}

/// What lies in a folder of the store.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The files, in no order.
    pub files: Vec<DataFile>,
    /// The folders, each behind those that it holds.
    pub folders: Vec<DataFile>,
}

impl Found {
    /// Looks through a folder; one that is not there holds nothing.
    ///
    /// # Errors
    /// When it cannot be listed: half a list would be worse than none.
    pub fn under(store: &Folder, folder: &str) -> Result<Self, Failure> {
        let mut found = Self::default();
        let path = store.path(folder);
        found.walk(&path, folder).map_err(|e| Failure::io("look through", &path, &e))?;
        Ok(found)
    }

    fn walk(&mut self, path: &Path, at: &str) -> io::Result<()> {
        let entries = match fs::read_dir(path) {
            // Others may delete what is being looked at.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let meta = match entry.metadata() {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                meta => meta?,
            };
            // A name that is no text is no name of ours: it and the folders above it stay.
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let at = format!("{at}/{name}");
            let file = DataFile { size: meta.len(), touched: touched(&meta), is_link: meta.is_symlink(), at };
            if meta.is_dir() {
                self.walk(&entry.path(), &file.at)?;
                self.folders.push(file);
            } else {
                self.files.push(file);
            }
        }
        Ok(())
    }
}

fn touched(meta: &Metadata) -> Timestamp {
    let millis = |seconds: i64, nanos: i64| seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000);
    let changed = millis(meta.mtime(), meta.mtime_nsec()).max(millis(meta.ctime(), meta.ctime_nsec()));
    Timestamp(changed.max(0).cast_unsigned())
}

//! A folder -> how it looks without reading its files: whatever is written there changes that. And its files as they were at that
//! moment, held by links: who puts another file in the place of one does not change the one that is held.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How often a folder is looked at anew because something moved at that moment.
const LOOKS: usize = 5;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// From the folder, with `/` between the parts.
    pub(super) path: String,
    size: u64,
    inode: u64,
    /// When it was written last: seconds and nanoseconds.
    written: (i64, i64),
}

impl Seen {
    fn of(path: String, meta: &Metadata) -> Self {
        Self { path, size: meta.len(), inode: meta.ino(), written: (meta.mtime(), meta.mtime_nsec()) }
    }
}

/// All files of a folder and below, by path. What is no file and what has no name in UTF-8 is passed over.
pub(super) fn look(folder: &Path) -> Vec<Seen> {
    let mut seen = Vec::new();
    gather(folder, "", &mut seen);
    seen.sort_by(|a, b| a.path.cmp(&b.path));
    seen
}

fn gather(folder: &Path, above: &str, seen: &mut Vec<Seen>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, Ok(meta)) = (entry.file_name(), entry.metadata()) else { continue };
        let Some(name) = name.to_str() else { continue };
        let path = format!("{above}{name}");
        if meta.is_dir() {
            gather(&entry.path(), &format!("{path}/"), seen);
        } else if meta.is_file() {
            seen.push(Seen::of(path, &meta));
        }
    }
}

/// The files of a folder as they were at one moment. They are let go when it is dropped.
pub(super) struct Held {
    aside: PathBuf,
    pub(super) seen: Vec<Seen>,
}

impl Held {
    /// Holds all files of a folder, by links in `aside`, which nobody else uses. `None` when they do not hold still for that.
    ///
    /// # Errors
    /// When there can be no links.
    pub(super) fn of(folder: &Path, aside: &Path) -> io::Result<Option<Self>> {
        for _ in 0..LOOKS {
            let _ = fs::remove_dir_all(aside);
            fs::create_dir_all(aside)?;
            let held = Self { aside: aside.to_owned(), seen: look(folder) };
            if held.link(folder)? && held.is_as_seen() {
                return Ok(Some(held));
            }
        }
        Ok(None)
    }

    fn link(&self, folder: &Path) -> io::Result<bool> {
        for (number, one) in self.seen.iter().enumerate() {
            match fs::hard_link(folder.join(&one.path), self.path(number)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
                linked => linked?,
            }
        }
        Ok(true)
    }

    /// Where the bytes of a file are, by its place among all.
    pub(super) fn path(&self, number: usize) -> PathBuf {
        self.aside.join(number.to_string())
    }

    /// Whether nobody has written into a file since it was seen.
    pub(super) fn is_as_seen(&self) -> bool {
        let now = |number: usize, path: &str| Some(Seen::of(path.to_owned(), &fs::metadata(self.path(number)).ok()?));
        self.seen.iter().enumerate().all(|(number, one)| now(number, &one.path).as_ref() == Some(one))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.aside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_another_takes_the_place_of_is_held_and_one_that_is_written_into_is_told() {
        let bench = tempfile::tempdir().unwrap();
        let place = |name: &str| bench.path().join("reached").join(name);
        let hold = || Held::of(&place(""), &bench.path().join("aside")).unwrap().unwrap();
        assert!(hold().seen.is_empty());
        fs::create_dir_all(place("deep")).unwrap();
        fs::write(place("deep/b"), "b").unwrap();
        fs::write(place("a"), "first").unwrap();
        let held = hold();
        assert_eq!(held.seen.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["a", "deep/b"]);
        fs::write(place("other"), "second").unwrap();
        fs::rename(place("other"), place("a")).unwrap();
        assert!(held.is_as_seen());
        assert_eq!(fs::read_to_string(held.path(0)).unwrap(), "first");
        assert_ne!(look(&place("")), held.seen);
        fs::write(place("deep/b"), "in place").unwrap();
        assert!(!held.is_as_seen());
        drop(held);
        assert!(!bench.path().join("aside").exists());
    }
}

//! A path -> how much room the file system has that it lies on.

use std::fmt;
use std::path::Path;

/// With less than this nothing of use can be written any more.
const NOTHING: u64 = 64 << 10;

/// What a file system has left for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub free: u64,
    /// Bytes of all of it, used or not.
    pub whole: u64,
    /// Whether there can be no more files, however small.
    pub no_files: bool,
}

impl Room {
    /// The room where `path` lies, or would lie; `None` where the system does not tell.
    pub fn at(path: &Path) -> Option<Self> {
        // The last of those above a relative path is the empty one, which stands for the folder one is in.
        let room_of = |folder: &Path| {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            rustix::fs::statvfs(folder).ok()
        };
        let stats = path.ancestors().find_map(room_of)?;
        // Some file systems count nothing, and are not full for that.
        if stats.f_blocks == 0 {
            return None;
        }
        // What is kept back for root counts for root only.
        let (blocks, files) = match rustix::process::geteuid().is_root() {
            true => (stats.f_bfree, stats.f_ffree),
            false => (stats.f_bavail, stats.f_favail),
        };
        // Some file systems make files as they need them, and count none.
        Some(Self {
            free: blocks.saturating_mul(stats.f_frsize),
            whole: stats.f_blocks.saturating_mul(stats.f_frsize),
            no_files: stats.f_files > 0 && files == 0,
        })
    }

    /// Whether whoever wrote there can have failed for want of it.
    pub fn is_full(self) -> bool {
        self.free < NOTHING || self.no_files
    }
}

impl fmt::Display for Room {
    /// `0 B free`, `1.5 GiB free`, `no more files can be made`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.no_files {
            return f.write_str("no more files can be made");
        }
        write!(f, "{} free", roughly(self.free))
    }
}

/// `0 B`, `1.5 GiB`.
pub(crate) fn roughly(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1000.0 && unit + 1 < units.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    format!("{value:.digits$} {}", units[unit], digits = usize::from(unit > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_told_in_units_that_people_read() {
        let told = |free, no_files| Room { free, whole: free, no_files }.to_string();
        assert_eq!(told(0, false), "0 B free");
        assert_eq!(told(1536, false), "1.5 KiB free");
        assert_eq!(told(20 << 30, false), "20.0 GiB free");
        assert_eq!(told(20 << 30, true), "no more files can be made");
    }

    #[test]
    fn a_path_that_is_not_there_lies_where_the_nearest_folder_above_it_does() {
        let here = tempfile::tempdir().unwrap();
        let room = Room::at(&here.path().join("a/b/c")).unwrap();
        assert!(!room.is_full() && 0 < room.free && room.free <= room.whole, "{room:?}");
        assert!(Room::at(Path::new("not/there/yet")).is_some(), "below the folder one is in");
    }

    #[test]
    fn a_file_system_that_counts_nothing_is_not_full() {
        assert_eq!(Room::at(Path::new("/proc/self")), None, "the kernel's own, without a block");
    }
}

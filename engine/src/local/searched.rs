//! A program's name and `PATH` -> the file it is.
//!
//! The system would search too, but in a child that was copied for it: one that is told the file is started without a copy
//! of our memory, which costs a third of what starting a small program costs.

use rustix::fs::{Access, access};
use std::env::split_paths;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file that the system would start for `program` in the folder `work`. `None` when it has to look itself: there is
/// none, or it is a script whose first line does not say what reads it, which the system gives to `sh`.
pub(super) fn on_path(program: &str, path: Option<&OsStr>, work: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return None;
    }
    // A folder that is not absolute, the empty one too, is one below the folder in which the program starts.
    let mut places = split_paths(path?).map(|folder| work.join(folder).join(program));
    places
        .find(|file| access(file, Access::EXEC_OK).is_ok() && fs::metadata(file).is_ok_and(|meta| meta.is_file()))
        .filter(|file| says_how_it_is_read(file))
}

/// Whether a file begins as a binary does or as a script that names its interpreter.
fn says_how_it_is_read(file: &Path) -> bool {
    let mut begin = [0; 4];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut begin));
    // What may be run and not read is left to the system.
    read.is_ok() && (begin == *b"\x7fELF" || begin.starts_with(b"#!"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(path: &Path, text: &str, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_program_is_the_first_file_of_its_name_that_may_be_run() {
        let root = tempfile::tempdir().unwrap();
        let (a, b, c, work) = (root.path().join("a"), root.path().join("b"), root.path().join("c"), root.path());
        fs::create_dir_all(a.join("tool")).unwrap();
        file(&b.join("tool"), "#!/bin/sh\n", 0o644);
        file(&c.join("tool"), "#!/bin/sh\n", 0o755);
        file(&c.join("silent"), "echo\n", 0o755);
        let path = std::env::join_paths([&a, &b, &c]).unwrap();
        let found = |program: &str| on_path(program, Some(&path), work);
        assert_eq!(found("tool"), Some(c.join("tool")));
        assert_eq!(found("silent"), None);
        assert_eq!(found("nothing"), None);
        assert_eq!(found("c/tool"), None);
        assert_eq!(on_path("tool", Some(OsStr::new("c")), work), Some(c.join("tool")));
        assert_eq!(on_path("tool", None, work), None);
    }
}

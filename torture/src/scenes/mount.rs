//! Disks for a scene, mounted by root and unmounted when the scene is over.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A mounted disk.
pub(crate) struct Mount {
    pub(crate) folder: PathBuf,
    is_gone: bool,
}

impl Mount {
    /// A disk in memory.
    pub(crate) fn memory(folder: &Path, bytes: u64) -> Result<Self, String> {
        run("mount", &["-t", "tmpfs", "-o", &format!("size={bytes}"), "none", &text(folder)])?;
        Ok(Self { folder: folder.to_owned(), is_gone: false })
    }

    /// A disk whose bytes are a file. Its own journal is written out once in five minutes, unless somebody flushes.
    pub(crate) fn image(image: &Path, folder: &Path) -> Result<Self, String> {
        run("mount", &["-o", "loop,commit=300", &text(image), &text(folder)])?;
        Ok(Self { folder: folder.to_owned(), is_gone: false })
    }

    pub(crate) fn make_read_only(&self) -> Result<(), String> {
        run("mount", &["-o", "remount,ro", &text(&self.folder)])
    }
}

impl Mount {
    /// Unmounts it. Whoever was killed a moment ago may still be there.
    pub(crate) fn unmount(mut self) -> Result<(), String> {
        self.try_unmount()
    }

    fn try_unmount(&mut self) -> Result<(), String> {
        let mut ended = Ok(());
        for _ in 0..100 {
            if self.is_gone {
                return Ok(());
            }
            ended = run("umount", &[&text(&self.folder)]);
            self.is_gone = ended.is_ok();
            if !self.is_gone {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        ended
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.try_unmount().is_err() {
            let _ = run("umount", &["--lazy", &text(&self.folder)]);
        }
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a program of the system; an error says which and why.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let ended = Command::new(program).args(arguments).output().map_err(|e| format!("{program}: {e}"))?;
    if ended.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&ended.stderr).trim()))
}

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

//! A file that does nothing but take up room. It goes when the disk is full, so that what ends can still be written down.

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

/// Bytes of a whole one: room for the ends of some ten thousand tasks.
const WHOLE: u64 = 16 << 20;
/// On a small disk it takes one part in so many of what is free, and never makes a disk full by itself.
const PART: u64 = 4;
/// What is allocated at once, and what is written to see whether anything can be.
const BLOCK: u64 = 4096;

/// The ballast of one folder, and what its disk has left.
pub(super) struct Ballast {
    folder: PathBuf,
    /// Bytes that it has, or had before it was let go.
    size: u64,
}

impl Ballast {
    /// Lays it, or as much more of it as there is room for. Not to have any is no error: a full disk is then met without.
    pub(super) fn lay(folder: PathBuf) -> Self {
        let mut ballast = Self { folder, size: 0 };
        let there = ballast.there();
        let room = ballast.left().map_or(0, |left| (left.saturating_add(there)) / PART);
        ballast.size = WHOLE.min(room - room % BLOCK).max(there);
        if let Err(error) = ballast.fill() {
            tracing::debug!(%error, "no ballast was laid");
            ballast.let_go();
        }
        ballast
    }

    /// Lets it go. Returns whether there was any.
    pub(super) fn let_go(&self) -> bool {
        let there = self.there() > 0;
        there && fs::remove_file(self.path()).is_ok()
    }

    /// Bytes that the disk has left for us. A file system that does not know has enough.
    pub(super) fn left(&self) -> Option<u64> {
        let disk = statvfs(&self.folder).ok().filter(|disk| disk.f_blocks > 0)?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Whether so little is left besides the ballast that nothing more should be begun.
    pub(super) fn is_low(&self) -> bool {
        self.left().is_some_and(|left| left < self.size)
    }

    /// Lays it again where there is room for it and as much besides. Returns whether there is.
    pub(super) fn lay_again(&self) -> bool {
        let missing = self.size.saturating_sub(self.there());
        let wanted = missing.saturating_add(2 * self.size.max(BLOCK));
        self.left().is_none_or(|left| left >= wanted) && self.fill().is_ok()
    }

    /// Whether a block cannot be written for want of room; a quota that is used up is no other thing.
    pub(super) fn is_full(&self) -> bool {
        let probe = self.folder.join("ballast.probe");
        let block = vec![1; BLOCK as usize];
        let written = File::create(&probe).and_then(|mut file| file.write_all(&block).and_then(|()| file.sync_all()));
        let _ = fs::remove_file(&probe);
        written.is_err_and(|e| matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
    }

    fn fill(&self) -> io::Result<()> {
        if self.there() >= self.size {
            return Ok(());
        }
        let file = File::options().write(true).create(true).truncate(false).open(self.path())?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.size).map_err(io::Error::from) {
            Err(e) if matches!(e.kind(), ErrorKind::Unsupported) => Self::write(file, self.size),
            laid => laid,
        }
    }

    /// Where room cannot be asked for it is taken, by bytes that no file system makes less of.
    fn write(mut file: File, size: u64) -> io::Result<()> {
        let mut bytes = blake3::Hasher::new_derive_key("pipe 2026-11 ballast v1").finalize_xof();
        let mut block = vec![0; BLOCK as usize];
        for _ in 0..size / BLOCK {
            bytes.fill(&mut block);
            file.write_all(&block)?;
        }
        file.sync_all()
    }

    fn there(&self) -> u64 {
        fs::metadata(self.path()).map_or(0, |meta| meta.len())
    }

    fn path(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn it_takes_the_room_it_says_and_gives_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let ballast = Ballast::lay(folder.path().to_owned());
        let taken = |name: &str| fs::metadata(folder.path().join(name)).map_or(0, |meta| meta.blocks() * 512);
        assert!(ballast.size > 0 && ballast.size <= WHOLE, "{}", ballast.size);
        assert!(taken("ballast") >= ballast.size, "a hole is no room: {}", taken("ballast"));
        assert!(ballast.let_go() && !ballast.let_go());
        assert_eq!(taken("ballast"), 0);
        assert!(ballast.lay_again(), "this test needs 64 MB of disk");
        assert!(taken("ballast") >= ballast.size);
        assert!(!ballast.is_full() && !folder.path().join("ballast.probe").exists());
    }

    #[test]
    fn where_room_cannot_be_asked_for_bytes_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ballast");
        Ballast::write(File::create(&path).unwrap(), 5 * BLOCK).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len() as u64, 5 * BLOCK);
        assert!(bytes.chunks(64).collect::<std::collections::HashSet<_>>().len() > 300, "no two pieces are alike");
    }
}

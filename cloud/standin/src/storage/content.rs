//! Bytes as they arrive -> a file of the stand-in with the checksums that Cloud Storage gives.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// Bytes that are hashed at a time.
const PIECE: usize = 1 << 20;

/// The bytes of an object. They are gone when nobody has them any more.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    crc32c: u32,
    md5: [u8; 16],
}

/// A file that is being written. It is gone unless it becomes a content.
pub(super) struct Spool {
    path: PathBuf,
    file: File,
    pub(super) size: u64,
    is_kept: bool,
}

impl Spool {
    pub(super) async fn at(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).write(true).open(&path).await?;
        Ok(Self { path, file, size: 0, is_kept: false })
    }

    pub(super) async fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Forgets what came after so many bytes.
    pub(super) async fn cut(&mut self, size: u64) -> io::Result<()> {
        self.file.flush().await?;
        self.file.set_len(size).await?;
        self.file.seek(io::SeekFrom::Start(size)).await?;
        self.size = size;
        Ok(())
    }

    pub(super) async fn content(mut self) -> io::Result<Content> {
        self.file.flush().await?;
        self.is_kept = true;
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || Content::of(&path)).await.map_err(io::Error::other)?
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Content {
    fn of(path: &Path) -> io::Result<Self> {
        let (mut file, mut piece) = (fs::File::open(path)?, vec![0; PIECE]);
        let (mut size, mut crc32c, mut md5) = (0, 0, Md5::new());
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            size += read as u64;
            crc32c = crc32c::crc32c_append(crc32c, &piece[..read]);
            md5.update(&piece[..read]);
        }
        Ok(Self { path: path.to_owned(), size, crc32c, md5: md5.finalize().into() })
    }

    /// As Cloud Storage writes it: the bytes of the number, the highest first, in base 64.
    pub(super) fn crc32c(&self) -> String {
        BASE64_STANDARD.encode(self.crc32c.to_be_bytes())
    }

    pub(super) fn md5(&self) -> String {
        BASE64_STANDARD.encode(self.md5)
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
impl Content {
    pub(super) fn empty() -> Self {
        Self { path: PathBuf::new(), size: 0, crc32c: 0, md5: [0; 16] }
    }
}

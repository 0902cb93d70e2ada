//! Bytes as they arrive -> a file of the stand-in with the checksums that Cloud Storage gives.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use rustix::fs::{SeekFrom, seek};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
    /// Objects that were put together of others have none.
    md5: Option<[u8; 16]>,
    /// How many of its bytes were sent.
    sent: Arc<AtomicU64>,
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
        let md5 = Some(md5.finalize().into());
        Ok(Self { path: path.to_owned(), size, crc32c, md5, sent: Arc::default() })
    }

    /// A file with more holes than bytes, which is not read where it has holes. It takes `path` as another name.
    pub(super) fn of_sparse(file: &Path, path: &Path) -> io::Result<Self> {
        fs::hard_link(file, path)?;
        let file = fs::File::open(path)?;
        let (size, mut crc32c, mut at) = (file.metadata()?.len(), 0, 0);
        while at < size {
            let begin = seek(&file, SeekFrom::Data(at)).unwrap_or(size);
            crc32c = crc32c::crc32c_combine(crc32c, of_zeros(begin - at), whole(begin - at));
            let end = if begin < size { seek(&file, SeekFrom::Hole(begin))? } else { size };
            let mut piece = vec![0; PIECE];
            at = begin;
            while at < end {
                let length = whole(end - at).min(PIECE);
                file.read_exact_at(&mut piece[..length], at)?;
                crc32c = crc32c::crc32c_append(crc32c, &piece[..length]);
                at += length as u64;
            }
        }
        Ok(Self { path: path.to_owned(), size, crc32c, md5: None, sent: Arc::default() })
    }

    /// Counts what is sent.
    pub(crate) fn counter(&self) -> Arc<AtomicU64> {
        self.sent.clone()
    }

    /// How many of its bytes were sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// As Cloud Storage writes it: the bytes of the number, the highest first, in base 64.
    pub(super) fn crc32c(&self) -> String {
        BASE64_STANDARD.encode(self.crc32c.to_be_bytes())
    }

    pub(super) fn md5(&self) -> Option<String> {
        self.md5.map(|md5| BASE64_STANDARD.encode(md5))
    }
}

fn whole(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// The checksum of so many zeros, by doubling.
fn of_zeros(length: u64) -> u32 {
    let (mut all, mut some, mut size) = (0, crc32c::crc32c(&[0]), 1_u64);
    while size <= length {
        if length & size != 0 {
            all = crc32c::crc32c_combine(all, some, whole(size));
        }
        some = crc32c::crc32c_combine(some, some, whole(size));
        size <<= 1;
    }
    all
}

impl Drop for Content {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
impl Content {
    pub(super) fn empty() -> Self {
        Self { path: PathBuf::new(), size: 0, crc32c: 0, md5: None, sent: Arc::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_holes_has_the_checksum_of_all_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        for (pieces, size) in
            [(vec![(0, 5), (700_000, 9)], 3_000_000), (vec![(123_456, 70_000)], 193_456), (vec![], 99)]
        {
            let path = folder.path().join(format!("{size}"));
            let file = fs::File::create(&path).unwrap();
            file.set_len(size).unwrap();
            pieces.iter().for_each(|(at, length)| file.write_all_at(&vec![7; *length], *at).unwrap());
            let content = Content::of_sparse(&path, &folder.path().join(format!("{size}.laid"))).unwrap();
            assert_eq!((content.size, content.crc32c), (size, crc32c::crc32c(&fs::read(&path).unwrap())));
            assert_eq!(content.md5(), None);
        }
    }
}

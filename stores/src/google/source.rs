//! A file whose bytes are known -> what Google's client sends, from wherever the service says that it has come to.

use crate::upload::UploadError;
use bytes::Bytes;
use google_cloud_storage::streaming_source::{Seek, SizeHint, StreamingSource};
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

/// A file on its way.
pub(super) struct Source {
    file: File,
    at: u64,
    size: u64,
    watch: Watch,
}

/// What others see of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    arrived: AtomicU64,
    trouble: Mutex<Option<UploadError>>,
}

impl Watch {
    /// How many bytes from the front on have arrived, as the service has said where sending went on.
    pub(super) fn arrived(&self) -> u64 {
        self.0.arrived.load(Ordering::Relaxed)
    }

    /// Whether the file could not be read.
    pub(super) fn is_troubled(&self) -> bool {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Why it could not.
    pub(super) fn trouble(&self) -> Option<UploadError> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Source {
    /// Reads all of it once: its bytes must have this BLAKE3. Returns their CRC32C as well, which is what Cloud Storage compares.
    pub(super) fn of(mut file: File, blake3: &str) -> Result<(Self, u32), UploadError> {
        let (mut hasher, mut crc32c, mut size) = (blake3::Hasher::new(), 0, 0);
        let mut piece = vec![0; PIECE];
        loop {
            let read = file.read(&mut piece).map_err(UploadError::File)?;
            if read == 0 {
                break;
            }
            hasher.update(&piece[..read]);
            crc32c = crc32c::crc32c_append(crc32c, &piece[..read]);
            size += read as u64;
        }
        if hasher.finalize().to_hex().as_str() != blake3 {
            return Err(UploadError::Changed);
        }
        file.rewind().map_err(UploadError::File)?;
        Ok((Self { file, at: 0, size, watch: Watch::default() }, crc32c))
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn watch(&self) -> Watch {
        self.watch.clone()
    }

    fn piece(&mut self) -> Result<Option<Bytes>, UploadError> {
        let most = self.size.saturating_sub(self.at).min(PIECE as u64);
        if most == 0 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let read = (&mut self.file).take(most).read_to_end(&mut bytes).map_err(UploadError::File)?;
        if read == 0 {
            return Err(UploadError::Changed);
        }
        self.at += read as u64;
        Ok(Some(bytes.into()))
    }

    /// Keeps the reason, of which the client knows no more than its words.
    fn noted<T>(&self, result: Result<T, UploadError>) -> io::Result<T> {
        result.map_err(|error| {
            let words = io::Error::other(format!("{error:?}"));
            *self.watch.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            words
        })
    }
}

impl StreamingSource for Source {
    type Error = io::Error;

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let piece = self.piece();
        self.noted(piece).transpose()
    }

    async fn size_hint(&self) -> io::Result<SizeHint> {
        Ok(SizeHint::with_exact(self.size))
    }
}

impl Seek for Source {
    type Error = io::Error;

    async fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.watch.0.arrived.fetch_max(offset, Ordering::Relaxed);
        let moved = self.file.seek(SeekFrom::Start(offset)).map_err(UploadError::File);
        self.at = self.noted(moved)?;
        Ok(())
    }
}

//! Where a video's bytes come from: something that has a length and an identity, and gives the bytes of a range.
//! A folder, a bucket or a web server stand behind it alike. Knows nothing of what the bytes mean.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::error::VideoError;
use crate::ranges::Failure;
use crate::shelf::Shelf;
use crate::source::Source;

/// What is kept for other openings of the same video, at most.
const MOST_FOR_OPENINGS: usize = 64 << 20;

/// Bytes that can be read in ranges, from several threads at once.
pub trait ReadAt: Send + Sync {
    /// How long the source is and which one it is.
    ///
    /// # Errors
    /// When it cannot be looked at.
    fn stat(&self) -> io::Result<Stat>;

    /// Reads bytes from `at` on of the source that has this identity. May give fewer than there is room for, and gives
    /// none at the end only.
    ///
    /// # Errors
    /// Whether another try is worth while, and that the source is another one by now.
    fn read_at(&self, identity: &str, at: u64, into: &mut [u8]) -> Result<usize, ReadFailure>;

    /// Whether each read costs a way there and back, so that the next one is worth beginning before it is asked for.
    fn is_far(&self) -> bool {
        false
    }

    /// Waits before the next try, after so many failures in a row.
    fn pause(&self, failures: u32) {
        std::thread::sleep(Duration::from_millis(100 << failures.min(6)));
    }
}

/// What a source is, as long as it is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub len: u64,
    /// Differs when the bytes may differ: a generation, an entity tag, or inode, length and time.
    pub identity: String,
}

/// Why a range was not read.
#[derive(Debug)]
pub enum ReadFailure {
    /// The source is not the one it was. Nothing read before fits what would be read now.
    Changed,
    /// The way to it broke; another try may succeed.
    Broken(io::Error),
    /// It cannot be read.
    Lost(io::Error),
}

/// The bytes of one video, pinned to what they were when they were first looked at.
#[derive(Clone)]
pub struct Media {
    name: PathBuf,
    bytes: Arc<dyn ReadAt>,
    pinned: Arc<OnceLock<Stat>>,
    /// What was read to find out what is in the video. Every thread opens it, and one reads.
    opening: Arc<Mutex<Vec<Block>>>,
    shelf: Arc<Shelf>,
    read: Arc<AtomicU64>,
    decoded: Arc<AtomicU64>,
    /// Why nothing more is read: whoever comes later need not find out by waiting again.
    gone: Arc<OnceLock<Failure>>,
}

/// Bytes of the source from a place on.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) at: u64,
    pub(crate) bytes: Arc<Vec<u8>>,
}

impl Block {
    /// The bytes from a place on, when the block has that place.
    pub(crate) fn from(&self, at: u64) -> Option<&[u8]> {
        let skip = usize::try_from(at.checked_sub(self.at)?).ok()?;
        self.bytes.get(skip..).filter(|rest| !rest.is_empty())
    }

    /// Where it lies.
    pub(crate) fn range(&self) -> Range<u64> {
        self.at..self.at.saturating_add(self.bytes.len() as u64)
    }
}

impl Media {
    /// A file of this machine.
    pub fn file(path: &Path) -> Self {
        Self::of(path, Arc::new(LocalFile { path: path.to_owned(), file: OnceLock::new() }))
    }

    /// Bytes from elsewhere. `name`: what messages call it; its ending may tell what it is.
    pub fn of(name: &Path, bytes: Arc<dyn ReadAt>) -> Self {
        let (pinned, opening, gone) = (Arc::default(), Arc::default(), Arc::default());
        let (read, decoded, shelf) = (Arc::default(), Arc::default(), Arc::default());
        Media { name: name.to_owned(), bytes, pinned, opening, shelf, read, decoded, gone }
    }

    /// How many bytes of it were read, by all who have opened it.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn was_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// How many of its pictures were decoded, by all who have opened it.
    pub fn pictures_decoded(&self) -> u64 {
        self.decoded.load(Ordering::Relaxed)
    }

    pub(crate) fn was_decoded(&self) {
        self.decoded.fetch_add(1, Ordering::Relaxed);
    }

    /// Why it cannot be read any more, by whoever found out first.
    pub(crate) fn gone(&self) -> Option<Failure> {
        self.gone.get().cloned()
    }

    pub(crate) fn is_gone(&self, failure: Failure) -> Failure {
        self.gone.get_or_init(|| failure).clone()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.name
    }

    pub(crate) fn bytes(&self) -> &dyn ReadAt {
        &*self.bytes
    }

    /// What the bytes are, as they were found first.
    pub(crate) fn pin(&self) -> Result<Stat, VideoError> {
        if let Some(stat) = self.pinned.get() {
            return Ok(stat.clone());
        }
        let found = self.bytes.stat().map_err(|e| VideoError::io(&self.name, "opening", e))?;
        Ok(self.pinned.get_or_init(|| found).clone())
    }

    pub(crate) fn open(&self) -> Result<Source, VideoError> {
        Source::of(self)
    }

    /// What was read of it and is wanted once more.
    pub(crate) fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// A block that was read while the video was opened, and that has this place.
    pub(crate) fn opening_block(&self, at: u64) -> Option<Block> {
        let blocks = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.iter().find(|block| block.from(at).is_some()).cloned()
    }

    /// Keeps a block for other openings of the same video, unless there is too much already.
    pub(crate) fn keep_for_openings(&self, block: &Block) {
        let mut blocks = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.iter().map(|block| block.bytes.len()).sum::<usize>() < MOST_FOR_OPENINGS {
            blocks.push(block.clone());
        }
    }
}

/// A file, opened when it is first looked at. It is pinned to what is behind its name then.
struct LocalFile {
    path: PathBuf,
    file: OnceLock<File>,
}

impl LocalFile {
    fn file(&self) -> io::Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let opened = File::open(&self.path)?;
        Ok(self.file.get_or_init(|| opened))
    }
}

impl ReadAt for LocalFile {
    fn stat(&self) -> io::Result<Stat> {
        let meta = self.file()?.metadata()?;
        Ok(Stat { len: meta.len(), identity: identity(&meta) })
    }

    fn read_at(&self, pinned: &str, at: u64, into: &mut [u8]) -> Result<usize, ReadFailure> {
        let file = self.file().map_err(ReadFailure::Lost)?;
        let read = file.read_at(into, at).map_err(ReadFailure::Lost)?;
        // Looked at after reading: what was written before the bytes were read shows in the file's time.
        let meta = file.metadata().map_err(ReadFailure::Lost)?;
        if identity(&meta) == pinned { Ok(read) } else { Err(ReadFailure::Changed) }
    }
}

fn identity(meta: &Metadata) -> String {
    format!("{}.{} {} bytes, {}.{:09}", meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec())
}

//! The video that a task names -> bytes that are read by ranges wherever it lies, and what is told of it. Only a worker
//! comes here: nobody else opens a video.

use pipe_engine::attempt::SourceFile;
use pipe_engine::failure::Failure;
use pipe_engine::remote::{RangeError, RemoteBytes, RemoteStat};
use pipe_engine::work::Work;
use pipe_video::{CutReport, Media, ReadAt, ReadFailure, Stat};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A video that can be read.
pub(super) struct Source {
    pub(super) media: Media,
    /// What stands for its bytes in keys.
    pub(super) key: String,
    uri: String,
    size: u64,
    identity: String,
}

/// Where a clip is from, as its item's manifest tells it.
#[derive(Serialize, Deserialize)]
pub(super) struct Provenance {
    /// The path that the spec names, or the address without what lets one in.
    uri: String,
    /// Which one it was: a digest, an entity tag or the time of its last change.
    identity: String,
    /// Its length in bytes.
    size: u64,
    /// The bytes that the clip is made from, besides the index: from, and up to. None where the video lists no samples.
    ranges: Vec<[u64; 2]>,
}

impl Source {
    /// Opens the video of a field. It is not looked at before it is read.
    pub(super) fn open(work: &Work<'_>, field: &str) -> Result<Self, Failure> {
        let file = work.file(field)?;
        let SourceFile { written, size, blake3, remote, path, .. } = file.clone();
        let (media, identity) = match remote {
            None => (Media::file(&path), format!("blake3 {blake3}")),
            Some(remote) => {
                let bytes = work.open(&remote).map_err(|failure| failure.on(written.clone()))?;
                let identity = remote.stat.identity.clone();
                (Media::of(Path::new(&written), Arc::new(Far { bytes, stat: remote.stat })), identity)
            }
        };
        Ok(Self { media, key: blake3, uri: written, size, identity })
    }

    /// What the spec names.
    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    /// It in a sentence.
    pub(super) fn name(&self) -> String {
        format!("the video `{}`", self.uri)
    }

    /// Where a clip of it is from.
    pub(super) fn provenance(&self, report: &CutReport) -> Provenance {
        Provenance {
            uri: self.uri.clone(),
            identity: self.identity.clone(),
            size: self.size,
            ranges: report.ranges.iter().map(|range| [range.start, range.end]).collect(),
        }
    }
}

/// A video elsewhere, as it was when the task's key was made.
struct Far {
    bytes: Arc<dyn RemoteBytes>,
    stat: RemoteStat,
}

impl ReadAt for Far {
    fn stat(&self) -> io::Result<Stat> {
        Ok(Stat { len: self.stat.size, identity: self.stat.identity.clone() })
    }

    fn read_at(&self, _: &str, at: u64, into: &mut [u8]) -> Result<usize, ReadFailure> {
        self.bytes.read_at(at, into).map_err(|error| match error {
            RangeError::Changed => ReadFailure::Changed,
            RangeError::Broken(error) => ReadFailure::Broken(error),
            RangeError::Lost(error) => ReadFailure::Lost(error),
        })
    }

    fn is_far(&self) -> bool {
        true
    }
}

//! Where a video's bytes come from.

use std::path::{Path, PathBuf};

use crate::error::VideoError;
use crate::source::Source;

/// The bytes of one video, wherever they lie.
#[derive(Clone)]
pub struct Media {
    path: PathBuf,
}

impl Media {
    /// A file of this machine.
    pub fn file(path: &Path) -> Self {
        Media { path: path.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn open(&self) -> Result<Source, VideoError> {
        Source::open(&self.path)
    }
}

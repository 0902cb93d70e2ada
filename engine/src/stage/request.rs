//! Work that a service does by itself, with none of our code there: what a stage asks it for, and what it makes of the answer.
//!
//! Request and answer are JSON in words that the stage kind and the place have agreed on. The engine carries them and reads
//! neither.

use crate::failure::Failure;
use crate::manifest::FileEntry;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// What a stage can do while it says what it asks for: the store is before it, and nothing else.
pub trait Desk {
    /// A file of an input on this machine, where it is after this.
    ///
    /// # Errors
    /// When the store cannot be read, or the file is damaged.
    fn brought(&self, file: &FileEntry) -> Result<PathBuf, Failure>;

    /// Where a file of an input lies for others: its URI, or its path in a store that is a folder.
    fn whereabouts(&self, file: &FileEntry) -> String;

    /// A file of this name to write into, which is nobody else's.
    ///
    /// # Errors
    /// When there is no room for one.
    fn draft(&self, name: &str) -> Result<PathBuf, Failure>;

    /// Lays a draft beside the attempt's description under this name, and says where it lies there for others. One that
    /// another engine has laid there already counts.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn lay(&self, name: &str, draft: &Path) -> Result<String, Failure>;
}

/// What a stage makes of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// The artifact's files, by their paths.
    pub files: Vec<(String, Vec<u8>)>,
    /// A few small facts about it.
    pub result: Json,
    /// What somebody should know of it, in sentences.
    pub warnings: Vec<String>,
}

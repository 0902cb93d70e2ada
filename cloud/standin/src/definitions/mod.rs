//! A folder of Google's discovery documents -> the methods of a service, and what is wrong with a request to one.

mod body;
mod document;
mod query;
mod value;

pub(crate) use document::{Document, Method, Place};

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// Google's published definitions, in a folder that `tools/google.sh` fills.
#[derive(Clone, Debug)]
pub struct Definitions {
    folder: PathBuf,
}

/// Why there are no definitions.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionsError {
    /// The script that fetches them did not.
    #[error("`tools/google.sh`, which fetches Google's definitions, says: {0}")]
    NotFetched(String),
    /// A file cannot be read.
    #[error("cannot read {at}: {source}; run `tools/google.sh`, and give the folder that it names")]
    NotRead {
        /// The file.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// A parameter, or a path of fields in the body.
    pub(crate) field: String,
    /// A sentence.
    pub(crate) says: String,
}

impl Definitions {
    /// Those in a folder.
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Those that the project has fetched, or fetches now.
    ///
    /// # Errors
    /// When the script fails, as without a network.
    pub fn fetched() -> Result<Self, DefinitionsError> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/google.sh");
        let failed = |why: String| DefinitionsError::NotFetched(why);
        let output = Command::new(&script).output().map_err(|e| failed(format!("{}: {e}", script.display())))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(Self::of(String::from_utf8_lossy(&output.stdout).trim()))
    }

    /// The definition of a service, such as `storage.v1`.
    pub(crate) fn document(&self, service: &str) -> Result<Document, DefinitionsError> {
        let at = self.folder.join(format!("{service}.json"));
        let read = fs::read(&at).and_then(|text| Document::read(&text));
        read.map_err(|source| DefinitionsError::NotRead { at, source })
    }
}

impl Problem {
    fn new(field: impl Into<String>, says: impl Into<String>) -> Self {
        Self { field: field.into(), says: says.into() }
    }
}

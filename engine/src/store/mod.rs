//! Where artifacts and manifests live. [`Store`] is what the engine asks of a folder or a bucket; [`Folder`] is
//! the one it brings itself; [`Results`] keeps manifests in either.

mod flush;
mod folder;
mod hold;
pub mod lineage;
mod probe;
mod results;
#[cfg(feature = "testing")]
pub mod suite;

pub use folder::{Folder, Staged};
pub use hold::Hold;
pub use probe::{PROBES, probe};
pub(crate) use results::bytes_of;
pub use results::{Filed, Results};

use crate::failure::{Class, Failure};
use crate::world::Timestamp;
use futures::future::BoxFuture;
use std::path::Path;

/// What is known of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its path from the root, with `/` between the parts.
    pub at: String,
    /// Bytes.
    pub size: u64,
    /// What its service changes when the object does, where a listing tells that.
    pub tag: Option<String>,
    /// When it was last written, where that is told.
    pub changed: Option<Timestamp>,
}

/// Why a store could not do as asked. Each names the object.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("`{at}` is not in the store")]
    Missing {
        /// The object.
        at: String,
    },
    /// A create-only write found something there, or a replace found something else than expected.
    #[error("`{at}` is there already, and is not what was expected")]
    Conflict {
        /// The object.
        at: String,
    },
    /// The path is not one a store may hold.
    #[error("`{at}` is not a path inside a store")]
    BadPath {
        /// The path.
        at: String,
    },
    /// The store did not answer, or asks us to come later: the same call may work in a moment.
    #[error("cannot {doing} `{at}`: {source}")]
    Away {
        /// What was tried, such as `read`.
        doing: &'static str,
        /// The object.
        at: String,
        /// How it counts when it is tried again.
        class: Class,
        /// The error below.
        source: std::io::Error,
    },
    /// The store itself failed.
    #[error("cannot {doing} `{at}`: {source}")]
    Failed {
        /// What was tried, such as `read`.
        doing: &'static str,
        /// The object.
        at: String,
        /// The error below.
        source: std::io::Error,
    },
}

/// A folder or a bucket.
///
/// Writes are whole or not at all: a reader never sees half an object, whatever dies in between.
pub trait Store: Send + Sync {
    /// The bytes of an object.
    fn get<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Vec<u8>, StoreError>>;
    /// `length` bytes from `offset`, fewer when the object ends before.
    fn get_range<'a>(&'a self, at: &'a str, offset: u64, length: u64) -> BoxFuture<'a, Result<Vec<u8>, StoreError>>;
    /// Writes an object that must not be there yet: [`StoreError::Conflict`] when it is.
    fn put_new<'a>(&'a self, at: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>>;
    /// As [`Store::put_new`], with the bytes of a file, which must have this BLAKE3: nothing is written when it has not. A
    /// store that large files go to reads them piece by piece.
    fn put_file<'a>(&'a self, at: &'a str, file: &'a Path, blake3: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            check_path(at)?;
            let failed = |source| StoreError::Failed { doing: "read", at: file.display().to_string(), source };
            let bytes = std::fs::read(file).map_err(failed)?;
            if blake3::hash(&bytes).to_hex().as_str() != blake3 {
                return Err(changed(file));
            }
            self.put_new(at, &bytes).await
        })
    }
    /// Writes `new` in the place of `old`: [`StoreError::Conflict`] when something else is there.
    fn replace_if<'a>(&'a self, at: &'a str, old: &'a [u8], new: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>>;
    /// All objects under a prefix that ends at a `/` (or is empty), sorted by path.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Stat>, StoreError>>;
    /// What is known of an object; `None` when it is not there.
    fn stat<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Option<Stat>, StoreError>>;
    /// Removes an object; it is no error when it is not there.
    fn delete<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// What it means that it has refused something, with the role or the command that mends it.
    fn refused(&self, right: Right, error: StoreError) -> Failure {
        let class = if let StoreError::Away { class, .. } = &error { *class } else { Class::Failed };
        Failure::of(class, "store", format!("objects cannot be {}", right.done())).source(error)
    }

    /// What is said of a store that has replaced an object which it was to create only if there was none.
    fn forgetful(&self) -> Failure {
        let message = "it says that it creates an object only if it is not there yet, and has just replaced one";
        Failure::failed("no_conditions", message)
            .help("use a service that keeps to conditional writes, such as Cloud Storage or Amazon S3: without them the second \
                   of two machines would overwrite what the first has promised")
    }
}

/// What is done with objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// They are created where there are none.
    Create,
    /// They are read.
    Read,
    /// They are listed.
    List,
    /// They are deleted.
    Delete,
}

impl Right {
    /// What then cannot be done with them, as it follows "objects cannot be".
    pub fn done(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Read => "read",
            Self::List => "listed",
            Self::Delete => "deleted",
        }
    }
}

/// What is said of a file that is not what it was when it was hashed.
pub fn changed(file: &Path) -> StoreError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not what it was when it was made");
    StoreError::Failed { doing: "read", at: file.display().to_string(), source }
}

/// Waits for a store from code that is not async. Never call it on a tokio worker thread.
pub fn blocking<T>(future: BoxFuture<'_, T>) -> T {
    futures::executor::block_on(future)
}

/// As [`check_path`], for the prefix of a list: empty for the whole store, or a folder with its `/`.
///
/// # Errors
/// [`StoreError::BadPath`].
pub fn check_prefix(prefix: &str) -> Result<(), StoreError> {
    if prefix.is_empty() { Ok(()) } else { check_path(prefix.strip_suffix('/').unwrap_or(prefix)) }
}

/// Refuses what could leave the root: absolute paths, `..`, empty parts and NUL.
///
/// # Errors
/// [`StoreError::BadPath`].
pub fn check_path(at: &str) -> Result<(), StoreError> {
    let bad = at.is_empty() || at.contains('\0') || at.split('/').any(|part| matches!(part, "" | "." | ".."));
    if bad { Err(StoreError::BadPath { at: at.to_owned() }) } else { Ok(()) }
}

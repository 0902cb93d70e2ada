//! Who works with a folder store: runs share it, and what removes things has it alone. A kernel lock held for life, as
//! that of a state folder; it holds among the machines of a file system that carries locks, and else on each of them.

use super::{Folder, StoreError};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;

/// Its place under the root.
const PLACE: &str = "tmp/use.lock";

/// The store, held until this is dropped.
#[derive(Debug)]
pub struct Hold {
    file: File,
}

impl Drop for Hold {
    /// As with the lock of a state folder: closing the file is not enough.
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl Hold {
    /// Works with the store beside others. `None` when somebody has it alone; with `wait` it waits for them.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn shared(store: &Folder, wait: bool) -> Result<Option<Self>, StoreError> {
        let how = if wait { FlockOperation::LockShared } else { FlockOperation::NonBlockingLockShared };
        Self::take(store, how)
    }

    /// Has the store alone. `None` when somebody works with it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn alone(store: &Folder) -> Result<Option<Self>, StoreError> {
        Self::take(store, FlockOperation::NonBlockingLockExclusive)
    }

    fn take(store: &Folder, how: FlockOperation) -> Result<Option<Self>, StoreError> {
        let path = store.path(PLACE);
        let failed = |source| StoreError::Failed { doing: "lock", at: path.display().to_string(), source };
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match flock(&file, how).map_err(io::Error::from) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::Unsupported => {
                // What was made in the last day is kept anyway: that is what protects the runs of others here.
                tracing::debug!(path = %path.display(), "the file system of the store has no locks");
                Ok(Some(Self { file }))
            }
            Err(e) => Err(failed(e)),
            Ok(()) => Ok(Some(Self { file })),
        }
    }
}

//! One state folder, one engine: a kernel lock held for life. When its holder dies, however it dies, the lock is
//! free at once and there is nothing to clean.

use super::holder::Holder;
use super::network;
use crate::failpoint::reach;
use crate::ids::RunId;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often it is looked who holds a lock, and how long it is waited in between.
const LOOKS: usize = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// The lock's file in the folder.
const FILE: &str = "lock";

/// Why the state folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another engine holds it.
    #[error("another run is using `{folder}` ({holder})")]
    Held {
        /// The state folder.
        folder: String,
        /// Who holds it.
        holder: Holder,
    },
    /// It lies where a journal is not safe.
    #[error("the state folder `{folder}` lies on {kind}: on a network file system a journal can be lost or damaged")]
    Network {
        /// The state folder.
        folder: String,
        /// The file system.
        kind: String,
    },
    /// The folder cannot be written.
    #[error("cannot use the state folder `{folder}`: {source}")]
    Io {
        /// The state folder.
        folder: String,
        /// The error below.
        source: io::Error,
    },
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file is not enough: a child that was forked a moment ago has it open too until it becomes another
    /// program.
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

impl Lock {
    /// Takes the lock of the folder, making the folder when it is not there. With `wait` it waits for the holder.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(folder: &Path, wait: bool) -> Result<Self, LockError> {
        if let Some(kind) = network::under(folder) {
            return Err(LockError::Network { folder: folder.display().to_string(), kind });
        }
        fs::create_dir_all(folder.join("attempts")).map_err(|source| failed(folder, source))?;
        let lock = Self::hold(folder, wait)?;
        reach("lock.taken");
        Ok(lock)
    }

    /// Takes the lock of any folder that one process at a time works with, making it when it is not there.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn hold(folder: &Path, wait: bool) -> Result<Self, LockError> {
        let failed = |source| failed(folder, source);
        fs::create_dir_all(folder).map_err(failed)?;
        let path = folder.join(FILE);
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let how = if wait { FlockOperation::LockExclusive } else { FlockOperation::NonBlockingLockExclusive };
        match flock(&file, how) {
            Ok(()) => {}
            Err(e) if io::Error::from(e).kind() == io::ErrorKind::WouldBlock => {
                return Err(LockError::Held { folder: folder.display().to_string(), holder: Self::whoever(folder) });
            }
            Err(e) => return Err(failed(e.into())),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        // In one piece: whoever reads it meanwhile finds all of it or nothing.
        file.write_all(Holder::me().written().as_bytes()).map_err(failed)?;
        Ok(Self { file })
    }

    /// Writes beside our name which run has begun, for whoever asks whether it goes on.
    ///
    /// # Errors
    /// When the system gives no second handle on the file.
    pub fn teller(&self) -> io::Result<impl Fn(&RunId) + Send + Sync + use<>> {
        let file = self.file.try_clone()?;
        // The file has a block of the disk already, so there is room for it.
        Ok(move |run: &RunId| drop((&file).write_all(Holder::begins(run).as_bytes())))
    }

    /// Who holds a lock that could not be had. Whoever has just taken it has not written its name yet.
    fn whoever(folder: &Path) -> Holder {
        for _ in 0..LOOKS {
            if let Some(holder) = Self::holder(folder) {
                return holder;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        // It cannot be seen from here, as from another container: what it wrote must do.
        Holder::read(&fs::read_to_string(folder.join(FILE)).unwrap_or_default())
    }

    /// Who holds the lock of a folder now. Only looks: taking the lock to find out would turn away a run that begins at
    /// that moment.
    pub fn holder(folder: &Path) -> Option<Holder> {
        Holder::of(&folder.join(FILE))
    }
}

/// A lock's file as it was: another of its name is another lock, which somebody else can hold.
#[derive(Debug)]
pub(super) struct Still {
    file: PathBuf,
    device_and_number: (u64, u64),
}

impl Still {
    /// Of a folder that somebody holds; `None` when it has no lock.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        let file = folder.join(FILE);
        let meta = fs::metadata(&file).ok()?;
        Some(Self { file, device_and_number: (meta.dev(), meta.ino()) })
    }

    /// Whether the file is not there any more. One that cannot be looked at may be.
    pub(super) fn is_gone(&self) -> bool {
        match fs::metadata(&self.file) {
            Ok(meta) => (meta.dev(), meta.ino()) != self.device_and_number,
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }
}

fn failed(folder: &Path, source: io::Error) -> LockError {
    LockError::Io { folder: folder.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_engine_is_told_who_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let held = Lock::take(folder.path(), false).unwrap();
        let error = Lock::take(folder.path(), false).unwrap_err().to_string();
        let me = format!("process {}", std::process::id());
        assert!(error.contains(&me), "{error}");
        assert_eq!(Lock::holder(folder.path()).map(|holder| holder.to_string()), Some(me));
        drop(held);
        assert!(Lock::holder(folder.path()).is_none());
        Lock::take(folder.path(), false).unwrap();
    }
}

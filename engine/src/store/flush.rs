//! What was written -> what a power cut leaves alone. One `syncfs` for a whole group costs less than a flush of each file,
//! but it also waits for whatever others have written to the same disk. One that takes too long is left to itself, on a thread
//! of its own, and the group's files are flushed one by one; while one is under way no second one is begun.

use crate::failpoint;
use rustix::fs::syncfs;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// A group is flushed in milliseconds; what takes this long waits for somebody else's gigabytes.
const PATIENCE: Duration = Duration::from_secs(2);

/// Flushes a whole file system, given a folder of it.
type Whole = dyn Fn(&Path) -> io::Result<()> + Send + Sync;

/// Flushes what was written to one file system.
pub(super) struct Flusher {
    whole: Arc<Whole>,
    patience: Duration,
    /// Whether a flush of the whole is under way.
    is_busy: Arc<AtomicBool>,
    /// What the disk said when it failed a flush. What it has is not known from then on, and it tells each error once.
    broken: OnceLock<String>,
}

impl Flusher {
    /// Flushes what is written below a folder from now on, by the system's own calls.
    pub(super) fn new(root: &Path) -> Self {
        // A folder that cannot be opened yet is opened at the first flush, which tells why when it still cannot be.
        let held = Mutex::new(File::open(root).ok().map(Arc::new));
        let whole = move |root: &Path| {
            failpoint::stall();
            if failpoint::breaks("store.flush") {
                return Err(Errno::IO.into());
            }
            Ok(syncfs(&*hold(&held, root)?)?)
        };
        Self::by(Arc::new(whole), PATIENCE)
    }

    fn by(whole: Arc<Whole>, patience: Duration) -> Self {
        Self { whole, patience, is_busy: Arc::default(), broken: OnceLock::new() }
    }

    /// What the disk said when it failed a flush.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.get().map(String::as_str)
    }

    /// Makes these files last, and that they are where they are. Of a file that is not there it is made to last that it is
    /// not.
    ///
    /// # Errors
    /// The disk's own, and after one the same for good.
    pub(super) fn flush(&self, root: &Path, files: &[PathBuf]) -> io::Result<()> {
        if let Some(why) = self.broken() {
            return Err(io::Error::other(format!("a flush has failed before: {why}")));
        }
        let flushed = self.flush_whole(root).unwrap_or_else(|| singly(root, files));
        flushed.inspect_err(|error| drop(self.broken.set(error.to_string())))
    }

    /// `None` when it takes too long, an earlier one still does, or it cannot be done here.
    fn flush_whole(&self, root: &Path) -> Option<io::Result<()>> {
        if self.is_busy.swap(true, Ordering::AcqRel) {
            return None;
        }
        let (whole, is_busy, root) = (self.whole.clone(), self.is_busy.clone(), root.to_owned());
        let (reply, done) = channel();
        let begun = std::thread::Builder::new().name("flush".to_owned()).spawn(move || {
            let flushed = whole(&root);
            is_busy.store(false, Ordering::Release);
            let _ = reply.send(flushed);
        });
        if begun.is_err() {
            self.is_busy.store(false, Ordering::Release);
            return None;
        }
        let flushed = done.recv_timeout(self.patience).ok();
        match flushed {
            None => tracing::debug!("the disk of the store is busy: files are flushed one by one"),
            Some(Err(error)) if is_not_there(&error) => {
                tracing::debug!(%error, "a file system cannot be flushed whole here: files are flushed one by one");
                return None;
            }
            Some(_) => {}
        }
        flushed
    }
}

/// A folder that stays open from the first flush on: the kernel tells that something was lost to those who had the file system
/// open by then, and to each of them once. Whoever opens it later hears that all is well.
fn hold(held: &Mutex<Option<Arc<File>>>, root: &Path) -> io::Result<Arc<File>> {
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    let device = root.metadata()?.dev();
    if let Some(open) = &*held
        && open.metadata()?.dev() == device
    {
        return Ok(open.clone());
    }
    Ok(held.insert(Arc::new(File::open(root)?)).clone())
}

/// Whether the system has no such call, or lets nobody make it, as some sandboxes do.
fn is_not_there(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied)
}

/// Each file, and each folder on the way to it.
fn singly(root: &Path, files: &[PathBuf]) -> io::Result<()> {
    let mut folders = BTreeSet::new();
    for file in files {
        match File::open(file) {
            Ok(open) => open.sync_all()?,
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        folders.extend(file.ancestors().skip(1).take_while(|folder| folder.starts_with(root)));
    }
    for folder in folders {
        match File::open(folder) {
            Ok(open) => open.sync_all()?,
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    // The root itself may be new. What lies above it need not be ours to open.
    for above in root.ancestors().skip(1) {
        let Ok(open) = File::open(above) else { break };
        open.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::{Receiver, Sender};

    /// A disk whose flush ends when it is told to, and the number of flushes that were begun.
    fn stalling() -> (Flusher, Sender<()>, Arc<AtomicUsize>) {
        let (go_on, told): (Sender<()>, Receiver<()>) = channel();
        let (told, begun) = (Mutex::new(told), Arc::new(AtomicUsize::new(0)));
        let counts = begun.clone();
        let whole = move |_: &Path| {
            counts.fetch_add(1, Ordering::SeqCst);
            let _ = told.lock().unwrap().recv();
            Ok(())
        };
        (Flusher::by(Arc::new(whole), Duration::from_millis(20)), go_on, begun)
    }

    #[test]
    fn a_flush_that_stalls_is_left_to_itself_and_the_files_are_flushed_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/a");
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(&file, "a").unwrap();
        let (flusher, go_on, begun) = stalling();
        let files = [file, folder.path().join("data/gone")];
        for _ in 0..3 {
            flusher.flush(folder.path(), &files).unwrap();
        }
        go_on.send(()).unwrap();
        while flusher.is_busy.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1, "no second one is begun while the first is under way");
        flusher.flush(folder.path(), &files).unwrap();
        // Its thread may come to its turn later than we lose our patience.
        while begun.load(Ordering::SeqCst) < 2 {
            assert!(flusher.is_busy.load(Ordering::Acquire), "the next group tries the whole again");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_cannot_be_flushed_one_by_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (flusher, _go_on, _) = stalling();
        let through_a_file = folder.path().join("file/a");
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(flusher.flush(folder.path(), &[through_a_file]).is_err());
    }

    #[test]
    fn where_a_whole_file_system_cannot_be_flushed_its_files_are() {
        let folder = tempfile::tempdir().unwrap();
        for code in [Errno::NOSYS, Errno::PERM] {
            let flusher = Flusher::by(Arc::new(move |_: &Path| Err(code.into())), PATIENCE);
            fs::write(folder.path().join("a"), "a").unwrap();
            flusher.flush(folder.path(), &[folder.path().join("a")]).unwrap();
            let through_a_file = folder.path().join("a/b");
            assert!(
                flusher.flush(folder.path(), &[through_a_file]).is_err(),
                "they are flushed, and not believed to be"
            );
        }
    }

    #[test]
    fn the_folder_that_was_open_before_the_writes_is_the_one_that_is_flushed() {
        let folder = tempfile::tempdir().unwrap();
        let held = Mutex::new(None);
        let first = hold(&held, folder.path()).unwrap();
        assert!(Arc::ptr_eq(&first, &hold(&held, folder.path()).unwrap()));
        // Another file system now lies there.
        assert!(!Arc::ptr_eq(&first, &hold(&held, Path::new("/proc")).unwrap()));
    }

    #[test]
    fn after_an_error_of_the_disk_nothing_is_flushed_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let tries = Arc::new(AtomicUsize::new(0));
        let counts = tries.clone();
        // The kernel tells an error once; whoever asks again hears that all is well.
        let whole = move |_: &Path| match counts.fetch_add(1, Ordering::SeqCst) {
            0 => Err(io::Error::other("it is broken")),
            _ => Ok(()),
        };
        let flusher = Flusher::by(Arc::new(whole), PATIENCE);
        let error = flusher.flush(folder.path(), &[]).unwrap_err();
        assert_eq!(error.to_string(), "it is broken");
        let again = flusher.flush(folder.path(), &[]).unwrap_err();
        assert_eq!(again.to_string(), "a flush has failed before: it is broken");
        assert_eq!((tries.load(Ordering::SeqCst), flusher.broken()), (1, Some("it is broken")));
    }
}

//! The files outside the store that tasks name -> their digests, reading only what is not remembered.

use super::lock;
use crate::attempt::{RemoteSource, SourceFile};
use crate::failure::Failure;
use crate::plan::TaskFile;
use crate::remote::{self, Remotes};
use crate::stamp::{FileStamp, Stamp, companion};
use crate::state::{Hints, Known};
use crate::world::World;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A file as a stage names it: where it lies and what belongs to it.
type Named = (PathBuf, &'static [&'static str]);

/// Hashes files.
#[derive(Clone)]
pub(super) struct Sources {
    world: World,
    /// What was seen of each file, while nothing runs that could change it.
    seen: Option<Arc<Mutex<HashMap<Named, SourceFile>>>>,
    /// What tells of sources elsewhere.
    remotes: Option<Arc<dyn Remotes>>,
}

impl Sources {
    /// Hashes files as they are whenever it is asked.
    pub(super) fn of(world: World, remotes: Option<Arc<dyn Remotes>>) -> Self {
        Self { world, seen: None, remotes }
    }

    /// Looks at each file once.
    pub(super) fn looked_at_once(self) -> Self {
        Self { seen: Some(Arc::default()), ..self }
    }

    /// A file and the digest of all that belongs to it. `reading` is called before one is read, which may take long.
    ///
    /// # Errors
    /// When it cannot be read, or changes meanwhile.
    pub(super) fn hashed(
        &self,
        file: &TaskFile,
        companions: &'static [&'static str],
        hints: &Mutex<Hints>,
        reading: &dyn Fn(),
    ) -> Result<SourceFile, Failure> {
        let Some(seen) = &self.seen else { return self.look(file, companions, hints, reading) };
        // A URI is more than what is shown of it.
        let named = (file.uri().map_or_else(|| file.path.clone(), PathBuf::from), companions);
        let known = lock(seen).get(&named).cloned();
        if let Some(known) = known {
            return Ok(if known.remote.is_some() {
                known
            } else {
                SourceFile { written: file.written.clone(), ..known }
            });
        }
        let source = self.look(file, companions, hints, reading)?;
        lock(seen).insert(named, source.clone());
        Ok(source)
    }

    /// The digest of a file, and of the companions it has: a database's write-ahead log is part of what it says. They
    /// are looked at before and after, since one may move into the other meanwhile.
    fn look(
        &self,
        file: &TaskFile,
        companions: &[&str],
        hints: &Mutex<Hints>,
        reading: &dyn Fn(),
    ) -> Result<SourceFile, Failure> {
        if let Some(uri) = file.uri() {
            reading();
            return self.elsewhere(uri);
        }
        let failed = |e: io::Error| unreadable(file, &e);
        let path = file.path.canonicalize().map_err(failed)?;
        if companions.is_empty()
            && let Some(source) = remembered(file, &path, hints).map_err(failed)?
        {
            return Ok(source);
        }
        let stamps = || -> io::Result<BTreeMap<String, FileStamp>> {
            let suffixes = std::iter::once("").chain(companions.iter().copied());
            suffixes.map(|s| Ok((s.to_owned(), FileStamp::of_companion(&companion(&path, s))?))).collect()
        };
        let before = stamps().map_err(failed)?;
        let (size, mut blake3) = self.digest(&path, hints, reading).map_err(failed)?;
        for suffix in companions {
            match self.digest(&companion(&path, suffix), hints, reading) {
                Ok((0, _)) => {}
                Ok((_, more)) => {
                    blake3 = blake3::hash(format!("{blake3}{suffix}{more}").as_bytes()).to_hex().to_string();
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(unreadable(file, &e)),
            }
        }
        let source = SourceFile { path, written: file.written.clone(), size, blake3, stamps: before, remote: None };
        source.check_unchanged()?;
        Ok(source)
    }

    /// What lies at a URI. It is asked each time: nothing else tells that it has changed.
    fn elsewhere(&self, uri: &str) -> Result<SourceFile, Failure> {
        let written = remote::shown(uri);
        let Some(remotes) = &self.remotes else {
            return Err(Failure::failed("source_not_asked", "what lies elsewhere is not looked at offline").on(written));
        };
        let stat = remotes.look(uri)?;
        Ok(SourceFile {
            path: PathBuf::from(&written),
            written,
            size: stat.size,
            blake3: remote::digest(uri, &stat),
            stamps: BTreeMap::new(),
            remote: Some(RemoteSource { uri: uri.to_owned(), stat }),
        })
    }

    /// The digest of a file, remembered unless it was written so shortly before that its times cannot tell.
    fn digest(&self, path: &Path, hints: &Mutex<Hints>, reading: &dyn Fn()) -> io::Result<(u64, String)> {
        let meta = fs::metadata(path)?;
        let stamp = FileStamp::of(&meta);
        if let Some(known) = lock(hints).file(path, &stamp) {
            return Ok((meta.len(), known.to_owned()));
        }
        reading();
        let now = self.world.now();
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        let blake3 = hasher.finalize().to_hex().to_string();
        let after = fs::metadata(path)?;
        if FileStamp::of(&after) == stamp && !Stamp::of(&meta).is_racy(now) {
            lock(hints).remember_file(path, Known { stamp, blake3: blake3.clone() });
        }
        Ok((after.len(), blake3))
    }
}

/// A file that is as it was when it was last hashed. One look tells it: nothing is read, so nothing can change meanwhile.
fn remembered(file: &TaskFile, path: &Path, hints: &Mutex<Hints>) -> io::Result<Option<SourceFile>> {
    let meta = fs::metadata(path)?;
    let stamp = FileStamp::of(&meta);
    let known = if meta.len() > 0 { lock(hints).file(path, &stamp).map(str::to_owned) } else { None };
    Ok(known.map(|blake3| SourceFile {
        path: path.to_owned(),
        written: file.written.clone(),
        size: meta.len(),
        blake3,
        stamps: BTreeMap::from([(String::new(), stamp)]),
        remote: None,
    }))
}

fn unreadable(file: &TaskFile, error: &io::Error) -> Failure {
    let code = if error.kind() == io::ErrorKind::NotFound { "file_missing" } else { "file_unreadable" };
    Failure::failed(code, format!("cannot read the file of `{}`", file.field))
        .on(file.path.display().to_string())
        .source(error)
        .help("check the path in the spec; it is relative to the spec's file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Mark;
    use crate::world::Timestamp;
    use std::os::unix::fs::MetadataExt;
    use std::time::{Duration, UNIX_EPOCH};

    fn file(path: &Path) -> TaskFile {
        let (field, written) = ("video".to_owned(), "video.mp4".to_owned());
        TaskFile { field, written, path: path.to_owned(), mark: Mark::InputFile }
    }

    /// Hashes files at a moment after the epoch.
    fn at(millis: u64) -> Sources {
        Sources::of(World::with(move || Timestamp(millis), || 4), None)
    }

    fn changed(path: &Path) -> u64 {
        let meta = fs::metadata(path).unwrap();
        (meta.ctime().max(meta.mtime()) * 1000).cast_unsigned()
    }

    #[test]
    fn a_file_that_was_written_a_moment_ago_is_hashed_again_and_one_of_before_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("video.mp4");
        fs::write(&path, "a").unwrap();
        for (later, is_remembered) in [(0, false), (1999, false), (3001, true)] {
            let hints = Mutex::new(Hints::default());
            at(changed(&path) + later).hashed(&file(&path), &[], &hints, &|| ()).unwrap();
            let stamp = FileStamp::of(&fs::metadata(&path).unwrap());
            let real = path.canonicalize().unwrap();
            assert_eq!(lock(&hints).file(&real, &stamp).is_some(), is_remembered, "after {later} ms");
        }
    }

    /// A clock that is behind that of the files, as after it was set back, tells nothing of their age.
    #[test]
    fn a_file_of_the_future_is_hashed_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("video.mp4");
        fs::write(&path, "a").unwrap();
        let next_year = UNIX_EPOCH + Duration::from_millis(changed(&path)) + Duration::from_secs(31_536_000);
        File::options().write(true).open(&path).unwrap().set_modified(next_year).unwrap();
        let hints = Mutex::new(Hints::default());
        at(changed(&path) - 1_000_000).hashed(&file(&path), &[], &hints, &|| ()).unwrap();
        let stamp = FileStamp::of(&fs::metadata(&path).unwrap());
        assert!(lock(&hints).file(&path.canonicalize().unwrap(), &stamp).is_none());
    }
}

//! A folder -> the specs in it that have a schedule, read again when they change. Looks into the folder and the folders
//! directly in it; names that begin with a dot are left out.

use super::{Reading, Scheduled};
use pipe_engine::stamp::FileStamp;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a look found that the one before had not.
#[derive(Default)]
pub(super) struct Found {
    pub(super) scheduled: Vec<(PathBuf, Scheduled)>,
    pub(super) broken: Vec<(PathBuf, String)>,
    /// No file any more, or without a schedule.
    pub(super) gone: Vec<PathBuf>,
}

/// The files as they were last read.
pub(super) struct Folder {
    root: PathBuf,
    seen: BTreeMap<PathBuf, Seen>,
}

struct Seen {
    /// The files it is made of, as they were; none for one that is not there.
    stamps: Vec<(PathBuf, Option<FileStamp>)>,
    /// A spec that could not be taken yet.
    again: Option<Scheduled>,
    scheduled: Option<Scheduled>,
    was_told: bool,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, seen: BTreeMap::new() }
    }

    pub(super) fn look(&mut self, read: &dyn Fn(&Path) -> Reading) -> Found {
        let mut found = Found::default();
        let files = files(&self.root);
        let gone: Vec<PathBuf> = self.seen.keys().filter(|path| !files.contains(path)).cloned().collect();
        for path in gone {
            self.seen.remove(&path);
            found.gone.push(path);
        }
        for path in files {
            match self.seen.get_mut(&path) {
                Some(seen) if seen.is_current() => {
                    found.scheduled.extend(seen.again.take().map(|scheduled| (path, scheduled)));
                }
                _ => self.read(path, read, &mut found),
            }
        }
        found
    }

    /// Gives the spec out again at the next look. Whether this is the first time since it changed.
    pub(super) fn try_again(&mut self, spec: &Path) -> bool {
        let Some(seen) = self.seen.get_mut(spec) else { return true };
        seen.again.clone_from(&seen.scheduled);
        !std::mem::replace(&mut seen.was_told, true)
    }

    fn read(&mut self, path: PathBuf, read: &dyn Fn(&Path) -> Reading, found: &mut Found) {
        // Stamped before it is read: what changes while it is read makes it be read again.
        let known = self.seen.remove(&path);
        let known = known.map_or_else(Vec::new, |seen| seen.stamps.into_iter().map(|(path, _)| path).collect());
        let mut stamps = stamps(std::iter::once(path.clone()).chain(known));
        let reading = read(&path);
        let mut scheduled = None;
        match reading {
            Reading::Scheduled(spec) => {
                let new: Vec<_> = spec.sources.iter().filter(|path| !stamps.iter().any(|(p, _)| p == *path)).collect();
                stamps.extend(self::stamps(new.into_iter().cloned()));
                stamps.retain(|(source, _)| *source == path || spec.sources.contains(source));
                scheduled = Some(*spec.clone());
                found.scheduled.push((path.clone(), *spec));
            }
            Reading::Broken { problems, looks_scheduled: true } => found.broken.push((path.clone(), problems)),
            Reading::Broken { .. } | Reading::Other => found.gone.push(path.clone()),
        }
        self.seen.insert(path, Seen { stamps, again: None, scheduled, was_told: false });
    }
}

impl Seen {
    fn is_current(&self) -> bool {
        self.stamps.iter().all(|(path, stamp)| stamp_of(path) == *stamp)
    }
}

fn stamps(paths: impl Iterator<Item = PathBuf>) -> Vec<(PathBuf, Option<FileStamp>)> {
    paths.map(|path| (stamp_of(&path), path)).map(|(stamp, path)| (path, stamp)).collect()
}

fn stamp_of(path: &Path) -> Option<FileStamp> {
    fs::metadata(path).ok().map(|meta| FileStamp::of(&meta))
}

/// The files that may be specs, in order.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in entries(root) {
        if path.is_dir() {
            files.extend(entries(&path).into_iter().filter(|path| is_candidate(path)));
        } else if is_candidate(&path) {
            files.push(path);
        }
    }
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

fn is_candidate(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "toml" || kind == "yaml" || kind == "yml") && path.is_file()
}

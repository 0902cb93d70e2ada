//! A record and the disk as it is now -> the tasks that do not stand any more. Costs a `stat` for each file that is in a
//! key, one for each file of a result, and one for each folder of manifests.

use super::{SHELVES, Settled, Task, Watched};
use crate::stamp::Stamp;
use crate::world::Timestamp;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat, open, statat};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

impl Settled {
    /// Whether the spec is still made up of the same texts.
    pub fn has_same_texts(&self) -> bool {
        self.texts.iter().all(|text| text.is_same())
    }

    /// How many folders of manifests are trusted: as many as need not be looked into.
    pub fn trusts(&self) -> usize {
        self.shelves.iter().flatten().count()
    }

    /// The tasks that do not stand any more, by their places. `None`: nothing can be told, as where there is no store. When
    /// all stand, it takes note of folders of manifests that can be trusted from now on.
    pub fn fallen(&mut self, now: Timestamp) -> Option<Vec<u32>> {
        let store =
            open(self.store.as_str(), OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let shelves = Shelves::look(&store, &self.shelves);
        let stands = |task: &Task| task.has_same_files() && shelves.stand(task, &store) && task.is_whole(store.as_fd());
        let numbered = (0..).zip(&self.tasks);
        let fallen: Vec<u32> = numbered.filter(|(_, task)| !stands(task)).map(|(place, _)| place).collect();
        // Where a manifest is not what it was, its task is among these, and is looked up.
        if fallen.is_empty() {
            self.shelves = shelves.trusted(now);
        }
        Some(fallen)
    }
}

/// The folders of manifests: as they are, and whether they are as they were.
struct Shelves {
    now: Vec<Option<Stamp>>,
    are_same: Vec<bool>,
}

impl Shelves {
    fn look(store: &OwnedFd, known: &[Option<Stamp>]) -> Self {
        let now: Vec<Option<Stamp>> =
            (0..SHELVES).map(|byte| stamp(store.as_fd(), &format!("results/{byte:02x}"))).collect();
        let same = |(byte, now): (usize, &Option<Stamp>)| now.is_some() && known.get(byte) == Some(now);
        let are_same = now.iter().enumerate().map(same).collect();
        Self { now, are_same }
    }

    /// Whether the manifest of a task is what it was. Manifests are never written again: a folder in which nothing was made,
    /// replaced or removed holds the same ones.
    fn stand(&self, task: &Task, store: &OwnedFd) -> bool {
        let byte = task.fingerprint[0];
        let place = || format!("results/{byte:02x}/{}.json", blake3::Hash::from_bytes(task.fingerprint).to_hex());
        self.are_same[usize::from(byte)] || stamp(store.as_fd(), &place()) == Some(task.manifest)
    }

    /// The folders whose times can tell of the next change.
    fn trusted(self, now: Timestamp) -> Vec<Option<Stamp>> {
        self.now.into_iter().map(|stamp| stamp.filter(|stamp| !stamp.is_racy(now))).collect()
    }
}

impl Task {
    fn has_same_files(&self) -> bool {
        self.files.as_ref().is_some_and(|files| files.iter().all(Watched::is_same))
    }

    fn is_whole(&self, store: BorrowedFd<'_>) -> bool {
        let is_there = |(at, size): &(String, u64)| {
            statat(store, at.as_str(), AtFlags::empty())
                .is_ok_and(|stat| is_file(&stat) && u64::try_from(stat.st_size) == Ok(*size))
        };
        self.outputs.iter().all(is_there)
    }
}

impl Watched {
    /// Whether the same lies there as before. An empty file beside another says as much as none, and came to be meanwhile.
    fn is_same(&self) -> bool {
        stamp(CWD, &self.path) == self.stamp
    }
}

fn is_file(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file()
}

fn stamp(folder: BorrowedFd<'_>, path: &str) -> Option<Stamp> {
    statat(folder, path, AtFlags::empty()).ok().map(|stat| Stamp::of_stat(&stat))
}

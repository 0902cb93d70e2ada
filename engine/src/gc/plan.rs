//! Results, marks and what lies on the disk -> what goes, and how much room that makes. Changes nothing.

use super::attempts::Attempts;
use super::catalogue::{Catalogue, Entry};
use super::data::{DataFile, Found};
use super::mark::{Roots, Rules, Why, mark, named};
use crate::failure::Failure;
use crate::store::Folder;
use crate::world::Timestamp;
use std::collections::HashSet;
use std::time::Duration;

/// What becomes of a store.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// All results, and why each is kept.
    pub results: Vec<(Entry, Option<Why>)>,
    /// Files of results that are kept, or that are too young to be judged.
    pub kept: Vec<DataFile>,
    /// Files that go.
    pub gone: Vec<DataFile>,
    /// Half-written objects that go.
    pub half_written: Vec<DataFile>,
    /// Manifests of results that were removed or put in quarantine so long ago that nobody asks for them.
    pub forgotten: Vec<DataFile>,
    /// Folders under `data/` and `attempts/`, each behind those that it holds: those that are left empty go.
    pub(super) folders: Vec<DataFile>,
    /// What is empty since then or before may go.
    pub(super) before: Timestamp,
    /// The manifests that nothing can be told of, which are put in quarantine.
    pub damaged: Vec<crate::ids::Fingerprint>,
    /// The time.
    pub now: Timestamp,
}

impl Plan {
    /// The results that go.
    pub fn removed(&self) -> impl Iterator<Item = &Entry> {
        self.results.iter().filter(|(_, why)| why.is_none()).map(|(entry, _)| entry)
    }

    /// The bytes that become free.
    pub fn freed(&self) -> u64 {
        self.gone.iter().chain(&self.half_written).chain(&self.forgotten).map(|file| file.size).sum()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let files = [&self.gone, &self.half_written, &self.forgotten];
        files.iter().all(|files| files.is_empty()) && self.removed().next().is_none()
    }
}

/// Looks at a store and decides.
///
/// # Errors
/// When the store cannot be read whole.
pub fn plan(store: &Folder, rules: &Rules, roots: &Roots) -> Result<Plan, Failure> {
    // Bytes first: what is filed meanwhile names files that are then known to be named.
    let (data, tmp) = (Found::under(store, "data")?, Found::under(store, "tmp")?);
    let attempts = Attempts::read(store)?;
    let Catalogue { results, damaged } = Catalogue::read(store)?;
    let marks = mark(&results, rules, roots);
    let named: HashSet<String> = named(&results, &marks).map(str::to_owned).collect();
    let before = Timestamp(rules.now.0.saturating_sub(millis(rules.min_age)));
    let stays = |file: &DataFile| {
        let leads_to_one = || file.is_link && named.iter().any(|at| at.starts_with(&format!("{}/", file.at)));
        file.touched > before || named.contains(&file.at) || attempts.may_write(file) || leads_to_one()
    };
    let (kept, mut gone): (Vec<_>, Vec<_>) = data.files.into_iter().partition(stays);
    gone.extend(attempts.over.into_iter().filter(|file| file.touched <= before));
    let folders = data.folders.into_iter().chain(attempts.folders).collect();
    // Locks are files of ours that nobody may take away: two who hold the same one would each hold another file.
    let is_old = |file: &DataFile| file.touched <= before && !file.at.ends_with(".lock");
    let half_written = tmp.files.into_iter().filter(is_old).collect();
    let results = results.into_iter().zip(marks).collect();
    let forgotten = forgotten(store, Timestamp(rules.now.0.saturating_sub(millis(rules.removed_for))))?;
    Ok(Plan { results, kept, gone, half_written, forgotten, folders, before, damaged, now: rules.now })
}

/// Manifests of results that are gone, which nobody has touched since.
fn forgotten(store: &Folder, since: Timestamp) -> Result<Vec<DataFile>, Failure> {
    let [mut old, quarantine] = [Found::under(store, "lineage")?.files, Found::under(store, "quarantine")?.files];
    old.extend(quarantine);
    old.retain(|file| file.touched < since);
    Ok(old)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

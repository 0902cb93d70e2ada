//! Results, marks and what lies on the disk -> what goes, and how much room that makes. Changes nothing.

use super::attempts::Attempts;
use super::catalogue::{Catalogue, Entry};
use super::data::{DataFile, Found};
use super::mark::{Roots, Rules, Why, mark, named};
use crate::failure::Failure;
use crate::store::{Folder, lineage};
use crate::work::store_failed;
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
    /// Of these, the files that no result and no open attempt names: they stay for their age alone.
    pub young: Vec<DataFile>,
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
    let before = ago(rules.now, rules.min_age);
    let is_named = |file: &DataFile| {
        let leads_to_one = || file.is_link && named.iter().any(|at| at.starts_with(&format!("{}/", file.at)));
        named.contains(&file.at) || attempts.may_write(file) || leads_to_one()
    };
    let (named, others): (Vec<_>, Vec<_>) = data.files.into_iter().partition(is_named);
    let filed = filed(store, &others, rules, removed(&results, &marks).map(str::to_owned).collect())?;
    let goes = |file: &DataFile| file.touched <= before || filed.contains(&file.at);
    let (mut gone, young): (Vec<_>, Vec<_>) = others.into_iter().partition(goes);
    let kept = named.into_iter().chain(young.iter().cloned()).collect();
    gone.extend(attempts.over.into_iter().filter(|file| file.touched <= before));
    let folders = data.folders.into_iter().chain(attempts.folders).collect();
    // Locks are files of ours that nobody may take away: two who hold the same one would each hold another file.
    let is_old = |file: &DataFile| file.touched <= before && !file.at.ends_with(".lock");
    let half_written = tmp.files.into_iter().filter(is_old).collect();
    let results = results.into_iter().zip(marks).collect();
    let forgotten = forgotten(store, ago(rules.now, rules.removed_for))?;
    Ok(Plan { results, kept, young, gone, half_written, forgotten, folders, before, damaged, now: rules.now })
}

/// Manifests of results that are gone, which nobody has touched since.
fn forgotten(store: &Folder, since: Timestamp) -> Result<Vec<DataFile>, Failure> {
    let [mut old, quarantine] = [Found::under(store, "lineage")?.files, Found::under(store, "quarantine")?.files];
    old.extend(quarantine);
    old.retain(|file| file.touched < since);
    Ok(old)
}

/// Where the files lie that results name which go.
fn removed<'a>(results: &'a [Entry], marks: &[Option<Why>]) -> impl Iterator<Item = &'a str> {
    let gone = results.iter().zip(marks).filter(|(_, mark)| mark.is_none());
    gone.flat_map(|(entry, _)| &entry.files).map(|file| file.at.as_str())
}

/// Of files that no result names those that go although they are young. Bytes that nobody has filed may be about to be; those
/// of a result that goes, or went before (a sweep may have been cut short), were filed. For them counts what counts for their
/// result, so that who lets it go gets its room. A run that did not come to its end keeps its results, and so their bytes.
fn filed(
    store: &Folder,
    files: &[DataFile],
    rules: &Rules,
    removed: HashSet<String>,
) -> Result<HashSet<String>, Failure> {
    let (young, old) = (ago(rules.now, rules.min_age), ago(rules.now, rules.older_than));
    let mut filed = removed;
    let in_question = || files.iter().filter(|file| file.touched > young && file.touched <= old);
    if in_question().any(|file| !filed.contains(&file.at)) {
        for fingerprint in lineage::all(store).map_err(store_failed)? {
            let gone = lineage::find(store, &fingerprint).map_err(store_failed)?;
            filed.extend(gone.into_iter().flat_map(|gone| gone.manifest.files).map(|file| file.at));
        }
    }
    Ok(in_question().filter(|file| filed.contains(&file.at)).map(|file| file.at.clone()).collect())
}

fn ago(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

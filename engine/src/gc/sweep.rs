//! A plan of what goes -> a store without it. Manifests first, then the flush that makes this last, then the bytes: after
//! any step, and after a power cut at any moment, a result that is found has its files.

use super::plan::Plan;
use crate::failure::Failure;
use crate::manifest::place;
use crate::store::{Folder, Results, lineage};
use crate::work::store_failed;
use std::collections::HashSet;
use std::fs;
use std::io;

/// What is about to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A manifest is moved to the lineage, or to the quarantine when nothing can be told of it.
    Manifest(&'a str),
    /// What was moved is made to last.
    Flush,
    /// A file is deleted.
    File(&'a str),
    /// Folders that are left empty are deleted.
    Folders,
}

/// Carries a plan out. `goes_on` hears of each step before it is done, and may end it there.
///
/// # Errors
/// When the store cannot be written.
pub fn sweep(store: &Folder, plan: &Plan, goes_on: &mut dyn FnMut(Step<'_>) -> bool) -> Result<(), Failure> {
    for fingerprint in &plan.damaged {
        if !goes_on(Step::Manifest(&fingerprint.0)) {
            return Ok(());
        }
        Results::of(store).quarantine(fingerprint).map_err(store_failed)?;
    }
    for entry in plan.removed() {
        if !goes_on(Step::Manifest(&entry.fingerprint.0)) {
            return Ok(());
        }
        lineage::remove(store, &entry.fingerprint, plan.now).map_err(store_failed)?;
    }
    if !goes_on(Step::Flush) {
        return Ok(());
    }
    let moved = plan.damaged.iter().chain(plan.removed().map(|entry| &entry.fingerprint));
    let places: Vec<String> = moved.flat_map(|print| [place(print), lineage::place_of(print)]).collect();
    // What is in quarantine has a name of its own; what counts is that the folder has it.
    let places = places.iter().map(String::as_str).chain(["quarantine/any"]);
    store.flush(places).map_err(store_failed)?;
    for file in plan.gone.iter().chain(&plan.half_written).chain(&plan.forgotten) {
        if !goes_on(Step::File(&file.at)) {
            return Ok(());
        }
        delete(store, &file.at)?;
    }
    if goes_on(Step::Folders) {
        remove_empty_folders(store, plan);
    }
    Ok(())
}

fn delete(store: &Folder, at: &str) -> Result<(), Failure> {
    let path = store.path(at);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Failure::io("delete", &path, &e)),
        _ => Ok(()),
    }
}

/// Folders out of which something went, and those that were empty before; others may be about to be written into.
fn remove_empty_folders(store: &Folder, plan: &Plan) {
    let mut emptied: HashSet<&str> = plan.gone.iter().filter_map(|file| parent(&file.at)).collect();
    for folder in &plan.folders {
        // Fails when something is left in it, as it should.
        let may_go = emptied.contains(folder.at.as_str()) || folder.touched <= plan.before;
        if may_go && fs::remove_dir(store.path(&folder.at)).is_ok() {
            emptied.extend(parent(&folder.at));
        }
    }
}

fn parent(at: &str) -> Option<&str> {
    at.rsplit_once('/').map(|(parent, _)| parent)
}

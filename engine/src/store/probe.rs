//! A store -> whether it lets us do what a run does, and keeps what it promises. An object is made, and removed again.

use super::{Right, Store, StoreError, blocking};
use crate::finding::Finding;

/// Where probes lie.
pub const PROBES: &str = "probes";
/// The code of what is refused to whoever is not known: nothing else need be tried.
const NOBODY: &str = "no_credentials";
/// What the first of two writers writes, and the second.
const FIRST: &[u8] = b"pipe looks whether it can write here\n";
const SECOND: &[u8] = b"and this must never be here\n";

/// Creates an object of this name under `probes/`, creates it again, reads it, lists it and deletes it. The name is nobody
/// else's.
pub fn probe(store: &dyn Store, name: &str) -> Vec<Finding> {
    let at = format!("{PROBES}/{name}");
    let mut findings = Vec::new();
    let is_made = match blocking(store.put_new(&at, FIRST)) {
        // A reply that was lost on its way is asked for again by clients below.
        Ok(()) | Err(StoreError::Conflict { .. }) => true,
        Err(error) => {
            let was_refused = matches!(error, StoreError::Failed { .. });
            let failure = store.refused(Right::Create, error);
            let is_known = failure.code != NOBODY;
            findings.push(Finding::error(failure));
            if !(was_refused && is_known) {
                return findings;
            }
            false
        }
    };
    if is_made {
        findings.extend(once(store, &at));
        findings.extend(read(store, &at));
    }
    findings.extend(list(store, &at, is_made));
    if is_made && let Err(error) = blocking(store.delete(&at)) {
        let left = format!("{at} is left there");
        findings.push(Finding::warning(store.refused(Right::Delete, error)).on(left));
    }
    if findings.is_empty() {
        findings.push(Finding::good("store", "objects are created once, read, listed and deleted"));
    }
    findings
}

/// What is there must not be created a second time.
fn once(store: &dyn Store, at: &str) -> Option<Finding> {
    match blocking(store.put_new(at, SECOND)) {
        Err(StoreError::Conflict { .. }) => None,
        Ok(()) => Some(Finding::error(store.forgetful())),
        Err(error) => Some(Finding::error(store.refused(Right::Create, error))),
    }
}

fn read(store: &dyn Store, at: &str) -> Option<Finding> {
    blocking(store.get(at)).err().map(|error| Finding::error(store.refused(Right::Read, error)))
}

fn list(store: &dyn Store, at: &str, is_made: bool) -> Option<Finding> {
    match blocking(store.list(&format!("{PROBES}/"))) {
        Err(error) => Some(Finding::error(store.refused(Right::List, error))),
        Ok(listed) if is_made && listed.iter().all(|one| one.at != at) => {
            let late = "an object that was just made is not in a list: what another machine makes is found late";
            Some(Finding::unknown("late_lists", late))
        }
        Ok(_) => None,
    }
}

//! Finished attempts -> results in the store. Bytes are flushed first, then the manifests that promise them.

use super::missed::Missed;
use super::trust::Trust;
use crate::attempt::Outcome;
use crate::failpoint::reach;
use crate::failure::Failure;
use crate::ids::RunId;
use crate::key::incomplete;
use crate::manifest::{Artifact, Manifest, Of, Provenance, VERSION, digest, place};
use crate::plan::Task;
use crate::scheduler::TaskIndex;
use crate::store::{Filed, Folder, Results, Staged, StoreError, bytes_of};
use crate::work::{files_are_there, store_failed, warn_of_difference};
use crate::world::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// A task whose work is done.
pub(super) struct Finish {
    pub(super) task: TaskIndex,
    pub(super) manifest: Manifest,
    /// Whether it takes the place of the result that is there: somebody asked for it to be made anew.
    pub(super) replaces: bool,
    /// What it was given. Whatever was made of something that changed meanwhile is not published.
    pub(super) needs: Vec<Arc<Artifact>>,
}

/// The manifest of a task that ended well.
pub(super) fn manifest(
    run: &RunId,
    pipeline: &str,
    task: &Task,
    missed: &Missed,
    outcome: Outcome,
    now: Timestamp,
) -> Manifest {
    let key = match outcome.items.failed {
        0 => missed.key(),
        _ => incomplete(missed.fields(), &outcome.id),
    };
    Manifest {
        version: VERSION,
        of: Of::Task,
        fingerprint: key.fingerprint,
        key: key.fields,
        digest: digest(&outcome.files),
        files: outcome.files,
        result: outcome.result,
        provenance: Provenance {
            run: run.clone(),
            attempt: outcome.id,
            task: task.id.clone(),
            published: now,
            sources: missed.files.values().map(|f| f.written.clone()).collect(),
            pipeline: Some(pipeline.to_owned()),
            adopted: None,
        },
    }
}

/// Publishes a group: its bytes and those of its manifests are flushed in one go, then the manifests get the names under
/// which they promise the others, and one more flush makes these last. A flush of each costs more than a small task.
pub(super) fn publish(
    store: &Folder,
    trust: &Trust,
    group: Vec<Finish>,
) -> Vec<(TaskIndex, Result<Manifest, Failure>)> {
    let stage = |finish: &Finish| {
        trust.after(&finish.needs)?;
        let ours = &finish.manifest;
        store.stage(&place(&ours.fingerprint), &bytes_of(ours)).map_err(store_failed)
    };
    let staged: Vec<Result<Staged, Failure>> = group.iter().map(stage).collect();
    reach("group.before_flush");
    let files = group.iter().flat_map(|finish| &finish.manifest.files).map(|file| Path::new(&file.at));
    let aside = staged.iter().flatten().filter_map(Staged::aside);
    let flushed = store.flush(files.chain(aside)).map_err(store_failed);
    reach("group.flushed");
    let filed: Vec<_> = group
        .into_iter()
        .zip(staged)
        .map(|(finish, staged)| {
            let staged = flushed.clone().and(staged);
            (finish.task, staged.and_then(|staged| file(store, finish, staged)))
        })
        .collect();
    let named = filed.iter().filter_map(|(_, made)| made.as_ref().ok()).map(|made| place(&made.fingerprint));
    let lasting = store.flush(named).map_err(store_failed);
    filed.into_iter().map(|(task, made)| (task, lasting.clone().and(made))).collect()
}

/// Files a manifest that is staged. When somebody was first, theirs is looked at.
fn file(store: &Folder, finish: Finish, staged: Staged) -> Result<Manifest, Failure> {
    match store.name(staged) {
        Ok(()) => {
            reach("manifest.filed");
            Ok(finish.manifest)
        }
        Err(StoreError::Conflict { .. }) => file_beside(store, finish.manifest, finish.replaces),
        Err(error) => Err(store_failed(error)),
    }
}

/// Files one manifest where there is another. Theirs stands, if what it promises is there and ours is not to replace it.
fn file_beside(store: &Folder, ours: Manifest, replaces: bool) -> Result<Manifest, Failure> {
    let results = Results::of(store);
    for _ in 0..2 {
        match results.file(&ours).map_err(store_failed)? {
            Filed::Ours => {
                reach("manifest.filed");
                return Ok(ours);
            }
            Filed::Theirs(theirs) if replaces && theirs.digest != ours.digest => {
                warn_of_difference(&ours, &theirs);
                if results.replace(&theirs, &ours).map_err(store_failed)? {
                    return Ok(ours);
                }
            }
            Filed::Theirs(theirs) if files_are_there(store, &theirs.files)? => {
                warn_of_difference(&ours, &theirs);
                return Ok(*theirs);
            }
            Filed::Theirs(_) => results.quarantine(&ours.fingerprint).map_err(store_failed)?,
        }
    }
    Err(Failure::failed("store", "another result with missing files keeps coming back").on(ours.fingerprint.0))
}

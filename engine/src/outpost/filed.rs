//! What an attempt has made on this machine -> items and a result in the bucket. Files come first and manifests last, so
//! whoever dies in between has promised nothing.

use super::Errand;
use super::ground::Ground;
use crate::attempt::{Attempt, Outcome};
use crate::failure::{Class, Failure};
use crate::ids::Fingerprint;
use crate::key::{Key, incomplete};
use crate::manifest::{Manifest, Of, Provenance, VERSION, digest};
use crate::store::{Results, Store, blocking};
use crate::work::store_failed;
use crate::world::Timestamp;
use std::sync::{Mutex, PoisonError};

/// How many items are filed at a time.
const AT_ONCE: usize = 8;

impl Errand {
    /// Files what an attempt has made. Returns its outcome as it stands in the bucket: where somebody was first, theirs
    /// counts.
    pub(super) fn file(&self, ground: &Ground, attempt: &Attempt, outcome: Outcome) -> Result<Outcome, Failure> {
        if self.is_dry {
            return Ok(outcome);
        }
        let own = format!("{}/", attempt.output);
        ground.shared.came_from_there(outcome.files.iter().filter(|file| !file.at.starts_with(&own)));
        // What a failed attempt has finished another need not make again.
        let items = items(ground, attempt);
        if outcome.failure.is_some() {
            let _ = items.inspect_err(|failure| tracing::warn!(%failure, "items did not get into the store"));
            return Ok(outcome);
        }
        items?;
        let ours = manifest(attempt, &outcome, self.world.now());
        let there = ground.shared.push(ours, attempt.anew).map_err(lost)?;
        Ok(Outcome { files: there.files, result: there.result, ..outcome })
    }
}

/// Files the items that lie in the copy, several at a time.
fn items(ground: &Ground, attempt: &Attempt) -> Result<(), Failure> {
    let (copy, own) = (ground.local.store.as_ref(), format!("{}/", attempt.output));
    let listed = blocking(copy.list("results/")).map_err(store_failed)?;
    let names = listed.iter().filter_map(|filed| filed.at.rsplit('/').next()?.strip_suffix(".json"));
    let waiting = Mutex::new(names.map(|name| Fingerprint(name.to_owned())));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let file = || -> Result<(), Failure> {
        while let Some(fingerprint) = next() {
            let item = Results::of(copy).find(&fingerprint).map_err(store_failed)?;
            // Others were found in the bucket.
            let is_own = |item: &Manifest| item.files.iter().any(|file| file.at.starts_with(&own));
            if let Some(item) = item.filter(|item| item.of == Of::Item && is_own(item)) {
                ground.shared.push(item, attempt.anew).map_err(lost)?;
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(file)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("filing an item does not panic"))
    })
}

fn manifest(attempt: &Attempt, outcome: &Outcome, now: Timestamp) -> Manifest {
    let key = match outcome.items.failed {
        0 => Key { fingerprint: attempt.fingerprint.clone(), fields: attempt.key.clone() },
        _ => incomplete(attempt.key.clone(), &attempt.id),
    };
    Manifest {
        version: VERSION,
        of: Of::Task,
        fingerprint: key.fingerprint,
        key: key.fields,
        digest: digest(&outcome.files),
        files: outcome.files.clone(),
        result: outcome.result.clone(),
        provenance: Provenance {
            run: attempt.run.clone(),
            attempt: attempt.id.clone(),
            task: attempt.task.clone(),
            published: now,
            sources: attempt.files.values().map(|file| file.written.clone()).collect(),
            pipeline: Some(attempt.pipeline.clone()),
            adopted: None,
        },
    }
}

/// Of what is not in the bucket nothing will be left here: it has to be made again.
fn lost(failure: Failure) -> Failure {
    if failure.code != "store_lost" {
        return failure;
    }
    let Failure { message, on, source, .. } = failure;
    Failure { on, source, ..Failure::of(Class::Transient, "store_lost", message) }
}

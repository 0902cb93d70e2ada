//! What an attempt has made on this machine -> items and a result in the bucket. Files come first and manifests last, so
//! whoever dies in between has promised nothing.

use super::Errand;
use super::ground::Ground;
use super::reached::Reached;
use crate::attempt::{Attempt, Outcome};
use crate::elsewhere::manifest;
use crate::failure::{Class, Failure};
use crate::ids::Fingerprint;
use crate::manifest::{Manifest, Of};
use crate::store::{Results, Store, blocking};
use crate::work::store_failed;
use std::sync::{Mutex, PoisonError};

/// How many items are filed at a time.
const AT_ONCE: usize = 8;

impl Errand {
    /// Files what an attempt has made. Returns its outcome as it stands in the bucket: where somebody was first, theirs
    /// counts.
    pub(super) fn file(
        &self,
        ground: &Ground,
        attempt: &Attempt,
        reached: Option<Reached>,
        outcome: Outcome,
    ) -> Result<Outcome, Failure> {
        if self.is_dry {
            return Ok(outcome);
        }
        let own = format!("{}/", attempt.output);
        ground.shared.came_from_there(outcome.files.iter().filter(|file| !file.at.starts_with(&own)));
        // What a failed attempt has finished another need not make again.
        let items = ground.file_items(attempt);
        if outcome.failure.is_some() {
            let _ = items.inspect_err(|failure| tracing::warn!(%failure, "items did not get into the store"));
            reached.into_iter().for_each(|reached| reached.end(&outcome));
            return Ok(outcome);
        }
        items?;
        let ours = manifest(attempt, &outcome, self.world.now());
        let there = ground.shared.push(ours, attempt.anew).map_err(lost)?;
        reached.into_iter().for_each(|reached| reached.end(&outcome));
        Ok(Outcome { files: there.files, result: there.result, ..outcome })
    }
}

impl Ground {
    /// Files the items that lie in the copy and not in the bucket, several at a time.
    ///
    /// # Errors
    /// When one does not get there. It lies in the copy still.
    pub(super) fn file_items(&self, attempt: &Attempt) -> Result<(), Failure> {
        let listed = blocking(self.local.store.list("results/")).map_err(store_failed)?;
        let names = listed.iter().filter_map(|filed| filed.at.rsplit('/').next()?.strip_suffix(".json"));
        let names: Vec<Fingerprint> = names.map(|name| Fingerprint(name.to_owned())).collect();
        let new: Vec<Fingerprint> = names.into_iter().filter(|name| !self.is_passed(name)).collect();
        let threads = AT_ONCE.min(new.len());
        let waiting = Mutex::new(new.into_iter());
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        let file = || -> Result<(), Failure> {
            while let Some(fingerprint) = next() {
                self.file_item(attempt, &fingerprint)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(file)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("filing an item does not panic"))
        })
    }

    fn file_item(&self, attempt: &Attempt, fingerprint: &Fingerprint) -> Result<(), Failure> {
        let own = format!("{}/", attempt.output);
        let item = Results::of(self.local.store.as_ref()).find(fingerprint).map_err(store_failed)?;
        let is_own = |item: &Manifest| item.files.iter().any(|file| file.at.starts_with(&own));
        match item {
            // What is in the bucket leaves the results of the copy.
            Some(item) if item.of == Of::Item && is_own(&item) => {
                self.shared.push(item, attempt.anew).map(drop).map_err(lost)
            }
            // Others were found in the bucket, so that nobody need look at them again.
            _ => {
                self.pass(fingerprint);
                Ok(())
            }
        }
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

//! What work has reached on its way -> objects of the bucket, from which the next attempt at the same work goes on, on whichever
//! machine.
//!
//! What is saved is the folder as a kill at one moment would have left it: its files are held by links, and counted only if nobody
//! has written into them meanwhile. They lie under their digests, so none is sent twice; the list that names them is written last.
//! Of all lists the newest counts whose files are there and are what it says.

mod back;
mod seen;

use super::Errand;
use super::ground::Ground;
use crate::attempt::Outcome;
use crate::elsewhere::{shelf_of, write_new};
use crate::failure::Failure;
use crate::ids::AttemptId;
use crate::local::Prepared;
use crate::manifest::FileEntry;
use crate::stage::Launch;
use crate::store::{Store, StoreError, blocking};
use crate::work::{entry, store_failed};
use crate::world::{Timestamp, World};
use futures::future::join_all;
use seen::{Held, Seen, look};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const VERSION: u32 = 1;
/// A program's folder is saved when it was left alone for so long: who writes a file in place is rarely done with it at once.
/// Stages of our own put whole files there.
const STILL: Duration = Duration::from_secs(1);
/// How many times as long as it took nothing is saved after it was, so that the work has most of the disk and the network.
const SHARE: u32 = 3;
/// How many objects are removed at a time.
const AT_ONCE: usize = 16;

/// A list of what was reached.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    attempt: AttemptId,
    files: Vec<FileEntry>,
}

/// Saves what an attempt reaches.
pub(super) struct Reached {
    bucket: Arc<dyn Store>,
    /// A clock that nobody sets.
    world: World,
    attempt: AttemptId,
    /// Where the attempt leaves it on this machine.
    folder: PathBuf,
    /// Where it is held while it is sent.
    aside: PathBuf,
    /// Where it goes in the bucket, with a `/` at the end.
    shelf: String,
    /// How long the folder must have been left alone.
    still: Duration,
    /// The folder as it looks, and since when.
    now: (Vec<Seen>, Timestamp),
    /// The folder as it was saved last.
    last: Vec<Seen>,
    /// What the files hold that are on the shelf, by their paths, and how they looked then.
    known: BTreeMap<String, (Seen, FileEntry)>,
    /// The number of the next list.
    next: u32,
    /// What lies on the shelf.
    there: BTreeSet<String>,
    /// Whether this account may remove what is old, as far as is known.
    removes: bool,
    rests_until: Timestamp,
}

impl Reached {
    /// Lays what attempts before have reached where this one goes on from it. `None` for work that leaves nothing, or is to be
    /// done anew.
    pub(super) fn of(errand: &Errand, ground: &Ground, prepared: &Prepared) -> Option<Self> {
        let attempt = &prepared.attempt;
        let still = match prepared.launch {
            Launch::Worker => Duration::ZERO,
            Launch::Program { checkpoints: true, .. } => STILL,
            Launch::Program { .. } => return None,
        };
        if attempt.anew || errand.is_dry {
            return None;
        }
        let world = errand.world.steady();
        let mut reached = Self {
            bucket: errand.bucket.clone(),
            attempt: attempt.id.clone(),
            folder: ground.local.state.checkpoints(&attempt.fingerprint, &attempt.task),
            aside: errand.scratch.join("saving"),
            shelf: shelf_of(&attempt.id),
            still,
            now: (Vec::new(), world.now()),
            last: Vec::new(),
            known: BTreeMap::new(),
            next: 1,
            there: BTreeSet::new(),
            removes: true,
            rests_until: world.now(),
            world,
        };
        reached.go_on(&ground.shared);
        Some(reached)
    }

    /// Saves what is new, unless it is too early for that.
    pub(super) fn save_in_turn(&mut self) -> Result<(), Failure> {
        let begun = self.world.now();
        let seen = look(&self.folder);
        if seen != self.now.0 {
            self.now = (seen, begun);
        }
        let is_early = begun < self.rests_until || begun.since(self.now.1) < self.still;
        if is_early || self.now.0 == self.last {
            return Ok(());
        }
        let saved = self.save();
        let ended = self.world.now();
        self.rests_until = ended.after(ended.since(begun) * SHARE);
        saved
    }

    /// The attempt is over. One that failed has left what the next one goes on from; a result ends that.
    pub(super) fn end(mut self, outcome: &Outcome) {
        if outcome.failure.is_none() {
            return self.remove_all_but(&BTreeSet::new());
        }
        if look(&self.folder) != self.last
            && let Err(failure) = self.save()
        {
            tracing::warn!(%failure, "what the attempt had reached did not get into the store");
        }
    }

    /// Saves the folder as it is at this moment. When it does not hold still it is tried again later.
    fn save(&mut self) -> Result<(), Failure> {
        let held = Held::of(&self.folder, &self.aside).map_err(|e| Failure::io("link", &self.folder, &e))?;
        let Some(held) = held else { return Ok(()) };
        let files = (0..held.seen.len()).map(|number| self.put(&held, number)).collect::<Result<Vec<_>, _>>();
        if !held.is_as_seen() {
            return Ok(());
        }
        let files = files?;
        let mut kept: BTreeSet<String> = files.iter().map(|file| file.at.clone()).collect();
        let list = self.list(Saved { version: VERSION, attempt: self.attempt.clone(), files })?;
        tracing::debug!(list, files = held.seen.len(), "what was reached is saved");
        kept.insert(list);
        self.last = held.seen.clone();
        self.remove_all_but(&kept);
        Ok(())
    }

    /// Puts a file that is held on the shelf, unless it lies there.
    fn put(&mut self, held: &Held, number: usize) -> Result<FileEntry, Failure> {
        let (seen, full) = (&held.seen[number], held.path(number));
        if let Some((_, file)) = self.known.get(&seen.path).filter(|(known, _)| known == seen) {
            return Ok(file.clone());
        }
        let file = entry(&full, &seen.path, "")?;
        let at = format!("{}bytes/{}", self.shelf, file.blake3);
        if !self.there.contains(&at) {
            match blocking(self.bucket.put_file(&at, &full, &file.blake3)) {
                Ok(()) | Err(StoreError::Conflict { .. }) => drop(self.there.insert(at.clone())),
                Err(error) => return Err(store_failed(error)),
            }
        }
        let file = FileEntry { at, ..file };
        self.known.insert(seen.path.clone(), (seen.clone(), file.clone()));
        Ok(file)
    }

    /// Writes a list under the next number, and says where.
    fn list(&mut self, saved: Saved) -> Result<String, Failure> {
        loop {
            let at = format!("{}{}", self.shelf, name(&self.attempt, self.next));
            self.next += 1;
            // A name that is taken may be ours, and the answer was lost: one list more does no harm.
            if write_new(self.bucket.as_ref(), &at, &saved)? {
                self.there.insert(at.clone());
                return Ok(at);
            }
        }
    }

    /// Removes what is old. Where that is not allowed it stays, and is removed with the rest by whoever takes the result.
    fn remove_all_but(&mut self, kept: &BTreeSet<String>) {
        let old: Vec<String> = self.there.difference(kept).cloned().collect();
        for some in old.chunks(AT_ONCE) {
            if !self.removes {
                return;
            }
            let bucket = self.bucket.clone();
            let removed = join_all(some.iter().map(|at| bucket.delete(at)));
            for (at, removed) in some.iter().zip(blocking(Box::pin(removed))) {
                match removed {
                    Ok(()) => {
                        self.there.remove(at);
                        self.known.retain(|_, (_, file)| file.at != *at);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "an old checkpoint stays");
                        self.removes = false;
                    }
                }
            }
        }
    }
}

/// The name of a list, such that the newest comes last: `000002-000017.json` for the second attempt's seventeenth.
fn name(attempt: &AttemptId, number: u32) -> String {
    let tried: u32 = attempt.0.rsplit_once('-').and_then(|(_, tried)| tried.parse().ok()).unwrap_or(0);
    format!("{tried:06}-{number:06}.json")
}

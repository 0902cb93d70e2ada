//! What attempts elsewhere have left in a bucket -> what of it nobody goes on with, and a bucket without that. Results and their bytes
//! are not looked at: nobody can tell there who else is about to use them.
//!
//! Nobody holds a bucket for himself, so an attempt that is open anywhere keeps what is its own: that is, one with a description and
//! without an outcome. Where the engine that was to write the outcome died with its disk after the result was filed, nobody takes the
//! attempt up again, since the result is found; so an old one whose key has a result is over, and gets its outcome here. The outcome of an attempt stays for good. It keeps the attempt's number taken, and there are services whose jobs
//! stay as long: under the same number an old one would count as the new attempt's.

use super::Roots;
use crate::attempt::{ItemCount, Outcome, VERSION};
use crate::elsewhere::{close, place};
use crate::failure::Failure;
use crate::ids::{AttemptId, Fingerprint};
use crate::manifest::{self, FileEntry};
use crate::store::{PROBES, Right, Stat, Store, StoreError, blocking};
use crate::work::store_failed;
use crate::worker::{ATTEMPT, OUTCOME};
use crate::world::Timestamp;
use futures::future::join_all;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many objects are removed at a time.
const AT_ONCE: usize = 16;

/// What is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// All that is younger than this: somebody may be about to look at it.
    pub min_age: Duration,
    /// What work has reached that has no result, for so long after the last of it was written.
    pub checkpoints: Duration,
    /// The time.
    pub now: Timestamp,
}

/// What goes.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// Attempts that are over and have no outcome, with the one that each is to get before anything of it goes.
    pub closing: Vec<Outcome>,
    /// Of attempts that are over all but their outcomes; descriptions first.
    pub attempts: Vec<Stat>,
    /// Files that went with attempts, and that no open one names.
    pub files: Vec<Stat>,
    /// What work has reached that is done, or that nobody goes on with.
    pub checkpoints: Vec<Stat>,
    /// What `pipe check` could not remove.
    pub probes: Vec<Stat>,
    /// The attempts that are open.
    pub open: BTreeSet<AttemptId>,
}

/// Of a description no more than this, so that those of newer versions are understood.
#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    fingerprint: Option<Fingerprint>,
    #[serde(default)]
    anew: bool,
    files: BTreeMap<String, Lent>,
}

#[derive(Deserialize)]
struct Lent {
    blake3: String,
    #[serde(default)]
    remote: Option<IgnoredAny>,
}

/// Of a manifest no more than an outcome tells of it.
#[derive(Deserialize)]
struct Made {
    files: Vec<FileEntry>,
    #[serde(default)]
    result: Json,
}

/// What lies there of attempts that are over.
type Over = BTreeMap<AttemptId, Vec<Stat>>;

/// An attempt without an outcome: what lies there of it, and its description, if that is there.
struct Open {
    objects: Vec<Stat>,
    described: Option<Described>,
}

impl Remains {
    /// Looks through a bucket. `known`: attempts that the journal has as not over. What a run uses that did not come to its end is
    /// among the roots.
    ///
    /// # Errors
    /// When it cannot be listed, or an open attempt cannot be read: which files it needs would not be known then.
    pub fn of(
        bucket: &dyn Store,
        keeping: &Keeping,
        known: &BTreeSet<AttemptId>,
        roots: &Roots,
    ) -> Result<Self, Failure> {
        let list = |prefix: &str| blocking(bucket.list(prefix)).map_err(store_failed);
        // Attempts last of what they keep: one that is described meanwhile keeps its files.
        let (files, reached, probes) = (list("files/")?, list("checkpoints/")?, list(&format!("{PROBES}/"))?);
        let results = list("results/")?;
        let (mut over, mut open) = sorted(list("attempts/")?, known, bucket)?;
        let old = |time: Duration| keeping.before(time);
        let is_old = old(keeping.min_age);
        let done: BTreeSet<&str> = results.iter().filter_map(|stat| key_of(name(&stat.at))).collect();
        let mut remains = Self::default();
        let is_left = |id: &AttemptId, attempt: &Open| {
            let is_known =
                known.contains(id) || key_of(&id.0).is_none_or(|key| !done.contains(key) || roots.has_key(key));
            !is_known && attempt.objects.iter().all(&is_old)
        };
        for (outcome, objects) in settled(bucket, &mut open, is_left)? {
            over.insert(outcome.id.clone(), objects);
            remains.closing.push(outcome);
        }
        let lent = lent(&open);
        let wanted: BTreeSet<&str> = open.keys().filter_map(|id| key_of(&id.0)).collect();
        remains.open = open.keys().cloned().collect();
        for of_attempt in over.into_values().filter(|of_attempt| of_attempt.iter().all(&is_old)) {
            remains.attempts.extend(of_attempt.into_iter().filter(|stat| name(&stat.at) != OUTCOME));
        }
        remains.attempts.sort_by_key(|stat| name(&stat.at) != ATTEMPT);
        remains.files = files.into_iter().filter(|stat| is_old(stat) && !lent.contains(name(&stat.at))).collect();
        let is_left = old(keeping.checkpoints);
        for (key, of_key) in by_folder(reached) {
            let is_kept = wanted.contains(key.as_str()) || roots.has_key(&key);
            let goes =
                if done.contains(key.as_str()) { of_key.iter().all(&is_old) } else { of_key.iter().all(&is_left) };
            remains.checkpoints.extend(of_key.into_iter().filter(|_| goes && !is_kept));
        }
        remains.probes = probes.into_iter().filter(&is_old).collect();
        Ok(remains)
    }

    /// All that goes, in the order in which it does.
    pub fn objects(&self) -> impl Iterator<Item = &Stat> {
        [&self.attempts, &self.files, &self.checkpoints, &self.probes].into_iter().flatten()
    }

    /// Removes it.
    ///
    /// # Errors
    /// When the store does not do as asked. What is left then goes the next time.
    pub fn remove(&self, bucket: &dyn Store) -> Result<(), Failure> {
        for outcome in &self.closing {
            close(bucket, outcome.clone())?;
        }
        let objects: Vec<&Stat> = self.objects().collect();
        for some in objects.chunks(AT_ONCE) {
            let removed = join_all(some.iter().map(|stat| bucket.delete(&stat.at)));
            for removed in blocking(Box::pin(removed)) {
                removed.map_err(|error| bucket.refused(Right::Delete, error))?;
            }
        }
        Ok(())
    }
}

impl Keeping {
    /// Tells what was last written longer ago than this. Of what a service tells no time nothing is.
    fn before(&self, time: Duration) -> impl Fn(&Stat) -> bool + use<> {
        let since = Timestamp(self.now.0.saturating_sub(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
        move |stat| stat.changed.is_some_and(|changed| changed <= since)
    }
}

impl Roots {
    /// Whether a run that has not come to its end may use what has a key that begins so, or as which a key begins.
    fn has_key(&self, key: &str) -> bool {
        self.open.iter().any(|start| start.starts_with(key) || key.starts_with(start.as_str()))
    }
}

/// The objects of attempts that are over, and the attempts that are open.
fn sorted(
    objects: Vec<Stat>,
    known: &BTreeSet<AttemptId>,
    bucket: &dyn Store,
) -> Result<(Over, BTreeMap<AttemptId, Open>), Failure> {
    let (mut over, mut open) = (BTreeMap::new(), BTreeMap::new());
    for (id, objects) in by_folder(objects) {
        let id = AttemptId(id);
        let outcome = place(&id, OUTCOME);
        if objects.iter().any(|stat| stat.at == outcome) && !known.contains(&id) {
            over.insert(id, objects);
        } else {
            let described = described(bucket, &id)?;
            open.insert(id, Open { objects, described });
        }
    }
    Ok((over, open))
}

/// Takes those out of the open attempts that have a result, of the ones that are left. Returns the outcome of each, and what lies there
/// of it.
fn settled(
    bucket: &dyn Store,
    open: &mut BTreeMap<AttemptId, Open>,
    is_left: impl Fn(&AttemptId, &Open) -> bool,
) -> Result<Vec<(Outcome, Vec<Stat>)>, Failure> {
    let mut settled = Vec::new();
    for (id, attempt) in open.extract_if(.., |id, attempt| is_left(id, attempt)).collect::<Vec<_>>() {
        match made(bucket, &id, &attempt)? {
            Some(outcome) => settled.push((outcome, attempt.objects)),
            None => drop(open.insert(id, attempt)),
        }
    }
    Ok(settled)
}

/// The outcome of an attempt whose key has a result; `None` where it has none after all, or where the attempt is to make it anew.
fn made(bucket: &dyn Store, id: &AttemptId, attempt: &Open) -> Result<Option<Outcome>, Failure> {
    let described = attempt.described.as_ref().filter(|described| !described.anew);
    let Some(fingerprint) = described.and_then(|described| described.fingerprint.as_ref()) else { return Ok(None) };
    let text = match blocking(bucket.get(&manifest::place(fingerprint))) {
        Ok(text) => text,
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(store_failed(error)),
    };
    // What cannot be read is for those to judge who want that result.
    let Ok(Made { files, result }) = serde_json::from_slice(&text) else { return Ok(None) };
    let (id, items) = (id.clone(), ItemCount::default());
    Ok(Some(Outcome { version: VERSION, id, failure: None, files, result, items, usage: None }))
}

/// Objects by the second part of their paths: an attempt, or a key.
fn by_folder(objects: Vec<Stat>) -> BTreeMap<String, Vec<Stat>> {
    let mut folders = BTreeMap::<String, Vec<Stat>>::new();
    for stat in objects {
        // What lies beside the folders is none of ours.
        if let Some((folder, _)) = stat.at.split_once('/').and_then(|(_, rest)| rest.split_once('/')) {
            folders.entry(folder.to_owned()).or_default().push(stat);
        }
    }
    folders
}

/// The digests of files that open attempts take.
fn lent(open: &BTreeMap<AttemptId, Open>) -> BTreeSet<&str> {
    let files =
        open.values().filter_map(|attempt| attempt.described.as_ref()).flat_map(|described| described.files.values());
    files.filter(|file| file.remote.is_none()).map(|file| file.blake3.as_str()).collect()
}

/// What an attempt is described as. Its description may be on its way out, or never was there.
fn described(bucket: &dyn Store, id: &AttemptId) -> Result<Option<Described>, Failure> {
    let at = place(id, ATTEMPT);
    let text = match blocking(bucket.get(&at)) {
        Ok(text) => text,
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(store_failed(error)),
    };
    let described = serde_json::from_slice(&text).map_err(|e| {
        Failure::failed("bad_attempt", "an attempt that is open cannot be read, so which files it needs is not known")
            .on(at)
            .source(e)
            .help("use the newest version of pipe that works with this store, or remove that attempt when its job is over")
    })?;
    Ok(Some(described))
}

/// The last part of a path.
fn name(at: &str) -> &str {
    at.rsplit('/').next().unwrap_or(at)
}

/// What the names of attempts begin with, of such a name or of a fingerprint.
fn key_of(name: &str) -> Option<&str> {
    name.get(..crate::ids::ATTEMPT_DIGITS)
}

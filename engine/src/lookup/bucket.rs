//! The results of a bucket: listed once, since each question costs a round trip there, and opened many at once. A run also
//! asks for what was not listed, before it makes it: others may have, in the meantime.

use super::lock;
use super::shelf::Shelf;
use crate::failure::Failure;
use crate::ids::Fingerprint;
use crate::manifest::{Artifact, FileEntry, Manifest, place};
use crate::shared::Shared;
use crate::stamp::Stamp;
use crate::state::Hints;
use crate::store::{Stat, Store, StoreError, blocking};
use crate::work::store_failed;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// How many questions are under way at a time.
const AT_ONCE: usize = 64;
/// A listing of the whole comes in pages, one after the other; one for each of the 256 folders of results comes side by
/// side. Fingerprints are spread evenly: where one folder holds more than this, the whole has more than four pages.
const FEW: usize = 16;

/// A bucket, and what is remembered of it.
pub(super) struct InBucket {
    /// What tells the bucket from all other stores.
    name: String,
    store: Arc<dyn Store>,
    hints: Arc<Mutex<Hints>>,
    /// What there is, once somebody has asked.
    listed: OnceLock<Result<Mutex<Listed>, Failure>>,
    /// Manifests that were asked for.
    ahead: Mutex<HashMap<Fingerprint, Option<Manifest>>>,
    /// For a run: the bucket with its copy.
    shared: Option<Arc<Shared>>,
}

/// Fingerprints with what tells whether their manifests are the same as before. Those that turned out not to be results
/// are gone.
type Listed = HashMap<Fingerprint, Stamp>;

impl InBucket {
    pub(super) fn new(name: &str, store: Arc<dyn Store>, hints: Arc<Mutex<Hints>>) -> Self {
        Self { name: name.to_owned(), store, hints, listed: OnceLock::new(), ahead: Mutex::default(), shared: None }
    }

    /// The same, for a run.
    pub(super) fn of_run(shared: &Arc<Shared>, hints: Arc<Mutex<Hints>>) -> Self {
        Self { shared: Some(shared.clone()), ..Self::new(shared.uri(), shared.bucket().clone(), hints) }
    }

    /// What there is. The bucket is asked at the first time only.
    fn listed(&self) -> Result<MutexGuard<'_, Listed>, Failure> {
        let list = || {
            let found = blocking(Box::pin(list(self.store.as_ref()))).map_err(store_failed)?;
            Ok(Mutex::new(found.into_iter().filter_map(|stat| self.entry(&stat)).collect()))
        };
        self.listed.get_or_init(list).as_ref().map(lock).map_err(Failure::clone)
    }

    fn entry(&self, stat: &Stat) -> Option<(Fingerprint, Stamp)> {
        let fingerprint = Fingerprint(stat.at.rsplit('/').next()?.strip_suffix(".json")?.to_owned());
        Some((fingerprint, Stamp::of_object(&self.name, stat.size, stat.tag.as_deref())))
    }

    /// The manifests of these fingerprints, as they are; of those that are gone by now, nothing.
    fn fetch(&self, fingerprints: Vec<&Fingerprint>) -> Result<Vec<(Fingerprint, Vec<u8>)>, Failure> {
        let get = async |fingerprint: Fingerprint| match self.store.get(&place(&fingerprint)).await {
            Ok(bytes) => Ok(Some((fingerprint, bytes))),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(other) => Err(other),
        };
        let asked: Vec<BoxFuture<'_, _>> = fingerprints
            .into_iter()
            .map(|fingerprint| Box::pin(get(fingerprint.clone())) as BoxFuture<'_, _>)
            .collect();
        let got = stream::iter(asked).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>();
        Ok(blocking(Box::pin(got)).map_err(store_failed)?.into_iter().flatten().collect())
    }

    /// Those of the fingerprints that are listed, each once.
    fn there(&self, fingerprints: &[&Fingerprint]) -> Result<Listed, Failure> {
        let listed = self.listed()?;
        let stamp = |fingerprint: &&Fingerprint| Some(((*fingerprint).clone(), *listed.get(*fingerprint)?));
        Ok(fingerprints.iter().filter_map(stamp).collect())
    }

    /// What is listed and cannot be read as a result is none from now on.
    fn forget(&self, fingerprint: &Fingerprint) -> Result<(), Failure> {
        tracing::warn!(%fingerprint, "a manifest in the bucket cannot be read as a result and counts as absent");
        self.listed()?.remove(fingerprint);
        Ok(())
    }

    /// Asks for manifests and keeps them.
    fn ask(&self, fingerprints: &[&Fingerprint]) -> Result<(), Failure> {
        let listed = self.there(fingerprints)?;
        let got = self.fetch(listed.keys().collect())?;
        let read = |(fingerprint, bytes): (Fingerprint, Vec<u8>)| {
            let manifest = Manifest::read(&fingerprint, &bytes);
            (fingerprint, manifest)
        };
        lock(&self.ahead).extend(got.into_iter().map(read));
        Ok(())
    }

    fn hints(&self) -> MutexGuard<'_, Hints> {
        lock(&self.hints)
    }
}

impl Shelf for InBucket {
    fn has(&self, fingerprint: &Fingerprint) -> Result<bool, Failure> {
        Ok(self.listed()?.contains_key(fingerprint))
    }

    fn artifacts(&self, fingerprints: &[&Fingerprint]) -> Result<Vec<Option<Artifact>>, Failure> {
        let listed = self.there(fingerprints)?;
        let mut known: HashMap<Fingerprint, Artifact> = HashMap::new();
        for (fingerprint, stamp) in &listed {
            let hints = self.hints();
            let seen = hints.seen(fingerprint).filter(|seen| seen.stamp == *stamp);
            let asked = || lock(&self.ahead).get(fingerprint)?.clone().map(Artifact::from);
            let found = seen.and_then(|seen| hints.result(fingerprint, seen)).or_else(asked);
            known.extend(found.map(|artifact| (fingerprint.clone(), artifact)));
        }
        let unknown: Vec<&Fingerprint> =
            listed.keys().filter(|fingerprint| !known.contains_key(*fingerprint)).collect();
        let read: HashMap<Fingerprint, Vec<u8>> = self.fetch(unknown.clone())?.into_iter().collect();
        for fingerprint in unknown {
            let bytes = read.get(fingerprint);
            match bytes.and_then(|bytes| Artifact::from_manifest(fingerprint, bytes)) {
                Some(artifact) => {
                    self.hints().remember_result(listed[fingerprint], &artifact);
                    known.insert(fingerprint.clone(), artifact);
                }
                None => self.forget(fingerprint)?,
            }
        }
        for fingerprint in fingerprints.iter().copied() {
            if !known.contains_key(fingerprint)
                && let Some(shared) = &self.shared
                && let Some(found) = shared.find(fingerprint)?
            {
                known.insert(fingerprint.clone(), found.into());
            }
        }
        Ok(fingerprints.iter().map(|fingerprint| known.get(*fingerprint).cloned()).collect())
    }

    fn manifest(&self, fingerprint: &Fingerprint) -> Result<Option<Manifest>, Failure> {
        if let Some(manifest) = lock(&self.ahead).get(fingerprint) {
            return Ok(manifest.clone());
        }
        self.ask(&[fingerprint])?;
        if let Some(shared) = &self.shared
            && !lock(&self.ahead).contains_key(fingerprint)
        {
            return shared.find(fingerprint);
        }
        Ok(lock(&self.ahead).get(fingerprint).cloned().flatten())
    }

    fn ask_ahead(&self, fingerprints: &[&Fingerprint]) -> Result<(), Failure> {
        // Those of before are not asked for again: reasons are told one after the other.
        lock(&self.ahead).clear();
        self.ask(fingerprints)
    }

    /// What is missing shows when it is read, here as in a run.
    fn bytes(&self, file: &FileEntry) -> Result<Vec<u8>, Failure> {
        let Some(shared) = &self.shared else { return blocking(self.store.get(&file.at)).map_err(store_failed) };
        let path = shared.brought(file)?;
        fs::read(&path).map_err(|error| Failure::io("read the rows", &path, &error))
    }

    fn reach(&self) -> Result<(), Failure> {
        self.listed().map(drop)
    }

    fn distrust(&self, fingerprint: &Fingerprint) -> Result<(), Failure> {
        self.shared.as_ref().map_or(Ok(()), |shared| shared.distrust(fingerprint))
    }

    /// The next run learns of it from the listing, with what tells it from others.
    fn remember(&self, _: Arc<Artifact>) {}
}

/// All there is under `results/`, by as few questions as are answered soon.
async fn list(store: &dyn Store) -> Result<Vec<Stat>, StoreError> {
    let sample = store.list("results/00/").await?;
    if sample.len() <= FEW {
        return store.list("results/").await;
    }
    let folders: Vec<String> = (1..=255).map(|folder: u8| format!("results/{folder:02x}/")).collect();
    let lists: Vec<_> = folders.iter().map(|folder| store.list(folder)).collect();
    let rest: Vec<Vec<Stat>> = stream::iter(lists).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(sample.into_iter().chain(rest.into_iter().flatten()).collect())
}

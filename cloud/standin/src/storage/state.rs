//! What the buckets hold. Whatever is written is written here, under one lock, so that of two writers one is first.

use super::conditions::Conditions;
use super::content::{Content, Spool};
use super::object::Version;
use super::session::Upload;
use crate::answer::Refusal;
use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// Cloud Storage in a folder that is gone when it is.
#[derive(Clone)]
pub(crate) struct Storage(Arc<Shared>);

struct Shared {
    folder: TempDir,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) buckets: BTreeMap<String, Bucket>,
    pub(super) uploads: HashMap<String, Arc<Upload>>,
    last_generation: u64,
    files: u64,
    /// How many lists of a bucket an object misses after it was made.
    lists_missed: u64,
}

/// A bucket.
pub(super) struct Bucket {
    pub(super) created: Timestamp,
    pub(super) settings: Map<String, Json>,
    /// Of each name the generations in order; the last one may be live.
    pub(super) objects: BTreeMap<String, Vec<Version>>,
    /// How often it was listed.
    pub(super) lists: u64,
}

/// What is to become an object.
pub(super) struct Draft {
    pub(super) content: Content,
    pub(super) settings: Map<String, Json>,
}

impl Storage {
    pub(crate) fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("standin-").tempdir()?;
        Ok(Self(Arc::new(Shared { folder, state: Mutex::default() })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name for a file of ours.
    fn place(&self) -> PathBuf {
        let mut state = self.state();
        state.files += 1;
        self.0.folder.path().join(state.files.to_string())
    }

    /// A file for bytes that arrive.
    pub(super) async fn spool(&self) -> io::Result<Spool> {
        Spool::at(self.place()).await
    }

    /// Makes objects of these names of one file, whatever lies there. The file must not change any more.
    pub(crate) fn lay(&self, bucket: &str, names: &[String], file: &Path) -> Result<(), Refusal> {
        let content = Arc::new(Content::of_sparse(file, &self.place())?);
        for name in names {
            self.put_content(bucket, name, (content.clone(), Map::new()), &Conditions::default())?;
        }
        Ok(())
    }

    /// Makes an object, if the conditions are met by what is there at this moment.
    pub(super) fn put(
        &self,
        bucket: &str,
        name: &str,
        draft: Draft,
        conditions: &Conditions,
    ) -> Result<Version, Refusal> {
        self.put_content(bucket, name, (Arc::new(draft.content), draft.settings), conditions)
    }

    fn put_content(
        &self,
        bucket: &str,
        name: &str,
        (content, settings): (Arc<Content>, Map<String, Json>),
        conditions: &Conditions,
    ) -> Result<Version, Refusal> {
        let mut state = self.state();
        let generation = state.next_generation();
        let missed = state.lists_missed;
        let bucket = state.bucket(bucket)?;
        conditions.allow_write(bucket.live(name))?;
        let now = Timestamp::now();
        let version = Version {
            generation,
            metageneration: 1,
            content,
            settings,
            created: now,
            updated: now,
            deleted: None,
            listed_after: bucket.lists + missed,
        };
        bucket.retire(name);
        bucket.objects.entry(name.to_owned()).or_default().push(version.clone());
        Ok(version)
    }

    /// From now on an object that is made misses so many lists of its bucket.
    pub(crate) fn list_late(&self, lists: u64) {
        self.state().lists_missed = lists;
    }

    /// Makes a bucket, if there is none of that name.
    pub(crate) fn make_bucket(&self, name: &str) {
        self.state().buckets.entry(name.to_owned()).or_insert_with(|| Bucket::new(Map::new()));
    }

    /// Writes an object, whatever lies there.
    pub(crate) async fn write(&self, bucket: &str, name: &str, bytes: &[u8]) -> Result<u64, Refusal> {
        let mut spool = self.spool().await?;
        spool.add(bytes).await?;
        let draft = Draft { content: spool.content().await?, settings: Map::new() };
        Ok(self.put(bucket, name, draft, &Conditions::default())?.generation)
    }

    /// Removes an object; whether there was one.
    pub(crate) fn remove(&self, bucket: &str, name: &str) -> bool {
        let mut state = self.state();
        let bucket = state.bucket(bucket).ok();
        bucket.is_some_and(|bucket| {
            let was_there = bucket.live(name).is_some();
            bucket.retire(name);
            was_there
        })
    }

    /// The objects of a bucket by name.
    pub(crate) fn objects(&self, bucket: &str) -> Vec<(String, Arc<Content>)> {
        let mut state = self.state();
        let Ok(bucket) = state.bucket(bucket) else { return Vec::new() };
        let live = bucket.objects.keys().filter_map(|name| Some((name.clone(), bucket.live(name)?.content.clone())));
        live.collect()
    }

    /// How many uploads were begun and have not ended.
    pub(crate) fn open_uploads(&self) -> usize {
        let uploads: Vec<_> = self.state().uploads.values().cloned().collect();
        uploads.iter().filter(|upload| upload.is_open()).count()
    }
}

impl State {
    pub(super) fn bucket(&mut self, name: &str) -> Result<&mut Bucket, Refusal> {
        let missing = || Refusal::new(404, "The specified bucket does not exist.");
        self.buckets.get_mut(name).ok_or_else(missing)
    }

    /// Generations are times in microseconds, and grow.
    fn next_generation(&mut self) -> u64 {
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        self.last_generation = now.max(self.last_generation + 1);
        self.last_generation
    }
}

impl Bucket {
    pub(super) fn new(settings: Map<String, Json>) -> Self {
        Self { created: Timestamp::now(), settings, objects: BTreeMap::new(), lists: 0 }
    }

    /// The object that lies under a name now.
    pub(super) fn live(&self, name: &str) -> Option<&Version> {
        self.objects.get(name)?.last().filter(|version| version.deleted.is_none())
    }

    pub(super) fn live_mut(&mut self, name: &str) -> Option<&mut Version> {
        self.objects.get_mut(name)?.last_mut().filter(|version| version.deleted.is_none())
    }

    /// The object of a generation, or the one that lies there now.
    pub(super) fn version(&self, name: &str, generation: Option<i64>) -> Option<&Version> {
        let Some(generation) = generation else { return self.live(name) };
        let wanted = u64::try_from(generation).ok()?;
        self.objects.get(name)?.iter().find(|version| version.generation == wanted)
    }

    /// What lies under a name is no longer live. It is kept where the bucket keeps versions.
    pub(super) fn retire(&mut self, name: &str) {
        let keeps = self.settings.get("versioning").is_some_and(|versioning| versioning["enabled"] == true);
        let Some(versions) = self.objects.get_mut(name) else { return };
        if !keeps {
            self.objects.remove(name);
        } else if let Some(last) = versions.last_mut().filter(|last| last.deleted.is_none()) {
            last.deleted = Some(Timestamp::now());
        }
    }

    /// Forgets one generation for good.
    pub(super) fn forget(&mut self, name: &str, generation: u64) {
        if let Some(versions) = self.objects.get_mut(name) {
            versions.retain(|version| version.generation != generation);
            if versions.is_empty() {
                self.objects.remove(name);
            }
        }
    }
}

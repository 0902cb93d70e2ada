//! An attempt whose work a service does: its request is made here, and so is its result, since no code of ours runs there.
//!
//! `inputs -> (checked) request -> the service's answer -> files -> manifest -> outcome`. Whatever dies in between is made again by
//! the next engine, to the same bytes: the answer stays where it is.

use super::Depot;
use super::describe::{close, place};
use super::follow::of_ours;
use super::segments::Listener;
use crate::attempt::{Attempt, ItemCount, Outcome, VERSION};
use crate::event::Body;
use crate::failure::{Class, Failure};
use crate::ids::AttemptId;
use crate::key::{Key, incomplete};
use crate::manifest::{self, FileEntry, Manifest, Of, Provenance, digest};
use crate::stage::{Desk, Made, StageKind};
use crate::store::{Folder, StoreError, blocking};
use crate::work::{entry, seal, store_failed};
use crate::world::{Timestamp, World};
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an attempt's stage kind does in place of a worker.
#[derive(Clone)]
pub struct Service {
    /// The kind.
    pub kind: Arc<dyn StageKind>,
    /// The clock.
    pub world: World,
}

impl Service {
    /// What an attempt asks for; or its outcome, when it is not to be asked for.
    ///
    /// # Errors
    /// When its inputs cannot be read now, or the outcome cannot be written: the next try is the same attempt.
    pub(super) async fn request(
        &self,
        depot: &Depot,
        attempt: &Attempt,
    ) -> Result<Result<Json, Box<Outcome>>, Failure> {
        let (kind, depot, attempt) = (self.kind.clone(), depot.clone(), attempt.clone());
        beside(move || {
            let desk = DepotDesk { depot: &depot, attempt: &attempt.id };
            match kind.request(&attempt, &desk) {
                Ok(request) => Ok(Ok(request)),
                Err(failure) if matches!(failure.class, Class::Transient | Class::Throttled) => Err(failure),
                Err(failure) => {
                    close(depot.store(), of_ours(attempt.id, failure)).map(|outcome| Err(Box::new(outcome)))
                }
            }
        })
        .await
    }

    /// The outcome of an attempt whose service has answered, with its result in the store.
    ///
    /// # Errors
    /// When the store cannot be written: the answer is asked for again.
    pub(super) async fn made(
        self,
        depot: Depot,
        attempt: Attempt,
        answer: Json,
        listener: &impl Listener,
    ) -> Result<Outcome, Failure> {
        let made = self.kind.answered(&attempt.config, &answer);
        for warning in made.iter().flat_map(|made| &made.warnings) {
            tracing::warn!(task = %attempt.task, "{warning}");
            listener.passing(Body::Log { line: warning.clone() });
        }
        let now = self.world.now();
        beside(move || {
            let outcome = match made {
                Ok(made) => depot.publish(&attempt, made, now)?,
                Err(failure) => of_ours(attempt.id, failure),
            };
            close(depot.store(), outcome)
        })
        .await
    }
}

async fn beside<T: Send + 'static>(act: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(act).await.expect("what is done beside does not panic")
}

impl Depot {
    /// Where attempts of this machine write: the store itself, or the copy of the bucket that it is in.
    fn here(&self) -> &Folder {
        match self {
            Self::Folder(folder) => folder,
            Self::Bucket(shared) => shared.copy(),
        }
    }

    /// Writes a result as a worker does: into the folder, where the run files it; or into the bucket, with its manifest.
    fn publish(&self, attempt: &Attempt, made: Made, now: Timestamp) -> Result<Outcome, Failure> {
        let written = made.files.iter().map(|(path, bytes)| write(self.here(), &attempt.output, path, bytes));
        let mut files = written.collect::<Result<Vec<FileEntry>, Failure>>()?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let items = ItemCount::default();
        let (id, result) = (attempt.id.clone(), made.result);
        let outcome = Outcome { version: VERSION, id, failure: None, files, result, items, usage: None };
        match self {
            Self::Folder(_) => Ok(outcome),
            Self::Bucket(shared) => {
                let there = shared.push(manifest(attempt, &outcome, now), attempt.anew)?;
                Ok(Outcome { files: there.files, result: there.result, ..outcome })
            }
        }
    }
}

/// Writes a file of a result, whole or not at all: an engine that died may have left one.
fn write(folder: &Folder, output: &str, path: &str, bytes: &[u8]) -> Result<FileEntry, Failure> {
    let at = format!("{output}/{path}");
    let full = folder.path(&at);
    let aside = full.with_extension("new");
    let parent = full.parent().unwrap_or(folder.root());
    fs::create_dir_all(parent).map_err(|e| Failure::io("make the folder", parent, &e))?;
    fs::write(&aside, bytes).map_err(|e| Failure::io("write", &aside, &e))?;
    seal(&aside)?;
    fs::rename(&aside, &full).map_err(|e| Failure::io("put in place", &full, &e))?;
    entry(&full, path, &at)
}

/// The manifest of an attempt that ended well and files its result in a bucket.
pub(crate) fn manifest(attempt: &Attempt, outcome: &Outcome, now: Timestamp) -> Manifest {
    let key = match outcome.items.failed {
        0 => Key { fingerprint: attempt.fingerprint.clone(), fields: attempt.key.clone() },
        _ => incomplete(attempt.key.clone(), &attempt.id),
    };
    Manifest {
        version: manifest::VERSION,
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

/// The desk of an attempt.
struct DepotDesk<'a> {
    depot: &'a Depot,
    attempt: &'a AttemptId,
}

impl Desk for DepotDesk<'_> {
    fn brought(&self, file: &FileEntry) -> Result<PathBuf, Failure> {
        match self.depot {
            Depot::Folder(folder) => Ok(folder.path(&file.at)),
            Depot::Bucket(shared) => shared.brought(file),
        }
    }

    fn whereabouts(&self, file: &FileEntry) -> String {
        format!("{}/{}", self.depot.root().display(), file.at)
    }

    fn draft(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.depot.here().path("tmp");
        fs::create_dir_all(&folder).map_err(|e| Failure::io("make the folder", &folder, &e))?;
        Ok(folder.join(format!("{}-{name}", self.attempt)))
    }

    fn lay(&self, name: &str, draft: &Path) -> Result<String, Failure> {
        let at = place(self.attempt, name);
        let laid = entry(draft, name, &at).and_then(|file| {
            match blocking(self.depot.store().put_file(&at, draft, &file.blake3)) {
                Ok(()) | Err(StoreError::Conflict { .. }) => Ok(self.whereabouts(&file)),
                Err(error) => Err(store_failed(error)),
            }
        });
        let _ = fs::remove_file(draft);
        laid
    }
}

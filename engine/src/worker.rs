//! Runs one attempt in this process: `attempt.json` in, `outcome.json` out. `pipe worker` is this function, here as
//! a supervised child of the engine and elsewhere as a container's entry point.

use crate::attempt::{Attempt, Outcome, VERSION};
use crate::doing::Doing;
use crate::event::Body;
use crate::failure::Failure;
use crate::secret::{self, Redactor};
use crate::shared::Shared;
use crate::stage::{Registry, StageKind};
use crate::store::Folder;
use crate::work::{ItemsElsewhere, LastWord, Work, store_failed};
use crate::world::World;
use serde_json::Value as Json;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// The name of the attempt's description inside its folder.
pub const ATTEMPT: &str = "attempt.json";
/// The name of the worker's last word inside the attempt's folder.
pub const OUTCOME: &str = "outcome.json";

/// The variable that names the bucket in which a worker finds items of other machines.
pub const BUCKET: &str = "PIPE_BUCKET";

/// What to do where engine and worker are not of one build.
const SAME_VERSION: &str =
    "use the same version of pipe on both sides; which one an image holds is told by `pipe check SPEC --run-worker`";

/// How the process ends that was given up: as one whose attempt failed.
const GIVEN_UP: i32 = 1;

/// Runs the attempt described in `folder` and writes its outcome there. `say` carries passing events out.
/// Returns whether the attempt succeeded.
///
/// # Errors
/// When the attempt cannot be read or the outcome cannot be written: nothing was decided then.
pub fn run_attempt(
    folder: &Path,
    kinds: &Registry,
    world: &World,
    say: &(dyn Fn(Body) + Sync),
) -> Result<bool, Failure> {
    let attempt = read_attempt(folder)?;
    let leave = |outcome: Outcome| {
        let outcome = outcome.redacted(&Redactor::of(&secret::given()));
        write_whole(&folder.join(OUTCOME), &outcome).map(|()| outcome.failure.is_none())
    };
    let last_word = |failure: Failure, items| {
        tracing::error!(%failure, "the attempt is given up");
        // Without an outcome the engine says how the process ended.
        let _ = leave(Outcome { failure: Some(failure), items, ..empty(&attempt) });
        std::process::exit(GIVEN_UP);
    };
    leave(outcome_of(&attempt, kinds, world, say, (&last_word, Doing::of(folder))))
}

/// Reads an attempt's description.
///
/// # Errors
/// When it is not there or not of this version.
pub fn read_attempt(folder: &Path) -> Result<Attempt, Failure> {
    let path = folder.join(ATTEMPT);
    let text = fs::read(&path).map_err(|e| Failure::io("read the attempt", &path, &e))?;
    attempt_of(&text, &path.display().to_string())
}

/// Reads the text of an attempt's description, which lies at `on`.
///
/// # Errors
/// When it is none, or not of this version.
pub(crate) fn attempt_of(text: &[u8], on: &str) -> Result<Attempt, Failure> {
    let version = serde_json::from_slice::<Json>(text).ok().and_then(|v| v["version"].as_u64());
    if version.is_some_and(|v| v != u64::from(VERSION)) {
        let found = version.unwrap_or_default();
        let message = format!("the attempt speaks protocol {found} and this worker speaks {VERSION}");
        return Err(Failure::failed("other_protocol", message).on(on).help(SAME_VERSION));
    }
    serde_json::from_slice(text)
        .map_err(|e| Failure::failed("bad_attempt", "the attempt cannot be read").on(on).source(e))
}

/// The kind of an attempt's stage, if this worker has it with the same code.
///
/// # Errors
/// When it has not, naming both.
pub(crate) fn kind_of<'k>(attempt: &Attempt, kinds: &'k Registry) -> Result<&'k Arc<dyn StageKind>, Failure> {
    let Some(kind) = kinds.get(&attempt.kind) else {
        let unknown = Failure::failed("unknown_kind", "this worker does not know the stage kind").on(&attempt.kind);
        return Err(unknown.help(SAME_VERSION));
    };
    if kind.code() != attempt.code {
        let (wanted, name, has) = (&attempt.code, &attempt.kind, kind.code());
        let message = format!("the attempt wants code `{wanted}` of `{name}` and this worker has `{has}`");
        return Err(Failure::failed("other_code", message).help(SAME_VERSION));
    }
    Ok(kind)
}

/// Writes `value` under its name all at once, so that a reader finds all of it or nothing.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(path: &Path, value: &impl serde::Serialize) -> Result<(), Failure> {
    let staged = path.with_extension("json.new");
    let write = || -> io::Result<()> {
        // A writer of JSON writes each bracket by itself; a file should get them all in one go.
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        fs::write(&staged, text)?;
        fs::rename(&staged, path)
    };
    write().map_err(|e| Failure::io("write", path, &e))
}

fn empty(attempt: &Attempt) -> Outcome {
    Outcome {
        version: VERSION,
        id: attempt.id.clone(),
        failure: None,
        files: Vec::new(),
        result: Json::Null,
        items: crate::attempt::ItemCount::default(),
        usage: None,
    }
}

fn outcome_of(
    attempt: &Attempt,
    kinds: &Registry,
    world: &World,
    say: &(dyn Fn(Body) + Sync),
    (last_word, doing): (&LastWord<'_>, Doing),
) -> Outcome {
    let empty = empty(attempt);
    let store = match Folder::open(&attempt.store).map_err(store_failed) {
        Ok(store) => Arc::new(store),
        Err(failure) => return Outcome { failure: Some(failure), ..empty },
    };
    let shared = kinds.bucket().map(|(uri, bucket)| Shared::of(uri, bucket.clone(), store.clone()));
    let work = Work::new(attempt, &store, world, say)
        .with_remotes(kinds.remotes().map(AsRef::as_ref))
        .with_items_elsewhere(shared.as_ref().map(|shared| shared as &dyn ItemsElsewhere))
        .with_last_word(last_word)
        .with_doing(doing);
    let result = run_kind(attempt, kinds, &work).and_then(|result| work.seal_all().map(|()| result));
    if result.is_err() {
        work.discard();
    }
    let (files, items) = work.into_made();
    match result {
        Ok(result) => Outcome { files, items, result, ..empty },
        Err(failure) => Outcome { failure: Some(failure), items, ..empty },
    }
}

fn run_kind(attempt: &Attempt, kinds: &Registry, work: &Work<'_>) -> Result<Json, Failure> {
    let kind = kind_of(attempt, kinds)?;
    // A panic is a bug of ours. Caught here, it ends one attempt with a sentence and not a run with a backtrace.
    catch_unwind(AssertUnwindSafe(|| kind.run(work))).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::failed("bug", "the worker panicked: this is a bug in pipe").source(said.unwrap_or("no message")))
    })
}

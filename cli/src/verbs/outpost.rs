//! `pipe worker STORE/attempts/ID`: an attempt that is described in a bucket -> its result and its outcome there. What a
//! container is started with.

use crate::buckets;
use crate::exit::{Exit, Refusal};
use crate::printer::Printer;
use crate::secrets;
use crate::wiring;
use pipe_engine::attempt::Outcome;
use pipe_engine::failure::Class;
use pipe_engine::ids::AttemptId;
use pipe_engine::local::OomKills;
use pipe_engine::outpost::{self, Ended, Errand};
use pipe_engine::scheduler::Stop;
use pipe_engine::world::World;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The variable that names a folder with room for what an attempt takes and makes, such as a volume.
const SCRATCH: &str = "PIPE_SCRATCH";
/// Variables by which providers tell a job its own name: Cloud Run, Vertex AI.
const JOB: [&str; 2] = ["CLOUD_RUN_EXECUTION", "CLOUD_ML_JOB_ID"];

/// Variables by which providers tell a program where its things are, which what we start gets as well: those of Vertex AI, where a
/// program finds what an earlier attempt has left.
const PASSED: [&str; 3] = ["AIP_CHECKPOINT_DIR", "AIP_MODEL_DIR", "AIP_TENSORBOARD_LOG_DIR"];

/// What names an attempt in a bucket, if it is not a folder.
pub(super) fn uri(place: &Path) -> Option<String> {
    place.to_str().filter(|place| place.contains("://")).map(str::to_owned)
}

pub(super) fn run(uri: &str, is_dry: bool, printer: &Printer) -> Result<Exit, Refusal> {
    let Some((root, id)) = uri.trim_end_matches('/').rsplit_once("/attempts/") else {
        return Err(Refusal::new(Exit::Wrong, format!("{uri} names no attempt")).help("write STORE/attempts/ID"));
    };
    let id = AttemptId(id.to_owned());
    let worker = std::env::current_exe()
        .map_err(|error| Refusal::new(Exit::Unavailable, format!("cannot find the file of this program: {error}")))?;
    let scratch = scratch(root, &id, is_dry);
    let errand = Errand {
        root: root.to_owned(),
        bucket: buckets::open(root)?,
        id,
        job: job(),
        kinds: wiring::kinds(),
        world: World::real(),
        scratch: scratch.clone(),
        worker,
        oom_kills: OomKills::here(),
        secrets: secrets::of_worker(),
        passed: passed(),
        is_dry,
    };
    let ended = follow(errand);
    if is_dry {
        let outcome = if let Ok(Ended::Worked(outcome)) = &ended { Some(outcome) } else { None };
        let store = scratch.join("store");
        printer.document(&json!({ "outcome": outcome, "store": store }))?;
    } else if matches!(ended, Ok(Ended::Worked(_))) {
        // That of an attempt that another job has may be that job's.
        let _ = fs::remove_dir_all(&scratch);
    }
    match ended? {
        Ended::Worked(outcome) => Ok(exit_of(&outcome)),
        Ended::Before(outcome) => {
            tracing::warn!(attempt = %outcome.id, "it has an outcome already, which stands");
            Ok(exit_of(&outcome))
        }
        Ended::Duplicate(job) => {
            tracing::warn!(job, "another job has this attempt");
            Ok(Exit::Duplicate)
        }
    }
}

fn follow(errand: Errand) -> Result<Ended, Refusal> {
    let cannot = |error: io::Error| Refusal::new(Exit::Unavailable, format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let ended = runtime.block_on(async {
        let (stop, stopped) = watch::channel(None);
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stop.send_replace(Some(Stop::Gently));
            // Whoever watches it must not take its end for one.
            std::future::pending::<()>().await;
        });
        Ok::<_, Refusal>(outpost::run(errand, stopped).await?)
    });
    // What is still being brought nobody waits for.
    runtime.shutdown_background();
    ended
}

fn exit_of(outcome: &Outcome) -> Exit {
    match &outcome.failure {
        None => Exit::Done,
        Some(failure) if failure.class == Class::Preempted => Exit::Preempted,
        Some(failure) => {
            tracing::error!(%failure, "the attempt failed");
            Exit::TaskFailed
        }
    }
}

/// What a provider tells a program about where its things are.
fn passed() -> BTreeMap<String, String> {
    PASSED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect()
}

/// The job's name, by which a process that is started anew knows itself.
fn job() -> String {
    let named = JOB.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    named.unwrap_or_else(|| format!("{}-{}", rustix::system::uname().nodename().to_string_lossy(), std::process::id()))
}

/// A folder of our own. On a volume it has the attempt's name, so that the same job finds there what it has brought; and its store's,
/// since a volume may be there for several, whose attempts at one key have one name.
fn scratch(root: &str, id: &AttemptId, is_dry: bool) -> PathBuf {
    let volume = std::env::var_os(SCRATCH).filter(|folder| !folder.is_empty() && !is_dry);
    match volume {
        Some(folder) => {
            let store = blake3::hash(root.trim_end_matches('/').as_bytes()).to_hex();
            PathBuf::from(folder).join(format!("{id}-{}", &store[..8]))
        }
        None => std::env::temp_dir().join(format!("pipe-{id}-{}", std::process::id())),
    }
}

//! `pipe worker`: an attempt's folder -> its outcome. Stdout carries passing events as JSON lines, stderr is the
//! log, and the end of stdin means that the engine died, if there is one.

use super::outpost;
use crate::args::WorkerArgs;
use crate::buckets;
use crate::exit::{Exit, Refusal};
use crate::printer::Printer;
use crate::wiring;
use pipe_engine::attempt::VERSION;
use pipe_engine::confine::confine;
use pipe_engine::doctor::Versions;
use pipe_engine::event::Body;
use pipe_engine::store::{PROBES, blocking};
use pipe_engine::worker::{BUCKET, read_attempt, run_attempt};
use pipe_engine::world::World;
use std::io::{self, Read, Stdout, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

pub(crate) fn run(args: &WorkerArgs, printer: &Printer) -> Result<Exit, Refusal> {
    // A panic of a stage is caught and becomes that attempt's failure, so here it must not end the process.
    drop(std::panic::take_hook());
    let place = match (args.place.as_deref(), args.to.as_deref()) {
        (Some(place), _) => place,
        (None, Some(uri)) => return tell(uri),
        (None, None) => {
            printer.document(&versions())?;
            return Ok(Exit::Done);
        }
    };
    match outpost::uri(place) {
        Some(uri) => outpost::run(&uri, args.dry, printer),
        None if args.dry => {
            Err(Refusal::new(Exit::Wrong, "only an attempt of a bucket is tried dry: STORE/attempts/ID"))
        }
        None => in_folder(place, args.alone),
    }
}

fn in_folder(folder: &Path, is_alone: bool) -> Result<Exit, Refusal> {
    if !is_alone {
        end_with_the_engine();
    }
    // An attempt that cannot be read is told below.
    if let Ok(attempt) = read_attempt(folder) {
        confine(&attempt, may_use_a_gpu());
    }
    let out = Mutex::new(io::stdout());
    let kinds = match std::env::var(BUCKET) {
        Ok(uri) if !uri.is_empty() => wiring::kinds().with_bucket(&uri, buckets::open(&uri)?),
        _ => wiring::kinds(),
    };
    let succeeded = run_attempt(folder, &kinds, &World::real(), &|body| say(&out, &body))?;
    Ok(if succeeded { Exit::Done } else { Exit::TaskFailed })
}

/// What an engine has to agree with before it sends anything to this worker.
fn versions() -> Versions {
    let kinds = wiring::kinds();
    let kinds = kinds.kinds().map(|kind| (kind.name().to_owned(), kind.code())).collect();
    Versions { pipe: env!("CARGO_PKG_VERSION").to_owned(), protocol: VERSION, kinds }
}

/// Answers a question that an engine has asked by a job: what a job prints, nobody can fetch.
fn tell(uri: &str) -> Result<Exit, Refusal> {
    let Some((root, name)) = uri.rsplit_once(&format!("/{PROBES}/")) else {
        let refusal = Refusal::new(Exit::Wrong, format!("{uri} is no place for an answer"));
        return Err(refusal.help(format!("write STORE/{PROBES}/NAME")));
    };
    let text = serde_json::to_vec(&versions()).expect("versions are texts and a number");
    blocking(buckets::open(root)?.put_new(&format!("{PROBES}/{name}"), &text))?;
    Ok(Exit::Done)
}

/// The engine holds our stdin open for as long as it lives. Working on without it would race the next engine.
fn end_with_the_engine() {
    let watch = || {
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        std::process::exit(Exit::Bug as i32);
    };
    std::thread::Builder::new().name("watch-engine".to_owned()).spawn(watch).expect("the system can start one thread");
}

/// Whether there is a GPU of NVIDIA's that is not hidden from us.
fn may_use_a_gpu() -> bool {
    let are_hidden = std::env::var_os("CUDA_VISIBLE_DEVICES").is_some_and(|gpus| gpus.is_empty());
    !are_hidden && Path::new("/dev/nvidiactl").exists()
}

fn say(out: &Mutex<Stdout>, body: &Body) {
    let Ok(mut line) = serde_json::to_vec(body) else { return };
    line.push(b'\n');
    let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
    // An engine that no longer listens also closes our stdin, which ends us.
    let _ = out.write_all(&line).and_then(|()| out.flush());
}

//! `pipe worker`: an attempt's folder -> its outcome. Stdout carries passing events as JSON lines, stderr is the
//! log, and the end of stdin means that the engine died, if there is one.

use crate::args::WorkerArgs;
use crate::exit::{Exit, Refusal};
use crate::wiring;
use pipe_engine::confine::confine;
use pipe_engine::event::Body;
use pipe_engine::worker::{read_attempt, run_attempt};
use pipe_engine::world::World;
use std::io::{self, Read, Stdout, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

pub(crate) fn run(args: &WorkerArgs) -> Result<Exit, Refusal> {
    // A panic of a stage is caught and becomes that attempt's failure, so here it must not end the process.
    drop(std::panic::take_hook());
    if !args.alone {
        end_with_the_engine();
    }
    // An attempt that cannot be read is told below.
    if let Ok(attempt) = read_attempt(&args.folder) {
        confine(&attempt, may_use_a_gpu());
    }
    let out = Mutex::new(io::stdout());
    let succeeded = run_attempt(&args.folder, &wiring::kinds(), &World::real(), &|body| say(&out, &body))?;
    Ok(if succeeded { Exit::Done } else { Exit::TaskFailed })
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

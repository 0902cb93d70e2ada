//! `kind = "detached"`: processes of this machine that outlive the engine, so that what becomes of jobs elsewhere can be
//! tried where there is nothing elsewhere. Only builds for tests have it.
//!
//! A job is a folder: its name is taken by making it, `running/` by whoever runs it, `ended` is written last. So a job is
//! made once and runs once, whoever is killed at which moment. It is started by the first poll that sees it. What it runs is
//! a worker with an attempt's folder, or with an attempt's URI where the store is a bucket, as a container would.

mod config;

use config::Config;
use futures::future::BoxFuture;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Backend, BackendKind, Backends, Capability, Job, Standing};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::ids::AttemptId;
use pipe_engine::local::start_apart;
use pipe_engine::stage::{ConfigProblem, read_config};
use rustix::process::{Pid, Signal, kill_process_group};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value as Json;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// `$0` is the worker, `$1` the job's folder, `$2` the attempt's, `$3` the seconds until it begins.
const RUN: &str = r#"mkdir "$1/running" 2> /dev/null || exit 0
echo $$ > "$1/running/pid"
sleep "$3"
"$0" worker --alone "$2" > "$1/log" 2>&1
echo $? > "$1/ended.new"; mv "$1/ended.new" "$1/ended""#;

/// Whoever wants such a place says so: the builds of tests are also those that specs and schemas are tried with.
const WANTED: &str = "PIPE_DETACHED";

pub(crate) fn add_to(all: Backends) -> Backends {
    if std::env::var_os(WANTED).is_some() { all.with(Kind) } else { all }
}

struct Kind;

impl BackendKind for Kind {
    fn name(&self) -> &'static str {
        "detached"
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        Config::json_schema(generator)
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<Config>(config).map(drop)
    }

    fn capability(&self, _: &Json) -> Capability {
        Capability::default()
    }

    fn connect(&self, config: &Json, _: &str) -> Result<Arc<dyn Backend>, Failure> {
        let wrong = |problem: ConfigProblem| Failure::failed("bad_backend", problem.message);
        let Config { folder, delay } = read_config(config).map_err(wrong)?;
        let worker = std::env::current_exe().map_err(|e| Failure::io("find", "this program", &e))?;
        fs::create_dir_all(&folder).map_err(|e| Failure::io("make the folder", &folder, &e))?;
        Ok(Arc::new(Detached { folder, delay, worker }))
    }
}

struct Detached {
    folder: PathBuf,
    delay: f64,
    worker: PathBuf,
}

impl Detached {
    fn place(&self, job: &Job) -> PathBuf {
        self.folder.join(&job.0)
    }

    fn make(&self, attempt: &Attempt) -> io::Result<Job> {
        let job = name(&attempt.id);
        let (place, staged) = (self.place(&job), self.folder.join(format!(".{}", job.0)));
        if !place.exists() {
            let described = attempt.store.join("attempts").join(&attempt.id.0);
            fs::create_dir_all(&staged)?;
            fs::write(staged.join("attempt"), described.display().to_string())?;
            fs::rename(&staged, &place)?;
        }
        Ok(job)
    }

    fn standing(&self, job: &Job) -> io::Result<Standing> {
        let place = self.place(job);
        if !place.exists() {
            return Ok(Standing::Gone);
        }
        if place.join("ended").exists() {
            return Ok(Standing::Over(None));
        }
        if place.join("running").exists() {
            return Ok(Standing::Running);
        }
        let attempt = fs::read_to_string(place.join("attempt"))?;
        let mut run = Command::new("sh");
        run.args(["-c", RUN])
            .arg(&self.worker)
            .args([place.as_path(), Path::new(&attempt)])
            .arg(self.delay.to_string());
        run.env("PIPE_SCRATCH", place.join("scratch"));
        // It is nobody's child: neither an engine's end nor its search for what it has left must reach it.
        run.env_remove("PIPE_STATE").env_remove("PIPE_ATTEMPT").process_group(0);
        run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        start_apart(&mut run)?;
        Ok(Standing::Waiting)
    }

    fn end(&self, job: &Job) -> io::Result<()> {
        let running = self.place(job).join("running");
        // Whoever makes it first decides whether the job ever runs.
        if let Err(e) = fs::create_dir(&running) {
            let pid = fs::read_to_string(running.join("pid")).map_err(|_| e)?;
            let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
            // A worker far from its engine ends what it has started by itself, as in a container that is to stop.
            let is_far =
                fs::read_to_string(self.place(job).join("attempt")).is_ok_and(|attempt| attempt.contains("://"));
            if let Some(pid) = pid {
                let _ = kill_process_group(pid, if is_far { Signal::TERM } else { Signal::KILL });
            }
        }
        fs::write(self.place(job).join("ended"), "cancelled\n")
    }
}

fn name(attempt: &AttemptId) -> Job {
    Job(format!("job-{attempt}"))
}

fn failed(doing: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::of(Class::Transient, "detached", format!("a job cannot be {doing}")).source(error)
}

impl Backend for Detached {
    fn submit<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Result<Job, Failure>> {
        Box::pin(async move { self.make(attempt).map_err(failed("made")) })
    }

    fn find<'a>(&'a self, attempt: &'a AttemptId) -> BoxFuture<'a, Result<Option<Job>, Failure>> {
        let job = name(attempt);
        Box::pin(async move { Ok(self.place(&job).exists().then_some(job)) })
    }

    fn poll<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<Vec<Standing>, Failure>> {
        Box::pin(
            async move { jobs.iter().map(|job| self.standing(job)).collect::<Result<_, _>>().map_err(failed("seen")) },
        )
    }

    fn cancel<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { self.end(job).map_err(failed("ended")) })
    }

    fn poll_every(&self) -> Duration {
        Duration::from_millis(20)
    }
}

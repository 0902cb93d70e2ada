//! A stand-in for Cloud Run, a place that uses it, and a book in which each container writes that it began.

use pipe_backends::all;
use pipe_engine::attempt::{Attempt, Provision, VERSION};
use pipe_engine::backend::{Backend, Job, Standing};
use pipe_engine::failure::Failure;
use pipe_engine::ids::{AttemptId, Cell, Fingerprint, RunId, TaskId};
use pipe_engine::key::Fields;
use pipe_engine::units::{Bytes, Millis};
use pipe_standin::{Definitions, Standin};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

pub(super) const STORE: &str = "gs://films/results";
const PARENT: &str = "projects/films/locations/us-central1";
/// What stands before every method of Cloud Run.
const METHODS: &str = "run.projects.locations.";

pub(super) struct Bench {
    pub(super) standin: Standin,
    pub(super) place: Arc<dyn Backend>,
    runtime: Runtime,
    folder: TempDir,
}

impl Bench {
    /// Containers of the image run this, after they have written into the book. `$1` is where their attempt is described.
    pub(super) fn running(script: &str) -> Self {
        Self::with(script, &json!({}))
    }

    /// The same with more settings.
    pub(super) fn with(script: &str, more: &Json) -> Self {
        let standin = Standin::serve(&Definitions::fetched().unwrap(), 0).unwrap();
        standin.grace(Duration::from_millis(100));
        let place = place(&standin, more);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let bench = Self { standin, place, runtime, folder: tempfile::tempdir().unwrap() };
        bench.image("worker", script);
        bench
    }

    pub(super) fn image(&self, name: &str, script: &str) {
        let book = self.folder.path().join("book");
        let script = format!("echo \"$1\" >> '{}'; {script}", book.display());
        self.standin.image(name, &["sh", "-c", &script]);
    }

    /// Another place of the same store, with other settings: an engine that comes later.
    pub(super) fn other(&self, more: &Json) -> Arc<dyn Backend> {
        place(&self.standin, more)
    }

    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    pub(super) fn submit(&self, attempt: &Attempt) -> Result<Job, Failure> {
        self.wait(self.place.submit(attempt))
    }

    pub(super) fn standing(&self, job: &Job) -> Standing {
        self.wait(self.place.poll(std::slice::from_ref(job))).unwrap().remove(0)
    }

    /// Why a job ended, once it has.
    pub(super) fn end(&self, job: &Job) -> Option<Failure> {
        self.until(job, |standing| matches!(standing, Standing::Over(_)));
        match self.standing(job) {
            Standing::Over(why) => why,
            other => panic!("it was over, and is {other:?}"),
        }
    }

    pub(super) fn until(&self, job: &Job, holds: impl Fn(&Standing) -> bool) {
        while !holds(&self.standing(job)) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How often containers of an attempt began.
    pub(super) fn begun(&self, attempt: &Attempt) -> usize {
        let book = fs::read_to_string(self.folder.path().join("book")).unwrap_or_default();
        book.lines().filter(|line| *line == format!("{STORE}/attempts/{}", attempt.id)).count()
    }

    /// How often a method was asked: `jobs.run`.
    pub(super) fn asked(&self, method: &str) -> usize {
        let wanted = format!("{METHODS}{method}");
        self.standin.asked().iter().filter(|asked| asked.method == wanted).count()
    }

    /// What the service tells of a thing, if it is there.
    pub(super) fn told(&self, name: &str) -> Option<Json> {
        let mut connection = TcpStream::connect(self.standin.address()).unwrap();
        write!(connection, "GET /v2/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        head.contains(" 200 ").then(|| serde_json::from_str(body).unwrap())
    }
}

/// The last word of a method: `jobs.run`.
pub(super) fn is(asked: &pipe_standin::Asked, method: &str) -> bool {
    asked.method.strip_prefix(METHODS) == Some(method)
}

fn place(standin: &Standin, more: &Json) -> Arc<dyn Backend> {
    let mut config = json!({
        "project": "films",
        "region": "us-central1",
        "image": "worker",
        "poll": "20ms",
        "endpoint": format!("http://{}", standin.address()),
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all().get("cloud-run").unwrap().connect(&config, STORE).unwrap()
}

/// The name of an attempt's job, as this project's is.
pub(super) fn is_job_of(job: &Job, attempt: &Attempt) -> bool {
    job.0.starts_with(&format!("{PARENT}/jobs/pipe-{}-", attempt.id))
}

/// An attempt at a task of a film, with an hour for it.
pub(super) fn attempt(name: &str) -> Attempt {
    let fingerprint = Fingerprint(blake3::hash(name.as_bytes()).to_hex().to_string());
    Attempt {
        version: VERSION,
        id: AttemptId::new(&fingerprint, 1),
        run: RunId("20261121-230405-9f3c".to_owned()),
        pipeline: "week12".to_owned(),
        task: TaskId { stage: "clips".to_owned(), cell: Cell::default() },
        kind: "extract-clips".to_owned(),
        code: "1".to_owned(),
        fingerprint,
        key: Fields::default(),
        config: json!({}),
        inputs: BTreeMap::new(),
        files: BTreeMap::new(),
        store: STORE.into(),
        output: "data/week12/clips/all@12345678-1".to_owned(),
        anew: false,
        checkpoints: None,
        cpu: 1,
        memory: Bytes(1 << 30),
        disk: None,
        provision: Some(Provision { timeout: Some(Millis(3_600_000)), ..Provision::default() }),
    }
}

//! A stand-in for Google's services, a place that uses one of them, and a book in which each container writes that it began.

use pipe_backends::all;
use pipe_engine::attempt::{Attempt, Provision, VERSION};
use pipe_engine::backend::{Backend, Job, Standing};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::ids::{AttemptId, Cell, Fingerprint, RunId, TaskId};
use pipe_engine::key::Fields;
use pipe_engine::units::{Bytes, Millis};
use pipe_standin::{Asked, Definitions, Fault, Standin};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

pub(crate) const STORE: &str = "gs://films/results";
pub(crate) const PARENT: &str = "projects/films/locations/us-central1";

/// A kind of place, and the service below it.
pub(crate) struct Service {
    /// The kind, as specs name it.
    pub(crate) kind: &'static str,
    /// What stands before every method.
    pub(crate) methods: &'static str,
    /// The version of its interface, which addresses begin with.
    pub(crate) version: &'static str,
}

pub(crate) static CLOUD_RUN: Service = Service { kind: "cloud-run", methods: "run.projects.locations.", version: "v2" };

pub(crate) static VERTEX: Service =
    Service { kind: "vertex", methods: "aiplatform.projects.locations.customJobs.", version: "v1" };

pub(crate) struct Bench {
    pub(crate) standin: Standin,
    pub(crate) place: Arc<dyn Backend>,
    service: &'static Service,
    runtime: Runtime,
    folder: TempDir,
}

impl Bench {
    /// Containers of the image `worker` run this, after they have written into the book. `$1` is where their attempt is described.
    /// `more` are more settings.
    pub(crate) fn of(service: &'static Service, script: &str, more: &Json) -> Self {
        let standin = Standin::serve(&Definitions::fetched().unwrap(), 0).unwrap();
        standin.grace(Duration::from_millis(100));
        let place = place(service, &standin, more);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let bench = Self { standin, place, service, runtime, folder: tempfile::tempdir().unwrap() };
        bench.image("worker", script);
        bench
    }

    pub(crate) fn image(&self, name: &str, script: &str) {
        let script = format!("cd '{}' || exit; echo \"$1\" >> book; {script}", self.folder.path().display());
        self.standin.image(name, &["sh", "-c", &script]);
    }

    /// Another place of the same store, with other settings: an engine that comes later.
    pub(crate) fn other(&self, more: &Json) -> Arc<dyn Backend> {
        place(self.service, &self.standin, more)
    }

    pub(crate) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    pub(crate) fn submit(&self, attempt: &Attempt) -> Result<Job, Failure> {
        self.wait(self.place.submit(attempt))
    }

    pub(crate) fn standing(&self, job: &Job) -> Standing {
        self.wait(self.place.poll(std::slice::from_ref(job))).unwrap().remove(0)
    }

    /// Why a job ended, once it has.
    pub(crate) fn end(&self, job: &Job) -> Option<Failure> {
        self.until(job, |standing| matches!(standing, Standing::Over(_)));
        match self.standing(job) {
            Standing::Over(why) => why,
            other => panic!("it was over, and is {other:?}"),
        }
    }

    pub(crate) fn until(&self, job: &Job, holds: impl Fn(&Standing) -> bool) {
        while !holds(&self.standing(job)) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How often containers of an attempt began.
    pub(crate) fn begun(&self, attempt: &Attempt) -> usize {
        self.noted("book", attempt)
    }

    /// How often containers of an attempt have written its address into this file of their folder.
    pub(crate) fn noted(&self, file: &str, attempt: &Attempt) -> usize {
        let notes = fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        notes.lines().filter(|line| *line == format!("{STORE}/attempts/{}", attempt.id)).count()
    }

    /// How often a method was asked: `jobs.run`.
    pub(crate) fn asked(&self, method: &str) -> usize {
        self.standin.asked().iter().filter(|asked| self.service.is(asked, method)).count()
    }

    /// What the service tells of a thing, or of a list of things, if it is there.
    pub(crate) fn told(&self, name: &str) -> Option<Json> {
        let version = self.service.version;
        let mut connection = TcpStream::connect(self.standin.address()).unwrap();
        write!(connection, "GET /{version}/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        head.contains(" 200 ").then(|| serde_json::from_str(body).unwrap())
    }

    /// What an engine does until it knows of a job: it looks for one before each time that it hands the attempt over.
    pub(crate) fn handed_over(&self, attempt: &Attempt) -> Job {
        self.known(attempt, || self.submit(attempt))
    }

    /// The same of whatever makes a job.
    pub(crate) fn known(&self, attempt: &Attempt, make: impl Fn() -> Result<Job, Failure>) -> Job {
        for _ in 0..8 {
            let job = match self.wait(self.place.find(&attempt.id)) {
                Ok(Some(job)) => Ok(job),
                Ok(None) => make(),
                Err(failure) => Err(failure),
            };
            match job {
                Ok(job) => return job,
                Err(failure) => assert_eq!(failure.class, Class::Transient, "{failure:?}"),
            }
        }
        panic!("{} was not handed over", attempt.id);
    }

    /// The jobs of an attempt that a list of Vertex AI has, `customJobs`, the newest first.
    pub(crate) fn listed(&self, list: &str, attempt: &Attempt) -> Vec<Json> {
        let told = self.told(&format!("{PARENT}/{list}?pageSize=1000")).unwrap();
        let jobs = told[list].as_array().cloned().unwrap_or_default().into_iter();
        jobs.filter(|job| job["labels"]["pipe-attempt"] == attempt.id.0.as_str()).collect()
    }

    /// From now on the first request of each of these methods is befallen.
    pub(crate) fn first(&self, faults: &[(&'static str, Option<Fault>)]) {
        let service = self.service;
        let mut faults: BTreeMap<&str, Fault> =
            faults.iter().filter_map(|(method, fault)| Some((*method, fault.clone()?))).collect();
        self.standin.befalls(move |asked| {
            let method = faults.keys().copied().find(|method| service.is(asked, method))?;
            faults.remove(method)
        });
    }
}

impl Service {
    /// Whether this method was asked: `jobs.run`.
    pub(crate) fn is(&self, asked: &Asked, method: &str) -> bool {
        asked.method.strip_prefix(self.methods) == Some(method)
    }
}

fn place(service: &Service, standin: &Standin, more: &Json) -> Arc<dyn Backend> {
    let mut config = json!({
        "project": "films",
        "region": "us-central1",
        "image": "worker",
        "poll": "20ms",
        "endpoint": format!("http://{}", standin.address()),
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    // A setting that is null is not written.
    config.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    all().get(service.kind).unwrap().connect(&config, STORE).unwrap()
}

/// How jobs of Vertex AI stand.
pub(crate) fn states(jobs: &[Json]) -> Vec<String> {
    jobs.iter().map(|job| job["state"].as_str().unwrap().trim_start_matches("JOB_STATE_").to_owned()).collect()
}

/// An attempt at a task of a film, with an hour for it.
pub(crate) fn attempt(name: &str) -> Attempt {
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
